package reference_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"neuralwl/exporter/reference"
)

// TestDocumentedOperators has docs/bundles.md list the operators that this package evaluates.
func TestDocumentedOperators(t *testing.T) {
	document, err := os.ReadFile("../../docs/bundles.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(document), "of these operators:\n\n")
	list, _, _ = strings.Cut(list, "\n\n")
	want := slices.Sorted(slices.Values(reference.Operators()))
	if got := strings.Fields(strings.ReplaceAll(list, ",", " ")); !slices.Equal(got, want) {
		t.Errorf("docs/bundles.md lists\n%v\nwant\n%s", got, strings.Join(want, ", "))
	}
}
