package job

import (
	"fmt"
	"regexp"
	"time"
)

// Shard says which part of another job's production a job of the kind WorkShard makes, or that it helps with
// the adaptation.
type Shard struct {
	Of string `json:"of"`
	// Created tells that job from a later one of the same name.
	Created time.Time `json:"created"`
	Index   int       `json:"index"` // from 0
	// Submission of that job for which this one was submitted last.
	Submission int `json:"submission"`
	// Helps says that it makes shards of the adaptation's rounds, whichever are to be made, as one of
	// several that do so.
	Helps bool `json:"helps,omitempty"`
}

// ID is the name of the job that makes the shard, or helps.
func (s *Shard) ID() string {
	if s.Helps {
		return fmt.Sprintf("%s.h%02d", s.Of, s.Index+1)
	}
	return ShardID(s.Of, s.Index)
}

// ShardID is the name of the job that makes a shard, from 0 on, of another one.
func ShardID(of string, index int) string { return fmt.Sprintf("%s.s%02d", of, index+1) }

var shardForm = regexp.MustCompile(`\.[sh]\d\d+$`)

// IsShardID reports whether a name is kept for jobs that make a shard or help.
func IsShardID(id string) bool { return shardForm.MatchString(id) }

// CheckDivisible returns an error unless the shards of a job can have names.
func CheckDivisible(id string, shards int) error {
	if last := ShardID(id, shards-1); shards > 1 && CheckID(last) != nil {
		return fmt.Errorf("%q is too long a name for a run in shards, as %s must be one; take %d characters fewer", id, last, len(last)-maxID)
	}
	return nil
}
