// Package metrics turns the events of runs into Prometheus metrics and serves them. It is
// the only importer of client_golang.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"neuralwl/inference"
)

// Registry holds the metrics of a process and of the runs in it.
type Registry struct{ registry *prometheus.Registry }

// NewRegistry returns a registry with the metrics of the process: Go's, the operating
// system's and what ONNX Runtime holds.
func NewRegistry() *Registry {
	live := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	r := prometheus.NewRegistry()
	r.MustRegister(
		live("onnxruntime_sessions", "Open sessions of ONNX Runtime.", func() int64 { n, _ := inference.Live(); return n }),
		live("onnxruntime_tensors", "Tensors held in ONNX Runtime.", func() int64 { _, n := inference.Live(); return n }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return &Registry{r}
}

// Handler serves the metrics in Prometheus' text format, not compressed, which would cost more time
// than all else.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{DisableCompression: true})
}
