package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/repository"
	"neuralwl/internal/run"
	"neuralwl/internal/worker"
	"neuralwl/models/pretrained"
)

// networksName is the folder of the repository of networks in the data folder.
const networksName = "networks"

// evaluationTime bounds the evaluation of up to 128 rows for other programs.
const evaluationTime = 5 * time.Minute

// openNetworks opens the repository, whose path is absolute: it becomes part of configurations.
func (d *Daemon) openNetworks() error {
	path, err := filepath.Abs(filepath.Join(d.o.Data, networksName))
	if err != nil {
		return err
	}
	folder, err := repository.OpenFolder(disk.OS, path, 0)
	if err != nil {
		return err
	}
	d.networks = repository.Open(folder, repository.Options{
		Runtime: inference.Runtime{Provider: inference.CPU, Timeout: evaluationTime}, Concurrency: d.o.ServingThreads, Log: d.log,
	})
	return nil
}

// Repository holds the networks of the daemon.
func (d *Daemon) Repository() *repository.Repository { return d.networks }

// Networks lists all versions of all networks.
func (d *Daemon) Networks() ([]api.Network, error) {
	found, err := d.networks.List()
	if err != nil {
		return nil, err
	}
	followers, users := map[string][]string{}, map[string][]string{}
	for _, r := range d.mirror.records() {
		if name := d.spec(r).Follow; name != "" && !r.State.Final() {
			followers[name] = append(followers[name], r.ID)
		}
		if r.State != job.Running {
			continue
		}
		if present := d.present(r.ID); present != "" {
			users[present] = append(users[present], r.ID)
		}
	}
	all := []api.Network{}
	for _, info := range found {
		n := describeNetwork(info)
		n.Followers, n.Users = followers[n.Name], users[info.Ref.String()]
		slices.Sort(n.Followers)
		slices.Sort(n.Users)
		all = append(all, n)
	}
	return all, nil
}

func describeNetwork(info repository.Info) api.Network {
	n := api.Network{Name: info.Name, Version: info.Version, Digest: info.Digest, Bytes: info.Size, Added: info.Added.UTC()}
	if info.Card != nil {
		n.Architecture, n.Steps = info.Card.Architecture, info.Card.Training.Steps
		n.System = info.Card.System.System().String()
	}
	if info.Fault != nil {
		n.Fault = info.Fault.Error()
	}
	return n
}

// AddNetwork adds a bundle, a tar archive compressed by gzip, as the next version of a network, and
// offers it to the runs that follow that.
func (d *Daemon) AddNetwork(ctx context.Context, name string, archive io.Reader) (*api.Network, error) {
	ref, err := d.networks.AddArchive(ctx, archive, name)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, invalid{err}
	}
	return d.added(ref)
}

// added describes a new version and offers it.
func (d *Daemon) added(ref repository.Ref) (*api.Network, error) {
	info, err := d.networks.Describe(ref)
	if err != nil {
		return nil, err
	}
	d.log.Info("a network is added", "network", ref.String(), "architecture", info.Card.Architecture)
	for _, r := range d.mirror.records() {
		if r.State == job.Running && d.spec(r).Follow == ref.Name {
			d.offer(r.ID, ref.Name)
		}
	}
	n := describeNetwork(info)
	return &n, nil
}

// RemoveNetwork deletes a version. Runs that use it have copies of their own.
func (d *Daemon) RemoveNetwork(name, version string) error {
	ref, err := repository.ParseRef(name + "/" + version)
	if err != nil {
		return invalid{err}
	}
	if ref.Version == repository.Latest {
		return invalid{fmt.Errorf("version: name the version to delete by its number")}
	}
	return d.networks.Remove(ref)
}

// Swap has the network of a run exchanged, and waits until it is.
func (d *Daemon) Swap(ctx context.Context, id string, r api.SwapRequest) (*api.Swap, error) {
	record, err := d.queue.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	bundle, name, err := d.swapBundle(id, r)
	if err != nil {
		return nil, err
	}
	if record.State != job.Running {
		return nil, fmt.Errorf("exchange the network of %s: %w, it is %s; a run exchanges its network while it runs", id, job.ErrImpossible, record.State)
	}
	a, err := worker.Swap(ctx, d.queue, id, worker.SwapRequest{Bundle: bundle, Name: name, Restart: r.Phase == api.RestartPhase})
	if err != nil {
		return nil, swapFault(id, err)
	}
	return &api.Swap{
		Bundle: a.Name, Digest: a.Digest, Pass: a.Pass, Stage: a.Stage, Restarted: a.Restarted, Training: a.Training,
		Loading: a.LoadingSeconds, Pause: a.PauseSeconds,
	}, nil
}

// NetworkHistory returns what networks a run has had.
func (d *Daemon) NetworkHistory(ctx context.Context, id string) (*api.NetworkHistory, error) {
	if _, err := d.queue.Get(ctx, id); err != nil {
		return nil, err
	}
	swaps, err := run.Swaps(d.Folder(id))
	if err != nil {
		return nil, err
	}
	h := &api.NetworkHistory{Swaps: []api.PastSwap{}}
	if p := d.mirror.progress(id); p != nil {
		h.Acceptance = p.Acceptance
	}
	for _, s := range swaps {
		h.Swaps = append(h.Swaps, api.PastSwap{
			Bundle: s.Name, Digest: s.Digest, Pass: s.Pass, Stage: s.Stage, Restarted: s.Restart, Before: s.Before, Acceptance: s.Acceptance,
		})
	}
	return h, nil
}

// swapFault says of an exchange that was not made whether the state of the run or the network
// forbids it.
func swapFault(id string, err error) error {
	var fault *run.SwapError
	switch {
	case errors.Is(err, queue.ErrUnreachable):
		return fmt.Errorf("exchange the network of %s: %w: no worker answers; try again in a moment", id, job.ErrImpossible)
	case !errors.As(err, &fault):
		return err
	case fault.Fault == run.SwapBundle:
		return invalid{fmt.Errorf("bundle: %w", err)}
	case fault.Fault == run.SwapFailed:
		return err
	}
	return fmt.Errorf("exchange the network of %s: %w: %w", id, job.ErrImpossible, err)
}

// swapBundle finds the bundle that a request names, and what it is called.
func (d *Daemon) swapBundle(id string, r api.SwapRequest) (bundle, name string, err error) {
	switch {
	case r.Back && r.Bundle != "":
		return "", "", invalid{errors.New("back: it goes back to the network before; leave out bundle")}
	case !r.Back && r.Bundle == "":
		return "", "", invalid{errors.New("bundle: name the network, as name/version")}
	case strings.HasPrefix(r.Bundle, pretrained.Prefix):
		return r.Bundle, r.Bundle, nil
	}
	if err := d.elsewhere("bundle"); err != nil {
		return "", "", invalid{err}
	}
	if r.Back {
		return d.before(id)
	}
	ref, err := d.networks.Resolve(r.Bundle)
	if err != nil {
		return "", "", invalid{fmt.Errorf("bundle: %w", err)}
	}
	return d.networks.Version(ref), ref.String(), nil
}

// before finds the network that a run had before its last exchange.
func (d *Daemon) before(id string) (bundle, name string, err error) {
	folder, err := filepath.Abs(d.Folder(id))
	if err != nil {
		return "", "", err
	}
	swaps, err := run.Swaps(folder)
	if err != nil {
		return "", "", err
	}
	if len(swaps) == 0 {
		return "", "", fmt.Errorf("go back with the network of %s: %w, it was not exchanged yet", id, job.ErrImpossible)
	}
	last := swaps[len(swaps)-1]
	return filepath.Join(folder, last.From), last.Before, nil
}

// resolveBundles replaces references to the repository in a configuration by paths.
func (d *Daemon) resolveBundles(c *config.Config) error {
	var faults []error
	for key, bundle := range map[string]*string{"model.bundle": &c.Model.Bundle, "model.init": &c.Model.Init} {
		if *bundle == "" || strings.HasPrefix(*bundle, pretrained.Prefix) {
			continue
		}
		if err := d.elsewhere(key); err != nil {
			faults = append(faults, err)
			continue
		}
		if _, err := os.Stat(*bundle); err == nil {
			continue
		}
		ref, err := d.networks.Resolve(*bundle)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %q is neither a folder that the daemon can read nor a network of its repository (%w)", key, *bundle, err))
			continue
		}
		*bundle = d.networks.Version(ref)
	}
	return errors.Join(faults...)
}

// elsewhere refuses what names a network of this machine if workers do not have its folders.
func (d *Daemon) elsewhere(what string) error {
	if d.o.Store == nil {
		return nil
	}
	return fmt.Errorf("%s: run directories are in an object store (storage.files), so that workers cannot read networks of the daemon; take one that comes with the program (pretrained/...), or let the run train its own", what)
}

// checkFollow returns an error unless a run can follow a network of that name.
func (d *Daemon) checkFollow(name string) error {
	if name == "" {
		return nil
	}
	if err := d.elsewhere("follow"); err != nil {
		return err
	}
	if err := repository.CheckName(name); err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	return nil
}

// offerTime bounds how long an exchange that is offered may take.
const offerTime = 30 * time.Minute

// offers are the networks that are being offered to runs.
type offers struct {
	sync.WaitGroup
	mutex sync.Mutex
	more  map[string]bool // by run to which one is offered: whether there is another one by now
}

// offer offers the latest version of the network that a run follows, one after the other. The run
// takes it unless it is in production or the network is none for it; its events tell.
func (d *Daemon) offer(id, name string) {
	o := &d.offers
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if _, under := o.more[id]; under {
		o.more[id] = true
		return
	}
	o.more[id] = false
	o.Go(func() {
		for again := true; again; {
			d.offerOnce(id, name)
			o.mutex.Lock()
			if again = o.more[id]; again {
				o.more[id] = false
			} else {
				delete(o.more, id)
			}
			o.mutex.Unlock()
		}
	})
}

func (d *Daemon) offerOnce(id, name string) {
	ref, err := d.networks.Resolve(name)
	if err == nil {
		ctx, cancel := context.WithTimeout(d.living, offerTime)
		defer cancel()
		_, err = d.Swap(ctx, id, api.SwapRequest{Bundle: ref.String()})
	}
	if err != nil {
		d.log.Warn("a run does not take the network that it follows", "run", id, "network", ref.String(), "reason", err)
	}
}

// publishedKept is how many versions that a run published are kept.
const publishedKept = 10

// watchNetworks follows what runs tell of their networks: re-exports are published, and runs that
// go on are offered what they missed.
func (d *Daemon) watchNetworks(ctx context.Context, e queue.Event) {
	switch child.Kind(e.Kind) {
	case child.Exported:
		var exported child.ExportedData
		if json.Unmarshal(e.Data, &exported) == nil && exported.Folder != "" && exported.Error == "" {
			d.exported(ctx, e.Run, exported.Folder)
		}
	case child.Began:
		r := d.mirror.record(e.Run)
		if r == nil || r.State != job.Running {
			return
		}
		name := d.spec(r).Follow
		if name == "" {
			return
		}
		if ref, err := d.networks.Resolve(name); err == nil && !d.has(e.Run, ref) {
			d.offer(e.Run, name)
		}
	}
}

// exported publishes a network in the directory of a run, once it is there.
func (d *Daemon) exported(ctx context.Context, id, folder string) {
	if d.o.Store != nil {
		d.puller.await(id, folder)
		return
	}
	if err := d.publish(ctx, id, folder); err != nil {
		d.log.Warn("a network is not published", "run", id, "folder", folder, "reason", err)
	}
}

// publishBrought publishes the newest network of a run among those that have come from the store.
func (d *Daemon) publishBrought(ctx context.Context, id string) {
	for _, folder := range d.puller.awaited(id) {
		err := d.publish(ctx, id, folder)
		if errors.Is(err, os.ErrNotExist) {
			continue // it comes with the next checkpoint, or a newer one took its place
		}
		if err != nil {
			d.log.Warn("a network is not published", "run", id, "folder", folder, "reason", err)
		}
		d.puller.came(id, folder)
		return
	}
}

// present is the network of the repository that a run has at present, as name/version; empty if
// it has none, or another one.
func (d *Daemon) present(id string) string {
	swaps, err := run.Swaps(d.Folder(id))
	if err == nil && len(swaps) > 0 {
		return swaps[len(swaps)-1].Name
	}
	c, err := config.Load(filepath.Join(d.Folder(id), report.ConfigFile), nil)
	if err != nil {
		return ""
	}
	name, err := filepath.Rel(d.networks.Path(), c.Model.Bundle)
	if err != nil {
		return ""
	}
	return filepath.ToSlash(name) // of another folder it names none
}

// has reports whether a run has a version already.
func (d *Daemon) has(id string, ref repository.Ref) bool {
	info, err := d.networks.Describe(ref)
	if err != nil {
		return true // nothing to offer
	}
	swaps, err := run.Swaps(d.Folder(id))
	if err == nil && len(swaps) > 0 {
		return swaps[len(swaps)-1].Digest == info.Digest || swaps[len(swaps)-1].Name == ref.String()
	}
	c, err := config.Load(filepath.Join(d.Folder(id), report.ConfigFile), nil)
	return err == nil && c.Model.Bundle == d.networks.Version(ref)
}

// publish adds a network that a run exported to the repository, under the run's name, if the run is
// to publish. The folder is within the run directory.
func (d *Daemon) publish(ctx context.Context, id, folder string) error {
	r := d.mirror.record(id)
	if r == nil || !d.spec(r).Publish {
		return nil
	}
	if folder = filepath.FromSlash(folder); !filepath.IsLocal(folder) {
		return fmt.Errorf("the worker names the folder %q, which is not in the run directory", folder)
	}
	folder = filepath.Join(d.Folder(id), folder)
	text, err := os.ReadFile(filepath.Join(folder, exporter.CardFile))
	if err != nil {
		return err
	}
	card, err := exporter.ParseCard(text)
	if err != nil {
		return err
	}
	versions, err := d.networks.Versions(id)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(versions) > 0 {
		// The last event comes again when the daemon starts.
		last, err := d.networks.Describe(repository.Ref{Name: id, Version: versions[len(versions)-1]})
		if err == nil && last.Digest == card.Digest() {
			return nil
		}
	}
	ref, err := d.networks.Add(ctx, os.DirFS(folder), id)
	if err != nil {
		return err
	}
	for _, old := range versions[:max(0, len(versions)+1-publishedKept)] {
		if err := d.networks.Remove(repository.Ref{Name: id, Version: old}); err != nil {
			d.log.Warn("an old version of a network stays", "network", id, "version", old, "reason", err)
		}
	}
	_, err = d.added(ref)
	return err
}
