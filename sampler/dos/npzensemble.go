package dos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/sbinet/npyio/npy"
	"github.com/sbinet/npyio/npz"
	"gonum.org/v1/gonum/mat"
)

// Arrays of an archive beside the columns of a table.
const (
	originArray    = "origin"
	jackknifeArray = "ln_g_jackknife"
	// Of levels that are bins.
	meanJackknifeArray     = "energy_mean_jackknife"
	varianceJackknifeArray = "energy_variance_jackknife"
)

// maxFiled is the number of elements of the array ln_g_jackknife up to which it has a row for
// every replica: 4 MiB.
const maxFiled = 1 << 20

// WriteNPZ writes what Density.WriteNPZ writes, and the replicas: the array
// ln_g_jackknife of shape [R, levels] holds how much each differs from ln_g, NaN at levels that
// it lacks, in single precision. Of too many replicas, those that follow each other are combined to first order.
// Where levels are bins, energy_mean_jackknife and energy_variance_jackknife hold the same of these.
//
// The error of any function f of ln g is then the square root of (R-1)/R times the sum of the
// squared deviations of f(ln_g + ln_g_jackknife[k]) from their mean.
func (e *Ensemble) WriteNPZ(w io.Writer) error { return e.writeNPZ(w, e.keys()) }

func (e *Ensemble) writeNPZ(w io.Writer, keys []named) error {
	return e.Density.writeNPZ(w, keys, func(archive *npz.Writer) error {
		most := max(MinReplicas, maxFiled/max(e.Len(), 1))
		write := func(name string, rows [][]float32) error {
			if rows == nil {
				return nil
			}
			values := make([]float64, 0, len(rows)*e.Len())
			for _, row := range rows {
				for _, x := range row {
					values = append(values, float64(x))
				}
			}
			return archive.Write(entry(name), mat.NewDense(len(rows), e.Len(), values))
		}
		err := write(jackknifeArray, e.deviations(most))
		if means, variances := e.binDeviations(most); err == nil && means != nil {
			err = errors.Join(write(meanJackknifeArray, means), write(varianceJackknifeArray, variances))
		}
		return err
	})
}

// deviations returns how much each replica differs from the estimate, by replica and level,
// NaN at levels that it lacks. If there are more than most, neighbours are combined: a mean
// of n blocks changes by -(x_k - mean)/(n-1) if block k is omitted, and by the sum of x_k -
// mean over m of them, over -(n-m), if these are.
func (e *Ensemble) deviations(most int) (rows [][]float32) {
	return e.deviationsOf(most, func(d *Density) []float64 { return d.lnGAt(e.Energy) })
}

// binDeviations are those of the means and the variances of bins, nil without.
func (e *Ensemble) binDeviations(most int) (means, variances [][]float32) {
	if e.Bins == nil {
		return nil, nil
	}
	means = e.deviationsOf(most, func(d *Density) []float64 { return d.binsAt(e.Energy).Mean })
	return means, e.deviationsOf(most, func(d *Density) []float64 { return d.binsAt(e.Energy).Variance })
}

// deviationsOf is deviations of what a function says of each level of the estimate.
func (e *Ensemble) deviationsOf(most int, of func(*Density) []float64) (rows [][]float32) {
	whole := of(e.Density)
	n := len(e.Replicas)
	groups := min(n, most)
	for r := range groups {
		from, to := r*n/groups, (r+1)*n/groups
		sums := make([]float64, e.Len())
		for _, replica := range e.Replicas[from:to] {
			for i, x := range of(replica) {
				sums[i] += x - whole[i]
			}
		}
		row := make([]float32, e.Len())
		factor := float64(n-1) / float64(n-(to-from))
		for i, sum := range sums {
			row[i] = float32(sum * factor)
		}
		rows = append(rows, row)
	}
	return rows
}

// setDeviations makes replicas of the deviations from the estimate.
func (e *Ensemble) setDeviations(rows [][]float32) error {
	for k, row := range rows {
		replica := &Density{}
		for i, x := range row {
			if x := float64(x); !math.IsNaN(x) {
				replica.Energy = append(replica.Energy, e.Energy[i])
				replica.LnG = append(replica.LnG, e.LnG[i]+x)
			}
		}
		replica.Bins = e.binsAt(replica.Energy)
		if err := replica.Validate(); err != nil {
			return fmt.Errorf("array %s, row %d: %w", jackknifeArray, k, err)
		}
		e.Replicas = append(e.Replicas, replica)
	}
	return nil
}

// readEnsemble reads from an archive the replicas of its density of states, and returns that
// with them. There are none if the archive has none, or if its levels are not those of the
// density.
func readEnsemble(archive *npz.Reader, d *Density, levels int) (*Ensemble, error) {
	e := &Ensemble{Density: d}
	rows, err := readRows(archive, jackknifeArray, levels)
	if err != nil || rows == nil {
		return e, err
	}
	if d.Len() != levels {
		return nil, fmt.Errorf("array %s: %d of its %d levels have no ln g", jackknifeArray, levels-d.Len(), levels)
	}
	if err := e.setDeviations(rows); err != nil || d.Bins == nil {
		return e, err
	}
	means, err := readRows(archive, meanJackknifeArray, levels)
	if err != nil {
		return nil, err
	}
	variances, err := readRows(archive, varianceJackknifeArray, levels)
	if err != nil {
		return nil, err
	}
	if len(means) != len(rows) || len(variances) != len(rows) {
		return nil, fmt.Errorf("arrays %s and %s have %d and %d rows, %s has %d", meanJackknifeArray, varianceJackknifeArray, len(means), len(variances), jackknifeArray, len(rows))
	}
	for k, replica := range e.Replicas {
		own := &Density{Energy: d.Energy, Bins: d.Bins.changed(means[k], variances[k], 1)}
		replica.Bins = own.binsAt(replica.Energy)
	}
	return e, nil
}

// readRows reads an array of as many columns as there are levels, nil if it is not there.
func readRows(archive *npz.Reader, name string, levels int) ([][]float32, error) {
	if count(archive.Keys(), entry(name)) == 0 {
		return nil, nil
	}
	data, descr, err := readRaw(archive, name)
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", name, err)
	}
	if len(descr.Shape) != 2 || descr.Shape[1] != levels || descr.Type != "<f8" || descr.Fortran {
		return nil, fmt.Errorf("array %s: it is %v of the type %q, but [replicas, %d] of the type <f8 is needed", name, descr.Shape, descr.Type, levels)
	}
	if n := descr.Shape[0]; n < 0 || n > maxLevels || len(data) != 8*n*levels {
		return nil, fmt.Errorf("array %s: it should be %v, but %d bytes are there", name, descr.Shape, len(data))
	}
	element, size := elementOf(descr.Type)
	rows := make([][]float32, descr.Shape[0])
	for k := range rows {
		rows[k] = make([]float32, levels)
		for i := range rows[k] {
			x, _ := element(data[:size])
			rows[k][i], data = float32(x), data[size:]
		}
	}
	return rows, nil
}

// origin of an archive, nil if it has none.
func readOrigin(archive *npz.Reader) (*Origin, error) {
	if count(archive.Keys(), entry(originArray)) == 0 {
		return nil, nil
	}
	data, descr, err := readRaw(archive, originArray)
	if err == nil && !strings.HasPrefix(descr.Type, "<U") {
		err = fmt.Errorf("its type is %q, but a text is needed", descr.Type)
	}
	var text []byte
	for ; err == nil && len(data) >= 4; data = data[4:] {
		r := rune(uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24)
		if r != 0 {
			text = utf8.AppendRune(text, r)
		}
	}
	o := &Origin{}
	if err == nil {
		err = json.Unmarshal(text, o)
	}
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", originArray, err)
	}
	return o, nil
}

// arrayType describes an array of an archive.
type arrayType struct {
	Type    string
	Shape   []int
	Fortran bool
}

// readRaw reads the bytes of an array, to the end, where the checksum is compared. The npy
// package must not read from the archive itself: it takes a short read for a whole number, and
// the end of the file for zeros.
func readRaw(archive *npz.Reader, name string) ([]byte, arrayType, error) {
	f, err := archive.Open(entry(name))
	if err != nil {
		return nil, arrayType{}, err
	}
	defer f.Close()
	const most = headerRoom + 8*maxLevels
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, arrayType{}, err
	}
	if len(data) > most {
		return nil, arrayType{}, fmt.Errorf("it has more than the %d elements allowed", maxLevels)
	}
	if err := checkHeader(data); err != nil {
		return nil, arrayType{}, err
	}
	body := bytes.NewReader(data)
	header, err := npy.NewReader(body)
	if err != nil {
		return nil, arrayType{}, err
	}
	descr := header.Header.Descr
	return data[len(data)-body.Len():], arrayType{descr.Type, descr.Shape, descr.Fortran}, nil
}
