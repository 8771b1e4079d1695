package daemon

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryShare of the machine's memory is for runs unless the configuration says otherwise.
const memoryShare = 0.75

// RunMemory is the share of this machine's memory for runs, or of what the control group of
// this process may use, if that is less; 0 where nobody knows.
func RunMemory() int64 {
	total := int64(0)
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemTotal:" {
			if kb, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				total = kb << 10
			}
		}
	}
	if text, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		if path, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "0::"); ok {
			for ; ; path = filepath.Dir(path) {
				if limit, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", path, "memory.max")); err == nil {
					if bytes, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil {
						total = min(total, bytes)
					}
				}
				if path == "/" || path == "." {
					break
				}
			}
		}
	}
	return int64(memoryShare * float64(total))
}

// HasGPU reports whether the machine has a GPU that NVIDIA's driver knows.
func HasGPU() bool {
	gpus, err := os.ReadDir("/proc/driver/nvidia/gpus")
	return err == nil && len(gpus) > 0
}
