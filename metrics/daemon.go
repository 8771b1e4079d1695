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
	// Groups has the same of the members of each group that has not ended.
	Groups map[string]map[string]int
	// Slots is how many runs may go on side by side, over all workers.
	Slots   int
	Workers []Worker
	// Waiting is how many runs wait in the queue, the first since Since.
	Waiting int
	Since   time.Time
	// Restarts counts runs taken up after a process was lost, Lost leases that a silent worker
	// lost to another one, Faults those of the queue.
	Restarts, Lost, Faults int64
	Free                   int64 // bytes of the disk with the data folder, negative if nobody knows
}

// Worker is a process that performs runs, as it last said itself.
type Worker struct {
	Name, Instance, Version string
	Slots, Running          int
	Draining                bool
	CPUSeconds              float64 // of all of its processes
	Resident                int64   // bytes
	// Renewals counts leases renewed, Missed those that could not be.
	Renewals, Missed int64
	Heard            time.Time
}

// Daemon is the metrics of a daemon.
type Daemon struct {
	state func() State

	runs, groups, slots, waiting, since, restarts, lost, faults, free *prometheus.Desc

	worker, workerSlots, workerRunning, workerDraining, workerCPU, workerResident, workerRenewals, workerMissed, workerHeard *prometheus.Desc

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
		groups:   desc("group_runs", "Members of a group that has not ended, by their state.", "group", "state"),
		slots:    desc("job_slots", "Runs that may go on side by side."),
		waiting:  desc("queue_length", "Runs that wait to be taken."),
		since:    desc("queue_wait_seconds", "Time for which the first of them has waited, 0 without any."),
		restarts: desc("run_restarts_total", "Runs taken up again after their process was lost."),
		lost:     desc("leases_lost_total", "Runs that another worker took since the one that had it was silent."),
		faults:   desc("queue_faults_total", "Faults of the queue that the daemon met."),
		free:     desc("data_free_bytes", "Free on the disk with the data folder."),

		worker:         desc("worker_info", "Workers that were heard of lately; 1 for each.", "worker", "process", "version"),
		workerSlots:    desc("worker_job_slots", "Runs that a worker may perform side by side.", "worker", "process"),
		workerRunning:  desc("worker_runs", "Runs that a worker performs.", "worker", "process"),
		workerDraining: desc("worker_draining", "1 for a worker that takes no new runs.", "worker", "process"),
		workerCPU:      desc("worker_cpu_seconds_total", "Processor time of a worker and of the processes of its runs.", "worker", "process"),
		workerResident: desc("worker_resident_memory_bytes", "Resident memory of a worker and of the processes of its runs.", "worker", "process"),
		workerRenewals: desc("worker_lease_renewals_total", "Leases of runs that a worker renewed.", "worker", "process"),
		workerMissed:   desc("worker_lease_renewals_missed_total", "Leases that a worker could not renew at an attempt.", "worker", "process"),
		workerHeard:    desc("worker_last_heard_timestamp_seconds", "When a worker was last heard of.", "worker", "process"),

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
		m.runs, m.groups, m.slots, m.waiting, m.since, m.restarts, m.lost, m.faults, m.free,
		m.worker, m.workerSlots, m.workerRunning, m.workerDraining, m.workerCPU, m.workerResident, m.workerRenewals, m.workerMissed, m.workerHeard,
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
	counter := func(d *prometheus.Desc, value int64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	for state, n := range s.Runs {
		gauge(m.runs, float64(n), state)
	}
	for group, runs := range s.Groups {
		for state, n := range runs {
			gauge(m.groups, float64(n), group, state)
		}
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
	for _, w := range s.Workers {
		draining := 0.0
		if w.Draining {
			draining = 1
		}
		gauge(m.worker, 1, w.Name, w.Instance, w.Version)
		gauge(m.workerSlots, float64(w.Slots), w.Name, w.Instance)
		gauge(m.workerRunning, float64(w.Running), w.Name, w.Instance)
		gauge(m.workerDraining, draining, w.Name, w.Instance)
		c <- prometheus.MustNewConstMetric(m.workerCPU, prometheus.CounterValue, w.CPUSeconds, w.Name, w.Instance)
		gauge(m.workerResident, float64(w.Resident), w.Name, w.Instance)
		counter(m.workerRenewals, w.Renewals, w.Name, w.Instance)
		counter(m.workerMissed, w.Missed, w.Name, w.Instance)
		gauge(m.workerHeard, float64(w.Heard.UnixMilli())/1e3, w.Name, w.Instance)
	}
}
