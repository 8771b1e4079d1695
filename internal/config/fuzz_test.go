package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"neuralwl/internal/config"
)

// The memory that loading may take, in bytes: an unknown key of three bytes is compared
// with all known ones and named in a line of a hundred bytes.
const (
	memoryPerByte = 2048
	memoryFixed   = 1 << 20
)

// FuzzLoad loads arbitrary bytes as a file, together with an arbitrary assignment. Accepted
// input must be valid and the same after writing and loading it.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(config.Default), "system.size=[4, 16]")
	f.Add([]byte("system: {model: ising, size: 5x7}\nrun: {moves: neural, max_time: 90s}\n"), "run.seed=18446744073709551615")
	f.Add([]byte("metrics: {listen: \"\"}\ntrainer: {learning_rate: 1e-3}\n"), "log.level=debug")
	f.Add([]byte("a: &a [1, 2]\nsystem: {size: *a, qq: 3}\n"), "nonsense")
	// Nested keys whose paths together are a thousand times as long.
	f.Add([]byte(strings.Repeat("{b: 1, a: ", 4000)+"1"+strings.Repeat("}", 4000)), "")
	path := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, data []byte, assignment string) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := config.Load(path, []string{assignment})
		runtime.ReadMemStats(&after)
		size := len(data) + len(assignment)
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(memoryPerByte*size+memoryFixed); used > most {
			t.Errorf("%d bytes allocated for %d, want at most %d", used, size, most)
		}
		if err != nil {
			return
		}
		if faults := c.Validate(); len(faults) > 0 {
			t.Errorf("loaded with faults: %v", faults)
		}
		written, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, written, 0o644); err != nil {
			t.Fatal(err)
		}
		again, err := config.Load(path, nil)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("wrote\n%s\nof %+v\nread %+v (%v)", written, c, again, err)
		}
	})
}
