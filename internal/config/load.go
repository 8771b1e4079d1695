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

// EnvironmentPrefix begins the names of all environment variables that are read.
const EnvironmentPrefix = "NWL"

// Load returns the configuration from the defaults, the YAML file path (none if empty),
// environment variables such as NWL_SYSTEM_Q, and assignments of the form key=value, in
// ascending order of precedence. It reports all faults at once, each with its key and the
// allowed values.
func Load(path string, assignments []string) (*Config, error) {
	var text []byte
	if path != "" {
		var err error
		if text, err = readFile(path); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	return compose(text, path, os.Environ(), assignments)
}

// Compose is Load for YAML that is at hand, whatever the environment: for a configuration that
// comes from elsewhere.
func Compose(text []byte, assignments []string) (*Config, error) {
	return compose(text, "the configuration", nil, assignments)
}

func compose(text []byte, name string, environment, assignments []string) (*Config, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(Default)); err != nil {
		return nil, fmt.Errorf("built-in configuration: %w", err)
	}
	known := v.AllKeys()
	var faults []error
	given := map[string]bool{} // keys that were set explicitly

	if text != nil {
		keys, bad, err := setFile(v, text, name, known)
		if err != nil {
			return nil, fmt.Errorf("configuration %s: %w", name, err)
		}
		for _, key := range keys {
			given[key] = true
		}
		faults = append(faults, bad...)
	}

	variables := map[string]string{}
	for _, key := range known {
		name := EnvironmentPrefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		variables[name] = key
	}
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, EnvironmentPrefix+"_") {
			continue
		}
		key, ok := variables[name]
		if !ok {
			faults = append(faults, fmt.Errorf("environment variable %s: no such key%s", name, suggestion(name, keys(variables))))
			continue
		}
		given[key] = true
		faults = append(faults, assign(v, key, value)...)
	}

	for _, assignment := range assignments {
		key, value, ok := strings.Cut(assignment, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if !ok {
			faults = append(faults, fmt.Errorf("--set %s: write --set key=value", assignment))
			continue
		}
		if bad := unknown([]string{key}, known, "given by --set"); bad != nil {
			faults = append(faults, bad...)
			continue
		}
		given[key] = true
		faults = append(faults, assign(v, key, value)...)
	}
	// Defaults that depend on the model.
	system := System{Model: v.GetString("system.model")}
	if q := system.colours(); q != 0 && !given["system.q"] {
		v.Set("system.q", q)
	}
	if size := system.sizeByDefault(); size != nil && !given["system.size"] {
		v.Set("system.size", size)
	}
	if slices.Contains(Models, system.Model) && !system.IsPotts() && !given["run.moves"] && !given["run.method"] {
		v.Set("run.moves", []string{LocalMoves})
	}

	c := &Config{}
	undecoded := decodeFaults(decode(v, c), v)
	faults = append(faults, undecoded...)
	// Moves and method determine each other's defaults.
	switch {
	case c.Run.Method == VANWangLandauMethod:
		if !given["run.moves"] {
			c.Run.Moves = []string{NeuralMoves}
		}
		if !given["model.architecture"] {
			c.Model.Architecture = models.Made
		}
		if !given["wang_landau.final_ln_f"] {
			c.WangLandau.FinalLnF = VANFinalLnF
		}
	case !given["run.moves"] && c.Run.Method != NeuralWangLandauMethod:
		c.Run.Moves = []string{LocalMoves}
	case !given["run.method"] && !c.Run.Has(NeuralMoves):
		c.Run.Method = WangLandauMethod
	}
	c.defaultsOfArchitecture(given)
	if c.Run.Method == CanonicalMethod && !given["run.beta"] {
		faults = append(faults, fmt.Errorf("run.beta: %s sampling needs an inverse temperature, in units of 1/J; --set run.beta=0 is infinite temperature", CanonicalMethod))
	}
	for _, fault := range c.Validate() {
		// An unreadable value is now zero, which is not a second fault.
		key, _, _ := strings.Cut(fault.Error(), ":")
		if !slices.ContainsFunc(undecoded, func(u error) bool { return strings.Contains(u.Error(), key) }) {
			faults = append(faults, fault)
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configuration:\n%w", errors.Join(faults...))
	}
	return c, nil
}

// defaultsOfArchitecture sets the defaults of a new network's architecture for keys that
// were not given. Default has those of the autoencoder.
func (c *Config) defaultsOfArchitecture(given map[string]bool) {
	if c.Model.Bundle != "" || c.Run.Method == VANWangLandauMethod {
		return
	}
	batch, rate, floor := 64, 5e-3, c.Model.Floor
	switch c.Model.Architecture {
	case models.Made, models.Conv:
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

// Parse reads a configuration written by YAML, perhaps with an earlier version of the
// program: missing keys get their defaults. It ignores the environment.
func Parse(data []byte) (*Config, error) {
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

func decode(v *viper.Viper, c *Config) error {
	return v.UnmarshalExact(c, viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(
		stringToSize, scalarToList, strictNumber,
	)))
}

// assign sets key to a value given by --set or the environment: for a text key the text as
// it is, so that paths need no quotes, for others a value in YAML notation.
func assign(v *viper.Viper, key, value string) []error {
	if textKeys[key] {
		if err := checkText(value); err != nil {
			return []error{fmt.Errorf("%s: %w", key, err)}
		}
		v.Set(key, value)
		return nil
	}
	var node yaml.Node
	if err := readYAML([]byte(value), &node); err != nil {
		return []error{fmt.Errorf("%s: %q is not a value in YAML notation: %w", key, value, err)}
	}
	if node.IsZero() { // nothing, or a comment
		node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	return set(v, key, &node)
}

// unknown returns a fault for each unknown key.
func unknown(given, known []string, where string) []error {
	var faults []error
	slices.Sort(given)
	for _, key := range given {
		if !slices.Contains(known, key) {
			faults = append(faults, fmt.Errorf("%s: no such key (%s)%s", key, where, suggestion(key, known)))
		}
	}
	return faults
}

// suggestion names the known key closest to a mistyped one.
func suggestion(key string, known []string) string {
	best, least := "", len(key)/2+1
	for _, k := range known {
		if d := editDistance(key, k); d < least || d == least && best != "" && k < best {
			best, least = k, d
		}
	}
	if best == "" {
		return "; `nwl config` prints all keys"
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance returns the number of insertions, deletions and replacements of bytes that
// turn a into b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func keys(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	return names
}

// stringToSize reads 8x8 as the list [8, 8].
func stringToSize(from, to reflect.Type, value any) (any, error) {
	s, ok := value.(string)
	if !ok || to != reflect.TypeFor[[]int]() {
		return value, nil
	}
	return strings.Split(strings.ReplaceAll(s, "X", "x"), "x"), nil
}

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
