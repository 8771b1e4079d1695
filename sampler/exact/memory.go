package exact

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// memoryShare is the part of the machine's memory that a computation may use unless forced;
// the rest is left to a concurrent sampler.
const memoryShare = 0.5

// assumedMemory, in bytes, is used if the machine's memory is unknown: that of a small
// machine.
const assumedMemory = 8 << 30

// memoryLimit returns the bytes that a computation may use: memoryShare of the installed
// memory, or of the limit of the process's control group.
func memoryLimit() float64 {
	memory := math.Inf(1)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		memory = min(memory, totalMemory(string(text)))
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		memory = min(memory, groupLimit(string(text)))
	}
	if math.IsInf(memory, 1) {
		memory = assumedMemory
	}
	return memoryShare * memory
}

// totalMemory returns the bytes stated in the text of /proc/meminfo, +Inf if none.
func totalMemory(text string) float64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			if err == nil {
				return kib * 1024
			}
		}
	}
	return math.Inf(1)
}

// groupLimit returns the bytes stated in the text of memory.max of a control group, +Inf
// for "max".
func groupLimit(text string) float64 {
	limit, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return math.Inf(1)
	}
	return limit
}
