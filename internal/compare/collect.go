package compare

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"neuralwl/exporter"
	"neuralwl/internal/compare/stats"
	"neuralwl/internal/curve"
	"neuralwl/internal/history"
	"neuralwl/internal/near"
	"neuralwl/internal/report"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// Results are what a comparison has found so far.
type Results struct {
	Spec    *Spec
	Folder  string
	Systems []SystemResults
	// Missing is the number of cells that have not ended.
	Missing int
}

// SystemResults are those of one system and budget.
type SystemResults struct {
	System    System
	Budget    float64
	Reference *dos.Density
	// ReferenceError is the root mean square of the reference's own errors, 0 for an exact one.
	ReferenceError float64
	Sites          int
	lattice        lattice.System
	Samplers       []SamplerResults
}

// Lattice is the system itself, an error before any cell has ended.
func (y *SystemResults) Lattice() (lattice.System, error) {
	if y.lattice == nil {
		return nil, errors.New("no cell has ended")
	}
	return y.lattice, nil
}

// SamplerResults are the cells of one sampler, by seed.
type SamplerResults struct {
	Sampler Sampler
	Cells   []*Result
}

// leastProduction is how many site updates production must have made, as a share of those before
// it, for its estimate to take the place of the adaptation's on the curve: a few passes say less
// than all of the adaptation. The result at the end is that of the run.
const leastProduction = 0.25

// Result is what a cell has found. What it cannot tell is NaN.
type Result struct {
	Seed    uint64
	Failed  string // why there is nothing else
	Flagged bool
	Probe   Probe
	Machine string // that made it
	// Measured is how often the cell was made.
	Measured int

	Points []Point
	// RMS and Max are the errors of ln g at the end, infinite where levels are missing; Missing is how
	// many.
	RMS, Max  float64
	Missing   int
	Converged bool
	// Moves are site updates in all, RoundTrips of production, and Resistance the site updates of
	// production per round trip: for a random walk the time from one end to the other and back is
	// the resistance between both, in units of the conductance of the whole.
	Moves, RoundTrips, Resistance float64
	Autocorrelation               float64 // of the energy, in passes
	AutocorrelationUpdates        float64 // the same in sweeps: site updates of a walker over the sites
	Acceptance, Changed           float64 // of the network's proposals in production
	Divergence                    float64 // of the network, in nats; see exporter.Training
	Loss                          float64
	Steps                         float64 // gradient steps
	Parameters                    float64
	// EffectivePerSecond is the number of independent states of production for each second of it.
	EffectivePerSecond float64
	// Seconds of a core: the run's, without and with training, training in the run and before it.
	// Carried is that of a network from elsewhere, as its card has it.
	CPU, TrainInRun, TrainBefore, Carried float64
	Wall                                  float64
	Phases                                map[string]float64 // wall-clock seconds by phase and activity
	Memory, ModelBytes                    float64

	Density *dos.Density
	folder  string
}

// Point is an error on the way.
type Point struct {
	Updates  float64
	RMS, Max float64
	Trips    float64
	Phase    string
	// CPU is seconds of a core without training, Trained with all of it.
	CPU, Trained float64
}

// Folder is the run directory of the cell.
func (r *Result) Folder() string { return filepath.Join(r.folder, runFolder) }

// TrainFolder is that of the training before it.
func (r *Result) TrainFolder() string { return filepath.Join(r.folder, trainFolder) }

// Training is the time of all training of the cell's network.
func (r *Result) Training() float64 { return r.TrainInRun + r.TrainBefore + r.Carried }

// Collect reads the cells that have ended, of a comparison that may still be under way.
func Collect(folder string) (*Results, error) {
	text, err := os.ReadFile(filepath.Join(folder, SpecFile))
	if err != nil {
		return nil, fmt.Errorf("%s holds no comparison: %w%s", folder, err, near.AskPath(folder))
	}
	s, err := Parse(text, folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, SpecFile), err)
	}
	all := &Results{Spec: s, Folder: folder}
	place := map[string]*SamplerResults{}
	for _, budget := range s.Budgets {
		for i := range s.Systems {
			y := &s.Systems[i]
			sr := SystemResults{System: *y, Budget: budget}
			if sr.Reference, err = s.reference(folder, y); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("the reference of %s: %w", y.Name, err)
			}
			if sr.Reference != nil {
				sr.ReferenceError = meanError(sr.Reference)
			}
			for _, p := range s.Samplers {
				if p.has(y.Name) {
					sr.Samplers = append(sr.Samplers, SamplerResults{Sampler: p})
				}
			}
			all.Systems = append(all.Systems, sr)
			of := &all.Systems[len(all.Systems)-1]
			for k := range of.Samplers {
				place[fmt.Sprint(y.Name, "\x00", of.Samplers[k].Sampler.Name, "\x00", budget)] = &of.Samplers[k]
			}
		}
	}
	for k := range s.Seeds { // by seed, not in the rotated order of the cells
		for _, c := range s.Cells() {
			if c.Seed != s.FirstSeed+uint64(k) {
				continue
			}
			r, err := c.result(folder, all.of(&c))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", &c, err)
			}
			if r == nil {
				all.Missing++
				continue
			}
			p := place[kindOf(&c)]
			p.Cells = append(p.Cells, r)
		}
	}
	return all, nil
}

// of finds the results of a cell's system.
func (a *Results) of(c *Cell) *SystemResults {
	for i := range a.Systems {
		if a.Systems[i].System.Name == c.System.Name && a.Systems[i].Budget == c.Budget {
			return &a.Systems[i]
		}
	}
	return nil
}

func meanError(d *dos.Density) float64 {
	square, n := 0.0, 0
	for _, e := range d.Error {
		if !math.IsNaN(e) {
			square += e * e
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return math.Sqrt(square / float64(n))
}

// result reads what a cell has found, nil if it has not ended.
func (c *Cell) result(folder string, of *SystemResults) (*Result, error) {
	rec, err := c.read(folder)
	if rec == nil || err != nil {
		return nil, err
	}
	nan := math.NaN()
	r := &Result{
		Seed: c.Seed, Failed: rec.Failed, Flagged: rec.Flagged, Probe: rec.Probe, Machine: rec.Machine, Measured: rec.Measured, folder: filepath.Join(folder, c.Folder()),
		RMS: math.Inf(1), Max: math.Inf(1), Moves: nan, RoundTrips: nan, Resistance: nan, Autocorrelation: nan, AutocorrelationUpdates: nan,
		Acceptance: nan, Changed: nan, Divergence: nan, Loss: nan, Steps: nan, Parameters: nan, EffectivePerSecond: nan, ModelBytes: nan, Phases: map[string]float64{},
	}
	if rec.Run != nil {
		r.Wall, r.Memory = rec.Run.Wall, float64(rec.Run.Memory)
	}
	if rec.Training != nil {
		r.Memory = max(r.Memory, float64(rec.Training.Memory))
	}
	if rec.Failed != "" {
		return r, nil
	}
	l, err := report.Load(r.Folder())
	if err != nil {
		return nil, err
	}
	cv, err := curve.Read(r.Folder())
	if err != nil {
		return nil, err
	}
	if of.Reference == nil {
		return nil, fmt.Errorf("the reference of %s is missing in %s", c.System.Name, folder)
	}
	system, err := l.Config.System.New()
	if err != nil {
		return nil, err
	}
	of.Sites, of.lattice = system.Sites(), system
	r.Density = l.Density
	r.RMS, r.Max, r.Missing = against(l.Density, of.Reference)
	r.summarise(l.Summary, system.Sites())
	if err := r.training(c, rec, l.Summary, cv); err != nil {
		return nil, err
	}
	adapted := -1
	for i := range cv.Points {
		p := &cv.Points[i]
		if p.Phase != string(sampler.Production) {
			adapted = i
		}
		point := Point{Updates: float64(p.Updates), Trips: p.RoundTrips, Phase: p.Phase, CPU: p.CPU - p.Train, Trained: p.CPU + r.TrainBefore + r.Carried}
		if adapted >= 0 && i > adapted && float64(p.Updates) < (1+leastProduction)*float64(cv.Points[adapted].Updates) {
			point.RMS, point.Max = r.Points[adapted].RMS, r.Points[adapted].Max
		} else {
			point.RMS, point.Max, _ = against(cv.Density(i), of.Reference)
		}
		r.Points = append(r.Points, point)
	}
	if n := len(r.Points); n > 0 {
		r.Moves, r.CPU = r.Points[n-1].Updates, cv.Points[n-1].CPU
		first := 0
		for first < n && r.Points[first].Phase != string(sampler.Production) {
			first++
		}
		if first < n {
			before := max(0, first-1)
			updates, seconds := r.Moves-r.Points[before].Updates, r.Points[n-1].CPU-r.Points[before].CPU
			if r.RoundTrips > 0 {
				r.Resistance = updates / r.RoundTrips
			}
			if tau := r.Autocorrelation; tau > 0 {
				passes := float64(cv.Points[n-1].Passes - cv.Points[before].Passes)
				if seconds > 0 {
					r.EffectivePerSecond = passes * float64(l.Config.Run.Walkers) / (2 * tau) / seconds
				}
				r.AutocorrelationUpdates = tau * updates / passes / float64(l.Config.Run.Walkers*system.Sites())
			}
		}
	}
	return r, nil
}

// NetworkFolder is that of the last version of the network in the run directory, empty without one.
func (r *Result) NetworkFolder() (newest string) {
	cards, err := filepath.Glob(filepath.Join(r.Folder(), "models", "*", "*", exporter.CardFile))
	if err != nil {
		return ""
	}
	last := -1
	for _, card := range cards {
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(card))); err == nil && n > last {
			newest, last = filepath.Dir(card), n
		}
	}
	return newest
}

// against is the error of a density of states: the root mean square and the largest deviation over
// the levels of a reference, infinite where one of them is missing.
func against(d, reference *dos.Density) (rms, most float64, missing int) {
	if d == nil || d.Len() == 0 {
		return math.Inf(1), math.Inf(1), reference.Len()
	}
	difference, err := dos.Compare(d, reference)
	if err != nil || len(difference.MissingA) > 0 {
		return math.Inf(1), math.Inf(1), len(difference.MissingA)
	}
	return difference.RMS, difference.Max, 0
}

func (r *Result) summarise(s *report.Summary, sites int) {
	if s == nil {
		return
	}
	r.Converged = s.Verdict.Converged
	for _, p := range s.Phases {
		if p.Name == sampler.Production {
			r.RoundTrips = p.RoundTrips
		}
		for what, seconds := range p.Seconds {
			r.Phases[string(p.Name)+" "+what] = seconds
		}
	}
	if s.Autocorrelation != nil {
		r.Autocorrelation = s.Autocorrelation.Value
	}
	if s.Proposals != nil {
		r.Acceptance, r.Changed = s.Proposals.Acceptance, s.Proposals.Changed
	}
}

// training reads what the network cost and is.
func (r *Result) training(c *Cell, rec *record, s *report.Summary, cv *curve.Curve) error {
	if n := len(cv.Points); n > 0 {
		r.TrainInRun = cv.Points[n-1].Train
	}
	if rec.Training != nil {
		t, err := readTraining(r.TrainFolder())
		if err != nil {
			return err
		}
		// All but the evaluation at its end, in processor time.
		all := t.Seconds.Weights + t.Seconds.Training + t.Seconds.Evaluation
		r.TrainBefore = rec.Training.CPU
		if all > 0 {
			r.TrainBefore *= (t.Seconds.Weights + t.Seconds.Training) / all
		}
	}
	if s == nil || s.Network == nil {
		return nil
	}
	card := s.Network.Training
	r.Loss, r.Steps = card.Loss, float64(card.Steps)
	if card.KL != nil {
		r.Divergence = *card.KL
	}
	if rec.Training == nil && r.TrainInRun == 0 {
		r.Carried = card.Seconds
	}
	newest := r.NetworkFolder()
	if newest == "" {
		return nil
	}
	bytes := 0.0
	entries, err := os.ReadDir(newest)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".onnx") {
			bytes += float64(info.Size())
		}
	}
	r.ModelBytes = bytes
	return nil
}

// ToTarget is the effort after which the error stays at or below a target: seconds without and
// with training, and site updates.
func (r *Result) ToTarget(target float64) (without, with, updates stats.Time) {
	errs := make([]float64, len(r.Points))
	for i, p := range r.Points {
		errs[i] = p.RMS
	}
	at, cut := stats.Reached(errs, target), false
	if at < 0 {
		if at, cut = len(errs)-1, true; at < 0 {
			// A cell that failed says nothing but that it did not reach the target.
			return stats.Time{Value: tiny, Censored: true}, stats.Time{Value: tiny, Censored: true}, stats.Time{Value: tiny, Censored: true}
		}
	}
	p := r.Points[at]
	time := func(of func(Point) float64) stats.Time {
		x := of(p)
		if !cut && at > 0 {
			x = crossing(of(r.Points[at-1]), x, r.Points[at-1].RMS, p.RMS, target)
		}
		return stats.Time{Value: max(x, tiny), Censored: cut}
	}
	return time(func(p Point) float64 { return p.CPU }), time(func(p Point) float64 { return p.Trained }), time(func(p Point) float64 { return p.Updates })
}

// crossing is where an error falls from above a target to it or below between two points, by a power
// law; at the second one if it comes from infinity.
func crossing(from, to, above, below, target float64) float64 {
	if !(from > 0) || !(below > 0) || math.IsInf(above, 0) || above <= target {
		return to
	}
	share := math.Log(above/target) / math.Log(above/below)
	return from * math.Pow(to/from, share)
}

// tiny is the least time: clocks have a resolution.
const tiny = 1e-6

// Losses are the losses of training over gradient steps, in the run or before it.
func (r *Result) Losses() (steps, losses []float64) {
	if points, err := history.Read(r.Folder()); err == nil {
		for _, p := range points {
			if p.Loss != 0 && (len(steps) == 0 || float64(p.Steps) > steps[len(steps)-1]) {
				steps, losses = append(steps, float64(p.Steps)), append(losses, p.Loss)
			}
		}
	}
	if steps != nil {
		return steps, losses
	}
	paths, err := filepath.Glob(filepath.Join(r.TrainFolder(), "models", "*", "*", trainer.LossFile))
	if err != nil || len(paths) == 0 {
		return nil, nil
	}
	data, err := os.ReadFile(paths[len(paths)-1])
	if err != nil {
		return nil, nil
	}
	rows, err := trainer.ReadLossTable(data)
	if err != nil {
		return nil, nil
	}
	for _, row := range rows {
		if !math.IsNaN(row.Loss) && (len(steps) == 0 || float64(row.Step) > steps[len(steps)-1]) {
			steps, losses = append(steps, float64(row.Step)), append(losses, row.Loss)
		}
	}
	return steps, losses
}
