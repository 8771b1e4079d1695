package onnxtest

import (
	"flag"

	"neuralwl/inference"
)

var provider = flag.String("provider", string(inference.CPU), "the provider of networks in tests and benchmarks, cpu or cuda")

// Runtime evaluates networks on the provider that the test flag -provider names, the CPU by
// default.
func Runtime(workers int) inference.Runtime {
	return inference.Runtime{Provider: inference.Provider(*provider), Workers: workers}
}
