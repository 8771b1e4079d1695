package sampler_test

import (
	"strings"
	"testing"

	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestHistogramOfOtherLength refuses a histogram that is not of the system at once, not in production.
func TestHistogramOfOtherLength(t *testing.T) {
	p, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	e, err := sampler.New(sampler.Options{System: p, Walkers: 4, Local: local.HeatBath})
	if err != nil {
		t.Fatal(err)
	}
	e.SetHistogram(nil)
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "3 levels, the system potts q=2 3x3 has 19") {
			t.Errorf("%q", text)
		}
	}()
	e.SetHistogram(make([]float64, 3))
	t.Error("it was taken")
}
