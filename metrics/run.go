package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"neuralwl/internal/telemetry"
	"neuralwl/sampler"
)

// namespace begins the name of every metric of the program.
const namespace = "nwl"

// Run is the state of a run and its name, the label run of its series.
type Run struct {
	Name string
	*telemetry.State
}

// runs collects the series of runs.
type runs struct {
	list func() []Run

	info, network, began, heard, end                                                                                    *prometheus.Desc
	phase, done, left, lnF, flatness, levels, known, lnGError, acceptance, regional, changed, windowLnF, windowFlatness *prometheus.Desc
	passes, trials, accepted, roundTrips, seconds                                                                       *prometheus.Desc
	loss, norm, steps, stepSeconds, replay, published, weights, exported                                                *prometheus.Desc
	swaps, loading, pause                                                                                               *prometheus.Desc
	evaluations                                                                                                         *prometheus.Desc
	checkpoints, checkpointSeconds, checkpointBytes, checkpointTime                                                     *prometheus.Desc
	resident, cpu, sessions, tensors, goroutines                                                                        *prometheus.Desc
}

// Runs adds the series of the runs that list names at every scrape. No two may have one name.
func (r *Registry) Runs(list func() []Run) error {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, append([]string{"run"}, labels...), nil)
	}
	c := &runs{
		list: list,

		info:    of("run_info", "Always 1; what runs is in the labels, version being the program's.", "version", "system", "method", "seed", "architecture", "provider"),
		network: of("run_network_info", "Always 1; the network in use is in the labels.", "network", "version"),
		began:   of("run_began_timestamp_seconds", "Time at which the run's process began, in seconds since 1970. Its counters began at zero then."),
		heard:   of("run_heard_timestamp_seconds", "Time at which the run was last heard of, in seconds since 1970."),
		end:     of("run_end_info", "1 once the run has ended, by its result: converged, unconverged, interrupted (it can go on) or failed.", "result"),

		phase:      of("phase", "1 for the phase that the run is in, 0 for the others.", "phase"),
		done:       of("phase_done_ratio", "Share of its phase that the run has made, a guess."),
		left:       of("phase_left_seconds", "Time to the end of the phase, a guess; absent if nothing can be said."),
		lnF:        of("ln_f", "Modification factor ln f of Wang-Landau sampling, height of the highest hill in metadynamics, else 0."),
		flatness:   of("flatness_ratio", "Visits to the least visited level over the mean of all, since ln f was last halved."),
		levels:     of("levels_seen", "Energy levels visited since the start of the run."),
		known:      of("levels_known", "Energy levels that there are; absent where nobody knows."),
		lnGError:   of("ln_g_error_nats", "Root mean square error of ln g where the exact one is known, else absent."),
		acceptance: of("network_acceptance_ratio", "Share of the present network's proposals that were accepted, since it came in or its phase began."),

		regional: of("region_acceptance_ratio", "Share of the network's proposals for states of a region of the energy that were accepted, in the present phase.", "region"),
		changed:  of("region_changed_ratio", "Share of the sites that an accepted proposal for states of a region of the energy changes, the mean in the present phase.", "region"),

		windowLnF:      of("window_ln_f", "ln f of an energy window, by number from 0; absent with one window.", "window"),
		windowFlatness: of("window_flatness_ratio", "Flatness of an energy window, by number from 0; absent with one window.", "window"),

		passes:     of("passes_total", "Passes, each of local sweeps and a neural trial of every walker.", "phase"),
		trials:     of("trials_total", "Trials, rejected ones too.", "phase", "move"),
		accepted:   of("trials_accepted_total", "Accepted trials.", "phase", "move"),
		roundTrips: of("round_trips_total", "Round trips of all walkers between the ground state and the infinite-temperature peak.", "phase"),
		seconds:    of("activity_seconds_total", "Wall-clock time by activity.", "phase", "activity"),

		loss:        of("training_loss_nats", "Mean over the latest batch of the trainer of -ln q, or of ln q + ln g on the network's own draws."),
		norm:        of("training_gradient_norm", "Norm of the latest gradient before clipping."),
		steps:       of("training_steps_total", "Gradient steps, by whether they were applied or dropped because of a NaN or an infinity.", "result"),
		stepSeconds: of("training_seconds_total", "Wall-clock time of gradient steps."),
		replay:      of("training_replay_fill_ratio", "How full the replay buffer is."),
		published:   of("weight_publications_total", "How often proposals began to use other weights."),
		weights:     of("weights_timestamp_seconds", "Time since which proposals use the present weights, in seconds since 1970."),
		exported:    of("bundles_exported_total", "Versions of the network written to disk."),

		swaps:   of("network_swaps_total", "Exchanges of the network in mid-run, by whether they were applied or failed.", "result"),
		loading: of("network_swap_loading_seconds", "Time from the request for another network until it was ready, beside sampling."),
		pause:   of("network_swap_pause_seconds", "How long sampling stood still for an exchange of the network."),

		evaluations: of("inference_duration_seconds", "Time of evaluations of the network's graphs.", "graph", "provider"),

		checkpoints:       of("checkpoints_total", "Checkpoints, by whether they were written or failed.", "result"),
		checkpointSeconds: of("checkpoint_seconds_total", "Wall-clock time of writing checkpoints."),
		checkpointBytes:   of("checkpoint_bytes", "Size of the latest checkpoint."),
		checkpointTime:    of("checkpoint_timestamp_seconds", "Time of the latest checkpoint, in seconds since 1970; absent before the first."),

		resident:   of("run_resident_memory_bytes", "Resident size of the run's process."),
		cpu:        of("run_cpu_seconds_total", "Processor time of the run's process."),
		sessions:   of("run_onnxruntime_sessions", "Open sessions of ONNX Runtime in the run's process."),
		tensors:    of("run_onnxruntime_tensors", "Tensors that the run's process holds in ONNX Runtime."),
		goroutines: of("run_goroutines", "Goroutines of the run's process."),
	}
	if err := r.registry.Register(c); err != nil {
		return fmt.Errorf("metrics of runs: %w", err)
	}
	return nil
}

// Describe is of prometheus.Collector.
func (m *runs) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.info, m.network, m.began, m.heard, m.end,
		m.phase, m.done, m.left, m.lnF, m.flatness, m.levels, m.known, m.lnGError, m.acceptance, m.regional, m.changed, m.windowLnF, m.windowFlatness,
		m.passes, m.trials, m.accepted, m.roundTrips, m.seconds,
		m.loss, m.norm, m.steps, m.stepSeconds, m.replay, m.published, m.weights, m.exported,
		m.swaps, m.loading, m.pause, m.evaluations,
		m.checkpoints, m.checkpointSeconds, m.checkpointBytes, m.checkpointTime,
		m.resident, m.cpu, m.sessions, m.tensors, m.goroutines,
	} {
		c <- d
	}
}

// Collect is of prometheus.Collector.
func (m *runs) Collect(c chan<- prometheus.Metric) {
	for _, r := range m.list() {
		m.collect(scrape{c, r.Name}, r.State)
	}
}

// scrape takes the series of a run.
type scrape struct {
	c   chan<- prometheus.Metric
	run string
}

func (s scrape) labels(labels []string) []string { return append([]string{s.run}, labels...) }

func (s scrape) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s.c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, s.labels(labels)...)
}

func (s scrape) counter(d *prometheus.Desc, value float64, labels ...string) {
	s.c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, s.labels(labels)...)
}

// time is a gauge that is absent for no time.
func (s scrape) time(d *prometheus.Desc, t time.Time) {
	if !t.IsZero() {
		s.gauge(d, float64(t.UnixMilli())/1000)
	}
}

// histogram is empty if it has other bounds than it should, as from a worker of another version.
func (s scrape) histogram(d *prometheus.Desc, bounds []float64, h telemetry.Histogram, labels ...string) {
	if len(h.Counts) != len(bounds)+1 {
		h = telemetry.Histogram{Counts: make([]uint64, len(bounds)+1)}
	}
	buckets, n := map[float64]uint64{}, uint64(0)
	for i, bound := range bounds {
		n += h.Counts[i]
		buckets[bound] = n
	}
	s.c <- prometheus.MustNewConstHistogram(d, n+h.Counts[len(bounds)], h.Sum, buckets, s.labels(labels)...)
}

// phases are those of runs.
var phases = []string{
	string(sampler.Starting), string(sampler.WangLandau), string(sampler.Multicanonical), string(sampler.Metadynamics),
	string(sampler.MultipleGaussian), string(sampler.Canonical), string(sampler.Annealing),
	string(sampler.Tuning), string(sampler.BurnIn), string(sampler.Production), telemetry.Evaluating,
}

// graphs are those of networks.
var graphs = []string{"gradient", "log_prob", "propose"}

// Values of the label result.
const (
	applied = "applied"
	dropped = "dropped"
	written = "written"
	failed  = "failed"
)

func (m *runs) collect(s scrape, r *telemetry.State) {
	s.gauge(m.info, 1, orNone(r.Version), r.System, r.Method, strconv.FormatUint(r.Seed, 10), orNone(r.Architecture), orNone(r.Provider))
	s.time(m.began, r.Began)
	s.time(m.heard, r.Heard)
	if r.End != nil {
		s.gauge(m.end, 1, result(r.End))
	}

	for _, phase := range phases {
		is := 0.0
		if phase == r.Phase {
			is = 1
		}
		s.gauge(m.phase, is, phase)
	}
	if r.Phase != "" && !slices.Contains(phases, r.Phase) {
		s.gauge(m.phase, 1, r.Phase)
	}
	s.gauge(m.done, r.Done)
	if r.Left > 0 {
		s.gauge(m.left, r.Left)
	}
	s.gauge(m.lnF, r.LnF)
	s.gauge(m.flatness, r.Flatness)
	s.gauge(m.levels, float64(r.Levels))
	if r.Known > 0 {
		s.gauge(m.known, float64(r.Known))
	}
	for k, w := range r.Windows {
		s.gauge(m.windowLnF, w.LnF, k)
		s.gauge(m.windowFlatness, w.Flatness, k)
	}
	if r.LnGError != nil {
		s.gauge(m.lnGError, *r.LnGError)
	}
	for name, p := range r.Phases {
		s.counter(m.passes, float64(p.Passes), name)
		s.counter(m.roundTrips, p.RoundTrips, name)
		for kind, count := range p.Moves {
			s.counter(m.trials, float64(count.Trials), name, kind)
			s.counter(m.accepted, float64(count.Accepted), name, kind)
		}
		for activity, seconds := range p.Seconds {
			s.counter(m.seconds, seconds, name, activity)
		}
	}

	k := r.Checkpoints
	s.counter(m.checkpoints, float64(k.Written), written)
	s.counter(m.checkpoints, float64(k.Failed), failed)
	s.counter(m.checkpointSeconds, k.Seconds)
	s.gauge(m.checkpointBytes, float64(k.Bytes))
	s.time(m.checkpointTime, k.At)

	p := r.Process
	s.gauge(m.resident, float64(p.Resident))
	s.counter(m.cpu, p.CPU)
	s.gauge(m.sessions, float64(p.Sessions))
	s.gauge(m.tensors, float64(p.Tensors))
	s.gauge(m.goroutines, float64(p.Goroutines))
	if r.Architecture != "" || r.Training.Steps+r.Training.Dropped > 0 {
		m.collectNetwork(s, r)
	}
}

// collectNetwork is what only a run with a network has.
func (m *runs) collectNetwork(s scrape, r *telemetry.State) {
	if r.Network != "" {
		s.gauge(m.network, 1, network(r.Network)...)
	}
	s.gauge(m.acceptance, r.Acceptance)
	for name, region := range r.Regions {
		s.gauge(m.regional, float64(region.Accepted)/float64(max(1, region.Trials)), name)
		s.gauge(m.changed, region.Changed, name)
	}

	t := r.Training
	s.gauge(m.loss, t.Loss)
	s.gauge(m.norm, t.Norm)
	s.counter(m.steps, float64(t.Steps), applied)
	s.counter(m.steps, float64(t.Dropped), dropped)
	s.counter(m.stepSeconds, t.Seconds)
	s.gauge(m.replay, t.Replay)
	s.counter(m.published, float64(t.Published))
	s.time(m.weights, t.PublishedAt)
	s.counter(m.exported, float64(t.Exported))

	s.counter(m.swaps, float64(r.Swaps.Applied), applied)
	s.counter(m.swaps, float64(r.Swaps.Failed), failed)
	s.histogram(m.loading, telemetry.LoadingBounds, r.Swaps.Loading)
	s.histogram(m.pause, telemetry.PauseBounds, r.Swaps.Pause)
	names := slices.AppendSeq(slices.Clone(graphs), maps.Keys(r.Evaluations))
	slices.Sort(names)
	for _, graph := range slices.Compact(names) {
		s.histogram(m.evaluations, telemetry.EvaluationBounds, r.Evaluations[graph], graph, orNone(r.Provider))
	}
}

// result is the label of an end.
func result(e *telemetry.End) string {
	switch {
	case e.Failed:
		return failed
	case e.Interrupted:
		return "interrupted"
	case e.Converged:
		return "converged"
	}
	return "unconverged"
}

// network takes name/version apart; a network that comes with the program has no version.
func network(name string) []string {
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return []string{name[:i], name[i+1:]}
		}
	}
	return []string{name, "none"}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
