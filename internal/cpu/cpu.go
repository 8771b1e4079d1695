// Package cpu measures processor time and ties work to a core.
package cpu

import (
	"os"
	"runtime"
	"strings"
)

// Model describes the machine: its processor, where the system says that, and its kind.
func Model() string {
	name := runtime.GOOS + "/" + runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value) + ", " + name
				break
			}
		}
	}
	return name
}
