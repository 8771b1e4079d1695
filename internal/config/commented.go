package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Setting is a key with its value, written as for --set.
type Setting struct {
	Key, Value string
	Why        string // it has this value, in a sentence; empty if there is nothing to say
}

// Assignment is the setting as --set takes it.
func (s Setting) Assignment() string { return s.Key + "=" + s.Value }

// commentWidth is the length of a line of comment.
const commentWidth = 96

// Commented writes settings of a run as a file that Load reads, in the order of Default. Above each is
// why it has its value, what the key means, and its default.
func Commented(settings []Setting) ([]byte, error) {
	var b strings.Builder
	under, written := "", 0
	for _, e := range Explanations() {
		k := slices.IndexFunc(settings, func(s Setting) bool { return s.Key == e.Key })
		if k < 0 || e.Server {
			continue
		}
		written++
		section, name, _ := strings.Cut(e.Key, ".")
		if section != under {
			fmt.Fprintf(&b, "\n%s:\n", section)
			under = section
		}
		s := settings[k]
		if s.Why != "" {
			b.WriteString(comment("  ", s.Why))
		}
		b.WriteString(comment("  ", fmt.Sprintf("%s: %s (default %s)", e.Key, e.Meaning, e.Default)))
		value := s.Value
		if textKeys[e.Key] {
			text, err := yaml.Marshal(s.Value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.Key, err)
			}
			value = strings.TrimSuffix(string(text), "\n")
		}
		fmt.Fprintf(&b, "  %s: %s\n", name, value)
	}
	if written != len(settings) {
		return nil, fmt.Errorf("%d of %d settings name no key, or one a second time", len(settings)-written, len(settings))
	}
	return []byte(strings.TrimPrefix(b.String(), "\n")), nil
}

// comment is a text in lines of comment.
func comment(indent, text string) string {
	var b strings.Builder
	line := indent + "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > commentWidth && line != indent+"#" {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

// Comment is a text of one or more paragraphs in lines of comment.
func Comment(paragraphs ...string) string {
	var b strings.Builder
	for _, p := range paragraphs {
		b.WriteString(comment("", p))
	}
	return b.String()
}
