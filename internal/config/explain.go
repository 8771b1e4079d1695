package config

import (
	"regexp"
	"strings"
)

// Explanation says what a key is for.
type Explanation struct {
	Key     string `json:"key"`
	Default string `json:"default"`
	Meaning string `json:"meaning"`
	// Server says that it is a key of nwl serve, not of a run.
	Server bool `json:"server,omitempty"`
}

var (
	section   = regexp.MustCompile(`^([a-z_]+):`)
	setting   = regexp.MustCompile(`^  ([a-z_]+):\s+(.*?)\s+# (.*)$`)
	continued = regexp.MustCompile(`^\s+# (.*)$`)
)

// Explanations lists the keys in the order of the commented defaults, of which it is made.
func Explanations() (all []Explanation) {
	for _, text := range []string{Default, DefaultServer} {
		under := ""
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\n")
			if m := section.FindStringSubmatch(line); m != nil {
				under = m[1]
			} else if m := setting.FindStringSubmatch(line); m != nil {
				all = append(all, Explanation{Key: under + "." + m[1], Default: m[2], Meaning: m[3], Server: text == DefaultServer})
			} else if m := continued.FindStringSubmatch(line); m != nil && len(all) > 0 {
				all[len(all)-1].Meaning += " " + m[1]
			}
		}
	}
	return all
}
