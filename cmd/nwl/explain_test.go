package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestExplain explains keys, sections and checks, and says what cannot be explained.
func TestExplain(t *testing.T) {
	for name, want := range map[string]string{
		"wang_landau.final_ln_f": "modification factor at which production begins",
		"windows":                "windows.overlap (default 0.5)",
		"server.jobs":            "of nwl serve",
		"round trips":            "verdict: round trips",
		"round-trips":            "verdict: round trips",
	} {
		stdout, stderr, code := nwl(t, "explain", name)
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("explain %s: code %d, %s%s", name, code, stdout, stderr)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 101 {
				t.Errorf("explain %s: a line of %d characters", name, len(line))
			}
		}
	}
	for name, want := range map[string]string{
		"weather, the": "weather, the is no key, no section and no check of the verdict; nwl explain lists all of them", "autocorelation": "did you mean autocorrelation?", "window": "did you mean windows?",
		"run.metod": "did you mean run.method?", "round trip": "did you mean round-trips?",
	} {
		if _, stderr, code := nwl(t, "explain", name); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("explain %s: code %d, %s", name, code, stderr)
		}
	}
	stdout, _, _ := nwl(t, "explain", "--json")
	var all []map[string]any
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || len(all) < 100 {
		t.Errorf("%d explanations, %v", len(all), err)
	}
}

// TestCompletion completes keys, and the names of networks.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--set", ""}, "system.q="},
		{[]string{"submit", "train", "--set", ""}, "trainer.batch="},
		{[]string{"run", "--set", "model.bundle="}, "model.bundle=pretrained/potts-q2"},
		{[]string{"serve", "--set", ""}, "server.listen="},
		{[]string{"explain", ""}, "ground-state"},
	} {
		stdout, stderr, code := nwl(t, append([]string{"__complete"}, c.args...)...)
		if code != 0 || !strings.Contains(stdout, c.want) {
			t.Errorf("%v: code %d, %s%s", c.args, code, stdout, stderr)
		}
	}
}
