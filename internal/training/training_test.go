package training_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/config"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/training"
	"neuralwl/models"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

func load(t *testing.T, settings ...string) *config.Config {
	t.Helper()
	c, err := config.Load("", append([]string{
		"system.q=3", "system.size=3x3", "run.walkers=64", "run.workers=1", "trainer.batch=32",
		"model.architecture=microcanonical", "model.width=8", "model.window=2",
	}, settings...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func train(t *testing.T, o training.Options) *training.Report {
	t.Helper()
	r, err := training.Train(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// divergence is the Kullback-Leibler divergence of a bundle of q = 3 on 3x3 by
// enumeration: the mean of -ln q(s|E*) - ln g(E) - ln n(E*) over levels, their states and the
// targets around them, near which there are n levels.
func divergence(t *testing.T, b *exporter.Bundle) float64 {
	t.Helper()
	p, err := lattice.NewPotts(3, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	const states = 19683
	proposer := onnxtest.Proposer(t, b, 1, states, 243)
	batch := proposer.Batch()
	g := make([]float64, p.Levels())
	levels := make([]int, states)
	for k := range states {
		for i, rest := 0, k; i < 9; i, rest = i+1, rest/3 {
			batch.State[9*k+i] = int32(rest % 3)
		}
		levels[k] = p.BondsInt32(batch.State[9*k : 9*k+9])
		g[levels[k]]++
	}
	occupied := 0.0
	for _, n := range g {
		occupied += min(n, 1)
	}
	w, within := batch.Tolerance, batch.Tolerance
	if !b.Card.TakesEnergy() {
		within = len(g)
	}
	sum, total := 0.0, 0.0
	for off := -w; off <= w; off++ {
		for k, level := range levels {
			if b.Card.TakesEnergy() {
				batch.Current[k] = float32(-level - off)
			}
		}
		if off == -w {
			if err := proposer.Propose(context.Background()); err != nil { // chooses the weights
				t.Fatal(err)
			}
		}
		if err := proposer.LogProb(context.Background()); err != nil {
			t.Fatal(err)
		}
		for k, level := range levels {
			near := 0.0
			for b := max(0, level+off-within); b <= min(len(g)-1, level+off+within); b++ {
				near += min(g[b], 1)
			}
			sum += (-float64(batch.Reverse[k]) - math.Log(g[level]) - math.Log(near)) / (g[level] * occupied)
			total += math.Exp(float64(batch.Reverse[k]))
		}
	}
	if b.Card.Unnormalised {
		return sum + math.Log(total)
	}
	return sum / float64(2*w+1)
}

// TestTrain trains a network from nothing, finds the divergence that it reports to be
// the exact one and smaller than before, and every record in its place; then training
// goes on from there on another lattice.
func TestTrain(t *testing.T) {
	repository := t.TempDir()
	var activities []string
	r := train(t, training.Options{
		Config: load(t, "train.steps=300"), Repository: repository, Name: "tiny",
		Observe: func(activity string, done float64, _ trainer.StepInfo) {
			if len(activities) == 0 || activities[len(activities)-1] != activity {
				activities = append(activities, activity)
			}
			if done < 0 || done > 1 {
				t.Errorf("%s: %v done", activity, done)
			}
		},
	})
	if got := strings.Join(activities, " "); got != "weights training evaluation" {
		t.Errorf("activities: %s", got)
	}
	if r.Folder != filepath.Join(repository, "tiny", "1") {
		t.Errorf("folder %s", r.Folder)
	}
	b, err := exporter.Load(filepath.Join(repository, "tiny"))
	if err != nil {
		t.Fatal(err)
	}
	record := b.Card.Training
	if record.Steps != 300 || record.KL == nil || *record.KL != r.Evaluations[0].KL || record.Data == "" || *record.Acceptance != r.Evaluations[0].Acceptance {
		t.Errorf("record %+v", record)
	}
	exact := divergence(t, b)
	e := r.Evaluations[0]
	t.Logf("divergence %.3f(%.3f), exact %.3f, acceptance %.3f(%.3f), %.3f hit", e.KL, e.KLError, exact, e.Acceptance, e.AcceptanceError, e.HitRate)
	// ln g is an estimate, too.
	if math.Abs(e.KL-exact) > 5*e.KLError+0.02 || exact > 1 || exact < 0 || e.Acceptance < 0.3 || e.HitRate < 0.8 {
		t.Errorf("divergence %.3f(%.3f), exact %.3f, acceptance %.3f, %.3f hit", e.KL, e.KLError, exact, e.Acceptance, e.HitRate)
	}
	read := func(file string) []byte {
		data, err := os.ReadFile(filepath.Join(r.Folder, file))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	losses, err := trainer.ReadLossTable(read(trainer.LossFile))
	if err != nil || len(losses) != 300 || losses[299].Step != 300 || losses[299].Size != "3x3" || !(losses[299].Loss < losses[0].Loss) {
		t.Errorf("%d losses (%v)", len(losses), err)
	}
	levels, err := training.ReadEvaluation(read(training.EvaluationFile))
	if err != nil || len(levels) != len(e.Levels) {
		t.Errorf("%d levels, want %d (%v)", len(levels), len(e.Levels), err)
	}
	for i, l := range levels {
		if want := e.Levels[i]; l.Energy != want.Energy || l.States != want.States || !close(l.KL, want.KL) || !close(l.EffectiveShare, want.EffectiveShare) {
			t.Errorf("evaluation %+v, read as %+v", want, l)
		}
	}

	next := train(t, training.Options{
		Config: load(t, "train.steps=1", "system.size=4x4", "model.init="+filepath.Join(repository, "tiny")), Repository: repository,
	})
	untrained := train(t, training.Options{Config: load(t, "train.steps=1", "system.size=4x4"), Repository: t.TempDir()})
	t.Logf("on 4x4: %.3f nats with these weights, %.3f with random ones", next.Evaluations[0].KL, untrained.Evaluations[0].KL)
	if next.Evaluations[0].KL > 0.7*untrained.Evaluations[0].KL {
		t.Errorf("on 4x4: %.3f nats with weights trained on 3x3, %.3f with random ones", next.Evaluations[0].KL, untrained.Evaluations[0].KL)
	}
}

// close reports whether a number is another one as a table holds it, NaN if it is not finite.
func close(read, written float64) bool {
	if math.IsNaN(read) {
		return math.IsNaN(written) || math.IsInf(written, 0)
	}
	return math.Abs(read-written) <= 1e-5*math.Abs(written)
}

// TestTrainLocalMove trains on states of the local move that is configured, order included.
func TestTrainLocalMove(t *testing.T) {
	tables := map[string]string{}
	for _, c := range []struct{ setting, name string }{
		{"local.order=sequential", "(heat_bath)"}, {"local.order=random", "(heat_bath at random)"}, {"local.move=metropolis", "(metropolis)"}, {"local.move=cluster", "(cluster)"},
	} {
		r := train(t, training.Options{Config: load(t, "train.steps=3", c.setting), Repository: t.TempDir()})
		if !strings.Contains(r.Card.Training.Data, c.name) {
			t.Errorf("%s: the card says %q", c.setting, r.Card.Training.Data)
		}
		table, err := os.ReadFile(filepath.Join(r.Folder, training.EvaluationFile))
		if err != nil {
			t.Fatal(err)
		}
		for other, text := range tables {
			if text == string(table) {
				t.Errorf("%s: the same states as with %s", c.setting, other)
			}
		}
		tables[c.setting] = string(table)
	}
}

// TestEvaluationRough evaluates a network on walkers under weights that favour high energies
// forty times over, and finds what it finds on others.
func TestEvaluationRough(t *testing.T) {
	rough := exacttest.Density(t, 3, 3, 3)
	for i, energy := range rough.Energy {
		rough.LnG[i] -= energy / 5
	}
	r := train(t, training.Options{Config: load(t, "run.walkers=1024", "train.steps=100"), LnG: rough, Repository: t.TempDir()})
	b, err := exporter.Load(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	want, e := divergence(t, b), r.Evaluations[0]
	t.Logf("divergence %.3f(%.3f), exact %.3f", e.KL, e.KLError, want)
	if math.Abs(e.KL-want) > 4*e.KLError || e.KLError > 0.02 {
		t.Errorf("divergence %.3f(%.3f), exact %.3f", e.KL, e.KLError, want)
	}
}

// TestTrainUnconditional trains a network that does not aim at energies, finds the
// divergence that it reports to be the exact one, and goes on from there on another lattice.
func TestTrainUnconditional(t *testing.T) {
	repository := t.TempDir()
	settings := []string{"model.architecture=conv", "model.depth=2", "trainer.learning_rate=1e-2"}
	r := train(t, training.Options{Config: load(t, append(settings, "train.steps=400")...), Repository: repository, Name: "tiny"})
	b, err := exporter.Load(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	if h := b.Card.Hyperparameters; b.Card.Architecture != "conv" || h.Width != 8 || h.Depth != 2 || h.Kernel != 3 || h.Window != 0 {
		t.Errorf("card %+v", b.Card)
	}
	exact, e := divergence(t, b), r.Evaluations[0]
	t.Logf("divergence %.3f(%.3f), exact %.3f, acceptance %.3f(%.3f)", e.KL, e.KLError, exact, e.Acceptance, e.AcceptanceError)
	if math.Abs(e.KL-exact) > 5*e.KLError+0.02 || exact > 0.3 || exact < 0 || e.Acceptance < 0.5 || e.HitRate != 1 {
		t.Errorf("divergence %.3f(%.3f), exact %.3f, acceptance %.3f, %.3f hit", e.KL, e.KLError, exact, e.Acceptance, e.HitRate)
	}
	settings = append(settings, "train.steps=1", "trainer.learning_rate=1e-9", "system.size=4x4")
	next := train(t, training.Options{Config: load(t, append(settings, "model.init="+r.Folder)...), Repository: repository})
	untrained := train(t, training.Options{Config: load(t, settings...), Repository: t.TempDir()})
	t.Logf("on 4x4: %.3f nats with these weights, %.3f with random ones", next.Evaluations[0].KL, untrained.Evaluations[0].KL)
	if next.Evaluations[0].KL > 0.7*untrained.Evaluations[0].KL {
		t.Errorf("on 4x4: %.3f nats with weights trained on 3x3, %.3f with random ones", next.Evaluations[0].KL, untrained.Evaluations[0].KL)
	}
}

// TestTrainUnnormalised trains a machine, and finds the divergence of its p, normalised by enumeration, to be
// the one that it reports.
func TestTrainUnnormalised(t *testing.T) {
	r := train(t, training.Options{Config: load(t, "model.architecture=rbm", "model.hidden=4", "train.steps=300", "run.walkers=256"), Repository: t.TempDir()})
	b, err := exporter.Load(r.Folder)
	if err != nil {
		t.Fatal(err)
	}
	if h := b.Card.Hyperparameters; h.Hidden != 4 || h.HiddenKind != models.Convolutional || h.Kernel != 3 || h.GibbsSteps != 1 || !b.Card.Unnormalised {
		t.Errorf("card %+v", b.Card)
	}
	exact, e := divergence(t, b), r.Evaluations[0]
	t.Logf("divergence %.3f(%.3f), exact %.3f, acceptance %.3f(%.3f)", e.KL, e.KLError, exact, e.Acceptance, e.AcceptanceError)
	if math.Abs(e.KL-exact) > 5*e.KLError+0.02 || exact > 1 || exact < 0 || e.Acceptance < 0.3 || *b.Card.Training.Acceptance != e.Acceptance {
		t.Errorf("divergence %.3f(%.3f), exact %.3f, acceptance %.3f", e.KL, e.KLError, exact, e.Acceptance)
	}
}

// TestTrainSizes trains one network on two lattices: it learns both.
func TestTrainSizes(t *testing.T) {
	r := train(t, training.Options{Config: load(t, "train.steps=600", "train.sizes=[4x3]"), Repository: t.TempDir()})
	if len(r.Evaluations) != 2 || r.Evaluations[0].Size != "3x3" || r.Evaluations[1].Size != "4x3" || !slices.Equal(r.Card.System.Size, []int{3, 3}) {
		t.Fatalf("%+v", r)
	}
	for _, e := range r.Evaluations {
		t.Logf("%s: divergence %.3f(%.3f)", e.Size, e.KL, e.KLError)
		if e.KL > 1 {
			t.Errorf("%s: divergence %.3f(%.3f)", e.Size, e.KL, e.KLError)
		}
	}
	c := load(t, "train.steps=1", "model.architecture=autoencoder", "train.sizes=4x4")
	if _, err := training.Train(context.Background(), training.Options{Config: c, Repository: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("an autoencoder on two lattices: %v", err)
	}
	if _, err := config.Load("", []string{"train.sizes=[8x, 2x2]"}); err == nil || !strings.Contains(err.Error(), `"8x" is not a size`) || !strings.Contains(err.Error(), "2x2") {
		t.Errorf("sizes: %v", err)
	}
}

// TestTrainColours trains one network on two numbers of colours: it learns both, and the report, the
// card and the loss curve tell them apart. Weights of most architectures depend on that number.
func TestTrainColours(t *testing.T) {
	r := train(t, training.Options{Config: load(t, "train.steps=500", "train.colours=[7]", "model.architecture=microcanonical"), Repository: t.TempDir()})
	if len(r.Evaluations) != 2 || r.Evaluations[0].Size != "q=3 3x3" || r.Evaluations[1].Size != "q=7 3x3" || r.Card.System.Q != 3 || !strings.Contains(r.Card.Training.Data, "q = 3 and [7]") {
		t.Fatalf("%+v", r)
	}
	for _, e := range r.Evaluations {
		t.Logf("%s: divergence %.3f(%.3f)", e.Size, e.KL, e.KLError)
		if e.KL > 1.2 {
			t.Errorf("%s: divergence %.3f(%.3f)", e.Size, e.KL, e.KLError)
		}
	}
	data, err := os.ReadFile(filepath.Join(r.Folder, trainer.LossFile))
	if err != nil {
		t.Fatal(err)
	}
	losses, err := trainer.ReadLossTable(data)
	if err != nil || losses[0].Size != "q=3 3x3" || losses[1].Size != "q=7 3x3" {
		t.Errorf("losses %+v (%v)", losses[:2], err)
	}
	for _, architecture := range []string{"made", "conv"} {
		c := load(t, "train.steps=1", "train.colours=5", "model.architecture="+architecture)
		if _, err := training.Train(context.Background(), training.Options{Config: c, Repository: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "does not fit") {
			t.Errorf("%s of two numbers of colours: %v", architecture, err)
		}
	}
	if _, err := config.Load("", []string{"train.colours=[3, 1]"}); err == nil || !strings.Contains(err.Error(), "train.colours") || !strings.Contains(err.Error(), "1 colours") {
		t.Errorf("colours: %v", err)
	}
}

// TestTrainEarlier ends training by the clock and by a signal, with a bundle both times,
// and trains an autoencoder.
func TestTrainEarlier(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		stopped  bool // after the first step
	}{
		"time":        {settings: []string{"train.steps=1000000", "train.max_time=300ms"}},
		"interrupted": {settings: []string{"train.steps=1000000"}, stopped: true},
		"autoencoder": {settings: []string{"train.steps=30", "model.architecture=autoencoder"}},
		"convolutional autoencoder of any size": {settings: []string{"train.steps=10", "model.architecture=autoencoder",
			"model.encoder_kind=convolutional", "model.decoder_kind=convolutional", "train.sizes=4x5"}},
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		r, err := training.Train(ctx, training.Options{
			Config: load(t, c.settings...), Repository: t.TempDir(),
			Observe: func(activity string, _ float64, step trainer.StepInfo) {
				if c.stopped && step.Loss != 0 {
					cancel(errors.New("stopped by the test"))
				}
			},
		})
		cancel(nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b, err := exporter.Load(r.Folder); err != nil || b.Card.Training.Steps == 0 || b.Card.Training.Steps > 500_000 {
			t.Errorf("%s: %+v, %v", name, r.Card.Training, err)
		}
	}
}

// TestTrainErrors: the density of states of another system, and no states in time.
func TestTrainErrors(t *testing.T) {
	other := &dos.Density{Energy: []float64{-100, -3}, LnG: []float64{0, 1}}
	_, err := training.Train(context.Background(), training.Options{Config: load(t), LnG: other, Repository: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "energy -100") {
		t.Errorf("another system: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = training.Train(ctx, training.Options{Config: load(t), Repository: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "--from") {
		t.Errorf("cancelled: %v", err)
	}
}
