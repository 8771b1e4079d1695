package repository

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// WriteArchive writes files as AddArchive reads them: a tar archive compressed by gzip. It is the same
// for equal files.
func WriteArchive(w io.Writer, files map[string][]byte) error {
	compressed := gzip.NewWriter(w)
	archive := tar.NewWriter(compressed)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := archive.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(files[file])), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := archive.Write(files[file]); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}

// overhead is what headers may take in an archive beside the contents of the files.
const overhead = 1 << 20

// ReadArchive returns the files of a tar archive that is compressed by gzip.
func ReadArchive(r io.Reader, most int64) (map[string][]byte, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("the archive is not compressed by gzip: %w", err)
	}
	return readTar(z, most)
}

// readTar returns the files of a tar archive by their names without folders. It is an error if
// they are not all in one folder, if an entry is anything but a regular file or a folder, and if
// there are more than maxFiles or more than that many bytes.
func readTar(r io.Reader, most int64) (map[string][]byte, error) {
	limited := &limitedReader{r, most + overhead, most}
	archive := tar.NewReader(limited)
	files := map[string][]byte{}
	folder, left := "", most
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
		if entries == 2*maxFiles {
			return nil, fmt.Errorf("archive: more than %d entries", 2*maxFiles)
		}
		name := header.Name
		switch header.Typeflag {
		case tar.TypeDir:
			continue
		case tar.TypeReg:
		default:
			return nil, fmt.Errorf("archive: %q is a link or a device; pack only the files themselves", name)
		}
		clean := path.Clean(name)
		if path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsAny(name, "\\:\x00") {
			return nil, fmt.Errorf("archive: %q leads out of its folder; pack it again from there", name)
		}
		in, base := path.Split(clean)
		if strings.HasPrefix(base, ".") || base == "" {
			return nil, fmt.Errorf("archive: %q is not the name of a file of a bundle", name)
		}
		if len(files) == 0 {
			folder = in
		} else if in != folder {
			return nil, fmt.Errorf("archive: %q is not in the same folder as the other files; pack one version of a network alone", name)
		}
		if _, ok := files[base]; ok {
			return nil, fmt.Errorf("archive: %q is in it twice", name)
		}
		if len(files) == maxFiles {
			return nil, fmt.Errorf("archive: more than %d files", maxFiles)
		}
		// A sparse file may be larger than what there is of it in the archive.
		if left -= header.Size; left < 0 {
			return nil, fmt.Errorf("archive: more than %d bytes in its files", most)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("archive: %q: %w", name, err)
		}
		files[base] = data
	}
	// The end of the stream has its checksum.
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return files, nil
}

// limitedReader fails once more bytes have been read than allowed.
type limitedReader struct {
	io.Reader
	left, most int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.Reader.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("more than %d bytes", l.most)
	}
	return n, err
}
