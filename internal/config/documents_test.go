package config_test

import (
	"os"
	"strings"
	"testing"

	"neuralwl/internal/config"
)

// TestDocuments checks that the documents hold the defaults word for word.
func TestDocuments(t *testing.T) {
	for _, file := range []struct{ doc, origin, text string }{
		{"docs/configuration.md", "default.yaml", config.Default}, {"docs/daemon.md", "server.yaml", config.DefaultServer},
	} {
		doc, err := os.ReadFile("../../" + file.doc)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(doc), "```yaml\n"+file.text+"```\n") {
			t.Errorf("%s does not contain internal/config/%s verbatim; copy it there again", file.doc, file.origin)
		}
	}
}
