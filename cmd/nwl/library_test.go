package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLibraryOfReadme compiles the Go code of README.md.
func TestLibraryOfReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(readme), "\n```go\n")
	code, _, found := strings.Cut(code, "\n```\n")
	if !found {
		t.Fatal("README.md has no Go code")
	}
	program := filepath.Join(t.TempDir(), "library.go")
	text := `package main

import (
	"context"

	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

func main() {
	ctx := context.Background()
` + code + `
	print(density, err)
}
`
	if err := os.WriteFile(program, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	vet := exec.Command("go", "vet", program)
	vet.Dir = "../.."
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
