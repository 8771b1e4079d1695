package exporter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/disk"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// Bundle is a network as stored on disk: a card and two or more ONNX files. Gradient is nil
// for a network that cannot be trained further, by samples, and EnergyGradient for one that cannot be
// by the energies of its draws.
type Bundle struct {
	Card     Card
	Propose  *onnxpb.ModelProto
	LogProb  *onnxpb.ModelProto
	Gradient *onnxpb.ModelProto

	EnergyGradient *onnxpb.ModelProto
	// Records are further files about its training, by name; Save writes them, Load does not
	// read them.
	Records map[string][]byte
}

// NewBundle encodes the graphs of a model with the given weights, which are copied. m must be of
// models.New with the same s and h, which become the card's; the version and the record of the training
// are left to the caller and to Save. It is an error, which names the network, if a graph cannot be built, or
// if weights lacks a parameter of a graph or has it in another type or shape; all such
// weights of a graph are named at once. Weights that no graph has are ignored.
func NewBundle(name string, m models.Model, s models.System, h models.Hyperparameters, weights map[string]graph.Tensor) (*Bundle, error) {
	b := &Bundle{Card: Card{
		Contract:        models.ContractVersion,
		Name:            name,
		Architecture:    m.Architecture(),
		Hyperparameters: h,
		System:          CardSystem{Model: s.Name(), Q: s.Q, Size: slices.Clone(s.Sides)},
		Conditions:      m.Conditions(),
		Symmetries:      m.Symmetries(),
	}}
	if m, ok := m.(models.Unnormalised); ok {
		b.Card.Unnormalised, b.Card.Uniforms = true, m.Uniforms()
	}
	type part struct {
		build func() (*graph.Graph, error)
		model **onnxpb.ModelProto
	}
	parts := []part{{m.Propose, &b.Propose}, {m.LogProb, &b.LogProb}, {m.Gradient, &b.Gradient}}
	if m, ok := m.(models.ByEnergy); ok {
		parts = append(parts, part{m.EnergyGradient, &b.EnergyGradient})
	}
	if s.Angles() {
		b.Card.Contract, b.Card.State = models.AngleContractVersion, AngleState
	}
	for _, part := range parts {
		g, err := part.build()
		if err != nil {
			return nil, fmt.Errorf("build %s: %w", name, err)
		}
		if *part.model, err = Encode(g, weights); err != nil {
			return nil, fmt.Errorf("build %s: %w", name, err)
		}
	}
	return b, nil
}

// NewUntrained is NewBundle with initial weights drawn from r.
func NewUntrained(name, architecture string, s models.System, h models.Hyperparameters, r *rand.Rand) (*Bundle, error) {
	m, err := models.New(architecture, s, h)
	if err != nil {
		return nil, err
	}
	return NewBundle(name, m, s, h, m.Initial(r))
}

// parts lists the models of the bundle by file name.
func (b *Bundle) parts() map[string]*onnxpb.ModelProto {
	parts := map[string]*onnxpb.ModelProto{ProposeFile: b.Propose, LogProbFile: b.LogProb}
	if b.Gradient != nil {
		parts[GradientFile] = b.Gradient
	}
	if b.EnergyGradient != nil {
		parts[EnergyGradientFile] = b.EnergyGradient
	}
	return parts
}

// Weights returns the weights of the network from all its files. A weight must be the same in
// every file that has it.
func (b *Bundle) Weights() (map[string]graph.Tensor, error) {
	all := map[string]graph.Tensor{}
	for file, model := range b.parts() {
		weights, err := Weights(model)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for name, t := range weights {
			if !t.Finite() {
				return nil, fmt.Errorf("%s: weight %q holds a NaN or an infinity; take an earlier version of the bundle", file, name)
			}
			have, ok := all[name]
			if ok && (have.DType != t.DType || !have.Shape.Equal(t.Shape)) {
				return nil, fmt.Errorf("%s: weight %q is %v here and %v in another file of the bundle", file, name, t, have)
			}
			if ok && !reflect.DeepEqual(have, t) {
				return nil, fmt.Errorf("%s: weight %q has other elements here than in another file of the bundle", file, name)
			}
			all[name] = t
		}
	}
	return all, nil
}

// SetWeights replaces the weights in all files of the bundle.
func (b *Bundle) SetWeights(weights map[string]graph.Tensor) error {
	for file, model := range b.parts() {
		if err := SetWeights(model, weights); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// Transfer replaces the weights in all files of the bundle by those of a network made for
// another system. This requires an architecture whose weights do not depend on the system.
// The error names every weight that does not fit; the bundle is then unchanged.
func (b *Bundle) Transfer(weights map[string]graph.Tensor) error {
	own, err := b.Weights()
	if err != nil {
		return err
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if t, ok := weights[name]; !ok {
			faults = append(faults, fmt.Errorf("weight %q is missing", name))
		} else if err := checkWeight(t, own[name].DType, own[name].Shape); err != nil {
			faults = append(faults, fmt.Errorf("weight %q: %w", name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if _, ok := own[name]; !ok {
			faults = append(faults, fmt.Errorf("weight %q is unknown here", name))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("weights do not fit bundle %s (%s, %v): %w; begin with a network of the same architecture and hyper-parameters",
			b.Card.Name, b.Card.Architecture, b.Card.System.System(), errors.Join(faults...))
	}
	return b.SetWeights(weights)
}

// KeepsSites reports whether proposals can keep the sites before start.
func (b *Bundle) KeepsSites() bool {
	return byName(b.Propose.GetGraph().GetInput())[models.State] != nil
}

// Save writes the bundle as the next version of its name below the folder repository and
// returns its folder, repository/name/version. The version appears under that path only when
// it is complete and on disk; after an error nothing is left of it.
func (b *Bundle) Save(f disk.FS, repository string) (folder string, err error) {
	parent := filepath.Join(repository, b.Card.Name)
	defer func() {
		if err != nil {
			err = fmt.Errorf("save bundle %s: %w; nothing was kept of it", parent, err)
		}
	}()
	if err := f.MkdirAll(parent); err != nil {
		return "", err
	}
	versions, err := Versions(os.DirFS(parent))
	if err != nil {
		return "", err
	}
	card := b.Card
	card.Version = 1
	if len(versions) > 0 {
		card.Version = versions[len(versions)-1] + 1
	}
	files, err := b.encode(&card)
	if err != nil {
		return "", err
	}
	folder = filepath.Join(parent, strconv.Itoa(card.Version))
	if err := disk.WriteFolder(f, folder, files); err != nil {
		return "", err
	}
	b.Card = card
	return folder, nil
}

// Files are the bundle's files by name, as Save writes them.
func (b *Bundle) Files() (map[string][]byte, error) {
	card := b.Card
	return b.encode(&card)
}

// encode makes the files of the bundle with a card, to which it adds their digests.
func (b *Bundle) encode(card *Card) (files map[string][]byte, err error) {
	card.SHA256 = map[string]string{}
	files = map[string][]byte{}
	for name, model := range b.parts() {
		if files[name], err = Marshal(model); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		card.SHA256[name] = digest(files[name])
	}
	for name, record := range b.Records {
		files[name] = record
		card.SHA256[name] = digest(record)
	}
	data, err := json.MarshalIndent(card, "", "  ")
	if err != nil {
		return nil, err
	}
	files[CardFile] = append(data, '\n')
	return files, nil
}

// ReadFiles reads the files of the bundle at path, found as Load does, as they are: the card and
// all that it names. A copy of them is what Load then checks.
func ReadFiles(path string) (map[string][]byte, error) { return ReadFilesFS(os.DirFS(path), path) }

// ReadFilesFS is ReadFiles from the root of another file system; name appears in messages.
func ReadFilesFS(files fs.FS, name string) (_ map[string][]byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read bundle %s: %w", name, err)
		}
	}()
	version, err := locate(files)
	if err != nil {
		return nil, err
	}
	if version == "" {
		version = "."
	}
	if files, err = fs.Sub(files, version); err != nil {
		return nil, err
	}
	read := map[string][]byte{}
	take := func(file string) error {
		// A pipe would be waited for.
		about, err := fs.Stat(files, file)
		if err == nil && !about.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a file", file)
		}
		if err == nil {
			read[file], err = fs.ReadFile(files, file)
		}
		return err
	}
	if err := take(CardFile); err != nil {
		return nil, err
	}
	card, err := ParseCard(read[CardFile])
	if err != nil {
		return nil, err
	}
	for file := range card.SHA256 {
		if err := take(file); err != nil {
			return nil, err
		}
	}
	return read, nil
}

// Load reads the bundle at path: a folder with a card, or a folder of versions, of which it
// takes the highest. It checks every file against its digest and the contract before use.
func Load(path string) (*Bundle, error) { return load(os.DirFS(path), path) }

// LoadFS is Load from the root of another file system; name appears in messages.
func LoadFS(files fs.FS, name string) (*Bundle, error) { return load(files, name) }

func load(files fs.FS, name string) (*Bundle, error) {
	version, err := locate(files)
	if err != nil {
		return nil, fmt.Errorf("load bundle %s: %w", name, err)
	}
	if version != "" {
		if files, err = fs.Sub(files, version); err != nil {
			return nil, fmt.Errorf("load bundle %s: %w", name, err)
		}
		name = filepath.Join(name, version)
	}
	return read(func(file string) ([]byte, error) { return fs.ReadFile(files, file) }, name)
}

// LoadFiles is Load from the contents of the files of one version; name appears in messages.
func LoadFiles(files map[string][]byte, name string) (*Bundle, error) {
	return read(func(file string) ([]byte, error) {
		data, ok := files[file]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: file, Err: fs.ErrNotExist}
		}
		return data, nil
	}, name)
}

// read builds a bundle from its files.
func read(readFile func(file string) ([]byte, error), name string) (b *Bundle, err error) {
	defer func() {
		if err != nil {
			b, err = nil, fmt.Errorf("load bundle %s: %w", name, err)
		}
	}()
	data, err := readFile(CardFile)
	if err != nil {
		return nil, err
	}
	card, err := ParseCard(data)
	if err != nil {
		return nil, err
	}
	b = &Bundle{Card: *card}
	for file, model := range map[string]**onnxpb.ModelProto{
		ProposeFile: &b.Propose, LogProbFile: &b.LogProb, GradientFile: &b.Gradient, EnergyGradientFile: &b.EnergyGradient,
	} {
		if card.SHA256[file] == "" || file == EnergyGradientFile && !card.Angles() {
			continue // the gradients are optional
		}
		if *model, err = readModel(readFile, file, card.SHA256[file]); err != nil {
			return nil, err
		}
	}
	if err := b.checkContract(); err != nil {
		return nil, err
	}
	_, err = b.Weights()
	return b, err
}

// readModel reads one ONNX file of a bundle.
func readModel(readFile func(file string) ([]byte, error), file, want string) (*onnxpb.ModelProto, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	if err := CheckDigest(file, data, want); err != nil {
		return nil, err
	}
	model, err := Unmarshal(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return model, nil
}

// CheckDigest returns an error unless data has the sha256 that the card states for a file.
func CheckDigest(file string, data []byte, want string) error {
	if got := digest(data); !strings.EqualFold(got, want) {
		return fmt.Errorf("%s: its sha256 is %s, the card says %s: the file is damaged or was changed; take another version or copy the bundle again", file, got, want)
	}
	return nil
}

// locate returns the folder of the highest version, empty if the card is right here.
func locate(files fs.FS) (string, error) {
	if _, err := fs.Stat(files, CardFile); err == nil {
		return "", nil
	}
	versions, err := Versions(files)
	if err != nil {
		return "", err
	}
	if len(versions) == 0 {
		return "", fmt.Errorf("there is neither a %s nor a numbered version in it", CardFile)
	}
	return strconv.Itoa(versions[len(versions)-1]), nil
}

// Versions lists the numbered folders of a bundle, ascending.
func Versions(files fs.FS) ([]int, error) {
	entries, err := fs.ReadDir(files, ".")
	if missing := (&fs.PathError{}); errors.As(err, &missing) && missing.Path == "." {
		return nil, missing.Err // the path that the caller knows is not "."
	}
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		if v, err := strconv.Atoi(entry.Name()); err == nil && v > 0 && entry.IsDir() {
			found = append(found, v)
		}
	}
	slices.Sort(found) // ReadDir sorts by name, in which 10 precedes 9
	return found, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
