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

// couplingsKey holds the one text of many lines.
const couplingsKey = "system.couplings"

// mostQuoted is how many bytes of a text an error quotes.
const mostQuoted = 80

// checkText returns an error for a text that cannot be a name or a path, as most keys hold.
func checkText(key, text string) error {
	bad := func(r rune) bool { return unicode.IsControl(r) && !((r == '\n' || r == '\t') && key == couplingsKey) }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, bad) {
		if len(text) > mostQuoted {
			return fmt.Errorf("%q... holds a control character or is not UTF-8", text[:mostQuoted])
		}
		return fmt.Errorf("%q holds a control character or is not UTF-8", text)
	}
	return nil
}
