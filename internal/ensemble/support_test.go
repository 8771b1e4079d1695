package ensemble

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/job"
	"neuralwl/internal/parallel"
	"neuralwl/internal/run"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// tiny are the settings of a run of 4x4 spins that takes some hundredths of a second.
var tiny = []string{
	"system.model=random_bond", "system.size=4x4", "run.walkers=8", "run.workers=1", "wang_landau.final_ln_f=1e-3",
	"production.passes=1000", "report.figures=false", "metrics.listen=",
}

// perform performs all members of a matrix, each a run of its own, and returns what became of them.
func perform(t *testing.T, m *Matrix, folder string) []Outcome {
	t.Helper()
	all := make([]Outcome, m.Len())
	faults := make([]error, m.Len())
	parallel.Do(2, m.Len(), 1, func(_, i int) {
		o := Outcome{Member: m.Member(i, 1), ID: fmt.Sprintf("m-%04d", i), Done: true, State: string(job.Done)}
		o.Folder = filepath.Join(folder, o.ID)
		settings := append(m.Settings(o.Point), m.Realise(o.Realisation)...)
		if o.Seed != nil {
			settings = append(settings, fmt.Sprintf("%s=%d", SeedKey, *o.Seed))
		}
		c, err := config.Compose(nil, settings)
		if err == nil {
			s, fault := run.Run(context.Background(), run.Options{Config: c, Folder: o.Folder, Log: slog.New(slog.DiscardHandler), FS: faulty.FS{}})
			if err = fault; err == nil {
				o.Converged = s.Verdict.Converged
			}
		}
		all[i], faults[i] = o, err
	})
	for _, err := range faults {
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// enumerated is the exact density of states of a realisation.
func enumerated(t *testing.T, disorder uint64, sides ...int) *dos.Density {
	t.Helper()
	s, err := lattice.NewRandomBond(config.DefaultAntiferromagnetic, disorder, sides...)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := exact.Enumerate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	d := &dos.Density{}
	for level, n := range slices.Backward(counts) {
		if n > 0 {
			d.Energy, d.LnG = append(d.Energy, s.Energy(level)), append(d.LnG, math.Log(float64(n)))
		}
	}
	return d
}
