// Package metrics turns the events of a run into Prometheus metrics and serves
// them. It is the only importer of client_golang.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"neuralwl/inference"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// Metrics are the collectors of one run, in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry

	phase      *prometheus.GaugeVec
	lnF        prometheus.Gauge
	flatness   prometheus.Gauge
	levels     prometheus.Gauge
	passes     *prometheus.CounterVec
	trials     *prometheus.CounterVec
	accepted   *prometheus.CounterVec
	roundTrips *prometheus.CounterVec
	seconds    *prometheus.CounterVec

	loss         prometheus.Gauge
	gradientNorm prometheus.Gauge
	steps        *prometheus.CounterVec
	stepSeconds  prometheus.Counter
	exported     prometheus.Counter

	checkpoints       *prometheus.CounterVec
	checkpointSeconds prometheus.Counter
	checkpointBytes   prometheus.Gauge
	checkpointTime    prometheus.Gauge

	last sampler.Progress // what the counters include of the present phase
}

// Info labels a run.
type Info struct {
	Version, System, Architecture, Provider string
}

// New returns the metrics of a run, all at zero.
func New(info Info) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "nwl", Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "nwl", Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "nwl", Name: "phase",
			Help: "1 for the phase that the run is in, 0 for the others."}, []string{"phase"}),
		lnF:        gauge("ln_f", "Modification factor ln f, 0 but in Wang-Landau sampling."),
		flatness:   gauge("flatness_ratio", "Visits to the least visited level over the mean of all, since ln f was last halved."),
		levels:     gauge("levels_seen", "Energy levels visited since the start of the run."),
		passes:     counters("passes_total", "Passes, each of local sweeps and a neural trial of every walker.", "phase"),
		trials:     counters("trials_total", "Trials, rejected ones too.", "phase", "move"),
		accepted:   counters("trials_accepted_total", "Accepted trials.", "phase", "move"),
		roundTrips: counters("round_trips_total", "Round trips of all walkers between the ground state and the infinite-temperature peak.", "phase"),
		seconds:    counters("activity_seconds_total", "Wall-clock time by activity.", "phase", "activity"),

		loss:         gauge("training_loss_nats", "Mean over the latest batch of the trainer of -ln q, or of ln q + ln g on the network's own draws."),
		gradientNorm: gauge("training_gradient_norm", "Norm of the latest gradient before clipping."),
		steps:        counters("training_steps_total", "Gradient steps, by whether they were applied or dropped because of a NaN or an infinity.", "result"),
		stepSeconds: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "nwl", Name: "training_seconds_total",
			Help: "Wall-clock time of gradient steps."}),
		exported: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "nwl", Name: "bundles_exported_total",
			Help: "Versions of the network written to disk."}),

		checkpoints: counters("checkpoints_total", "Checkpoints, by whether they were written or failed.", "result"),
		checkpointSeconds: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "nwl", Name: "checkpoint_seconds_total",
			Help: "Wall-clock time of writing checkpoints."}),
		checkpointBytes: gauge("checkpoint_bytes", "Size of the latest checkpoint."),
		checkpointTime:  gauge("checkpoint_timestamp_seconds", "Time of the latest checkpoint, in seconds since 1970."),
	}
	about := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "nwl", Name: "run_info",
		Help: "Always 1; what runs is in the labels."}, []string{"version", "system", "architecture", "provider"})
	about.WithLabelValues(info.Version, info.System, info.Architecture, info.Provider).Set(1)
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "nwl", Name: "onnxruntime_sessions", Help: "Open sessions of ONNX Runtime."},
		func() float64 { n, _ := inference.Live(); return float64(n) })
	tensors := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "nwl", Name: "onnxruntime_tensors", Help: "Tensors held in ONNX Runtime."},
		func() float64 { _, n := inference.Live(); return float64(n) })
	for _, phase := range []sampler.Phase{sampler.Starting, sampler.WangLandau, sampler.Multicanonical, sampler.Canonical, sampler.Tuning, sampler.Production} {
		m.phase.WithLabelValues(string(phase)).Set(0)
	}
	for _, result := range []string{applied, dropped} {
		m.steps.WithLabelValues(result)
	}
	for _, result := range []string{written, failed} {
		m.checkpoints.WithLabelValues(result)
	}
	m.registry.MustRegister(
		about, m.phase, m.lnF, m.flatness, m.levels, m.passes, m.trials, m.accepted, m.roundTrips, m.seconds,
		m.loss, m.gradientNorm, m.steps, m.stepSeconds, m.exported,
		sessions, tensors, m.checkpoints, m.checkpointSeconds, m.checkpointBytes, m.checkpointTime,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Values of the label result.
const (
	applied = "applied"
	dropped = "dropped"
	written = "written"
	failed  = "failed"
)

// Progress takes over the state of the engine.
func (m *Metrics) Progress(p sampler.Progress) {
	phase := string(p.Phase)
	if p.Phase != m.last.Phase {
		if m.last.Phase != "" {
			m.phase.WithLabelValues(string(m.last.Phase)).Set(0)
		}
		m.phase.WithLabelValues(phase).Set(1)
		m.last = sampler.Progress{Phase: p.Phase}
	}
	m.lnF.Set(p.LnF)
	m.flatness.Set(p.Flatness)
	m.levels.Set(float64(p.Levels))
	m.passes.WithLabelValues(phase).Add(float64(p.Passes - m.last.Passes))
	m.roundTrips.WithLabelValues(phase).Add(p.RoundTrips - m.last.RoundTrips)
	for kind, count := range p.Moves {
		before, name := m.last.Moves[kind], sampler.MoveKind(kind).String()
		m.trials.WithLabelValues(phase, name).Add(float64(count.Trials - before.Trials))
		m.accepted.WithLabelValues(phase, name).Add(float64(count.Accepted - before.Accepted))
	}
	for _, t := range []struct {
		activity    string
		now, before float64
	}{
		{"local", p.Times.Local.Seconds(), m.last.Times.Local.Seconds()},
		{"propose", p.Times.Propose.Seconds(), m.last.Times.Propose.Seconds()},
		{"log_prob", p.Times.LogProb.Seconds(), m.last.Times.LogProb.Seconds()},
	} {
		m.seconds.WithLabelValues(phase, t.activity).Add(t.now - t.before)
	}
	m.last = p
}

// Step takes over a gradient step.
func (m *Metrics) Step(s trainer.StepInfo) {
	m.stepSeconds.Add(s.Duration.Seconds())
	if s.Dropped {
		m.steps.WithLabelValues(dropped).Inc()
		return
	}
	m.steps.WithLabelValues(applied).Inc()
	m.loss.Set(s.Loss)
	m.gradientNorm.Set(s.Norm)
}

// Exported counts a bundle written.
func (m *Metrics) Exported() { m.exported.Inc() }

// Checkpoint takes over that a checkpoint of the given size was written, or not.
func (m *Metrics) Checkpoint(took time.Duration, bytes int, err error) {
	m.checkpointSeconds.Add(took.Seconds())
	if err != nil {
		m.checkpoints.WithLabelValues(failed).Inc()
		return
	}
	m.checkpoints.WithLabelValues(written).Inc()
	m.checkpointBytes.Set(float64(bytes))
	m.checkpointTime.SetToCurrentTime()
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
