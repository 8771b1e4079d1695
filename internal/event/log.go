package event

import (
	"log/slog"

	"neuralwl/sampler"
	"neuralwl/trainer"
)

// Log returns a listener that logs what happens. Passes and weight publications, which
// are many, are left out; what happens again and again is logged at powers of two.
func Log(log *slog.Logger) Listener {
	dropped := 0
	return Listener{
		RunBegan: func(e RunBegan) {
			if e.Resumed {
				return
			}
			about := []any{"method", e.Method, "system", e.System, "walkers", e.Walkers, "seed", e.Seed}
			if e.Server != "" {
				about = append(about, "model_server", e.Server)
			}
			log.Info("run begins", about...)
		},
		PhaseBegan: func(e PhaseBegan) { log.Info("phase begins", "phase", e.Phase) },
		PhaseEnded: func(e PhaseEnded) {
			log.Debug("phase ended", "phase", e.Progress.Phase, "passes", e.Progress.Passes, "round_trips", e.Progress.RoundTrips, "took", e.Took)
		},
		LevelsFound: func(e LevelsFound) { log.Debug("levels found", "levels", e.Levels) },
		IterationEnded: func(p sampler.Progress) {
			log.Debug("iteration ended", "ln_f", p.LnF, "pass", p.Passes, "flatness", p.Flatness)
		},
		GradientStep: func(s trainer.StepInfo) {
			if !s.Dropped {
				return
			}
			if dropped++; Often(dropped) {
				log.Warn("gradient step dropped: loss or gradient is not finite; training goes back to the last good weights",
					"loss", s.Loss, "norm", s.Norm, "dropped", dropped)
			}
		},
		BundleExported: func(e BundleExported) {
			if e.Err != nil {
				log.Error("the network was not exported; the run continues and tries again later", "reason", e.Err)
				return
			}
			log.Debug("bundle exported", "folder", e.Folder, "steps", e.Steps)
		},
		NetworkSwapped: func(e NetworkSwapped) {
			if e.Err != nil {
				log.Error("the network was not exchanged; the run goes on with the one it has", "name", e.Name, "stage", e.Stage, "pass", e.Pass, "reason", e.Err)
				return
			}
			about := []any{"name", e.Name, "digest", e.Digest, "stage", e.Stage, "pass", e.Pass, "took", e.Took, "pause", e.Pause}
			if e.Training != "" {
				about = append(about, "training", e.Training)
			}
			if e.Restarted {
				about = append(about, "dropped_passes", e.Dropped)
			}
			switch {
			case e.Restarted && e.Replayed:
				log.Warn("another network is in use, as on record; production begins anew under the same weights", about...)
			case e.Restarted:
				log.Warn("another network is in use; production begins anew under the same weights", about...)
			case e.Replayed:
				log.Info("another network is in use, as on record", about...)
			default:
				log.Info("another network is in use", about...)
			}
		},
		CheckpointWritten: func(e CheckpointWritten) {
			if e.Err != nil {
				log.Error("no checkpoint; the one before is kept, and the run continues", "reason", e.Err)
				return
			}
			log.Debug("checkpoint written", "bytes", e.Bytes, "took", e.Took)
		},
		RunEnded: func(e RunEnded) {
			switch {
			case e.Divided > 0:
				log.Info("production goes on in shards", "shards", e.Divided)
			case e.Err == nil:
				log.Info("run ends", "converged", e.Converged, "seconds", e.Seconds)
			}
		},
	}
}

// Often reports whether the n-th repetition is worth another line in a log: the first,
// second, fourth, eighth and so on.
func Often(n int) bool { return n&(n-1) == 0 }
