package child

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/cpu"

	"neuralwl/inference"
)

// Machine is what the last digits of results depend on: sums of floating-point numbers are
// rounded otherwise by other instructions, libraries and GPUs (microsoft/onnxruntime#5667; Go's
// math uses fused multiply-add where there is one).
type Machine struct {
	Arch    string `json:"arch"`              // GOARCH and the level of its instructions
	Runtime string `json:"runtime,omitempty"` // version of ONNX Runtime; empty if it cannot be loaded
	GPU     string `json:"gpu,omitempty"`     // model; empty for none
	Fault   string `json:"fault,omitempty"`   // why ONNX Runtime cannot be loaded
}

// Class is that of the machine for runs on its processor or, if gpu is set, on its GPU. Runs are the
// same to the last digit within a class.
func (m Machine) Class(gpu bool) string {
	c := m.Arch + " onnxruntime-" + m.Runtime
	if m.Runtime == "" {
		c = m.Arch + " no-onnxruntime"
	}
	if gpu {
		c += " " + m.GPU
	}
	return c
}

// probeTime bounds how long a child may look at its machine.
const probeTime = time.Minute

// Probe has a child look at this machine: a program that loads ONNX Runtime keeps its memory.
func Probe(ctx context.Context, program []string) (m Machine, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	task, err := json.Marshal(Task{Probe: true})
	if err != nil {
		return m, err
	}
	c := exec.CommandContext(ctx, program[0], program[1:]...)
	c.Stdin, c.Stderr = bytes.NewReader(append(task, '\n')), os.Stderr
	out, err := c.Output()
	var r Report
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err == nil {
		err = json.Unmarshal(r.Data, &m)
	}
	if err != nil {
		return m, fmt.Errorf("look at this machine: %w", err)
	}
	return m, nil
}

// probe looks at this machine.
func probe() Machine {
	m := Machine{Arch: arch(), GPU: gpu()}
	if _, err := inference.Open(""); err != nil {
		m.Fault = err.Error()
	} else {
		m.Runtime = inference.Version()
	}
	return m
}

// arch is GOARCH with the level of instructions: for amd64 v1 to v4 as of GOAMD64, for arm64 whether
// it has scalable vectors.
func arch() string {
	x := cpu.X86
	switch {
	case runtime.GOARCH == "arm64" && cpu.ARM64.HasSVE:
		return "arm64-sve"
	case runtime.GOARCH != "amd64":
		return runtime.GOARCH
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512CD && x.HasAVX512DQ && x.HasAVX512VL:
		return "amd64-v4"
	case x.HasAVX2 && x.HasFMA && x.HasBMI1 && x.HasBMI2:
		return "amd64-v3"
	case x.HasSSE42 && x.HasPOPCNT:
		return "amd64-v2"
	}
	return "amd64-v1"
}

// gpu is the model of the first GPU that NVIDIA's driver knows, empty without one.
func gpu() string {
	files, _ := filepath.Glob("/proc/driver/nvidia/gpus/*/information")
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if model, ok := strings.CutPrefix(line, "Model:"); ok {
				return strings.TrimSpace(model)
			}
		}
	}
	return ""
}
