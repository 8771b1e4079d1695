package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"neuralwl/internal/disk"
)

// Folder is a run directory that one owner writes to a store, manifest after manifest.
type Folder struct {
	store *Store
	id    string
	epoch int    // of the owner's lease
	path  string // on this machine
	// first are folders within it whose files are read before all others: what they name is there as
	// long as they are the newest.
	first []string
	// local are files that belong to the machine and are not stored.
	local []string

	number int
	name   string // of the newest manifest that is on record, empty for none
	newest *Manifest
	last   string // and the one before
	before *Manifest
}

// Folder opens the directory of a run for the owner of an epoch.
func (s *Store) Folder(id string, epoch int, path string, first, local []string) *Folder {
	return &Folder{store: s, id: id, epoch: epoch, path: path, first: first, local: local}
}

// stored reports whether a file belongs to the run.
func (f *Folder) stored(name string) bool {
	return !slices.Contains(f.local, name) && !strings.Contains("/"+name, "/"+disk.Partial)
}

// Pull makes the directory what a manifest says, with its local files left alone. An empty name is
// that of a run that has nothing yet.
func (f *Folder) Pull(ctx context.Context, name string) error {
	m := &Manifest{}
	if name != "" {
		var err error
		if m, err = f.store.Manifest(ctx, f.id, name); err != nil {
			return err
		}
	}
	there, err := f.list()
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	// What is read first when it is pushed comes last, so that it never names what is not there.
	files := slices.Clone(m.Files)
	slices.Reverse(files)
	for _, file := range files {
		if !filepath.IsLocal(filepath.FromSlash(file.Path)) || path.Clean(file.Path) != file.Path || !f.stored(file.Path) {
			return fmt.Errorf("%s is %w: %q is no file of the run directory", f.store.key(f.id, name), ErrDamaged, file.Path)
		}
		if file.Bytes > 0 && (!blobForm.MatchString(file.Blob) || path.Base(file.Blob) != file.SHA256) {
			return fmt.Errorf("%s is %w: %q is no name of the contents of %s", f.store.key(f.id, name), ErrDamaged, file.Blob, file.Path)
		}
		wanted[file.Path] = true
		at := filepath.Join(f.path, filepath.FromSlash(file.Path))
		if data, err := os.ReadFile(at); err == nil && digest(data) == file.SHA256 {
			continue
		}
		var data []byte
		if file.Bytes > 0 {
			if data, err = f.store.get(ctx, f.id, file.Blob); err != nil {
				return err
			}
		}
		if digest(data) != file.SHA256 {
			return fmt.Errorf("%s is %w: its digest is another one", f.store.key(f.id, file.Blob), ErrDamaged)
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o777), disk.WriteFile(disk.OS, at, data)); err != nil {
			return err
		}
	}
	for _, old := range there {
		if !wanted[old] {
			if err := os.Remove(filepath.Join(f.path, filepath.FromSlash(old))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if name != "" {
		f.name, f.newest = name, m
	}
	return nil
}

// Push stores the directory as it is, what changed since the newest manifest, and returns the name of the
// new one, which counts once Recorded says that it is on record.
func (f *Folder) Push(ctx context.Context) (string, *Manifest, error) {
	names, err := f.list()
	if err != nil {
		return "", nil, err
	}
	blobs := map[string]string{} // by digest
	if f.newest != nil {
		for _, file := range f.newest.Files {
			blobs[file.SHA256] = file.Blob
		}
	}
	m := &Manifest{Files: []File{}}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(f.path, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return "", nil, err
		}
		sum := digest(data)
		if blobs[sum] == "" && len(data) > 0 {
			blob := blobName(f.epoch, sum)
			if err := f.store.put(ctx, f.id, blob, data); err != nil {
				return "", nil, err
			}
			blobs[sum] = blob
		}
		m.Files = append(m.Files, File{name, int64(len(data)), sum, blobs[sum]})
	}
	text, err := json.Marshal(m)
	if err != nil {
		return "", nil, err
	}
	f.number++
	name := manifestName(f.epoch, f.number)
	return name, m, f.store.put(ctx, f.id, name, text)
}

// Recorded notes that the record of the run names a manifest, and removes what neither it nor the one
// before needs.
func (f *Folder) Recorded(ctx context.Context, name string, m *Manifest) error {
	f.last, f.before = f.name, f.newest
	f.name, f.newest = name, m
	keep := map[string]*Manifest{name: m}
	if f.before != nil {
		keep[f.last] = f.before
	}
	return f.store.Collect(ctx, f.id, f.epoch, keep)
}

// list names the files of the directory that belong to the run, those that are read first at the
// beginning.
func (f *Folder) list() (names []string, err error) {
	err = filepath.WalkDir(f.path, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(f.path, path)
		if name = filepath.ToSlash(name); err == nil && f.stored(name) {
			names = append(names, name)
		}
		return err
	})
	slices.SortStableFunc(names, func(a, b string) int { return f.rank(a) - f.rank(b) })
	return names, err
}

func (f *Folder) rank(name string) int {
	for i, folder := range f.first {
		if strings.HasPrefix(name, folder+"/") {
			return i
		}
	}
	return len(f.first)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
