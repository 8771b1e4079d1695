package exact

import (
	"math"
	"testing"
	"time"
)

func TestPlanChoosesTheMethod(t *testing.T) {
	for _, c := range []struct {
		q, lx, ly int
		want      Method
		// Bounds of the prediction, in seconds.
		atLeast, atMost float64
	}{
		{2, 3, 3, Enumeration, 0, 1e-3},
		{2, 64, 64, Kaufman, 1, 10},
		{2, 16, 16, Kaufman, 0, 0.05},
		{3, 4, 4, TransferMatrix, 0, 0.01},
		{10, 6, 6, TransferMatrix, 0.5, 6},
		{10, 20, 5, TransferMatrix, 0.5, 6},
		{10, 32, 32, TransferMatrix, 1e20, math.Inf(1)},
		{255, 4096, 4096, TransferMatrix, 1e100, math.Inf(1)},
		{2, 4096, 4096, Kaufman, 1e6, 1e15},
		{2, 3, 1 << 22, Kaufman, 1e6, 1e15},
	} {
		start := time.Now()
		e, err := Plan(c.q, c.lx, c.ly)
		if err != nil {
			t.Fatal(err)
		}
		if e.Method != c.want || !(e.Seconds >= c.atLeast && e.Seconds <= c.atMost) || !(e.Bytes > 0) {
			t.Errorf("%+v: plan %+v", c, e)
		}
		// Where it is slow, it counts what would take years.
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%+v: planning took %v", c, took)
		}
	}
}

// The predicted time must grow with the torus, or Plan chooses nonsense.
func TestPlanGrows(t *testing.T) {
	for _, q := range []int{2, 3, 10} {
		for _, method := range []Method{Enumeration, Kaufman, TransferMatrix} {
			if method == Kaufman && q != 2 {
				continue
			}
			before := Estimate{}
			for side := minSide; side <= 12; side++ {
				e := plan(method, q, side, side)
				if e.Seconds < before.Seconds || e.Bytes < before.Bytes && method != TransferMatrix {
					t.Errorf("q=%d %s: side %d takes %v, less than %v", q, method, side, e, before)
				}
				before = e
			}
		}
	}
}

func TestMemoryOfTheMachine(t *testing.T) {
	if got := totalMemory("MemTotal:       24000 kB\nMemFree: 1 kB\n"); got != 24000*1024 {
		t.Errorf("meminfo: %v", got)
	}
	if got := totalMemory("nothing"); !math.IsInf(got, 1) {
		t.Errorf("no meminfo: %v", got)
	}
	if got := groupLimit("1073741824\n"); got != 1<<30 {
		t.Errorf("group: %v", got)
	}
	if got := groupLimit("max\n"); !math.IsInf(got, 1) {
		t.Errorf("unlimited group: %v", got)
	}
	if got := memoryLimit(); !(got > 0) || math.IsInf(got, 1) {
		t.Errorf("limit %v", got)
	}
}

func TestPrintedSizes(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{duration(0.5), "0.5 s"}, {duration(600), "10 min"}, {duration(3600 * 5), "5 h"},
		{duration(86400 * 30), "30 days"}, {duration(1e30), "3.2e+22 years"}, {duration(math.Inf(1)), "+Inf years"},
		{size(512), "512 B"}, {size(3 << 30), "3 GiB"}, {size(math.Inf(1)), "+Inf PiB"},
	} {
		if c.got != c.want {
			t.Errorf("printed %q, want %q", c.got, c.want)
		}
	}
}
