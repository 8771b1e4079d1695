// Command nwl computes densities of states by neural Wang-Landau sampling.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := newRoot().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "nwl:", err)
		os.Exit(exitCode(err))
	}
}
