package job

import "encoding/json"

// File is the name of the file in a run directory that holds Kept as JSON.
const File = "job.json"

// Kept is what a run directory remembers of its job, so that a queue that was lost can be built
// again. It says what was when the job last changed its state or was wished something; as long
// as there is a queue, that one is right.
type Kept struct {
	Job  Job  `json:"job"`
	Wish Wish `json:"wish"`
	// Queue is the identity of the queue that had the job on record, and Revision the number of
	// that record; both zero before it was on record.
	Queue    string          `json:"queue,omitempty"`
	Revision uint64          `json:"revision,omitempty"`
	Spec     json.RawMessage `json:"spec"` // a Spec
}
