package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fence    = regexp.MustCompile("(?ms)^```.*?^```$")
	unlinked = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
)

// TestLinks follows every link of a document to another file or to a heading.
func TestLinks(t *testing.T) {
	const root = "../.."
	documents, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, root+"/README.md", root+"/CONTRIBUTING.md")
	text := func(path string) string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return fence.ReplaceAllString(string(data), "")
	}
	index, followed := text(root+"/docs/index.md"), 0
	for _, path := range documents {
		if name := filepath.Base(path); filepath.Base(filepath.Dir(path)) == "docs" && name != "index.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/index.md does not list %s", name)
		}
		for _, found := range link.FindAllStringSubmatch(text(path), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			followed++
			to := path
			if target != "" {
				to = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", path, found[1])
				continue
			}
			if anchor == "" {
				continue
			}
			var anchors []string
			for _, h := range heading.FindAllStringSubmatch(text(to), -1) {
				anchors = append(anchors, strings.ReplaceAll(unlinked.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
			}
			if !slices.Contains(anchors, anchor) {
				t.Errorf("%s links to %s; the headings there are %v", path, found[1], anchors)
			}
		}
	}
	if followed < 50 {
		t.Errorf("only %d links found", followed)
	}
}
