// Package api is what goes over the daemon's HTTP interface, and a client for it.
package api

import (
	"time"

	"neuralwl/internal/job"
)

// Prefix of all addresses of the interface.
const Prefix = "/api/v1"

// Submission asks for a new run.
type Submission struct {
	ID     string   `json:"id,omitempty" maxLength:"64" doc:"Names the run and its directory: 2 to 64 small letters, digits, dots, dashes and underscores. Made from the system if it is left out."`
	From   string   `json:"from,omitempty" maxLength:"64" doc:"Run of which this one is a copy, but for what is given here. Then without config."`
	Config string   `json:"config,omitempty" maxLength:"65536" doc:"Configuration in YAML, as a file for nwl run --config; keys that it leaves out have their defaults."`
	Set    []string `json:"set,omitempty" maxItems:"256" doc:"Settings of the form key=value that go before the configuration." example:"[\"system.q=3\"]"`
	Title  string   `json:"title,omitempty" maxLength:"200" doc:"For people."`
	Tags   []string `json:"tags,omitempty" maxItems:"32" doc:"Words by which runs can be found."`
	Notes  string   `json:"notes,omitempty" maxLength:"10000" doc:"For people."`

	Kind     job.Work        `json:"kind,omitempty" enum:"run,train,bench,compare" doc:"What to do with the configuration: run, by default; train a network, which begins again after an interruption; bench, measure moves; or compare, which compares samplers by a specification of its own and keeps cells that have ended."`
	Train    *job.Training   `json:"train,omitempty" doc:"With the kind train."`
	Bench    *job.Benchmark  `json:"bench,omitempty" doc:"With the kind bench."`
	Compare  *job.Comparison `json:"compare,omitempty" doc:"With the kind compare."`
	Priority int             `json:"priority,omitempty" minimum:"-10" maximum:"10" doc:"Runs of a higher one go first, among equals those that were submitted first."`
	After    []string        `json:"after,omitempty" maxItems:"64" doc:"Runs that must be done before, converged or not. If one fails, is cancelled or deleted, this run fails."`
	AfterAny []string        `json:"after_any,omitempty" maxItems:"64" doc:"Runs that must have ended before, however."`
	Follow   string          `json:"follow,omitempty" maxLength:"64" doc:"A network of the repository: the run takes its new versions as they come, except in production."`
	Publish  bool            `json:"publish,omitempty" doc:"Put the networks that the run exports into the repository under the run's name."`
	Memory   int64           `json:"memory,omitempty" minimum:"0" maximum:"16777216" doc:"Megabytes that it will need, instead of the daemon's estimate."`
}

// Run is a run as the daemon knows it.
type Run struct {
	ID         string       `json:"id"`
	Kind       job.Work     `json:"kind" enum:"run,train,bench,compare,shard" doc:"A shard is a part of another run's production, which no list has."`
	State      job.State    `json:"state" enum:"submitted,queued,running,paused,done,failed,cancelled"`
	Wish       job.Wish     `json:"wish" enum:"run,pause,cancel" doc:"What the user wants of it; a running run follows within seconds."`
	Reason     string       `json:"reason,omitempty" doc:"Why it failed, was paused, or lost its last worker."`
	Title      string       `json:"title,omitempty"`
	Tags       []string     `json:"tags,omitempty"`
	Notes      string       `json:"notes,omitempty"`
	By         string       `json:"by,omitempty" doc:"Who submitted it: the name of a token."`
	Group      string       `json:"group,omitempty" doc:"The group of which it is a member."`
	System     string       `json:"system,omitempty" doc:"As in the names of folders, such as q10-16x16."`
	Method     string       `json:"method,omitempty" doc:"The value of run.method."`
	Created    time.Time    `json:"created"`
	Began      time.Time    `json:"began,omitzero"`
	Ended      time.Time    `json:"ended,omitzero"`
	Submission int          `json:"submission" doc:"How often it was put into the queue."`
	Attempts   int          `json:"attempts" doc:"Workers that had it since its last checkpoint."`
	Owner      string       `json:"owner,omitempty" doc:"The worker that has it."`
	Class      string       `json:"class,omitempty" doc:"The class of machines in which it began: within it results are the same to the last digit."`
	Folder     string       `json:"folder" doc:"Its run directory, within the daemon's data folder."`
	Outcome    *job.Outcome `json:"outcome,omitempty" doc:"How it ended."`
	Progress   *Progress    `json:"progress,omitempty" doc:"How far it is, as last heard."`
	Event      uint64       `json:"event" doc:"Number of its last event, after which a stream can begin."`
	Config     string       `json:"config,omitempty" doc:"Its configuration, YAML, as it was submitted; not in lists."`
	Changes    []string     `json:"changes,omitempty" doc:"Settings that were changed when it went on."`

	Priority int      `json:"priority"`
	After    []string `json:"after,omitempty" doc:"Runs that must be done before."`
	AfterAny []string `json:"after_any,omitempty" doc:"Runs that must have ended before."`
	Memory   int64    `json:"memory,omitempty" doc:"Megabytes that it is to need."`
	Follow   string   `json:"follow,omitempty" doc:"The network whose new versions it takes."`
	Publish  bool     `json:"publish,omitempty" doc:"Its networks go into the repository under its name."`
	Waits    string   `json:"waits,omitempty" doc:"What a submitted run waits for."`
	Bringing bool     `json:"bringing,omitempty" doc:"Its newest files are on their way from the object store."`
}

// Progress is how far a run has come.
type Progress struct {
	At           time.Time `json:"at" doc:"When it was last heard of."`
	System       string    `json:"system,omitempty"`
	Method       string    `json:"method,omitempty"`
	Seed         uint64    `json:"seed"`
	Walkers      int       `json:"walkers"`
	Architecture string    `json:"architecture,omitempty"`
	Provider     string    `json:"provider,omitempty"`
	Phase        string    `json:"phase,omitempty"`
	Passes       int64     `json:"passes"`
	Done         float64   `json:"done" doc:"Share of the phase, 0..1, a guess."`
	LnF          float64   `json:"ln_f"`
	Flatness     float64   `json:"flatness"`
	Levels       int       `json:"levels"`
	RoundTrips   float64   `json:"round_trips"`
	Acceptance   float64   `json:"acceptance" doc:"Share of the present network's proposals that were accepted, since it came in or its phase began."`
	Steps        int64     `json:"steps,omitempty" doc:"Gradient steps."`
	Loss         float64   `json:"loss,omitempty"`
	Left         float64   `json:"left,omitempty" doc:"Seconds to the end of the phase, a guess; 0 if nothing can be said."`
	Converged    bool      `json:"converged"`
	Failed       []string  `json:"failed,omitempty" doc:"Checks that the results do not pass."`
	Seconds      float64   `json:"seconds,omitempty" doc:"That the run took, once it has ended."`
}

// RunList is a page of runs, the newest first.
type RunList struct {
	Runs []Run  `json:"runs"`
	Next string `json:"next,omitempty" doc:"The value of before for the next page; empty on the last."`
}

// RunChange changes a run. Fields that are left out stay as they are.
type RunChange struct {
	Wish job.Wish `json:"wish,omitempty" enum:"run,pause,cancel" doc:"What is wanted of it. A run that was paused, or has ended, goes on with run."`
	Set  []string `json:"set,omitempty" maxItems:"256" doc:"With the wish run: limits to change, of the form key=value, as for nwl run --resume."`
	// AnyMachine lets it go on in another class of machines.
	AnyMachine bool `json:"any_machine,omitempty" doc:"With the wish run: it may go on in another class of machines than it began in, where the last digits of its results are others."`

	Title *string   `json:"title,omitempty" maxLength:"200"`
	Tags  *[]string `json:"tags,omitempty" maxItems:"32"`
	Notes *string   `json:"notes,omitempty" maxLength:"10000"`

	Priority *int    `json:"priority,omitempty" minimum:"-10" maximum:"10" doc:"Another place among the runs that wait."`
	Memory   *int64  `json:"memory,omitempty" minimum:"0" maximum:"16777216" doc:"Megabytes that it will need from when it begins next."`
	Follow   *string `json:"follow,omitempty" maxLength:"64" doc:"A network whose new versions it is to take; empty for none."`
}

// FileList is what a run directory holds.
type FileList struct {
	Files []File `json:"files"`
	More  bool   `json:"more,omitempty" doc:"There are more than a list has room for."`
}

// File is a file of a run directory.
type File struct {
	Path     string    `json:"path" doc:"Within the run directory, with slashes."`
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
	Type     string    `json:"type" doc:"Its media type."`
}
