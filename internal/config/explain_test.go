package config_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"neuralwl/internal/config"
)

// TestExplanations finds a meaning and the default of every key.
func TestExplanations(t *testing.T) {
	found := map[bool]map[string]config.Explanation{false: {}, true: {}}
	for _, e := range config.Explanations() {
		found[e.Server][e.Key] = e
	}
	for server, text := range map[bool]string{false: config.Default, true: config.DefaultServer} {
		var sections map[string]map[string]yaml.Node
		if err := yaml.Unmarshal([]byte(text), &sections); err != nil {
			t.Fatal(err)
		}
		keys := 0
		for section, settings := range sections {
			for name, node := range settings {
				keys++
				e, ok := found[server][section+"."+name]
				if !ok || len(e.Meaning) < 10 {
					t.Errorf("%s.%s: no meaning, but %q", section, name, e.Meaning)
				}
				if node.Kind == yaml.ScalarNode && strings.Trim(e.Default, `"`) != node.Value {
					t.Errorf("%s.%s: default %q, must be %q", section, name, e.Default, node.Value)
				}
			}
		}
		if len(found[server]) != keys {
			t.Errorf("%d keys of %d", len(found[server]), keys)
		}
	}
	if e := found[false]["neural.frames"]; !strings.HasSuffix(e.Meaning, "colours") {
		t.Errorf("the meaning of neural.frames is cut short: %q", e.Meaning)
	}
}
