package run

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"neuralwl/internal/report"
)

// FuzzSwaps reads exchanges on record: they are refused, or are in order, within the run
// directory, and the same once written again.
func FuzzSwaps(f *testing.F) {
	f.Add([]byte(`{"pass":3,"stage":"adaptation","name":"a/1","digest":"00","folder":"swaps/1","restart":false}` + "\n"))
	f.Add([]byte(`{"pass":3,"stage":"burn-in","folder":"swaps/1"}` + "\n" + `{"pass":2,"stage":"start","folder":"../x"}` + "\n"))
	f.Add([]byte(`{"pass":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		swaps, err := parseSwaps(data)
		if err != nil {
			return
		}
		var lines bytes.Buffer
		for i, s := range swaps {
			if s.Pass < 0 || i > 0 && s.Pass < swaps[i-1].Pass || !filepath.IsLocal(s.Folder) {
				t.Fatalf("accepted %+v", s)
			}
			if err := json.NewEncoder(&lines).Encode(s); err != nil {
				t.Fatal(err)
			}
		}
		if again, err := parseSwaps(lines.Bytes()); err != nil || !slices.Equal(swaps, again) {
			t.Fatalf("%+v becomes %+v, %v", swaps, again, err)
		}
	})
}

// TestDue finds the moment of an exchange: after its pass, and where no passes count, in its
// stage.
func TestDue(t *testing.T) {
	for _, c := range []struct {
		at   place
		plan report.Swap
		want bool
	}{
		{place{Stage: adapting, Made: 4}, report.Swap{Pass: 5, Stage: "adaptation"}, false},
		{place{Stage: adapting, Made: 5}, report.Swap{Pass: 5, Stage: "adaptation"}, true},
		{place{Stage: burningIn, Made: 5}, report.Swap{Pass: 5, Stage: "adaptation"}, true},
		{place{Stage: adapting, Made: 5}, report.Swap{Pass: 5, Stage: "tuning"}, false},
		{place{Stage: tuning, Made: 5}, report.Swap{Pass: 5, Stage: "tuning"}, true},
		{place{Stage: adapting, Made: 6}, report.Swap{Pass: 5, Stage: "tuning"}, true}, // which did not come this time
		{place{Stage: starting}, report.Swap{Stage: "start"}, true},
		{place{Stage: starting}, report.Swap{Stage: "adaptation"}, false},
	} {
		s := swaps{j: &job{at: c.at}}
		if got := s.due(c.plan); got != c.want {
			t.Errorf("%+v for %+v: %v", c.at, c.plan, got)
		}
	}
}
