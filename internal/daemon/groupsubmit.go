package daemon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
	"neuralwl/internal/parallel"
	"neuralwl/internal/queue"
)

const (
	// atOnce is how many members are worked on side by side: each waits for the disk most of the time.
	atOnce = 8
	// mostFaults bounds the faults of a matrix that are reported.
	mostFaults = 20
	figuresKey = "report.figures"
)

// SubmitGroup records a group and all of its members. One that was asked for alike before goes on where
// its submission ended.
func (d *Daemon) SubmitGroup(ctx context.Context, s api.GroupSubmission, by string) (*api.Group, error) {
	if err := d.roomLeft(); err != nil {
		return nil, err
	}
	f := groupFile{
		Name: s.Name, By: by, Title: s.Title, Tags: s.Tags, Notes: s.Notes, Priority: s.Priority, After: s.After, AfterAny: s.AfterAny, Memory: s.Memory,
		Spec: ensemble.Spec{Config: s.Config, Set: s.Set, Seeds: s.Seeds, Betas: s.Betas},
	}
	for _, c := range s.Couplings {
		f.Couplings = append(f.Couplings, ensemble.Couplings(c))
	}
	m, err := ensemble.Expand(f.Spec)
	if err != nil {
		return nil, invalid{err}
	}
	if s.Name != "" && d.groups.find(s.Name) == nil && d.mirror.record(s.Name) != nil {
		return nil, fmt.Errorf("%s: %w; a group needs a name of its own", s.Name, queue.ErrExists)
	}
	points, err := d.points(ctx, f, m)
	if err != nil {
		return nil, err
	}
	f.Members, f.Created = m.Len(), time.Now().UTC()
	f.Method = points[0].config.Run.Method
	f.System = points[0].config.System.Name()
	for _, p := range points {
		if p.config.System.Name() != f.System {
			f.System = ""
		}
	}
	if f.Name == "" {
		f.Name = fmt.Sprintf("%s-%.3x", cmp.Or(f.System, "group"), sha256.Sum256([]byte(asked(f.Spec))))
	}
	shards := 1
	for _, p := range points {
		shards = max(shards, p.config.Run.Shards)
	}
	first := memberID(f.Name, 0, f.Members)
	if err := errors.Join(job.CheckID(f.Name), job.CheckID(first), job.CheckDivisible(first, shards)); err != nil {
		return nil, invalid{fmt.Errorf("name: %w", err)}
	}
	g, err := d.claimGroup(f)
	if err != nil {
		return nil, err
	}
	defer g.working.Unlock()
	if g.about().Submitted {
		return d.describeGroup(g), nil
	}
	if err := d.begin(g); err != nil {
		return nil, err
	}
	// Whoever asked may be gone before all is done.
	if err := d.fill(d.living, g, points); err != nil {
		return nil, err
	}
	return d.describeGroup(g), nil
}

// claimGroup takes the group of a file, which is a new one unless there is one that was asked for alike. Its
// working is locked.
func (d *Daemon) claimGroup(f groupFile) (*group, error) {
	own, err := newGroup(f)
	if err != nil {
		return nil, invalid{err}
	}
	for {
		g := cmp.Or(d.groups.claim(own), own)
		if asked(g.about().Spec) != asked(f.Spec) {
			return nil, fmt.Errorf("%s: there is a group of this name that was asked for otherwise: %w; take another name", f.Name, queue.ErrExists)
		}
		switch err := d.take(g); {
		case err == nil:
			return g, nil
		case !errors.Is(err, ErrNoGroup):
			return nil, err
		} // it was deleted meanwhile
	}
}

// asked is what groups that are the same have in common.
func asked(s ensemble.Spec) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // of strings
	}
	return string(text)
}

// begin makes the folder of a group, with its file. None of its members' names may be taken by another run.
func (d *Daemon) begin(g *group) error {
	f := g.about()
	for _, id := range g.ids {
		if r := d.mirror.record(id); r != nil && d.spec(r).Group != f.Name {
			d.groups.forget(f.Name)
			return fmt.Errorf("%s: %w, and it is no member of the group; give the group another name", id, queue.ErrExists)
		}
	}
	err := os.MkdirAll(d.GroupFolder(f.Name), 0o777)
	if err == nil {
		err = d.writeGroup(f)
	}
	if err != nil {
		d.groups.forget(f.Name)
		return fmt.Errorf("folder of the group: %w", err)
	}
	return nil
}

// point is what the members at a point of the matrix have in common, where realisations are couplings those of
// one of them.
type point struct {
	spec   job.Spec
	config *config.Config
}

// points prepares and checks all points of a matrix, each of them once for all couplings that there are. Faults are
// reported once, whatever the number of points that have them.
func (d *Daemon) points(ctx context.Context, f groupFile, m *ensemble.Matrix) ([]point, error) {
	lists := max(len(m.Couplings), 1)
	points := make([]point, m.Points()*lists)
	faults := make([]error, len(points))
	parallel.Do(atOnce, len(points), 1, func(_, k int) {
		s := api.Submission{
			Config: f.Config, Set: m.Settings(k / lists), Title: f.Title, Tags: f.Tags, Notes: f.Notes,
			Priority: f.Priority, After: f.After, AfterAny: f.AfterAny, Memory: f.Memory,
		}
		if config.Given([]byte(f.Config), s.Set, figuresKey) == "" {
			s.Set = append(s.Set, figuresKey+"=false") // which take most of the time of a small run
		}
		realisation := max(len(m.Disorder)-1, 0)
		if m.Couplings != nil {
			realisation = k % lists
		}
		s.Set = append(s.Set, m.Realise(realisation)...)
		p := &points[k]
		if p.spec, p.config, faults[k] = d.prepare(ctx, s); faults[k] == nil {
			if err := ensemble.Check(p.config); err != nil {
				faults[k] = invalid{err}
			}
		}
		p.spec.Group, p.spec.By = f.Name, f.By
	})
	var texts []string
	for k, err := range faults {
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrInvalid) {
			return nil, err
		}
		for _, one := range Faults(err) {
			if m.Couplings != nil && one.Key == "system.couplings" {
				one.Text = m.Couplings[k%lists].Title + ": " + one.Text
			}
			if !slices.Contains(texts, one.Text) {
				texts = append(texts, one.Text)
			}
		}
	}
	if n := len(texts); n > mostFaults {
		texts = append(texts[:mostFaults], fmt.Sprintf("%d more faults like these", n-mostFaults))
	}
	if len(texts) > 0 {
		return nil, invalid{errors.New(strings.Join(texts, "\n"))}
	}
	for k, p := range points {
		first := points[k-k%lists]
		if a, b := sites(first.config), sites(p.config); a != b {
			return nil, invalid{fmt.Errorf("couplings: %s has %d sites, %s %d; averages are of systems of one size, submit others by themselves",
				first.config.System.Title, a, p.config.System.Title, b)}
		}
	}
	return points, nil
}

func sites(c *config.Config) int {
	n := 1
	for _, l := range c.System.Size {
		n *= l
	}
	return n
}

// firstSeed is run.seed of a configuration with the fixed settings of a matrix, 0 where the matrix says all seeds or
// leaves them to the members' configurations.
func firstSeed(m *ensemble.Matrix, text string) (uint64, error) {
	if m.Seeds != nil || !m.Averages() {
		return 0, nil
	}
	c, err := config.Compose([]byte(text), append(m.Settings(0), m.Realise(0)...))
	if err != nil {
		return 0, err
	}
	return c.Run.Seed, nil
}

// fill puts the members on record that are not yet.
func (d *Daemon) fill(ctx context.Context, g *group, points []point) error {
	name := g.about().Name
	err := parallel.Each(ctx, atOnce, len(g.ids), func(i int) error {
		id := g.ids[i]
		if _, err := d.queue.Get(ctx, id); err == nil || !errors.Is(err, queue.ErrNone) {
			return err
		}
		m := g.matrix.Member(i, g.first)
		p := points[m.Point]
		if n := len(g.matrix.Couplings); n > 0 {
			p = points[m.Point*n+m.Realisation]
		}
		spec, c := p.spec, *p.config
		spec.Group = name
		if m.Seed != nil {
			c.Run.Seed = *m.Seed
		}
		if m.Disorder != nil {
			c.System.DisorderSeed = *m.Disorder
		}
		text, err := c.YAML()
		if err != nil {
			return err
		}
		spec.Config = string(text)
		if text, err = json.Marshal(spec); err != nil {
			return err
		}
		if err := os.Mkdir(d.Folder(id), 0o777); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("run directory: %w", err)
		}
		_, err = d.enter(ctx, id, text)
		return err
	})
	d.kick()
	if err != nil {
		return fmt.Errorf("%s: some members are on record, others not; submit it again to go on: %w", name, err)
	}
	g.mutex.Lock()
	g.file.Submitted, g.dirty = true, true
	g.mutex.Unlock()
	d.groups.ring()
	return d.writeGroup(g.about())
}

// resume goes on with submissions and deletions that the end of the daemon cut short, until ctx ends.
func (d *Daemon) resume(ctx context.Context) {
	for _, g := range d.groups.all() {
		f := g.about()
		var err error
		switch {
		case f.Deleting:
			err = d.deleteGroup(ctx, f.Name)
		case !f.Submitted:
			var points []point
			if points, err = d.points(ctx, f, g.matrix); err != nil {
				break
			}
			if d.take(g) != nil {
				continue // it was deleted meanwhile
			}
			if !g.about().Submitted {
				err = d.fill(ctx, g, points)
			}
			g.working.Unlock()
		}
		if err != nil && ctx.Err() == nil {
			d.log.Error("a group is not complete; submit or delete it again", "group", f.Name, "reason", err)
		}
	}
}
