package job

import (
	"fmt"
	"slices"
)

// Work is what a job does.
type Work string

// The kinds of work. internal/child says how each is done.
const (
	WorkRun   Work = "run"   // estimates a density of states; an empty Work is this one, too
	WorkTrain Work = "train" // trains a network without a run
	WorkBench Work = "bench" // measures the speed of moves
	// WorkCompare compares samplers, by a specification of its own.
	WorkCompare Work = "compare"
	// WorkShard makes a part of another job; see Shard. The daemon alone submits it.
	WorkShard Work = "shard"
)

// Works lists those that users may submit.
var Works = []Work{WorkRun, WorkTrain, WorkBench, WorkCompare}

// Training says what a configuration does not of a training.
type Training struct {
	// Weights is the run whose density of states weighs the states; without one it is estimated first.
	Weights string `json:"weights,omitempty" maxLength:"64" doc:"Run whose density of states weighs the states; estimated first if it is left out."`
	// Name is that of the bundle, by default the architecture and system.
	Name string `json:"name,omitempty" maxLength:"64" doc:"Name of the bundle, by default made of the architecture and system."`
}

// Benchmark says what a configuration does not of a measurement of moves.
type Benchmark struct {
	Weights string   `json:"weights,omitempty" maxLength:"64" doc:"Run under whose density of states moves are measured; estimated first if it is left out."`
	Mixes   []string `json:"mixes,omitempty" maxItems:"32" doc:"Mixes of moves [cluster:]SWEEPS:TRIALS[:SHARE[:SHIFT]] per pass, by default 150:1:1 and 0:8:0.5."`
	Seconds float64  `json:"seconds,omitempty" minimum:"0" maximum:"86400" doc:"For each kind of move, by default 30."`
	Flat    bool     `json:"flat,omitempty" doc:"Measure with a flat histogram alone, not also with more time at low energies."`
}

// Comparison says what is to be compared.
type Comparison struct {
	Spec string `json:"spec" maxLength:"65536" doc:"Specification, YAML, as a file for nwl compare, or the name of one that comes with the program."`
	// Failed is for one that goes on.
	Failed bool `json:"retry_failed,omitempty" doc:"Make cells again that failed."`
}

// Check returns an error for a kind of work that does not exist or does not go with the
// options. The configuration is checked elsewhere.
func (s *Spec) Check() error {
	switch {
	case s.Work != "" && !slices.Contains(Works, s.Work):
		return fmt.Errorf("kind: %q is none of %v", s.Work, Works)
	case s.Train != nil && s.Work != WorkTrain:
		return fmt.Errorf("train: these options need the kind %s", WorkTrain)
	case s.Bench != nil && s.Work != WorkBench:
		return fmt.Errorf("bench: these options need the kind %s", WorkBench)
	case (s.Compare != nil) != (s.Work == WorkCompare):
		return fmt.Errorf("compare: a specification goes with the kind %s, and the other way round", WorkCompare)
	}
	if id := s.Weights(); id != "" {
		if err := CheckID(id); err != nil {
			return fmt.Errorf("weights: %w", err)
		}
	}
	return nil
}

// Weights is the run whose density of states the job needs, empty for none.
func (s *Spec) Weights() string {
	switch {
	case s.Train != nil:
		return s.Train.Weights
	case s.Bench != nil:
		return s.Bench.Weights
	}
	return ""
}

// Resumes reports whether the job goes on after an interruption where it was. Others begin
// again.
func (s *Spec) Resumes() bool { return s.Work == "" || s.Work == WorkRun || s.Work == WorkShard }
