package setup_test

import (
	"strings"
	"testing"

	"neuralwl/internal/setup"
)

// TestMemory compares the estimate with the largest resident size, in MB, of runs with two
// threads, as Linux reported it. Those of a larger system or network were ended by their
// run.max_time of 10 to 30 s and would have come to need more.
func TestMemory(t *testing.T) {
	for settings, measured := range map[string]float64{
		"system.size=4x4 system.q=3 run.moves=local":                                          48,
		"system.size=16x16 run.moves=local":                                                   83,
		"system.size=32x32 run.moves=local":                                                   160,
		"system.size=16x16 run.walkers=4096 run.moves=local":                                  474,
		"system.model=random_bond system.size=16x16":                                          58,
		"system.size=8x8":                                                                     154,
		"system.size=16x16":                                                                   266,
		"system.size=16x16 run.walkers=1024":                                                  488,
		"system.size=8x8 model.encoder=512 model.decoder=512":                                 377,
		"system.size=16x16 model.encoder=512 model.decoder=512":                               1397,
		"system.size=16x16 model.bundle=pretrained/potts-q10":                                 144,
		"system.size=12x12 model.architecture=microcanonical":                                 124,
		"system.size=8x8 model.architecture=made run.method=van-wang-landau run.moves=neural": 116,
	} {
		bytes, err := setup.Memory(load(t, strings.Fields(settings)...), 2)
		if err != nil {
			t.Errorf("%s: %v", settings, err)
			continue
		}
		ratio := float64(bytes) / 1e6 / measured
		t.Logf("%4.0f MB, estimated %4d, ratio %.2f: %s", measured, bytes/1e6, ratio, settings)
		if ratio < 0.95 || ratio > 2.1 {
			t.Errorf("%s: the estimate is %.2f of what was measured", settings, ratio)
		}
	}
	if _, err := setup.Memory(load(t, "model.bundle=/does/not/exist"), 2); err == nil {
		t.Error("a bundle that is not there has a size")
	}
}
