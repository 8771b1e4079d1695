package run

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// slurmEnd is the environment variable with the end of the job's Slurm allocation, in
// seconds since 1970.
const slurmEnd = "SLURM_JOB_END_TIME"

// allocationEnd is the end of the Slurm allocation, zero where there is none.
func allocationEnd() (time.Time, error) {
	value := os.Getenv(slurmEnd)
	if value == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("environment variable %s=%q is not a time in seconds; unset it", slurmEnd, value)
	}
	return time.Unix(seconds, 0), nil
}
