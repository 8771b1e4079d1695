package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"neuralwl/internal/disk"
)

// Keep is the number of checkpoints kept: if the last one is damaged, the previous one is
// left.
const Keep = 2

// extension of a checkpoint's file name, which is otherwise its number.
const extension = ".checkpoint"

// Folder holds the checkpoints of one run.
type Folder struct {
	FS   disk.FS
	Path string
}

// Write adds a checkpoint with the next number and removes all but the last Keep. On an
// error the earlier ones are still there. It returns the size of the file.
func (f Folder) Write(value any) (size int, err error) {
	numbers, err := f.numbers()
	if err != nil {
		return 0, fmt.Errorf("checkpoints: %w", err)
	}
	data, err := Encode(value)
	if err != nil {
		return 0, err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[0] + 1
	}
	path := f.path(next)
	if err := errors.Join(f.FS.MkdirAll(f.Path), disk.WriteFile(f.FS, path, data)); err != nil {
		return 0, fmt.Errorf("write checkpoint %s: %w", path, err)
	}
	for i, number := range numbers {
		if i+1 >= Keep {
			if err := f.FS.RemoveAll(f.path(number)); err != nil {
				return len(data), fmt.Errorf("remove old checkpoint: %w", err)
			}
		}
	}
	return len(data), nil
}

// Read reads the newest intact checkpoint into a new T. It reports each damaged one that it
// passes over to skipped. It returns the path of the checkpoint, or ErrNone if there is
// none at all.
func Read[T any](f Folder, skipped func(path string, reason error)) (*T, string, error) {
	numbers, err := f.numbers()
	if err != nil {
		return nil, "", fmt.Errorf("checkpoints: %w", err)
	}
	if len(numbers) == 0 {
		return nil, "", ErrNone
	}
	for _, number := range numbers {
		path := f.path(number)
		value := new(T)
		data, err := f.FS.ReadFile(path)
		if err == nil {
			err = Decode(data, value)
		}
		if err == nil {
			return value, path, nil
		}
		skipped(path, err)
	}
	return nil, "", fmt.Errorf("none of the %d checkpoints in %s can be read", len(numbers), f.Path)
}

// SetAside renames an unreadable checkpoint, so that it does not count among those to be
// kept.
func (f Folder) SetAside(path string) error { return f.FS.Rename(path, path+".damaged") }

// ErrNone is returned if there is no checkpoint.
var ErrNone = errors.New("there is no checkpoint")

func (f Folder) path(number int) string {
	return filepath.Join(f.Path, strconv.Itoa(number)+extension)
}

// Paths lists the checkpoints, the newest first.
func (f Folder) Paths() ([]string, error) {
	numbers, err := f.numbers()
	var paths []string
	for _, number := range numbers {
		paths = append(paths, f.path(number))
	}
	return paths, err
}

// numbers lists the checkpoints' numbers, the highest first.
func (f Folder) numbers() ([]int, error) {
	entries, err := os.ReadDir(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var numbers []int
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), extension)
		if number, err := strconv.Atoi(name); ok && err == nil && number > 0 {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	slices.Reverse(numbers)
	return numbers, err
}
