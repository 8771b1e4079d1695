// Package bundle is about bundles on disk as such: where they are, what they hold, whether they
// are sound, and how other programs get them.
package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"neuralwl/exporter"
	"neuralwl/internal/setup"
	"neuralwl/internal/training"
	"neuralwl/models/pretrained"
	"neuralwl/trainer"
)

// Found is a bundle, or a folder with versions of one.
type Found struct {
	// Path is that of the folder, or the name of a network that comes with the program.
	Path     string `json:"path"`
	Versions []int  `json:"versions,omitempty"` // ascending; none where the card is right there
	// Card is that of the highest version; nil with a Fault.
	Card  *exporter.Card `json:"card,omitempty"`
	Bytes int64          `json:"bytes"` // of the files that the card names
	Fault string         `json:"fault,omitempty"`
}

// Pretrained lists the networks that come with the program.
func Pretrained() []Found {
	var all []Found
	for _, name := range pretrained.Names() {
		name = pretrained.Prefix + name
		files, err := pretrained.Open(name)
		if err != nil {
			all = append(all, Found{Path: name, Fault: err.Error()})
			continue
		}
		all = append(all, describe(files, name, nil))
	}
	return all
}

// Find lists the bundles in a folder and below, by path. Run directories, repositories and bundles
// are such folders. Hidden folders and links are left out.
func Find(folder string) ([]Found, error) {
	byFolder := map[string][]int{} // numbered versions
	var all []Found
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if path == folder {
				return err
			}
			all = append(all, Found{Path: path, Fault: err.Error()})
			return fs.SkipDir
		}
		if !entry.IsDir() {
			return nil
		}
		if path != folder && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if _, err := os.Lstat(filepath.Join(path, exporter.CardFile)); err != nil {
			return nil
		}
		if version, ok := asVersion(entry.Name()); ok && path != folder {
			parent := filepath.Dir(path)
			byFolder[parent] = append(byFolder[parent], version)
		} else {
			all = append(all, describe(os.DirFS(path), path, nil))
		}
		return fs.SkipDir
	})
	if err != nil {
		return nil, err
	}
	for parent, versions := range byFolder {
		slices.Sort(versions)
		highest := filepath.Join(parent, fmt.Sprint(versions[len(versions)-1]))
		all = append(all, describe(os.DirFS(highest), parent, versions))
	}
	slices.SortFunc(all, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func asVersion(name string) (version int, ok bool) {
	_, err := fmt.Sscan(name, &version)
	return version, err == nil && version > 0 && fmt.Sprint(version) == name
}

// describe reads a card and what files there are.
func describe(files fs.FS, path string, versions []int) Found {
	f := Found{Path: path, Versions: versions}
	data, err := fs.ReadFile(files, exporter.CardFile)
	if err == nil {
		f.Card, err = exporter.ParseCard(data)
	}
	if err != nil {
		f.Fault = err.Error()
		return f
	}
	for file := range f.Card.SHA256 {
		about, err := fs.Stat(files, file)
		if err != nil {
			f.Card, f.Fault = nil, err.Error()
			return f
		}
		f.Bytes += about.Size()
	}
	return f
}

// Description is all that a bundle says of itself.
type Description struct {
	Path   string         `json:"path"`
	Card   *exporter.Card `json:"card"`
	Digest string         `json:"digest"` // identifies the network, whatever its name and version
	Bytes  map[string]int `json:"bytes"`  // by file
	// Losses are the gradient steps of its training, one of every so many, and Evaluation what it
	// then had learned, by energy. None where the bundle has no such record.
	Losses     []Loss  `json:"losses,omitempty"`
	Evaluation []Level `json:"evaluation,omitempty"`
	// Versions are the steps and losses of all versions in the same folder, which a run exported
	// one after the other; none for a bundle without.
	Versions []Version `json:"versions,omitempty"`
}

// Loss is a gradient step. Numbers that were not finite are nil.
type Loss struct {
	Step    int64    `json:"step"`
	Size    string   `json:"size"` // of the lattice
	Seconds float64  `json:"seconds"`
	Loss    *float64 `json:"loss"` // nats
	Norm    *float64 `json:"gradient_norm"`
	Rate    float64  `json:"learning_rate"`
}

// Level is what a network knows of one energy, see training.LevelEvaluation; nil where it was
// never met.
type Level struct {
	Energy         float64  `json:"energy"`
	States         int      `json:"states"`
	KL             *float64 `json:"kl"` // nats
	Proposals      int      `json:"proposals"`
	HitRate        *float64 `json:"hit_rate"`
	EffectiveShare *float64 `json:"effective_share"`
}

// Version is one of several versions of a network.
type Version struct {
	Version int     `json:"version"`
	Steps   int64   `json:"steps"`
	Loss    float64 `json:"loss"` // mean of the last steps, in nats; 0 if never trained
	Seconds float64 `json:"seconds"`
	Fault   string  `json:"fault,omitempty"`
}

// Describe reads a bundle: a folder with a card, a folder of versions, of which it takes the
// highest, or a network that comes with the program. Its files are not checked.
func Describe(path string) (*Description, error) {
	files, err := setup.BundleFiles(path)
	if err != nil {
		return nil, err
	}
	card, err := exporter.ParseCard(files[exporter.CardFile])
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", path, err)
	}
	d := &Description{Path: path, Card: card, Digest: card.Digest(), Bytes: map[string]int{}}
	for name, data := range files {
		d.Bytes[name] = len(data)
	}
	if err := d.readRecords(files); err != nil {
		return nil, fmt.Errorf("bundle %s: %w", path, err)
	}
	if !strings.HasPrefix(path, pretrained.Prefix) {
		d.readVersions(path)
	}
	return d, nil
}

// readRecords reads what training has left.
func (d *Description) readRecords(files map[string][]byte) error {
	if data, ok := files[trainer.LossFile]; ok {
		rows, err := trainer.ReadLossTable(data)
		if err != nil {
			return err
		}
		for _, r := range rows {
			d.Losses = append(d.Losses, Loss{r.Step, r.Size, r.Seconds, known(r.Loss), known(r.Norm), r.Rate})
		}
	}
	if data, ok := files[training.EvaluationFile]; ok {
		levels, err := training.ReadEvaluation(data)
		if err != nil {
			return err
		}
		for _, l := range levels {
			d.Evaluation = append(d.Evaluation, Level{l.Energy, l.States, known(l.KL), l.Proposals, known(l.HitRate), known(l.EffectiveShare)})
		}
	}
	return nil
}

// readVersions lists the versions in a folder of several.
func (d *Description) readVersions(path string) {
	root := os.DirFS(path)
	if _, err := fs.Stat(root, exporter.CardFile); err == nil {
		return
	}
	versions, err := exporter.Versions(root)
	if err != nil {
		return // it has been read before
	}
	for _, v := range versions {
		f := describe(os.DirFS(filepath.Join(path, fmt.Sprint(v))), path, nil)
		row := Version{Version: v, Fault: f.Fault}
		if f.Card != nil {
			row.Steps, row.Loss, row.Seconds = f.Card.Training.Steps, f.Card.Training.Loss, f.Card.Training.Seconds
		}
		d.Versions = append(d.Versions, row)
	}
}

// known is a number, nil if it is not finite.
func known(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// errNothing is the error of drawing a bundle that has no records.
var errNothing = errors.New("it holds neither a record of its training nor an evaluation, and has no earlier versions beside it; there is nothing to draw")
