package run

import (
	"context"
	"fmt"

	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// openShards makes the engines of all shards of production, as they come from New.
func (w *walkers) openShards() (shards sampler.Shards, err error) {
	of := w.j.c.Run.Shards
	for k := range of {
		e, err := w.openShard(sampler.Shard{Index: k, Of: of})
		if err != nil {
			return nil, fmt.Errorf("shard %d of %d: %w", k+1, of, err)
		}
		shards = append(shards, e)
	}
	return shards, nil
}

// openShard makes the engine of a shard.
func (w *walkers) openShard(s sampler.Shard) (*sampler.Engine, error) {
	o := w.options
	o.Shard, o.Events = s, sampler.Events{}
	if w.network != nil {
		if err := w.proposeInShard(&o); err != nil {
			return nil, err
		}
	}
	return sampler.New(o)
}

// divide begins production in shards, where the adaptation has ended.
func (w *walkers) divide() error {
	shards, err := w.openShards()
	if err != nil {
		return err
	}
	end, lnH := w.Snapshot(), w.histogram(w.Engine)
	for _, e := range shards {
		if err := e.TakeUp(end); err != nil {
			return err
		}
		e.SetHistogram(lnH)
		w.mix(e)
	}
	shards.Produce()
	w.shards = shards
	return nil
}

// restoreShards puts the shards where a checkpoint left them.
func (w *walkers) restoreShards(from []*sampler.Snapshot) error {
	if have, want := len(from), w.j.c.Run.Shards; have != want {
		return fmt.Errorf("checkpoint: it has %d shards, run.shards is %d", have, want)
	}
	shards, err := w.openShards()
	if err != nil {
		return err
	}
	for k, e := range shards {
		if err := e.Restore(from[k]); err != nil {
			return fmt.Errorf("shard %d: %w", k+1, err)
		}
		w.mix(e)
	}
	if _, err := shards.Samples(); err != nil {
		return err
	}
	w.shards = shards
	return nil
}

// The methods that follow are those of the engine, or of the shards in its place.

func (w *walkers) Pass(ctx context.Context) error {
	if w.shards != nil {
		return w.shards.Pass(ctx)
	}
	return w.Engine.Pass(ctx)
}

func (w *walkers) Progress() sampler.Progress {
	if w.shards != nil {
		return w.shards.Progress()
	}
	return w.Engine.Progress()
}

func (w *walkers) View() *sampler.View {
	if w.shards != nil {
		return w.shards.View()
	}
	return w.Engine.View()
}

func (w *walkers) Waiting() []lattice.Window {
	if w.shards != nil {
		return w.shards.Waiting()
	}
	return w.Engine.Waiting()
}

// Samples are the counts of production so far.
func (w *walkers) Samples() *sampler.Samples {
	if w.shards == nil {
		return w.Engine.Samples()
	}
	s, err := w.shards.Samples()
	if err != nil { // shards of one process begin together and pass together
		panic(err)
	}
	return s
}
