package main

import (
	"encoding/json"
	"strings"
	"testing"

	"neuralwl/internal/bench"
)

// TestBenchNetworks measures every call of every architecture once, as a table and as JSON.
func TestBenchNetworks(t *testing.T) {
	args := []string{"bench", "networks", "--q", "2", "--size", "3", "--batch", "1,4", "--time", "1ms", "--set", "trainer.batch=8", "--set", "log.level=error"}
	stdout, stderr, code := nwl(t, append(args, "--json")...)
	if code != 0 {
		t.Fatal(stderr)
	}
	calls := map[string]int{}
	for line := range strings.Lines(stdout) {
		var r bench.NetworkResult
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Fault != "" || !(r.Samples > 0) || !(r.Fastest > 0 && r.Fastest <= r.Seconds*1.0001) || r.L != 3 || r.Calls < 1 {
			t.Errorf("%+v", r)
		}
		calls[r.Architecture+" "+r.Call]++
	}
	if len(calls) != 15 || calls["conv propose"] != 2 || calls["made train"] != 1 || calls["microcanonical log_prob"] != 2 || calls["rbm train"] != 1 {
		t.Errorf("measured %v", calls)
	}
	stdout, _, _ = nwl(t, append(args, "--architecture", "made")...)
	if lines := strings.Count(stdout, "\n"); lines != 6 || !strings.Contains(stdout, "samples/s") {
		t.Errorf("the table:\n%s", stdout)
	}
	for _, wrong := range [][]string{{"--batch", "0"}, {"--architecture", "brain"}} {
		if _, _, code := nwl(t, append(args, wrong...)...); code == 0 {
			t.Errorf("%v was accepted", wrong)
		}
	}
}
