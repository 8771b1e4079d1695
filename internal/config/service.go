package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// SecretVariable is the environment variable with the secret that signs webhooks.
const SecretVariable = "NWL_WEBHOOK_SECRET"

// Storage is what the daemon may keep on its disk.
type Storage struct {
	MinFree      int           `mapstructure:"min_free" yaml:"min_free"`
	RunMegabytes int           `mapstructure:"run_megabytes" yaml:"run_megabytes"`
	Keep         time.Duration `mapstructure:"keep" yaml:"keep"`
	Files        string        `mapstructure:"files" yaml:"files"`
}

// Serving is how networks are served to other programs.
type Serving struct {
	Load     []string      `mapstructure:"load" yaml:"load,flow"`
	Rows     int           `mapstructure:"rows" yaml:"rows"`
	Delay    time.Duration `mapstructure:"delay" yaml:"delay"`
	Requests int           `mapstructure:"requests" yaml:"requests"`
	Memory   int           `mapstructure:"memory" yaml:"memory"`
	Threads  int           `mapstructure:"threads" yaml:"threads"`
}

// Webhook is who is told that runs ended.
type Webhook struct {
	URL        string   `mapstructure:"url" yaml:"url"`
	SecretFile string   `mapstructure:"secret_file" yaml:"secret_file"`
	On         []string `mapstructure:"on" yaml:"on,flow"`
}

// The values of webhook.on, ends of runs.
const (
	OnConverged   = "converged"
	OnUnconverged = "unconverged"
	OnFailed      = "failed"
	OnCancelled   = "cancelled"
)

// Ends lists them.
var Ends = []string{OnConverged, OnUnconverged, OnFailed, OnCancelled}

// ServerLog is the daemon's log.
type ServerLog struct {
	Level     string `mapstructure:"level" yaml:"level"`
	File      string `mapstructure:"file" yaml:"file"`
	Megabytes int    `mapstructure:"megabytes" yaml:"megabytes"`
	Keep      int    `mapstructure:"keep" yaml:"keep"`
}

// Log is what it has in common with that of a run.
func (l ServerLog) Log() Log { return Log{Level: l.Level} }

var networkReference = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*(/[1-9][0-9]*)?$`)

var filesAddress = regexp.MustCompile(`^s3://[a-z0-9][a-z0-9.-]+(/.*)?$`)

// validateService returns the faults of all that lets the daemon run for weeks.
func (c *Server) validateService() []error {
	var faults []error
	check := func(ok bool, format string, a ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, a...))
		}
	}
	const most = 1 << 30 // MB
	check(c.Server.Memory >= 0 && c.Server.Memory <= most, "server.memory: %d is not within 0..%d", c.Server.Memory, most)
	check(c.Storage.MinFree >= 0 && c.Storage.MinFree <= most, "storage.min_free: %d is not within 0..%d", c.Storage.MinFree, most)
	check(c.Storage.RunMegabytes >= 0 && c.Storage.RunMegabytes <= most, "storage.run_megabytes: %d is not within 0..%d", c.Storage.RunMegabytes, most)
	check(c.Storage.Keep >= 0, "storage.keep: %v is below 0s", c.Storage.Keep)
	check(c.Storage.Files == "" || filesAddress.MatchString(c.Storage.Files), "storage.files: %q is not an address such as s3://bucket/prefix", c.Storage.Files)
	for _, network := range c.Serving.Load {
		check(networkReference.MatchString(network), "serving.load: %q is not the name of a network, or name/version", network)
	}
	check(c.Serving.Rows >= 1 && c.Serving.Rows <= 1<<16, "serving.rows: %d is not within 1..65536", c.Serving.Rows)
	check(c.Serving.Delay >= 0 && c.Serving.Delay <= time.Minute, "serving.delay: %v is not within 0s..1m", c.Serving.Delay)
	check(c.Serving.Requests >= 1 && c.Serving.Requests <= 1<<16, "serving.requests: %d is not within 1..65536", c.Serving.Requests)
	check(c.Serving.Memory >= 1 && c.Serving.Memory <= 1<<16, "serving.memory: %d is not within 1..65536", c.Serving.Memory)
	check(c.Serving.Threads >= 0 && c.Serving.Threads <= 1<<16, "serving.threads: %d is not within 0..65536", c.Serving.Threads)
	if c.Webhook.URL != "" {
		u, err := url.Parse(c.Webhook.URL)
		// The address may hold a secret: it is not repeated.
		check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "webhook.url: it is not an address such as https://host/path")
	}
	check(len(c.Webhook.On) > 0, "webhook.on: it is empty; name some of %v, or leave webhook.url empty", Ends)
	for _, end := range c.Webhook.On {
		check(slices.Contains(Ends, end), "webhook.on: %q is not one of %v", end, Ends)
	}
	check(c.Log.Megabytes >= 1 && c.Log.Megabytes <= 1<<20, "log.megabytes: %d is not within 1..1048576", c.Log.Megabytes)
	check(c.Log.Keep >= 0 && c.Log.Keep <= 1000, "log.keep: %d is not within 0..1000", c.Log.Keep)
	return append(faults, c.Log.Log().validate()...)
}
