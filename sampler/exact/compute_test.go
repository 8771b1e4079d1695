package exact

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestWorkersDoNotChangeTheResult(t *testing.T) {
	for _, system := range []struct{ q, lx, ly int }{{2, 20, 21}, {3, 6, 7}, {10, 5, 6}, {10, 4, 20}} {
		one := compute(t, system.q, system.lx, system.ly, Auto)
		many, err := Compute(context.Background(), system.q, system.lx, system.ly, Options{Workers: 5})
		if err != nil {
			t.Fatal(err)
		}
		sameCounts(t, many, one)
	}
}

// cancellable has one system for each method, large enough for several progress reports.
var cancellable = []struct {
	q, lx, ly int
	method    Method
}{{2, 5, 5, Enumeration}, {2, 30, 30, Kaufman}, {10, 5, 6, TransferMatrix}}

func TestProgressEndsAtTotal(t *testing.T) {
	for _, c := range cancellable {
		done, total := 0, 0
		_, err := Compute(context.Background(), c.q, c.lx, c.ly, Options{
			Method: c.method,
			Progress: func(d, n int) {
				if d < done || d > n || total != 0 && n != total {
					t.Errorf("%s: progress %d of %d after %d of %d", c.method, d, n, done, total)
				}
				done, total = d, n
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if total == 0 || done != total {
			t.Errorf("%s: progress ended at %d of %d", c.method, done, total)
		}
	}
}

func TestCancellation(t *testing.T) {
	for _, c := range cancellable {
		for _, workers := range []int{1, 3} {
			ctx, cancel := context.WithCancel(context.Background())
			reports := 0
			counts, err := Compute(ctx, c.q, c.lx, c.ly, Options{
				Method: c.method, Workers: workers,
				Progress: func(_, _ int) { reports++; cancel() },
			})
			if counts != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: counts %v, error %v after cancellation", c.method, counts, err)
			}
			if reports > workers {
				t.Errorf("%s: continued for %d reports", c.method, reports)
			}
		}
	}
}

func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		q, lx, ly int
		opts      Options
		want      []string
	}{
		{10, 8, 8, Options{}, []string{"q=10 8x8", "transfer-matrix", " h (limit 60 min)", "GiB",
			"shorter short side or fewer colours", "force"}},
		{2, 1000, 1000, Options{}, []string{"kaufman", "days", "shorter sides", "force"}},
		{3, 5, 6, Options{Method: Enumeration}, []string{"enumeration", "days"}},
		{10, 40, 40, Options{Force: true}, []string{"years", "end at 2^32 states"}},
		{10, 5, 5, Options{Method: Enumeration, Force: true}, []string{"end at 2^63", "another method"}},
		{255, 4000, 4000, Options{Force: true}, []string{"years", "end at 2^32 states"}},
	} {
		_, err := Compute(context.Background(), c.q, c.lx, c.ly, c.opts)
		if !errors.Is(err, ErrTooCostly) {
			t.Errorf("%v: error %v, want a refusal", c, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v: error %q does not mention %q", c, err, part)
			}
		}
	}
}

func TestForceAndWorkersLiftTheLimits(t *testing.T) {
	slow := Estimate{Method: TransferMatrix, Seconds: 1.5 * timeLimit.Seconds()}
	if err := check(slow, 10, 5, 5, 1, false); !errors.Is(err, ErrTooCostly) {
		t.Errorf("90 minutes: %v, want a refusal", err)
	}
	if err := check(slow, 10, 5, 5, 2, false); err != nil {
		t.Errorf("90 minutes on two workers: %v", err)
	}
	if err := check(slow, 10, 5, 5, 1, true); err != nil {
		t.Errorf("90 minutes by force: %v", err)
	}
	large := Estimate{Method: TransferMatrix, Seconds: 1, Bytes: 1.01 * memoryLimit()}
	if err := check(large, 10, 5, 5, 1, false); !errors.Is(err, ErrTooCostly) {
		t.Errorf("too much memory: %v, want a refusal", err)
	}
}

func TestFaultyArguments(t *testing.T) {
	_, err := Compute(context.Background(), 1, 2, -1, Options{Method: "guess", Workers: -2})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"exact: compute", "q=1 is out of range", "Lx=2", "Ly=-1", `"guess"`, "-2 is negative"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not mention %q", err, part)
		}
	}
	for _, c := range []struct {
		q, lx, ly int
		method    Method
	}{{256, 3, 3, Auto}, {0, 3, 3, Auto}, {3, 8, 8, Kaufman}, {2, math.MaxInt, 3, Auto}, {2, 1 << 13, 1 << 13, Auto}} {
		if _, err := Compute(context.Background(), c.q, c.lx, c.ly, Options{Method: c.method}); err == nil {
			t.Errorf("%v: no error", c)
		}
	}
	if _, err := Plan(2, 2, 2); err == nil || !strings.Contains(err.Error(), "exact: plan q=2 2x2") {
		t.Errorf("Plan: %v", err)
	}
}

func ExampleCompute() {
	counts, err := Compute(context.Background(), 3, 3, 3, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ground := len(counts.G) - 1
	fmt.Printf("g(%d) = %d of %d\n", counts.Energies[ground], counts.G[ground], counts.Total())
	// Output: g(-18) = 3 of 19683
}
