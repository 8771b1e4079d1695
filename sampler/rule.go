package sampler

// rule improves the weights of a window by the visits of its walkers otherwise than by a schedule of
// ln f: it makes an adaptation of its own.
type rule interface {
	// weights is minus the logarithm of the weights under which walkers move during the adaptation, by
	// level: ln g itself, or values of the rule's own, always in the same slice.
	weights(w *estimate) []float64
	// begin takes over ln g where it is known beforehand.
	begin(w *estimate)
	// step accounts for the trials since the last one, whose visits by level are w.fresh and are already
	// in w.hist, and corrects ln g. It reports whether the weights have changed, and whether an iteration
	// ended, with whose histogram there is nothing more to do.
	step(w *estimate, trials int64) (changed, ended bool)
	// coarsen allows for so many trials between two steps.
	coarsen(w *estimate, trials int64)

	// adapted reports whether the weights are good enough for production, by the limit that
	// Engine.Adapted is given, and progress how far they have come, 0..1.
	adapted(w *estimate, limit float64) bool
	progress(w *estimate, limit float64) float64
	// flatness is that of Progress.
	flatness(w *estimate) float64

	// save adds the state of the rule to that of the window, and restore takes it over;
	// WindowSnapshot.checkRule has checked it.
	save(s *WindowSnapshot)
	restore(w *estimate, s *WindowSnapshot)
}
