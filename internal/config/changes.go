package config

import (
	"fmt"
	"reflect"
)

// Change is a key with two different values.
type Change struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
}

func (c Change) String() string { return fmt.Sprintf("%s: %s -> %s", c.Key, c.From, c.To) }

// Changes lists the keys in which two configurations differ.
func Changes(from, to *Config) []Change {
	var changes []Change
	a, b := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for i := range a.NumField() {
		section := a.Type().Field(i).Tag.Get("mapstructure")
		for k := range a.Field(i).NumField() {
			x, y := a.Field(i).Field(k).Interface(), b.Field(i).Field(k).Interface()
			if !reflect.DeepEqual(x, y) {
				key := section + "." + a.Field(i).Type().Field(k).Tag.Get("mapstructure")
				changes = append(changes, Change{key, fmt.Sprint(x), fmt.Sprint(y)})
			}
		}
	}
	return changes
}
