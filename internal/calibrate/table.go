package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// limit is from how many standard errors on a result counts as wrong.
const limit = 3

// tally counts results that are wrong.
type tally struct{ wrong, all int }

// add counts deviations in standard errors; those without an error are left out.
func (t *tally) add(deviations ...float64) {
	for _, z := range deviations {
		if math.IsNaN(z) {
			continue
		}
		t.all++
		if math.Abs(z) > limit {
			t.wrong++
		}
	}
}

func (t tally) String() string {
	if t.all == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(t.wrong)/float64(t.all))
}

// outcome sums up a selection of trials.
type outcome struct {
	runs, wrongRuns int
	byQuantity      []tally
	all, levels     tally
}

func sumUp(trials []*trial, selected func(*trial) bool) *outcome {
	o := &outcome{byQuantity: make([]tally, len(trials[0].quantities))}
	for _, t := range trials {
		if !selected(t) {
			continue
		}
		o.runs++
		var own tally
		own.add(t.quantities...)
		if own.wrong > 0 {
			o.wrongRuns++
		}
		o.all.wrong, o.all.all = o.all.wrong+own.wrong, o.all.all+own.all
		for i, z := range t.quantities {
			o.byQuantity[i].add(z)
		}
		o.levels.add(t.levels...)
	}
	return o
}

// printVerdicts prints the share of wrong results as one check after the other is asked for,
// and among the runs that only one check refuses.
func printVerdicts(w io.Writer, trials []*trial) {
	var checks []string // in their order, that on the ground state last
	for _, t := range trials {
		for _, c := range t.summary.Verdict.Checks {
			if !slices.Contains(checks, c.Name) {
				checks = append(checks, c.Name)
			}
		}
	}
	if k := slices.Index(checks, ground); k >= 0 {
		checks = append(slices.Delete(checks, k, k+1), ground)
	}
	quantities := names
	if len(trials[0].quantities) == 2 {
		quantities = names[2:4]
	}
	fmt.Fprintf(w, "| runs | number | wrong: any quantity of a run | a quantity | %s | ln g of a level |\n", strings.Join(quantities, " | "))
	fmt.Fprintf(w, "|---|---|---|---|%s---|\n", strings.Repeat("---|", len(quantities)))
	row := func(name string, selected func(*trial) bool) {
		o := sumUp(trials, selected)
		fmt.Fprintf(w, "| %s | %d | %s | %s |", name, o.runs, tally{o.wrongRuns, o.runs}, o.all)
		for _, q := range o.byQuantity {
			fmt.Fprintf(w, " %s |", q)
		}
		fmt.Fprintf(w, " %s |\n", o.levels)
	}
	row("all", func(*trial) bool { return true })
	for i, name := range checks {
		row("with "+name, func(t *trial) bool { return t.converged(checks[i+1:]...) })
	}
	for _, name := range checks {
		row("refused by "+name+" alone", func(t *trial) bool { return !t.converged() && t.converged(name) })
	}
	fmt.Fprintln(w)
}

// ground is the name of the check that compares with the known ground state.
const ground = "ground state"

// printKinds prints what becomes of the runs of each system, number of walkers and length of
// production in autocorrelation times.
func printKinds(w io.Writer, trials []*trial) {
	fmt.Fprintln(w, "| runs | number | converged | wrong: a quantity of these | ln g of a level |\n|---|---|---|---|---|")
	row := func(name string, selected func(*trial) bool) {
		all := sumUp(trials, selected)
		if all.runs == 0 {
			return
		}
		o := sumUp(trials, func(t *trial) bool { return selected(t) && t.converged() })
		fmt.Fprintf(w, "| %s | %d | %d | %s | %s |\n", name, all.runs, o.runs, o.all, o.levels)
	}
	for _, system := range distinct(trials, func(t *trial) string { return t.kind.system }) {
		row(strings.ReplaceAll(system, "system.", ""), func(t *trial) bool { return t.kind.system == system })
	}
	for _, walkers := range distinct(trials, func(t *trial) int { return t.kind.walkers }) {
		row(fmt.Sprint(walkers, " walkers"), func(t *trial) bool { return t.kind.walkers == walkers })
	}
	fmt.Fprintln(w)
}

// distinct lists the values of f in the order in which they come.
func distinct[T comparable](trials []*trial, f func(*trial) T) (values []T) {
	for _, t := range trials {
		if v := f(t); !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}
