package sampler

import (
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Density estimates ln g with errors from the histograms of production, normalised so that g
// sums to the number of configurations. With several windows, the overlaps tell how well each
// agrees with the one before; windows without visits, which no walker has entered yet, are
// left out. It is an error if the visited windows do not connect.
func (s *Samples) Density() (*dos.Ensemble, []dos.Overlap, error) {
	var windows []dos.Window
	for _, w := range s.Windows {
		if w.visited() {
			windows = append(windows, dos.Window{Low: w.Low, High: w.High, LnWeight: w.LnWeight, Blocks: w.Blocks})
		}
	}
	return dos.FromWindows(lattice.Energies(s.system), windows, s.system.LnStates())
}

func (w *WindowSamples) visited() bool {
	for _, block := range w.Blocks {
		for _, n := range block {
			if n > 0 {
				return true
			}
		}
	}
	return false
}
