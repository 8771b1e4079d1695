package config

import (
	"cmp"
	"fmt"
	"neuralwl/internal/near"
	"slices"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// EnvironmentPrefix begins the names of all environment variables that are read.
const EnvironmentPrefix = "NWL"

// Environment variables that are no keys.
const (
	URLVariable   = "NWL_URL"   // where clients find the daemon
	TokenVariable = "NWL_TOKEN" // with which they show who they are
	// TokensVariable holds the daemon's tokens, as in the file server.tokens, or in place of each hash the
	// token itself.
	TokensVariable = "NWL_TOKENS"
	// InferenceTokenVariable holds the token with which a run shows a model server who it is.
	InferenceTokenVariable = "NWL_INFERENCE_TOKEN"
)

// sources is what defaults, file, environment and command line say together.
type sources struct {
	values *viper.Viper
	given  map[string]bool // keys that were set explicitly
	faults []error
}

// gather reads the sources of the keys that defaults holds. text is that of the file name, nil
// for none.
func gather(defaults string, text []byte, name string, environment, assignments []string) (sources, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(defaults)); err != nil {
		return sources{}, fmt.Errorf("built-in configuration: %w", err)
	}
	known := v.AllKeys()
	var faults []error
	given := map[string]bool{} // keys that were set explicitly

	if text != nil {
		keys, bad, err := setFile(v, text, name, known)
		if err != nil {
			return sources{}, fmt.Errorf("configuration %s: %w", name, err)
		}
		for _, key := range keys {
			given[key] = true
		}
		faults = append(faults, bad...)
	}

	variables := variablesOf(known)
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, EnvironmentPrefix+"_") {
			continue
		}
		key, ok := variables[name]
		if !ok && slices.Contains(allVariables, name) {
			continue // of another command
		}
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
	return sources{v, given, faults}, nil
}

// Given is the text that YAML and assignments, which go before it, give to a text key; empty if
// they do not or cannot be read.
func Given(text []byte, assignments []string, key string) string {
	s, err := gather(Default, text, "", nil, assignments)
	if err != nil || !s.given[key] {
		return ""
	}
	return s.values.GetString(key)
}

// variablesOf maps environment variables to their keys.
func variablesOf(keys []string) map[string]string {
	variables := map[string]string{}
	for _, key := range keys {
		variables[EnvironmentPrefix+"_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = key
	}
	return variables
}

// allVariables are the environment variables that any command reads.
var allVariables = func() []string {
	names := []string{URLVariable, SecretVariable, TokenVariable, TokensVariable, InferenceTokenVariable}
	for _, text := range []string{Default, DefaultServer} {
		v := viper.New()
		v.SetConfigType("yaml")
		if err := v.ReadConfig(strings.NewReader(text)); err != nil {
			panic(err) // a test would have met it
		}
		names = append(names, keys(variablesOf(v.AllKeys()))...)
	}
	return names
}()

// readIfNamed reads a configuration file; without a path it returns nil.
func readIfNamed(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	return text, nil
}

// unlessUndecoded drops faults of keys whose values could not be read: they are zero now, which
// is not a second fault.
func unlessUndecoded(faults, undecoded []error) []error {
	return slices.DeleteFunc(faults, func(fault error) bool {
		key, _, _ := strings.Cut(fault.Error(), ":")
		return slices.ContainsFunc(undecoded, func(u error) bool { return strings.Contains(u.Error(), key) })
	})
}

// assign sets key to a value given by --set or the environment: for a text key the text as
// it is, so that paths need no quotes, for others a value in YAML notation.
func assign(v *viper.Viper, key, value string) []error {
	if textKeys[key] {
		if err := checkText(key, value); err != nil {
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

// suggestion asks for the known key closest to a mistyped one, or says where all are.
func suggestion(key string, known []string) string {
	return cmp.Or(near.Ask(key, known), "; `nwl config` prints all keys")
}

func keys(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	return names
}
