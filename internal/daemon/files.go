package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"neuralwl/internal/api"
)

// mostFiles bounds the list of a run directory.
const mostFiles = 10000

// types of files by their extension; all others are bytes. What a browser would run is text.
var types = map[string]string{
	".csv": "text/csv; charset=utf-8", ".json": "application/json", ".jsonl": "application/jsonl", ".yaml": "application/yaml",
	".svg": "image/svg+xml", ".png": "image/png", ".npz": "application/zip", ".zip": "application/zip",
	".txt": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8",
	".html": "text/plain; charset=utf-8",
}

// TypeOf is the media type of a file in a run directory by its name.
func TypeOf(name string) string {
	if t, ok := types[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

// Files lists the run directory of a run.
func (d *Daemon) Files(id string) (*api.FileList, error) {
	root, err := d.Open(id)
	if err != nil {
		return nil, err
	}
	return list(root)
}

// GroupFiles lists the folder of a group.
func (d *Daemon) GroupFiles(name string) (*api.FileList, error) {
	root, err := d.OpenGroup(name)
	if err != nil {
		return nil, err
	}
	return list(root)
}

// list lists a folder, and closes it.
func list(root *os.Root) (*api.FileList, error) {
	defer root.Close()
	l := &api.FileList{Files: []api.File{}}
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		about, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(l.Files) == mostFiles {
			l.More = true
			return fs.SkipAll
		}
		l.Files = append(l.Files, api.File{Path: name, Bytes: about.Size(), Modified: about.ModTime().UTC(), Type: TypeOf(name)})
		return nil
	})
	return l, err
}
