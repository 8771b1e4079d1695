package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
)

// Add copies a bundle into the repository as the next version of a network and returns that. The
// source holds a card, or numbered versions, of which it takes the highest. The files are
// checked against the card's digests and the contract; the copy's card has the new name and
// version. It appears under its path only when it is complete and on disk. Of several Adds at a
// time each gets a version of its own.
func (f *Folder) Add(ctx context.Context, source fs.FS, name string) (Ref, error) {
	return f.adding(name, func() (map[string][]byte, error) {
		if _, err := fs.Stat(source, exporter.CardFile); errors.Is(err, fs.ErrNotExist) {
			versions, err := exporter.Versions(source)
			if err != nil {
				return nil, err
			}
			if len(versions) == 0 {
				return nil, fmt.Errorf("there is neither a %s nor a numbered version in the source", exporter.CardFile)
			}
			if source, err = fs.Sub(source, strconv.Itoa(versions[len(versions)-1])); err != nil {
				return nil, err
			}
		}
		entries, err := fs.ReadDir(source, ".")
		if err != nil {
			return nil, err
		}
		if len(entries) > maxFiles {
			return nil, fmt.Errorf("it has %d files, at most %d are allowed", len(entries), maxFiles)
		}
		files := map[string][]byte{}
		left := f.maximum
		for _, entry := range entries {
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			data, err := readFile(source, entry.Name(), left)
			if err != nil {
				return nil, err
			}
			files[entry.Name()] = data
			left -= int64(len(data))
		}
		return files, nil
	})
}

// AddArchive is Add from a tar archive compressed by gzip, which holds the files of one version,
// all in the same folder and nothing else.
func (f *Folder) AddArchive(ctx context.Context, archive io.Reader, name string) (Ref, error) {
	return f.adding(name, func() (map[string][]byte, error) {
		return ReadArchive(readerContext{ctx, archive}, f.maximum)
	})
}

// readerContext ends a stream with its context.
type readerContext struct {
	ctx context.Context
	io.Reader
}

func (r readerContext) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// adding reads files, checks them and makes a version of them.
func (f *Folder) adding(name string, read func() (map[string][]byte, error)) (r Ref, err error) {
	defer func() {
		if err != nil && r.Version == 0 {
			err = fmt.Errorf("%w; nothing was kept of it", err)
		}
		if err != nil {
			err = fmt.Errorf("add network %s: %w", name, err)
		}
	}()
	if err := CheckName(name); err != nil {
		return r, err
	}
	files, err := read()
	if err != nil {
		return r, err
	}
	card, err := check(files)
	if err != nil {
		return r, err
	}
	return f.write(name, card, files)
}

// check returns the card of a bundle whose files are all that it lists, and as it says.
func check(files map[string][]byte) (*exporter.Card, error) {
	b, err := exporter.LoadFiles(files, "from the source")
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if _, ok := b.Card.SHA256[file]; !ok && file != exporter.CardFile {
			faults = append(faults, fmt.Errorf("%s has no sha256 of %s; remove the file, or enter it in the card", exporter.CardFile, file))
		}
	}
	for _, file := range slices.Sorted(maps.Keys(b.Card.SHA256)) {
		data, ok := files[file]
		if !ok {
			faults = append(faults, fmt.Errorf("%s is missing, of which %s has a sha256", file, exporter.CardFile))
			continue
		}
		faults = append(faults, exporter.CheckDigest(file, data, b.Card.SHA256[file]))
	}
	return &b.Card, errors.Join(faults...)
}

// write makes the next version of files whose card has been checked. An error with a version
// means that this is there, but perhaps not after a power failure.
func (f *Folder) write(name string, card *exporter.Card, files map[string][]byte) (_ Ref, err error) {
	parent := filepath.Join(f.path, name)
	temporary := filepath.Join(parent, fmt.Sprintf("%sadd-%016x", disk.Partial, rand.Uint64()))
	defer func() {
		if err != nil {
			f.fs.RemoveAll(temporary)
		}
	}()
	if err := f.fs.MkdirAll(temporary); err != nil {
		return Ref{}, err
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if file == exporter.CardFile {
			continue
		}
		if err := disk.WriteFile(f.fs, filepath.Join(temporary, file), files[file]); err != nil {
			return Ref{}, err
		}
	}
	for {
		highest, err := f.highest(name)
		if err != nil {
			return Ref{}, err
		}
		card.Name, card.Version = name, highest+1
		data, err := json.MarshalIndent(card, "", "  ")
		if err != nil {
			return Ref{}, err
		}
		// WriteFile also forces the folder to disk.
		if err := disk.WriteFile(f.fs, filepath.Join(temporary, exporter.CardFile), append(data, '\n')); err != nil {
			return Ref{}, err
		}
		r := Ref{name, card.Version}
		err = f.fs.Rename(temporary, f.Version(r))
		if errors.Is(err, fs.ErrExist) {
			continue // another was faster
		}
		if err != nil {
			return Ref{}, err
		}
		return r, errors.Join(f.fs.Sync(parent), f.fs.Sync(f.path))
	}
}

// highestFile holds the highest version that a network ever had, if that was removed: no number
// is given twice.
const highestFile = ".highest"

// highest is the highest version that a network ever had.
func (f *Folder) highest(name string) (int, error) {
	versions, err := f.Versions(name)
	if err != nil {
		return 0, err
	}
	highest := 0
	path := filepath.Join(f.path, name, highestFile)
	if data, err := f.fs.ReadFile(path); err == nil {
		if highest, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil || highest < 0 {
			return 0, fmt.Errorf("%s does not hold a number; write the highest version that %s ever had into it", path, name)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if len(versions) > 0 {
		highest = max(highest, versions[len(versions)-1])
	}
	return highest, nil
}

// Remove deletes a version, at once for all who look for it.
func (f *Folder) Remove(r Ref) error {
	folder := f.Version(r)
	if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("network %v: %w", r, ErrUnknown)
	}
	parent := filepath.Dir(folder)
	highest, err := f.highest(r.Name)
	if err == nil && highest == r.Version {
		err = disk.WriteFile(f.fs, filepath.Join(parent, highestFile), fmt.Appendln(nil, highest))
	}
	temporary := filepath.Join(parent, fmt.Sprintf("%sremove-%016x", disk.Partial, rand.Uint64()))
	if err == nil {
		err = f.fs.Rename(folder, temporary)
	}
	if err == nil {
		err = errors.Join(f.fs.Sync(parent), f.fs.RemoveAll(temporary))
	}
	if err != nil {
		return fmt.Errorf("remove network %v: %w", r, err)
	}
	return nil
}
