package page

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// logLine is a line of a run's log for people.
type logLine struct{ Time, Level, Text string }

// mostLine bounds the characters of a line.
const mostLine = 500

// readLine reads a line, a JSON object whose first members are time, level and message. Any other
// line is shown as it is.
func readLine(line []byte) (l logLine) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return logLine{Text: cut(strings.TrimSpace(string(line)), mostLine)}
	}
	var words []string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			break
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			break
		}
		value := string(raw)
		var word string
		if json.Unmarshal(raw, &word) == nil {
			value = word
		}
		switch name {
		case slog.TimeKey:
			if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
				value = at.UTC().Format("01-02 15:04:05")
			}
			l.Time = value
		case slog.LevelKey:
			l.Level = value
		case slog.MessageKey:
			words = append(words, value)
		case "took": // as slog writes a duration
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				value = time.Duration(n).Round(time.Millisecond).String()
			}
			words = append(words, "took="+value)
		default:
			if text, ok := name.(string); ok {
				words = append(words, text+"="+value)
			}
		}
	}
	l.Text = cut(strings.Join(words, " "), mostLine)
	return l
}
