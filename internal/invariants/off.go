//go:build !invariants

// Package invariants switches expensive checks of the program's own assumptions, which cost
// nothing when off.
package invariants

// Enabled reports whether checks are made that would be too expensive in a real run: build
// with -tags invariants.
const Enabled = false
