package bundle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/inference"
	"neuralwl/internal/honest"
	"neuralwl/internal/report"
	"neuralwl/internal/repository"
	"neuralwl/internal/setup"
)

// compared is the number of proposals whose ln q is also evaluated in pure Go.
const compared = 8

// Verify checks a bundle, which is found as Describe finds it: the digests of all files, the contract
// with the versions of the operators, the system of colours, ln q as sampled and as evaluated against pure
// Go, and that draws follow ln q. The error is about the bundle as a whole, that its card cannot be
// read. library is that of ONNX Runtime, empty to search for it.
func Verify(ctx context.Context, path, library string) ([]report.Check, error) {
	files, err := setup.BundleFiles(path)
	if err != nil {
		return nil, err
	}
	card, err := exporter.ParseCard(files[exporter.CardFile])
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", path, err)
	}
	v := &verifier{}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(card.SHA256)) {
		faults = append(faults, exporter.CheckDigest(name, files[name], card.SHA256[name]))
	}
	if !v.check("digests", errors.Join(faults...), "of %d files; that of the network is %s", len(card.SHA256), card.Digest()) {
		return v.checks, nil // what a damaged file says means nothing
	}
	b, err := exporter.LoadFiles(files, path)
	if !v.check("contract", err, "version %d, conditions %v, %s", card.Contract, card.Conditions, operators(b)) {
		return v.checks, nil
	}
	if card.Angles() {
		v.checkAngles(ctx, b, library)
		return v.checks, ctx.Err()
	}
	system, err := repository.SystemOf(card)
	if !v.check("system", err, "%v", card.System.System()) {
		return v.checks, nil
	}
	if _, err := inference.Open(library); err != nil {
		v.check("ln q", err, "")
		return v.checks, nil
	}
	r := inference.Runtime{Provider: inference.CPU, Workers: 1}
	o := honest.Options{System: system, Runtime: r, Part: honest.Rows, Seed: 1, Thorough: true}
	worst, err := reference(ctx, b, o)
	if !v.check("ln q", err, "sampled, evaluated by ONNX Runtime and in pure Go: at most %.1e nats apart over %d proposals", worst, compared) {
		return v.checks, nil // a draw's probability is not known then
	}
	draws, err := honest.Check(ctx, b, o)
	v.check("draws", err, "%v", draws)
	return v.checks, ctx.Err()
}

// coldest is the largest inverse temperature at which networks of angles are tested.
const coldest = 1.5

// checkAngles makes the checks of a network of angles that follow the contract.
func (v *verifier) checkAngles(ctx context.Context, b *exporter.Bundle, library string) {
	if _, err := inference.Open(library); err != nil {
		v.check("ln q", err, "")
		return
	}
	r, err := honest.CheckAngles(ctx, b, honest.AngleOptions{Runtime: inference.Runtime{Provider: inference.CPU, Workers: 1}, Seed: 1, Beta: coldest})
	v.check("draws", err, "%v", r)
}

// verifier collects checks.
type verifier struct{ checks []report.Check }

// check notes that something holds, with a detail, or the error why it does not.
func (v *verifier) check(name string, err error, detail string, a ...any) bool {
	if err != nil {
		detail, a = "%v", []any{err}
	}
	v.checks = append(v.checks, report.Check{Name: name, Passed: err == nil, Detail: fmt.Sprintf(detail, a...)})
	return err == nil
}

// reference compares ln q with its evaluation in pure Go.
func reference(ctx context.Context, b *exporter.Bundle, o honest.Options) (worst float64, err error) {
	store, err := inference.OpenStore(b)
	if err != nil {
		return 0, err
	}
	p, err := inference.NewProposer(b, store, o.Runtime, compared, compared)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return honest.Reference(ctx, b, p, compared, o)
}

// operators names the operator sets of a bundle's files, and whether this program wrote them.
func operators(b *exporter.Bundle) string {
	if b == nil {
		return ""
	}
	var sets []string
	for _, model := range []*onnxpb.ModelProto{b.Propose, b.LogProb, b.Gradient, b.EnergyGradient} {
		for _, set := range model.GetOpsetImport() {
			if text := fmt.Sprint(set.GetVersion()); !slices.Contains(sets, text) {
				sets = append(sets, text)
			}
		}
	}
	text := "operator set " + strings.Join(sets, ", ")
	if b.Own() {
		return text + ", graphs as this program writes them"
	}
	return text + ", graphs of another program"
}
