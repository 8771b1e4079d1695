package trainer

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// LossFile is the file of a bundle with the loss of the gradient steps that made its weights.
const LossFile = "loss.csv"

// LossRow is one gradient step in LossFile.
type LossRow struct {
	Step    int64
	Size    string  // of the lattice
	Seconds float64 // since training began
	Loss    float64 // of its batch, in nats
	Norm    float64
	Rate    float64
}

const lossHeader = "step,size,seconds,loss,gradient_norm,learning_rate"

// LossTable writes LossFile; a loss or norm that is not finite becomes an empty field.
func LossTable(rows []LossRow) []byte {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, lossHeader)
	for _, r := range rows {
		fmt.Fprintf(&buf, "%d,%s,%.2f,%s,%s,%.4g\n", r.Step, r.Size, r.Seconds, field(r.Loss), field(r.Norm), r.Rate)
	}
	return buf.Bytes()
}

func field(x float64) string {
	if !finite(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}

// ReadLossTable reads what LossTable writes. Empty fields become NaN.
func ReadLossTable(data []byte) ([]LossRow, error) {
	table := csv.NewReader(bytes.NewReader(data))
	lines, err := table.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", LossFile, err)
	}
	if len(lines) == 0 || !slices.Equal(lines[0], strings.Split(lossHeader, ",")) {
		return nil, fmt.Errorf("%s: its first line is not %q", LossFile, lossHeader)
	}
	rows := make([]LossRow, 0, len(lines)-1)
	for i, line := range lines[1:] {
		r := LossRow{Size: line[1]}
		if r.Step, err = strconv.ParseInt(line[0], 10, 64); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", LossFile, i+2, err)
		}
		for k, to := range map[int]*float64{2: &r.Seconds, 3: &r.Loss, 4: &r.Norm, 5: &r.Rate} {
			if line[k] == "" {
				*to = math.NaN()
				continue
			}
			if *to, err = strconv.ParseFloat(line[k], 64); err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", LossFile, i+2, err)
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// mostLosses bounds the rows of Losses.
const mostLosses = 500

// Losses keeps the loss of every so many gradient steps: of all at first, and of every other one
// whenever there are too many.
type Losses struct {
	Every int64
	Rows  []LossRow
}

func (l *Losses) add(r LossRow) {
	l.Every = max(1, l.Every)
	if r.Step%l.Every != 0 {
		return
	}
	if l.Rows = append(l.Rows, r); len(l.Rows) > mostLosses {
		l.Every *= 2
		l.Rows = slices.DeleteFunc(l.Rows, func(r LossRow) bool { return r.Step%l.Every != 0 })
	}
}
