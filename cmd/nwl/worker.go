package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/child"
	"neuralwl/internal/config"
	"neuralwl/internal/daemon"
	"neuralwl/internal/queue"
	"neuralwl/internal/run"
	"neuralwl/internal/store"
	"neuralwl/internal/worker"
)

// workerOptions are those of nwl worker.
type workerOptions struct {
	url, key, ca, files string
	scratch             string
	jobs, cores, memory int
	resources           []string
	idle, grace         time.Duration
	level               string
}

func newWorker() *cobra.Command {
	var o workerOptions
	c := &cobra.Command{
		Use:   "worker --key FILE [--queue tls://HEAD:4222] [--files DIR|s3://BUCKET/PREFIX] [--jobs N] [--cores N] [--resources gpu] [--exit-when-idle D]",
		Short: "Perform runs for an nwl serve on another machine",
		Long: `Take runs from the queue of an nwl serve and perform them here, each in a process of its own. FILE
is what nwl worker invite made; it also names the queue and the folder of run directories, which
this machine must share, or the object store that has them. SIGINT and SIGTERM let the runs under way end in order, with a checkpoint,
and hand them back. A worker that loses touch with the queue ends its runs by itself, before others
go on with them at their last checkpoints.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interruptible(c.Context())
			defer stop()
			var level slog.Level
			if err := level.UnmarshalText([]byte(o.level)); err != nil {
				return usageError{fmt.Errorf("--log-level %s: it is none of debug, info, warn and error", o.level)}
			}
			return o.work(ctx, newLogger(level))
		},
	}
	f := c.Flags()
	f.StringVar(&o.key, "key", "", "file with the worker's key, made by nwl worker invite")
	f.StringVar(&o.url, "queue", "", "address of the queue (default that in the key's file)")
	f.StringVar(&o.ca, "ca", "", "file of the certificates that sign the queue's, PEM (default those in the key's file, else the system's)")
	f.StringVar(&o.files, "files", "", "folder of run directories, the runs folder of the head as this machine sees it, or s3://bucket/prefix (default that in the key's file)")
	f.StringVar(&o.scratch, "scratch", "", "with files in a store, folder for the runs under way (default the system's for temporary files)")
	f.IntVar(&o.jobs, "jobs", 0, "runs side by side (default half as many as there are cores)")
	f.IntVar(&o.cores, "cores", 0, "threads of a run whose run.workers is 0 (default an equal share of the cores)")
	f.IntVar(&o.memory, "memory", 0, "MB that its runs may be estimated to need together (default three quarters of the machine's)")
	f.StringSliceVar(&o.resources, "resources", nil, "what it offers beside processors: gpu")
	f.DurationVar(&o.idle, "exit-when-idle", 0, "end after so long without a run (default never)")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "for runs to end in order")
	f.StringVar(&o.level, "log-level", "info", "debug, info, warn or error")
	c.AddCommand(newWorkerInvite(), newWorkerList(), newWorkerRevoke(), newWorkerDrain())
	return c
}

// check returns all faults of the command line.
func (o *workerOptions) check() error {
	var faults []error
	if o.key == "" {
		faults = append(faults, errors.New("--key is missing: nwl worker invite NAME makes one, where the data folder of nwl serve is"))
	}
	for _, r := range o.resources {
		if r != string(queue.GPU) && r != string(queue.CPU) {
			faults = append(faults, fmt.Errorf("--resources %s: it is none of %v", r, queue.Resources))
		}
	}
	for name, n := range map[string]int{"jobs": o.jobs, "cores": o.cores, "memory": o.memory} {
		if n < 0 {
			faults = append(faults, fmt.Errorf("--%s %d is negative", name, n))
		}
	}
	if o.idle < 0 || o.grace <= 0 {
		faults = append(faults, errors.New("--exit-when-idle and --grace are times above 0s"))
	}
	if len(faults) > 0 {
		return usageError{errors.Join(faults...)}
	}
	return nil
}

// openFiles opens the store of run directories, nil if they are in a folder.
func openFiles(ctx context.Context, files string) (*store.Store, error) {
	if !strings.HasPrefix(files, store.Scheme) {
		return nil, nil
	}
	return store.Open(ctx, files)
}

// work performs runs until ctx ends, the key is refused or nothing is to do.
func (o *workerOptions) work(ctx context.Context, log *slog.Logger) error {
	if err := o.check(); err != nil {
		return err
	}
	i, err := queue.ReadInvitation(o.key)
	if err != nil {
		return err
	}
	if o.ca != "" {
		text, err := os.ReadFile(o.ca)
		if err != nil {
			return fmt.Errorf("--ca: %w", err)
		}
		i.CA, i.ServerName = string(text), ""
	}
	url, files := cmp.Or(o.url, i.URL), cmp.Or(o.files, i.Files)
	if i.Name == "" { // the key of another program
		i.Name = strings.TrimSuffix(filepath.Base(o.key), filepath.Ext(o.key))
		if err := queue.CheckWorker(i.Name); err != nil {
			return usageError{fmt.Errorf("--key %s: the name of a file with a seed alone is that of the worker: %w", o.key, err)}
		}
	}
	if url == "" || files == "" {
		return usageError{fmt.Errorf("%s does not say which queue and folder: add --queue and --files", o.key)}
	}
	runs, err := openFiles(ctx, files)
	if err != nil {
		return err
	}
	if runs == nil {
		if files, err = filepath.Abs(files); err != nil {
			return err
		}
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	q, err := queue.Open(ctx, queue.Options{URL: url, Access: i, Member: true, Version: version(), Log: log})
	for tries := 0; queue.IsRefused(err) && tries < 4; tries++ { // the head may not have heard of a new key
		time.Sleep(500 * time.Millisecond)
		q, err = queue.Open(ctx, queue.Options{URL: url, Access: i, Member: true, Version: version(), Log: log})
	}
	if err != nil {
		return err
	}
	defer q.Close()
	folder, mark := files, ""
	if runs == nil {
		mark, err = queue.FolderMark(files)
	} else {
		mark, err = runs.Mark(ctx, queue.MarkFile)
	}
	if err == nil {
		err = q.CheckFiles(ctx, files, mark)
	}
	if err != nil {
		return err
	}
	if runs != nil {
		if folder, err = os.MkdirTemp(o.scratch, "nwl-worker-"); err != nil {
			return err
		}
		defer os.RemoveAll(folder)
	}
	until, err := run.AllocationEnd(log)
	if err != nil {
		return err
	}
	children := []string{program, "child"}
	machine, err := child.Probe(ctx, children)
	if err != nil {
		return err
	}
	if machine.Fault != "" {
		log.Warn("runs with a network cannot be performed here", "reason", machine.Fault)
	}
	gpu := slices.Contains(o.resources, string(queue.GPU))
	if gpu && machine.GPU == "" {
		return usageError{errors.New("--resources gpu: NVIDIA's driver knows no GPU on this machine")}
	}
	jobs, cores := config.Share(o.jobs, o.cores, runtime.GOMAXPROCS(0))
	memory := cmp.Or(int64(o.memory)<<20, daemon.RunMemory())
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed"
	}
	self := &queue.Worker{
		Name: i.Name, Instance: queue.Instance(), Version: version(), Host: host, Began: time.Now().UTC(),
		Jobs: jobs, Cores: cores, Memory: memory, Classes: worker.Classes(machine, gpu),
	}
	log.Info("the worker takes runs", "worker", self.Owner(), "queue", url, "files", files, "jobs", jobs, "cores", cores, "class", machine.Class(gpu))
	working, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-q.Gone():
			end(fmt.Errorf("the queue refuses this worker by now: %w", q.Refused()))
		case <-working.Done():
		}
	}()
	err = worker.Run(working, worker.Options{
		Queue: q, Folder: folder, Store: runs, Owner: self.Owner(), Program: children, Self: self, Classes: self.Classes, Memory: memory,
		Jobs: jobs, Cores: cores, Renew: q.Silence() / 3, Grace: o.grace, Until: until, Idle: o.idle, Log: log,
	})
	if cause := context.Cause(working); ctx.Err() == nil && cause != nil {
		return errors.Join(cause, err)
	}
	log.Info("the worker has ended")
	return err
}
