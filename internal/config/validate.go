package config

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"neuralwl/internal/near"
	"neuralwl/models"
	"neuralwl/models/pretrained"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// Words that a configuration may use.
const (
	WangLandauMethod       = "wang-landau"
	NeuralWangLandauMethod = "neural-wang-landau"
	VANWangLandauMethod    = "van-wang-landau"
	MulticanonicalMethod   = "multicanonical"
	MetadynamicsMethod     = "metadynamics"
	MultipleGaussianMethod = "multiple-gaussian"
	CanonicalMethod        = "canonical"
	VANMethod              = "van"

	LocalMoves  = "local"
	NeuralMoves = "neural"

	HeatBath   = "heat_bath"
	Metropolis = "metropolis"
	Cluster    = "cluster"
	// Overrelaxation is a move of angles.
	Overrelaxation = "overrelaxation"

	AutomaticStart = "auto"
	RandomStart    = "random"
	NetworkStart   = "network"

	ResumeAdaptation = "adaptation"
	ResumeProduction = "production"

	RemoteProvider = "remote"

	Sequential = "sequential"
	Random     = "random"
)

// Automatic stands for a choice that depends on the network.
const Automatic = -1

// Bounds that limit allocated memory, far above sensible values.
const (
	maxCount = 1 << 20 // walkers, or states in a batch
	maxWidth = 1 << 14 // units of a layer
	maxDepth = 1 << 6  // blocks, each of which makes the graphs longer
	// maxKernel is the widest kernel that fits the smallest lattice.
	maxKernel = 7
)

// Validate returns all faults, each with its key and the allowed values.
func (c *Config) Validate() []error {
	var faults []error
	fault := func(key, format string, a ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, a...)))
	}
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			fault(key, "%q is not one of %s%s", value, strings.Join(allowed, ", "), near.Ask(value, allowed))
		}
	}
	atLeast := func(key string, value, least int) {
		if value < least {
			fault(key, "%d is below the least allowed value %d", value, least)
		}
	}
	count := func(key string, value, most int) {
		if value < 1 || value > most {
			fault(key, "%d is not within 1..%d", value, most)
		}
	}
	within := func(key string, value, low, high float64) {
		if math.IsNaN(value) || value < low || value > high {
			fault(key, "%g is not within %g..%g", value, low, high)
		}
	}
	positive := func(key string, value float64) {
		if math.IsNaN(value) || value <= 0 || math.IsInf(value, 0) {
			fault(key, "%g is not a positive number", value)
		}
	}

	c.System.validate(fault)

	count("run.walkers", c.Run.Walkers, maxCount)
	atLeast("run.workers", c.Run.Workers, 0)
	atLeast("run.max_moves", c.Run.MaxMoves, 0)
	c.validateShards(fault)
	for key, d := range map[string]time.Duration{
		"run.max_time": c.Run.MaxTime, "train.max_time": c.Train.MaxTime, "inference.timeout": c.Inference.Timeout, "checkpoint.interval": c.Checkpoint.Interval,
	} {
		if d < 0 {
			fault(key, "%v is negative; 0s stands for none", d)
		}
	}
	if c.Checkpoint.Margin < 0 {
		fault("checkpoint.margin", "%v is negative", c.Checkpoint.Margin)
	}
	if len(c.Run.Moves) == 0 {
		fault("run.moves", "the list is empty; name at least one of %s, %s", LocalMoves, NeuralMoves)
	}
	for i, move := range c.Run.Moves {
		oneOf("run.moves", move, LocalMoves, NeuralMoves)
		if slices.Contains(c.Run.Moves[:i], move) {
			fault("run.moves", "%s is listed twice", move)
		}
	}
	if c.Run.Has(NeuralMoves) && slices.Contains(Models, c.System.Model) && !c.System.IsPotts() && c.System.Model != XY {
		c.validateNetworkOfOther(fault)
	}

	oneOf("run.resume", c.Run.Resume, ResumeAdaptation, ResumeProduction)
	oneOf("run.start", c.Run.Start, AutomaticStart, RandomStart, NetworkStart)
	if c.Run.Start == NetworkStart && (!c.Run.Has(NeuralMoves) || c.Run.DrawsAlone()) {
		fault("run.start", "%s, but run.method %s with run.moves %v has no network that moves walkers; take %s", NetworkStart, c.Run.Method, c.Run.Moves, RandomStart)
	}

	oneOf("run.method", c.Run.Method, WangLandauMethod, NeuralWangLandauMethod, VANWangLandauMethod, MulticanonicalMethod, MetadynamicsMethod, MultipleGaussianMethod,
		CanonicalMethod, VANMethod)
	switch neural := c.Run.Has(NeuralMoves); {
	case c.Run.Method == NeuralWangLandauMethod && !neural:
		fault("run.method", "%s needs %s among run.moves; or take %s", NeuralWangLandauMethod, NeuralMoves, WangLandauMethod)
	case c.Run.Method == WangLandauMethod && neural:
		fault("run.method", "%s has no %s moves; take %s", WangLandauMethod, NeuralMoves, NeuralWangLandauMethod)
	case c.Run.Method == CanonicalMethod && neural:
		fault("run.moves", "a network is not trained in canonical sampling by walkers; take %s alone, or run.method %s", LocalMoves, VANMethod)
	}
	if c.Run.DrawsAlone() {
		c.validateDrawsAlone(fault)
	}
	c.validateTemperatures(fault)
	atLeast("van.steps", c.VAN.Steps, 1)
	within("van.anneal", c.VAN.Anneal, 0, 1)

	oneOf("local.move", c.Local.Move, HeatBath, Metropolis, Cluster, Overrelaxation)
	c.validateAngles(fault)
	oneOf("local.order", c.Local.Order, Sequential, Random)
	if c.Local.Move == Cluster && c.System.Model != XY {
		c.validateCluster(fault)
	}
	c.validateJointRun(fault)
	atLeast("local.sweeps", c.Local.Sweeps, 1)
	count("neural.trials", c.Neural.Trials, maxCount)
	within("neural.across", c.Neural.Across, 0, 1)
	atLeast("neural.shift", c.Neural.Shift, 0)
	positive("neural.coldest", c.Neural.Coldest)
	if n, m := c.Neural.Shift, c.Model; n > 0 && c.Run.Has(NeuralMoves) && m.Bundle == "" && (m.Architecture != models.Autoencoder || m.EnergyWeight == 0) {
		fault("neural.shift", "%d, but the network to be built takes no energy shift; set model.energy_weight, which the architecture %s has, or neural.shift to 0", n, models.Autoencoder)
	}
	if c.Neural.Partial != Automatic {
		within("neural.partial", c.Neural.Partial, 0, 1)
	}
	if c.WangLandau.Flatness <= 0 || c.WangLandau.Flatness >= 1 {
		fault("wang_landau.flatness", "%g is not between 0 and 1", c.WangLandau.Flatness)
	}
	if !(c.WangLandau.FinalLnF > 0 && c.WangLandau.FinalLnF < 1) {
		fault("wang_landau.final_ln_f", "%g is not between 0 and 1", c.WangLandau.FinalLnF)
	}
	c.validateAdaptation(fault)
	count("windows.count", c.Windows.Count, maxCount)
	within("windows.overlap", c.Windows.Overlap, 0.1, 0.9)
	if c.System.Joint != "" && len(faults) == 0 {
		if _, err := c.System.New(); err != nil { // there may be too many pairs
			fault("system.joint", "%v", err)
		}
	}
	if c.Windows.Count > 1 && (len(faults) > 0 || c.validateWindows(fault)) && c.Run.Walkers%c.Windows.Count != 0 {
		fault("run.walkers", "%d is not a multiple of windows.count %d, but all windows need equally many; take %d",
			c.Run.Walkers, c.Windows.Count, c.Windows.Count*(1+c.Run.Walkers/c.Windows.Count))
	}
	atLeast("production.passes", c.Production.Passes, 0)
	c.validateMix(fault)
	oneOf("production.histogram", c.Production.Histogram, FlatHistogram, LowHistogram, PhaseHistogram)
	within("production.phase_share", c.Production.PhaseShare, 0, 0.98)
	if m := c.Run.Method; c.Production.Histogram != FlatHistogram && (m == CanonicalMethod || c.Run.DrawsAlone()) {
		fault("production.histogram", "%s, but method %s determines its own histogram; leave it out", c.Production.Histogram, m)
	}

	oneOf("model.architecture", c.Model.Architecture, models.Architectures()...)
	oneOf("model.encoder_kind", c.Model.EncoderKind, models.Dense, models.Convolutional)
	oneOf("model.decoder_kind", c.Model.DecoderKind, models.Dense, models.Convolutional)
	count("model.encoder", c.Model.Encoder, maxWidth)
	count("model.latent", c.Model.Latent, maxWidth)
	count("model.decoder", c.Model.Decoder, maxWidth)
	count("model.width", c.Model.Width, maxWidth)
	count("model.depth", c.Model.Depth, maxDepth)
	if k := c.Model.Kernel; k < 3 || k > maxKernel || k%2 == 0 {
		fault("model.kernel", "%d is not an odd number within 3..%d", k, maxKernel)
	}
	count("model.hidden", c.Model.Hidden, maxWidth)
	oneOf("model.hidden_kind", c.Model.HiddenKind, models.Dense, models.Convolutional)
	count("model.gibbs_steps", c.Model.GibbsSteps, models.MostGibbsSteps)
	count("model.layers", c.Model.Layers, maxDepth)
	if n := len(c.Model.Harmonics); n < 1 || n > maxDepth {
		fault("model.harmonics", "there are %d, 1..%d are allowed, as in [1, 2, 1]", n, maxDepth)
	}
	for _, k := range c.Model.Harmonics {
		count("model.harmonics", k, models.MostHarmonics)
	}
	oneOf("model.order", c.Model.Order, models.Orders()...)
	switch m := c.Model; {
	case m.Order == models.Raster:
	case m.Bundle != "":
		remedy := ""
		if m.Order == models.Diagonal {
			remedy = ", or take model.init to train the bundle's weights in this order"
		}
		fault("model.order", "%s, but model.bundle has an order of its own; leave it out%s", m.Order, remedy)
	case m.Architecture != models.Microcanonical:
		fault("model.order", "%s is an order of model.architecture %s, not of %s; leave it out", m.Order, models.Microcanonical, m.Architecture)
	}
	atLeast("model.window", c.Model.Window, 0)
	switch oneOf("model.tie", c.Model.Tie, models.EnergyTie, models.OrderTie); {
	case c.Model.Tie == models.OrderTie && c.Model.Bundle != "":
		fault("model.tie", "%s, but model.bundle has a tie of its own, or none; leave it out", c.Model.Tie)
	case c.Model.Tie == models.OrderTie && c.Model.EnergyWeight == 0:
		fault("model.tie", "%s without a weight; set model.energy_weight, as to 50", c.Model.Tie)
	}
	if c.Model.Bundle != "" && c.Model.Init != "" {
		fault("model.init", "%q, but model.bundle is also given; give one of them", c.Model.Init)
	}
	if name, ok := strings.CutPrefix(c.Model.Bundle, pretrained.Prefix); ok && !slices.Contains(pretrained.Names(), name) {
		fault("model.bundle", "there is no pretrained network %q, there are %s%s", name, strings.Join(pretrained.Names(), ", "), near.Ask(name, pretrained.Names()))
	}
	if !(c.Model.EnergyWeight >= 0) || math.IsInf(c.Model.EnergyWeight, 0) {
		fault("model.energy_weight", "%g is not a finite number of at least 0", c.Model.EnergyWeight)
	}
	if !(c.Model.Floor > 0 && c.Model.Floor < 1) {
		fault("model.floor", "%g is not between 0 and 1", c.Model.Floor)
	}

	atLeast("trainer.every", c.Trainer.Every, 0)
	count("trainer.batch", c.Trainer.Batch, maxCount)
	positive("trainer.learning_rate", c.Trainer.LearningRate)
	positive("trainer.clip", c.Trainer.Clip)
	if !(c.Trainer.Noise >= 0) || math.IsInf(c.Trainer.Noise, 0) {
		fault("trainer.noise", "%g is not a finite number of at least 0", c.Trainer.Noise)
	}
	within("trainer.regression", c.Trainer.Regression, 0, 1)
	within("trainer.samples", c.Trainer.Samples, 0, 1)
	count("trainer.buffer", c.Trainer.Buffer, 1<<30)
	atLeast("trainer.export_every", c.Trainer.ExportEvery, 0)
	atLeast("trainer.keep", c.Trainer.Keep, 0)

	for _, size := range c.Train.Sizes {
		if _, err := c.At(size); err != nil {
			fault("train.sizes", "%v", err)
		}
	}
	for _, q := range c.Train.Colours {
		if _, err := c.Of(q); err != nil {
			fault("train.colours", "%v", err)
		}
	}
	count("train.steps", c.Train.Steps, 1<<30)
	oneOf("inference.provider", c.Inference.Provider, "auto", "cpu", "cuda", RemoteProvider)
	atLeast("inference.retries", c.Inference.Retries, 0)
	c.validateRemote(fault)
	count("inference.batch", c.Inference.Batch, maxCount)
	if c.Metrics.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Metrics.Listen); err != nil {
			fault("metrics.listen", "%q is not an address host:port (%v); empty turns metrics off", c.Metrics.Listen, err)
		}
	}
	return append(faults, c.Log.validate()...)
}

// validateAdaptation reports the faults of the schedule of ln f, and of hills and Gaussian ensembles.
func (c *Config) validateAdaptation(fault func(key, format string, a ...any)) {
	positive := func(key string, value float64, zero string) {
		if !(value >= 0) || math.IsInf(value, 0) || value == 0 && zero == "" {
			fault(key, "%g is not a positive number%s", value, zero)
		}
	}
	wl := c.WangLandau
	switch kind := sampler.Schedule(wl.Schedule); {
	case !slices.Contains(sampler.Schedules(), kind):
		fault("wang_landau.schedule", "%q is not one of %s, %s, %s", kind, sampler.InverseTime, sampler.Halving, sampler.ConstantLnF)
	case kind != sampler.InverseTime && !c.Run.hasLnF():
		fault("wang_landau.schedule", "%s, but run.method %s has no ln f; leave it out, or take run.method %s or %s", kind, c.Run.Method, WangLandauMethod, NeuralWangLandauMethod)
	}
	switch {
	case !(wl.LnF >= 0 && wl.LnF <= 1):
		fault("wang_landau.ln_f", "%g is not within 0..1; 0 chooses it", wl.LnF)
	case wl.LnF > 0 && !c.Run.hasLnF():
		fault("wang_landau.ln_f", "%g, but run.method %s has no ln f; leave it out", wl.LnF, c.Run.Method)
	case wl.LnF > 0 && wl.LnF <= wl.FinalLnF && wl.Schedule != string(sampler.ConstantLnF):
		fault("wang_landau.ln_f", "%g is not above wang_landau.final_ln_f %g; raise it, or lower that", wl.LnF, wl.FinalLnF)
	}
	if !(wl.Exploration >= 1) || math.IsInf(wl.Exploration, 0) {
		fault("wang_landau.exploration", "%g is not a number of at least 1", wl.Exploration)
	}
	m := c.Metadynamics
	positive("metadynamics.height", m.Height, "; 0 chooses it")
	positive("metadynamics.width", m.Width, "")
	positive("metadynamics.final_height", m.FinalHeight, "")
	if g := m.BiasFactor; g != 0 && g != OneHeight && !(g > 1) || math.IsInf(g, 0) {
		fault("metadynamics.bias_factor", "%g is not above 1; 0 chooses it, and %d stands for hills of one height", g, OneHeight)
	}
	if m.Height > 0 && m.Height <= m.FinalHeight && m.BiasFactor != OneHeight {
		fault("metadynamics.final_height", "%g is not below metadynamics.height %g, with which hills begin; lower it, or raise that", m.FinalHeight, m.Height)
	}
	positive("multiple_gaussian.width", c.MultipleGaussian.Width, "; 0 chooses it")
	if n := c.MultipleGaussian.Sweeps; n < 1 || n > maxCount {
		fault("multiple_gaussian.sweeps", "%d is not within 1..%d", n, maxCount)
	}
}

// hasLnF reports whether the method is one of Wang-Landau sampling.
func (r Run) hasLnF() bool {
	return r.Method == WangLandauMethod || r.Method == NeuralWangLandauMethod || r.Method == VANWangLandauMethod
}

// validateShards reports the faults of the division of production.
func (c *Config) validateShards(fault func(key, format string, a ...any)) {
	n, most := c.Run.Shards, sampler.MaxShards(c.Run.Walkers, c.Windows.Count)
	switch {
	case n < 1:
		fault("run.shards", "%d is below the least allowed value 1", n)
	case n == 1:
	case c.Run.DrawsAlone():
		fault("run.shards", "%d, but run.method %s has no walkers to divide; leave it out", n, c.Run.Method)
	case n > most && c.Run.Walkers > 0:
		fault("run.shards", "%d, but %d walkers in %d windows can be divided into %d at most; take fewer shards or more walkers", n, c.Run.Walkers, max(1, c.Windows.Count), most)
	}
	switch {
	case c.Run.Round < 0:
		fault("run.round", "%d is below the least allowed value 0", c.Run.Round)
	case c.Run.Round > 0 && n == 1:
		fault("run.round", "%d, but there is one shard; set run.shards, or leave it out", c.Run.Round)
	case c.Run.Round > 0 && c.Run.Method == CanonicalMethod:
		fault("run.round", "%d, but run.method %s has no adaptation; leave it out", c.Run.Round, c.Run.Method)
	}
	if n > 1 && (c.Run.MaxTime > 0 || c.Run.MaxMoves > 0) {
		fault("run.shards", "%d, but shards make a number of passes fixed beforehand and know no run.max_time or run.max_moves; leave these out and set production.passes", n)
	}
}

// validateRemote reports the faults of a model server's address and of the network's name there, and
// what is missing if it is to evaluate the network.
func (c *Config) validateRemote(fault func(key, format string, a ...any)) {
	i, needed := c.Inference, ""
	if i.Remote() {
		needed = fmt.Sprintf(", which inference.provider %s needs", RemoteProvider)
	}
	if u, err := url.Parse(i.URL); (i.URL != "" || i.Remote()) && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		fault("inference.url", "%q is not the address of a model server such as http://127.0.0.1:8001%s", i.URL, needed)
	}
	if name, version := i.OnServer(); (i.Model != "" || i.Remote()) && (name == "" || version == "") {
		fault("inference.model", "%q is not the name of the network on the model server with its version there, such as potts-q10/1%s", i.Model, needed)
	}
	if !i.Remote() || !c.Run.Has(NeuralMoves) {
		return
	}
	if c.Model.Bundle == "" {
		fault("model.bundle", "it is empty, but inference.provider %s needs the bundle that the server has, to test it by", RemoteProvider)
	}
	if c.Trainer.Every > 0 {
		fault("trainer.every", "%d, but a network on a model server (inference.provider %s) cannot be trained; set it to 0", c.Trainer.Every, RemoteProvider)
	}
}

func (l Log) validate() []error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return []error{fmt.Errorf("log.level: %q is not one of debug, info, warn, error", l.Level)}
	}
	return nil
}

// validateNetworkOfOther reports what networks can do for the two-dimensional Potts model
// alone, or in two dimensions, and the system is another.
func (c *Config) validateNetworkOfOther(fault func(key, format string, a ...any)) {
	m, of := c.Model, c.System.Model
	if c.System.Joint != "" {
		of += " with system.joint " + c.System.Joint
	}
	if c.Neural.Shift > 0 {
		fault("neural.shift", "%d, shifts of the energy are made for system.model %s and %s, not for %s; set it to 0", c.Neural.Shift, Potts, Ising, of)
	}
	if m.Bundle != "" {
		return // its card says what it was made for
	}
	isConvolutional := m.Architecture == models.Conv
	switch m.Architecture {
	case models.Microcanonical:
		fault("model.architecture", "%s counts the bonds of system.model %s and %s and has no meaning for %s; take %s, %s or %s",
			m.Architecture, Potts, Ising, of, models.Autoencoder, models.Made, models.Conv)
	case models.RBM:
		if m.HiddenKind == models.Convolutional {
			fault("model.hidden_kind", "%s, which looks for equal colours of system.model %s and %s, not of %s; take %s", m.HiddenKind, Potts, Ising, of, models.Dense)
		}
	case models.Autoencoder:
		isConvolutional = m.EncoderKind == models.Convolutional || m.DecoderKind == models.Convolutional
		if m.EnergyWeight > 0 {
			fault("model.energy_weight", "%g, ties of the latent space are made for system.model %s and %s, not for %s; set it to 0", m.EnergyWeight, Potts, Ising, of)
		}
	}
	if isConvolutional && c.System.dimensions() != 2 {
		key, remedy := "model.architecture", fmt.Sprintf("%s, or %s with %s encoder and decoder", models.Made, models.Autoencoder, models.Dense)
		if m.Architecture == models.Autoencoder {
			key, remedy = "model.encoder_kind", fmt.Sprintf("%s for it and model.decoder_kind", models.Dense)
		}
		fault(key, "convolutions are made for lattices with two sides, not for system.model %s; take %s", of, remedy)
	}
}

// validateAngles reports what does not fit a model whose sites have angles, or needs one.
func (c *Config) validateAngles(fault func(key, format string, a ...any)) {
	if c.System.Model != XY {
		if c.Local.Move == Overrelaxation {
			fault("local.move", "%s reflects angles, but system.model %s has colours; take %s or %s", c.Local.Move, c.System.Model, HeatBath, Metropolis)
		}
		if c.Run.Has(NeuralMoves) && c.Model.Bundle == "" && c.Model.Architecture == models.Flow {
			fault("model.architecture", "%s draws angles, but system.model %s has colours; take %s or another, or system.model %s", models.Flow, c.System.Model, models.Made, XY)
		}
		return
	}
	if c.Local.Move == HeatBath || c.Local.Move == Cluster {
		fault("local.move", "%s moves colours, but the sites of system.model %s have angles; take %s or %s", c.Local.Move, XY, Metropolis, Overrelaxation)
	}
	switch {
	case c.Run.DrawsAlone():
		fault("run.method", "%s draws colours, but the sites of system.model %s have angles; take %s, or system.model %s", c.Run.Method, XY, NeuralWangLandauMethod, Clock)
		return
	case !c.Run.Has(NeuralMoves):
		return
	}
	if c.Model.Bundle == "" && c.Model.Architecture != models.Flow {
		fault("model.architecture", "%s draws colours, but the sites of system.model %s have angles; take %s, or system.model %s", c.Model.Architecture, XY, models.Flow, Clock)
	}
	if c.Neural.Partial > 0 {
		fault("neural.partial", "%g, but proposals of a %s keep no sites, except by model.half; leave it out", c.Neural.Partial, models.Flow)
	}
}

// validateCluster reports what keeps a system from having cluster moves; see lattice.Couplings.
func (c *Config) validateCluster(fault func(key, format string, a ...any)) {
	refuse := func(why string) {
		fault("local.move", "%s, but %s, so that there are no clusters to turn; take %s or %s", Cluster, why, HeatBath, Metropolis)
	}
	switch s := c.System; {
	case s.Model == BaxterWu:
		refuse(fmt.Sprintf("system.model %s couples three sites at a time", s.Model))
	case s.Model == BlumeCapel || s.Model == Clock && s.Q > 3:
		refuse(fmt.Sprintf("a pair of sites of system.model %s has more than two energies", s.Model))
	case s.Model == IsingField && s.Field != 0:
		refuse(fmt.Sprintf("system.field is %g", s.Field))
	}
	if c.Local.Order == Random {
		fault("local.order", "%s, but local.move %s goes through the sites in sequence; leave it out", Random, Cluster)
	}
}

// validateDrawsAlone reports the faults of sampling by a network alone.
func (c *Config) validateDrawsAlone(fault func(key, format string, a ...any)) {
	method, walking := c.Run.Method, NeuralWangLandauMethod
	if method == VANMethod {
		walking = CanonicalMethod
	}
	if c.Run.Has(LocalMoves) || !c.Run.Has(NeuralMoves) {
		fault("run.moves", "%v, but %s has no walkers to move, only the network's draws; take [%s], or run.method %s for walkers",
			c.Run.Moves, method, NeuralMoves, walking)
	}
	switch a := c.Model.Architecture; {
	case c.Model.Bundle != "":
	case a == models.RBM:
		fault("model.architecture", "the probabilities of the %s are known up to a constant alone, but %s needs that of each draw; take %s or %s, or run.method %s",
			a, method, models.Made, models.Conv, walking)
	case a == models.Autoencoder || a == models.Microcanonical:
		fault("model.architecture", "proposals of the %s depend on a state or an energy, but %s needs unconditional draws; take %s or %s, or run.method %s",
			a, method, models.Made, models.Conv, NeuralWangLandauMethod)
	}
	if c.Windows.Count > 1 {
		fault("windows.count", "%d, but %s has no windows", c.Windows.Count, method)
	}
	if c.Run.Walkers < 2 {
		fault("run.walkers", "%d, but a batch of %s needs at least 2", c.Run.Walkers, method)
	}
	if method == VANMethod && c.Trainer.Symmetrise && !c.Neural.Frames {
		fault("trainer.symmetrise", "the network would learn for the mean over frames, which neural.frames turns off; set both to false or leave neural.frames as it is")
	}
}

// validateTemperatures reports the faults of the temperatures, and of the methods that have them.
func (c *Config) validateTemperatures(fault func(key, format string, a ...any)) {
	finite := func(key string, beta float64) {
		if math.IsNaN(beta) || math.IsInf(beta, 0) {
			fault(key, "%g is not a finite number", beta)
		}
	}
	finite("run.beta", c.Run.Beta)
	for i, beta := range c.Run.Betas {
		if finite("run.betas", beta); slices.Contains(c.Run.Betas[:i], beta) {
			fault("run.betas", "%g is listed twice", beta)
		}
	}
	if m := c.Run.Method; m != VANMethod && len(c.Run.Betas) > 0 {
		fault("run.betas", "%v, but only run.method %s samples at several temperatures", c.Run.Betas, VANMethod)
	} else if len(c.Run.Betas) > 0 && c.Run.Beta != 0 {
		fault("run.beta", "%g, but run.betas are also given; give one of them", c.Run.Beta)
	}
	if c.System.Bin > 0 && c.Run.DrawsAlone() {
		fault("system.bin", "%g, but run.method %s needs levels that are single energies", c.System.Bin, c.Run.Method)
	}
	if most := 1 / c.System.Bin; c.Run.Method == CanonicalMethod && c.System.Bin > 0 && math.Abs(c.Run.Beta) > most {
		fault("system.bin", "%g is too wide for run.beta %g: averages are good up to %g, one over the width; take narrower ones", c.System.Bin, c.Run.Beta, most)
	}
	switch c.Run.Method {
	case CanonicalMethod:
		if c.Production.Passes == 0 && c.Run.MaxTime == 0 && c.Run.MaxMoves == 0 {
			fault("production.passes", "canonical sampling needs a number of passes, run.max_moves or run.max_time")
		}
		if c.Windows.Count > 1 {
			fault("windows.count", "%d, but canonical sampling has no windows", c.Windows.Count)
		}
	case VANMethod:
		if c.Production.Passes == 0 && c.Run.MaxTime == 0 && c.Run.MaxMoves == 0 && c.Trainer.Every == 0 {
			fault("production.passes", "%s with a network that is not trained (trainer.every 0) needs a number of passes, run.max_moves or run.max_time", VANMethod)
		}
	default:
		if c.Run.Beta != 0 {
			fault("run.beta", "%g, but only run.method %s and %s have a temperature", c.Run.Beta, CanonicalMethod, VANMethod)
		}
	}
}

// validateWindows reports a fault, with remedies, if the energies have too few levels for so
// many windows. All that precedes them must be valid.
func (c *Config) validateWindows(fault func(key, format string, a ...any)) bool {
	system, err := c.System.New()
	if err != nil {
		fault("system", "%v", err)
		return false
	}
	n, overlap := c.Windows.Count, c.Windows.Overlap
	if lattice.WindowsFit(system, n, overlap) {
		return true
	}
	most := lattice.MostWindows(system, n, overlap)
	remedy := fmt.Sprintf("take at most %d", most)
	if c.Run.Walkers%most != 0 {
		for most > 1 && (c.Run.Walkers%most != 0 || !lattice.WindowsFit(system, most, overlap)) {
			most--
		}
		remedy += fmt.Sprintf(", or %d with run.walkers %d", most, c.Run.Walkers)
	}
	for percent := 5 * math.Ceil(20*overlap); percent <= 90; percent += 5 {
		if lattice.WindowsFit(system, n, percent/100) {
			remedy += fmt.Sprintf(", or windows.overlap %g", percent/100)
			break
		}
	}
	fault("windows.count", "%d windows of the %d levels of %v are too narrow with windows.overlap %g: each needs at least %d levels and must share more than %d with the next; %s",
		n, system.Levels(), system, overlap, lattice.Steps(system), system.MaxStep(), remedy)
	return false
}
