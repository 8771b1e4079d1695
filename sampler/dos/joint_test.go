package dos_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
)

// toy is a system of a few configurations with a network that aims at levels badly.
type toy struct {
	levels    []int // by configuration
	lnG       []float64
	energy    []float64
	tolerance int
	// q by target (offset by tolerance) and configuration, alpha by kind and target, likewise.
	q, alpha [][]float64
	chains   []dos.Chain
	draws    []float64
	state    [][]float64 // by chain and configuration: probability
}

func newToy(r *rand.Rand) *toy {
	t := &toy{tolerance: 1, draws: []float64{300, 500}}
	const levels = 8
	for b := range levels {
		n := 1 + b*(levels-1-b)*2
		for range n {
			t.levels = append(t.levels, b)
		}
		t.energy = append(t.energy, -float64(b))
		t.lnG = append(t.lnG, math.Log(float64(n)))
	}
	targets := levels + 2*t.tolerance
	for target := range targets {
		var row []float64
		sum := 0.0
		for _, b := range t.levels {
			x := r.ExpFloat64() * math.Exp(-math.Abs(float64(b-target+t.tolerance)))
			row = append(row, x)
			sum += x
		}
		for i := range row {
			row[i] /= sum
		}
		t.q = append(t.q, row)
	}
	// One kind of draw aims everywhere, one at low levels alone.
	everywhere, low := make([]float64, targets), make([]float64, targets)
	for k := range targets {
		everywhere[k] = 1 / float64(targets)
		if k < 5 {
			low[k] = 0.2
		}
	}
	t.alpha = [][]float64{everywhere, low}
	for _, window := range [][2]int{{0, 4}, {3, 7}} {
		c := dos.Chain{Low: window[0], High: window[1], LnWeight: make([]float64, levels), Effective: 400}
		for b := range c.LnWeight {
			c.LnWeight[b] = t.lnG[b] + r.NormFloat64()
		}
		var p []float64
		sum := 0.0
		for _, b := range t.levels {
			x := 0.0
			if b >= c.Low && b <= c.High {
				x = math.Exp(-c.LnWeight[b])
			}
			p = append(p, x)
			sum += x
		}
		for i := range p {
			p[i] /= sum
		}
		t.state, t.chains = append(t.state, p), append(t.chains, c)
	}
	return t
}

func (t *toy) lnDensity(target, s int) float64 {
	sum := 0.0
	for k, n := range t.draws {
		sum += n * t.alpha[k][target] * t.q[target][s]
	}
	return math.Log(sum)
}

// add adds a point to a list unless it has no measure.
func (t *toy) add(p *dos.Points, of, target, s int, weight float64) {
	if b := t.levels[s]; weight > 0 && max(b-target+t.tolerance, target-t.tolerance-b) <= t.tolerance {
		p.Of, p.Level = append(p.Of, int32(of)), append(p.Level, int32(b))
		p.LnDensity, p.Weight = append(p.LnDensity, t.lnDensity(target, s)), append(p.Weight, weight)
	}
}

func (t *toy) joint() dos.Joint {
	return dos.Joint{Tolerance: t.tolerance, Draws: t.draws, Chains: t.chains}
}

// TestJointExact enumerates all draws and states with their probabilities instead of drawing: the
// estimate is exact, whatever the numbers of draws and states that it assumes.
func TestJointExact(t *testing.T) {
	toy := newToy(rand.New(rand.NewPCG(1, 2)))
	block := dos.JointBlock{Drawn: []float64{70, 1e4}, Visited: []float64{1e3, 20}}
	for target := range toy.q {
		for s := range toy.levels {
			for k := range toy.draws {
				toy.add(&block.Draws, k, target, s, block.Drawn[k]*toy.alpha[k][target]*toy.q[target][s])
			}
			for j := range toy.chains {
				toy.add(&block.States, j, target, s, block.Visited[j]*toy.state[j][s]/float64(2*toy.tolerance+1))
			}
		}
	}
	e, err := dos.FromJoint(toy.energy, toy.joint(), []dos.JointBlock{block})
	if err != nil {
		t.Fatal(err)
	}
	if e.Len() != len(toy.lnG) {
		t.Fatalf("%d levels, want %d", e.Len(), len(toy.lnG))
	}
	for i, x := range e.Energy {
		if want := toy.lnG[int(-x)]; math.Abs(e.LnG[i]-want) > 1e-9 {
			t.Errorf("ln g(%g) = %.12f, want %.12f", x, e.LnG[i], want)
		}
	}
	for j, c := range toy.chains {
		var parts []float64
		for b := c.Low; b <= c.High; b++ {
			parts = append(parts, toy.lnG[b]-c.LnWeight[b])
		}
		if want := dos.LogSumExp(parts); math.Abs(e.LnZ[j]-want) > 1e-9 {
			t.Errorf("chain %d: ln Z = %.12f, want %.12f", j+1, e.LnZ[j], want)
		}
		if !(e.Overlap[j] > 0.1 && e.Overlap[j] < 0.9) {
			t.Errorf("chain %d: overlap %v", j+1, e.Overlap[j])
		}
	}
}

// pick draws an index with probabilities that sum to 1.
func pick(r *rand.Rand, p []float64) int {
	u := r.Float64()
	for i, x := range p {
		if u -= x; u < 0 {
			return i
		}
	}
	return len(p) - 1
}

// TestJoint repeats the estimate from random draws and states: deviations are as its errors say,
// and smaller than those of the draws or of the states alone.
func TestJoint(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	toy := newToy(r)
	repetitions := long.Or(200, 20)
	const blocks = 32
	var square, count, together, alone float64
	for range repetitions {
		var all, draws []dos.JointBlock
		for range blocks {
			b := dos.JointBlock{Drawn: []float64{20, 30}, Visited: []float64{40, 40}}
			for k, n := range b.Drawn {
				for range int(n) {
					target := pick(r, toy.alpha[k])
					toy.add(&b.Draws, k, target, pick(r, toy.q[target]), 1)
				}
			}
			for j, n := range b.Visited {
				for range int(n) {
					s := pick(r, toy.state[j])
					toy.add(&b.States, j, toy.levels[s]+r.IntN(2*toy.tolerance+1), s, 1)
				}
			}
			all = append(all, b)
			draws = append(draws, dos.JointBlock{Draws: b.Draws, Drawn: b.Drawn})
		}
		e, err := dos.FromJoint(toy.energy, toy.joint(), all)
		if err != nil {
			t.Fatal(err)
		}
		d, err := dos.FromJoint(toy.energy, dos.Joint{Tolerance: toy.tolerance, Draws: toy.draws}, draws)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range e.Energy {
			off := e.LnG[i] - toy.lnG[int(-x)]
			square += off * off / (e.Error[i] * e.Error[i])
			together += off * off
			other := d.LnG[i] - toy.lnG[int(-x)]
			alone += other * other
			count++
		}
	}
	t.Logf("mean square deviation %.2f errors squared; rms deviation %.4f, by draws alone %.4f", square/count, math.Sqrt(together/count), math.Sqrt(alone/count))
	more := math.Sqrt(200 / float64(repetitions)) // the levels of one repetition are correlated
	if z := square / count; z < 1-0.25*more || z > 1+0.35*more {
		t.Errorf("mean square deviation is %.2f errors squared", z)
	}
	if together > 0.8*alone {
		t.Errorf("rms deviation %.4f, by draws alone %.4f", math.Sqrt(together/count), math.Sqrt(alone/count))
	}
}
