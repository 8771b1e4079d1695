package verify

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"neuralwl/internal/report"
)

// maxRounding is the relative rounding of numbers in temperatures.csv.
const maxRounding = 1e-10

// temperatures checks temperatures.csv against summary.json and what holds for any draws.
func (v *verifier) temperatures() {
	s, err := report.ReadSummary(filepath.Join(v.folder, report.SummaryFile))
	if err != nil || s.Temperatures == nil {
		return // density has reported it, or there are none
	}
	l, err := report.Load(v.folder)
	if err == nil && (l.Temperatures == nil || len(l.Temperatures.Rows) != len(s.Temperatures)) {
		err = errors.New("it does not have the temperatures of the summary")
	}
	if err == nil {
		lnZ, bound := l.Temperatures.Column("ln_z"), l.Temperatures.Column("ln_z_bound")
		for i, t := range s.Temperatures {
			switch {
			case lnZ == nil || bound == nil:
				err = errors.New("it lacks ln_z or its bound")
			case !(math.Abs(lnZ[i]-t.LnZ.Value) <= maxRounding*math.Abs(t.LnZ.Value)):
				err = fmt.Errorf("ln Z is %.12g at beta = %g, in the summary %.12g", lnZ[i], t.Beta, t.LnZ.Value)
			case !(bound[i] <= lnZ[i]+maxRounding*math.Abs(lnZ[i])):
				err = fmt.Errorf("ln Z is %.12g at beta = %g, below its bound %.12g", lnZ[i], t.Beta, bound[i])
			}
		}
	}
	v.check(report.TemperaturesFile, err, "ln Z at %d temperatures, above the variational bound", len(s.Temperatures))
}
