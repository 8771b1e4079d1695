package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"neuralwl/models"
)

// Load returns the configuration from the defaults, the YAML file path (none if empty),
// environment variables such as NWL_SYSTEM_Q, and assignments of the form key=value, in
// ascending order of precedence. It reports all faults at once, each with its key and the
// allowed values.
func Load(path string, assignments []string) (*Config, error) {
	text, err := readIfNamed(path)
	if err != nil {
		return nil, err
	}
	return compose(text, path, os.Environ(), assignments, readCouplings)
}

// Compose is Load for YAML that is at hand, whatever the environment: for a configuration that
// comes from elsewhere. It reads no files; see WithCouplings.
func Compose(text []byte, assignments []string) (*Config, error) {
	return compose(text, "the configuration", nil, assignments, refuseFile)
}

func compose(text []byte, name string, environment, assignments []string, file func(*viper.Viper) error) (*Config, error) {
	s, err := gather(Default, text, name, environment, assignments)
	if err != nil {
		return nil, err
	}
	v, given, faults := s.values, s.given, s.faults
	unread := file(v)
	// Defaults that depend on the model.
	system := System{Model: v.GetString("system.model"), Joint: v.GetString("system.joint")}
	if system.Model == File {
		defaultsOfList(v, given)
	}
	if q := system.colours(); q != 0 && !given["system.q"] {
		v.Set("system.q", q)
	}
	if size := system.sizeByDefault(); size != nil && !given["system.size"] {
		v.Set("system.size", size)
	}
	if system.Model == XY {
		if !given["system.q"] {
			v.Set("system.q", 0)
		}
		if !given["local.move"] {
			v.Set("local.move", Overrelaxation)
		}
		if !given["model.architecture"] {
			v.Set("model.architecture", models.Flow)
		}
	}
	system.Q = v.GetInt("system.q")
	if bin := system.binByDefault(); bin != 0 && !given["system.bin"] {
		v.Set("system.bin", bin)
	}
	if slices.Contains(Models, system.Model) && !system.IsPotts() && !given["run.moves"] && !given["run.method"] {
		v.Set("run.moves", []string{LocalMoves})
	}

	c := &Config{}
	undecoded := decodeFaults(decode(v, c), v)
	faults = append(faults, undecoded...)
	// Moves and method determine each other's defaults.
	switch {
	case c.Run.DrawsAlone():
		if !given["run.moves"] {
			c.Run.Moves = []string{NeuralMoves}
		}
		if !given["model.architecture"] {
			c.Model.Architecture = models.Made
		}
		if c.Run.Method == VANWangLandauMethod && !given["wang_landau.final_ln_f"] {
			c.WangLandau.FinalLnF = VANFinalLnF
		}
	case !given["run.moves"] && c.Run.Method != NeuralWangLandauMethod:
		c.Run.Moves = []string{LocalMoves}
	case !given["run.method"] && !c.Run.Has(NeuralMoves):
		c.Run.Method = WangLandauMethod
	}
	c.defaultsOfArchitecture(given)
	switch {
	case c.Run.Method == CanonicalMethod && !given["run.beta"]:
		faults = append(faults, fmt.Errorf("run.beta: %s sampling needs an inverse temperature, in units of 1/J; --set run.beta=0 is infinite temperature", CanonicalMethod))
	case c.Run.Method == VANMethod && !given["run.beta"] && len(c.Run.Betas) == 0:
		faults = append(faults, fmt.Errorf("run.beta: %s needs an inverse temperature, in units of 1/J, or several in run.betas as in --set run.betas=[0.2,0.4]", VANMethod))
	}
	if unread != nil {
		// What the couplings would be decides about much else.
		return nil, fmt.Errorf("configuration:\n%w", errors.Join(append(faults, unread)...))
	}
	faults = append(faults, unlessUndecoded(c.Validate(), undecoded)...)
	if len(faults) > 0 {
		return nil, fmt.Errorf("configuration:\n%w", errors.Join(faults...))
	}
	return c, nil
}

// usualFilters is the default number of filters of an rbm.
const usualFilters = 8

// defaultsOfArchitecture sets the defaults of a new network's architecture for keys that
// were not given. Default has those of the autoencoder.
func (c *Config) defaultsOfArchitecture(given map[string]bool) {
	if c.Model.Bundle != "" || c.Run.DrawsAlone() {
		return
	}
	batch, rate, floor := 64, 5e-3, c.Model.Floor
	switch c.Model.Architecture {
	case models.Flow:
		batch = 128
		c.defaultsOfFlow(given)
	case models.Made, models.Conv:
	case models.RBM:
		if !given["model.hidden_kind"] && c.System.IsPotts() && c.System.Q > 2 {
			c.Model.HiddenKind = models.Convolutional
		}
		if batch = 128; c.Model.HiddenKind == models.Convolutional {
			batch, rate = 64, 1e-2
			if !given["model.hidden"] {
				c.Model.Hidden = usualFilters
			}
		}
	case models.Microcanonical:
		rate, floor = 1e-2, 3e-5
	default:
		return
	}
	if !given["trainer.batch"] {
		c.Trainer.Batch = batch
	}
	if !given["trainer.learning_rate"] {
		c.Trainer.LearningRate = rate
	}
	if !given["model.floor"] {
		c.Model.Floor = floor
	}
}

// defaultsOfFlow sets those of a flow. Given one half, the other is close to a product over sites.
func (c *Config) defaultsOfFlow(given map[string]bool) {
	layers, kernel := c.Model.Layers, 5
	if c.Model.Half {
		layers, kernel = 1, 3
	}
	for _, d := range []struct {
		key   string
		to    *int
		value int
	}{{"model.width", &c.Model.Width, 24}, {"model.depth", &c.Model.Depth, 2}, {"model.kernel", &c.Model.Kernel, kernel}, {"model.layers", &c.Model.Layers, layers}} {
		if !given[d.key] {
			*d.to = d.value
		}
	}
}

// retired are keys of earlier versions with the value that means what happens now.
var retired = map[string]string{"production.targets": "histogram"}

// withoutRetired leaves out of a configuration the keys of earlier versions that change nothing.
func withoutRetired(data []byte) ([]byte, error) {
	var sections map[string]any
	if err := yaml.Unmarshal(data, &sections); err != nil {
		return nil, err
	}
	for key, value := range retired {
		section, name, _ := strings.Cut(key, ".")
		if settings, ok := sections[section].(map[string]any); ok && settings[name] == value {
			delete(settings, name)
		}
	}
	return yaml.Marshal(sections)
}

// Parse reads a configuration written by YAML, perhaps with an earlier version of the
// program: missing keys get their defaults. It ignores the environment.
func Parse(data []byte) (*Config, error) {
	data, err := withoutRetired(data)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	v := viper.New()
	v.SetConfigType("yaml")
	c := &Config{}
	for _, source := range []io.Reader{strings.NewReader(Default), bytes.NewReader(data)} {
		if err := v.MergeConfig(source); err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
	}
	if err := decode(v, c); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if faults := c.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("configuration:\n%w", errors.Join(faults...))
	}
	return c, nil
}

func decode(v *viper.Viper, c any) error {
	return v.UnmarshalExact(c, viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(
		stringToSize, scalarToList, strictNumber,
	)))
}

// stringToSize reads 8x8 as the list [8, 8].
func stringToSize(from, to reflect.Type, value any) (any, error) {
	s, ok := value.(string)
	if !ok || to != reflect.TypeFor[[]int]() {
		return value, nil
	}
	if otherwise.MatchString(s) {
		return nil, errors.New("sides have an x between them, as in 16x16")
	}
	return strings.Split(strings.ReplaceAll(s, "X", "x"), "x"), nil
}

// otherwise matches sides with something else between them.
var otherwise = regexp.MustCompile(`^\d+\s*[^\dxX]\s*\d`)

// scalarToList reads a single word, or several separated by commas, as a list.
func scalarToList(from, to reflect.Type, value any) (any, error) {
	s, ok := value.(string)
	if !ok || to != reflect.TypeFor[[]string]() {
		return value, nil
	}
	var list []string
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word != "" {
			list = append(list, word)
		}
	}
	return list, nil
}

// strictNumber reads numbers and durations. On its own, mapstructure truncates 3.7 to 3,
// wraps -1 to the largest seed, and takes true for 1, nothing for 0 and a duration without
// a unit for nanoseconds.
func strictNumber(from, to reflect.Type, value any) (any, error) {
	text := func() string {
		if f, ok := value.(float64); ok {
			return strconv.FormatFloat(f, 'f', -1, 64) // 1e6 is a whole number
		}
		return fmt.Sprint(value)
	}
	number, want, err := value, "", error(nil)
	switch to {
	case reflect.TypeFor[time.Duration]():
		want = "a duration with a unit of ms, s, m or h, as in 90s or 1h30m"
		number, err = time.ParseDuration(text())
	case reflect.TypeFor[int]():
		want = "a whole number in decimal digits, of 64 bits"
		number, err = strconv.Atoi(whole(text()))
	case reflect.TypeFor[uint64]():
		want = "a whole number of at least 0 in decimal digits, of 64 bits"
		number, err = strconv.ParseUint(strings.TrimPrefix(whole(text()), "+"), 10, 64)
	case reflect.TypeFor[float64]():
		want = "a decimal number"
		if number, err = strconv.ParseFloat(text(), 64); err == nil && !decimal.MatchString(text()) {
			err = strconv.ErrSyntax // hexadecimal digits, underscores, infinity
		}
	}
	switch {
	case err == nil:
		return number, nil
	case text() == "":
		return nil, fmt.Errorf("the value is empty, as an unset shell variable is; it must be %s", want)
	case variable.MatchString(text()):
		return nil, fmt.Errorf("%q is not %s; variables are not replaced in files: leave the key out there and give it by --set key=$NAME, or by its environment variable", text(), want)
	}
	return nil, fmt.Errorf("%q is not %s", text(), want)
}

// variable matches a shell variable.
var variable = regexp.MustCompile(`\$\{?[A-Za-z_]`)

// decimal matches numbers in decimal digits.
var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// whole writes a decimal number such as 1e6 or 5.0 without fraction and exponent; others it
// returns as they are.
func whole(text string) string {
	if strings.ContainsAny(text, ".eE") && decimal.MatchString(text) {
		if x, err := strconv.ParseFloat(text, 64); err == nil && x == math.Trunc(x) {
			return strconv.FormatFloat(x, 'f', -1, 64)
		}
	}
	return text
}

// decodeFaults splits a decoding error, which has one line per key.
func decodeFaults(err error, v *viper.Viper) []error {
	if err == nil {
		return nil
	}
	var faults []error
	for line := range strings.Lines(err.Error()) {
		quoted, reason, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "'"), "' ")
		if !ok {
			continue
		}
		if value := v.Get(quoted); value != nil && value != "" {
			reason = fmt.Sprintf("%v: %s", value, reason)
		}
		faults = append(faults, fmt.Errorf("%s: %s", quoted, reason))
	}
	if len(faults) == 0 {
		faults = append(faults, err)
	}
	return faults
}

// YAML returns the complete configuration as a file that Load reads back.
func (c *Config) YAML() ([]byte, error) { return yaml.Marshal(c) }
