package repository_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/repository"
	"neuralwl/models"
	"neuralwl/models/pretrained"
)

// leftovers lists what is in a repository beside whole versions.
func leftovers(t testing.TB, f *repository.Folder) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(f.Path(), "*", ".*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestAdd adds a network from a folder, from a folder of versions, from an archive and from those that come with
// the program, and finds them again.
func TestAdd(t *testing.T) {
	f := newFolder(t)
	b := weighted(t, models.Made, small, 1)
	b.Records = map[string][]byte{"loss.csv": []byte("step,loss\n")}
	source := saved(t, b)
	for k, add := range []func() (repository.Ref, error){
		func() (repository.Ref, error) { return f.Add(context.Background(), os.DirFS(source), "net") },
		func() (repository.Ref, error) {
			return f.Add(context.Background(), os.DirFS(filepath.Dir(source)), "net")
		},
		func() (repository.Ref, error) {
			return f.AddArchive(context.Background(), bytes.NewReader(packed(t, os.DirFS(source), "")), "net")
		},
		func() (repository.Ref, error) {
			return f.AddArchive(context.Background(), bytes.NewReader(packed(t, os.DirFS(source), "./some/folder/")), "net")
		},
	} {
		ref, err := add()
		if err != nil || ref != (repository.Ref{Name: "net", Version: k + 1}) {
			t.Fatalf("%v, %v", ref, err)
		}
		copied, err := exporter.Load(filepath.Join(f.Path(), "net", fmt.Sprint(k+1)))
		if err != nil {
			t.Fatal(err)
		}
		if copied.Card.Name != "net" || copied.Card.Version != k+1 || copied.Card.Digest() != b.Card.Digest() {
			t.Errorf("version %d: the card says %s version %d with the digest %s", k+1, copied.Card.Name, copied.Card.Version, copied.Card.Digest())
		}
		if !proto.Equal(copied.Propose, b.Propose) {
			t.Errorf("version %d: other contents", k+1)
		}
	}
	files, err := pretrained.Open("potts-q2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Add(context.Background(), files, "potts-q2"); err != nil {
		t.Fatal(err)
	}
	all, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, info := range all {
		refs = append(refs, info.Ref.String())
		if info.Fault != nil || info.Size < 1000 || time.Since(info.Added) > time.Hour || info.Card.Version != info.Version {
			t.Errorf("%+v", info)
		}
	}
	if want := []string{"net/1", "net/2", "net/3", "net/4", "potts-q2/1"}; !slices.Equal(refs, want) {
		t.Errorf("%v are listed, %v were added", refs, want)
	}
	if all[0].Digest != b.Card.Digest() || all[4].Digest == all[0].Digest || all[4].Card.Training.Steps == 0 {
		t.Errorf("%+v", all)
	}
	if left := leftovers(t, f); len(left) > 0 {
		t.Errorf("there are %v", left)
	}
}

// TestAddRefuses refuses what is no whole and sound bundle, says why, and keeps nothing.
func TestAddRefuses(t *testing.T) {
	f := newFolder(t)
	whole := func() fstest.MapFS {
		files := fstest.MapFS{}
		source := os.DirFS(saved(t, weighted(t, models.Made, small, 1)))
		entries, err := fs.ReadDir(source, ".")
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			data, err := fs.ReadFile(source, entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			files[entry.Name()] = &fstest.MapFile{Data: data, Mode: 0o644}
		}
		return files
	}
	card := func(old, new string) func(files fstest.MapFS) {
		return func(files fstest.MapFS) {
			data := files[exporter.CardFile].Data
			if !bytes.Contains(data, []byte(old)) {
				t.Fatalf("the card has no %s", old)
			}
			files[exporter.CardFile].Data = bytes.Replace(data, []byte(old), []byte(new), 1)
		}
	}
	for _, c := range []struct {
		what   string
		change func(files fstest.MapFS)
		want   []string
	}{
		{"a flipped bit", func(files fstest.MapFS) { files[exporter.GradientFile].Data[100] ^= 1 }, []string{exporter.GradientFile, "sha256"}},
		{"a missing file", func(files fstest.MapFS) { delete(files, exporter.LogProbFile) }, []string{exporter.LogProbFile}},
		{"no card", func(files fstest.MapFS) { delete(files, exporter.CardFile) }, []string{exporter.CardFile, "numbered version"}},
		{"a file too many", func(files fstest.MapFS) { files["notes.txt"] = &fstest.MapFile{Data: []byte("x")} }, []string{"notes.txt", "remove the file"}},
		{"a folder", func(files fstest.MapFS) { files["sub/x"] = &fstest.MapFile{} }, []string{"sub", "regular"}},
		{"a link", func(files fstest.MapFS) {
			files["link"] = &fstest.MapFile{Data: []byte(exporter.ProposeFile), Mode: fs.ModeSymlink}
		}, []string{"link"}},
		{"a missing record", card(`"sha256": {`, `"sha256": {"loss.csv": "00",`), []string{"loss.csv is missing"}},
		{"a record elsewhere", card(`"sha256": {`, `"sha256": {"../net/1/card.json": "00",`), []string{"../net/1/card.json", "plain name"}},
		{"another contract", card(`"contract": 1`, `"contract": 2`), []string{"contract version 2"}},
		{"another system", card(`"q": 3`, `"q": 2`), nil}, // the graphs do not say it: Load finds it
		{"another size", card("4,\n      4", "5,\n      4"), []string{"[M 20]"}},
		{"too many files", func(files fstest.MapFS) {
			for i := range 64 {
				files[fmt.Sprint("f", i)] = &fstest.MapFile{}
			}
		}, []string{"at most 64"}},
	} {
		files := whole()
		c.change(files)
		ref, err := f.Add(context.Background(), files, "net")
		if c.want == nil {
			if err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			os.RemoveAll(filepath.Join(f.Path(), "net", fmt.Sprint(ref.Version)))
			continue
		}
		refused(t, err, nil, append(c.want, "network net", "nothing was kept")...)
	}
	for _, name := range []string{"", "..", "../net", "a/b", "Net", "x", "pretrained", "con", ".net", "net\n"} {
		if _, err := f.Add(context.Background(), whole(), name); err == nil {
			t.Errorf("the name %q is accepted", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.Add(ctx, whole(), "net"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	limited, err := repository.OpenFolder(disk.OS, f.Path(), 2000)
	if err != nil {
		t.Fatal(err)
	}
	_, err = limited.Add(context.Background(), whole(), "net")
	refused(t, err, nil, "bytes")
	if all, err := f.List(); err != nil || len(all) > 0 {
		t.Errorf("%v are listed, %v", all, err)
	}
	if left := leftovers(t, f); len(left) > 0 {
		t.Errorf("there are %v", left)
	}
}

// TestAddConcurrently adds from two processes, as it were, many times at once.
func TestAddConcurrently(t *testing.T) {
	first := newFolder(t)
	second, err := repository.OpenFolder(disk.OS, first.Path(), 0)
	if err != nil {
		t.Fatal(err)
	}
	source := os.DirFS(saved(t, weighted(t, models.Made, small, 1)))
	const each = 8
	var versions [2 * each]int
	var wait sync.WaitGroup
	for k := range versions {
		wait.Go(func() {
			f := first
			if k%2 == 1 {
				f = second
			}
			ref, err := f.Add(context.Background(), source, "net")
			if err != nil {
				t.Error(err)
			}
			versions[k] = ref.Version
		})
	}
	wait.Wait()
	slices.Sort(versions[:])
	for k, v := range versions {
		if v != k+1 {
			t.Fatalf("versions %v", versions)
		}
		if b, err := exporter.Load(filepath.Join(first.Path(), "net", fmt.Sprint(v))); err != nil || b.Card.Version != v {
			t.Errorf("version %d: %v", v, err)
		}
	}
	if left := leftovers(t, first); len(left) > 0 {
		t.Errorf("there are %v", left)
	}
}

// TestDiskFaults lets any operation on the disk fail while a network is added: then there is an
// error and no version, or all of it.
func TestDiskFaults(t *testing.T) {
	source := os.DirFS(saved(t, weighted(t, models.Made, small, 1)))
	fault := errors.New("the disk is full")
	for fails := 0; ; fails++ {
		count, path := 0, filepath.Join(t.TempDir(), "networks")
		broken := false
		f, err := repository.OpenFolder(faulty.FS{Fault: func(op faulty.Op, _ string) error {
			// What is left behind by a failing clean-up is tidied up later.
			if op == faulty.RemoveAll || op == faulty.Read {
				return nil
			}
			if count++; count == fails+2 { // the first makes the folder
				broken = true
				return fault
			}
			return nil
		}}, path, 0)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := f.Add(context.Background(), source, "net")
		if broken != (err != nil) || err != nil && !errors.Is(err, fault) {
			t.Fatalf("fault %d: %v", fails, err)
		}
		all, listed := f.List()
		if listed != nil || len(all) != ref.Version || ref.Version > 1 {
			t.Errorf("fault %d, %v: version %d, and %d are listed, %v", fails, err, ref.Version, len(all), listed)
		}
		if ref.Version == 1 {
			if _, err := exporter.Load(filepath.Join(path, "net")); err != nil {
				t.Errorf("fault %d: %v", fails, err)
			}
		} else if strings.Contains(err.Error(), "nothing was kept") && len(leftovers(t, f)) > 0 {
			t.Errorf("fault %d: there are %v", fails, leftovers(t, f))
		}
		if !broken {
			if fails < 15 {
				t.Errorf("only %d operations", fails)
			}
			return
		}
	}
}

// TestTidy removes what was cut short long ago and nothing else.
func TestTidy(t *testing.T) {
	f := newFolder(t)
	add(t, f, weighted(t, models.Made, small, 1), "net")
	for name, age := range map[string]time.Duration{".partial-old": 2 * time.Hour, ".partial-new": time.Minute} {
		path := filepath.Join(f.Path(), "net", name)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := repository.OpenFolder(disk.OS, f.Path(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, f); len(left) != 1 || filepath.Base(left[0]) != ".partial-new" {
		t.Errorf("there are %v", left)
	}
	if all, err := f.List(); err != nil || len(all) != 1 || all[0].Fault != nil {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestList lists damaged versions and strange folders with what is wrong, and the others as ever.
func TestList(t *testing.T) {
	f := newFolder(t)
	for range 11 {
		add(t, f, weighted(t, models.Made, small, 1), "net")
	}
	file := func(path ...string) string { return filepath.Join(append([]string{f.Path()}, path...)...) }
	for _, err := range []error{
		os.WriteFile(file("net", "2", exporter.CardFile), []byte("{"), 0o644),
		os.Remove(file("net", "3", exporter.ProposeFile)),
		os.RemoveAll(file("net", "4", exporter.CardFile)),
		os.Remove(file("net", "5", exporter.CardFile)),
		os.Symlink("/etc/passwd", file("net", "5", exporter.CardFile)),
		os.Remove(file("net", "6", exporter.CardFile)),
		os.Mkdir(file("net", "6", exporter.CardFile), 0o755),
		os.Mkdir(file("No Network"), 0o755),
		os.Mkdir(file(".hidden"), 0o755),
		os.Mkdir(file("net", "x1"), 0o755),
		os.Symlink(file("net", "1"), file("net", "12")),
		os.WriteFile(file("README"), nil, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	all, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{
		"No Network/latest": "cannot be a name", "net/2": "card.json", "net/3": exporter.ProposeFile, "net/4": exporter.CardFile,
		"net/5": "", "net/6": "regular",
	}
	var versions []int
	for _, info := range all {
		want, faulty := faults[info.Ref.String()]
		if faulty != (info.Fault != nil) || faulty && !strings.Contains(info.Fault.Error(), want) {
			t.Errorf("%v: %v", info.Ref, info.Fault)
		}
		delete(faults, info.Ref.String())
		if info.Name == "net" {
			versions = append(versions, info.Version)
		}
	}
	if len(faults) > 0 || !slices.IsSorted(versions) || len(versions) != 11 {
		t.Errorf("%v are missing, versions %v", slices.Collect(maps.Keys(faults)), versions)
	}
	for reference, want := range map[string]int{"net": 11, "net/latest": 11, "net/7": 7, "net/12": -1, "net/99": -1, "other": -1, "other/1": -1} {
		ref, err := f.Resolve(reference)
		if want > 0 && (err != nil || ref != (repository.Ref{Name: "net", Version: want})) || want < 0 && !errors.Is(err, repository.ErrUnknown) {
			t.Errorf("%s: %v, %v", reference, ref, err)
		}
	}
	for _, reference := range []string{"", "/", "net/", "net/0", "net/-1", "net/01", "net/+1", "net/1/2", "net/x", "../net", "net/../net", "NET/1"} {
		if ref, err := f.Resolve(reference); err == nil || errors.Is(err, repository.ErrUnknown) {
			t.Errorf("%q: %v, %v", reference, ref, err)
		}
	}
}
