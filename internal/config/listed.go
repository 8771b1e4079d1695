package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/lattice/lists"
)

// maxCouplings bounds couplings in bytes, each line with what YAML and JSON add to it: some fifty
// thousand of them. A configuration goes over the network and into a queue as one message, of a megabyte at most.
const maxCouplings = 900 << 10

// perLine is what indentation and the end of a line take.
const perLine = 9

// readCouplings puts the couplings of system.file into system.couplings, so that a configuration is
// complete wherever it goes.
func readCouplings(v *viper.Viper) error {
	path := v.GetString("system.file")
	if path == "" {
		return nil
	}
	if v.GetString(couplingsKey) != "" {
		return fmt.Errorf("system.file: %s and system.couplings are both given; leave one of them out, as by --set system.couplings=", path)
	}
	title, list, err := ReadCouplings(path)
	if err != nil {
		return err
	}
	v.Set(couplingsKey, list)
	v.Set("system.file", "")
	if v.GetString("system.title") == "" {
		v.Set("system.title", title)
	}
	return nil
}

// ReadCouplings reads the couplings of a file, as they stand in system.couplings, with a title made of its name.
func ReadCouplings(path string) (title, couplings string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", fmt.Errorf("system.file: %w", err)
	}
	defer f.Close()
	const most = 4 * maxCouplings // numbers may be written at length
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", "", fmt.Errorf("system.file: %w", err)
	}
	if len(text) > most {
		return "", "", fmt.Errorf("system.file: %s is larger than %d bytes", path, most)
	}
	list, err := lists.Parse(string(text))
	if err != nil {
		return "", "", fmt.Errorf("system.file: %s:\n%w", path, err)
	}
	return titleOf(path), list.String(), nil
}

// refuseFile is readCouplings for a configuration that comes from elsewhere.
func refuseFile(v *viper.Viper) error {
	if path := v.GetString("system.file"); path != "" {
		return fmt.Errorf("system.file: %s is not read here; put its couplings into system.couplings", path)
	}
	return nil
}

// WithCouplings returns assignments that go with YAML to another process, with the couplings in the place
// of the file that YAML or assignments name.
func WithCouplings(text []byte, assignments []string) ([]string, error) {
	s, err := gather(Default, text, "the configuration", nil, assignments)
	if err != nil || s.values.GetString("system.file") == "" {
		return assignments, nil // whoever reads the configuration finds its faults
	}
	if err := readCouplings(s.values); err != nil {
		return nil, fmt.Errorf("configuration:\n%w", err)
	}
	assignments = slices.DeleteFunc(slices.Clone(assignments), func(a string) bool { return strings.HasPrefix(a, "system.file=") })
	if Given(text, assignments, "system.file") != "" {
		assignments = append(assignments, "system.file=")
	}
	for _, key := range []string{"system.title", couplingsKey} {
		assignments = append(assignments, key+"="+s.values.GetString(key))
	}
	return assignments, nil
}

// titleCharacters are those of titles, which become part of folders' names.
const titleCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_"

// titleOf makes a title of the path of a file.
func titleOf(path string) string {
	name := filepath.Base(path)
	name = strings.TrimSuffix(name, filepath.Ext(name))
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(titleCharacters, r) {
			return r
		}
		return '_'
	}, strings.ToLower(name))
}

func checkTitle(title string) error {
	if strings.Trim(title, titleCharacters) != "" {
		return fmt.Errorf("%q: a name of the characters %s is needed", title, titleCharacters)
	}
	return nil
}

// title of a system of model File.
func (s System) title() string { return cmp.Or(s.Title, "listed") }

// listed is the description of a system of model File.
func (s System) listed() (lattice.Listed, error) {
	list, err := lists.Parse(s.Couplings)
	if err != nil {
		return lattice.Listed{}, err
	}
	return lattice.Listed{
		Name: fmt.Sprintf("%s %s %s", s.title(), s.Interaction, s.digest()), List: list, Interaction: lattice.Interaction(s.Interaction),
		Colours: s.Q, Energies: s.Energies, Bin: s.Bin, Sides: s.Size,
	}, nil
}

// digest tells lists apart that have the same title.
func (s System) digest() string {
	sum := sha256.Sum256(fmt.Append(nil, s.Couplings, s.Energies))
	return hex.EncodeToString(sum[:4])
}

// validateListed reports what is wrong with a system of model File.
func (s System) validateListed(fault func(key, format string, a ...any)) {
	if s.Couplings == "" {
		fault("system.file", "system.model file needs a file with couplings, as in --set system.file=couplings.csv")
		return
	}
	if n := len(s.Couplings) + perLine*strings.Count(s.Couplings, "\n"); n > maxCouplings {
		fault(couplingsKey, "they take %d bytes, at most %d are supported; take fewer couplings, or ones of fewer digits", n, maxCouplings)
		return
	}
	l, err := s.listed()
	if err != nil {
		fault(couplingsKey, "\n%v", err)
		return
	}
	system, err := lattice.NewListed(l)
	if err != nil {
		fault(couplingsKey, "%v", err)
	} else if q := system.Colours(); s.Q != q {
		fault("system.q", "%d contradicts the couplings, whose sites have %d colours; leave system.q out", s.Q, q)
	}
}

// defaultsOfList sets what follows from the couplings unless it was given.
func defaultsOfList(v *viper.Viper, given map[string]bool) {
	list, err := lists.Parse(v.GetString(couplingsKey))
	if err != nil {
		return // Validate says so
	}
	if !given["system.size"] {
		v.Set("system.size", []int{list.Sites})
	}
	if given["system.q"] {
		return
	}
	switch v.GetString("system.interaction") {
	case string(lattice.TableInteraction):
		if table, ok := v.Get("system.energies").([]any); ok && len(table) > 0 {
			v.Set("system.q", len(table))
		}
	case string(lattice.PottsInteraction):
	default:
		v.Set("system.q", 2)
	}
}
