package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// OpenRegular opens a file within a folder. Neither .. nor links lead out of it, and what is no
// file, as a pipe that would never answer, is as good as absent.
func OpenRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	about, err := root.Stat(name)
	if err == nil && !about.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w: it is no file", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if about, err = f.Stat(); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, about, nil
}

// lineBlock is how many bytes LastLines reads at a time.
const lineBlock = 64 << 10

// LastLines returns where the last lines of a file of some size begin, all of it if lines is 0, and
// where the last complete one ends.
func LastLines(f io.ReaderAt, size int64, lines int) (from, to int64, err error) {
	block := make([]byte, lineBlock)
	found := 0
	to = -1
	for end := size; end > 0; {
		begin := max(0, end-lineBlock)
		part := block[:end-begin]
		if _, err := f.ReadAt(part, begin); err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] != '\n' {
				continue
			}
			at := begin + int64(i) + 1
			if to < 0 {
				if to = at; lines == 0 {
					return 0, to, nil
				}
				continue
			}
			if found++; found == lines {
				return at, to, nil
			}
		}
		end = begin
	}
	return 0, max(to, 0), nil
}
