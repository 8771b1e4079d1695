package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"neuralwl/internal/near"
	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
)

// densityReader reads the densities of states that are arguments of a command, which may be
// files of other programs, and prints what it notes of them.
type densityReader struct{ zerosUnvisited bool }

// addFlags adds the flags of reading to a command.
func (r *densityReader) addFlags(c *cobra.Command) {
	c.Flags().BoolVar(&r.zerosUnvisited, "zeros-unvisited", false, "leave out levels with ln g = 0, which some programs write for those never visited")
}

func (r *densityReader) read(c *cobra.Command, path string) (*dos.Density, error) {
	e, err := r.readEnsemble(c, path)
	if err != nil {
		return nil, err
	}
	return e.Density, nil
}

// readEnsemble reads a density of states with the replicas of its errors, if it has any, from a
// file or a run directory.
func (r *densityReader) readEnsemble(c *cobra.Command, path string) (*dos.Ensemble, error) {
	e, j, err := r.readEither(c, path)
	if j != nil {
		e = summed(c, path, j)
	}
	return e, err
}

// summed is the sum of a joint density over its second variable, which it notes.
func summed(c *cobra.Command, path string, j *dos.Joint) *dos.Ensemble {
	note(c, path, fmt.Sprintf("a joint density of states of the energy and the %s: summed over the %s", j.Name, j.Name))
	return j.Project(0)
}

// readEither reads a joint density of states or, where there is none, what readEnsemble reads; the other is nil.
func (r *densityReader) readEither(c *cobra.Command, path string) (*dos.Ensemble, *dos.Joint, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("%s: there is neither such a file nor such a run directory%s", path, near.AskPath(path))
	case err == nil && info.IsDir():
		return report.LoadEither(path)
	}
	return dos.Reader{
		ZerosUnvisited: r.zerosUnvisited,
		Note:           func(text string) { note(c, path, text) },
	}.ReadEither(path)
}

// note prints what is remarkable about a file to standard error.
func note(c *cobra.Command, path, text string) {
	fmt.Fprintf(c.ErrOrStderr(), "nwl: %s: %s\n", path, text)
}
