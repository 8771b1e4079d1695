package repository

import (
	"fmt"
	"strconv"
	"strings"

	"neuralwl/internal/job"
	"neuralwl/models/pretrained"
)

// Latest is the version of a Ref that stands for the highest.
const Latest = 0

// Ref names a version of a network.
type Ref struct {
	Name    string
	Version int // 1 and up, or Latest
}

func (r Ref) String() string {
	if r.Version == Latest {
		return r.Name + "/latest"
	}
	return r.Name + "/" + strconv.Itoa(r.Version)
}

// CheckName returns an error unless a network can have that name, by the rule for jobs: it is a
// folder and part of an address. The prefix of the pretrained networks, which are no part of a
// repository, is taken.
func CheckName(name string) error {
	if name+"/" == pretrained.Prefix {
		return fmt.Errorf("network: %q is the name of the networks that come with the program; take another", name)
	}
	if err := job.CheckID(name); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	return nil
}

// ParseRef reads name, name/latest or name/3.
func ParseRef(text string) (Ref, error) {
	name, version, given := strings.Cut(text, "/")
	if err := CheckName(name); err != nil {
		return Ref{}, err
	}
	if !given || version == "latest" {
		return Ref{Name: name}, nil
	}
	v, err := strconv.Atoi(version)
	if err != nil || v < 1 || strconv.Itoa(v) != version {
		return Ref{}, fmt.Errorf("network %q: the version %q is neither a number from 1 on nor latest", text, version)
	}
	return Ref{name, v}, nil
}
