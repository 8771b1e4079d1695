// Package verify checks what a run directory holds without repeating the run.
package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/checkpoint"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/honest"
	"neuralwl/internal/near"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/setup"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Limits of Run.
const (
	// verifyNormalisation is how far ln of the sum of g may be from N ln q, per site:
	// dos.csv holds ln g in full precision.
	verifyNormalisation = 1e-9
	// verifySigmas is how many standard errors ln g(E_min) may be off.
	verifySigmas = 4
	// verifyStates is the number of proposals for which that is done.
	verifyStates = 16
)

// verifier checks one run directory.
type verifier struct {
	folder string
	checks []report.Check
	c      *config.Config
	system lattice.System
	states [][]uint8 // configurations found in a checkpoint
}

// Run checks everything in a run directory that can be checked without repeating
// the run: the configuration, the density of states, the checkpoints with the
// energies of all their configurations, the bundles with their digests, the latest
// network's ln q against an evaluation in pure Go and double precision, and that its
// draws follow it. It returns one Check for each; the error is about the directory itself.
func Run(folder string) ([]report.Check, error) {
	v := &verifier{folder: folder}
	data, err := os.ReadFile(filepath.Join(folder, report.ConfigFile))
	if err != nil {
		return nil, fmt.Errorf("verify %s: there is no run in it: %w%s", folder, err, near.AskPath(folder))
	}
	v.c, err = config.Parse(data)
	if err == nil {
		v.system, err = v.c.System.New()
	}
	if v.check(report.ConfigFile, err, "%v", v.system) {
		v.density()
		v.temperatures()
		v.checkpoints()
		v.bundles()
		v.swaps()
	}
	return v.checks, nil
}

// check notes that something holds, with a detail, or the error why it does not.
func (v *verifier) check(name string, err error, detail string, a ...any) bool {
	if err != nil {
		detail, a = "%v", []any{err}
	}
	v.checks = append(v.checks, report.Check{Name: name, Passed: err == nil, Detail: fmt.Sprintf(detail, a...)})
	return err == nil
}

// density checks dos.csv and summary.json.
func (v *verifier) density() {
	path := filepath.Join(v.folder, report.DensityFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		v.check(report.DensityFile, nil, "not there: the run has not ended yet")
		return
	}
	d, seen, err := v.read(path)
	if !v.check(report.DensityFile, err, "%d levels", seen) {
		return
	}
	s, err := report.ReadSummary(filepath.Join(v.folder, report.SummaryFile))
	if err == nil && (s.System.Name != v.system.String() || s.Levels.Seen != seen) {
		err = fmt.Errorf("it is about %s with %d levels, the run is %s with %d", s.System, s.Levels.Seen, v.system, seen)
	}
	evaluation := run.Evaluation(v.c)
	v.normalisation(d, evaluation)
	switch {
	case !evaluation.Ground:
	case s != nil && s.Interrupted != "" && len(s.Levels.Unproduced) == seen:
		v.check(groundCheck, nil, "not yet known: the run was interrupted before production")
	default:
		v.ground(d)
	}
	if err != nil {
		s = &report.Summary{}
	}
	v.check(report.SummaryFile, err, "converged: %v", s.Verdict.Converged)
}

// groundCheck is the name of the check of the ground state.
const groundCheck = "ground state"

// normalisation checks the sum of g.
func (v *verifier) normalisation(d *dos.Density, e report.Evaluation) {
	const name = "normalisation"
	total := dos.LogSumExp(d.LnG)
	if e.LnTotal == nil {
		v.check(name, nil, "none, as ln g is absolute; ln of the sum of g is %.6f, N ln q = %.6f", total, v.system.LnStates())
		return
	}
	want := e.LnTotal(v.system)
	var err error
	if !(math.Abs(total-want) <= verifyNormalisation*float64(v.system.Sites())) {
		err = fmt.Errorf("ln of the sum of g is %.9f, must be %.9f", total, want)
	}
	v.check(name, err, "ln of the sum of g is %.6f", want)
}

// ground checks ln g of the ground state.
func (v *verifier) ground(d *dos.Density) {
	const name = groundCheck
	ground, known := v.system.Energy(v.system.GroundLevel()), v.system.LnGroundStates()
	switch {
	case !lattice.GroundKnown(v.system):
		v.check(name, nil, "not known for this system; the lowest energy is %g", d.Energy[0])
	case d.Energy[0] != ground:
		v.check(name, fmt.Errorf("energy %g is not in %s", ground, report.DensityFile), "")
	case d.Error == nil || math.IsNaN(d.Error[0]):
		v.check(name, fmt.Errorf("ln g = %.4f has no error bar, known is %.4f", d.LnG[0], known), "")
	case d.Error[0] == 0: // the estimate was given it
		var err error
		if !(math.Abs(d.LnG[0]-known) <= verifyNormalisation*float64(v.system.Sites())) {
			err = fmt.Errorf("ln g = %.9f without an error, known is %.9f", d.LnG[0], known)
		}
		v.check(name, err, "ln g = %.4f, as is known", known)
	default:
		z := (d.LnG[0] - known) / d.Error[0]
		text := fmt.Sprintf("ln g = %.4f(%.4f), known is %.4f: %.1f standard errors", d.LnG[0], d.Error[0], known, z)
		var err error
		if !(math.Abs(z) <= verifySigmas) {
			err = errors.New(text)
		}
		v.check(name, err, "%s", text)
	}
}

// read returns the density of states and how many levels it has, of pairs the sum over the second variable; the
// archive must hold the same ones.
func (v *verifier) read(path string) (d *dos.Density, levels int, err error) {
	if v.c.System.Joint == "" {
		if d, err = dos.ReadFile(path); err != nil {
			return nil, 0, err
		}
		return d, d.Len(), nil
	}
	j, err := dos.Reader{}.ReadJoint(path)
	if err != nil {
		return nil, 0, err
	}
	archive, err := report.LoadJoint(v.folder)
	if err != nil {
		return nil, 0, err
	}
	if difference, err := dos.CompareJoint(j, archive); err != nil || difference.Max > verifyNormalisation || difference.Levels != j.Len() || j.Len() != archive.Len() {
		return nil, 0, fmt.Errorf("%s has other pairs than %s, or other numbers of states", report.ArchiveFile, report.DensityFile)
	}
	return archive.Project(0).Density, j.Len(), nil // with errors, of replicas
}

// checkpoints checks every checkpoint and the energies of the configurations in it.
func (v *verifier) checkpoints() {
	paths, err := checkpoint.Folder{FS: disk.OS, Path: filepath.Join(v.folder, run.CheckpointFolder)}.Paths()
	if err != nil {
		v.check(run.CheckpointFolder, err, "")
	}
	for _, path := range paths {
		i := &run.Inspection{}
		data, err := os.ReadFile(path)
		if err == nil {
			i, err = run.Inspect(data, v.c, v.system)
		}
		if v.check(filepath.Base(path), err, "%s", i) {
			v.states = i.States
		}
	}
}

// bundles checks the digests of every version of the network and of those that it was exchanged
// for, and ln q of the last of both.
func (v *verifier) bundles() {
	versions, err := filepath.Glob(filepath.Join(v.folder, run.ModelsFolder, "*", "*"))
	if err != nil || len(versions) == 0 {
		if v.c.Run.Has(config.NeuralMoves) {
			v.check(run.ModelsFolder, errors.Join(err, errors.New("there is no network")), "")
		}
		return
	}
	exchanged, err := filepath.Glob(filepath.Join(v.folder, run.SwapsFolder, "*"))
	if err != nil {
		v.check(run.SwapsFolder, err, "")
	}
	var last []*exporter.Bundle
	whole := 0
	for _, folders := range [][]string{versions, exchanged} {
		latest, number := (*exporter.Bundle)(nil), 0
		for _, folder := range folders {
			n, err := strconv.Atoi(filepath.Base(folder))
			if err != nil {
				continue
			}
			b, err := exporter.Load(folder)
			if err == nil {
				err = b.Card.CheckSystem(setup.NetworkSystem(v.c))
			}
			if err != nil {
				v.check("bundle", err, "")
				continue
			}
			if whole++; n > number {
				latest, number = b, n
			}
		}
		if latest != nil {
			last = append(last, latest)
		}
	}
	if whole > 0 {
		v.check("bundles", nil, "digests and contract of %d versions", whole)
	}
	for _, b := range last {
		v.network(b)
	}
}

// swaps checks the exchanges of the network on record, and that the copies are those networks.
func (v *verifier) swaps() {
	swaps, err := run.Swaps(v.folder)
	if err == nil && len(swaps) == 0 {
		return
	}
	for _, s := range swaps {
		b, missing := exporter.Load(filepath.Join(v.folder, s.Folder))
		if missing == nil && b.Card.Digest() != s.Digest {
			missing = fmt.Errorf("the network in %s has the digest %s, on record is %s", s.Folder, b.Card.Digest(), s.Digest)
		}
		err = errors.Join(err, missing)
	}
	v.check(report.SwapsFile, err, "%d exchanges of the network, with their copies", len(swaps))
}

// network checks ln q of a bundle and that its draws follow it.
func (v *verifier) network(b *exporter.Bundle) {
	if _, err := inference.Open(v.c.Inference.Library); err != nil && v.c.Inference.Remote() {
		v.check("ln q", nil, "not tested here: a model server evaluated the network, and there is no ONNX Runtime (%v)", err)
		return
	}
	if b.Card.Angles() {
		r, err := honest.CheckAngles(context.Background(), b, honest.AngleOptions{
			Runtime: inference.Runtime{Provider: inference.CPU, Workers: 1}, Seed: v.c.Run.Seed, Beta: v.c.Neural.Coldest,
		})
		v.check("draws", err, "%v", r)
		return
	}
	worst, err := v.logQ(b)
	v.check("ln q", err, "%s version %d: ONNX Runtime and pure Go differ by at most %.1e nats over %d proposals", b.Card.Name, b.Card.Version, worst, verifyStates)
	if err != nil {
		return // a draw's probability is not known then
	}
	draws, err := honest.Check(context.Background(), b, honest.Options{
		System: v.system.(lattice.Symmetric), Runtime: inference.Runtime{Provider: inference.CPU, Workers: 1},
		Part: v.c.Inference.Batch, Seed: v.c.Run.Seed, States: v.states, Thorough: true,
	})
	v.check("draws", err, "%v", draws)
}

// logQ compares ln q of proposals, as sampled and as evaluated by ONNX Runtime, with its
// evaluation in pure Go.
func (v *verifier) logQ(b *exporter.Bundle) (worst float64, err error) {
	if _, err := inference.Open(v.c.Inference.Library); err != nil {
		return 0, err
	}
	store, err := inference.OpenStore(b)
	if err != nil {
		return 0, err
	}
	p, err := inference.NewProposer(b, store, inference.Runtime{Provider: inference.CPU, Workers: 1}, verifyStates, verifyStates)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return honest.Reference(context.Background(), b, p, verifyStates, honest.Options{
		System: v.system.(lattice.Symmetric), Seed: v.c.Run.Seed, States: v.states,
	})
}
