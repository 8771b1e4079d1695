package config

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textKeys are the keys whose values are text: names, paths and addresses. --set and the
// environment give it as it is, so that no path needs quotes against YAML.
var textKeys = func() map[string]bool {
	keys := map[string]bool{}
	for _, sections := range []reflect.Type{reflect.TypeFor[Config](), reflect.TypeFor[Server]()} {
		for i := range sections.NumField() {
			section := sections.Field(i)
			for k := range section.Type.NumField() {
				if field := section.Type.Field(k); field.Type == reflect.TypeFor[string]() {
					keys[section.Tag.Get("mapstructure")+"."+field.Tag.Get("mapstructure")] = true
				}
			}
		}
	}
	return keys
}()

// checkText returns an error for a text that cannot be a name or a path.
func checkText(text string) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%q holds a control character or is not UTF-8", text)
	}
	return nil
}
