package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsText string

//go:embed docs.css
var docsStyle string

// docsOperation is an operation as the page shows it.
type docsOperation struct {
	Method, Path, ID, Summary, Description string
	Parameters                             []docsField
	Body, BodyMedia                        string
	BodyIsSchema                           bool // Body names one
	Answers                                []docsAnswer
}

type docsField struct{ Name, Where, Type, Text string }

type docsAnswer struct {
	Status, Text string
	Content      []docsContent
}

type docsContent struct{ Media, Type string }

type docsSchema struct {
	Name, Text string
	Fields     []docsField
}

// registerDocs registers the page that describes the interface, made of the same document that
// /openapi.json is. It needs no other file and no script.
func (s *Server) registerDocs() {
	page := sync.OnceValues(s.docs)
	hash := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	s.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		text, err := page()
		if err != nil {
			refuseError(w, s.o.Log, err)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		w.Write(text)
	})
}

// docs makes the page.
func (s *Server) docs() ([]byte, error) {
	document := s.api.OpenAPI()
	page := struct {
		Title, Version, Description string
		Style                       template.CSS
		Operations                  []docsOperation
		Schemas                     []docsSchema
	}{Title: document.Info.Title, Version: document.Info.Version, Description: document.Info.Description, Style: template.CSS(docsStyle)}
	for _, path := range sortedKeys(document.Paths) {
		item := document.Paths[path]
		for _, of := range []struct {
			method string
			op     *huma.Operation
		}{{"GET", item.Get}, {"POST", item.Post}, {"PUT", item.Put}, {"PATCH", item.Patch}, {"DELETE", item.Delete}} {
			if of.op != nil {
				page.Operations = append(page.Operations, describeOperation(of.method, path, of.op))
			}
		}
	}
	schemas := document.Components.Schemas.Map()
	for _, name := range sortedKeys(schemas) {
		schema := schemas[name]
		d := docsSchema{Name: name, Text: schema.Description}
		for _, field := range sortedKeys(schema.Properties) {
			p := schema.Properties[field]
			where := ""
			if slices.Contains(schema.Required, field) {
				where = "yes"
			}
			d.Fields = append(d.Fields, docsField{field, where, typeName(p), p.Description})
		}
		page.Schemas = append(page.Schemas, d)
	}
	t, err := template.New("docs").Parse(docsText)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = t.Execute(&text, page)
	return text.Bytes(), err
}

func describeOperation(method, path string, op *huma.Operation) docsOperation {
	d := docsOperation{Method: method, Path: path, ID: op.OperationID, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		d.Parameters = append(d.Parameters, docsField{p.Name, p.In, typeName(p.Schema), p.Description})
	}
	if op.RequestBody != nil {
		for _, kind := range sortedKeys(op.RequestBody.Content) {
			schema := op.RequestBody.Content[kind].Schema
			d.Body, d.BodyMedia, d.BodyIsSchema = typeName(schema), kind, schema != nil && schema.Ref != ""
		}
	}
	for _, status := range sortedKeys(op.Responses) {
		r := op.Responses[status]
		a := docsAnswer{Status: status, Text: r.Description}
		for _, kind := range sortedKeys(r.Content) {
			a.Content = append(a.Content, docsContent{Media: kind, Type: typeName(r.Content[kind].Schema)})
		}
		d.Answers = append(d.Answers, a)
	}
	return d
}

// typeName says in words what a schema allows.
func typeName(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case len(s.Enum) > 0:
		var words []string
		for _, e := range s.Enum {
			if word, ok := e.(string); ok {
				words = append(words, word)
			}
		}
		return strings.Join(words, ", ")
	case s.Items != nil:
		if of := typeName(s.Items); of != "" {
			return "list of " + of
		}
		return "list"
	case len(s.OneOf)+len(s.AnyOf) > 0:
		var words []string
		for _, one := range append(s.OneOf, s.AnyOf...) {
			word := one.Title
			if word == "" {
				word = typeName(one)
			}
			if data := one.Properties["data"]; data != nil && data.Ref != "" {
				word += " (" + typeName(data) + ")"
			}
			words = append(words, word)
		}
		return "one of: " + strings.Join(words, ", ")
	case s.Format != "":
		return s.Type + ", " + s.Format
	}
	return s.Type
}
