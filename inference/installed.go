package inference

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// packaged is where the Python package onnxruntime, or onnxruntime-gpu, has the library.
const packaged = "onnxruntime/capi"

// installed finds the library that was installed with a program in a folder: beside it, in
// ../lib/nwl, where archives and system packages of nwl have it, or in the Python environment
// whose folder of programs it is. Of several versions in one place it takes the newest. The
// path is empty if there is none.
func installed(folder string) (path, origin string) {
	root := filepath.Dir(folder)
	for _, place := range []string{folder, filepath.Join(root, "lib", "nwl")} {
		if path := newest(place); path != "" {
			return path, "folder " + place + " installed with the program"
		}
	}
	roots := []string{root}
	if base := systemEnvironment(root); base != "" {
		roots = append(roots, base)
	}
	for _, root := range roots {
		places := []string{root} // pip install --target
		for _, pattern := range []string{"lib/python3*/site-packages", "lib64/python3*/site-packages", "lib/python3*/dist-packages", "lib/python3/dist-packages"} {
			places = append(places, glob(root, pattern)...)
		}
		for k, place := range places {
			places[k] = filepath.Join(place, filepath.FromSlash(packaged))
		}
		if path := newest(places...); path != "" {
			return path, "Python environment " + root
		}
	}
	return "", ""
}

// glob lists what in a folder fits a pattern. The folder's own name may have any characters.
func glob(folder, pattern string) []string {
	found := []string{folder}
	for part := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, folder := range found {
			entries, err := os.ReadDir(folder)
			if err != nil {
				continue // it is not there, like most of the places that may have it
			}
			for _, entry := range entries {
				if ok, err := filepath.Match(part, entry.Name()); ok && err == nil {
					next = append(next, filepath.Join(folder, entry.Name()))
				}
			}
		}
		found = next
	}
	return found
}

// newest returns the library of the highest version in any of these folders.
func newest(folders ...string) (path string) {
	base, extension, _ := strings.Cut(libraryName(), ".")
	pattern := libraryName() + "*" // libonnxruntime.so, libonnxruntime.so.1.27.0
	if extension != "so" {
		pattern = base + "*." + extension // libonnxruntime.1.27.0.dylib
	}
	var best []int
	for _, folder := range folders {
		for _, candidate := range glob(folder, pattern) {
			about, err := os.Stat(candidate)
			if err != nil || !about.Mode().IsRegular() {
				continue
			}
			if v := numbers(filepath.Base(candidate)); path == "" || slices.Compare(v, best) > 0 {
				path, best = candidate, v
			}
		}
	}
	return path
}

// numbers are the parts of a file's name that are numbers, its version.
func numbers(name string) []int {
	var v []int
	for part := range strings.SplitSeq(name, ".") {
		if n, err := strconv.Atoi(part); err == nil {
			v = append(v, n)
		}
	}
	return v
}

// systemEnvironment is the environment whose packages a virtual one at root sees too, empty for
// none.
func systemEnvironment(root string) string {
	file, err := os.Open(filepath.Join(root, "pyvenv.cfg"))
	if err != nil {
		return "" // not a virtual environment
	}
	defer file.Close()
	home, sees := "", false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "home":
			home = value
		case "include-system-site-packages":
			sees = strings.EqualFold(value, "true")
		}
	}
	if !sees || home == "" {
		return ""
	}
	return filepath.Dir(home)
}
