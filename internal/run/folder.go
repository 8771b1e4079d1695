package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Files of a run directory.
const (
	ConfigFile  = "config.yaml"
	DensityFile = "dos.csv"
	SummaryFile = "summary.json"
)

// createFolder makes the run directory and writes the complete configuration to
// it. It refuses a folder that holds a run.
func (j *job) createFolder() error {
	if _, err := os.Stat(filepath.Join(j.folder, ConfigFile)); err == nil {
		return fmt.Errorf("run directory %s holds a run already; choose another with --out, or delete it", j.folder)
	}
	if err := os.MkdirAll(j.folder, 0o777); err != nil {
		return fmt.Errorf("run directory: %w; choose another with --out", err)
	}
	data, err := j.c.YAML()
	if err != nil {
		return fmt.Errorf("run directory %s: %w", j.folder, err)
	}
	return j.write(ConfigFile, data)
}

// write puts a file into the run directory, whole or not at all.
func (j *job) write(name string, data []byte) error {
	path := filepath.Join(j.folder, name)
	if err := renameio.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w; make room or choose another disk with --out", path, err)
	}
	return nil
}

func (j *job) writeJSON(name string, value any) error {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(j.folder, name), err)
	}
	return j.write(name, buf.Bytes())
}
