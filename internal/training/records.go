package training

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"neuralwl/trainer"
)

// EvaluationFile is a file of a bundle with its Evaluation by energy.
const EvaluationFile = "evaluation.csv"

// lossRows is about how many gradient steps the loss curve shows.
const lossRows = 500

// thinned is one row of every so many, and the last.
func thinned(rows []trainer.LossRow) []trainer.LossRow {
	every := (len(rows) + lossRows - 1) / lossRows
	var kept []trainer.LossRow
	for i, r := range rows {
		if i%every == 0 || i == len(rows)-1 {
			kept = append(kept, r)
		}
	}
	return kept
}

const evaluationHeader = "energy,states,kl,proposals,hit_rate,mean_ln_weight,effective_share"

// table is the evaluation by level as CSV, an empty field where nothing was found.
func (e *Evaluation) table() []byte {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, evaluationHeader)
	for _, l := range e.Levels {
		fmt.Fprintf(&buf, "%g,%d,%s,%d,%s,%s,%s\n", l.Energy, l.States, field(l.KL), l.Proposals, field(l.HitRate), field(l.MeanLnWeight), field(l.EffectiveShare))
	}
	return buf.Bytes()
}

func field(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}

// ReadEvaluation reads EvaluationFile. Empty fields become NaN.
func ReadEvaluation(data []byte) ([]LevelEvaluation, error) {
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", EvaluationFile, err)
	}
	if len(lines) == 0 || !slices.Equal(lines[0], strings.Split(evaluationHeader, ",")) {
		return nil, fmt.Errorf("%s: its first line is not %q", EvaluationFile, evaluationHeader)
	}
	var levels []LevelEvaluation
	for i, line := range lines[1:] {
		values := make([]float64, len(line))
		for k, text := range line {
			if values[k] = math.NaN(); text == "" {
				continue
			}
			if values[k], err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", EvaluationFile, i+2, err)
			}
		}
		levels = append(levels, LevelEvaluation{
			Energy: values[0], States: int(values[1]), KL: values[2], Proposals: int(values[3]),
			HitRate: values[4], MeanLnWeight: values[5], EffectiveShare: values[6],
		})
	}
	return levels, nil
}
