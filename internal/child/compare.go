package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"neuralwl/internal/compare"
	"neuralwl/internal/compare/report"
	"neuralwl/internal/config"
	"neuralwl/internal/job"
)

// Comparison is the result of a comparison, in short.
type Comparison struct {
	Report string   `json:"report"` // path of the report within the run directory
	Cells  int      `json:"cells"`
	Failed []string `json:"failed"` // cells without results
	// Verdicts are sentences.
	Verdicts []string `json:"verdicts"`
}

// reportEvery is how often the report of a comparison under way is made, at most; making it may
// take reportShare of the time.
const (
	reportEvery = 20 * time.Second
	reportShare = 0.02
)

func comparisonSpec(of *job.Comparison) (*compare.Spec, error) {
	if of == nil {
		return nil, fmt.Errorf("compare: the kind %s needs a specification", job.WorkCompare)
	}
	if name := strings.TrimSpace(of.Spec); !strings.ContainsAny(name, "\n:") {
		for _, known := range compare.BuiltIn() {
			if name == known {
				return compare.Open(name)
			}
		}
		return nil, fmt.Errorf("compare.spec: %q is none of those that come with the program: %s", name, strings.Join(compare.BuiltIn(), ", "))
	}
	s, err := compare.Parse([]byte(of.Spec), string(filepath.Separator))
	if err == nil {
		err = ownFiles(s)
	}
	if err != nil {
		return nil, fmt.Errorf("compare.spec: %w", err)
	}
	return s, nil
}

// ownFiles refuses a specification that would have the daemon load a program, or read a file and say
// what is wrong with it, of the user's choice.
func ownFiles(s *compare.Spec) error {
	sets := map[string]map[string]string{"set": s.Set}
	for _, y := range s.Systems {
		if y.Reference != compare.ExactReference && y.Reference != compare.RunReference {
			return fmt.Errorf("systems: %s: a daemon takes the references %s and %s, no files; nwl compare report --reference counts errors from one afterwards", y.Name, compare.ExactReference, compare.RunReference)
		}
		sets["systems: "+y.Name] = y.Set
	}
	for _, p := range s.Samplers {
		sets["samplers: "+p.Name], sets["samplers: "+p.Name+": train"] = p.Set, p.Train
	}
	for where, set := range sets {
		for key := range set {
			if strings.EqualFold(strings.TrimSpace(key), "inference.library") {
				return fmt.Errorf("%s: %s: the daemon has its own; leave it out", where, key)
			}
		}
	}
	return nil
}

func checkComparison(s *job.Spec, _ *config.Config) error {
	_, err := comparisonSpec(s.Compare)
	return err
}

// ComparisonName is what a comparison is called.
func ComparisonName(s job.Spec) string {
	spec, err := comparisonSpec(s.Compare)
	if err != nil {
		return string(job.WorkCompare)
	}
	return string(job.WorkCompare) + "-" + strings.ReplaceAll(strings.ToLower(spec.Name), " ", "-")
}

// compare makes the cells one after another, each in a process like this one, and the report
// again and again.
func (t *work) compare(ctx context.Context) (any, error) {
	spec, err := comparisonSpec(t.Compare)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(t.Folder, ComparisonFolder)
	var made time.Time
	pause := reportEvery
	o := compare.Options{
		Spec: spec, Folder: folder, Resume: true, Failed: t.Compare.Failed, Log: t.log,
		Work: Cells(append([]string{program}, os.Args[1:]...), os.Stderr),
		Observe: func(p compare.Progress) {
			if p.Failed != "" {
				t.log.Warn("a cell failed", "cell", p.Cell, "reason", p.Failed)
			} else if p.Over {
				t.log.Info("a cell ended", "cell", p.Cell, "ended", p.Ended, "of", p.Cells)
			}
			t.far(fmt.Sprintf("%d of %d cells", p.Ended, p.Cells), float64(p.Ended)/float64(max(1, p.Cells)), 0, 0)
			if p.Over && time.Since(made) > pause {
				began := time.Now()
				if _, err := report.Write(folder); err != nil {
					t.log.Warn("the report so far cannot be made", "reason", err)
				}
				made = time.Now()
				pause = max(reportEvery, time.Duration(float64(made.Sub(began))/reportShare))
			}
		},
	}
	if err := compare.Run(ctx, o); errors.Is(err, compare.ErrInterrupted) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	a, err := report.Write(folder)
	if err != nil {
		return nil, err
	}
	result := &Comparison{Report: filepath.ToSlash(filepath.Join(ComparisonFolder, report.HTMLFile)), Cells: len(spec.Cells()), Failed: []string{}}
	for _, s := range a.Summaries {
		if s.Failed > 0 {
			result.Failed = append(result.Failed, fmt.Sprintf("%d of %s on %s", s.Failed, s.Sampler, s.System))
		}
	}
	for _, w := range a.Told() {
		result.Verdicts = append(result.Verdicts, w.Words())
	}
	return result, nil
}
