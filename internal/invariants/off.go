//go:build !invariants

// Package invariants switches expensive checks of the program's own assumptions,
// which cost nothing when off.
package invariants

// Enabled tells whether checks are made that would cost too much in a real run:
// build with -tags invariants.
const Enabled = false
