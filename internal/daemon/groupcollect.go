package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/disk"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
)

const (
	// collectEvery is how often the results of a group are made at most while members end, and
	// collectShare the part of the time that this may take.
	collectEvery = 2 * time.Second
	collectShare = 0.1
	// collectedName is the file that says of what a group's results were made.
	collectedName = ".collected"
)

// GroupEvent is the kind of the event that tells how far a group is; its data is api.GroupData.
const GroupEvent = "group"

// collect makes the results of groups as their members end, until ctx ends.
func (d *Daemon) collect(ctx context.Context) {
	d.resume(ctx)
	for {
		later := false // something is to be done, and not yet due
		for _, g := range d.groups.all() {
			due, waits := g.due(time.Now())
			if later = later || waits; !due || ctx.Err() != nil {
				continue
			}
			if err := d.collectGroup(ctx, g); err != nil && ctx.Err() == nil {
				d.log.Warn("the results of a group are not up to date; it is tried again", "group", g.about().Name, "reason", err)
				g.mutex.Lock()
				g.dirty, later = true, true
				g.mutex.Unlock()
			}
		}
		var tick <-chan time.Time
		if later {
			tick = time.After(collectEvery / 4)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
		case <-d.groups.bell:
		}
	}
}

// due reports whether it is time to look at a group, or will be.
func (g *group) due(now time.Time) (due, waits bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	wait := max(collectEvery, time.Duration(float64(g.took)/collectShare))
	if !g.dirty || g.file.Deleting {
		return false, false
	}
	due = now.Sub(g.collected) >= wait
	return due, !due
}

// collectGroup makes the results of a group, unless they are there or the group is to go.
func (d *Daemon) collectGroup(ctx context.Context, g *group) error {
	g.collecting.Lock()
	defer g.collecting.Unlock()
	if g.about().Deleting {
		return nil
	}
	began := time.Now()
	g.mutex.Lock()
	g.dirty, g.collected = false, began
	f, c := g.file, g.collector
	g.mutex.Unlock()
	outcomes := d.outcomes(g)
	of := digestOf(outcomes)
	path := filepath.Join(d.GroupFolder(f.Name), collectedName)
	if text, err := os.ReadFile(path); err == nil && string(text) == of && c == nil {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.merged = mergedBefore(d.GroupFolder(f.Name))
		return nil
	}
	if c == nil {
		c = ensemble.NewCollector(g.matrix)
	}
	r := c.Collect(outcomes)
	if err := r.Write(d.GroupFolder(f.Name)); err != nil {
		return err
	}
	if err := disk.WriteFile(disk.OS, path, []byte(of)); err != nil {
		return err
	}
	s := r.Summary()
	merged := 0
	for _, p := range s.Points {
		merged += p.Runs
	}
	g.mutex.Lock()
	if g.merged, g.took, g.collector = merged, time.Since(began), c; s.Complete {
		g.collector = nil // what it remembers is not needed
	}
	g.mutex.Unlock()
	return d.queue.Emit(ctx, f.Name, GroupEvent, api.GroupData{States: s.States, Merged: merged, Complete: s.Complete})
}

// mergedBefore is how many members the results of a folder were made of.
func mergedBefore(folder string) (n int) {
	var s ensemble.Summary
	text, err := os.ReadFile(filepath.Join(folder, ensemble.SummaryFile))
	if err != nil || json.Unmarshal(text, &s) != nil {
		return 0
	}
	for _, p := range s.Points {
		n += p.Runs
	}
	return n
}

// outcomes are what has become of the members of a group.
func (d *Daemon) outcomes(g *group) []ensemble.Outcome {
	submitted := g.about().Submitted
	all := make([]ensemble.Outcome, len(g.ids))
	for i, id := range g.ids {
		o := ensemble.Outcome{Member: g.matrix.Member(i, g.first), ID: id, State: string(job.Submitted), Folder: d.Folder(id)}
		switch r := d.mirror.record(id); {
		case r != nil:
			o.State, o.Reason, o.Done = string(r.State), r.Reason, r.State == job.Done && d.brought(r)
			o.Converged = r.Outcome != nil && r.Outcome.Converged
			o.Version = fmt.Sprintf("%d %d", r.Submission, r.Ended.UnixNano())
		case submitted:
			o.State = ensemble.Deleted
		}
		all[i] = o
	}
	return all
}

// digestOf is what results of equal outcomes have in common.
func digestOf(outcomes []ensemble.Outcome) string {
	h := sha256.New()
	for _, o := range outcomes {
		version := ""
		if o.Done {
			version = o.Version
		}
		fmt.Fprintf(h, "%q %q %t %t %q %q\n", o.ID, o.State, o.Done, o.Converged, o.Reason, version)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Group returns a group with what was asked for.
func (d *Daemon) Group(name string) (*api.Group, error) {
	g, err := d.findGroup(name)
	if err != nil {
		return nil, err
	}
	a, f := d.describeGroup(g), g.about()
	a.Config, a.Set, a.Seeds, a.Betas = f.Config, f.Set, f.Seeds, f.Betas
	for _, c := range f.Couplings {
		a.Couplings = append(a.Couplings, c.Title)
	}
	return a, nil
}

// Groups lists the groups, the newest first.
func (d *Daemon) Groups() []api.Group {
	all := []api.Group{}
	for _, g := range d.groups.all() {
		all = append(all, *d.describeGroup(g))
	}
	return all
}

// OpenGroup opens the folder of a group, as Open does that of a run.
func (d *Daemon) OpenGroup(name string) (*os.Root, error) {
	if _, err := d.findGroup(name); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(d.GroupFolder(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s has no folder: %w", name, ErrNoGroup)
	}
	return root, err
}

// describeGroup puts together what is known of a group.
func (d *Daemon) describeGroup(g *group) *api.Group {
	f := g.about()
	g.mutex.Lock()
	merged := g.merged
	g.mutex.Unlock()
	a := &api.Group{
		Name: f.Name, Title: f.Title, Tags: f.Tags, Notes: f.Notes, By: f.By, System: f.System, Method: f.Method,
		Members: len(g.ids), States: map[string]int{}, Points: g.matrix.Points(), Merged: merged, Created: f.Created,
		Folder: filepath.Join(groupsName, f.Name), Event: d.mirror.lastEvent(f.Name),
	}
	var took time.Duration
	left := 0
	for _, id := range g.ids {
		r := d.mirror.record(id)
		switch {
		case r == nil && f.Submitted:
			a.States[ensemble.Deleted]++
			continue
		case r == nil:
			a.States[string(job.Submitted)]++
			left++
			continue
		}
		a.States[string(r.State)]++
		switch {
		case r.State == job.Done:
			took += r.Ended.Sub(r.Began)
			if r.Outcome != nil && !r.Outcome.Converged {
				a.Unconverged++
			}
		case !r.State.Final() && r.State != job.Paused:
			left++
		}
	}
	a.State = sumUp(a.States)
	if done := a.States[string(job.Done)]; done > 0 && left > 0 {
		a.Left = took.Seconds() / float64(done) * float64(left) / float64(max(d.room().Runs, 1))
	}
	return a
}

// sumUp is the state of a group whose members have such states.
func sumUp(states map[string]int) job.State {
	if states[string(job.Running)] > 0 {
		return job.Running
	}
	if states[string(job.Submitted)]+states[string(job.Queued)] > 0 {
		return job.Submitted
	}
	order := []job.State{job.Paused, job.Failed, job.Cancelled}
	if k := slices.IndexFunc(order, func(s job.State) bool { return states[string(s)] > 0 }); k >= 0 {
		return order[k]
	}
	return job.Done
}
