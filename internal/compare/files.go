package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"neuralwl/internal/disk"
	"neuralwl/internal/report"
	"neuralwl/internal/training"
	"neuralwl/sampler/dos"
)

// trainingFile holds a training.Report in the folder of a training.
const trainingFile = "training.json"

// readTraining reads what a training reports.
func readTraining(folder string) (*training.Report, error) {
	path := filepath.Join(folder, trainingFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &training.Report{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// trainedBundle is the path of the network that a training made.
func trainedBundle(folder string) (string, error) {
	r, err := readTraining(folder)
	if err != nil {
		return "", fmt.Errorf("the training left no network: %w", err)
	}
	return filepath.Abs(filepath.Join(folder, r.Folder))
}

func writeDensity(path string, d *dos.Density) error {
	var text bytes.Buffer
	if err := d.WriteCSV(&text); err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, path, text.Bytes())
}

// reference reads the density of states from which the errors of a system are counted.
func (s *Spec) reference(folder string, y *System) (*dos.Density, error) {
	switch y.Reference {
	case ExactReference:
		return dos.ReadFile(referencePath(folder, y))
	case RunReference:
		for _, c := range s.references() {
			if c.System.Name == y.Name {
				return dos.ReadFile(filepath.Join(folder, c.Folder(), runFolder, report.DensityFile))
			}
		}
	}
	return dos.ReadFile(y.Reference)
}
