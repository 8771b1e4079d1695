package config_test

import (
	"os"
	"strings"
	"testing"

	"neuralwl/internal/config"
)

// TestReadme finds the defaults, word for word, in the README's reference.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```yaml\n"+config.Default+"```\n") {
		t.Error("README.md does not hold internal/config/default.yaml as it is; copy it there again")
	}
}
