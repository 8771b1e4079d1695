//go:build linux

package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

var realisations = flag.Int("realisations", 0, "members of TestEnsemble, 100 by default")

// TestEnsemble has a daemon average over realisations of random_bond 4x4 as one group, and compares means and spreads
// with those of the enumeration of the same ones. It logs what the daemon takes for each member.
func TestEnsemble(t *testing.T) {
	n := *realisations
	if n == 0 {
		long.Only(t, "a hundred runs by a daemon; internal/ensemble averages some without one")
		n = 100
	}
	s := newServed(t, "server.jobs=2")
	s.start()
	began := time.Now()
	submission := api.GroupSubmission{Name: "glass", Set: append(slices.Clone(member), fmt.Sprintf("system.disorder_seed=1..%d", n)), Betas: "0.2..1.4:0.2"}
	if _, err := s.client.SubmitGroup(t.Context(), submission); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	for deadline := time.Now().Add(time.Hour); ; time.Sleep(200 * time.Millisecond) {
		g, err := s.client.Group(t.Context(), "glass")
		if err != nil {
			t.Fatal(err)
		}
		if g.State == job.Done && g.Merged == n {
			break
		}
		if g.States[string(job.Failed)] > 0 || time.Now().After(deadline) {
			t.Fatalf("%+v\n%s", g, s.log)
		}
	}
	all := time.Since(began)
	text, err := s.client.GroupFile(t.Context(), "glass", ensemble.AveragesFile)
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used); err != nil {
		t.Fatal(err)
	}
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	t.Logf("%d members: submitted in %.1f s, done and averaged after %.0f s; %.3f s of a core per member by the daemon and its processes",
		n, took.Seconds(), all.Seconds(), cpu.Seconds()/float64(n))

	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 8 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	column := func(row []string, name string) float64 {
		x, err := strconv.ParseFloat(row[slices.Index(rows[0], name)], 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return x
	}
	var densities []*dos.Density
	for seed := range n {
		densities = append(densities, spinGlass(t, uint64(seed+1)))
	}
	sum, count := 0., 0
	for _, row := range rows[1:] {
		beta := column(row, "beta")
		for name, of := range map[string]func(dos.Canonical) float64{
			"ln_z": func(c dos.Canonical) float64 { return c.LnZ }, "energy": func(c dos.Canonical) float64 { return c.Energy },
			"specific_heat": func(c dos.Canonical) float64 { return c.SpecificHeat },
		} {
			var values []float64
			for _, d := range densities {
				values = append(values, of(d.At(beta))/16)
			}
			mean, spread := stat.MeanStdDev(values, nil)
			own, got := column(row, name+"_own_error"), column(row, name+"_spread")
			z := (column(row, name) - mean) / own
			sum, count = sum+z*z, count+1
			t.Logf("beta %.1f, %s: %.6f, of which the runs' errors are %.6f; enumerated %.6f; spread %.5f, enumerated %.5f", beta, name, column(row, name), own, mean, got, spread)
			if math.Abs(z) > 5 {
				t.Errorf("%s at %g: %g is %.1f errors of the runs from the enumeration, %g", name, beta, column(row, name), z, mean)
			}
			// Errors of the runs, which are some own*sqrt(n) each, are taken out of the spread up to their own scatter.
			if slack := 0.05*spread + 3*own*math.Sqrt2; math.Abs(got-spread) > slack {
				t.Errorf("%s at %g: spread %g, enumerated %g", name, beta, got, spread)
			}
		}
	}
	t.Logf("%d means differ from the enumeration by %.2f errors of the runs (rms)", count, math.Sqrt(sum/float64(count)))
}

// spinGlass is the exact density of states of a realisation.
func spinGlass(t *testing.T, seed uint64) *dos.Density {
	t.Helper()
	system, err := lattice.NewRandomBond(config.DefaultAntiferromagnetic, seed, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := exact.Enumerate(t.Context(), system)
	if err != nil {
		t.Fatal(err)
	}
	d := &dos.Density{}
	for level, n := range slices.Backward(counts) {
		if n > 0 {
			d.Energy, d.LnG = append(d.Energy, system.Energy(level)), append(d.LnG, math.Log(float64(n)))
		}
	}
	return d
}
