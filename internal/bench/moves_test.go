package bench

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"neuralwl/internal/config"
)

// TestResultJSON writes a result without round trips, of which ratios are unknown, and reads it.
func TestResultJSON(t *testing.T) {
	text, err := json.Marshal([]Result{{Moves: "local", Seconds: 2, Ratio: math.NaN(), RatioError: math.Inf(1), RateError: 0.5}})
	if err != nil || !strings.Contains(string(text), `"ratio":null`) || !strings.Contains(string(text), `"rate_error":0.5`) || strings.Count(string(text), `"ratio"`) != 1 {
		t.Fatalf("%s, %v", text, err)
	}
	var r []Result
	if err := json.Unmarshal(text, &r); err != nil || r[0].Moves != "local" || r[0].Seconds != 2 || r[0].RateError != 0.5 || r[0].Ratio != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestParseMix reads mixes and names what is wrong with others.
func TestParseMix(t *testing.T) {
	for text, want := range map[string]Mix{
		"8:1":             {Mix: config.Mix{Sweeps: 8, Trials: 1}},
		"0:8:0.5":         {Mix: config.Mix{Trials: 8}, Across: 0.5},
		"20:2:1:4":        {Mix: config.Mix{Sweeps: 20, Trials: 2}, Across: 1, Shift: 4},
		"cluster:4:0":     {Mix: config.Mix{Sweeps: 4}, Cluster: true},
		"cluster:4:2:0.5": {Mix: config.Mix{Sweeps: 4, Trials: 2}, Across: 0.5, Cluster: true},
	} {
		if m, err := ParseMix(text); err != nil || m != want {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "8", "8:0", "-1:1", "8:1:x", "8:1:1:1:1", "cluster", "cluster:4", "cluster:0:1", "cluster:4:-1", "wolff:4:1"} {
		if m, err := ParseMix(text); err == nil || !strings.Contains(err.Error(), "write SWEEPS:TRIALS") {
			t.Errorf("%q: %+v, %v", text, m, err)
		}
	}
}
