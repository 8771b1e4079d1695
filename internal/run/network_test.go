package run_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// hybrid performs a run in which a network of an architecture proposes beside local moves and learns for at least so
// many steps: it finds the exact density of states within that deviation of ln g (rms), a twentieth of the proposals
// are accepted, and what is in the directory holds.
func hybrid(t *testing.T, architecture string, rms float64, steps int64, settings ...string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "run")
	s := runtest.Perform(t, folder, settings...)
	if s.Exact == nil || s.Exact.RMS > rms || s.Network.Architecture != architecture || s.Network.Training.Steps < steps {
		t.Errorf("%v: exact %+v, network %+v", settings, s.Exact, s.Network)
	}
	acceptance := s.Phases[1].Moves["neural"].Acceptance
	if acceptance < 0.05 {
		t.Errorf("%v: %.3f of the proposals were accepted", settings, acceptance)
	}
	if failed, passed := runtest.Verify(t, folder); len(failed) > 0 || passed < 5 {
		t.Errorf("%v: %d checks hold, not %+v", settings, passed, failed)
	}
	t.Logf("%s: rms difference %.4f, acceptance %.3f, %d gradient steps", architecture, s.Exact.RMS, acceptance, s.Network.Training.Steps)
}

// refused expects runs with a network that is not trained, by the text of their error, to be refused.
func refused(t *testing.T, cases map[string][]string, more ...string) {
	t.Helper()
	for want, settings := range cases {
		_, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(t.TempDir(), "run")},
			append(append(settings, more...), "trainer.every=0")...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", settings, err)
		}
	}
}
