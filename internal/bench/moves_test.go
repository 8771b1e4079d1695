package bench

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
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
