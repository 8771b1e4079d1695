package oip

// The descriptions of server, models and repository, whose JSON is that of REST and names the
// fields of gRPC's messages.

// Server describes a server.
type Server struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

// Model describes a model.
type Model struct {
	Name     string   `json:"name"`
	Versions []string `json:"versions"`
	Platform string   `json:"platform"`
	Inputs   []Value  `json:"inputs"`
	Outputs  []Value  `json:"outputs"`
}

// Value is an input or output, with -1 in its shape for any number.
type Value struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

// Config is how a model is served, as in Triton's config.pbtxt.
type Config struct {
	Name            string          `json:"name"`
	Platform        string          `json:"platform"`
	Backend         string          `json:"backend"`
	VersionPolicy   VersionPolicy   `json:"version_policy"`
	MaxBatchSize    int             `json:"max_batch_size"`
	Input           []ConfigValue   `json:"input"`
	Output          []ConfigValue   `json:"output"`
	DynamicBatching DynamicBatching `json:"dynamic_batching"`
}

// VersionPolicy says which version is served.
type VersionPolicy struct {
	Specific struct {
		Versions []int64 `json:"versions"`
	} `json:"specific"`
}

// ConfigValue is an input or output. Its dimensions are without that of the batch.
type ConfigValue struct {
	Name     string  `json:"name"`
	DataType string  `json:"data_type"` // TYPE_ and the datatype
	Dims     []int64 `json:"dims"`
}

// DynamicBatching says how requests are gathered.
type DynamicBatching struct {
	PreferredBatchSize        []int `json:"preferred_batch_size"`
	MaxQueueDelayMicroseconds int64 `json:"max_queue_delay_microseconds"`
}

// Statistics of models, since they were loaded.
type Statistics struct {
	Models []ModelStatistics `json:"model_stats"`
}

// ModelStatistics are those of one version. Times are sums.
type ModelStatistics struct {
	Name           string          `json:"name"`
	Version        string          `json:"version"`
	LastInference  int64           `json:"last_inference"`  // milliseconds since 1970
	InferenceCount uint64          `json:"inference_count"` // rows
	ExecutionCount uint64          `json:"execution_count"` // evaluations
	Inference      InferenceTimes  `json:"inference_stats"`
	Batches        []BatchDuration `json:"batch_stats"`
}

// InferenceTimes are the times of requests.
type InferenceTimes struct {
	Success       Duration `json:"success"`
	Fail          Duration `json:"fail"`
	Queue         Duration `json:"queue"`
	ComputeInput  Duration `json:"compute_input"`
	ComputeInfer  Duration `json:"compute_infer"`
	ComputeOutput Duration `json:"compute_output"`
}

// BatchDuration is the time of evaluations of so many rows.
type BatchDuration struct {
	Size         uint64   `json:"batch_size"`
	ComputeInfer Duration `json:"compute_infer"`
}

// Duration is a number of times and their sum.
type Duration struct {
	Count       uint64 `json:"count"`
	Nanoseconds uint64 `json:"ns"`
}

// Entry is a version of a model in the repository.
type Entry struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
}
