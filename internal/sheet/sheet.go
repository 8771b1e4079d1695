// Package sheet makes pages of HTML that stand alone: one file with its style and pictures, without
// scripts that run and without a request to anywhere.
package sheet

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"strings"
)

//go:embed sheet.css
var style string

// Style is the style sheet of all pages, in colours that suit paper, too.
var Style = template.CSS(style)

// Image is a picture in PNG as an element of HTML.
func Image(png []byte, text string) template.HTML {
	return template.HTML(`<img src="data:image/png;base64,` + base64.StdEncoding.EncodeToString(png) + `" alt="` + html.EscapeString(text) + `">`)
}

// Element is a file in SVG as an element of HTML.
func Element(svg []byte, text string) (template.HTML, error) {
	s := string(svg)
	at := strings.Index(s, "<svg")
	if at < 0 {
		return "", fmt.Errorf("the picture %q has no svg element", text)
	}
	s = s[at:]
	if before, after, ok := strings.Cut(s, "<!--"); ok {
		if _, rest, ok := strings.Cut(after, "-->"); ok {
			s = before + rest
		}
	}
	return template.HTML(`<svg role="img" aria-label="` + html.EscapeString(text) + `" ` + s[len("<svg "):]), nil
}
