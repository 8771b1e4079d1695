package telemetry

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"neuralwl/inference"
)

// userHZ is the unit of times in /proc: one hundredth of a second on every Linux.
const userHZ = 100

// process measures this process.
func process() (p Process) {
	p.Sessions, p.Tensors = inference.Live()
	p.Goroutines = runtime.NumGoroutine()
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return p // where there is no /proc, nobody tells
	}
	p.CPU, p.Resident = parseStat(string(text))
	return p
}

// parseStat takes the processor time and the resident size from the text of /proc/PID/stat
// (proc(5)), 0 for both if it is none.
func parseStat(text string) (seconds float64, resident int64) {
	end := strings.LastIndexByte(text, ')') // of the name, which may hold anything
	fields := strings.Fields(text[end+1:])
	const state, userTime, systemTime, pages = 3, 14, 15, 24 // numbers of fields in the manual
	if end < 0 || len(fields) <= pages-state {
		return 0, 0
	}
	number := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-state], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return float64(number(userTime)+number(systemTime)) / userHZ, number(pages) * int64(os.Getpagesize())
}
