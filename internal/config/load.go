package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// envPrefix begins the name of every environment variable that is read.
const envPrefix = "NWL"

// Load returns the configuration made of the defaults, the YAML file path (none
// if empty), environment variables such as NWL_SYSTEM_Q and assignments of the
// form key=value, in ascending order of precedence. Everything wrong is reported
// at once, each fault with its key and what is allowed.
func Load(path string, assignments []string) (*Config, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(Default)); err != nil {
		return nil, fmt.Errorf("built-in configuration: %w", err)
	}
	known := v.AllKeys()
	var faults []error
	given := map[string]bool{} // keys that were set explicitly

	if path != "" {
		file := viper.New()
		file.SetConfigFile(path)
		file.SetConfigType("yaml")
		if err := file.ReadInConfig(); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
		faults = append(faults, unknown(file.AllKeys(), known, "in "+path)...)
		valid := viper.New()
		for _, key := range file.AllKeys() {
			if slices.Contains(known, key) {
				given[key] = true
				valid.Set(key, file.Get(key))
			}
		}
		if err := v.MergeConfigMap(valid.AllSettings()); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
	}

	variables := map[string]string{}
	for _, key := range known {
		name := envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		variables[name] = key
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix+"_") {
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
	if !given["system.q"] && v.GetString("system.model") == Ising {
		v.Set("system.q", 2)
	}

	c := &Config{}
	err := v.UnmarshalExact(c, viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(
		stringToSize, mapstructure.StringToTimeDurationHookFunc(), scalarToList,
	)))
	undecoded := decodeFaults(err, v)
	faults = append(faults, undecoded...)
	for _, fault := range c.Validate() {
		// A value that could not be read is zero now, which is no second fault.
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

// assign sets key to a value in YAML notation.
func assign(v *viper.Viper, key, value string) []error {
	var parsed any
	if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
		return []error{fmt.Errorf("%s: %q is not a value in YAML notation: %w", key, value, err)}
	}
	if parsed == nil {
		parsed = ""
	}
	v.Set(key, parsed)
	return nil
}

// unknown returns a fault for each key that is not known.
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

// editDistance is the number of insertions, deletions and replacements of bytes
// that turn a into b (Levenshtein).
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
	return strings.Split(strings.ToLower(s), "x"), nil
}

// scalarToList reads a single word, or several with commas, as a list.
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

// decodeFaults takes the error of decoding, which has a line for each key, apart.
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
		if value := v.Get(quoted); value != nil {
			reason = fmt.Sprintf("%v: %s", value, reason)
		}
		faults = append(faults, fmt.Errorf("%s: %s", quoted, reason))
	}
	if len(faults) == 0 {
		faults = append(faults, err)
	}
	return faults
}

// YAML is the complete configuration as a file that Load reads back.
func (c *Config) YAML() ([]byte, error) { return yaml.Marshal(c) }
