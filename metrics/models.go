package metrics

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"neuralwl/internal/oip"
)

// models collects the series of networks that are served to other programs.
type models struct {
	list func() []oip.ModelStatistics

	requests, rows, evaluations, seconds *prometheus.Desc
}

// Models adds the series of the models that list names at every scrape, which are called
// NETWORK.GRAPH. A version that is no longer among them has none.
func (r *Registry) Models(list func() []oip.ModelStatistics) error {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, append([]string{"network", "version", "graph"}, labels...), nil)
	}
	m := &models{
		list:        list,
		requests:    of("model_requests_total", "Requests of other programs to a network, by whether they succeeded or failed.", "result"),
		rows:        of("model_rows_total", "Configurations in the requests that succeeded."),
		evaluations: of("model_evaluations_total", "Evaluations, each of the rows of requests that came at the same time."),
		seconds:     of("model_seconds_total", "Time of the requests that succeeded: in the queue, for input, for inference and for output.", "activity"),
	}
	if err := r.registry.Register(m); err != nil {
		return fmt.Errorf("metrics of models: %w", err)
	}
	return nil
}

// Describe is of prometheus.Collector.
func (m *models) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.requests, m.rows, m.evaluations, m.seconds} {
		c <- d
	}
}

// Collect is of prometheus.Collector.
func (m *models) Collect(c chan<- prometheus.Metric) {
	for _, s := range m.list() {
		network, graph := s.Name, "none"
		if i := strings.LastIndexByte(s.Name, '.'); i > 0 {
			network, graph = s.Name[:i], s.Name[i+1:]
		}
		count := func(d *prometheus.Desc, value float64, labels ...string) {
			c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, append([]string{network, s.Version, graph}, labels...)...)
		}
		times := s.Inference
		count(m.requests, float64(times.Success.Count), "succeeded")
		count(m.requests, float64(times.Fail.Count), failed)
		count(m.rows, float64(s.InferenceCount))
		count(m.evaluations, float64(s.ExecutionCount))
		for _, t := range []struct {
			activity string
			oip.Duration
		}{{"queue", times.Queue}, {"input", times.ComputeInput}, {"inference", times.ComputeInfer}, {"output", times.ComputeOutput}} {
			count(m.seconds, float64(t.Nanoseconds)/1e9, t.activity)
		}
	}
}
