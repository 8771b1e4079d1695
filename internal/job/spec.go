package job

// Spec is what a job is to do, as its submitter gave it. The zero value of every optional field
// is its default.
type Spec struct {
	// Config is the complete configuration, YAML.
	Config string `json:"config"`
	// Work is what the job does; Train and Bench are options of these kinds.
	Work  Work       `json:"kind,omitempty"`
	Train *Training  `json:"train,omitempty"`
	Bench *Benchmark `json:"bench,omitempty"`
	// Changes are settings of the form key=value to change when the run goes on after a pause or
	// its end.
	Changes []string `json:"changes,omitempty"`
	// Title, Tags and Notes are for people.
	Title string   `json:"title,omitempty"`
	Tags  []string `json:"tags,omitempty"`
	Notes string   `json:"notes,omitempty"`
	// By is who submitted the job, the name of a token; empty without tokens.
	By string `json:"by,omitempty"`
}
