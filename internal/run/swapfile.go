package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"neuralwl/internal/disk"
	"neuralwl/internal/report"
)

// SwapsFolder of a run directory holds a copy of every network that SwapsFile names. Nothing that
// the run itself exports is in it.
const SwapsFolder = "swaps"

// openSwaps reads which exchanges of the network are on record: those that the checkpoint of a
// resumed run has behind it, and those that are to be made at their pass. A new run finds some if
// it is to do what another one did.
func (j *job) openSwaps(last *saved) error {
	j.swaps.j = j
	path := filepath.Join(j.folder, report.SwapsFile)
	var made []report.Swap
	if last != nil && last.Network != nil {
		made, j.swaps.since = last.Network.Swaps, last.Network.Since
	}
	var err error
	if j.swaps.recorded, err = readSwaps(j.fs, path); err != nil {
		return err
	}
	j.swaps.made = len(made)
	switch {
	case len(j.swaps.recorded) < len(made) || !slices.Equal(j.swaps.recorded[:len(made)], made):
		return fmt.Errorf("%s: the run has made %d exchanges of its network that are not the first ones of it; restore it", path, len(made))
	case len(j.swaps.recorded) > 0 && j.network == nil:
		return fmt.Errorf("%s: the run has no network to exchange; remove it, or take run.moves=[local, neural]", path)
	case j.o.Resume:
		return j.forgetCopies()
	}
	return nil
}

// Swaps reads which exchanges of the network a run directory has on record.
func Swaps(folder string) ([]report.Swap, error) {
	return readSwaps(disk.OS, filepath.Join(folder, report.SwapsFile))
}

func readSwaps(f disk.FS, path string) ([]report.Swap, error) {
	data, err := f.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	swaps, err := parseSwaps(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return swaps, nil
}

// parseSwaps reads the lines of SwapsFile.
func parseSwaps(data []byte) (swaps []report.Swap, err error) {
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		var s report.Swap
		switch err := d.Decode(&s); {
		case err != nil || !whole || d.More():
			return nil, fmt.Errorf("line %d is damaged: %q", n, line)
		case s.Pass < 0 || len(swaps) > 0 && s.Pass < swaps[len(swaps)-1].Pass:
			return nil, fmt.Errorf("line %d: pass %d, it must not be before that of the line before", n, s.Pass)
		case slices.Index(walking.stages, stage(s.Stage)) < 0:
			return nil, fmt.Errorf("line %d: there is no stage %q", n, s.Stage)
		case !filepath.IsLocal(s.Folder):
			return nil, fmt.Errorf("line %d: folder %q is not within the run directory", n, s.Folder)
		}
		swaps, data = append(swaps, s), rest
	}
	return swaps, nil
}

// writeSwaps forces the exchanges on record to disk. After an error those before are still there.
func (j *job) writeSwaps(before, after []report.Swap) error {
	err := j.putSwaps(after)
	if err == nil {
		return nil
	}
	// The last step of a write may fail when the file is already there.
	if undone := j.putSwaps(before); undone != nil {
		err = errors.Join(err, fmt.Errorf("remove the last line of %s before the run is resumed, if it has %d: %w",
			filepath.Join(j.folder, report.SwapsFile), len(after), undone))
	}
	return err
}

func (j *job) putSwaps(swaps []report.Swap) error {
	var lines bytes.Buffer
	for _, s := range swaps {
		if err := json.NewEncoder(&lines).Encode(s); err != nil {
			return err
		}
	}
	return j.write(report.SwapsFile, lines.Bytes())
}

// withdraw takes an exchange that was not made off the record.
func (s *swaps) withdraw() {
	before := s.recorded[:s.made]
	if err := s.j.putSwaps(before); err != nil {
		s.j.log.Error("an exchange of the network that was not made stays on record; remove the last line before the run is resumed",
			"file", filepath.Join(s.j.folder, report.SwapsFile), "reason", err)
	}
	s.recorded = before
}

// forgetCopies removes the networks that a killed run had copied but not put on record.
func (j *job) forgetCopies() error {
	folder := filepath.Join(j.folder, SwapsFolder)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		name := filepath.Join(SwapsFolder, entry.Name())
		if !slices.ContainsFunc(j.swaps.recorded, func(s report.Swap) bool { return filepath.Clean(s.Folder) == name }) {
			err = errors.Join(err, j.fs.RemoveAll(filepath.Join(j.folder, name)))
		}
	}
	return err
}
