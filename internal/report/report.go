// Package report turns the counts of a run into its results: the density of states by every
// estimator, what follows from it, the verdict, and the files and plots of the run
// directory. It also reads them back.
package report

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/history"
	"neuralwl/internal/tune"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Input is what a run hands in when it ends.
type Input struct {
	Evaluation Evaluation // of its method
	Config     *config.Config
	System     lattice.System
	Log        *slog.Logger

	// Seen and LnG are of the adaptation, by level: whether a level was visited, and the
	// estimate of ln g up to a constant.
	Seen []bool
	LnG  []float64
	// Cut is whether run.max_time or run.max_moves ended the adaptation.
	Cut bool
	// Samples are what production counted of walkers, or Draws what it drew of a network
	// alone; both nil for a run that ended before.
	Samples *sampler.Samples
	Draws   []dos.WeightBlock
	// Temperatures are the counts at each temperature of a run by a network's draws at several.
	Temperatures []sampler.TemperatureSums
	// Waiting are the energy windows that no walker has come into.
	Waiting []lattice.Window
	// History is how the run went, and View what there is to see of it at the end; nil where that is
	// not known. They are for figures alone.
	History []history.Point
	View    *sampler.View
	// Deadline is when the results must be there, zero for no limit: what would take longer is
	// left out.
	Deadline time.Time
}

// Course is what a run did, and how it went.
type Course struct {
	Version     string // of the program
	Folder      string
	Seconds     float64 // wall-clock time, over all resumptions
	Phases      []PhaseSummary
	Tuning      *tune.Summary
	Resumptions []Resumption
	Checkpoints CheckpointSummary
	Network     *NetworkSummary // nil without
	// Interrupted is why the run ended before it was complete, nil if it did not.
	Interrupted error
	// UnderWay says that it has not ended at all; Interrupted is then set as well.
	UnderWay bool
}

// Evaluation is how the results of one kind of sampling are made and judged.
type Evaluation struct {
	// estimate makes ln g, and complete what follows from it.
	estimate func(*Result) error
	complete func(context.Context, *Result) error
	// conclude adds to the summary what is particular to the kind of sampling, and the
	// evidence for the verdict.
	conclude func(*Result, *Summary)
	// LnTotal is what ln of the sum of g in dos.csv was normalised to; nil for a density
	// that is absolute by itself.
	LnTotal func(lattice.System) float64
	// Ground is whether ln g of the ground state can be compared with its known degeneracy.
	Ground bool
	// estimator is what the density of states is estimated from.
	estimator string
}

// The evaluations: densities of states by walkers in a random walk over the energies, by
// the draws of a network alone, of walkers at one temperature, and of a network's draws at
// temperatures.
var (
	Walkers     = Evaluation{estimateWalkers, complete, concludeWalkers, lattice.System.LnStates, true, byHistograms}
	Draws       = Evaluation{estimateDraws, complete, concludeDraws, nil, true, byDraws}
	Variational = Evaluation{estimateVariational, completeVariational, concludeVariational, nil, false, byDraws}
	Canonical   = Evaluation{estimateCanonical, completeCanonical, concludeCanonical, func(lattice.System) float64 { return 0 }, false, byHistograms}
)

// Evaluate makes the results: ln g, and then as much of the rest as there is time for until
// the deadline. It ends with ctx.
func Evaluate(ctx context.Context, in *Input) (*Result, error) {
	if !in.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, in.Deadline)
		defer cancel()
	}
	r := &Result{Input: in, energy: lattice.Energies(in.System)}
	if err := in.Evaluation.estimate(r); err != nil {
		return nil, err
	}
	r.pair()
	if err := in.Evaluation.complete(ctx, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Estimate makes ln g alone, as Evaluate does first.
func Estimate(in *Input) (*dos.Ensemble, error) {
	r := &Result{Input: in, energy: lattice.Energies(in.System)}
	if err := in.Evaluation.estimate(r); err != nil {
		return nil, err
	}
	r.pair()
	return r.density, nil
}

// Judge makes of a run's counts only ln g and the verdict: what Evaluate and Result.Summary
// make of them, without observables, files and plots. exact is the density of states to
// compare with. A canonical run is compared with nothing.
func Judge(ctx context.Context, in *Input, course Course, exact *dos.Density) (*dos.Ensemble, *Summary, error) {
	r := &Result{Input: in, energy: lattice.Energies(in.System), exact: exact}
	if err := in.Evaluation.estimate(r); err != nil {
		return nil, nil, err
	}
	r.pair()
	if in.Evaluation.Ground {
		if err := r.compare(ctx); err != nil {
			return nil, nil, err
		}
	}
	return r.density, r.Summary(course), nil
}

// costOf is a generous estimate of the time that one level of one jackknife replica takes, and
// costOfFiles that of the plots and files, of a core of the year 2020.
const (
	costOf      = 6 * time.Microsecond
	costOfFiles = 2 * time.Second
)

// Cost predicts how long Evaluate and Write take after a run that has seen so many levels.
func Cost(levels, walkers int) time.Duration {
	workers := min(runtime.GOMAXPROCS(0), dos.MinReplicas)
	return costOfFiles + costOf*time.Duration(levels*dos.Replicas(max(walkers, dos.MinReplicas), levels)/workers)
}

// leaveOut notes that there was no time for a result. It reports whether err says so.
func (r *Result) leaveOut(what string, err error) bool {
	if !errors.Is(err, dos.ErrTime) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return false
	}
	r.leftOut = append(r.leftOut, what)
	return true
}

// Write puts every file of the results into the run directory by put, which writes a file
// of that name. A file that fails does not keep the others from being written.
func (r *Result) Write(s *Summary, put func(name string, data []byte) error) error {
	var faults []error
	write := func(name string, encode func(io.Writer) error) {
		var buf bytes.Buffer
		err := encode(&buf)
		if err == nil {
			err = put(name, buf.Bytes())
		}
		faults = append(faults, err)
	}
	table := func(name string, d *dos.Ensemble, beside *dos.Absolute) {
		var text bytes.Buffer
		var err error
		if r.joint != nil {
			err = r.jointOf(d).WriteCSV(&text)
		} else {
			err = d.WriteCSVBeside(&text, beside)
		}
		if err == nil {
			err = put(name, text.Bytes())
		}
		faults = append(faults, err)
		write(dos.MetadataFile(name), func(w io.Writer) error { return d.Origin.WriteMetadata(w, name, text.Bytes()) })
	}
	table(DensityFile, r.cells, r.absolute)
	if r.joint != nil {
		write(ArchiveFile, r.joint.WriteNPZ)
	} else {
		write(ArchiveFile, r.density.WriteNPZ)
	}
	if r.transitions != nil {
		table(HistogramFile, r.histogram, nil)
		table(TransitionsFile, r.transitions.Free, nil)
		if r.transitions.Bridge != nil {
			write(BridgeFile, r.writeBridge)
		}
	}
	if r.proposals != nil {
		write(ProposalsFile, r.writeProposals)
	}
	if r.means != nil {
		write(OrderFile, r.writeOrder)
	}
	if r.canonical != nil {
		write(ObservablesFile, r.writeObservables)
	}
	if r.temperatures != nil {
		write(TemperaturesFile, r.writeTemperatures)
	}
	if r.Config.Report.Figures {
		faults = append(faults, r.WritePage(s, put))
	}
	write(SummaryFile, s.encode)
	return errors.Join(faults...)
}

// WritePage draws the pictures and writes the page of the results, and nothing else, by put as in Write.
func (r *Result) WritePage(s *Summary, put func(name string, data []byte) error) error {
	var faults []error
	if !s.Verdict.Converged {
		r.stamp = " (NOT CONVERGED)"
	}
	figures, err := r.figures()
	if err != nil {
		r.Log.Warn("a plot is missing", "reason", err)
	}
	for name, figure := range figures {
		for _, extension := range []string{".png", ".svg"} {
			data, err := encode(figure, name+extension)
			if err != nil {
				r.Log.Warn("a plot is missing", "reason", err)
				continue
			}
			faults = append(faults, put(name+extension, data))
		}
	}
	var buf bytes.Buffer
	if err = r.writePage(&buf, s, figures); err == nil {
		err = put(PageFile, buf.Bytes())
	}
	return errors.Join(append(faults, err)...)
}
