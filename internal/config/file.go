package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// maxFile is the largest size of a configuration file, in bytes, beside its couplings; all keys with
// their comments take a twentieth of it. It also bounds the time in which the YAML decoder
// compares all keys of a mapping with each other.
const maxFile = 64 << 10

// tooLarge reports whether a file is larger than that. What the lines of couplings are made of makes no
// keys, and may take maxCouplings.
func tooLarge(data []byte) bool {
	if len(data) <= maxFile {
		return false
	}
	other := 0
	for _, b := range data {
		if (b < '0' || b > '9') && !bytes.ContainsRune([]byte(" ,.-+e\n\t"), rune(b)) {
			other++
		}
	}
	return other > maxFile || len(data) > maxFile+maxCouplings
}

// readFile reads a file, as much of it as a configuration may have.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+maxCouplings+1))
}

// setFile sets the keys given in the YAML of a file of that name and returns them. Unknown keys and
// impossible values are faults; an error means that nothing could be read.
func setFile(v *viper.Viper, data []byte, name string, known []string) (given []string, faults []error, err error) {
	if tooLarge(data) {
		return nil, nil, fmt.Errorf("it is larger than %d bytes, too large for a configuration", maxFile)
	}
	var document map[string]yaml.Node
	if err := readYAML(data, &document); err != nil {
		return nil, nil, err
	}
	var sections []string
	for _, key := range known {
		section, _, _ := strings.Cut(key, ".")
		sections = append(sections, section)
	}
	slices.Sort(sections)
	sections = slices.Compact(sections)
	where := "in " + name
	for _, name := range slices.Sorted(maps.Keys(document)) {
		section := strings.ToLower(name)
		if bad := unknown([]string{section}, sections, where); bad != nil {
			faults = append(faults, bad...)
			continue
		}
		node := document[name]
		var values map[string]yaml.Node
		if err := node.Decode(&values); err != nil {
			faults = append(faults, fmt.Errorf("%s: not a list of keys with their values (%s): %w", section, where, err))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			key := section + "." + strings.ToLower(name)
			if bad := unknown([]string{key}, known, where); bad != nil {
				faults = append(faults, bad...)
				continue
			}
			if slices.Contains(given, key) {
				faults = append(faults, fmt.Errorf("%s: given twice (%s)", key, where))
				continue
			}
			given = append(given, key)
			value := values[name]
			faults = append(faults, set(v, key, &value)...)
		}
	}
	return given, faults, nil
}

// set sets key to the value of a YAML node.
func set(v *viper.Viper, key string, node *yaml.Node) []error {
	value, err := plain(node)
	if err == nil && textKeys[key] {
		if text, ok := value.(string); ok {
			err = checkText(key, text)
		}
	}
	if err != nil {
		return []error{fmt.Errorf("%s: %w", key, err)}
	}
	v.Set(key, value)
	return nil
}

// plain returns the text of a scalar, or the texts of a list. What a text means is left to
// the type of its key: YAML itself would read 010 as eight and 1_0 as ten.
func plain(node *yaml.Node) (any, error) {
	switch node.Kind {
	case yaml.DocumentNode:
		return plain(node.Content[0])
	case yaml.SequenceNode:
		list := []any{}
		for _, element := range node.Content {
			value, err := plain(element)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		return nil, errors.New("a mapping where a single value or a list is expected")
	}
	switch tag := node.ShortTag(); tag {
	case "!!null":
		return "", nil
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return node.Value, nil
	default:
		return nil, fmt.Errorf("the YAML tag %s is not supported; put a value that begins with ! in quotes", tag)
	}
}

// readYAML reads a single YAML document without aliases. Aliases would let a short text
// expand beyond the available memory.
func readYAML(data []byte, out any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil // nothing but comments
	} else if err != nil {
		return err
	}
	if err := decoder.Decode(&yaml.Node{}); err == nil {
		return errors.New("it has more than one document")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	if alias := findAlias(&document); alias != nil {
		return fmt.Errorf("line %d: aliases are not supported; write out what *%s stands for", alias.Line, alias.Value)
	}
	return document.Decode(out)
}

// findAlias returns an alias below node, or nil.
func findAlias(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node
	}
	for _, child := range node.Content {
		if alias := findAlias(child); alias != nil {
			return alias
		}
	}
	return nil
}
