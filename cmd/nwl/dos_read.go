package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

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
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return report.LoadEnsemble(path)
	}
	return dos.Reader{
		ZerosUnvisited: r.zerosUnvisited,
		Note:           func(text string) { note(c, path, text) },
	}.ReadEnsemble(path)
}

// note prints what is remarkable about a file to standard error.
func note(c *cobra.Command, path, text string) {
	fmt.Fprintf(c.ErrOrStderr(), "nwl: %s: %s\n", path, text)
}
