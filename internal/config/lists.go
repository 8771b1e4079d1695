package config

import (
	"reflect"
	"strings"
)

// IsList reports whether the value of a key is a list, such as that of system.size.
func IsList(key string) bool {
	section, name, _ := strings.Cut(key, ".")
	for s := range reflect.TypeFor[Config]().Fields() {
		if s.Tag.Get("mapstructure") != section {
			continue
		}
		for f := range s.Type.Fields() {
			if f.Tag.Get("mapstructure") == name {
				return f.Type.Kind() == reflect.Slice
			}
		}
	}
	return false
}
