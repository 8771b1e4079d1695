package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/compare"
	"neuralwl/internal/job"
)

func newSubmitCompare() *cobra.Command {
	var seeds int
	var name string
	of := &job.Comparison{}
	c := submitting(&cobra.Command{
		Use:   "compare --spec SPEC.yaml|NAME [--seeds N]",
		Short: "Submit a comparison of samplers",
		Long: `Submit a comparison, as of nwl compare. It is one job: its cells run one after another on the machine
of one worker, since times compare only there. After a pause it goes on with the cells that
have not ended. The page /comparisons of the daemon lists comparisons and opens their reports,
which grow meanwhile. What the daemon does besides disturbs the times: give it a daemon that has
nothing else to do. Bundles that the specification names must be where the daemon runs, and references are exact or run.`,
		Example: "  nwl submit compare --spec quick --id quick",
	}, job.WorkCompare, func(s *api.Submission) error {
		if name == "" {
			return usageError{errors.New("--spec is missing; name a specification, a file or one of " + strings.Join(compare.BuiltIn(), ", "))}
		}
		spec, err := compare.Open(name)
		if err != nil {
			return usageError{err}
		}
		if seeds != 0 {
			spec.Seeds = seeds
		}
		text, err := spec.YAML()
		if err != nil {
			return err
		}
		of.Spec = string(text)
		if s.Title == "" {
			s.Title = spec.Title
		}
		s.Compare = of
		return nil
	})
	c.Flags().StringVar(&name, "spec", "", "specification, a file or the name of one that comes with the program")
	c.Flags().IntVar(&seeds, "seeds", 0, "number of seeds (default that of the specification)")
	c.Flags().BoolVar(&of.Failed, "retry-failed", false, "make cells again that failed, of a comparison that goes on")
	return c
}
