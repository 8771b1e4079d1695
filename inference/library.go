// Package inference runs networks with ONNX Runtime: it finds the shared library, probes
// execution providers, keeps sessions and weights, and serves proposals to the sampler and
// gradients to the trainer. It is the only package that uses cgo.
//
// The order of calls is
//
//	_, err := inference.Open("")            // once in a process; it finds the library by itself
//	store, err := inference.OpenStore(b)    // the weights of a bundle
//	p, err := inference.NewProposer(b, store, runtime, walkers, part)
//	defer p.Close()
//	engine, err := sampler.New(sampler.Options{..., Walkers: walkers, Proposer: p})
//
// A Store may serve any number of proposers and be given new weights (Publish) while they work: each
// takes the latest at its next Pin. Whoever makes a Proposer, Gradient or Networks closes it; sessions and
// tensors live outside of Go's memory until then. The library itself stays open.
package inference

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// LibraryVariable is the environment variable with the path of ONNX Runtime's
// shared library.
const LibraryVariable = "ONNXRUNTIME_LIB"

// dependencies is where `make deps` puts the library, in the folder of the program or one
// of its parents.
const dependencies = ".deps/onnxruntime"

var library struct {
	sync.Mutex
	path string
}

// libraryName is the file name of the shared library on this system.
func libraryName() string {
	switch runtime.GOOS {
	case "darwin":
		return "libonnxruntime.dylib"
	case "windows":
		return "onnxruntime.dll"
	}
	return "libonnxruntime.so"
}

// FindLibrary returns the path of ONNX Runtime's shared library: the argument (from the
// configuration) if not empty, else the environment variable ONNXRUNTIME_LIB, else what is
// installed with the program (see installed), else .deps/onnxruntime beside or above the program
// or the working directory, else the bare name for the system's own search path. The second
// result says which of these it was.
func FindLibrary(configured string) (path, origin string) {
	if configured != "" {
		return configured, "configuration"
	}
	if path := os.Getenv(LibraryVariable); path != "" {
		return path, "environment variable " + LibraryVariable
	}
	program, err := os.Executable()
	if err != nil { // where there is no /proc, as in a chroot
		program, _ = exec.LookPath(os.Args[0])
	}
	return findLibrary(program)
}

// findLibrary is FindLibrary for an installed program, without settings.
func findLibrary(program string) (path, origin string) {
	var starts []string
	if program != "" {
		folders := []string{filepath.Dir(program)}
		// Tools such as pipx link to the program from elsewhere.
		if target, err := filepath.EvalSymlinks(program); err == nil && filepath.Dir(target) != folders[0] {
			folders = append(folders, filepath.Dir(target))
		}
		for _, folder := range folders {
			if path, origin := installed(folder); path != "" {
				return path, origin
			}
		}
		starts = folders[len(folders)-1:]
	}
	if directory, err := os.Getwd(); err == nil {
		starts = append(starts, directory)
	}
	for _, directory := range starts {
		for {
			path := filepath.Join(directory, filepath.FromSlash(dependencies), libraryName())
			if _, err := os.Stat(path); err == nil {
				return path, dependencies
			}
			parent := filepath.Dir(directory)
			if parent == directory {
				break
			}
			directory = parent
		}
	}
	return libraryName(), "system library path"
}

// Open loads ONNX Runtime, once per process; later calls return the loaded path. configured
// is as for FindLibrary.
func Open(configured string) (path string, err error) {
	library.Lock()
	defer library.Unlock()
	if library.path != "" {
		if configured != "" && configured != library.path {
			return "", fmt.Errorf("ONNX Runtime library %s: %s is already loaded and cannot be replaced in a running program", configured, library.path)
		}
		return library.path, nil
	}
	path, origin := FindLibrary(configured)
	if filepath.IsAbs(path) || filepath.Base(path) != path {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("ONNX Runtime library (from the %s): %w; %s or correct the path", origin, err, remedy)
		}
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return "", fmt.Errorf("ONNX Runtime library %s (from the %s) cannot be loaded: %w; %s, or name a library of version %s or later in inference.library or %s",
			path, origin, err, remedy, WantVersion, LibraryVariable)
	}
	if err := ort.DisableTelemetry(); err != nil {
		return "", errors.Join(fmt.Errorf("ONNX Runtime: %w", err), ort.DestroyEnvironment())
	}
	library.path = path
	return path, nil
}

// remedy is how the library comes to where it is searched for.
const remedy = "install it beside the program by `pip install 'onnxruntime>=" + WantVersion + "'`, or by `make deps` in the sources"

// WantVersion is the version of ONNX Runtime that the program is tested with; the binding
// accepts no older one.
const WantVersion = "1.27"

// Version returns the version that the loaded library reports.
func Version() string { return ort.GetVersion() }
