package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"neuralwl/internal/disk"
)

// VersionFile in the data folder holds the number of its layout.
const VersionFile = "version"

// dataVersion is the layout that this program reads and writes.
const dataVersion = 1

// migrations lead from a version to the next. Data folders of version 0 have no file with a
// version; those of 1 differ in nothing else.
var migrations = map[int]func(folder string) error{
	0: func(string) error { return nil },
}

// checkVersion migrates a data folder of an older version, step by step, and refuses one of a
// newer version.
func checkVersion(folder string) (migrated []string, err error) {
	path := filepath.Join(folder, VersionFile)
	version := 0
	switch text, err := os.ReadFile(path); {
	case errors.Is(err, os.ErrNotExist):
		// An empty folder is of the present version.
		if entries, err := os.ReadDir(filepath.Join(folder, runsName)); err == nil && len(entries) == 0 || errors.Is(err, os.ErrNotExist) {
			return nil, writeVersion(path, dataVersion)
		}
	case err != nil:
		return nil, fmt.Errorf("data folder: %w", err)
	default:
		if version, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil || version < 0 {
			return nil, fmt.Errorf("data folder: %s holds %q, which is no version; this program writes version %d", path, strings.TrimSpace(string(text)), dataVersion)
		}
	}
	if version > dataVersion {
		return nil, fmt.Errorf("data folder %s is of version %d, this program knows versions up to %d; take the newer program that wrote it", folder, version, dataVersion)
	}
	for ; version < dataVersion; version++ {
		step, ok := migrations[version]
		if !ok {
			return nil, fmt.Errorf("data folder %s is of version %d, this program reads version %d and cannot migrate it; use an older program in between", folder, version, dataVersion)
		}
		if err := step(folder); err != nil {
			return nil, fmt.Errorf("data folder %s: from version %d to %d: %w", folder, version, version+1, err)
		}
		if err := writeVersion(path, version+1); err != nil {
			return nil, err
		}
		migrated = append(migrated, fmt.Sprintf("%d to %d", version, version+1))
	}
	return migrated, nil
}

func writeVersion(path string, version int) error {
	if err := disk.WriteFile(disk.OS, path, []byte(strconv.Itoa(version)+"\n")); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}
