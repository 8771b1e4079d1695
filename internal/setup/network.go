package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/inference/remote"
	"neuralwl/internal/config"
	"neuralwl/internal/near"
	"neuralwl/models"
	"neuralwl/models/pretrained"
	"neuralwl/sampler"
)

// Runtime opens ONNX Runtime's library and returns how networks are evaluated with a
// number of workers. What the library and the provider have to report goes to log.
func Runtime(c *config.Config, workers int, log *slog.Logger) (inference.Runtime, error) {
	if c.Inference.Remote() {
		return inference.Runtime{}, fmt.Errorf("inference.provider: %s is for nwl run alone; take auto, cpu or cuda here", config.RemoteProvider)
	}
	path, err := inference.Open(c.Inference.Library)
	if err != nil {
		return inference.Runtime{}, err
	}
	provider, err := inference.Select(inference.Provider(c.Inference.Provider), log)
	if err != nil {
		return inference.Runtime{}, err
	}
	log.Info("ONNX Runtime", "version", inference.Version(), "library", path, "provider", provider)
	return inference.Runtime{Provider: provider, Workers: workers, Timeout: c.Inference.Timeout, Log: log}, nil
}

// Server connects to the model server of a configuration and makes sure that it has a bundle. evaluated
// is remote.Options.Evaluated.
func Server(ctx context.Context, c *config.Config, b *exporter.Bundle, log *slog.Logger, evaluated func(graph string, took time.Duration)) (*remote.Server, error) {
	name, version := c.Inference.OnServer()
	s, err := remote.Dial(ctx, b, remote.Options{
		URL: c.Inference.URL, Model: name, Version: version, Token: os.Getenv(config.InferenceTokenVariable),
		Timeout: c.Inference.Timeout, Retries: c.Inference.Retries, Seed: c.Run.Seed, Log: log, Evaluated: evaluated,
	})
	if err != nil {
		return nil, fmt.Errorf("inference.provider %s: %w", config.RemoteProvider, err)
	}
	i := s.Info()
	log.Info("a model server evaluates the network", "url", i.URL, "server", i.Name, "version", i.Version, "model", i.Model)
	return s, nil
}

// NetworkSystem is the system of a configuration, as networks know it.
func NetworkSystem(c *config.Config) models.System {
	model := c.System.Model
	if model == config.Ising {
		model = config.Potts
	}
	return models.System{Model: model, Q: c.System.Q, Sides: c.System.Size}
}

// Bundle returns the bundle to begin with: that of model.bundle, or a new one with the
// weights of model.init or random ones.
func Bundle(c *config.Config, log *slog.Logger) (*exporter.Bundle, error) {
	if c.Model.Bundle != "" {
		b, err := loadBundle(c, log)
		if err != nil {
			return nil, fmt.Errorf("model.bundle: %w", err)
		}
		return b, nil
	}
	b, err := buildBundle(NetworkSystem(c), c.Run.Seed, c.Model.Architecture, hyperparameters(c))
	if err != nil {
		return nil, fmt.Errorf("model.architecture: %w", err)
	}
	if c.Model.Init == "" {
		return b, nil
	}
	from, err := OpenBundle(c.Model.Init)
	if err != nil {
		return nil, fmt.Errorf("model.init: %w", err)
	}
	if err := transfer(b, from); err != nil {
		return nil, fmt.Errorf("model.init: %w", err)
	}
	return b, nil
}

// OpenBundle loads a bundle from a folder, or a pretrained one by its name.
func OpenBundle(name string) (*exporter.Bundle, error) {
	if !strings.HasPrefix(name, pretrained.Prefix) {
		b, err := exporter.Load(name)
		return b, meant(name, err)
	}
	files, err := pretrained.Open(name)
	if err != nil {
		return nil, err
	}
	return exporter.LoadFS(files, name)
}

// BundleFiles reads the files of a bundle from a folder, or of a pretrained one by its name.
func BundleFiles(name string) (map[string][]byte, error) {
	if !strings.HasPrefix(name, pretrained.Prefix) {
		files, err := exporter.ReadFiles(name)
		return files, meant(name, err)
	}
	files, err := pretrained.Open(name)
	if err != nil {
		return nil, err
	}
	return exporter.ReadFilesFS(files, name)
}

// meant adds to an error about a folder that is not there which bundle may have been meant.
func meant(name string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var known []string
	for _, trained := range pretrained.Names() {
		known = append(known, pretrained.Prefix+trained)
	}
	question := cmp.Or(near.Ask(name, known), near.AskPath(name))
	if best := near.Name(name, pretrained.Names()); question == "" && best != "" { // without the prefix
		question = "; did you mean " + pretrained.Prefix + best + "?"
	}
	return fmt.Errorf("%w%s", err, question)
}

// loadBundle reads model.bundle.
func loadBundle(c *config.Config, log *slog.Logger) (*exporter.Bundle, error) {
	from, err := OpenBundle(c.Model.Bundle)
	if err != nil {
		return nil, err
	}
	return Fit(c, from, log)
}

// Fit returns a bundle that was made for the system of a configuration. One that was made for
// another size of the lattice, or another number of colours, is rebuilt for this one with its
// weights, if they depend on neither.
func Fit(c *config.Config, from *exporter.Bundle, log *slog.Logger) (*exporter.Bundle, error) {
	if of := from.Card; c.System.Joint != "" && (of.TakesEnergy() || of.TakesShift() || of.Hyperparameters.EnergyWeight > 0) {
		return nil, fmt.Errorf("%s aims at energies, and levels are pairs of the energy and the %s (system.joint); take another network", of.Name, c.System.Joint)
	}
	mismatch := from.Card.CheckSystem(NetworkSystem(c))
	if mismatch == nil {
		return from, nil
	}
	own, s := from.Card.System.System(), NetworkSystem(c)
	if own.Name() != s.Name() {
		return nil, mismatch
	}
	b, err := Rebuild(from, s.Q, s.Sides)
	if err != nil {
		return nil, fmt.Errorf("%w; its weights do not serve there: %w", mismatch, err)
	}
	log.Info("the network was trained on another system", "bundle", from.Card.Name, "of", own, "for", s)
	return b, nil
}

// Rebuild returns the network of a bundle for another number of colours and a lattice of other
// sides, if its weights depend on neither.
func Rebuild(from *exporter.Bundle, q int, sides []int) (*exporter.Bundle, error) {
	s := from.Card.System.System()
	s.Q, s.Sides = q, sides
	b, err := buildBundle(s, 1, from.Card.Architecture, from.Card.Hyperparameters)
	if err != nil {
		return nil, err
	}
	return b, transfer(b, from)
}

// buildBundle makes a new bundle with random weights.
func buildBundle(s models.System, seed uint64, architecture string, h models.Hyperparameters) (*exporter.Bundle, error) {
	name := fmt.Sprintf("%s-%s-q%d-%s", architecture, s.Name(), s.Q, s.Size())
	if s.Angles() {
		name = fmt.Sprintf("%s-%s-%s", architecture, s.Name(), s.Size())
	}
	r := rand.New(sampler.Stream(seed, sampler.NetworkStream, 0))
	return exporter.NewUntrained(name, architecture, s, h, r)
}

// transfer gives b the weights and the training record of another bundle.
func transfer(b, from *exporter.Bundle) error {
	weights, err := from.Weights()
	if err != nil {
		return err
	}
	b.Card.Training = from.Card.Training
	return b.Transfer(weights)
}

// hyperparameters are the ones that the architecture of a new network has.
func hyperparameters(c *config.Config) models.Hyperparameters {
	h := models.Hyperparameters{Floor: c.Model.Floor}
	switch c.Model.Architecture {
	case models.RBM:
		h.Floor, h.Hidden, h.GibbsSteps = 0, c.Model.Hidden, c.Model.GibbsSteps
		if c.Model.HiddenKind == models.Convolutional {
			h.HiddenKind, h.Kernel = models.Convolutional, c.Model.Kernel
		}
	case models.Flow:
		m := c.Model
		h = models.Hyperparameters{Width: m.Width, Depth: m.Depth, Kernel: m.Kernel, Layers: m.Layers, Harmonics: m.Harmonics, Half: m.Half}
	case models.Microcanonical:
		h.Width, h.Window = c.Model.Width, c.Model.Window
		if c.Model.Order != models.Raster { // which cards leave out
			h.Order = c.Model.Order
		}
	case models.Conv:
		h.Width, h.Depth, h.Kernel = c.Model.Width, c.Model.Depth, c.Model.Kernel
	case models.Made:
		h.Decoder = c.Model.Decoder
	default:
		h.Latent, h.Noise, h.EnergyWeight = c.Model.Latent, c.Trainer.Noise, c.Model.EnergyWeight
		if h.EnergyWeight > 0 && c.Model.Tie != models.EnergyTie { // which cards leave out
			h.Tie = c.Model.Tie
		}
		h.Encoder, h.Decoder = c.Model.Encoder, c.Model.Decoder
		if c.Model.EncoderKind == models.Convolutional {
			h.EncoderKind, h.Encoder = models.Convolutional, 0
		}
		if c.Model.DecoderKind == models.Convolutional {
			h.DecoderKind, h.Decoder = models.Convolutional, 0
		}
		if h.Encoder == 0 || h.Decoder == 0 {
			h.Width, h.Depth, h.Kernel = c.Model.Width, c.Model.Depth, c.Model.Kernel
		}
	}
	return h
}
