// Package pretrained holds the trained networks that come with the program, as bundles in
// zip archives. recipes holds the configuration that trains each; make pretrained runs
// them.
package pretrained

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"neuralwl/internal/near"
	"strings"
)

// Prefix marks the name of a pretrained network where a bundle is expected.
const Prefix = "pretrained/"

// AnyColours is the name of the network that was trained on many numbers of colours, 2 to 20.
const AnyColours = "potts"

//go:embed *.zip
var archives embed.FS

// Names lists the networks, without Prefix.
func Names() []string {
	files, err := fs.Glob(archives, "*.zip")
	if err != nil {
		panic(err) // the pattern is well-formed
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(file, ".zip")
	}
	return names
}

// Open returns the files of the named network, with or without Prefix.
func Open(name string) (fs.FS, error) {
	name = strings.TrimPrefix(name, Prefix)
	data, err := archives.ReadFile(name + ".zip")
	if err != nil {
		return nil, fmt.Errorf("there is no pretrained network %q, there are %s%s", name, strings.Join(Names(), ", "), near.Ask(name, Names()))
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("pretrained network %s: %w", name, err)
	}
	return archive, nil
}
