package scaling

import "math"

// TransitionTemperature returns that of the infinite square lattice of q > 4 colours, in
// units of J (Baxter, J. Phys. C 6, L445 (1973)).
func TransitionTemperature(q float64) float64 { return 1 / math.Log1p(math.Sqrt(q)) }

// LatentHeat returns the jump of the energy per site there, in units of J (Baxter, as
// above):
//
//	2 (1 + 1/sqrt q) tanh(theta/2) prod over n >= 1 of tanh^2(n theta),  2 cosh theta = sqrt q
func LatentHeat(q float64) float64 {
	theta := math.Acosh(math.Sqrt(q) / 2)
	jump := 2 * (1 + 1/math.Sqrt(q)) * math.Tanh(theta/2)
	for n := 1.0; ; n++ {
		factor := math.Tanh(n * theta)
		if factor == 1 {
			return jump
		}
		jump *= factor * factor
	}
}

// InterfaceTension is 2 sigma of ten colours at the transition, the inverse of the
// disordered phase's correlation length, 10.559519 (Borgs, Janke, J. Phys. I France 2,
// 2011 (1992)).
const InterfaceTension = 0.094701

// Shift returns the leading coefficient in the theory of first-order transitions of the
// transition temperature defined by equal weights of both phases, and of that defined by
// the largest specific heat: T_L = T + Shift/L^2 + ... (Borgs, Kotecky, J. Stat. Phys. 61,
// 79 (1990); Lee, Kosterlitz, Phys. Rev. B 43, 3265 (1991)).
func Shift(q float64) float64 {
	t := TransitionTemperature(q)
	return t * t * math.Log(q) / LatentHeat(q)
}
