//go:build invariants

package invariants

// Enabled tells whether checks are made that would cost too much in a real run:
// build with -tags invariants.
const Enabled = true
