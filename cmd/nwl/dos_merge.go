package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

func newDosMerge() *cobra.Command {
	var q int
	var size, out string
	var lnStates float64
	var asJSON bool
	var files densityReader
	c := &cobra.Command{
		Use:   "merge A B [C...] --out FILE [--json]",
		Short: "Combine independent runs and energy windows",
		Long: `Combine densities of states of the same system from independent runs: run directories,
their dos.npz, or files. Those with the same levels are averaged, weighted by their errors.
Pieces from windows of energy that overlap are joined from the lowest energies upward, each
shifted by the weighted mean difference of ln g in the overlap.

Runs and dos.npz hold replicas of ln g with one block of walkers omitted each. If all have
them, so has the result, errors account for levels that err together, and where the system
is known its transition is printed with errors. From other files only error bars are known.

Refused are copies, two estimates of one run, runs with one seed and exact densities: their
average would claim too small an error.

The sum of g becomes that of all states of the system where the files say which it is, Q^N
by --q and --size for a Potts model, or exp(X) by --lnstates X, and else remains that of the
first file over its levels. --q and --size are refused for a result that lacks energies with
a share of the states, and what files say is then not used.

Printed is for every file how it fits to those before it in the order of the table: the
shift with its error, the rms difference in units of the combined errors (well above 1: the
errors are too small, or a run is not converged; well below 1 is usual, as neighbouring
levels err alike), and the rms difference itself.`,
		Example: `  nwl dos merge runs/q10-16x16-1 runs/q10-16x16-2 runs/q10-16x16-3 --out dos.npz
  nwl dos merge low.csv middle.csv high.npz --q 10 --size 16x16 --out dos.csv`,
		Args: arguments(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, paths []string) error {
			if err := required(c, "out"); err != nil {
				return err
			}
			if err := dos.CheckPath(out); err != nil {
				return usageError{err}
			}
			total := states{lnTotal: math.NaN()}
			flags := c.Flags()
			switch named := flags.Changed("q") || flags.Changed("size"); {
			case named && flags.Changed("lnstates"):
				return usageError{errors.New("--lnstates and --q with --size both give the number of states; leave one out")}
			case named:
				if err := required(c, "q", "size"); err != nil {
					return err
				}
				of, err := potts(q, size)
				if err == nil {
					total.system, err = of.New()
				}
				if err != nil {
					return usageError{err}
				}
				total.demanded = true
			case flags.Changed("lnstates"):
				if total.lnTotal = lnStates; math.IsNaN(lnStates) || math.IsInf(lnStates, 0) {
					return usageError{fmt.Errorf("--lnstates %v: it must be a finite number, the logarithm of the number of states", lnStates)}
				}
			}
			parts := make([]dos.Part, len(paths))
			for i, path := range paths {
				e, err := files.readEnsemble(c, path)
				if err != nil {
					return err
				}
				if total.demanded {
					if err := within(e.Density, total.system); err != nil {
						return fmt.Errorf("merge %s: %w", path, err)
					}
				}
				if e.Origin != nil && !e.Origin.Converged {
					note(c, path, "it is not converged")
				}
				parts[i] = dos.Part{Name: path, Ensemble: e}
			}
			merged, overlaps, err := total.merge(c, parts)
			if err != nil {
				return err
			}
			if err := merged.WriteFile(out); err != nil {
				return err
			}
			w := c.OutOrStdout()
			if asJSON {
				return writeJSON(w, mergedOf(out, total.system, merged, overlaps))
			}
			if err := printOverlaps(w, overlaps); err != nil {
				return err
			}
			fmt.Fprintf(w, "%d files merged to %d levels, E = %g..%g, in %s\n",
				len(paths), merged.Len(), merged.Energy[0], merged.Energy[merged.Len()-1], out)
			if total.system == nil || merged.Replicas == nil {
				return nil
			}
			return printMerged(w, total.system, merged, parts)
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write, .csv or .npz")
	c.Flags().Float64Var(&lnStates, "lnstates", 0, "logarithm of the number of states in all")
	addJSON(c, &asJSON)
	c.Flags().IntVar(&q, "q", 0, "number of colours of the Potts model")
	c.Flags().StringVar(&size, "size", "", "sides of its lattice, as in 16x16")
	files.addFlags(c)
	return c
}

// states are those to which a merged density of states is normalised.
type states struct {
	system   lattice.System // nil if it is not known
	demanded bool           // by the user, not only named by the files
	lnTotal  float64        // NaN if it follows from the system
}

// merge merges the parts and normalises the result. Where the files name the system, it
// becomes that of s.
func (s *states) merge(c *cobra.Command, parts []dos.Part) (*dos.Ensemble, []dos.Overlap, error) {
	pieces := make([]dos.Piece, len(parts))
	blocks := 0
	for i, p := range parts {
		pieces[i] = dos.Piece{Name: p.Name, Density: p.Density}
		if p.Replicas != nil {
			blocks++
		}
	}
	if err := dos.CheckIndependent(pieces); err != nil {
		return nil, nil, err
	}
	if 0 < blocks && blocks < len(parts) {
		for _, p := range parts {
			if p.Replicas == nil {
				note(c, p.Name, "it has no replicas of ln g, so errors follow from error bars alone; give run directories or their dos.npz")
			}
		}
	}
	if o := parts[0].Origin; s.system == nil && math.IsNaN(s.lnTotal) && o != nil && o.Method != config.CanonicalMethod {
		system, err := report.SystemOf(o)
		if err != nil {
			note(c, parts[0].Name, "its system is not known here: "+err.Error())
		}
		s.system = system
	}
	merged, overlaps, err := dos.MergeEnsembles(parts, s.lnTotal)
	if err != nil || s.system == nil {
		return merged, overlaps, err
	}
	lowest := math.NaN()
	if lattice.GroundKnown(s.system) {
		lowest = s.system.Energy(s.system.GroundLevel())
	}
	switch err := merged.CheckComplete(lowest, s.system.Energy(0)); {
	case err == nil:
		merged.Normalise(s.system.LnStates())
	case s.demanded:
		return nil, nil, fmt.Errorf("merge: %w", err)
	default:
		note(c, "the result", "it is not normalised: "+err.Error())
	}
	return merged, overlaps, nil
}

// within returns an error if a density has energies that the system lacks.
func within(d *dos.Density, system lattice.System) error {
	low, high, ground := d.Energy[0], d.Energy[d.Len()-1], system.Energy(system.GroundLevel())
	if low < ground || high > 0 {
		return fmt.Errorf("its energies %g..%g are not all within %g..0, those of %v; check --q and --size", low, high, ground, system)
	}
	return nil
}

// printOverlaps prints a table of how well the pieces fit together.
func printOverlaps(w io.Writer, overlaps []dos.Overlap) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "file\tlevels in common\tshift\trms/error\trms")
	for _, o := range overlaps {
		fmt.Fprintf(t, "%s\t%d, E = %g..%g\t%s\t%s\t%.3g\n", o.Piece, o.Levels, o.From, o.To,
			withError(o.Shift, o.ShiftError), number(o.RMS), o.Difference)
	}
	return t.Flush()
}

// printMerged prints the transition of the merged density of states, and how well the runs
// agree about it.
func printMerged(w io.Writer, system lattice.System, merged *dos.Ensemble, parts []dos.Part) error {
	transition := report.FindTransition(system, merged)
	of := dos.System{}
	if merged.Origin != nil {
		of = merged.Origin.System
	}
	rows := report.TransitionRows(of, transition)
	if transition.HeatMaximum != nil {
		chi2, n := 0.0, 0
		for _, p := range parts {
			own := report.FindTransition(system, p.Ensemble).HeatMaximum
			if own == nil || own.Error == nil || *own.Error == 0 {
				continue // a window without the transition
			}
			z := (own.Value - transition.HeatMaximum.Value) / *own.Error
			chi2 += z * z
			n++
		}
		if n > 1 {
			rows = append(rows, report.Row{Name: "agreement", Text: fmt.Sprintf("of the specific heat maxima of %d runs: chi2 %.1f for %d degrees of freedom", n, chi2, n-1)})
		}
	}
	return printRows(w, rows)
}

// withError writes value(error), without the error where that is zero or unknown.
func withError(value, deviation float64) string {
	if deviation > 0 {
		return fmt.Sprintf("%.4f(%.4f)", value, deviation)
	}
	return fmt.Sprintf("%.4f", value)
}

// number writes x, or a dash where it is unknown.
func number(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.3g", x)
}

// mergedView is what nwl dos merge --json writes.
type mergedView struct {
	File       string                    `json:"file"`
	Levels     int                       `json:"levels"`
	From       float64                   `json:"from"` // energies
	To         float64                   `json:"to"`
	Overlaps   []overlapView             `json:"overlaps"`
	Transition *report.TransitionSummary `json:"transition,omitempty"`
}

type overlapView struct {
	File         string  `json:"file"`
	Levels       int     `json:"levels"`
	From         float64 `json:"from"`
	To           float64 `json:"to"`
	Shift        finite  `json:"shift"`
	ShiftError   finite  `json:"shift_error"`
	RMSOverError finite  `json:"rms_over_error"`
	RMS          finite  `json:"rms"`
}

func mergedOf(file string, system lattice.System, merged *dos.Ensemble, overlaps []dos.Overlap) mergedView {
	all := mergedView{File: file, Levels: merged.Len(), From: merged.Energy[0], To: merged.Energy[merged.Len()-1], Overlaps: []overlapView{}}
	for _, o := range overlaps {
		all.Overlaps = append(all.Overlaps, overlapView{o.Piece, o.Levels, o.From, o.To, finite(o.Shift), finite(o.ShiftError), finite(o.RMS), finite(o.Difference)})
	}
	if system != nil && merged.Replicas != nil {
		all.Transition = report.FindTransition(system, merged)
	}
	return all
}
