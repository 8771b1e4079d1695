package run

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAllocationEnd takes the end of an allocation from Slurm's variable or, where that is
// not set, from squeue, for which a script answers as Slurm 22.05 does.
func TestAllocationEnd(t *testing.T) {
	for _, c := range []struct {
		name, variable, job, squeue string
		want                        time.Time
		log, err                    string
	}{
		{name: "no job"},
		{name: "variable", variable: "1800000000", job: "7", squeue: "exit 1", want: time.Unix(1800000000, 0)},
		{name: "no time", variable: "tomorrow", err: "SLURM_JOB_END_TIME"},
		{name: "squeue", job: "7", squeue: `[ "$*" = "-h -j 7 -o %A %e" ] && echo 7 2026-11-28T07:30:00`, want: time.Date(2026, 11, 28, 7, 30, 0, 0, time.Local)},
		{name: "array", job: "7", squeue: "echo 9 2026-11-28T08:00:00; echo 7 2026-11-28T07:30:00; echo 8 2026-11-28T09:00:00",
			want: time.Date(2026, 11, 28, 7, 30, 0, 0, time.Local)},
		{name: "another job", job: "7", squeue: "echo 8 2026-11-28T07:30:00", log: "squeue"},
		{name: "no limit", job: "7", squeue: "echo 7 NONE"},
		{name: "fails", job: "7", squeue: "exit 1", log: "squeue"},
		{name: "speaks otherwise", job: "7", squeue: "echo 7 soon", log: "soon"},
		{name: "missing", job: "7", log: "squeue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bin := t.TempDir()
			if c.squeue != "" {
				if err := os.WriteFile(filepath.Join(bin, "squeue"), []byte("#!/bin/sh\n"+c.squeue+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", bin)
			t.Setenv(slurmEnd, c.variable)
			t.Setenv(slurmJob, c.job)
			var log bytes.Buffer
			got, err := allocationEnd(slog.New(slog.NewTextHandler(&log, nil)))
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v", err)
			}
			if !got.Equal(c.want) {
				t.Errorf("the end is %v, want %v", got, c.want)
			}
			if !strings.Contains(log.String(), c.log) || (log.Len() > 0) != (c.log != "") {
				t.Errorf("log: %s", &log)
			}
		})
	}
}
