package inference_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/onnxtest"
)

// TestFindLibrary checks the order: configuration, environment, .deps above the working
// directory, system.
func TestFindLibrary(t *testing.T) {
	root := t.TempDir()
	inner := filepath.Join(root, "a", "b")
	folder := filepath.Join(root, ".deps", "onnxruntime")
	for _, dir := range []string{inner, folder} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(inner)
	t.Setenv(inference.LibraryVariable, "")
	if got, origin := inference.FindLibrary(""); filepath.Base(got) != got || !strings.Contains(origin, "system") {
		t.Errorf("nothing anywhere: %s from the %s, want the bare name for the system", got, origin)
	}
	want := filepath.Join(folder, "libonnxruntime.so")
	if err := os.WriteFile(want, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, _ := inference.FindLibrary(""); got != want {
		t.Errorf("library in .deps: got %s, want %s", got, want)
	}
	t.Setenv(inference.LibraryVariable, "elsewhere.so")
	if got, origin := inference.FindLibrary(""); got != "elsewhere.so" || !strings.Contains(origin, inference.LibraryVariable) {
		t.Errorf("library in the environment: got %s from the %s", got, origin)
	}
	if got, _ := inference.FindLibrary("configured.so"); got != "configured.so" {
		t.Errorf("configured library: got %s", got)
	}
}

// TestProviders checks that the CPU works and that requesting CUDA where it does not work
// is an error with a remedy, while auto falls back to the CPU.
func TestProviders(t *testing.T) {
	onnxtest.Open(t)
	if p, err := inference.Select(inference.CPU, slog.Default()); err != nil || p != inference.CPU {
		t.Errorf("cpu: %v, %v", p, err)
	}
	cuda := inference.Probe(inference.CUDA)
	_, err := inference.Select(inference.CUDA, slog.Default())
	if (cuda == nil) != (err == nil) {
		t.Errorf("CUDA works: %v, but selecting it gives %v", cuda == nil, err)
	}
	if err != nil && !strings.Contains(err.Error(), "set inference.provider to cpu") {
		t.Errorf("no remedy in: %v", err)
	}
	want := inference.CPU
	if cuda == nil {
		want = inference.CUDA
	}
	if p, err := inference.Select(inference.Auto, slog.Default()); err != nil || p != want {
		t.Errorf("auto: %v, %v, want %v", p, err, want)
	}
	if _, err := inference.Select("tpu", slog.Default()); err == nil {
		t.Error("an unknown provider was accepted")
	}
}
