// Command calibrate finds out what the verdict "converged" is worth: of many short runs of
// systems whose density of states is known exactly, how many have converged and are yet wrong
// by more than three standard errors. `make calibrate` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"

	"neuralwl/internal/config"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
)

func main() {
	seeds := flag.Int("seeds", 8, "runs of each kind, with seeds from 1 on")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./internal/calibrate [--seeds N]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 || *seeds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := calibrate(*seeds); err != nil {
		fmt.Fprintln(os.Stderr, "calibrate:", err)
		os.Exit(1)
	}
}

// calibrate makes all runs and prints the tables.
func calibrate(seeds int) error {
	for _, plan := range []struct {
		title string
		kinds []kind
	}{{"Densities of states", walkerKinds()}, {"At one temperature", canonicalKinds()}} {
		trials, err := performAll(plan.kinds, seeds)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d runs\n\n", plan.title, len(trials))
		printVerdicts(os.Stdout, trials)
		printKinds(os.Stdout, trials)
	}
	return nil
}

// performAll makes the runs of all kinds with all seeds, as many at a time as there are
// cores.
func performAll(kinds []kind, seeds int) ([]*trial, error) {
	ctx := context.Background()
	known := map[string]*dos.Density{}
	type job struct {
		kind   kind
		config *config.Config
		known  *dos.Density
	}
	var jobs []job
	for _, k := range kinds {
		for seed := range seeds {
			c, err := config.Load("", k.settings(seed+1))
			if err != nil {
				return nil, err
			}
			if known[k.system] == nil {
				system, err := c.System.New()
				if err != nil {
					return nil, err
				}
				spectrum, err := exact.Of(ctx, system, exact.Options{})
				if err != nil {
					return nil, err
				}
				known[k.system] = spectrum.Density()
			}
			jobs = append(jobs, job{k, c, known[k.system]})
		}
	}
	trials, faults := make([]*trial, len(jobs)), make([]error, len(jobs))
	var workers sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				if trials[i], faults[i] = perform(ctx, jobs[i].config, jobs[i].known, jobs[i].kind.adaptation); faults[i] != nil {
					faults[i] = fmt.Errorf("%s: %w", jobs[i].kind, faults[i])
					continue
				}
				trials[i].kind = jobs[i].kind
			}
		})
	}
	for i := range jobs {
		next <- i
		if i%100 == 99 {
			fmt.Fprintf(os.Stderr, "\r%d of %d runs", i+1, len(jobs))
		}
	}
	close(next)
	workers.Wait()
	fmt.Fprintln(os.Stderr)
	return trials, errors.Join(faults...)
}
