package job

import "time"

// Spec is what a job is to do, as its submitter gave it. The zero value of every optional field
// is its default.
type Spec struct {
	// Config is the complete configuration, YAML.
	Config string `json:"config"`
	// Work is what the job does; Train and Bench are options of these kinds.
	Work  Work       `json:"kind,omitempty"`
	Train *Training  `json:"train,omitempty"`
	Bench *Benchmark `json:"bench,omitempty"`
	// Compare belongs to that kind.
	Compare *Comparison `json:"compare,omitempty"`
	// Shard belongs to that kind.
	Shard *Shard `json:"shard,omitempty"`
	// Changes are settings of the form key=value to change when the run goes on after a pause or
	// its end.
	Changes []string `json:"changes,omitempty"`
	// Title, Tags and Notes are for people.
	Title string   `json:"title,omitempty"`
	Tags  []string `json:"tags,omitempty"`
	Notes string   `json:"notes,omitempty"`
	// By is who submitted the job, the name of a token; empty without tokens.
	By string `json:"by,omitempty"`
	// Follow names a network of the repository whose new versions the run takes while it goes on;
	// with Publish the versions that it exports appear there under its own name.
	Follow  string `json:"follow,omitempty"`
	Publish bool   `json:"publish,omitempty"`
	// Group is the group of which the job is a member, empty for none.
	Group string `json:"group,omitempty"`
	// Priority decides who goes first, the higher one, within LeastPriority..MostPriority.
	Priority int `json:"priority,omitempty"`
	// After are the jobs that it waits for.
	After []Dependency `json:"after,omitempty"`
	// Memory that it is to need, in bytes, and whether it is to need the GPU.
	Memory int64 `json:"memory,omitempty"`
	GPU    bool  `json:"gpu,omitempty"`
}

// Bounds of priorities.
const (
	LeastPriority = -10
	MostPriority  = 10
)

// Dependency is a job that another one waits for.
type Dependency struct {
	ID string `json:"id"`
	// Created tells it from a later job of the same name.
	Created time.Time `json:"created"`
	// Any end of it will do; else it must be done.
	Any bool `json:"any,omitempty"`
}
