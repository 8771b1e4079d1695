package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
)

func newLogs() *cobra.Command {
	var lines int
	var follow, raw bool
	c := &cobra.Command{
		Use:   "logs [-f] [-n N] ID",
		Short: "Print the log of a run",
		Long: `Print the log of a run, which its directory keeps over all resumptions. With -f the lines go on as they
come, also after the daemon was away, until the run has ended or Ctrl-C.`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	askingAboutRuns(c, func(c *cobra.Command, client *api.Client, ids []string) error {
		if lines < 0 {
			return usageError{errors.New("-n must not be negative")}
		}
		ctx, stop := interruptible(c.Context())
		defer stop()
		w := c.OutOrStdout()
		logTo(slog.LevelInfo)
		err := client.Log(ctx, ids[0], lines, follow, contact(ids[0]), func(line []byte) error {
			if raw {
				_, err := fmt.Fprintf(w, "%s\n", line)
				return err
			}
			return printLogLine(w, line)
		})
		if ctx.Err() != nil {
			return nil
		}
		return unlessClosed(err)
	})
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with lines as they come")
	c.Flags().IntVarP(&lines, "lines", "n", 0, "only so many of the last lines (default all)")
	c.Flags().BoolVar(&raw, "json", false, "print the lines as they are, JSON")
	return c
}

// printLogLine prints a line of a log for people to read, the time in that of this machine.
func printLogLine(w io.Writer, line []byte) error {
	fields, err := logFields(line)
	if err != nil {
		_, err := fmt.Fprintf(w, "%s\n", clean(string(line)))
		return err
	}
	var text strings.Builder
	for _, f := range fields {
		value := f.value
		switch f.name {
		case slog.TimeKey:
			if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
				value = at.Local().Format(time.DateTime)
			}
			fmt.Fprintf(&text, "%s ", value)
		case slog.LevelKey:
			fmt.Fprintf(&text, "%-5s ", value)
		case slog.MessageKey:
			text.WriteString(value)
		case "took": // as slog writes a duration
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				value = time.Duration(n).Round(time.Millisecond).String()
			}
			fmt.Fprintf(&text, " %s=%s", f.name, value)
		default:
			fmt.Fprintf(&text, " %s=%s", f.name, value)
		}
	}
	_, err = fmt.Fprintln(w, clean(text.String()))
	return err
}

type logField struct{ name, value string }

// logFields reads a line, in its order.
func logFields(line []byte) (fields []logField, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("no JSON object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		var word string
		if json.Unmarshal(value, &word) != nil {
			word = string(value)
		} else if strings.ContainsAny(word, " =\"") && name != slog.MessageKey && name != slog.TimeKey {
			word = fmt.Sprintf("%q", word)
		}
		fields = append(fields, logField{fmt.Sprint(name), word})
	}
	return fields, nil
}
