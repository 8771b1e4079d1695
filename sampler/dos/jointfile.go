package dos

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"neuralwl/internal/disk"
)

// WriteCSV writes the columns energy, that of the second variable, ln_g and ln_g_error, ascending by
// both. Values are written in full; an unknown error is an empty field.
func (j *Joint) WriteCSV(w io.Writer) error {
	if err := j.Validate(); err != nil {
		return fmt.Errorf("write density of states: %w", err)
	}
	buf := bufio.NewWriter(w)
	fmt.Fprintf(buf, "%s,%s,%s,%s\n", energyColumn, j.Name, lnGColumn, errorColumn)
	full := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for i, e := range j.Energy {
		deviation := ""
		if own := j.Cells.Error; own != nil && !math.IsNaN(own[i]) && !math.IsInf(own[i], 0) {
			deviation = strconv.FormatFloat(own[i], 'g', 6, 64)
		}
		fmt.Fprintf(buf, "%s,%s,%s,%s\n", full(e), full(j.Second[i]), full(j.Cells.LnG[i]), deviation)
	}
	return buf.Flush()
}

// WriteNPZ writes what Ensemble.WriteNPZ writes, with an array of the second variable.
func (j *Joint) WriteNPZ(w io.Writer) error {
	if err := j.Validate(); err != nil {
		return fmt.Errorf("write density of states: %w", err)
	}
	return j.Cells.writeNPZ(w, []named{{energyColumn, j.Energy}, {j.Name, j.Second}})
}

// WriteFile writes the joint density to the file path, whole or not at all, in the format given by its
// extension: .csv, with its MetadataFile if the origin is known, or .npz.
func (j *Joint) WriteFile(path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	var err error
	if strings.EqualFold(filepath.Ext(path), ".npz") {
		var data bytes.Buffer
		if err = j.WriteNPZ(&data); err == nil {
			err = disk.WriteFile(disk.OS, path, data.Bytes())
		}
	} else {
		err = j.Cells.Origin.WriteTable(path, j.WriteCSV)
	}
	if err != nil {
		return fmt.Errorf("write density of states %s: %w", path, err)
	}
	return nil
}

// ReadJoint reads a joint density of states with its replicas from a file, as Reader.ReadEnsemble does of
// others. A table needs a column, and an archive an array, named magnetisation, squares or colour.
func (r Reader) ReadJoint(path string) (*Joint, error) {
	_, j, err := r.ReadEither(path)
	if err == nil && j == nil {
		err = fmt.Errorf("%s: %w", path, errNotJoint)
	}
	return j, err
}

// ReadEither reads a joint density of states, or else one of the energy alone; the other is nil.
func (r Reader) ReadEither(path string) (*Ensemble, *Joint, error) {
	e, pairs, err := r.readFile(path, true)
	if err != nil || pairs == nil {
		return e, nil, err
	}
	return nil, pairs.joint(e), nil
}

// pairs are those of a file, whose levels are then their numbers.
type pairs struct {
	name           string
	energy, second []float64
}

func (p *pairs) joint(e *Ensemble) *Joint {
	return &Joint{Name: p.name, Energy: p.energy, Second: p.second, Cells: e}
}

// sum is what a reader of other densities makes of pairs: the density of the energy alone.
func (r Reader) sum(e *Ensemble, p *pairs) (*Ensemble, error) {
	if p == nil {
		return e, nil
	}
	j := p.joint(e)
	if err := r.note(fmt.Sprintf("a joint density of states of the energy and the %s", p.name), fmt.Sprintf("summed over the %s", p.name)); err != nil {
		return nil, err
	}
	return j.Project(0), nil
}

// pairsOf are the pairs of levels in the order given, nil if energies tell them all apart: another program
// may well write something else under such a name.
func (l *levels) pairsOf(order []int) *pairs {
	if l.second == nil || l.width != nil {
		return nil
	}
	p, repeated := &pairs{name: l.name}, false
	for k, i := range order {
		if math.IsNaN(l.second[i]) || math.IsInf(l.second[i], 0) {
			return nil
		}
		repeated = repeated || k > 0 && l.Energy[i] == l.Energy[order[k-1]]
		p.energy, p.second = append(p.energy, l.Energy[i]), append(p.second, l.second[i])
	}
	if !repeated {
		return nil
	}
	return p
}
