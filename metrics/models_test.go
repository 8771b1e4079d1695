package metrics

import (
	"strings"
	"testing"

	"neuralwl/internal/oip"
)

// TestModels shows the statistics of a model by its network and graph.
func TestModels(t *testing.T) {
	s := oip.ModelStatistics{Name: "potts-q10.log_prob", Version: "3", InferenceCount: 40, ExecutionCount: 5}
	s.Inference.Success, s.Inference.Fail = oip.Duration{Count: 8, Nanoseconds: 9e9}, oip.Duration{Count: 2}
	s.Inference.Queue, s.Inference.ComputeInfer = oip.Duration{Count: 8, Nanoseconds: 1e9}, oip.Duration{Count: 8, Nanoseconds: 25e8}
	list := []oip.ModelStatistics{s, {Name: "strange", Version: "1"}}
	r := NewRegistry()
	if err := r.Models(func() []oip.ModelStatistics { return list }); err != nil {
		t.Fatal(err)
	}
	got := text(t, r)
	for _, line := range []string{
		`nwl_model_requests_total{graph="log_prob",network="potts-q10",result="succeeded",version="3"} 8`,
		`nwl_model_requests_total{graph="log_prob",network="potts-q10",result="failed",version="3"} 2`,
		`nwl_model_rows_total{graph="log_prob",network="potts-q10",version="3"} 40`,
		`nwl_model_evaluations_total{graph="log_prob",network="potts-q10",version="3"} 5`,
		`nwl_model_seconds_total{activity="queue",graph="log_prob",network="potts-q10",version="3"} 1`,
		`nwl_model_seconds_total{activity="inference",graph="log_prob",network="potts-q10",version="3"} 2.5`,
		`nwl_model_rows_total{graph="none",network="strange",version="1"} 0`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%s is missing in\n%s", line, got)
		}
	}
	list = nil
	if got := text(t, r); strings.Contains(got, "nwl_model") {
		t.Errorf("a model that is gone is left in\n%s", got)
	}
	if r.Models(nil) == nil {
		t.Error("two lists of models in one registry")
	}
}
