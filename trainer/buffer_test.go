package trainer

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/sampler/lattice"
)

// TestBuffer fills one level with many states and another with few: the first stays
// within its places and holds late states too, and both are sampled equally often.
func TestBuffer(t *testing.T) {
	p, err := lattice.NewPotts(3, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	b := NewBuffer(p, 29*7, rand.NewPCG(5, 6)) // 29 possible levels
	uniform := make([]uint8, 16)
	b.Add(uniform, p.Bonds(uniform))
	late := 0
	for k := range 2000 {
		state := make([]uint8, 16)
		state[k%16] = 1 + uint8(k/1000)
		b.Add(state, p.Bonds(state))
	}
	if b.Len() != 1+7 {
		t.Errorf("%d states, want 1 and 7", b.Len())
	}
	if got, want := b.Fill(), 8.0/(29*7); got != want {
		t.Errorf("it is full to %g, want %g", got, want)
	}
	const samples = 20000
	excited := 0
	for range samples {
		s, _ := b.Sample(r)
		if p.Bonds(s) == p.GroundLevel() {
			continue
		}
		if p.Bonds(s) != p.GroundLevel()-4 {
			t.Fatalf("state %v was never added", s)
		}
		excited++
		for _, c := range s {
			if c == 2 {
				late++
			}
		}
	}
	if z := (float64(excited) - samples/2) / math.Sqrt(samples/4); math.Abs(z) > 4.5 {
		t.Errorf("%d of %d samples from the fuller of two levels", excited, samples)
	}
	if late < excited*9/10 {
		t.Errorf("%d of %d states are of the second half, the first half was hardly replaced", late, excited)
	}
}

// TestAdam compares with algorithm 1 of Kingma and Ba in double precision.
func TestAdam(t *testing.T) {
	const n, rate = 10000, 0.01
	r := rand.New(rand.NewPCG(3, 4))
	w := map[string][]float32{"w": make([]float32, n)}
	want, m, v := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range want {
		w["w"][i] = float32(r.NormFloat64())
		want[i] = float64(w["w"][i])
	}
	adam := NewAdam(rate)
	for step := 1; step <= 50; step++ {
		g := map[string][]float32{"w": make([]float32, n)}
		scale := r.Float64()
		for i := range want {
			g["w"][i] = float32(r.NormFloat64() * math.Pow(10, float64(i%5-3)))
			d := float64(g["w"][i]) * scale
			m[i] = 0.9*m[i] + 0.1*d
			v[i] = 0.999*v[i] + 0.001*d*d
			want[i] -= rate * m[i] / (1 - math.Pow(0.9, float64(step))) / (math.Sqrt(v[i]/(1-math.Pow(0.999, float64(step)))) + 1e-8)
		}
		adam.Step(step%3+1, w, g, scale)
	}
	for i, x := range want {
		if math.Abs(float64(w["w"][i])-x) > 1e-5*(1+math.Abs(x)) {
			t.Errorf("weight %d: %v, want %v", i, w["w"][i], x)
		}
	}
}

func TestNorm(t *testing.T) {
	if got := norm(map[string][]float32{"a": {3}, "b": {0, 4}}); got != 5 {
		t.Errorf("norm %v, want 5", got)
	}
	if got := norm(map[string][]float32{"a": {3}, "b": {float32(math.NaN())}}); !math.IsNaN(got) {
		t.Errorf("norm %v of a NaN", got)
	}
}
