// Package draft writes the configuration of a run for somebody who knows what is to be computed but not yet
// how: it chooses the method by the system and its size, says what to expect, and leaves a commented
// file.
package draft

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/near"
	"neuralwl/models/pretrained"
	"neuralwl/sampler/lattice"
)

// Wish is what a run is to find.
type Wish string

// The wishes.
const (
	Density    Wish = "density"    // ln g at all energies, and all that follows from it
	Transition Wish = "transition" // the transition: its temperature, and the weights of the phases
	Canonical  Wish = "canonical"  // averages at one temperature
)

// Wishes lists them.
var Wishes = []Wish{Density, Transition, Canonical}

// Request is what is known of a run. Zero values stand for the defaults of the system.
type Request struct {
	Model   string // of config.Models
	Colours int
	Size    string // as in 16x16
	Wish    Wish
	Beta    *float64      // of Canonical, in units of 1/J
	Time    time.Duration // at most, 0 for as long as it takes
	Set     []string      // further settings, key=value
}

// Draft is a configuration that is ready to run.
type Draft struct {
	Text   []byte // of its file
	Config *config.Config
	System lattice.System
	Notes  []string // what to expect of it, in sentences
}

// The sizes between which methods change, by the square root of the number of sites; docs/networks.md and
// docs/physics.md have the measurements.
const (
	largeSide    = 28 // local moves alone seldom cross between two phases beyond
	longSide     = 24 // diffusion over all energies takes long beyond
	furthestSide = 64 // nobody has tried more
)

// passesOf16 is how many passes production makes on 16x16 by local moves, some 40 times as many as the
// energy is correlated over with ten colours.
const passesOf16 = 3000

// mostColours is the largest number of colours for which a pretrained network was measured.
const mostColours = 30

// sizeOf is the size of the lattice for a model where none is named.
func sizeOf(model string) string {
	switch model {
	case config.Potts3D:
		return "6x6x6"
	case config.BaxterWu:
		return "12x12"
	}
	return "16x16"
}

// system lists the settings of the system, those of r.Set among them.
func (r Request) system() []config.Setting {
	model := r.Model
	if model == "" {
		model = config.Potts
	}
	settings := []config.Setting{{Key: "system.model", Value: model}}
	if r.Colours != 0 {
		settings = append(settings, config.Setting{Key: "system.q", Value: fmt.Sprint(r.Colours)})
	} else if q := map[string]string{config.Potts: "10", config.Potts3D: "3", config.Clock: "6"}[model]; q != "" {
		settings = append(settings, config.Setting{Key: "system.q", Value: q})
	}
	size := r.Size
	if size == "" && model == config.File { // which says how many sites there are
		return settings
	}
	if size == "" {
		size = sizeOf(model)
	}
	return append(settings, config.Setting{Key: "system.size", Value: size})
}

// System is the system of a request, or what is wrong with it.
func (r Request) System() (lattice.System, config.System, error) {
	assignments := assignmentsOf(r.system())
	for _, a := range r.Set {
		if strings.HasPrefix(a, "system.") {
			assignments = append(assignments, a)
		}
	}
	c, err := config.Compose(nil, append(assignments, "run.method="+config.MulticanonicalMethod))
	if err != nil {
		return nil, config.System{}, err
	}
	system, err := c.System.New()
	return system, c.System, err
}

// New makes the configuration of a request. Its file holds the system, the method, and what differs from
// the defaults.
func New(r Request) (*Draft, error) {
	if r.Wish == "" {
		r.Wish = Density
	}
	if !slices.Contains(Wishes, r.Wish) {
		var known []string
		for _, w := range Wishes {
			known = append(known, string(w))
		}
		return nil, fmt.Errorf("what is to be found: %q is not one of %s%s", r.Wish, strings.Join(known, ", "), near.Ask(string(r.Wish), known))
	}
	if r.Beta != nil && r.Wish != Canonical {
		return nil, fmt.Errorf("an inverse temperature has a meaning for %q alone: the density of states serves all of them", Canonical)
	}
	if r.Wish == Canonical && r.Beta == nil {
		return nil, fmt.Errorf("%q needs an inverse temperature, in units of 1/J", Canonical)
	}
	if r.Time < 0 {
		return nil, fmt.Errorf("the time %v is negative", r.Time)
	}
	system, of, err := r.System()
	if err != nil {
		return nil, err
	}
	method, notes := r.method(system, of)
	settings := append(r.system(), method...)
	if r.Time > 0 {
		settings = append(settings, config.Setting{Key: "run.max_time", Value: r.Time.String(),
			Why: "Half of it is for production. What is known by then is the result, with errors; nwl run --resume goes on."})
	}
	for _, assignment := range r.Set {
		key, value, ok := strings.Cut(assignment, "=")
		if !ok {
			return nil, fmt.Errorf("--set %s: write --set key=value", assignment)
		}
		key = strings.ToLower(strings.TrimSpace(key))
		settings = slices.DeleteFunc(settings, func(s config.Setting) bool { return s.Key == key })
		settings = append(settings, config.Setting{Key: key, Value: value, Why: "As asked for."})
	}
	d := &Draft{System: system, Notes: notes}
	if d.Config, err = config.Compose(nil, assignmentsOf(settings)); err != nil {
		return nil, err
	}
	if settings, err = necessary(settings, d.Config); err != nil {
		return nil, err
	}
	body, err := config.Commented(settings)
	if err != nil {
		return nil, err
	}
	head := config.Comment(fmt.Sprintf("%s of %v, by %s. Written by nwl init.", titles[r.Wish], system, d.Config.Run.Method),
		"nwl run --config THIS-FILE runs it. All other keys have their defaults: nwl config prints them, nwl explain KEY says what they mean.")
	d.Text = []byte(head + "\n" + string(body))
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, nil
}

var titles = map[Wish]string{Density: "The density of states", Transition: "The transition", Canonical: "Averages at one temperature"}

// check reads the file back.
func (d *Draft) check() error {
	back, err := config.Compose(d.Text, nil)
	if err != nil {
		return fmt.Errorf("internal error: the file cannot be read back: %w", err)
	}
	if changes := config.Changes(d.Config, back); len(changes) > 0 {
		return fmt.Errorf("internal error: the file reads back with other values: %v", changes)
	}
	return nil
}

// necessary drops settings that change nothing, except the system and the method: a file that
// does not name them would mean something else after a change of the defaults.
func necessary(settings []config.Setting, c *config.Config) ([]config.Setting, error) {
	settings = slices.Clone(settings)
	for i := 0; i < len(settings); {
		s := settings[i]
		without := slices.Delete(slices.Clone(settings), i, i+1)
		if strings.HasPrefix(s.Key, "system.") || s.Key == "run.method" {
			i++
			continue
		}
		if other, err := config.Compose(nil, assignmentsOf(without)); err == nil && len(config.Changes(c, other)) == 0 {
			settings = without
			continue
		}
		i++
	}
	if len(settings) == 0 {
		return nil, errors.New("internal error: no setting is left")
	}
	return settings, nil
}

func assignmentsOf(settings []config.Setting) []string {
	list := make([]string, len(settings))
	for i, s := range settings {
		list[i] = s.Assignment()
	}
	return list
}

// FirstOrder reports whether the transition of a system is known to be of first order.
func FirstOrder(s config.System) bool {
	switch s.Model {
	case config.Potts, config.Ising:
		return s.Q > 4 // Baxter, J. Phys. C 6, L445 (1973)
	case config.Potts3D:
		return s.Q > 2
	case config.BlumeCapel:
		// Between the tricritical point and the end of the ordered phase; Kwak et al., Phys. Rev. E 92,
		// 022134 (2015).
		return s.CrystalField > 1.966 && s.CrystalField < 2
	}
	return false
}

// method chooses how a request is met, and says what to expect.
func (r Request) method(system lattice.System, of config.System) (settings []config.Setting, notes []string) {
	set := func(key, value, why string) {
		settings = append(settings, config.Setting{Key: key, Value: value, Why: why})
	}
	side, first := math.Sqrt(float64(system.Sites())), FirstOrder(of)
	if side > furthestSide {
		notes = append(notes, fmt.Sprintf("%v has more sites than 64x64, beyond which nothing was tried. Begin with a smaller lattice.", system))
	}
	if r.Wish == Canonical {
		set("run.method", config.CanonicalMethod, "Walkers in equilibrium at one temperature, by local moves.")
		set("run.beta", fmt.Sprint(*r.Beta), "Averages hold here and, by reweighting, at neighbouring temperatures.")
		if r.Time == 0 {
			set("production.passes", "10000", "Errors fall with the square root of it.")
		}
		if beta := system.InfiniteTransition(); first && beta > 0 && math.Abs(*r.Beta/beta-1) < 2/side {
			notes = append(notes, fmt.Sprintf("beta = %g is near the transition of first order at %.6g: walkers stay in the phase in which they are. The density of states is the better way there.", *r.Beta, beta))
		}
		return settings, notes
	}
	switch network := of.IsPotts() && of.Q <= mostColours; {
	case first && network && side >= largeSide:
		set("run.method", config.NeuralWangLandauMethod, "From 32x32 on local moves seldom cross from one phase to the other; a network proposes states of any energy and crosses in one move.")
		set("run.moves", "[local, neural]", "The network carries walkers over the barrier, local moves do the rest.")
		name, trained := pretrained.AnyColours, "2 to 20 colours on 8x8 and 16x16"
		odd := slices.ContainsFunc(system.Sides(), func(side int) bool { return side%2 > 0 })
		switch {
		case of.Q == 10 && odd:
			name, trained = "potts-q10", "ten colours on 8x8 to 32x32"
		case of.Q == 10:
			name, trained = "potts-q10-checkerboard", "ten colours on 16x16 and 32x32, on one half of the sites, from which the other follows"
		}
		set("model.bundle", pretrained.Prefix+name, fmt.Sprintf("It comes with the program, was trained for %s, and also serves larger lattices.", trained))
		set("trainer.every", "0", "It needs no more training.")
		sweeps := "100"
		if r.Wish == Transition {
			sweeps = "20" // docs/networks.md has the measurements
			set("neural.trials", "2", "Draws of the network say how many states each phase has.")
			set("production.phase_share", "0.9", "Most of the time goes to the phases, whose ratio follows from these draws.")
		}
		set("local.sweeps", sweeps, "A proposal costs as much as dozens of sweeps, so there are many between two.")
		set("run.walkers", "128", "As many as the network evaluates in one call.")
		set("wang_landau.final_ln_f", "2e-5", "Errors come from production, for which these weights do.")
		notes = append(notes, "Ten colours on 32x32 take minutes, 64x64 some 20 minutes of one core (docs/physics.md).")
	case !first && side > longSide && lattice.WindowsFit(system, 4, 0.5):
		set("run.method", config.WangLandauMethod, "There is no barrier between phases, only the way over all energies, which windows divide.")
		set("run.moves", "[local]", "")
		set("windows.count", "4", "Each window has a quarter of the walkers, and neighbours exchange configurations.")
	default:
		set("run.method", config.MulticanonicalMethod, "Local moves alone are fastest on small lattices, and for all systems without a network that fits.")
		set("run.moves", "[local]", "")
		if r.Time == 0 && side < largeSide {
			passes := max(1000, int(passesOf16*math.Pow(side/16, 4)))
			set("production.passes", fmt.Sprint(passes), "Many times the correlation of the energies, which grows with the square of the number of sites. Errors fall with the square root of it.")
		}
		if first && side >= largeSide {
			notes = append(notes, fmt.Sprintf("On %v local moves seldom cross between the phases, and no network that comes with the program fits it: expect few round trips. nwl train makes a network (docs/networks.md), "+
				"for potts and ising; a smaller lattice is the easier way.", system))
		} else if first {
			notes = append(notes, "With ten colours an error of ln g of 0.1 takes a fraction of a second of one core on 8x8 and four seconds on 16x16, 19 times as much for twice the side (docs/results/README.md); a third of the error takes ten times as long.")
		}
	}
	if r.Wish == Transition && first {
		set("production.histogram", config.PhaseHistogram, "Half of the time or more goes to the two phases, whose ratio is wanted.")
	} else if r.Wish == Transition {
		notes = append(notes, fmt.Sprintf("The transition of %v is not known to be of first order, so no energies are preferred: its place follows from ln g, by the specific heat and the zeros of the partition function.", system))
	}
	if !lattice.GroundKnown(system) {
		notes = append(notes, "The ground states of this system are not known to the program: repeat the run with another run.seed and compare (nwl dos diff).")
	}
	return settings, notes
}
