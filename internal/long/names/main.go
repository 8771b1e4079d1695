// Command names prints the tests that do less with go test -short, as a pattern for go test -run. Its arguments are
// folders of packages; each must have such tests.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	names := map[string]bool{}
	for _, folder := range os.Args[1:] {
		own, err := namesOf(folder)
		if err != nil {
			log.Fatal(err)
		}
		if len(own) == 0 {
			log.Fatalf("%s: no test does less with -short", folder)
		}
		for _, name := range own {
			names[name] = true
		}
	}
	fmt.Printf("^(%s)$\n", strings.Join(slices.Sorted(maps.Keys(names)), "|"))
}

// namesOf lists the tests of a package that use package long or testing.Short, also by a function or method of its test files.
func namesOf(folder string) (names []string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return nil, err
	}
	uses := map[string]map[string]bool{} // what a function names
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			function, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			named := uses[function.Name.Name]
			if named == nil { // methods of one name count as one
				named = map[string]bool{}
				uses[function.Name.Name] = named
			}
			ast.Inspect(function, func(n ast.Node) bool {
				if identifier, ok := n.(*ast.Ident); ok {
					named[identifier.Name] = true
				}
				return true
			})
		}
	}
	long := map[string]bool{"long": true, "Short": true}
	for grew := true; grew; {
		grew = false
		for function, named := range uses {
			if long[function] {
				continue
			}
			for name := range named {
				if long[name] && name != function {
					long[function], grew = true, true
					break
				}
			}
		}
	}
	for function := range uses {
		if long[function] && strings.HasPrefix(function, "Test") {
			names = append(names, function)
		}
	}
	return names, nil
}
