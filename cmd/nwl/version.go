package main

import (
	"runtime/debug"
	"strings"
)

// described is the version as `git describe` gives it, set by the Makefile: a tag, or a
// commit after one.
var described string

// version of the program, from the build: a tag, or the commit it was built from.
func version() string {
	switch {
	case strings.HasPrefix(described, "v"):
		return described
	case described != "":
		return "development version, " + described
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	commit, modified := "unknown commit", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	return "development version, " + commit + modified
}
