package ensemble

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"neuralwl/internal/config"
	"neuralwl/internal/job"
	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
)

// disorder tells realisations apart: by their seed or, of systems of model file, their couplings.
type disorder struct {
	seed      uint64
	couplings string
}

// Runs averages over run directories, those of one realisation merged, as Collect does for the members of
// a group. Directories without complete results are left out and on record as such. notes are remarks about what
// the averages take for granted.
func Runs(folders []string, betas []float64) (r *Result, notes []string, err error) {
	var all []Outcome
	var system *config.System
	var faults []error
	seeds := map[uint64]disorder{} // realisation by seed
	realisations := map[string]disorder{}
	for _, folder := range folders {
		l, err := report.Load(folder)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		of := l.Config.System
		own, seed, title := disorder{of.DisorderSeed, of.Couplings}, l.Config.Run.Seed, of.Title
		of.DisorderSeed, of.Couplings, of.Title = 0, "", ""
		if system == nil {
			system = &of
		} else if fmt.Sprint(*system) != fmt.Sprint(of) {
			faults = append(faults, fmt.Errorf("%s: it is of another system than %s; only %s or the couplings may differ", folder, folders[0], DisorderKey))
			continue
		}
		if err := Check(l.Config); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", folder, err))
			continue
		}
		o := Outcome{Member: Member{Disorder: &own.seed, Seed: &seed, Title: title}, ID: folder, State: string(job.Done), Folder: folder}
		if own.couplings != "" {
			o.Disorder = nil
		}
		switch s := l.Summary; {
		case s == nil:
			o.State, o.Reason = Unreadable, "it has no results yet"
		case s.Interrupted != "":
			o.State, o.Reason = Unreadable, s.Interrupted
		default:
			o.Done, o.Converged = true, s.Verdict.Converged
		}
		if before, ok := seeds[seed]; o.Done && ok && before != own {
			notes = append(notes, fmt.Sprintf("%s: another realisation was sampled with the same run.seed %d; errors of runs with equal random numbers may be dependent", folder, seed))
		}
		seeds[seed], realisations[folder] = own, own
		all = append(all, o)
	}
	if len(faults) > 0 {
		return nil, nil, errors.Join(faults...)
	}
	slices.SortStableFunc(all, func(a, b Outcome) int {
		x, y := realisations[a.ID], realisations[b.ID]
		return cmp.Or(cmp.Compare(x.seed, y.seed), cmp.Compare(a.Title, b.Title), cmp.Compare(x.couplings, y.couplings))
	})
	p := &Point{Betas: betas, Members: len(all)}
	var done []*realisation
	for from := 0; from < len(all); {
		to := from
		var of []Outcome
		for ; to < len(all) && realisations[all[to].ID] == realisations[all[from].ID]; to++ {
			if all[to].Index = to; all[to].Done {
				of = append(of, all[to])
			} else {
				p.LeftOut = append(p.LeftOut, all[to])
			}
		}
		from = to
		p.Realisations++
		if len(of) == 0 {
			continue
		}
		one, err := independent(of, betas)
		if err != nil {
			return nil, nil, err
		}
		done = append(done, one)
	}
	if p.Realisations < 2 || len(done) == 0 {
		return nil, nil, fmt.Errorf("these are %d realisations, %d of them with results; averages need two with another %s or other couplings each, and runs that differ by run.seed alone are merged by nwl dos merge", p.Realisations, len(done), DisorderKey)
	}
	p.collect(done, true)
	return &Result{Members: all, Points: []*Point{p}}, notes, nil
}

// independent makes a realisation of runs that must not be copies of each other.
func independent(of []Outcome, betas []float64) (*realisation, error) {
	var pieces []dos.Piece
	var parts []dos.Part
	for _, o := range of {
		e, err := o.read(filepath.Join(o.Folder, report.ArchiveFile))
		if err != nil {
			return nil, err
		}
		pieces, parts = append(pieces, dos.Piece{Name: o.ID, Density: e.Density}), append(parts, dos.Part{Name: o.ID, Ensemble: e})
	}
	if err := dos.CheckIndependent(pieces); err != nil {
		return nil, err
	}
	r, err := realiseParts(parts, betas)
	if err == nil {
		r.of = of
		r.forget()
	}
	return r, err
}

// Row is a line of averages at one inverse temperature, by quantity.
type Row struct {
	Beta     float64
	Averages map[string]Average
}

// Quantities names what is averaged, in the order of tables.
func Quantities() (names []string) {
	for _, q := range quantities {
		names = append(names, q.name)
	}
	return names
}

// Rows are the averages of a point, nil where there are none.
func (p *Point) Rows() (rows []Row) {
	if p.Averages == nil {
		return nil
	}
	for i, beta := range p.Betas {
		row := Row{beta, map[string]Average{}}
		for k, q := range quantities {
			row.Averages[q.name] = p.Averages[k][i]
		}
		rows = append(rows, row)
	}
	return rows
}
