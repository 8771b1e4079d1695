package daemon

import (
	"errors"
	"regexp"
)

// Fault is one of the faults of what a user asked for.
type Fault struct {
	// Key is the key of the configuration, or the field of the request, that is at fault; empty
	// where it is none alone.
	Key  string
	Text string // with the key
}

var faultKey = regexp.MustCompile(`^([a-z_]+(?:\.[a-z_]+)*): `)

// Faults splits an error into its faults; that of a configuration has all of them at once.
func Faults(err error) []Fault {
	all := []error{err}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if many, ok := e.(interface{ Unwrap() []error }); ok {
			all = many.Unwrap()
			break
		}
	}
	faults := make([]Fault, len(all))
	for i, one := range all {
		faults[i].Text = one.Error()
		if found := faultKey.FindStringSubmatch(faults[i].Text); found != nil {
			faults[i].Key = found[1]
		}
	}
	return faults
}
