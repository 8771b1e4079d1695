package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Size is the number of bytes of all files in a folder and below. Files that disappear meanwhile
// do not count.
func Size(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var about fs.FileInfo
			if about, err = entry.Info(); err == nil {
				bytes += about.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return bytes, err
}
