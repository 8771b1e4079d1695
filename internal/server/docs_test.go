package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"neuralwl/internal/child"
)

// TestDocs reads the page as a browser would: it is complete, needs nothing from elsewhere, and its
// policy allows its own style and nothing else.
func TestDocs(t *testing.T) {
	h := open(t, 0, nil)
	status, page, header := h.get("/docs")
	if status != http.StatusOK || header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d, %v", status, header)
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	if style == nil {
		t.Fatal("there is no style")
	}
	hash := sha256.Sum256([]byte(style[1]))
	policy := header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'") {
		t.Errorf("policy %s", policy)
	}
	for _, foreign := range []string{"<script", "http://", "https://", "<img", "<link", "style=", "onclick"} {
		if strings.Contains(page, foreign) {
			t.Errorf("%s in the page", foreign)
		}
	}
	// It is XML but for what HTML does not close.
	text := strings.NewReplacer("<!doctype html>", "", "<br>", "<br/>", `<meta charset="utf-8">`, "", `<meta name="viewport" content="width=device-width, initial-scale=1">`, "").Replace(page)
	ids, links := map[string]bool{}, []string{}
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		part, err := d.Token()
		if part == nil {
			if err.Error() != "EOF" {
				t.Errorf("the page is not well-formed: %v", err)
			}
			break
		}
		if start, ok := part.(xml.StartElement); ok {
			for _, a := range start.Attr {
				switch name := a.Name.Local; {
				case name == "id" && ids[a.Value]:
					t.Errorf("two elements %s", a.Value)
				case name == "id":
					ids[a.Value] = true
				case name == "href" && strings.HasPrefix(a.Value, "#"), name == "aria-labelledby":
					links = append(links, strings.TrimPrefix(a.Value, "#"))
				}
			}
		}
	}
	for _, l := range links {
		if !ids[l] {
			t.Errorf("a link leads to %s, which is not there", l)
		}
	}
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]any
		}
		Components struct{ Schemas map[string]any }
	}
	_, spec, _ := h.get("/openapi.json")
	if err := json.Unmarshal([]byte(spec), &document); err != nil || !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Fatalf("%v, %s", err, document.OpenAPI)
	}
	operations := 0
	for path, item := range document.Paths {
		for method, op := range item {
			operations++
			if !ids[op.OperationID] || !strings.Contains(page, "<code>"+strings.ToUpper(method)+" "+path+"</code>") {
				t.Errorf("%s %s is not in the page", method, path)
			}
			for status := range op.Responses {
				if strings.HasPrefix(path, "/api") && op.Responses["401"] == nil {
					t.Errorf("%s %s: 401 is not documented, %s is", method, path, status)
				}
			}
		}
	}
	if operations < 15 {
		t.Errorf("%d operations", operations)
	}
	for name := range document.Components.Schemas {
		if !ids["schema-"+name] {
			t.Errorf("schema %s is not in the page", name)
		}
	}
}

// TestKinds finds a documented type for every kind of event that a child sends.
func TestKinds(t *testing.T) {
	files, err := filepath.Glob("../child/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != "Kind" || len(spec.Values) != 1 {
				return true
			}
			kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if found++; kinds[kind] == nil && kind != string(child.Answer) && kind != string(child.Counts) && kind != string(child.Probed) { // for worker and metrics alone
				t.Errorf("events of the kind %s are not documented", kind)
			}
			return true
		})
	}
	if found < 8 {
		t.Errorf("%d kinds", found)
	}
}
