package inference

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstalled finds the library where installers put it, without settings, and prefers it to
// that of a working directory.
func TestInstalled(t *testing.T) {
	for name, c := range map[string]struct {
		program string            // the folder of nwl
		files   map[string]string // besides nwl, with their content
		want    string
		origin  string
	}{
		"beside the program": {"bin", map[string]string{"bin/libonnxruntime.so": ""}, "bin/libonnxruntime.so", "installed with the program"},
		"archive": {"bin", map[string]string{"lib/nwl/libonnxruntime.so.1.27.0": "", "lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.30.0": ""},
			"lib/nwl/libonnxruntime.so.1.27.0", "installed with the program"},
		"virtual environment": {"bin", map[string]string{"lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0": ""},
			"lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0", "Python environment"},
		"a name that is a pattern": {"odd [x]*/bin", map[string]string{"odd [x]*/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0": ""},
			"odd [x]*/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0", "Python environment"},
		"the newest of several Pythons": {"bin", map[string]string{
			"lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.100.0": "",
			"lib/python3.9/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0":   "",
		}, "lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.100.0", "Python environment"},
		"Debian's /usr/local": {"bin", map[string]string{"lib/python3.11/dist-packages/onnxruntime/capi/libonnxruntime.so.1.27.0": ""},
			"lib/python3.11/dist-packages/onnxruntime/capi/libonnxruntime.so.1.27.0", "Python environment"},
		"pip --target": {"bin", map[string]string{"onnxruntime/capi/libonnxruntime.so.1.27.0": ""},
			"onnxruntime/capi/libonnxruntime.so.1.27.0", "Python environment"},
		"environment that sees the system's": {"venv/bin", map[string]string{
			"venv/pyvenv.cfg": "home = ROOT/usr/bin\ninclude-system-site-packages = true\nversion = 3.12.1\n",
			"usr/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0": "",
		}, "usr/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0", "Python environment"},
		"environment of its own": {"venv/bin", map[string]string{
			"venv/pyvenv.cfg": "home = ROOT/usr/bin\ninclude-system-site-packages = false\n",
			"usr/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1.27.0": "",
		}, "libonnxruntime.so", "system"},
		"nothing but a folder of that name": {"bin", map[string]string{"lib/nwl/libonnxruntime.so/README": ""}, "libonnxruntime.so", "system"},
	} {
		t.Run(name, func(t *testing.T) {
			if libraryName() != "libonnxruntime.so" {
				t.Skip("SKIPPED: the names of files are those of Linux")
			}
			root := t.TempDir()
			t.Chdir(t.TempDir())
			write := func(path, text string) {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "ROOT", root)), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			program := filepath.Join(c.program, "nwl")
			write(program, "")
			for path, text := range c.files {
				write(path, text)
			}
			want := c.want
			if strings.Contains(want, "/") {
				want = filepath.Join(root, want)
			}
			program = filepath.Join(root, program)
			if got, origin := findLibrary(program); got != want || !strings.Contains(origin, c.origin) {
				t.Errorf("%s from the %s, want %s from the %s", got, origin, want, c.origin)
			}
			// As pipx and uv have it: a link to the program in a folder of programs.
			link := filepath.Join(t.TempDir(), "nwl")
			if err := os.Symlink(program, link); err != nil {
				t.Fatal(err)
			}
			if got, _ := findLibrary(link); got != want {
				t.Errorf("by a link: %s, want %s", got, want)
			}
			// A checkout in which the program happens to be called has a library of its own.
			other := filepath.Join(".deps", "onnxruntime", "libonnxruntime.so")
			if err := os.MkdirAll(filepath.Dir(other), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(other, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			got, _ := findLibrary(program)
			if c.origin == "system" {
				if !strings.HasSuffix(got, other) {
					t.Errorf("with .deps below the working directory: %s", got)
				}
			} else if got != want {
				t.Errorf("with .deps below the working directory: %s, want %s", got, want)
			}
		})
	}
}
