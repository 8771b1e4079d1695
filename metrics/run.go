package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"neuralwl/internal/event"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// namespace begins the name of every metric of the program.
const namespace = "nwl"

// Run is the metrics of one run, which its Listener updates.
type Run struct {
	registerer prometheus.Registerer

	info       *prometheus.GaugeVec
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

	swaps       *prometheus.CounterVec
	swapLoading prometheus.Histogram
	swapPause   prometheus.Histogram

	checkpoints       *prometheus.CounterVec
	checkpointSeconds prometheus.Counter
	checkpointBytes   prometheus.Gauge
	checkpointTime    prometheus.Gauge

	last sampler.Progress // what the counters include of the present phase
}

// Run adds the metrics of a run to the registry, all at zero and labelled run=name, which
// no other run there may have. They stay until Close.
func (r *Registry) Run(name string) (*Run, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	}
	m := &Run{
		registerer: prometheus.WrapRegistererWith(prometheus.Labels{"run": name}, r.registry),
		info: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "run_info",
			Help: "Always 1; what runs is in the labels."}, []string{"version", "system", "method", "seed", "architecture", "provider"}),
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "phase",
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
		stepSeconds: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "training_seconds_total",
			Help: "Wall-clock time of gradient steps."}),
		exported: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "bundles_exported_total",
			Help: "Versions of the network written to disk."}),

		swaps: counters("network_swaps_total", "Exchanges of the network in mid-run, by whether they were applied or failed.", "result"),
		swapLoading: histogram("network_swap_loading_seconds", "Time from the request for another network until it was ready, beside sampling.",
			prometheus.ExponentialBuckets(0.05, 2, 10)),
		swapPause: histogram("network_swap_pause_seconds", "How long sampling stood still for an exchange of the network.",
			prometheus.ExponentialBuckets(1e-5, 4, 9)),

		checkpoints: counters("checkpoints_total", "Checkpoints, by whether they were written or failed.", "result"),
		checkpointSeconds: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "checkpoint_seconds_total",
			Help: "Wall-clock time of writing checkpoints."}),
		checkpointBytes: gauge("checkpoint_bytes", "Size of the latest checkpoint."),
		checkpointTime:  gauge("checkpoint_timestamp_seconds", "Time of the latest checkpoint, in seconds since 1970."),
	}
	for _, phase := range []sampler.Phase{sampler.Starting, sampler.WangLandau, sampler.Multicanonical, sampler.Canonical, sampler.Tuning, sampler.Production} {
		m.phase.WithLabelValues(string(phase)).Set(0)
	}
	for _, result := range []string{applied, dropped} {
		m.steps.WithLabelValues(result)
	}
	for _, result := range []string{written, failed} {
		m.checkpoints.WithLabelValues(result)
	}
	for _, result := range []string{applied, failed} {
		m.swaps.WithLabelValues(result)
	}
	for i, c := range m.collectors() {
		if err := m.registerer.Register(c); err != nil {
			for _, registered := range m.collectors()[:i] {
				m.registerer.Unregister(registered)
			}
			return nil, fmt.Errorf("metrics of run %q: %w", name, err)
		}
	}
	return m, nil
}

func (m *Run) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.info, m.phase, m.lnF, m.flatness, m.levels, m.passes, m.trials, m.accepted, m.roundTrips, m.seconds,
		m.loss, m.gradientNorm, m.steps, m.stepSeconds, m.exported,
		m.swaps, m.swapLoading, m.swapPause,
		m.checkpoints, m.checkpointSeconds, m.checkpointBytes, m.checkpointTime,
	}
}

// Close removes the metrics of the run from the registry.
func (m *Run) Close() {
	for _, c := range m.collectors() {
		m.registerer.Unregister(c)
	}
}

// Listener updates the metrics.
func (m *Run) Listener() event.Listener {
	return event.Listener{
		RunBegan: func(e event.RunBegan) {
			orNone := func(s string) string {
				if s == "" {
					return "none"
				}
				return s
			}
			m.info.WithLabelValues(e.Version, e.System, e.Method, fmt.Sprint(e.Seed), orNone(e.Architecture), orNone(e.Provider)).Set(1)
		},
		// A phase that begins anew in this process counts from zero.
		PhaseBegan:   func(event.PhaseBegan) { m.last = sampler.Progress{Phase: m.last.Phase} },
		Pass:         func(e event.Pass) { m.progress(e.Progress) },
		GradientStep: m.step,
		BundleExported: func(e event.BundleExported) {
			if e.Err == nil {
				m.exported.Inc()
			}
		},
		NetworkSwapped:    m.swap,
		CheckpointWritten: m.checkpoint,
	}
}

// Values of the label result.
const (
	applied = "applied"
	dropped = "dropped"
	written = "written"
	failed  = "failed"
)

// progress takes over the state after a pass.
func (m *Run) progress(p sampler.Progress) {
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

// step takes over a gradient step.
func (m *Run) step(s trainer.StepInfo) {
	m.stepSeconds.Add(s.Duration.Seconds())
	if s.Dropped {
		m.steps.WithLabelValues(dropped).Inc()
		return
	}
	m.steps.WithLabelValues(applied).Inc()
	m.loss.Set(s.Loss)
	m.gradientNorm.Set(s.Norm)
}

// swap counts an exchange of the network that was made, or was not.
func (m *Run) swap(e event.NetworkSwapped) {
	if e.Err != nil {
		m.swaps.WithLabelValues(failed).Inc()
		return
	}
	m.swaps.WithLabelValues(applied).Inc()
	m.swapLoading.Observe(e.Took.Seconds())
	m.swapPause.Observe(e.Pause.Seconds())
}

// checkpoint counts a checkpoint that was written, or was not.
func (m *Run) checkpoint(e event.CheckpointWritten) {
	m.checkpointSeconds.Add(e.Took.Seconds())
	if e.Err != nil {
		m.checkpoints.WithLabelValues(failed).Inc()
		return
	}
	m.checkpoints.WithLabelValues(written).Inc()
	m.checkpointBytes.Set(float64(e.Bytes))
	m.checkpointTime.SetToCurrentTime()
}
