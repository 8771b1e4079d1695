package config_test

import (
	"os"
	"strings"
	"testing"

	"neuralwl/internal/config"
)

// TestReadme checks that README's reference holds the defaults word for word.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```yaml\n"+config.Default+"```\n") {
		t.Error("README.md does not contain internal/config/default.yaml verbatim; copy it there again")
	}
}
