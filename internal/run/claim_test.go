package run

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClaim gives a directory to one at a time: a later lease gets it from a process of an earlier
// one that does not leave, once it has waited; nobody gets it from a process without a lease or of a
// later one.
func TestClaim(t *testing.T) {
	for name, c := range map[string]struct {
		holder, claimant int // epochs
		robbed           bool
	}{
		"an earlier lease": {3, 4, true}, "no lease": {0, 4, false}, "a later lease": {5, 4, false}, "by hand": {3, 0, false}, "the same": {4, 4, false},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			claim := func(epoch int) (func() error, error) {
				return Claim{Epoch: epoch, Wait: 200 * time.Millisecond, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}.Lock(folder)
			}
			leave, err := claim(c.holder)
			if err != nil {
				t.Fatal(err)
			}
			before, err := os.Stat(filepath.Join(folder, LockFile))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			second, err := claim(c.claimant)
			if (err == nil) != c.robbed || err != nil && !strings.Contains(err.Error(), "another process") {
				t.Fatal(err)
			}
			if time.Since(began) < 200*time.Millisecond {
				t.Error("it did not wait")
			}
			after, err := os.Stat(filepath.Join(folder, LockFile))
			if err != nil || os.SameFile(before, after) == c.robbed {
				t.Errorf("the lock file is the same: %v, %v", !c.robbed, err)
			}
			// The first one that wakes and leaves opens the directory to nobody.
			if err := leave(); err != nil {
				t.Fatal(err)
			}
			if !c.robbed {
				return
			}
			if _, err := claim(0); err == nil {
				t.Error("two at a time")
			}
			if err := second(); err != nil {
				t.Fatal(err)
			}
			if third, err := claim(0); err != nil {
				t.Error(err)
			} else if err := third(); err != nil {
				t.Error(err)
			}
		})
	}
}
