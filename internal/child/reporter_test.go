package child

import (
	"testing"
	"time"
)

// TestDue has a task that began a while ago report passes less often than one that has just begun.
func TestDue(t *testing.T) {
	for _, c := range []struct {
		took, since time.Duration
		due         bool
	}{
		{0, time.Second, true},
		{time.Minute, time.Second, true},
		{100 * time.Minute, time.Second, false},
		{100 * time.Minute, 3 * time.Second, true},
	} {
		w := &reporter{began: time.Now().Add(-c.took), last: time.Now().Add(-c.since)}
		if w.due() != c.due {
			t.Errorf("after %v, %v after the last report: %v", c.took, c.since, !c.due)
		}
		if c.due && w.due() {
			t.Errorf("after %v: again at once", c.took)
		}
	}
}
