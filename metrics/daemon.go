package metrics

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"neuralwl/sampler"
)

// State is what a daemon knows at the moment of a scrape.
type State struct {
	Runs map[string]int // by state
	// Waiting is how many runs wait in the queue, the first since Since.
	Waiting int
	Since   time.Time
	// Restarts counts runs taken up after a process was lost, Faults those of the queue.
	Restarts, Faults int64
	Running          []Running
}

// Running is how far a running run is, by what it reports a few times a second. Names and
// meanings are those of Run.
type Running struct {
	Run                                    string
	System, Method, Architecture, Provider string
	Seed                                   uint64
	Phase                                  string
	Passes                                 int64 // of the phase
	RoundTrips                             float64
	Done                                   float64 // share of the phase, a guess
	LnF, Flatness                          float64
	Levels                                 int
	Steps                                  int64 // gradient steps since its process began
	Loss                                   float64
	Heard                                  time.Time
}

// mostRunning bounds the series of running runs.
const mostRunning = 1000

// Daemon is the metrics of a daemon.
type Daemon struct {
	version string
	state   func() State

	runs, waiting, since, restarts, faults                       *prometheus.Desc
	info, phase, lnF, flatness, levels, passes, roundTrips, done *prometheus.Desc
	loss, steps, heard                                           *prometheus.Desc
	requests                                                     *prometheus.CounterVec
	durations                                                    *prometheus.HistogramVec
	streams                                                      prometheus.Gauge
	refused                                                      prometheus.Counter
}

// Daemon adds the metrics of a daemon of some version, which state tells about itself at every
// scrape.
func (r *Registry) Daemon(version string, state func() State) (*Daemon, error) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	m := &Daemon{
		version: version, state: state,
		runs:     desc("runs", "Runs by their state.", "state"),
		waiting:  desc("queue_length", "Runs that wait to be taken."),
		since:    desc("queue_wait_seconds", "Time for which the first of them has waited, 0 without any."),
		restarts: desc("run_restarts_total", "Runs taken up again after their process was lost."),
		faults:   desc("queue_faults_total", "Faults of the queue that the daemon met."),

		info:       desc("run_info", infoHelp, "run", "version", "system", "method", "seed", "architecture", "provider"),
		phase:      desc("phase", phaseHelp, "run", "phase"),
		lnF:        desc("ln_f", lnFHelp, "run"),
		flatness:   desc("flatness_ratio", flatnessHelp, "run"),
		levels:     desc("levels_seen", levelsHelp, "run"),
		passes:     desc("passes_total", passesHelp, "run", "phase"),
		roundTrips: desc("round_trips_total", roundTripsHelp, "run", "phase"),
		loss:       desc("training_loss_nats", lossHelp, "run"),
		steps:      desc("training_steps_total", stepsHelp, "run", "result"),
		done:       desc("phase_done_ratio", "Share of its phase that a run has made, a guess.", "run"),
		heard:      desc("run_heard_timestamp_seconds", "Time at which a run was last heard of, in seconds since 1970.", "run"),

		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "http_requests_total",
			Help: "Requests answered, by what they asked for and the status."}, []string{"route", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "http_request_duration_seconds",
			Help: "Time of requests, without streams.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .1, .5, 2.5, 10}}, []string{"route"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "http_streams",
			Help: "Open streams of events and logs."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "http_streams_refused_total",
			Help: "Streams refused because there were too many."}),
	}
	for _, c := range []prometheus.Collector{m, m.requests, m.durations, m.streams, m.refused} {
		if err := r.registry.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of the daemon: %w", err)
		}
	}
	return m, nil
}

// Request counts a request to a route, which must be one of a bounded number.
func (m *Daemon) Request(route, method string, code int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(code)).Inc()
	m.durations.WithLabelValues(route).Observe(took.Seconds())
}

// Stream counts a stream that was a request to a route; it takes the place of Request.
func (m *Daemon) Stream(route, method string, code int) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(code)).Inc()
}

// Streams tells how many streams more are open.
func (m *Daemon) Streams(more int) { m.streams.Add(float64(more)) }

// Refused counts a stream that was refused.
func (m *Daemon) Refused() { m.refused.Inc() }

// Describe is of prometheus.Collector.
func (m *Daemon) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.runs, m.waiting, m.since, m.restarts, m.faults,
		m.info, m.phase, m.lnF, m.flatness, m.levels, m.passes, m.roundTrips, m.done, m.loss, m.steps, m.heard,
	} {
		c <- d
	}
}

// Collect is of prometheus.Collector.
func (m *Daemon) Collect(c chan<- prometheus.Metric) {
	s := m.state()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	for state, n := range s.Runs {
		gauge(m.runs, float64(n), state)
	}
	gauge(m.waiting, float64(s.Waiting))
	wait := 0.0
	if s.Waiting > 0 && !s.Since.IsZero() {
		wait = time.Since(s.Since).Seconds()
	}
	gauge(m.since, wait)
	counter(m.restarts, float64(s.Restarts))
	counter(m.faults, float64(s.Faults))
	for _, r := range s.Running[:min(len(s.Running), mostRunning)] {
		gauge(m.info, 1, r.Run, m.version, r.System, r.Method, strconv.FormatUint(r.Seed, 10), orNone(r.Architecture), orNone(r.Provider))
		for _, phase := range phases {
			is := 0.0
			if string(phase) == r.Phase {
				is = 1
			}
			gauge(m.phase, is, r.Run, string(phase))
		}
		gauge(m.lnF, r.LnF, r.Run)
		gauge(m.flatness, r.Flatness, r.Run)
		gauge(m.levels, float64(r.Levels), r.Run)
		gauge(m.done, r.Done, r.Run)
		gauge(m.loss, r.Loss, r.Run)
		counter(m.steps, float64(r.Steps), r.Run, applied)
		gauge(m.heard, float64(r.Heard.UnixMilli())/1000, r.Run)
		if isPhase(r.Phase) {
			counter(m.passes, float64(r.Passes), r.Run, r.Phase)
			counter(m.roundTrips, r.RoundTrips, r.Run, r.Phase)
		}
	}
}

// phases are the values of the label phase.
var phases = []sampler.Phase{sampler.Starting, sampler.WangLandau, sampler.Multicanonical, sampler.Canonical, sampler.Tuning, sampler.Production}

func isPhase(name string) bool {
	for _, phase := range phases {
		if string(phase) == name {
			return true
		}
	}
	return false
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
