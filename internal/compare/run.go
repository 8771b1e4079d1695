package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"neuralwl/internal/cpu"
	"neuralwl/internal/disk"
	"neuralwl/internal/run"
	"neuralwl/internal/setup"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
)

// Task is a run or a training, for a process of its own.
type Task struct {
	Folder string // of its results
	Config string // YAML
	Train  bool   // else a run with its curve
}

// Done is how a task ended.
type Done struct {
	// Failed is why it has no results; Interrupted says that ctx ended it before its time.
	Failed      string
	Interrupted bool
	Memory      int64
	CPU, Wall   time.Duration
}

// Options of a comparison.
type Options struct {
	Spec   *Spec
	Folder string
	// Resume goes on in a folder that holds a comparison. Cells that have ended are kept; there may
	// be more of them than before.
	Resume bool
	// Failed makes cells again that failed.
	Failed bool
	Jobs   int // blocks at the same time, default 1; each has a core
	// Work performs a task in a process of its own that inherits the caller's core. It may call
	// alive with how far it is, 0..1 of a part.
	Work func(ctx context.Context, t Task, alive func(doing string, done float64)) (*Done, error)
	// Observe is told of progress; nil for nobody. Calls come one at a time.
	Observe func(Progress)
	Log     *slog.Logger // by default slog's
}

// Progress of a comparison.
type Progress struct {
	Cells int // in all
	Ended int
	Cell  string  // that is under way, or has just ended
	Doing string  // to it
	Done  float64 // 0..1 of that
	// Left is how long the rest takes, by the cells so far; 0 if nothing can be said.
	Left   time.Duration
	Failed string // why the cell has no results, if it has just ended without
	Over   bool   // the cell has just ended
}

// comparison under way.
type comparison struct {
	Options
	cells []Cell

	mutex sync.Mutex
	ended map[string]bool          // by name
	spent map[string]time.Duration // by system, sampler and budget
	count map[string]int
}

// ErrInterrupted is the error of a comparison that was told to end. It goes on with Resume.
var ErrInterrupted = errors.New("the comparison was interrupted")

// Run makes all cells that have not ended. Their results are in the folder; Collect reads them.
func Run(ctx context.Context, o Options) (err error) {
	if o.Jobs == 0 {
		o.Jobs = 1
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c := &comparison{Options: o, cells: o.Spec.Cells(), spent: map[string]time.Duration{}, count: map[string]int{}, ended: map[string]bool{}}
	if !c.Resume {
		if err := c.checkNetworks(); err != nil {
			return err
		}
	}
	unlock, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := c.makeReferences(ctx); err != nil {
		return err
	}
	return c.blocks(ctx)
}

// checkNetworks reports all networks that are not there or do not fit a system, before any cell has taken time.
func (c *comparison) checkNetworks() error {
	var faults []error
	for i := range c.cells {
		cell := &c.cells[i]
		if cell.Seed != c.Spec.FirstSeed || cell.Budget != c.Spec.Budgets[0] || cell.Sampler.Train != nil {
			continue
		}
		config, err := cell.RunConfig("")
		if err != nil {
			return err
		}
		if config.Model.Bundle == "" && config.Model.Init == "" {
			continue
		}
		if _, err := setup.Bundle(config, slog.New(slog.DiscardHandler)); err != nil {
			faults = append(faults, fmt.Errorf("samplers: %s, on %s: %w", cell.Sampler.Name, cell.System.Name, err))
		}
	}
	return errors.Join(faults...)
}

// open takes the folder and writes the specification there.
func (c *comparison) open() (unlock func() error, err error) {
	path := filepath.Join(c.Folder, SpecFile)
	_, err = os.Stat(path)
	switch found := err == nil; {
	case found && !c.Resume:
		return nil, fmt.Errorf("%s holds a comparison: go on with it by --resume, or take another --out", c.Folder)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.MkdirAll(c.Folder, 0o777); err != nil {
		return nil, err
	}
	lock, err := disk.TryLock(filepath.Join(c.Folder, ".lock"))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", c.Folder, err)
	}
	if lock == nil {
		return nil, fmt.Errorf("another process works in %s", c.Folder)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	for i := range c.cells { // before anything is changed
		r, err := c.cells[i].recorded(c.Folder)
		if err != nil {
			return nil, err
		}
		if r != nil && r.Failed != "" && c.Failed {
			if err := os.RemoveAll(filepath.Join(c.Folder, c.cells[i].Folder())); err != nil {
				return nil, err
			}
		}
	}
	text, err := c.Spec.YAML()
	if err != nil {
		return nil, err
	}
	return lock.Close, disk.WriteFile(disk.OS, path, text)
}

// referencePath is that of the exact density of states of a system, within the comparison's folder.
func referencePath(folder string, y *System) string {
	return filepath.Join(folder, "references", folderName(y.Name)+".csv")
}

// exactTime is how long the exact density of states of one system may take, by prediction.
const exactTime = 10 * time.Minute

// makeReferences makes the densities of states from which errors are counted.
func (c *comparison) makeReferences(ctx context.Context) error {
	for i := range c.Spec.Systems {
		y := &c.Spec.Systems[i]
		switch y.Reference {
		case RunReference:
		case ExactReference:
			if err := c.exact(ctx, y); err != nil {
				return fmt.Errorf("the exact density of states of %s: %w", y.Name, err)
			}
		default:
			if _, err := dos.ReadFile(y.Reference); err != nil {
				return fmt.Errorf("the reference of %s: %w", y.Name, err)
			}
		}
	}
	for _, cell := range c.Spec.references() {
		r, err := cell.recorded(c.Folder)
		if err != nil {
			return err
		}
		if r == nil {
			if r, err = c.make(ctx, &cell, nil); err != nil {
				return err
			}
		}
		if r.Failed != "" {
			return fmt.Errorf("the reference of %s: %s", cell.System.Name, r.Failed)
		}
	}
	return nil
}

func (c *comparison) exact(ctx context.Context, y *System) error {
	path := referencePath(c.Folder, y)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	cell := Cell{*y, Sampler{Name: ReferenceSampler, Share: 1}, 1, referenceSeed, c.Spec}
	config, err := cell.RunConfig("")
	if err != nil {
		return err
	}
	system, err := config.System.New()
	if err != nil {
		return err
	}
	c.observe(Progress{Cell: "exact density of states of " + y.Name})
	d, err := exact.Density(ctx, system, exactTime)
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	if err != nil {
		return err
	}
	if d == nil {
		return fmt.Errorf("it would take longer than %v; take reference: %s, or a file", exactTime, RunReference)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return writeDensity(path, d)
}

// blocks makes the cells, block after block, Jobs of them at the same time.
func (c *comparison) blocks(ctx context.Context) error {
	var blocks [][]Cell
	for _, cell := range c.cells {
		if n := len(blocks); n > 0 && sameBlock(&blocks[n-1][0], &cell) {
			blocks[n-1] = append(blocks[n-1], cell)
			continue
		}
		blocks = append(blocks, []Cell{cell})
	}
	told := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan []Cell)
	var wait sync.WaitGroup
	cores := cpu.Cores()
	for job := range c.Jobs {
		wait.Go(func() {
			if len(cores) > 0 {
				release, err := cpu.Pin(cores[job%len(cores)])
				if err != nil {
					c.Log.Warn("cells are not tied to a core", "reason", err)
				} else {
					defer release()
				}
			}
			for block := range next {
				if err := c.block(ctx, block); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for _, b := range blocks {
		select {
		case next <- b:
		case <-ctx.Done():
		}
	}
	close(next)
	wait.Wait()
	switch {
	case told.Err() != nil:
		return ErrInterrupted
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return nil
}

func sameBlock(a, b *Cell) bool {
	return a.System.Name == b.System.Name && a.Budget == b.Budget && a.Seed == b.Seed
}

// block makes the cells of a block back to back, and again if the machine's speed changed
// meanwhile.
func (c *comparison) block(ctx context.Context, cells []Cell) error {
	for repeated := 0; ; repeated++ {
		records := make([]*record, len(cells))
		for i := range cells {
			r, err := cells[i].recorded(c.Folder)
			if err != nil {
				return err
			}
			fresh := r == nil
			if fresh {
				p, err := probe(ctx)
				if ctx.Err() != nil {
					return ErrInterrupted
				}
				if err != nil {
					return err
				}
				if r, err = c.make(ctx, &cells[i], &p); err != nil {
					return err
				}
				r.Measured = repeated + 1
			}
			records[i] = r
			c.over(&cells[i], r, fresh)
		}
		if !uneven(records) {
			return c.flag(cells, records, false)
		}
		if repeated >= c.Spec.Repeat {
			return c.flag(cells, records, true)
		}
		c.Log.Warn("the speed of the machine changed by more than 10 % between cells, which are measured again", "block", cells[0].String())
		for i := range cells {
			if records[i].Failed == "" {
				c.again(&cells[i])
				if err := os.RemoveAll(filepath.Join(c.Folder, cells[i].Folder())); err != nil {
					return err
				}
			}
		}
	}
}

// uneven reports whether the machine's speed changed between cells.
func uneven(records []*record) bool {
	low, high := 0.0, 0.0
	for i, r := range records {
		if i == 0 || r.Probe.CPU < low {
			low = r.Probe.CPU
		}
		high = max(high, r.Probe.CPU)
	}
	return high > mostSpread*low
}

// flag notes in the records whether the times of their block are doubtful.
func (c *comparison) flag(cells []Cell, records []*record, flagged bool) error {
	var faults []error
	for i, r := range records {
		if r.Flagged != flagged {
			r.Flagged = flagged
			faults = append(faults, cells[i].keep(c.Folder, r))
		}
	}
	return errors.Join(faults...)
}

// make performs a cell. A run that was begun goes on at its checkpoint. A failure is a result; an
// error is about the comparison as a whole.
func (c *comparison) make(ctx context.Context, cell *Cell, p *Probe) (*record, error) {
	folder := filepath.Join(c.Folder, cell.Folder())
	r := &record{Cell: cell.String(), Identity: cell.digest(), Machine: cpu.Model(), Measured: 1}
	if p != nil {
		r.Probe = *p
	}
	bundle := ""
	train, err := cell.TrainConfig()
	if err != nil {
		return nil, err
	}
	if train != nil {
		text, err := train.YAML()
		if err != nil {
			return nil, err
		}
		if r.Training, err = c.work(ctx, cell, r, "training", Task{filepath.Join(folder, trainFolder), string(text), true}); err != nil {
			return nil, err
		}
		if r.Failed == "" {
			if bundle, err = trainedBundle(filepath.Join(folder, trainFolder)); err != nil {
				r.Failed = err.Error()
			}
		}
	}
	if r.Failed == "" {
		config, err := cell.RunConfig(bundle)
		if err != nil {
			return nil, err
		}
		text, err := config.YAML()
		if err != nil {
			return nil, err
		}
		if r.Run, err = c.work(ctx, cell, r, "run", Task{filepath.Join(folder, runFolder), string(text), false}); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	if err := cell.keep(c.Folder, r); err != nil {
		return nil, err
	}
	if r.Failed != "" {
		return r, nil
	}
	// The cell is complete: what it would need to go on takes the most room.
	return r, os.RemoveAll(filepath.Join(folder, runFolder, run.CheckpointFolder))
}

// work performs a task of a cell.
func (c *comparison) work(ctx context.Context, cell *Cell, r *record, what string, t Task) (*used, error) {
	done, err := c.Work(ctx, t, func(doing string, done float64) {
		c.far(cell, what+": "+doing, done)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cell, err)
	}
	if done.Interrupted || ctx.Err() != nil {
		return nil, ErrInterrupted
	}
	if done.Failed != "" {
		r.Failed = what + ": " + done.Failed
	}
	return &used{done.Wall.Seconds(), done.CPU.Seconds(), done.Memory}, nil
}

func kindOf(cell *Cell) string {
	return fmt.Sprint(cell.System.Name, "\x00", cell.Sampler.Name, "\x00", cell.Budget)
}

// over accounts for a cell that has ended.
func (c *comparison) over(cell *Cell, r *record, fresh bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.ended[cell.String()] = true
	took := time.Duration(0)
	for _, u := range []*used{r.Training, r.Run} {
		if u != nil {
			took += time.Duration(u.Wall * float64(time.Second))
		}
	}
	c.spent[kindOf(cell)] += took
	c.count[kindOf(cell)]++
	if fresh && c.Observe != nil {
		c.Observe(Progress{Cells: len(c.cells), Ended: len(c.ended), Cell: cell.String(), Failed: r.Failed, Over: true, Left: c.left()})
	}
}

// again accounts for a cell that is made again.
func (c *comparison) again(cell *Cell) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.ended, cell.String())
}

func (c *comparison) far(cell *Cell, doing string, done float64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.Observe != nil {
		c.Observe(Progress{Cells: len(c.cells), Ended: len(c.ended), Cell: cell.String(), Doing: doing, Done: done, Left: c.left()})
	}
}

func (c *comparison) observe(p Progress) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.Observe != nil {
		p.Cells, p.Ended = len(c.cells), len(c.ended)
		c.Observe(p)
	}
}

// left is how long the cells that have not ended take if they take as long as those of their kind,
// or else as long as the mean.
func (c *comparison) left() time.Duration {
	var all time.Duration
	n := 0
	for kind, took := range c.spent {
		all += took
		n += c.count[kind]
	}
	if n == 0 {
		return 0
	}
	planned, sum := map[string]int{}, time.Duration(0)
	for i := range c.cells {
		planned[kindOf(&c.cells[i])]++
	}
	for kind, count := range planned {
		each := all / time.Duration(n)
		if of := c.count[kind]; of > 0 {
			each = c.spent[kind] / time.Duration(of)
		}
		sum += each * time.Duration(max(0, count-c.count[kind]))
	}
	return sum / time.Duration(min(c.Jobs, max(1, runtime.NumCPU())))
}
