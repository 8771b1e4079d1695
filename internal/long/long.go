// Package long lets tests do less with go test -short, which `make test` uses.
package long

import "testing"

// Or returns full, or reduced with -short.
func Or[T any](full, reduced T) T {
	if testing.Short() {
		return reduced
	}
	return full
}

// Only skips a test with -short. The reason says what takes long, or what `make test` does
// without.
func Only(t testing.TB, reason string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("SKIPPED in short mode: %s; `make test-long` runs it", reason)
	}
}
