package daemon

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

// glassy are the settings of members of some hundredths of a second, at two points.
func glassy(more ...string) []string {
	return append([]string{
		"system.model=random_bond", "system.size=4x4", "run.walkers=8", "run.workers=1", "wang_landau.final_ln_f=1e-3", "production.passes=600",
		"metrics.listen=", "local.sweeps=2,3",
	}, more...)
}

// submitGroup submits a group, which must be possible.
func (h *house) submitGroup(s api.GroupSubmission) *api.Group {
	h.t.Helper()
	g, err := h.SubmitGroup(h.t.Context(), s, "")
	if err != nil {
		h.t.Fatal(err)
	}
	return g
}

// waitGroup waits until a group is as it should be.
func (h *house) waitGroup(name, what string, ok func(*api.Group) bool) *api.Group {
	h.t.Helper()
	var g *api.Group
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var err error
		if g, err = h.Group(name); err != nil {
			h.t.Fatal(err)
		}
		if ok(g) {
			return g
		}
	}
	h.t.Fatalf("%s is not %s: %+v", name, what, g)
	return nil
}

// merged waits until all members of a group are done and in its result.
func (h *house) merged(name string) *api.Group {
	h.t.Helper()
	return h.waitGroup(name, "merged", func(g *api.Group) bool { return g.State == job.Done && g.Merged == g.Members })
}

// TestGroup submits a group and follows it: its members and their seeds, its results, the events, and the
// names that are taken.
func TestGroup(t *testing.T) {
	h := open(t, t.TempDir(), func(o *Options) { o.Jobs = 2 })
	s := api.GroupSubmission{Name: "glass", Set: glassy("system.disorder_seed=1..3"), Seeds: "1,2", Betas: "0.2,0.4", Title: "small", Tags: []string{"x"}}
	g := h.submitGroup(s)
	if g.Members != 12 || g.Points != 2 || g.System != "random_bond-4x4" || g.Method != "wang-landau" {
		t.Errorf("%+v", g)
	}
	// The same again goes on, and is no second one; another one of the name is refused.
	if again := h.submitGroup(s); again.Members != 12 || len(h.List(func(*api.Run) bool { return true })) != 12 {
		t.Errorf("%+v", again)
	}
	other := s
	other.Seeds = "1,3"
	if _, err := h.SubmitGroup(t.Context(), other, ""); !errors.Is(err, queue.ErrExists) {
		t.Errorf("another group of the name: %v", err)
	}
	if _, err := h.Submit(t.Context(), api.Submission{ID: "glass", Set: small()}, ""); !errors.Is(err, queue.ErrExists) {
		t.Errorf("a run of the group's name: %v", err)
	}
	r, err := h.Get(t.Context(), "glass-12")
	if err != nil || r.Group != "glass" || r.Title != "small" {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, want := range []string{"seed: 6\n", "disorder_seed: 3\n", "figures: false\n", "sweeps: 3\n"} {
		if !strings.Contains(r.Config, want) {
			t.Errorf("nothing of %q in the configuration of the last member", want)
		}
	}
	g = h.merged("glass")
	if g.States["done"] != 12 || g.Event == 0 {
		t.Errorf("%+v", g)
	}
	for _, folder := range []string{"points/sweeps=2", "points/sweeps=3"} {
		text, err := os.ReadFile(filepath.Join(h.GroupFolder("glass"), folder, ensemble.AveragesFile))
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll(); err != nil || len(rows) != 3 {
			t.Errorf("%s: %d rows, %v", folder, len(rows), err)
		}
	}
	if l, err := h.GroupFiles("glass"); err != nil || len(l.Files) < 15 {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := h.Group("none"); !Missing(err) {
		t.Error(err)
	}
	// A group whose members would take the name of another run.
	h.submit(api.Submission{ID: "taken-2"})
	if _, err := h.SubmitGroup(t.Context(), api.GroupSubmission{Name: "taken", Set: small(), Seeds: "1..3"}, ""); !errors.Is(err, queue.ErrExists) || !strings.Contains(err.Error(), "taken-2") {
		t.Error(err)
	}
	// Nameless ones get the same name for the same, another one for another.
	nameless := api.GroupSubmission{Set: small(), Seeds: "1,2"}
	a, b := h.submitGroup(nameless), h.submitGroup(nameless)
	nameless.Seeds = "2,3"
	if c := h.submitGroup(nameless); a.Name != b.Name || a.Name == c.Name || !strings.HasPrefix(a.Name, "q3-4x4-") {
		t.Errorf("%s, %s, %s", a.Name, b.Name, c.Name)
	}
	h.merged(a.Name)
	if _, err := os.Stat(filepath.Join(h.GroupFolder(a.Name), ensemble.DensityFile)); err != nil {
		t.Error(err)
	}
}

// TestGroupCouplings submits a group of lists of couplings: each member has those of its realisation.
func TestGroupCouplings(t *testing.T) {
	h := open(t, t.TempDir(), func(o *Options) { o.Jobs = 2 })
	set := []string{"system.model=file", "run.method=wang-landau", "run.walkers=8", "run.workers=1", "wang_landau.final_ln_f=1e-3", "production.passes=200", "run.seed=5"}
	s := api.GroupSubmission{Name: "lists", Set: set, Betas: "0.2", Couplings: []api.Couplings{
		{Title: "first", List: "i j J\n0 1 1\n1 2 1\n2 3 1\n3 4 1\n4 5 1\n5 6 1\n6 7 1\n"}, {Title: "second", List: "i j J\n0 1 1\n1 2 1\n2 3 1\n3 4 1\n4 5 1\n5 0 1\n5 6 1\n6 7 -1\n"},
	}}
	if g := h.submitGroup(s); g.Members != 2 || g.Points != 1 {
		t.Errorf("%+v", g)
	}
	if g := h.merged("lists"); g.States["done"] != 2 {
		t.Errorf("%+v", g)
	}
	r, err := h.Get(t.Context(), "lists-2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"seed: 6\n", "title: second\n", "6 7 -1\n"} {
		if !strings.Contains(r.Config, want) {
			t.Errorf("nothing of %q in the configuration of the last member", want)
		}
	}
	text, err := os.ReadFile(filepath.Join(h.GroupFolder("lists"), ensemble.RealisationsFile))
	if err != nil || !strings.Contains(string(text), ",first,1,") || !strings.Contains(string(text), ",second,1,") {
		t.Errorf("%s, %v", text, err)
	}
	if g, err := h.Group("lists"); err != nil || !slices.Equal(g.Couplings, []string{"first", "second"}) {
		t.Errorf("%+v, %v", g, err)
	}
	for want, change := range map[string]func(*api.GroupSubmission){
		"first has 8 sites, second 4": func(s *api.GroupSubmission) { s.Couplings[1].List = "i j J\n0 1 1\n1 2 1\n2 3 1\n3 0 1\n" },
		"second: ":                    func(s *api.GroupSubmission) { s.Couplings[1].List = "i j J\n0 0 1\n" },
		"A name":                      func(s *api.GroupSubmission) { s.Couplings[1].Title = "A name" },
		"system.couplings":            func(s *api.GroupSubmission) { s.Set[0] = "system.model=potts" },
		"system.joint":                func(s *api.GroupSubmission) { s.Set = append(s.Set, "system.joint=magnetisation") },
	} {
		bad := s
		bad.Name, bad.Set, bad.Couplings = "bad", slices.Clone(s.Set), slices.Clone(s.Couplings)
		change(&bad)
		if _, err := h.SubmitGroup(t.Context(), bad, ""); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// TestGroupFirstSeed counts the seeds of realisations on from run.seed, in all notations that a configuration
// knows, of the configuration and of settings.
func TestGroupFirstSeed(t *testing.T) {
	f := groupFile{Name: "glass"}
	for _, c := range []struct {
		config string
		set    []string
		want   uint64 // of the second realisation
	}{
		{"run: {seed: 1e6}", nil, 1000001}, {"run: {seed: 010}", nil, 11}, {"", []string{"run.walkers=8"}, 2}, {"run: {seed: 4}", []string{"local.sweeps=2,3"}, 5},
	} {
		f.Spec = ensemble.Spec{Config: c.config, Set: append([]string{"system.model=random_bond", "system.size=4x4", "system.disorder_seed=1..3"}, c.set...)}
		g, err := newGroup(f)
		if err != nil {
			t.Fatal(err)
		}
		if m := g.matrix.Member(1, g.first); *m.Seed != c.want {
			t.Errorf("%q: the seed %d, not %d", c.config, *m.Seed, c.want)
		}
	}
	f.Config = "run: {seed: 1.5}"
	if _, err := newGroup(f); err == nil || !strings.Contains(err.Error(), "run.seed") {
		t.Error(err)
	}
}

// TestGroupFaults reports all that is wrong with a matrix at once, and each fault once.
func TestGroupFaults(t *testing.T) {
	h := open(t, t.TempDir())
	_, err := h.SubmitGroup(t.Context(), api.GroupSubmission{Name: "bad", Set: []string{"system.q=3,300", "system.size=4x4", "run.walkers=0", "nosuch.key=1", "run.seed=1,2"}}, "")
	if !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	for _, want := range []string{"nosuch.key", "run.walkers", "300 colours"} {
		if n := strings.Count(err.Error(), want); n != 1 {
			t.Errorf("%q is there %d times in\n%v", want, n, err)
		}
	}
	for want, s := range map[string]api.GroupSubmission{
		"at most 10000":      {Set: small("system.disorder_seed=1..5000"), Seeds: "1..3"},
		"run.method":         {Set: small("run.method=canonical", "run.beta=0.3"), Seeds: "1..3"},
		"disorder_seed":      {Set: small("system.disorder_seed=1..3")}, // the Potts model has none
		"name:":              {Name: "No Name", Set: small(), Seeds: "1..3"},
		"2 characters fewer": {Name: strings.Repeat("x", 60), Set: small("run.shards=2"), Seeds: "1,2"},
	} {
		if _, err := h.SubmitGroup(t.Context(), s, ""); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if n := len(h.List(func(*api.Run) bool { return true })); n > 0 || len(h.Groups()) > 0 {
		t.Errorf("%d runs and %d groups of submissions that were refused", n, len(h.Groups()))
	}
}

// TestGroupChanges pauses, goes on with, cancels, retries and deletes a group as one.
func TestGroupChanges(t *testing.T) {
	h := open(t, t.TempDir())
	change := func(c api.GroupChange) *api.Group {
		t.Helper()
		g, err := h.ChangeGroup(t.Context(), "all", c)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	all := func(s job.State) func(*api.Group) bool {
		return func(g *api.Group) bool { return g.States[string(s)] == g.Members }
	}
	h.submitGroup(api.GroupSubmission{Name: "all", Set: lengthy(), Seeds: "1..4"})
	h.waitGroup("all", "running", func(g *api.Group) bool { return g.State == job.Running })
	if err := h.DeleteGroup("all"); !Impossible(err) {
		t.Errorf("deleted while running: %v", err)
	}
	change(api.GroupChange{Wish: job.Pause})
	h.waitGroup("all", "paused", all(job.Paused))
	change(api.GroupChange{Wish: job.Cancel})
	g := h.waitGroup("all", "cancelled", all(job.Cancelled))
	if g.State != job.Cancelled {
		t.Errorf("%+v", g)
	}
	if _, err := h.ChangeGroup(t.Context(), "all", api.GroupChange{Wish: job.Run, Only: "failed"}); !Impossible(err) {
		t.Errorf("no member failed: %v", err)
	}
	if _, err := h.ChangeGroup(t.Context(), "all", api.GroupChange{Wish: job.Pause, Only: "failed"}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	// Cancelled ones go on, with limits with which they end.
	change(api.GroupChange{Wish: job.Run, Set: []string{"run.max_time=1s"}})
	h.waitGroup("all", "done", func(g *api.Group) bool { return all(job.Done)(g) && g.Merged == 4 })
	if err := h.DeleteGroup("all"); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(h.o.Data, "*", "all*"))
	if _, gone := h.Group("all"); !Missing(gone) || len(left) > 0 || err != nil || len(h.List(func(*api.Run) bool { return true })) > 0 {
		t.Errorf("%v, %v, %v", gone, left, err)
	}
}

// TestGroupDeletionFails has a member begin to run after the look whether one does: the group stays with what is
// left, and is changed, submitted again and deleted like any other.
func TestGroupDeletionFails(t *testing.T) {
	h := open(t, t.TempDir())
	s := api.GroupSubmission{Name: "all", Set: lengthy(), Seeds: "1..4"}
	h.submitGroup(s)
	h.waitGroup("all", "running", func(g *api.Group) bool { return g.State == job.Running })
	h.mirror.mutex.Lock()
	real := map[string]*queue.Record{}
	for id, r := range h.mirror.runs {
		if r.State == job.Running {
			before := *r
			before.State = job.Paused
			real[id], h.mirror.runs[id] = r, &before
		}
	}
	h.mirror.mutex.Unlock()
	if err := h.DeleteGroup("all"); !Impossible(err) || !strings.Contains(err.Error(), "pause or cancel it first") {
		t.Fatal(err)
	}
	h.mirror.mutex.Lock()
	maps.Copy(h.mirror.runs, real)
	h.mirror.mutex.Unlock()
	g := h.groups.find("all")
	if kept, err := readGroup(h.GroupFolder("all")); err != nil || kept.file.Deleting || g.about().Deleting {
		t.Errorf("it is still to go (%v)", err)
	}
	if again := h.submitGroup(s); again.States[string(job.Running)] != 1 || again.States[ensemble.Deleted] == 0 {
		t.Errorf("%+v", again)
	}
	// While it is to go, nothing begins in it that would go with it.
	if err := h.deleting(g, true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.SubmitGroup(t.Context(), s, ""); !Impossible(err) {
		t.Errorf("submitted while it is being deleted: %v", err)
	}
	if _, err := h.ChangeGroup(t.Context(), "all", api.GroupChange{Wish: job.Run}); !Impossible(err) {
		t.Errorf("changed while it is being deleted: %v", err)
	}
	collected := filepath.Join(h.GroupFolder("all"), collectedName)
	if err := os.Remove(collected); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := h.collectGroup(t.Context(), g); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(collected); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("results are written into a folder that is to go (%v)", err)
	}
	// A deletion that went on at the start of the daemon and failed is over as well.
	h.resume(t.Context())
	if _, err := h.ChangeGroup(t.Context(), "all", api.GroupChange{Wish: job.Cancel}); err != nil {
		t.Fatal(err)
	}
	h.waitGroup("all", "cancelled", func(g *api.Group) bool { return g.State == job.Cancelled })

	// A caller that waits for a deletion finds the group gone, or submits it again.
	g.working.Lock()
	submitted, changed := make(chan *api.Group), make(chan error)
	go func() {
		_, err := h.ChangeGroup(t.Context(), "all", api.GroupChange{Wish: job.Run})
		changed <- err
	}()
	go func() {
		a, err := h.SubmitGroup(t.Context(), s, "")
		if err != nil {
			t.Error(err)
		}
		submitted <- a
	}()
	time.Sleep(100 * time.Millisecond) // until both wait; the test is as true if they do not
	h.groups.forget("all")
	g.working.Unlock()
	if a := <-submitted; a == nil || h.groups.find("all") == nil || h.groups.find("all") == g {
		t.Errorf("%+v is not there", a)
	}
	if err := <-changed; err != nil && !Missing(err) {
		t.Error(err)
	}
	if _, err := h.ChangeGroup(t.Context(), "all", api.GroupChange{Wish: job.Cancel}); err != nil {
		t.Fatal(err)
	}
	h.waitGroup("all", "cancelled", func(g *api.Group) bool { return g.State == job.Cancelled })
	if err := h.DeleteGroup("all"); err != nil || h.groups.find("all") != nil {
		t.Error(err)
	}
}

// TestGroupRetry fails a member, tries again only that, and deletes another.
func TestGroupRetry(t *testing.T) {
	h := open(t, t.TempDir())
	h.submitGroup(api.GroupSubmission{Name: "some", Set: append(small(), "wang_landau.final_ln_f=1e-3"), Seeds: "1..3"})
	h.merged("some")
	submission := func(id string) int {
		r, err := h.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return r.Submission
	}
	// A directory that its process cannot read makes it fail.
	config := filepath.Join(h.Folder("some-2"), "config.yaml")
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, []byte("damaged: ["), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.change("some-2", api.RunChange{Wish: job.Run})
	h.state("some-2", job.Failed)
	g := h.waitGroup("some", "merged of two", func(g *api.Group) bool { return g.Merged == 2 })
	if g.State != job.Failed || g.States["failed"] != 1 {
		t.Errorf("%+v", g)
	}
	if err := os.WriteFile(config, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ChangeGroup(t.Context(), "some", api.GroupChange{Wish: job.Run, Only: "failed"}); err != nil {
		t.Fatal(err)
	}
	h.merged("some")
	if submission("some-1") != 1 || submission("some-2") != 3 {
		t.Errorf("submitted %d and %d times", submission("some-1"), submission("some-2"))
	}
	if err := h.Delete(t.Context(), "some-3"); err != nil {
		t.Fatal(err)
	}
	h.waitGroup("some", "merged of two", func(g *api.Group) bool { return g.Merged == 2 && g.States[ensemble.Deleted] == 1 })
}

// TestGroupAgain closes the daemon amid a group and opens it again, once with a queue that was lost: the
// results are those of one that was never disturbed, to the last byte.
func TestGroupAgain(t *testing.T) {
	s := api.GroupSubmission{Name: "glass", Set: glassy("system.disorder_seed=1..4"), Betas: "0.2,0.4"}
	undisturbed := open(t, t.TempDir())
	undisturbed.submitGroup(s)
	undisturbed.merged("glass")
	data := t.TempDir()
	h := open(t, data)
	h.submitGroup(s)
	h.waitGroup("glass", "under way", func(g *api.Group) bool { return g.States["done"] > 1 })
	h.stop()
	h = open(t, data)
	h.waitGroup("glass", "further", func(g *api.Group) bool { return g.States["done"] > 3 })
	h.stop()
	if err := os.RemoveAll(filepath.Join(data, queueName)); err != nil {
		t.Fatal(err)
	}
	h = open(t, data)
	h.merged("glass")
	sameResults(t, undisturbed.GroupFolder("glass"), h.GroupFolder("glass"))
	// A submission that was cut short goes on by itself.
	h.stop()
	path := filepath.Join(data, groupsName, "glass", groupName)
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.Replace(text, []byte("submitted: true"), []byte("submitted: false"), 1), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(data, runsName, "glass-3")), os.RemoveAll(filepath.Join(data, queueName))); err != nil {
		t.Fatal(err)
	}
	h = open(t, data)
	h.waitGroup("glass", "merged", func(g *api.Group) bool { return g.State == job.Done && g.Merged == g.Members })
	sameResults(t, undisturbed.GroupFolder("glass"), h.GroupFolder("glass"))
}

// sameResults compares the results of two groups to the last byte.
func sameResults(t *testing.T, a, b string) {
	t.Helper()
	list := func(folder string) (names []string) {
		err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && name != groupName && name != collectedName {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	names := list(a)
	if other := list(b); !slices.Equal(names, other) || len(names) < 10 {
		t.Errorf("files %q and %q", names, other)
	}
	for _, name := range names {
		x, errX := os.ReadFile(filepath.Join(a, name))
		y, errY := os.ReadFile(filepath.Join(b, name))
		if errX != nil || errY != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs (%v, %v)", name, errX, errY)
		}
	}
}
