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
	p.CPU, _, p.Resident = parseStat(string(text))
	return p
}

// ProcessUse is the processor time in seconds that a process, by its number or "self", and its
// children that have ended took, and its resident size in bytes; 0 for both where there is no /proc,
// or no such process.
func ProcessUse(pid string) (seconds float64, resident int64) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, 0
	}
	own, ended, resident := parseStat(string(text))
	return own + ended, resident
}

// parseStat takes the processor time of a process, that of its children that have ended, and its
// resident size from the text of /proc/PID/stat (proc(5)), 0 for all if it is none.
func parseStat(text string) (own, ended float64, resident int64) {
	end := strings.LastIndexByte(text, ')') // of the name, which may hold anything
	fields := strings.Fields(text[end+1:])
	const state, userTime, systemTime, endedUser, endedSystem, pages = 3, 14, 15, 16, 17, 24 // numbers of fields in the manual
	if end < 0 || len(fields) <= pages-state {
		return 0, 0, 0
	}
	number := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-state], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	seconds := func(user, system int) float64 { return float64(number(user)+number(system)) / userHZ }
	return seconds(userTime, systemTime), seconds(endedUser, endedSystem), number(pages) * int64(os.Getpagesize())
}
