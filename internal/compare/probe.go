package compare

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"neuralwl/internal/cpu"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Probe is how long the same piece of work takes on a core, before a cell.
type Probe struct {
	CPU  float64 `json:"cpu_seconds"`
	Wall float64 `json:"wall_seconds"`
}

// probePasses take a tenth of a second or two.
const probePasses = 400

// mostSpread is the ratio of two probes of a block from which on its times are doubtful.
const mostSpread = 1.1

// probe makes sweeps of the heat bath on the calling goroutine, three times, and takes the fastest.
func probe(ctx context.Context) (Probe, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	system, err := lattice.NewPotts(10, 16, 16)
	if err != nil {
		return Probe{}, err
	}
	best := Probe{}
	for try := range 3 {
		e, err := sampler.New(sampler.Options{System: system, Seed: 1, Walkers: 16, Local: local.HeatBath})
		if err != nil {
			return Probe{}, err
		}
		began, beganCPU := time.Now(), cpu.ThreadTime()
		for range probePasses {
			if err := e.Pass(ctx); err != nil {
				return Probe{}, fmt.Errorf("probe of the machine's speed: %w", err)
			}
		}
		p := Probe{(cpu.ThreadTime() - beganCPU).Seconds(), time.Since(began).Seconds()}
		if try == 0 || p.CPU < best.CPU {
			best = p
		}
	}
	return best, nil
}
