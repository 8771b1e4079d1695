package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// WorkerState is what a worker does.
type WorkerState string

// The states of workers.
const (
	WorkerReady    WorkerState = "ready"
	WorkerDraining WorkerState = "draining" // takes no new runs
	WorkerSilent   WorkerState = "silent"   // was not heard of for too long: its runs go to others
	WorkerRefused  WorkerState = "refused"  // of another version
	WorkerAway     WorkerState = "away"     // invited, not connected
	WorkerRevoked  WorkerState = "revoked"  // its key is worth nothing any more
)

// Worker is a process that performs runs, or a key with which one may.
type Worker struct {
	Name       string            `json:"name" doc:"By which it was invited; head for the daemon's own."`
	Instance   string            `json:"instance,omitempty" doc:"Tells processes apart that have the same key."`
	State      WorkerState       `json:"state" enum:"ready,draining,silent,refused,away,revoked"`
	Host       string            `json:"host,omitempty"`
	Version    string            `json:"version,omitempty"`
	Invited    time.Time         `json:"invited,omitzero"`
	Began      time.Time         `json:"began,omitzero"`
	Heard      time.Time         `json:"heard,omitzero" doc:"When it last said that it is there."`
	Jobs       int               `json:"jobs" doc:"Runs side by side, at most."`
	Running    int               `json:"running"`
	Cores      int               `json:"cores" doc:"Threads of each run."`
	Memory     int64             `json:"memory" doc:"Megabytes that its runs may need together; 0 for no limit."`
	Classes    map[string]string `json:"classes" doc:"Class of the machine by resource, cpu or gpu: within it results are the same to the last digit."`
	CPUSeconds float64           `json:"cpu_seconds"`
	Resident   int64             `json:"resident_bytes"`
	Renewals   int64             `json:"renewals" doc:"Leases renewed."`
	Missed     int64             `json:"missed" doc:"Leases that could not be renewed in time for the next attempt."`
}

// WorkerList lists workers by name.
type WorkerList struct {
	Workers []Worker `json:"workers"`
}

// WorkerChange is what workers are told.
type WorkerChange struct {
	Drain bool `json:"drain" doc:"Take no new runs; false to take them again."`
	Now   bool `json:"now,omitempty" doc:"Also hand back those under way, each with a checkpoint."`
}

// Workers lists the workers.
func (c *Client) Workers(ctx context.Context) (*WorkerList, error) {
	return call[WorkerList](ctx, c, http.MethodGet, "/workers", nil)
}

// Drain tells the workers of a name whether to take runs.
func (c *Client) Drain(ctx context.Context, name string, change WorkerChange) (*WorkerList, error) {
	return call[WorkerList](ctx, c, http.MethodPatch, "/workers/"+url.PathEscape(name), change)
}
