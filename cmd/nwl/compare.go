package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/child"
	"neuralwl/internal/compare"
	"neuralwl/internal/disk"
	"neuralwl/internal/near"
)

// comparing are the flags of a comparison.
type comparing struct {
	out        string
	resume     bool
	failed     bool
	jobs       int
	seeds      int
	references []string
}

func newCompare() *cobra.Command {
	var o comparing
	c := &cobra.Command{
		Use:   "compare SPEC.yaml|NAME [--out DIR] [--jobs N] | compare --resume --out DIR [SPEC.yaml|NAME]",
		Short: "Compare samplers: a matrix of systems, samplers, budgets and seeds",
		Long: `Compare samplers by the error of ln g that they leave after so many moves and so much time, with
statistics over seeds, and write a report: report.html, report.md, tables (CSV, Parquet) and figures.

SPEC.yaml says which systems and samplers (docs/compare.md); these specifications come with the
program: ` + strings.Join(compare.BuiltIn(), ", ") + `. nwl compare show NAME prints one.

Each cell of the matrix is a run of its own, in a process of its own, on one core, one after
another: the samplers of one seed back to back, each time in another order, with a probe of the
machine's speed before each. Cells stop by moves, so that all numbers but times repeat, whatever
--jobs says, and after any interruption. --jobs measures several seeds at the same time, each on
its core; times are best with one and an idle machine.

--resume goes on with a comparison. A specification, or --seeds, may add cells to it; those that have
ended are kept.

Exit codes: 0 complete, with cells that failed named; 4 interrupted; 1 failed; 2 wrong command
line or specification.`,
		Example: "  nwl compare quick --out quick\n  nwl compare --resume --out quick --seeds 10\n  nwl compare report quick",
		Args:    arguments(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := o.open(args)
			if err != nil {
				return usageError{err}
			}
			if o.jobs < 1 {
				return usageError{fmt.Errorf("--jobs %d: at least one is needed", o.jobs)}
			}
			if o.out == "" {
				if o.out, err = claimFolder("comparisons", strings.ReplaceAll(strings.ToLower(s.Name), " ", "-")); err != nil {
					return err
				}
			}
			program, err := os.Executable()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(o.out, 0o777); err != nil {
				return err
			}
			log, err := disk.OS.Append(filepath.Join(o.out, "cells.log"))
			if err != nil {
				return err
			}
			defer log.Close()
			logTo(slog.LevelInfo)
			ctx, stop := interruptible(c.Context())
			defer stop()
			err = compare.Run(ctx, compare.Options{
				Spec: s, Folder: o.out, Resume: o.resume, Failed: o.failed, Jobs: o.jobs,
				Work: child.Cells([]string{program, "child"}, &locked{w: log}), Observe: (&cellLines{}).observe,
			})
			if errors.Is(err, compare.ErrInterrupted) {
				slog.Warn("the comparison is not complete", "go on with", "nwl compare --resume --out "+o.out)
				return unfinished{code: exitInterrupted}
			}
			if err != nil {
				return err
			}
			return writeReport(c.OutOrStdout(), o.out)
		},
	}
	c.Flags().StringVar(&o.out, "out", "", "folder of the comparison (default comparisons/<name>-<number>)")
	c.Flags().BoolVar(&o.resume, "resume", false, "go on with the comparison in --out")
	c.Flags().BoolVar(&o.failed, "retry-failed", false, "with --resume: make cells again that failed")
	c.Flags().IntVar(&o.jobs, "jobs", 1, "seeds that are measured at the same time, each on a core of its own")
	c.Flags().IntVar(&o.seeds, "seeds", 0, "number of seeds (default that of the specification)")
	c.Flags().StringArrayVar(&o.references, "reference", nil, "density of states from which the errors of a system are counted, as in --reference q10-8x8=dos.csv")
	c.AddCommand(newCompareReport(), newCompareDiff(), newCompareShow())
	return c
}

// open reads the specification that the command line names, or that of the comparison that goes on.
func (o *comparing) open(args []string) (s *compare.Spec, err error) {
	switch {
	case len(args) > 0:
		s, err = compare.Open(args[0])
	case o.resume && o.out != "":
		s, err = specOf(o.out)
	default:
		err = fmt.Errorf("name a specification, a file or one of %s, or go on with a comparison by --resume --out DIR", strings.Join(compare.BuiltIn(), ", "))
	}
	if err != nil {
		return nil, err
	}
	if o.seeds != 0 {
		s.Seeds = o.seeds
	}
	return s, setReferences(s, o.references)
}

// specOf is the specification of the comparison in a folder.
func specOf(folder string) (*compare.Spec, error) {
	path := filepath.Join(folder, compare.SpecFile)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%s holds no comparison: %w%s", folder, err, near.AskPath(folder))
	}
	return compare.Open(path)
}

// setReferences sets the references that flags name, and checks the specification again.
func setReferences(s *compare.Spec, references []string) error {
	for _, text := range references {
		name, path, ok := strings.Cut(text, "=")
		k := slices.IndexFunc(s.Systems, func(y compare.System) bool { return y.Name == name })
		if !ok || k < 0 {
			return fmt.Errorf("--reference %s: write SYSTEM=FILE with a system of the specification", text)
		}
		if path != compare.ExactReference && path != compare.RunReference {
			var err error
			if path, err = filepath.Abs(path); err != nil {
				return err
			}
		}
		s.Systems[k].Reference = path
	}
	return errors.Join(s.Validate()...)
}

// locked lets several processes write to one file.
type locked struct {
	mutex sync.Mutex
	w     io.Writer
}

func (l *locked) Write(data []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.w.Write(data)
}

// cellLines logs the progress of a comparison.
type cellLines struct{ last time.Time }

func (l *cellLines) observe(p compare.Progress) {
	left := "unknown"
	if p.Left > 0 {
		left = p.Left.Round(time.Second).String()
	}
	switch {
	case p.Over && p.Failed != "":
		slog.Warn("a cell failed", "cell", p.Cell, "reason", p.Failed, "ended", fmt.Sprintf("%d of %d", p.Ended, p.Cells), "left", left)
	case p.Over:
		slog.Info("a cell ended", "cell", p.Cell, "ended", fmt.Sprintf("%d of %d", p.Ended, p.Cells), "left", left)
	case time.Since(l.last) >= logInterval:
		slog.Info("under way", "cell", p.Cell, "doing", p.Doing, "done", fmt.Sprintf("%.0f%%", 100*p.Done), "ended", fmt.Sprintf("%d of %d", p.Ended, p.Cells), "left", left)
	default:
		return
	}
	l.last = time.Now()
}

func newCompareShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME|SPEC.yaml",
		Short: "Print a specification with all defaults",
		Args:  arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := compare.Open(args[0])
			if err != nil {
				return usageError{err}
			}
			text, err := s.YAML()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
}

func newCompareReport() *cobra.Command {
	var references []string
	c := &cobra.Command{
		Use:   "report DIR",
		Short: "Make the report of a comparison again, also of one under way",
		Args:  arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if len(references) > 0 {
				s, err := specOf(args[0])
				if err == nil {
					err = setReferences(s, references)
				}
				if err != nil {
					return usageError{err}
				}
				text, err := s.YAML()
				if err == nil {
					err = disk.WriteFile(disk.OS, filepath.Join(args[0], compare.SpecFile), text)
				}
				if err != nil {
					return err
				}
			}
			return writeReport(c.OutOrStdout(), args[0])
		},
	}
	c.Flags().StringArrayVar(&references, "reference", nil, "density of states from which the errors of a system are counted from now on, as in --reference q10-8x8=dos.csv")
	return c
}
