package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestChecks finds an explanation of every check in the sources of verdicts, and none of others.
func TestChecks(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	literal := func(e ast.Expr) {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
			name, _ := strconv.Unquote(l.Value)
			made[name] = true
		}
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "check" && len(n.Args) > 1 {
					literal(n.Args[0])
				}
			case *ast.ValueSpec: // const name = "..."
				if n.Names[0].Name == "name" && len(n.Values) == 1 {
					literal(n.Values[0])
				}
			}
			return true
		})
	}
	if len(made) < 10 {
		t.Errorf("only %v", made)
	}
	for name := range made {
		if Checks[name] == "" {
			t.Errorf("the check %q is not explained", name)
		}
	}
	for name := range Checks {
		if !made[name] {
			t.Errorf("no verdict has the check %q, which is explained", name)
		}
	}
}
