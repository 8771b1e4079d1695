package main

import (
	"fmt"

	"github.com/spf13/cobra"

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
	return dos.Reader{
		ZerosUnvisited: r.zerosUnvisited,
		Note:           func(text string) { fmt.Fprintf(c.ErrOrStderr(), "nwl: %s: %s\n", path, text) },
	}.ReadFile(path)
}
