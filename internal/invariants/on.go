//go:build invariants

package invariants

// Enabled reports whether checks are made that would be too expensive in a real run: build
// with -tags invariants.
const Enabled = true
