package main

import (
	"fmt"
	"strings"
)

// kind is what runs have in common that differ in their seed.
type kind struct {
	system     string // settings
	walkers    int
	windows    int
	lnF        string // wang_landau.final_ln_f
	adaptation int    // passes after which the adaptation is cut short as by run.max_time, 0 for never
	passes     int    // of production
	beta       string // of canonical runs, else empty
}

// systems are small lattices with a first-order transition, a continuous one and none; a
// long one, on which walkers cross slowly; and one whose ground states and levels the
// program does not know.
var systems = []string{
	"system.q=10 system.size=6x6",
	"system.q=3 system.size=6x6",
	"system.q=2 system.size=8x8",
	"system.q=10 system.size=4x16",
	"system.model=blume_capel system.crystal_field=1.9 system.size=3x4",
	"system.model=random_bond system.size=4x5",
}

// walkerKinds are runs by walkers from such that hardly begin to ones that are long enough,
// of few walkers and of many.
func walkerKinds() (kinds []kind) {
	for _, system := range systems {
		for _, walkers := range []int{16, 64, 256, 1024} {
			for _, windows := range []int{1, 3} {
				for _, adaptation := range []kind{{lnF: "1e-2"}, {lnF: "1e-4"}, {lnF: "1e-5", adaptation: 10240/walkers + 8}} {
					for _, passes := range []int{12, 25, 50, 100, 400} {
						if walkers*passes < 1600 || walkers*passes > 52000 {
							continue // none converges, or they take long
						}
						k := adaptation
						k.system, k.walkers, k.windows, k.passes = system, walkers/windows*windows, windows, passes
						kinds = append(kinds, k)
					}
				}
			}
		}
	}
	return kinds
}

// canonicalKinds are runs at the transition.
func canonicalKinds() (kinds []kind) {
	for _, system := range []kind{
		{system: "system.q=10 system.size=6x6", beta: "1.37"}, {system: "system.q=3 system.size=6x6", beta: "0.95"},
		{system: "system.q=2 system.size=8x8", beta: "0.86"}, {system: "system.q=10 system.size=4x16", beta: "1.37"},
	} {
		for _, walkers := range []int{16, 64, 256} {
			for _, passes := range []int{10, 20, 40, 80, 160, 320, 640} {
				k := system
				k.walkers, k.windows, k.passes, k.lnF = walkers, 1, passes, "1e-2"
				kinds = append(kinds, k)
			}
		}
	}
	return kinds
}

// settings of a run.
func (k kind) settings(seed int) []string {
	s := append(strings.Fields(k.system), "run.moves=local", fmt.Sprint("run.seed=", seed), fmt.Sprint("run.walkers=", k.walkers),
		fmt.Sprint("windows.count=", k.windows), "wang_landau.final_ln_f="+k.lnF, fmt.Sprint("production.passes=", k.passes))
	if k.beta != "" {
		return append(s, "run.method=canonical", "run.beta="+k.beta)
	}
	return append(s, "run.method=wang-landau")
}

func (k kind) String() string { return strings.Join(k.settings(0), " ") }
