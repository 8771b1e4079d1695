package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"neuralwl/internal/config"
	"neuralwl/internal/plots"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// jointOf is the joint density of an estimate whose levels are pairs.
func (r *Result) jointOf(e *dos.Ensemble) *dos.Joint {
	t := lattice.JointOf(r.System)
	return dos.NewJoint(t.Second(), e, func(number float64) (energy, second float64) {
		c := t.Numbered(number)
		return c.Energy, c.Second
	})
}

// pair makes the joint density of a system whose levels are pairs. What follows from the energy
// alone is that of its sum over the second variable.
func (r *Result) pair() {
	t := lattice.JointOf(r.System)
	if r.cells = r.density; t == nil {
		return
	}
	r.joint = r.jointOf(r.cells)
	r.density = r.joint.Project(0)
	r.absolute = nil // of pairs; there is no such thing to compare with
	for i, number := range r.unproduced {
		r.unproduced[i] = t.Numbered(number).Energy
	}
}

// seen is the number of levels in the result.
func (r *Result) seen() int {
	if r.joint != nil {
		return r.joint.Len()
	}
	return r.density.Len()
}

// compareExactJoint is compareExact for a joint density: cell by cell.
func (r *Result) compareExactJoint(ctx context.Context) error {
	truth, err := exact.Joint(ctx, r.System, exactTime)
	if err != nil && !r.leaveOut("comparison with the exact density of states", err) {
		r.Log.Warn("no comparison with the exact density of states", "reason", err)
	}
	if truth == nil {
		return nil
	}
	r.exactJoint, r.exact = truth, truth.Project(0).Density
	difference, err := dos.CompareJoint(r.joint, truth)
	if err != nil {
		return err
	}
	r.difference, r.known, r.missing = &difference, truth.Len(), difference.MissingA
	return nil
}

// plotJoint draws ln g over both variables.
func (r *Result) plotJoint() plots.Figure {
	return plots.Joint(r.joint, r.joint.Cells.LnG, "ln g, "+r.title(), "ln g", r.System.Sites())
}

// autocorrelationLevels are what walkers have to forget, by level: the energy, of pairs also the second variable.
func (r *Result) autocorrelationLevels() [][]float64 {
	all := [][]float64{r.energy}
	if t := lattice.JointOf(r.System); t != nil {
		second := make([]float64, t.Levels())
		for level := range second {
			second[level] = t.Cell(level).Second
		}
		all = append(all, second)
	}
	return all
}

// LoadJoint reads the joint density of states of a run directory with its replicas.
func LoadJoint(folder string) (*dos.Joint, error) {
	return dos.Reader{}.ReadJoint(filepath.Join(folder, ArchiveFile))
}

// densityOf reads a density of states of a run with this configuration, of pairs its sum over the second
// variable.
func densityOf(c *config.Config) func(path string) (*dos.Density, error) {
	if c.System.Joint == "" {
		return dos.ReadFile
	}
	return func(path string) (*dos.Density, error) {
		j, err := dos.Reader{}.ReadJoint(path)
		if err != nil {
			return nil, err
		}
		return j.Project(0).Density, nil
	}
}

// InField is the sum of a joint density in a field, with the origin of the system in this field, as far as
// it is one of the models.
func InField(j *dos.Joint, x float64) *dos.Ensemble {
	e := j.Project(x)
	if e.Origin == nil || x == 0 {
		return e
	}
	o := *e.Origin
	key := "field"
	switch {
	case o.System.Model == config.IsingField && j.Name == config.Magnetisation:
	case o.System.Model == config.BlumeCapel && j.Name == config.Squares:
		key = "crystal_field"
	default:
		o.System.Name, o.System.Model = fmt.Sprintf("%s in a field of %g", o.System.Name, x), ""
		e.Origin = &o
		return e
	}
	o.System.Parameters = map[string]float64{key: x}
	if s, err := SystemOf(&o); err == nil {
		o.System.Name = s.String()
	}
	e.Origin = &o
	return e
}

// WriteJoint writes a table of averages per site over the field and the inverse temperature, each with its standard
// error: of the energy in the field, the specific heat, the free energy, the entropy, the second variable and
// its susceptibility, and of the magnetisation also its absolute value and the fourth-order cumulant.
func WriteJoint(w io.Writer, j *dos.Joint, averages []dos.JointCanonical, sites int) error {
	n := float64(sites)
	names := []string{"energy", "specific_heat", "free_energy", "entropy", j.Name, "susceptibility"}
	symmetric := j.Name == config.Magnetisation
	if symmetric {
		names = append(names, "absolute_"+j.Name, "fourth_order_cumulant")
	}
	var buf bytes.Buffer
	fmt.Fprint(&buf, "field,beta,temperature")
	for _, name := range names {
		fmt.Fprintf(&buf, ",%s,%s_error", name, name)
	}
	fmt.Fprintln(&buf)
	for _, c := range averages {
		row := [][2]float64{
			{c.Energy / n, c.EnergyError / n}, {c.SpecificHeat / n, c.SpecificHeatError / n}, {c.FreeEnergy() / n, c.FreeEnergyError / n},
			{c.Entropy / n, c.EntropyError / n}, {c.Second / n, c.SecondError / n}, {c.Susceptibility / n, c.SusceptibilityError / n},
		}
		if symmetric {
			row = append(row, [2]float64{c.Absolute / n, c.AbsoluteError / n}, [2]float64{c.Cumulant, c.CumulantError})
		}
		fmt.Fprintf(&buf, "%s,%s,%s", field(c.Field, -1), field(c.Beta, -1), field(1/c.Beta, -1))
		for _, x := range row {
			fmt.Fprintf(&buf, ",%s,%s", field(x[0], -1), field(x[1], 6))
		}
		fmt.Fprintln(&buf)
	}
	_, err := buf.WriteTo(w)
	return err
}
