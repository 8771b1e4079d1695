package dos_test

import (
	"fmt"
	"log"
	"math"
	"strings"

	"neuralwl/sampler/dos"
)

// All temperatures follow from one density of states: that of a spin with one state of energy -1 and
// three of energy 0.
func Example() {
	d := &dos.Density{Energy: []float64{-1, 0}, LnG: []float64{0, math.Log(3)}}
	for _, beta := range []float64{0, 1, 4} {
		c := d.At(beta)
		fmt.Printf("beta %g: U = %.4f, C = %.4f, S = %.4f\n", beta, c.Energy, c.SpecificHeat, c.Entropy)
	}
	// Output:
	// beta 0: U = -0.2500, C = 0.0000, S = 1.3863
	// beta 1: U = -0.4754, C = 0.2494, S = 1.2683
	// beta 4: U = -0.9479, C = 0.7900, S = 0.2618
}

// Four walkers under the weights 1/g visit both levels about equally often: what is left of ln g follows
// from their histograms, and its error from their differences.
func ExampleFromHistograms() {
	energy := []float64{0, -1} // by level, of which the energies descend
	lnWeight := []float64{math.Log(3), 0}
	blocks := [][]int64{{498, 502}, {507, 493}, {495, 505}, {500, 500}}
	e, err := dos.FromHistograms(energy, lnWeight, blocks, math.Log(4))
	if err != nil {
		log.Fatal(err)
	}
	for i, x := range e.Energy {
		fmt.Printf("E = %g: g = %.3f, relative error %.3f\n", x, math.Exp(e.LnG[i]), e.Error[i])
	}
	averages, err := e.Canonical([]float64{1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("U = %.4f with an error of %.4f\n", averages[0].Energy, averages[0].EnergyError)
	// Output:
	// E = -1: g = 1.000, relative error 0.008
	// E = 0: g = 3.000, relative error 0.003
	// U = -0.4754 with an error of 0.0025
}

// Two energy windows become one density of states where they overlap.
func ExampleMerge() {
	low := &dos.Density{Energy: []float64{-2, -1}, LnG: []float64{0, 2}, Error: []float64{0.1, 0.1}}
	high := &dos.Density{Energy: []float64{-1, 0}, LnG: []float64{0, 1}, Error: []float64{0.1, 0.1}}
	d, overlaps, err := dos.Merge([]dos.Piece{{Name: "low", Density: low}, {Name: "high", Density: high}}, math.NaN())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v: %.0f, shifted by %.0f\n", d.Energy, d.LnG, overlaps[0].Shift)
	// Output: [-2 -1 0]: [0 2 3], shifted by 2
}

// Tables are read as nwl and other programs write them.
func ExampleReadCSV() {
	d, err := dos.ReadCSV(strings.NewReader("energy,ln_g,ln_g_error\n-8,0.693,0.01\n-4,1.386,\n"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Energy, d.LnG, d.Error)
	_, err = dos.ReadCSV(strings.NewReader("energy,ln_g\n-8,many\n"))
	fmt.Println(err)
	// Output:
	// [-8 -4] [0.693 1.386] [0.01 NaN]
	// line 2, column ln_g: "many" is not a number such as -18, 1.1e+01 or 1.1D+01
}
