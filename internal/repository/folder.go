package repository

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
)

// Kinds of errors, for errors.Is.
var (
	ErrUnknown   = errors.New("there is no such network")
	ErrNotLoaded = errors.New("the network is not loaded")
	ErrInUse     = errors.New("the network is in use")
	ErrClosed    = errors.New("the repository is closed")
)

// Limits of a bundle.
const (
	maxFiles       = 64
	maxCard        = 1 << 20
	DefaultMaximum = 256 << 20 // bytes of all files of a bundle
)

// Folder is a repository on disk: name/version/ holds the files of a bundle. Several processes
// may use one folder at the same time.
type Folder struct {
	path    string
	fs      disk.FS
	maximum int64
}

// OpenFolder opens the repository in a folder, which it creates if necessary. maximum bounds the
// bytes of a bundle, 0 stands for DefaultMaximum. What an Add left there that was cut short at
// least an hour ago is removed.
func OpenFolder(f disk.FS, path string, maximum int64) (*Folder, error) {
	if maximum == 0 {
		maximum = DefaultMaximum
	}
	r := &Folder{path, f, maximum}
	err := f.MkdirAll(path)
	if err == nil {
		err = r.tidy(time.Now().Add(-time.Hour))
	}
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", path, err)
	}
	return r, nil
}

// Path is that of the folder.
func (f *Folder) Path() string { return f.path }

// tidy removes incomplete folders that were last changed before a time.
func (f *Folder) tidy(before time.Time) error {
	found, err := filepath.Glob(filepath.Join(f.path, "*", disk.Partial+"*"))
	if err != nil {
		return err
	}
	var faults []error
	for _, path := range found {
		if info, err := os.Lstat(path); err == nil && info.ModTime().Before(before) {
			faults = append(faults, f.fs.RemoveAll(path))
		}
	}
	return errors.Join(faults...)
}

// Info is what is known of a version without loading it.
type Info struct {
	Ref
	Card   *exporter.Card // nil with a Fault
	Digest string         // identifies the network, whatever its name and version
	Size   int64          // bytes of all files
	Added  time.Time      // when its folder was last changed
	Fault  error          // why it cannot be loaded, as far as can be told without reading all files
}

// List describes all versions of all networks, by name and ascending. A damaged version has a
// Fault, as has a folder whose name is none for a network; its Version is then 0.
func (f *Folder) List() ([]Info, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, fmt.Errorf("repository: %w", err)
	}
	var all []Info
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() || strings.HasPrefix(name, ".") {
			continue
		}
		if err := CheckName(name); err != nil {
			all = append(all, Info{Ref: Ref{Name: name}, Fault: err})
			continue
		}
		versions, err := f.Versions(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			all = append(all, Info{Ref: Ref{Name: name}, Fault: err})
			continue
		}
		for _, version := range versions {
			info, err := f.Describe(Ref{name, version})
			if errors.Is(err, ErrUnknown) {
				continue
			}
			info.Fault = err
			all = append(all, info)
		}
	}
	return all, nil
}

// Describe describes one version.
func (f *Folder) Describe(r Ref) (info Info, err error) {
	info.Ref = r
	if err := CheckName(r.Name); err != nil {
		return info, err
	}
	folder, err := os.Lstat(f.Version(r))
	if err != nil || !folder.IsDir() {
		return info, fmt.Errorf("network %v: %w", r, ErrUnknown)
	}
	info.Added = folder.ModTime()
	files, closeRoot, err := f.files(r)
	if err != nil {
		return info, err
	}
	defer closeRoot()
	data, err := readFile(files, exporter.CardFile, maxCard)
	if err == nil {
		info.Card, err = exporter.ParseCard(data)
	}
	if err != nil {
		return info, fmt.Errorf("network %v: %w", r, err)
	}
	info.Card.Name, info.Card.Version = r.Name, r.Version
	info.Digest, info.Size = info.Card.Digest(), int64(len(data))
	for file := range info.Card.SHA256 {
		s, err := fs.Stat(files, file)
		if err != nil {
			return info, fmt.Errorf("network %v: %w", r, err)
		}
		info.Size += s.Size()
	}
	return info, nil
}

// Versions lists the versions of a network, ascending.
func (f *Folder) Versions(name string) ([]int, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	return exporter.Versions(os.DirFS(filepath.Join(f.path, name)))
}

// Resolve finds the version that a reference means: name/3 that one, name/latest and name the
// highest.
func (f *Folder) Resolve(reference string) (Ref, error) {
	r, err := ParseRef(reference)
	if err != nil {
		return r, err
	}
	versions, err := f.Versions(r.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("network %s: %w", reference, err)
	}
	if r.Version == Latest && len(versions) > 0 {
		r.Version = versions[len(versions)-1]
	}
	for _, version := range versions {
		if version == r.Version {
			return r, nil
		}
	}
	return r, fmt.Errorf("network %s: %w; list the repository for its names and versions", reference, ErrUnknown)
}

// Version is the path of a version.
func (f *Folder) Version(r Ref) string {
	return filepath.Join(f.path, r.Name, strconv.Itoa(r.Version))
}

// files opens the folder of a version, which a link in it cannot lead out of.
func (f *Folder) files(r Ref) (fs.FS, func() error, error) {
	root, err := os.OpenRoot(f.Version(r))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("network %v: %w", r, ErrUnknown)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("network %v: %w", r, err)
	}
	return root.FS(), root.Close, nil
}

// readFile reads a regular file of at most that many bytes.
func readFile(files fs.FS, name string, most int64) ([]byte, error) {
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than the %d bytes that are left for it", name, most)
	}
	return data, err
}
