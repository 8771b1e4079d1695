package metrics

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State is what a daemon knows at the moment of a scrape.
type State struct {
	Runs map[string]int // by state
	// Slots is how many runs may go on side by side.
	Slots int
	// Waiting is how many runs wait in the queue, the first since Since.
	Waiting int
	Since   time.Time
	// Restarts counts runs taken up after a process was lost, Lost leases that a silent worker
	// lost to another one, Faults those of the queue.
	Restarts, Lost, Faults int64
	Free                   int64 // bytes of the disk with the data folder, negative if nobody knows
}

// Daemon is the metrics of a daemon.
type Daemon struct {
	state func() State

	runs, slots, waiting, since, restarts, lost, faults, free *prometheus.Desc

	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	streams   prometheus.Gauge
	refused   prometheus.Counter
}

// Daemon adds the metrics of a daemon, which state tells at every scrape.
func (r *Registry) Daemon(state func() State) (*Daemon, error) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	m := &Daemon{
		state:    state,
		runs:     desc("runs", "Runs by their state.", "state"),
		slots:    desc("job_slots", "Runs that may go on side by side."),
		waiting:  desc("queue_length", "Runs that wait to be taken."),
		since:    desc("queue_wait_seconds", "Time for which the first of them has waited, 0 without any."),
		restarts: desc("run_restarts_total", "Runs taken up again after their process was lost."),
		lost:     desc("leases_lost_total", "Runs that another worker took since the one that had it was silent."),
		faults:   desc("queue_faults_total", "Faults of the queue that the daemon met."),
		free:     desc("data_free_bytes", "Free on the disk with the data folder."),

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
	for _, d := range []*prometheus.Desc{m.runs, m.slots, m.waiting, m.since, m.restarts, m.lost, m.faults, m.free} {
		c <- d
	}
}

// Collect is of prometheus.Collector.
func (m *Daemon) Collect(c chan<- prometheus.Metric) {
	s := m.state()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value int64) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value))
	}
	for state, n := range s.Runs {
		gauge(m.runs, float64(n), state)
	}
	gauge(m.slots, float64(s.Slots))
	gauge(m.waiting, float64(s.Waiting))
	wait := 0.0
	if s.Waiting > 0 && !s.Since.IsZero() {
		wait = time.Since(s.Since).Seconds()
	}
	gauge(m.since, wait)
	counter(m.restarts, s.Restarts)
	counter(m.lost, s.Lost)
	counter(m.faults, s.Faults)
	if s.Free >= 0 {
		gauge(m.free, float64(s.Free))
	}
}
