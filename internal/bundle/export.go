package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/disk"
	"neuralwl/internal/repository"
	"neuralwl/internal/setup"
)

// archiveSuffix is how the names of archives end.
const archiveSuffix = ".tar.gz"

// IsArchive reports whether a path is that of an archive, by its name.
func IsArchive(path string) bool {
	return strings.HasSuffix(path, archiveSuffix) || strings.HasSuffix(path, ".tgz")
}

// Files are the files of a bundle, found as Describe finds it, after a check of digests and
// contract. With sides, they are those of the same network for a lattice of that size.
func Files(path string, sides []int) (*exporter.Bundle, map[string][]byte, error) {
	files, err := setup.BundleFiles(path)
	if err != nil {
		return nil, nil, err
	}
	b, err := exporter.LoadFiles(files, path)
	if err != nil {
		return nil, nil, err
	}
	if sides == nil {
		for name, sum := range b.Card.SHA256 {
			if err := exporter.CheckDigest(name, files[name], sum); err != nil {
				return nil, nil, fmt.Errorf("bundle %s: %w", path, err)
			}
		}
		return b, files, nil
	}
	card := b.Card
	card.System.Size = sides
	if !card.Angles() { // of which the network knows what lattices fit
		_, err = repository.SystemOf(&card)
	}
	if err == nil {
		b, err = setup.Rebuild(b, b.Card.System.System().Q, sides)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("bundle %s: %w", path, err)
	}
	b.Card.Version = 1
	files, err = b.Files()
	return b, files, err
}

// Export writes the files of a bundle into an archive, or else a folder, neither of which may exist.
func Export(files map[string][]byte, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("export bundle: %s exists already; choose another name", path)
	}
	var err error
	if IsArchive(path) {
		var buf bytes.Buffer
		if err = repository.WriteArchive(&buf, files); err == nil {
			err = disk.WriteFile(disk.OS, path, buf.Bytes())
		}
	} else {
		err = disk.WriteFolder(disk.OS, path, files)
	}
	if err != nil {
		return fmt.Errorf("export bundle: %w", err)
	}
	return nil
}

// ExportTriton writes the two networks of a bundle into a repository of Triton's, as the models
// NAME.propose and NAME.log_prob with the version of the card, and returns their folders. Other
// versions in it stay. The weights are constants, so that requests are what the contract says.
func ExportTriton(b *exporter.Bundle, name, folder string) (models []string, err error) {
	if err := repository.CheckName(name); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("export bundle for Triton: %w", err)
		}
	}()
	version := fmt.Sprint(max(1, b.Card.Version))
	parts := []struct {
		name  string
		model *onnxpb.ModelProto
	}{{name + ".propose", b.Propose}, {name + ".log_prob", b.LogProb}}
	for _, part := range parts {
		if path := filepath.Join(folder, part.name, version); exists(path) {
			return nil, fmt.Errorf("%s exists already; choose another folder or name", path)
		}
	}
	for _, part := range parts {
		file, err := tritonFile(part.model)
		if err != nil {
			return nil, err
		}
		text, err := tritonConfig(part.name, b.Inputs(part.model), b.Outputs(part.model))
		if err != nil {
			return nil, err
		}
		path := filepath.Join(folder, part.name)
		if err := disk.OS.MkdirAll(path); err != nil {
			return nil, err
		}
		if err := disk.WriteFolder(disk.OS, filepath.Join(path, version), map[string][]byte{"model.onnx": file}); err != nil {
			return nil, err
		}
		if err := disk.WriteFile(disk.OS, filepath.Join(path, "config.pbtxt"), text); err != nil {
			return nil, err
		}
		models = append(models, path)
	}
	return models, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// tritonFile is a model as Triton takes it.
func tritonFile(model *onnxpb.ModelProto) ([]byte, error) {
	return exporter.Marshal(exporter.WithoutWeightInputs(model))
}

// tritonTypes are Triton's names of element types.
var tritonTypes = map[string]string{"FLOAT": "TYPE_FP32", "INT32": "TYPE_INT32"}

// tritonConfig is config.pbtxt of a model: a ModelConfig in the text format of protocol buffers. The
// shapes include the batch (max_batch_size 0), as start and energy have no other dimension.
func tritonConfig(name string, inputs, outputs []exporter.Tensor) ([]byte, error) {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "name: %q\nbackend: \"onnxruntime\"\ndefault_model_filename: \"model.onnx\"\nmax_batch_size: 0\nversion_policy { all { } }\n", name)
	for _, list := range []struct {
		field   string
		tensors []exporter.Tensor
	}{{"input", inputs}, {"output", outputs}} {
		for _, t := range list.tensors {
			kind, ok := tritonTypes[t.Type]
			if !ok {
				return nil, fmt.Errorf("%s %q has the element type %s, which the contract does not have", list.field, t.Name, t.Type)
			}
			dims := strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Shape(-1)), "[]"), " ", ", ")
			fmt.Fprintf(&buf, "%s { name: %q data_type: %s dims: [ %s ] }\n", list.field, t.Name, kind, dims)
		}
	}
	return buf.Bytes(), nil
}
