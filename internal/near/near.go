// Package near finds what somebody meant who mistyped a name, for the ends of error messages.
package near

import (
	"os"
	"path/filepath"
	"strings"
)

// Name is the known name that takes the fewest insertions, deletions and replacements of bytes to make of
// the given one, the first in the alphabet among equals. It is empty if that would be more than half of
// the name, in which case something else was meant.
func Name(name string, known []string) string {
	best, least := "", len(name)/2+1
	for _, k := range known {
		if d := distance(name, k); d < least || d == least && best != "" && k < best {
			best, least = k, d
		}
	}
	return best
}

// Ask is a question that an error message about an unknown name ends with, empty if no known name is near.
func Ask(name string, known []string) string {
	if best := Name(name, known); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// AskPath is Ask for a path that does not exist and what there is in the same folder.
func AskPath(path string) string {
	path = filepath.Clean(path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return ""
	}
	var known []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			known = append(known, e.Name())
		}
	}
	if best := Name(filepath.Base(path), known); best != "" && best != filepath.Base(path) {
		return "; did you mean " + filepath.Join(filepath.Dir(path), best) + "?"
	}
	return ""
}

// distance is the number of insertions, deletions and replacements of bytes that turn a into b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
