package sampler

import "math/rand/v2"

// Purposes of random streams. Their numbers are part of the meaning of a seed.
const (
	walkerStream uint64 = iota
	TrainerStream
	NetworkStream // initial parameters of a network
	VerifyStream
	exchangeStream
	vanStream
	startStream
	HonestyStream  // tests of a network's draws
	partStream     // exchanges of a shard of the adaptation
	gaussianStream // random configurations for the width of Gaussian ensembles
)

// Stream returns the generator for a purpose and an index under a run's seed. Streams of
// different purpose or index start at unrelated points of a period of 2^128.
func Stream(seed, purpose, index uint64) *rand.PCG {
	// Fibonacci hashing of the three numbers through SplitMix64's finaliser
	// (Steele, Lea, Flood, OOPSLA 2014).
	mix := func(z uint64) uint64 {
		z += 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	key := mix(mix(mix(seed)^purpose) ^ index)
	return rand.NewPCG(key, mix(key))
}

// Uniforms fills x with independent uniform numbers in [0,1), multiples of 2^-24, for
// Batch.Uniform.
func Uniforms(x []float32, source rand.Source) {
	for i := range x {
		x[i] = float32(source.Uint64()>>40) * 0x1p-24
	}
}

// GeneratorState returns the state of a generator, for its UnmarshalBinary.
func GeneratorState(rng *rand.PCG) []byte {
	data, err := rng.MarshalBinary()
	if err != nil {
		panic(err) // it never fails
	}
	return data
}
