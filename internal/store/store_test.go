package store

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// open opens a store of a server of its own.
func open(t *testing.T) *Store {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("runs"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	s, err := Open(t.Context(), "s3://runs/of/mine")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// write writes files into a folder, with what the names say.
func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// holds checks that a folder holds these files and no others.
func holds(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			n++
		}
		return err
	})
	if err != nil || n != len(files) {
		t.Errorf("%s holds %d files of %d, %v", folder, n, len(files), err)
	}
	for name, text := range files {
		if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != text {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
}

var first, local = []string{"checkpoints"}, []string{".lock", "job.json"}

// push stores a folder and takes it on record.
func push(t *testing.T, f *Folder) string {
	t.Helper()
	name, m, err := f.Push(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Recorded(t.Context(), name, m); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestFolder passes a directory on from one owner to the next; what the first one writes after that is
// not seen, and what is no longer needed is removed.
func TestFolder(t *testing.T) {
	s := open(t)
	one, two, head := t.TempDir(), t.TempDir(), t.TempDir()
	a := s.Folder("run-1", 1, one, first, local)
	if err := a.Pull(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	write(t, one, map[string]string{"config.yaml": "c", "checkpoints/1": "first", ".lock": "mine", "job.json": "mine", ".partial-x": "half"})
	push(t, a)
	write(t, one, map[string]string{"checkpoints/2": "second", "events.jsonl": "e", "child.log": ""})
	taken := push(t, a)

	b := s.Folder("run-1", 2, two, first, local)
	write(t, two, map[string]string{"old": "of an earlier lease", "config.yaml": "C", "job.json": "theirs"})
	if err := b.Pull(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	holds(t, two, map[string]string{"config.yaml": "c", "checkpoints/1": "first", "checkpoints/2": "second", "events.jsonl": "e", "child.log": "", "job.json": "theirs"})
	// The first owner does not know that its lease is over.
	write(t, one, map[string]string{"checkpoints/3": "stale"})
	stale, _, err := a.Push(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(two, "checkpoints/1")); err != nil {
		t.Fatal(err)
	}
	write(t, two, map[string]string{"checkpoints/3": "third"})
	push(t, b)
	write(t, two, map[string]string{"dos.csv": "d"})
	last := push(t, b)
	h := s.Folder("run-1", 0, head, first, local)
	if err := h.Pull(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	holds(t, head, map[string]string{"config.yaml": "c", "checkpoints/2": "second", "checkpoints/3": "third", "events.jsonl": "e", "child.log": "", "dos.csv": "d"})
	names, err := s.names(t.Context(), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	manifests := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasSuffix(n, ".json") })
	if len(names) != 5+2 || !slices.Equal(manifests, []string{"2-1.json", "2-2.json"}) || slices.Contains(names, stale) {
		t.Errorf("what is left: %v", names)
	}
	if err := s.Remove(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	if names, err := s.names(t.Context(), "run-1"); err != nil || len(names) != 0 {
		t.Errorf("after its removal: %v, %v", names, err)
	}
}

// TestDamaged refuses contents with another digest, files that are not the run's, and names of another form.
func TestDamaged(t *testing.T) {
	s := open(t)
	x, y := digest([]byte("x")), digest([]byte("y"))
	of := func(path, sha256, blob string) string {
		return fmt.Sprintf(`{"files": [{"path": %q, "bytes": 1, "sha256": %q, "blob": %q}]}`, path, sha256, blob)
	}
	for blob, text := range map[string]string{"1/" + x: "x", "1/" + y: "x", "x": "x"} {
		if err := s.put(t.Context(), "run-1", blob, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	pull := func(name, manifest string) (string, error) {
		if err := s.put(t.Context(), "run-1", name, []byte(manifest)); err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		return folder, s.Folder("run-1", 2, folder, first, local).Pull(t.Context(), name)
	}
	folder, err := pull("1-1.json", of("a", x, "1/"+x))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, folder, map[string]string{"a": "x"})
	for what, manifest := range map[string]string{
		"digest": of("a", y, "1/"+y), "outside": of("../a", x, "1/"+x), "not clean": of("./job.json", x, "1/"+x), "local": of("job.json", x, "1/"+x),
		"text": "no manifest", "missing": of("a", x, "2/"+x), "of another run": of("a", x, "../run-1/1/"+x), "no digest": of("a", "x", "x"),
		"upwards": of("a", "../../x", "../x"), "two digests": of("a", x, "1/"+y),
	} {
		folder, err := pull("1-1.json", manifest)
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
		holds(t, folder, nil)
	}
	for _, name := range []string{"x", "1-1", "../run-1/1-1.json", "01-1.json"} {
		if _, err := pull(name, of("a", x, "1/"+x)); !errors.Is(err, ErrDamaged) {
			t.Errorf("a manifest %q: %v", name, err)
		}
	}
}

// TestNewest finds the last manifest of the latest owner, by numbers.
func TestNewest(t *testing.T) {
	s := open(t)
	if name, epoch, err := s.Newest(t.Context(), "run-1"); name != "" || epoch != 0 || err != nil {
		t.Errorf("of nothing: %q, %d, %v", name, epoch, err)
	}
	for _, name := range []string{"2-9.json", "10-2.json", "10-10.json", "9-11.json", "11/" + digest(nil), "12-1.txt"} {
		if err := s.put(t.Context(), "run-1", name, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if name, epoch, err := s.Newest(t.Context(), "run-1"); name != "10-10.json" || epoch != 10 || err != nil {
		t.Errorf("the newest is %q of %d, %v", name, epoch, err)
	}
}

// TestOpen says what is wrong with an address.
func TestOpen(t *testing.T) {
	open(t)
	for _, address := range []string{"", "runs", "s3://", "s3:///x", "http://runs", "s3://nowhere/x"} {
		if _, err := Open(context.Background(), address); err == nil {
			t.Errorf("%q is accepted", address)
		}
	}
	endpoint := os.Getenv(endpointVariable)
	for _, at := range []string{endpoint + "/of/mine", "localhost", "ftp://localhost"} {
		t.Setenv(endpointVariable, at)
		if _, err := Open(context.Background(), "s3://runs/of/mine"); err == nil || !strings.Contains(err.Error(), endpointVariable+"=") {
			t.Errorf("%s=%s: %v", endpointVariable, at, err)
		}
	}
}
