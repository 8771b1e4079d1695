package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/store"
	"neuralwl/internal/worker"
)

// pulledFile in a run directory names the manifest that it was made of.
const pulledFile = ".manifest"

// scratchName is the folder within the data folder in which this process' own worker works if run
// directories are in a store: those of the head are copies.
const scratchName = "scratch"

// puller brings the directories of runs from the store, those of which the record names another
// manifest than they were made of, one at a time. It is safe for concurrent use.
type puller struct {
	mutex sync.Mutex
	want  map[string]bool // runs
	bell  chan struct{}   // rings when there is something
	held  map[string]*held
	// exports are folders of networks that runs exported and that are yet to come, in their order.
	exports map[string][]string
}

// held is a run whose directory somebody replaces.
type held struct {
	sync.Mutex
	users int // have it or wait for it
}

func newPuller() puller {
	return puller{want: map[string]bool{}, bell: make(chan struct{}, 1), held: map[string]*held{}, exports: map[string][]string{}}
}

// alone keeps others from the directory of a run until the function that it returns is called.
func (p *puller) alone(id string) (release func()) {
	p.mutex.Lock()
	h := p.held[id]
	if h == nil {
		h = &held{}
		p.held[id] = h
	}
	h.users++
	p.mutex.Unlock()
	h.Lock()
	return func() {
		h.Unlock()
		p.mutex.Lock()
		defer p.mutex.Unlock()
		if h.users--; h.users == 0 {
			delete(p.held, id)
		}
	}
}

// changed notes what the record of a run names.
func (p *puller) changed(r *queue.Record) {
	if r == nil || r.Files == "" {
		return
	}
	p.see(r.ID)
}

// see has a run looked at.
func (p *puller) see(id string) {
	p.mutex.Lock()
	p.want[id] = true
	p.mutex.Unlock()
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

// mostExports of a run are awaited; older ones are forgotten.
const mostExports = 100

// await notes a folder that a run exported, for when it has come.
func (p *puller) await(id, folder string) {
	p.mutex.Lock()
	all := append(p.exports[id], folder)
	p.exports[id] = all[max(0, len(all)-mostExports):]
	p.mutex.Unlock()
	p.see(id)
}

// awaited is what await noted, the newest first.
func (p *puller) awaited(id string) []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	all := slices.Clone(p.exports[id])
	slices.Reverse(all)
	return all
}

// came forgets a folder and those before it.
func (p *puller) came(id, folder string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if k := slices.Index(p.exports[id], folder); k >= 0 {
		p.exports[id] = slices.Clone(p.exports[id][k+1:])
	}
	if len(p.exports[id]) == 0 {
		delete(p.exports, id)
	}
}

func (p *puller) next() (id string, ok bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for id = range p.want {
		delete(p.want, id)
		return id, true
	}
	return "", false
}

// pull brings what is wanted until ctx ends.
func (d *Daemon) pull(ctx context.Context) {
	for ctx.Err() == nil {
		id, ok := d.puller.next()
		if !ok {
			select {
			case <-ctx.Done():
			case <-d.puller.bell:
			}
			continue
		}
		err := d.pullRun(ctx, id)
		if err == nil || ctx.Err() != nil {
			d.publishBrought(ctx, id)
			d.groups.changed(id) // which may have waited for the results
			continue
		}
		// The next owner may have removed what this manifest names: then there is a newer one.
		if r, unknown := d.queue.Get(ctx, id); unknown == nil {
			d.puller.changed(r)
		}
		d.log.Warn("a run directory is not up to date; it is brought again", "run", id, "reason", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// mark returns where run directories are, and their mark.
func (d *Daemon) mark(ctx context.Context) (where, mark string, err error) {
	if d.o.Store == nil {
		mark, err = queue.MarkFolder(d.runsFolder())
		return d.runsFolder(), mark, err
	}
	where = d.o.Store.Address()
	if mark, err = d.o.Store.Mark(ctx, queue.MarkFile); err == nil && mark == "" {
		mark = queue.NewMark()
		err = d.o.Store.SetMark(ctx, queue.MarkFile, mark)
	}
	return where, mark, err
}

// brought reports whether the directory of a run is as its record says.
func (d *Daemon) brought(r *queue.Record) bool {
	if d.o.Store == nil || r.Files == "" {
		return true
	}
	if _, err := os.Stat(d.Folder(r.ID)); errors.Is(err, os.ErrNotExist) {
		return true // deleted
	}
	return d.madeOf(r.ID) == r.Files
}

// madeOf is the manifest that a run directory was made of, empty for none.
func (d *Daemon) madeOf(id string) string {
	text, err := os.ReadFile(filepath.Join(d.Folder(id), pulledFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// pullRun brings the directory of a run, unless it was deleted.
func (d *Daemon) pullRun(ctx context.Context, id string) error {
	defer d.puller.alone(id)()
	r, err := d.queue.Get(ctx, id)
	if errors.Is(err, queue.ErrNone) {
		return nil
	} else if err != nil {
		return err
	}
	if d.brought(r) {
		return nil
	}
	if err := d.stored(r.ID, r.Created, 0).Pull(ctx, r.Files); err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, filepath.Join(d.Folder(id), pulledFile), []byte(r.Files+"\n"))
}

// restock returns the manifest of a run whose record was lost, empty where machines share a folder, and has
// its epochs follow those in the store. A run that is not there is put there.
func (d *Daemon) restock(ctx context.Context, j *job.Job) (manifest string, err error) {
	if d.o.Store == nil {
		return "", nil
	}
	manifest, epoch, err := d.o.Store.Newest(ctx, store.Key(j.ID, j.Created))
	if j.Epoch = max(j.Epoch, epoch); manifest == "" && err == nil {
		manifest, _, err = d.stored(j.ID, j.Created, j.Epoch).Push(ctx)
	}
	return manifest, err
}

// stored is the directory of a run here for what an epoch writes to the store.
func (d *Daemon) stored(id string, created time.Time, epoch int) *store.Folder {
	return d.o.Store.Folder(store.Key(id, created), epoch, d.Folder(id), worker.First, append([]string{pulledFile}, worker.Local...))
}
