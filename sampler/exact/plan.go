package exact

import (
	"fmt"
	"math"
	"math/bits"
)

// Estimate predicts the cost of a computation.
type Estimate struct {
	Method Method
	// Seconds on one core, within a factor of about three on current processors; +Inf if
	// too large for a float64.
	Seconds float64
	// Bytes of memory at the peak.
	Bytes float64
}

// Plan predicts, within milliseconds, the fastest way to compute the density of states of
// the q-state Potts model on the periodic lx x ly lattice; lx and ly in either order.
// Methods within the limits of Compute are preferred. The error describes invalid
// arguments.
func Plan(q, lx, ly int) (Estimate, error) {
	if err := validate(Auto, q, lx, ly); err != nil {
		return Estimate{}, fmt.Errorf("exact: plan q=%d %dx%d: %w", q, lx, ly, err)
	}
	return plan(Auto, q, lx, ly), nil
}

// plan predicts the given method, or the best one for Auto. The arguments must be valid.
func plan(method Method, q, lx, ly int) Estimate {
	width, height := min(lx, ly), max(lx, ly)
	limit := memoryLimit()
	var best Estimate
	for _, e := range []Estimate{
		planTransfer(q, width, height),
		planKaufman(width, height),
		planEnumeration(q, width*height),
	} {
		if method != Auto && e.Method != method || e.Method == Kaufman && q != 2 {
			continue
		}
		allowed, bestAllowed := e.within(timeLimit.Seconds(), limit), best.within(timeLimit.Seconds(), limit)
		if best.Method == Auto || allowed && !bestAllowed || allowed == bestAllowed && e.Seconds < best.Seconds {
			best = e
		}
	}
	return best
}

// within reports whether the estimate keeps both limits.
func (e Estimate) within(seconds, bytes float64) bool {
	return e.Seconds <= seconds && e.Bytes <= bytes
}

// Times in nanoseconds, measured on one core of a 2.6 GHz AMD EPYC 9004 under other load;
// see the benchmarks of this package.
const (
	costCall          = 1e5  // planning and the first allocations
	costConfiguration = 8    // enumeration: one step of the Gray code
	costTerms         = 20   // the same, of any model
	costMultiply      = 2.7  // Kaufman: one product modulo a prime, with the sums around it
	costPrime         = 2e5  // Kaufman: finding a prime
	costDigit         = 7    // Kaufman: one step of the Chinese remainder theorem
	costOperator      = 35   // transfer matrix: adding a site, per state
	costWord          = 1.6  // the same, per word of the amplitude, with one word per coefficient
	costCarryWord     = 2.7  // the same, with more words per coefficient
	costProduct       = 150  // closing the torus, per state
	costProductWords  = 0.25 // the same, per pair of words of the amplitudes
	// squareWords is the length above which products in math/big grow with the power
	// fastPower of the length (Karatsuba's method) instead of 2.
	squareWords = 200
	fastPower   = 1.6
	costState   = 100 // building the table of states, per state
	costStart   = 60  // first amplitudes, per state
)

// seconds converts nanoseconds of a method to the time of a call.
func seconds(ns float64) float64 { return (ns + costCall) * 1e-9 }

func planEnumeration(q, sites int) Estimate {
	configurations := math.Pow(float64(q), float64(sites-1))
	return Estimate{Enumeration, seconds(configurations * costConfiguration), float64(100 * sites)}
}

func planKaufman(lx, ly int) Estimate {
	n := lx * ly
	points := float64(int(1) << bits.Len(uint(n)))
	primes := float64(n/(primeBits-1) + 1)
	perPoint := float64(4*lx*bits.Len(uint(ly))+4*ly) + 2*math.Log2(points) + 150 // 150: powers, inverse
	perCoefficient := primes * primes / 2
	ns := primes*(costPrime+points*perPoint*costMultiply) + float64(n)*perCoefficient*costDigit
	return Estimate{Kaufman, seconds(ns), primes*points*8 + float64(n*n)/8}
}

// planTransfer counts, for each number of colours in the first row, the classes
// of first rows, the states, and the words that the sweep and the closure read.
func planTransfer(q, width, height int) Estimate {
	t := newTransfer(q, width, height)
	sweep := 0.0 // ns per state
	coefficients := float64(t.coefficients(0))
	perWord := costWord
	if t.words > 1 {
		perWord = costCarryWord
	}
	for row := range t.rows + 1 {
		grows := float64(2 * width)
		if row == t.rows {
			grows = float64(width)
		}
		words := (coefficients + grows/2) * float64(t.words)
		sweep += float64(width) * (costOperator + perWord*words)
		coefficients += grows
	}
	length := float64(t.stride() / t.words * t.fullWords)
	product := costProduct + costProductWords*math.Pow(min(length, squareWords), 2)*
		math.Pow(max(length/squareWords, 1), fastPower)

	stateBytes := float64(8*t.stride()) + float64(4*width+4)
	if t.odd() {
		stateBytes += float64(8 * t.coefficients(t.rows) * t.words)
	}
	ns, bytes := 0.0, 0.0
	states := extensionTable[float64](width, q)[width]
	for colours, classes := range firstRowCount(width, q) {
		if classes > 0 {
			ns += states[colours] * (costState + classes*(costStart+sweep+product))
			bytes = max(bytes, states[colours]*stateBytes)
		}
	}
	// The sums of products by number of colours, and the factors of a product.
	sums := float64(min(q, width)+1) * float64((2*width*height+1)*t.fullWords)
	return Estimate{TransferMatrix, seconds(ns), bytes + 8*(sums+4*length)}
}

// firstRowCount returns the number of classes that firstRows finds, by number of colours.
// It counts them if there are few rows, and otherwise assumes that no row is symmetric.
func firstRowCount(width, q int) []float64 {
	const few = 5_000 // rows that can be classified within a millisecond
	rows := partitions(width)[:min(q, width)+1]
	total := 0.0
	for _, n := range rows {
		total += n
	}
	if total <= few {
		for colours, classes := range firstRows(width, q) {
			rows[colours] = float64(len(classes))
		}
		return rows
	}
	for colours := range rows {
		rows[colours] = math.Ceil(rows[colours] / float64(2*width))
	}
	return rows
}
