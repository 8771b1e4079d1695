// Command cmd extrapolates runs of the ten-colour Potts model to the infinite lattice: it
// prints tables in Markdown and draws a figure. `make scaling` makes the runs and calls it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"neuralwl/internal/disk"
)

func main() {
	path := flag.String("figure", "scaling.png", "file to draw, .png, .svg or .pdf")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./internal/scaling/cmd [--figure FILE] SUMMARY.JSON...\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := extrapolate(flag.Args(), *path); err != nil {
		fmt.Fprintln(os.Stderr, "scaling:", err)
		os.Exit(1)
	}
}

// extrapolate reads the summaries, prints the tables and draws the figure.
func extrapolate(paths []string, path string) error {
	runs, err := readRuns(paths)
	if err != nil {
		return err
	}
	quantities, err := analyse(runs)
	if err != nil {
		return err
	}
	printRuns(os.Stdout, runs, quantities)
	printFits(os.Stdout, quantities)
	var image bytes.Buffer
	if err := figure(quantities).Encode(&image, path); err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, path, image.Bytes())
}
