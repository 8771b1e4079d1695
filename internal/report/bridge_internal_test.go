package report

import (
	"math"
	"strings"
	"testing"
)

// TestJudgeBridge has one kind of difference at a time too large for chance, and others that are not: a few windows
// may differ by more, rms, than many.
func TestJudgeBridge(t *testing.T) {
	for name, c := range map[string]struct {
		b    BridgeSummary
		want string // in the detail of the check that fails
	}{
		"as usual":           {BridgeSummary{Used: 17, Discrepancy: 0.9, Forward: 1.3, Reverse: 1.2, ForwardWindows: 14, ReverseWindows: 15}, ""},
		"one window":         {BridgeSummary{Used: 1, Discrepancy: 3.2}, ""},
		"one, too far":       {BridgeSummary{Used: 1, Discrepancy: 3.4}, "transitions by more than 3.3"},
		"transitions":        {BridgeSummary{Used: 17, Discrepancy: 2.1}, "transitions by more than 2.0"},
		"draws":              {BridgeSummary{Used: 17, Forward: 2.8, ForwardWindows: 2}, "draws alone by more than 2.6"},
		"states":             {BridgeSummary{Used: 17, Reverse: 2.4, ReverseWindows: 3}, "states alone by more than 2.3"},
		"states, undefined":  {BridgeSummary{Used: 17, Reverse: math.NaN(), ReverseWindows: 3}, "states alone by more than 2.3"},
		"draws, no windows":  {BridgeSummary{Used: 17, Forward: 5}, ""},
		"nothing to compare": {BridgeSummary{Windows: 17}, ""},
	} {
		s := &Summary{Bridge: &c.b}
		(&Result{}).judgeBridge(s)
		if len(s.Verdict.Checks) == 0 {
			if c.b.Used > 0 {
				t.Errorf("%s: no check", name)
			}
			continue
		}
		check := s.Verdict.Checks[0]
		if check.Passed != (c.want == "") || !strings.Contains(check.Detail, c.want) {
			t.Errorf("%s: passed %v, %s", name, check.Passed, check.Detail)
		}
	}
}
