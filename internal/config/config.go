// Package config is the typed configuration of nwl: defaults, sources of values, and
// validation. It is the only importer of viper.
package config

import (
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Default is the commented file of all keys with their defaults.
//
//go:embed default.yaml
var Default string

// Config is a complete configuration. default.yaml describes every key.
type Config struct {
	System           System           `mapstructure:"system" yaml:"system"`
	Run              Run              `mapstructure:"run" yaml:"run"`
	Local            Local            `mapstructure:"local" yaml:"local"`
	Neural           Neural           `mapstructure:"neural" yaml:"neural"`
	WangLandau       WangLandau       `mapstructure:"wang_landau" yaml:"wang_landau"`
	Metadynamics     Metadynamics     `mapstructure:"metadynamics" yaml:"metadynamics"`
	MultipleGaussian MultipleGaussian `mapstructure:"multiple_gaussian" yaml:"multiple_gaussian"`
	VAN              VAN              `mapstructure:"van" yaml:"van"`
	Windows          Windows          `mapstructure:"windows" yaml:"windows"`
	Production       Production       `mapstructure:"production" yaml:"production"`
	Model            Model            `mapstructure:"model" yaml:"model"`
	Trainer          Trainer          `mapstructure:"trainer" yaml:"trainer"`
	Train            Train            `mapstructure:"train" yaml:"train"`
	Inference        Inference        `mapstructure:"inference" yaml:"inference"`
	Checkpoint       Checkpoint       `mapstructure:"checkpoint" yaml:"checkpoint"`
	Report           Report           `mapstructure:"report" yaml:"report"`
	Metrics          Metrics          `mapstructure:"metrics" yaml:"metrics"`
	Log              Log              `mapstructure:"log" yaml:"log"`
}

// System is the spin system.
type System struct {
	Model string `mapstructure:"model" yaml:"model"`
	Q     int    `mapstructure:"q" yaml:"q"`
	Size  []int  `mapstructure:"size" yaml:"size,flow"`

	CrystalField      float64 `mapstructure:"crystal_field" yaml:"crystal_field"`
	Field             float64 `mapstructure:"field" yaml:"field"`
	Antiferromagnetic float64 `mapstructure:"antiferromagnetic" yaml:"antiferromagnetic"`
	DisorderSeed      uint64  `mapstructure:"disorder_seed" yaml:"disorder_seed"`

	// File is where Couplings are read from; afterwards it is empty, and Title and Couplings hold what
	// it was.
	File        string      `mapstructure:"file" yaml:"file"`
	Title       string      `mapstructure:"title" yaml:"title"`
	Interaction string      `mapstructure:"interaction" yaml:"interaction"`
	Energies    [][]float64 `mapstructure:"energies" yaml:"energies,flow"`
	Bin         float64     `mapstructure:"bin" yaml:"bin"`
	Lowest      float64     `mapstructure:"lowest" yaml:"lowest"`
	Highest     float64     `mapstructure:"highest" yaml:"highest"`
	Couplings   string      `mapstructure:"couplings" yaml:"couplings"`

	Joint string `mapstructure:"joint" yaml:"joint"`
}

// Run configures the run as a whole.
type Run struct {
	Method  string        `mapstructure:"method" yaml:"method"`
	Beta    float64       `mapstructure:"beta" yaml:"beta"`
	Betas   []float64     `mapstructure:"betas" yaml:"betas,flow"`
	Seed    uint64        `mapstructure:"seed" yaml:"seed"`
	Walkers int           `mapstructure:"walkers" yaml:"walkers"`
	Workers int           `mapstructure:"workers" yaml:"workers"`
	Shards  int           `mapstructure:"shards" yaml:"shards"`
	Round   int           `mapstructure:"round" yaml:"round"`
	Moves   []string      `mapstructure:"moves" yaml:"moves,flow"`
	Start   string        `mapstructure:"start" yaml:"start"`
	Resume  string        `mapstructure:"resume" yaml:"resume"`
	MaxTime time.Duration `mapstructure:"max_time" yaml:"max_time"`
	// MaxMoves counts updates of single sites.
	MaxMoves int `mapstructure:"max_moves" yaml:"max_moves"`
}

// Local configures the single-spin move.
type Local struct {
	Move   string `mapstructure:"move" yaml:"move"`
	Order  string `mapstructure:"order" yaml:"order"`
	Sweeps int    `mapstructure:"sweeps" yaml:"sweeps"`
}

// Neural configures the network's proposals.
type Neural struct {
	Trials  int     `mapstructure:"trials" yaml:"trials"`
	Partial float64 `mapstructure:"partial" yaml:"partial"`
	Across  float64 `mapstructure:"across" yaml:"across"`
	Shift   int     `mapstructure:"shift" yaml:"shift"`
	Coldest float64 `mapstructure:"coldest" yaml:"coldest"`
	Frames  bool    `mapstructure:"frames" yaml:"frames"`
}

// WangLandau is the schedule of the modification factor.
type WangLandau struct {
	Schedule    string  `mapstructure:"schedule" yaml:"schedule"`
	LnF         float64 `mapstructure:"ln_f" yaml:"ln_f"`
	Exploration float64 `mapstructure:"exploration" yaml:"exploration"`
	Flatness    float64 `mapstructure:"flatness" yaml:"flatness"`
	FinalLnF    float64 `mapstructure:"final_ln_f" yaml:"final_ln_f"`
}

// Metadynamics is that of the hills that walkers leave.
type Metadynamics struct {
	Height      float64 `mapstructure:"height" yaml:"height"`
	Width       float64 `mapstructure:"width" yaml:"width"`
	BiasFactor  float64 `mapstructure:"bias_factor" yaml:"bias_factor"`
	FinalHeight float64 `mapstructure:"final_height" yaml:"final_height"`
}

// OneHeight as a bias factor stands for hills that do not become lower.
const OneHeight = -1

// MultipleGaussian is that of Gaussian ensembles one after another.
type MultipleGaussian struct {
	Width  float64 `mapstructure:"width" yaml:"width"`
	Sweeps int     `mapstructure:"sweeps" yaml:"sweeps"`
}

// VAN is how a network learns canonical distributions.
type VAN struct {
	Steps  int     `mapstructure:"steps" yaml:"steps"`
	Anneal float64 `mapstructure:"anneal" yaml:"anneal"`
}

// Windows divide the energy range.
type Windows struct {
	Count   int     `mapstructure:"count" yaml:"count"`
	Overlap float64 `mapstructure:"overlap" yaml:"overlap"`
}

// Production is the phase with frozen weights.
type Production struct {
	Passes     int     `mapstructure:"passes" yaml:"passes"`
	Mix        string  `mapstructure:"mix" yaml:"mix"`
	Histogram  string  `mapstructure:"histogram" yaml:"histogram"`
	PhaseShare float64 `mapstructure:"phase_share" yaml:"phase_share"`
}

// The values of production.histogram.
const (
	FlatHistogram  = "flat"
	LowHistogram   = "low"    // sampler.Engine.LowHistogram
	PhaseHistogram = "phases" // transition.Histogram
)

// Model is the network.
type Model struct {
	Architecture string  `mapstructure:"architecture" yaml:"architecture"`
	Bundle       string  `mapstructure:"bundle" yaml:"bundle"`
	Init         string  `mapstructure:"init" yaml:"init"`
	EncoderKind  string  `mapstructure:"encoder_kind" yaml:"encoder_kind"`
	DecoderKind  string  `mapstructure:"decoder_kind" yaml:"decoder_kind"`
	Encoder      int     `mapstructure:"encoder" yaml:"encoder"`
	Latent       int     `mapstructure:"latent" yaml:"latent"`
	Decoder      int     `mapstructure:"decoder" yaml:"decoder"`
	Width        int     `mapstructure:"width" yaml:"width"`
	Depth        int     `mapstructure:"depth" yaml:"depth"`
	Kernel       int     `mapstructure:"kernel" yaml:"kernel"`
	Hidden       int     `mapstructure:"hidden" yaml:"hidden"`
	HiddenKind   string  `mapstructure:"hidden_kind" yaml:"hidden_kind"`
	GibbsSteps   int     `mapstructure:"gibbs_steps" yaml:"gibbs_steps"`
	Layers       int     `mapstructure:"layers" yaml:"layers"`
	Harmonics    []int   `mapstructure:"harmonics" yaml:"harmonics,flow"`
	Half         bool    `mapstructure:"half" yaml:"half"`
	Order        string  `mapstructure:"order" yaml:"order"`
	Window       int     `mapstructure:"window" yaml:"window"`
	Floor        float64 `mapstructure:"floor" yaml:"floor"`
	Tie          string  `mapstructure:"tie" yaml:"tie"`
	EnergyWeight float64 `mapstructure:"energy_weight" yaml:"energy_weight"`
}

// Trainer is the training loop.
type Trainer struct {
	Every        int     `mapstructure:"every" yaml:"every"`
	Batch        int     `mapstructure:"batch" yaml:"batch"`
	LearningRate float64 `mapstructure:"learning_rate" yaml:"learning_rate"`
	Clip         float64 `mapstructure:"clip" yaml:"clip"`
	Symmetrise   bool    `mapstructure:"symmetrise" yaml:"symmetrise"`
	Regression   float64 `mapstructure:"regression" yaml:"regression"`
	Samples      float64 `mapstructure:"samples" yaml:"samples"`
	Noise        float64 `mapstructure:"noise" yaml:"noise"`
	Buffer       int     `mapstructure:"buffer" yaml:"buffer"`
	ExportEvery  int     `mapstructure:"export_every" yaml:"export_every"`
	Keep         int     `mapstructure:"keep" yaml:"keep"`
}

// Train configures training without a run.
type Train struct {
	Steps   int           `mapstructure:"steps" yaml:"steps"`
	MaxTime time.Duration `mapstructure:"max_time" yaml:"max_time"`
	Sizes   []string      `mapstructure:"sizes" yaml:"sizes,flow"`
	Colours []int         `mapstructure:"colours" yaml:"colours,flow"`
}

// At returns a copy of the configuration for another lattice size, such as 8x8.
func (c *Config) At(size string) (*Config, error) {
	sides, err := parseSides(size)
	if err != nil {
		return nil, err
	}
	return c.with(c.System.Q, sides)
}

// Of returns a copy of the configuration for another number of colours.
func (c *Config) Of(q int) (*Config, error) { return c.with(q, c.System.Size) }

func (c *Config) with(q int, sides []int) (*Config, error) {
	other := *c
	other.System.Q, other.System.Size, other.Train.Sizes, other.Train.Colours = q, sides, nil, nil
	if faults := other.Validate(); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &other, nil
}

// Courses are the configurations for each number of colours and lattice size on which to train, the
// first being that of system.
func (c *Config) Courses() ([]*Config, error) {
	first, err := c.Of(c.System.Q)
	if err != nil {
		return nil, err
	}
	ofColours := []*Config{first}
	for _, q := range c.Train.Colours {
		other, err := c.Of(q)
		if err != nil {
			return nil, err
		}
		ofColours = append(ofColours, other)
	}
	var all []*Config
	for _, of := range ofColours {
		all = append(all, of)
		for _, size := range c.Train.Sizes {
			at, err := of.At(size)
			if err != nil {
				return nil, err
			}
			all = append(all, at)
		}
	}
	return all, nil
}

// parseSides reads the sides of a lattice, as in 8x8.
func parseSides(size string) (sides []int, err error) {
	for side := range strings.SplitSeq(strings.ToLower(size), "x") {
		l, err := strconv.Atoi(side)
		if err != nil {
			return nil, fmt.Errorf("%q is not a size such as 8x8", size)
		}
		sides = append(sides, l)
	}
	return sides, nil
}

// Inference configures how networks are evaluated.
type Inference struct {
	Provider string `mapstructure:"provider" yaml:"provider"`
	Library  string `mapstructure:"library" yaml:"library"`
	Batch    int    `mapstructure:"batch" yaml:"batch"`

	Timeout time.Duration `mapstructure:"timeout" yaml:"timeout"`

	URL     string `mapstructure:"url" yaml:"url"`
	Model   string `mapstructure:"model" yaml:"model"`
	Retries int    `mapstructure:"retries" yaml:"retries"`
}

// Remote reports whether a model server evaluates the network.
func (i Inference) Remote() bool { return i.Provider == RemoteProvider }

// OnServer is the name of the network on the model server and its version there, from
// inference.model; empty where it does not have that form.
func (i Inference) OnServer() (name, version string) {
	k := strings.LastIndex(i.Model, "/")
	if k < 0 {
		return "", ""
	}
	return i.Model[:k], i.Model[k+1:]
}

// Checkpoint configures when the state of the run is written.
type Checkpoint struct {
	Interval time.Duration `mapstructure:"interval" yaml:"interval"`
	Margin   time.Duration `mapstructure:"margin" yaml:"margin"`
}

// Report is what is made of the results for people.
type Report struct {
	Figures bool `mapstructure:"figures" yaml:"figures"`
}

// Metrics configures the Prometheus endpoint.
type Metrics struct {
	Listen string `mapstructure:"listen" yaml:"listen"`
}

// Log configures the program's log.
type Log struct {
	Level string `mapstructure:"level" yaml:"level"`
}

// Has reports whether the run makes moves of the given kind, local or neural.
func (r Run) Has(move string) bool {
	for _, m := range r.Moves {
		if m == move {
			return true
		}
	}
	return false
}

// Temperatures are the inverse temperatures at which a run samples, in its order; those of
// run.method van and canonical.
func (r Run) Temperatures() []float64 {
	if len(r.Betas) > 0 {
		return r.Betas
	}
	return []float64{r.Beta}
}

// FinalWeights is the limit at which the weights of the adaptation are good enough: the modification
// factor, or the height of hills.
func (c *Config) FinalWeights() float64 {
	if c.Run.Method == MetadynamicsMethod {
		return c.Metadynamics.FinalHeight
	}
	return c.WangLandau.FinalLnF
}

// DrawsAlone reports whether a network's draws alone make up the run, without walkers.
func (r Run) DrawsAlone() bool { return r.Method == VANWangLandauMethod || r.Method == VANMethod }

// VANFinalLnF is the default of wang_landau.final_ln_f in van-wang-landau, where ln f
// counts batches: 1/t reaches it after a hundred batches per level. The results come from
// production, which needs no better weights.
const VANFinalLnF = 0.01

// DefaultListen is the default of metrics.listen.
const DefaultListen = "127.0.0.1:9464"

// SlogLevel returns the level for package slog; it requires a validated configuration.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo
	}
	return level
}
