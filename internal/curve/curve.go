// Package curve records how the estimate of a run improves: ln g as it would be if the run ended
// there, at numbers of site updates that grow geometrically. Comparisons read off it what error
// each effort leaves. Nothing of it affects the run, whose numbers are the same without.
package curve

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"neuralwl/sampler/dos"
)

// File is the name of the file with the curve in a run directory. Each point has two lines, one of
// LnG and one of Visits, with a column for each energy.
const File = "curve.csv"

// PerDecade is the number of points from a number of site updates to ten times as many.
const PerDecade = 10

// Point is the state of a run after some passes. Times are those of the process that makes the
// run, without what the curve itself takes.
type Point struct {
	Updates    int64  // of single sites, see event.Sight
	Passes     int64  // over all phases
	Phase      string // of the sampler
	RoundTrips float64
	Seconds    float64 // that the run has taken
	CPU        float64 // seconds of processor time
	// Train is the part of CPU that went into training the network.
	Train float64
	// Own is the time that the curve has taken, seconds, and OwnCPU of processor time.
	Own, OwnCPU float64
	LnG         []float64 // by energy of the curve; NaN where there is no estimate
	Visits      []int64   // by energy, as in sampler.View
}

// Curve is what File holds.
type Curve struct {
	Energy []float64 // ascending
	Points []Point
}

// Density is ln g at a point.
func (c *Curve) Density(i int) *dos.Density {
	d := &dos.Density{}
	for k, x := range c.Points[i].LnG {
		if !math.IsNaN(x) {
			d.Energy, d.LnG = append(d.Energy, c.Energy[k]), append(d.LnG, x)
		}
	}
	return d
}

var columns = []string{"updates", "passes", "phase", "round_trips", "seconds", "cpu_seconds", "train_cpu_seconds", "own_seconds", "own_cpu_seconds", "quantity"}

// The quantities of lines.
const (
	lnG    = "ln_g"
	visits = "visits"
)

func exactly(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// header is the first line.
func (c *Curve) header() []string {
	record := slices.Clone(columns)
	for _, e := range c.Energy {
		record = append(record, exactly(e))
	}
	return record
}

// records are the lines of a point.
func (p *Point) records() [2][]string {
	fixed := []string{strconv.FormatInt(p.Updates, 10), strconv.FormatInt(p.Passes, 10), p.Phase, exactly(p.RoundTrips)}
	for _, x := range []float64{p.Seconds, p.CPU, p.Train, p.Own, p.OwnCPU} {
		fixed = append(fixed, strconv.FormatFloat(x, 'f', 6, 64))
	}
	first, second := append(slices.Clone(fixed), lnG), append(fixed, visits)
	for _, x := range p.LnG {
		if math.IsNaN(x) {
			first = append(first, "")
		} else {
			first = append(first, exactly(x))
		}
	}
	for _, n := range p.Visits {
		second = append(second, strconv.FormatInt(n, 10))
	}
	return [2][]string{first, second}
}

// Read reads the curve of a run directory, an fs.ErrNotExist where there is none.
func Read(folder string) (*Curve, error) {
	path := filepath.Join(folder, File)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// decode leaves out a last point that is not complete, which a process that was killed may leave.
func decode(data []byte) (*Curve, error) {
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	r := csv.NewReader(bytes.NewReader(data))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("it has no header: %w", err)
	}
	if len(header) < len(columns) || !slices.Equal(header[:len(columns)], columns) {
		return nil, fmt.Errorf("the columns are %s, this program knows %s and energies", strings.Join(header, ","), strings.Join(columns, ","))
	}
	c := &Curve{}
	for _, text := range header[len(columns):] {
		e, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("the column %q is no energy", text)
		}
		c.Energy = append(c.Energy, e)
	}
	for {
		first, err := r.Read()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		second, err2 := r.Read()
		if errors.Is(err2, io.EOF) {
			return c, nil
		}
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		p, err := parse(first, second)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		c.Points = append(c.Points, *p)
	}
}

func parse(first, second []string) (*Point, error) {
	var errs []error
	number := func(text string) float64 {
		x, err := strconv.ParseFloat(text, 64)
		errs = append(errs, err)
		return x
	}
	count := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		errs = append(errs, err)
		return n
	}
	k := len(columns) - 1
	if first[k] != lnG || second[k] != visits || first[0] != second[0] {
		return nil, fmt.Errorf("%s and %s are not %s and %s of one point", first[k], second[k], lnG, visits)
	}
	p := &Point{
		Updates: count(first[0]), Passes: count(first[1]), Phase: first[2], RoundTrips: number(first[3]),
		Seconds: number(first[4]), CPU: number(first[5]), Train: number(first[6]), Own: number(first[7]), OwnCPU: number(first[8]),
	}
	for _, text := range first[len(columns):] {
		if text == "" {
			p.LnG = append(p.LnG, math.NaN())
			continue
		}
		p.LnG = append(p.LnG, number(text))
	}
	for _, text := range second[len(columns):] {
		p.Visits = append(p.Visits, count(text))
	}
	return p, errors.Join(errs...)
}
