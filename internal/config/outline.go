package config

import "go.yaml.in/yaml/v3"

// Outline returns the name of the system and the method of a configuration written by YAML, both
// empty if it cannot be read. It checks nothing and takes a fraction of the time of Parse.
func Outline(text []byte) (system, method string) {
	var c struct {
		System System `yaml:"system"`
		Run    struct {
			Method string `yaml:"method"`
		} `yaml:"run"`
	}
	if yaml.Unmarshal(text, &c) != nil || c.System.Model == "" {
		return "", ""
	}
	return c.System.Name(), c.Run.Method
}
