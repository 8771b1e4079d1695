package training

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// Files that a trained bundle holds beside the network.
const (
	LossFile       = "loss.csv"
	EvaluationFile = "evaluation.csv"
)

// lossRow is one gradient step.
type lossRow struct {
	step                      int
	size                      string
	seconds, loss, norm, rate float64
}

// lossRows is about how many gradient steps the loss curve shows.
const lossRows = 500

// lossTable is the loss curve as CSV.
func lossTable(rows []lossRow) []byte {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, "step,size,seconds,loss,gradient_norm,learning_rate")
	every := (len(rows) + lossRows - 1) / lossRows
	for i, r := range rows {
		if i%every != 0 && i != len(rows)-1 {
			continue
		}
		fmt.Fprintf(&buf, "%d,%s,%.2f,%s,%s,%.4g\n", r.step, r.size, r.seconds, field(r.loss), field(r.norm), r.rate)
	}
	return buf.Bytes()
}

// table is the evaluation by level as CSV, an empty field where nothing was found.
func (e *Evaluation) table() []byte {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, "energy,states,kl,proposals,hit_rate,mean_ln_weight,effective_share")
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
