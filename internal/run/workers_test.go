package run

import (
	"runtime"
	"testing"

	"neuralwl/internal/config"
)

// TestWorkers takes one thread per core unless the options or the configuration say otherwise.
func TestWorkers(t *testing.T) {
	for _, c := range []struct{ option, key, want int }{{0, 0, runtime.GOMAXPROCS(0)}, {3, 0, 3}, {3, 5, 5}, {0, 5, 5}} {
		conf, err := config.Compose(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		conf.Run.Workers = c.key
		j, err := newJob(Options{Config: conf, Workers: c.option})
		if err != nil {
			t.Fatal(err)
		}
		if got := j.workers(); got != c.want {
			t.Errorf("Options.Workers %d, run.workers %d: %d threads, want %d", c.option, c.key, got, c.want)
		}
	}
}
