package plots

import (
	"math"

	"neuralwl/sampler/dos"
)

// Point is a value and its standard error, NaN if unknown.
type Point struct{ X, Y, Error float64 }

// Series is drawn as points, a line or a band; X ascends.
type Series []Point

// LnGOf returns ln g over the energy.
func LnGOf(d *dos.Density) Series {
	s := make(Series, d.Len())
	for i, e := range d.Energy {
		s[i] = Point{e, d.LnG[i], math.NaN()}
		if d.Error != nil {
			s[i].Error = d.Error[i]
		}
	}
	return s
}

// Known omits the points whose error is unknown.
func (s Series) Known() Series {
	var known Series
	for _, p := range s {
		if !math.IsNaN(p.Error) {
			known = append(known, p)
		}
	}
	return known
}

// Errors returns the known errors as values.
func (s Series) Errors() Series {
	errors := s.Known()
	for i, p := range errors {
		errors[i] = Point{p.X, p.Error, math.NaN()}
	}
	return errors
}

// Len, XY and YError implement plotter.XYer and plotter.YErrorer.
func (s Series) Len() int                         { return len(s) }
func (s Series) XY(i int) (x, y float64)          { return s[i].X, s[i].Y }
func (s Series) YError(i int) (low, high float64) { return s[i].Error, s[i].Error }
