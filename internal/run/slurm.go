package run

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Environment variables of a Slurm job. Slurm sets the end of the allocation, in seconds
// since 1970, from version 23.02 on.
const (
	slurmEnd = "SLURM_JOB_END_TIME"
	slurmJob = "SLURM_JOB_ID"
)

// squeueTime is how long squeue may take to answer.
const squeueTime = 10 * time.Second

// allocationEnd returns the end of the Slurm allocation, zero outside of one and where it has
// none. Older versions of Slurm are asked by squeue.
func allocationEnd(log *slog.Logger) (time.Time, error) {
	if value := os.Getenv(slurmEnd); value != "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("environment variable %s=%q is not a time in seconds; unset it", slurmEnd, value)
		}
		return time.Unix(seconds, 0), nil
	}
	job := os.Getenv(slurmJob)
	if job == "" {
		return time.Time{}, nil
	}
	end, err := askSqueue(job)
	if err != nil {
		log.Warn("the end of the Slurm allocation is not known, and checkpoint.margin has no effect; set run.max_time below the time limit, or "+slurmEnd,
			"job", job, "reason", err)
	}
	return end, nil
}

// AllocationEnd is the end of the Slurm allocation of this process, zero outside of one and where
// it is not known.
func AllocationEnd(log *slog.Logger) (time.Time, error) { return allocationEnd(log) }

// askSqueue returns the end of a job, zero if it has no time limit.
func askSqueue(job string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(context.Background(), squeueTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "squeue", "-h", "-j", job, "-o", "%A %e").Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("squeue: %w", err)
	}
	// The number of an array is also that of its last task: squeue then lists all of them.
	text := ""
	for line := range strings.Lines(string(out)) {
		if number, end, _ := strings.Cut(strings.TrimSpace(line), " "); number == job {
			text = end
		}
	}
	switch text {
	case "NONE", "N/A", "UNLIMITED", "Unknown":
		return time.Time{}, nil
	}
	end, err := time.ParseInLocation("2006-01-02T15:04:05", text, time.Local)
	if err != nil {
		return time.Time{}, fmt.Errorf("squeue gives the end as %q", text)
	}
	return end, nil
}
