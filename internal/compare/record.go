package compare

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"neuralwl/internal/disk"
)

// Files of a comparison's folder.
const (
	SpecFile     = "spec.yaml"
	ManifestFile = "manifest.json"
	recordFile   = "cell.json" // in the folder of a cell
	runFolder    = "run"       // the same: its run directory
	trainFolder  = "train"     // the same: of the training before it
)

// record is what is known of a cell that has ended, beside its run directory.
type record struct {
	Cell     string `json:"cell"`
	Identity string `json:"identity"` // digest of its settings
	// Failed is why it has no results; empty if it has.
	Failed  string `json:"failed,omitempty"`
	Machine string `json:"machine"` // that made it, see cpu.Model
	Probe   Probe  `json:"probe"`
	// Flagged says that the machine's speed changed within the cell's block.
	Flagged bool `json:"flagged,omitempty"`
	// Measured is how often the cell was made.
	Measured int   `json:"measured"`
	Training *used `json:"training,omitempty"`
	Run      *used `json:"run,omitempty"`
}

// used is what a process took.
type used struct {
	Wall   float64 `json:"wall_seconds"`
	CPU    float64 `json:"cpu_seconds"`
	Memory int64   `json:"memory_bytes"`
}

// digest is that of the cell's settings.
func (c *Cell) digest() string {
	sum := sha256.Sum256([]byte(c.identity()))
	return hex.EncodeToString(sum[:])
}

// recorded is read, where a cell that was made with other settings is an error.
func (c *Cell) recorded(folder string) (*record, error) {
	r, err := c.read(folder)
	if r != nil && r.Identity != c.digest() {
		return nil, fmt.Errorf("%s: the cell %s was made with other settings than the specification now has; take another --out, or remove that cell's folder", filepath.Join(folder, c.Folder()), c)
	}
	return r, err
}

// read reads the record of a cell, nil if it has not ended.
func (c *Cell) read(folder string) (*record, error) {
	path := filepath.Join(folder, c.Folder(), recordFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func (c *Cell) keep(folder string, r *record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, filepath.Join(folder, c.Folder(), recordFile), append(data, '\n'))
}
