package config

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"regexp"
	"slices"
	"time"
)

// DefaultServer is the commented file of all keys of nwl serve with their defaults.
//
//go:embed server.yaml
var DefaultServer string

// Server is the configuration of nwl serve. server.yaml describes every key.
type Server struct {
	Server Service `mapstructure:"server" yaml:"server"`
	Queue  Queue   `mapstructure:"queue" yaml:"queue"`

	Storage Storage   `mapstructure:"storage" yaml:"storage"`
	Serving Serving   `mapstructure:"serving" yaml:"serving"`
	Webhook Webhook   `mapstructure:"webhook" yaml:"webhook"`
	Log     ServerLog `mapstructure:"log" yaml:"log"`
}

// Service is the daemon as a whole.
type Service struct {
	Listen      string        `mapstructure:"listen" yaml:"listen"`
	Hosts       []string      `mapstructure:"hosts" yaml:"hosts,flow"`
	BasePath    string        `mapstructure:"base_path" yaml:"base_path"`
	Tokens      string        `mapstructure:"tokens" yaml:"tokens"`
	Certificate string        `mapstructure:"certificate" yaml:"certificate"`
	Key         string        `mapstructure:"key" yaml:"key"`
	Streams     int           `mapstructure:"streams" yaml:"streams"`
	Data        string        `mapstructure:"data" yaml:"data"`
	Jobs        int           `mapstructure:"jobs" yaml:"jobs"`
	Cores       int           `mapstructure:"cores" yaml:"cores"`
	Grace       time.Duration `mapstructure:"grace" yaml:"grace"`
	Memory      int           `mapstructure:"memory" yaml:"memory"`
	Work        bool          `mapstructure:"work" yaml:"work"`
}

// Queue is where jobs wait.
type Queue struct {
	Listen         string        `mapstructure:"listen" yaml:"listen"`
	Certificate    string        `mapstructure:"certificate" yaml:"certificate"`
	CertificateKey string        `mapstructure:"certificate_key" yaml:"certificate_key"`
	CA             string        `mapstructure:"ca" yaml:"ca"`
	URL            string        `mapstructure:"url" yaml:"url"`
	Key            string        `mapstructure:"key" yaml:"key"`
	Silence        time.Duration `mapstructure:"silence" yaml:"silence"`
	EventAge       time.Duration `mapstructure:"event_age" yaml:"event_age"`
	EventMegabytes int           `mapstructure:"event_megabytes" yaml:"event_megabytes"`
}

// LoadServer returns the configuration of nwl serve from the same sources as Load.
func LoadServer(path string, assignments []string) (*Server, error) {
	text, err := readIfNamed(path)
	if err != nil {
		return nil, err
	}
	s, err := gather(DefaultServer, text, path, os.Environ(), assignments)
	if err != nil {
		return nil, err
	}
	c := &Server{}
	undecoded := decodeFaults(decode(s.values, c), s.values)
	faults := append(s.faults, undecoded...)
	found := c.Validate()
	if !c.Server.Loopback() && c.Server.Tokens == "" && os.Getenv(TokensVariable) == "" {
		found = append(found, fmt.Errorf("server.listen: %s can be reached from other machines, and whoever reaches it runs programs here; "+
			"make a token by nwl token NAME --role operate --file FILE and set server.tokens=FILE, or listen at 127.0.0.1", c.Server.Listen))
	}
	faults = append(faults, unlessUndecoded(found, undecoded)...)
	if len(faults) > 0 {
		return nil, fmt.Errorf("configuration:\n%w", errors.Join(faults...))
	}
	return c, nil
}

// Loopback reports whether the daemon can be reached from its own machine alone.
func (s Service) Loopback() bool {
	host, _, err := net.SplitHostPort(s.Listen)
	if err != nil || host == "localhost" {
		return true // a fault of its own
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// OwnHosts are the names by which the daemon may be called, beside localhost.
func (s Service) OwnHosts() []string {
	hosts := s.Hosts
	if host, _, err := net.SplitHostPort(s.Listen); err == nil && host != "" {
		hosts = append(slices.Clone(hosts), host)
	}
	return hosts
}

// URL is where clients find a daemon that listens at an address.
func (s Service) URL(at net.Addr) string {
	scheme := "http"
	if s.Certificate != "" {
		scheme = "https"
	}
	return scheme + "://" + at.String() + s.BasePath
}

var (
	basePath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
)

// Validate returns all faults, each with its key and the allowed values.
func (c *Server) Validate() []error {
	var faults []error
	check := func(ok bool, format string, a ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, a...))
		}
	}
	_, _, err := net.SplitHostPort(c.Server.Listen)
	check(err == nil, "server.listen: %q is not an address host:port, such as 127.0.0.1:9465", c.Server.Listen)
	check(c.Server.BasePath == "" || basePath.MatchString(c.Server.BasePath) && path.Clean(c.Server.BasePath) == c.Server.BasePath, "server.base_path: %q is not a path such as /nwl, without a slash at the end", c.Server.BasePath)
	for _, host := range c.Server.Hosts {
		_, err := netip.ParseAddr(host)
		check(err == nil || hostName.MatchString(host), "server.hosts: %q is not the name of a machine, without a port", host)
	}
	check((c.Server.Certificate == "") == (c.Server.Key == ""), "server.key: certificate and key go together; give both or neither")
	check(c.Server.Streams >= 1 && c.Server.Streams <= 1<<16, "server.streams: %d is not within 1..65536", c.Server.Streams)
	check(c.Server.Data != "", "server.data: it is empty; it must be a folder")
	check(c.Server.Jobs >= 0 && c.Server.Jobs <= 1024, "server.jobs: %d is not within 0..1024", c.Server.Jobs)
	check(c.Server.Cores >= 0 && c.Server.Cores <= 1<<16, "server.cores: %d is not within 0..65536", c.Server.Cores)
	check(c.Server.Grace > 0, "server.grace: %v is not above 0s", c.Server.Grace)
	c.Queue.validate(check)
	check(c.Queue.Silence >= time.Second, "queue.silence: %v is below 1s", c.Queue.Silence)
	check(c.Queue.EventAge >= time.Minute, "queue.event_age: %v is below 1m", c.Queue.EventAge)
	check(c.Queue.EventMegabytes >= 1 && c.Queue.EventMegabytes <= 1<<20, "queue.event_megabytes: %d is not within 1..1048576", c.Queue.EventMegabytes)
	faults = append(faults, c.validateService()...)
	return faults
}

// validate checks how the queue is reached.
func (q Queue) validate(check func(ok bool, format string, a ...any)) {
	_, _, err := net.SplitHostPort(q.Listen)
	check(q.Listen == "" || err == nil, "queue.listen: %q is not an address host:port, such as :4222", q.Listen)
	check(q.Listen == "" || q.URL == "", "queue.listen: the queue at queue.url listens by itself; leave one of them empty")
	check((q.Certificate == "") == (q.CertificateKey == ""), "queue.certificate_key: certificate and key go together; give both or neither")
	check(q.Certificate == "" || q.Listen != "", "queue.certificate: it needs queue.listen")
	check(q.CA == "" || q.Certificate != "" || q.URL != "", "queue.ca: it goes with queue.certificate or queue.url")
	check(q.Key == "" || q.URL != "", "queue.key: it needs queue.url")
}

// Share returns how many runs go on side by side and how many threads each has, on a machine
// with so many cores.
func (s Service) Share(cores int) (jobs, each int) { return Share(s.Jobs, s.Cores, cores) }

// Share fills in how many jobs go on side by side and how many threads each has where they are 0, on
// a machine with so many cores.
func Share(jobs, each, cores int) (int, int) {
	if jobs == 0 {
		jobs = max(1, cores/2)
	}
	if each == 0 {
		each = max(1, cores/jobs)
	}
	return jobs, each
}
