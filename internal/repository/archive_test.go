package repository

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// member is an entry of an archive.
type member struct {
	name string
	kind byte
	data string
	pax  map[string]string
}

// packed makes a tar archive.
func packed(t testing.TB, members ...member) []byte {
	t.Helper()
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, m := range members {
		h := &tar.Header{Typeflag: m.kind, Name: m.name, Mode: 0o644, PAXRecords: m.pax}
		if m.kind == tar.TypeReg {
			h.Size = int64(len(m.data))
		} else {
			h.Linkname = m.data
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if m.kind == tar.TypeReg {
			if _, err := w.Write([]byte(m.data)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func compressed(t testing.TB, data []byte) []byte {
	t.Helper()
	var buffer bytes.Buffer
	z := gzip.NewWriter(&buffer)
	_, err := z.Write(data)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

const testMost = 1 << 20

// TestArchive reads what tar makes of a folder, from above it or from within.
func TestArchive(t *testing.T) {
	for _, prefix := range []string{"", "./", "3/", "./net/3/", "net//3/"} {
		members := []member{{prefix + "card.json", tar.TypeReg, "card", nil}, {prefix + "propose.onnx", tar.TypeReg, "propose", nil}}
		if prefix != "" {
			members = append([]member{{prefix, tar.TypeDir, "", nil}}, members...)
		}
		files, err := ReadArchive(bytes.NewReader(compressed(t, packed(t, members...))), testMost)
		if err != nil || len(files) != 2 || string(files["card.json"]) != "card" || string(files["propose.onnx"]) != "propose" {
			t.Errorf("with the prefix %q: %d files, %v", prefix, len(files), err)
		}
	}
}

// TestHostileArchives refuses whatever could do harm.
func TestHostileArchives(t *testing.T) {
	file := func(name string) member { return member{name, tar.TypeReg, "x", nil} }
	var many, folders []member
	for i := range maxFiles + 1 {
		many = append(many, file(fmt.Sprint("f", i)))
	}
	for i := range 3 * maxFiles {
		folders = append(folders, member{fmt.Sprint("f", i, "/"), tar.TypeDir, "", nil})
	}
	large := member{"large", tar.TypeReg, strings.Repeat("x", testMost/2), nil}
	other := large
	other.name = "other"
	third := large
	third.name = "third"
	for _, c := range []struct {
		what string
		data []byte
		want string
	}{
		{"not compressed", packed(t, file("a")), "gzip"},
		{"nothing", nil, "gzip"},
		{"up", compressed(t, packed(t, file("../a"))), `"../a" leads out`},
		{"up from within", compressed(t, packed(t, file("a/../../b"))), "leads out"},
		{"absolute", compressed(t, packed(t, file("/etc/passwd"))), "leads out"},
		{"backslash", compressed(t, packed(t, file(`..\a`))), "leads out"},
		{"drive", compressed(t, packed(t, file(`c:a`))), "leads out"},
		{"hidden", compressed(t, packed(t, file(".a"))), `".a" is not the name`},
		{"dots", compressed(t, packed(t, file("a/.."))), "not the name"},
		{"symbolic link", compressed(t, packed(t, member{"a", tar.TypeSymlink, "/etc/passwd", nil})), "link"},
		{"hard link", compressed(t, packed(t, file("b"), member{"a", tar.TypeLink, "b", nil})), "link"},
		{"device", compressed(t, packed(t, member{"a", tar.TypeChar, "", nil})), "device"},
		{"pipe", compressed(t, packed(t, member{"a", tar.TypeFifo, "", nil})), "device"},
		{"twice", compressed(t, packed(t, file("a"), file("./a"))), "twice"},
		{"two folders", compressed(t, packed(t, file("1/a"), file("2/a"))), "same folder"},
		{"many files", compressed(t, packed(t, many...)), "64 files"},
		{"many folders", compressed(t, packed(t, folders...)), "entries"},
		{"large", compressed(t, packed(t, large, other, third)), "bytes"},
		{"a bomb behind the end", compressed(t, append(packed(t, file("a")), make([]byte, 4*testMost)...)), "bytes"},
		{"cut", compressed(t, packed(t, large))[:300], "unexpected EOF"},
	} {
		if files, err := ReadArchive(bytes.NewReader(c.data), testMost); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d files, %v", c.what, len(files), err)
		}
	}
	damaged := compressed(t, packed(t, large))
	damaged[len(damaged)-6] ^= 1
	if _, err := ReadArchive(bytes.NewReader(damaged), testMost); !errors.Is(err, gzip.ErrChecksum) {
		t.Errorf("wrong checksum: %v", err)
	}
}

// FuzzArchive reads arbitrary bytes as an archive, compressed or not. What is accepted are plain
// names and no more than allowed.
func FuzzArchive(f *testing.F) {
	for _, prefix := range []string{"", "./", "3/"} {
		data := packed(f, member{prefix + "card.json", tar.TypeReg, "{}", nil}, member{prefix + "propose.onnx", tar.TypeReg, "x", nil})
		f.Add(data, false)
		f.Add(compressed(f, data), true)
	}
	f.Add(packed(f, member{"../a", tar.TypeReg, "x", nil}), false)
	f.Add(packed(f, member{"a", tar.TypeSymlink, "b", nil}), false)
	f.Add(packed(f, member{strings.Repeat("long/", 60) + "name", tar.TypeReg, "x", map[string]string{"comment": "x"}}), false)
	f.Fuzz(func(t *testing.T, data []byte, gz bool) {
		const most = 1 << 16
		read := readTar
		if gz {
			read = ReadArchive
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		files, err := read(bytes.NewReader(data), most)
		runtime.ReadMemStats(&after)
		// A stream may be all headers, and io.ReadAll grows in steps.
		if used := after.TotalAlloc - before.TotalAlloc; used > 16*(most+overhead)+512*uint64(len(data)) {
			t.Errorf("%d bytes allocated for an archive of %d", used, len(data))
		}
		if err != nil {
			return
		}
		total := 0
		for name, data := range files {
			total += len(data)
			if !filepath.IsLocal(name) || filepath.Base(name) != name || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\:`) {
				t.Errorf("the name %q is accepted", name)
			}
		}
		if total > most || len(files) > maxFiles {
			t.Errorf("%d files with %d bytes are accepted", len(files), total)
		}
	})
}
