package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/config"
	"neuralwl/internal/shell"
	"neuralwl/internal/tune"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Summary is the record of a run, as summary.json holds it.
type Summary struct {
	Version string     `json:"version"` // of nwl
	System  dos.System `json:"system"`
	Method  string     `json:"method"`
	Seed    uint64     `json:"seed"`
	Walkers int        `json:"walkers"`
	Seconds float64    `json:"seconds"` // wall-clock time

	Phases []PhaseSummary `json:"phases"`
	// Tuning is how production's mix of moves was chosen, nil if it was given.
	Tuning  *tune.Summary   `json:"tuning,omitempty"`
	Network *NetworkSummary `json:"network,omitempty"`
	Levels  LevelSummary    `json:"levels"`
	// GroundState compares ln g(E_min) with the known degeneracy, as ln q; nil where that is
	// not known.
	GroundState *GroundState `json:"ground_state,omitempty"`
	// Exact is the difference from the exact density of states, where that can be
	// computed in seconds.
	Exact *dos.Difference `json:"exact,omitempty"`
	// Inverse sums up the estimate from inverse probabilities of the network's proposals.
	Inverse *InverseSummary `json:"inverse_probabilities,omitempty"`
	// Proposals is what became of the network's proposals in production.
	Proposals *ProposalSummary `json:"proposals,omitempty"`
	// Windows is how well neighbouring energy windows agree; none for one window.
	Windows []WindowSummary `json:"windows,omitempty"`
	// Autocorrelation is the integrated autocorrelation time of the energy in production,
	// in passes, the longest of all windows.
	Autocorrelation *dos.Estimate `json:"autocorrelation_passes,omitempty"`
	// Halves compares the two halves of production; nil if it was too short.
	Halves *HalvesSummary `json:"halves,omitempty"`
	// Estimators compares the two estimates of ln g that production gives.
	Estimators *EstimatorSummary `json:"estimators,omitempty"`
	// Bridge is what the network's draws add; nil without.
	Bridge     *BridgeSummary     `json:"bridge,omitempty"`
	Transition *TransitionSummary `json:"transition,omitempty"`
	// Canonical are the averages of a run at one temperature.
	Canonical *CanonicalSummary `json:"canonical,omitempty"`
	// Temperatures are those of a run by a network's draws, in its order.
	Temperatures []TemperatureSummary `json:"temperatures,omitempty"`
	Verdict      Verdict              `json:"verdict"`
	// LeftOut are results that there was no time for when the run ended; nwl finish makes
	// them.
	LeftOut []string `json:"left_out,omitempty"`
	// NoPage says that report.html was not asked for; nwl report makes it.
	NoPage bool `json:"no_page,omitempty"`
	// Interrupted says why the run ended before it was complete; it can be resumed.
	Interrupted string `json:"interrupted,omitempty"`
	// UnderWay says that the run has not ended: this is what it had at its last checkpoint.
	UnderWay    bool              `json:"under_way,omitempty"`
	Resumptions []Resumption      `json:"resumptions,omitempty"`
	Checkpoints CheckpointSummary `json:"checkpoints"`

	Folder string `json:"-"`
}

// PhaseSummary is the record of one phase.
type PhaseSummary struct {
	Name       sampler.Phase          `json:"phase"`
	Passes     int64                  `json:"passes"`
	LnF        float64                `json:"ln_f"`
	Flatness   float64                `json:"flatness"`
	Levels     int                    `json:"levels_seen"`
	RoundTrips float64                `json:"round_trips"`
	Moves      map[string]MoveSummary `json:"moves"`
	Seconds    map[string]float64     `json:"seconds"` // wall-clock time by activity, "all" together
}

// MoveSummary counts the trials of one kind of move.
type MoveSummary struct {
	Trials     int64   `json:"trials"`
	Acceptance float64 `json:"acceptance"`
}

// Phase is the record of a phase that came as far as p says, in so much time, of which
// train went into training.
func Phase(p sampler.Progress, train, all time.Duration) PhaseSummary {
	s := PhaseSummary{
		Name: p.Phase, Passes: p.Passes, LnF: p.LnF, Flatness: p.Flatness, Levels: p.Levels, RoundTrips: p.RoundTrips,
		Moves: map[string]MoveSummary{},
		Seconds: map[string]float64{
			"local": p.Times.Local.Seconds(), "propose": p.Times.Propose.Seconds(), "log_prob": p.Times.LogProb.Seconds(),
			"train": train.Seconds(), "all": all.Seconds(),
		},
	}
	for kind, count := range p.Moves {
		if count.Trials > 0 {
			s.Moves[sampler.MoveKind(kind).String()] = MoveSummary{count.Trials, count.Ratio()}
		}
	}
	return s
}

// Resumption records that a run was resumed.
type Resumption struct {
	Time    time.Time       `json:"time"`
	Stage   string          `json:"stage"`
	Pass    int64           `json:"pass"`              // passes made in the stage
	Changes []config.Change `json:"changes,omitempty"` // of the configuration
	// Machine is the class of machines in which the run went on, if that is another one than before:
	// its last digits are then no longer those of an uninterrupted run.
	Machine       string `json:"machine,omitempty"`
	MachineBefore string `json:"machine_before,omitempty"`
}

// CheckpointSummary counts the checkpoints of a run.
type CheckpointSummary struct {
	Written int     `json:"written"`
	Failed  int     `json:"failed"`
	Bytes   int     `json:"bytes"`   // size of the last one
	Seconds float64 `json:"seconds"` // wall-clock time spent on them
}

// LevelSummary counts energy levels.
type LevelSummary struct {
	Known   int       `json:"known"` // levels known to have states; 0 where that is not known
	Seen    int       `json:"seen"`
	Missing []float64 `json:"missing"` // energies never visited, or without an estimate
	// Unproduced are energies that only the Wang-Landau phase visited: their ln g
	// has no error bar. In van-wang-landau, where such a ln g says little, they are missing.
	Unproduced []float64 `json:"unproduced"`
}

// NetworkSummary describes the network that proposed.
type NetworkSummary struct {
	Architecture string `json:"architecture"`
	Provider     string `json:"provider"`
	// Server is the model server that evaluated it, nil without one.
	Server   *ServerSummary    `json:"server,omitempty"`
	Bundle   string            `json:"bundle"` // folder of the latest version
	Training exporter.Training `json:"training"`
	// Swaps are the exchanges of the network in mid-run, in their order.
	Swaps []Swap `json:"swaps,omitempty"`
}

// ServerSummary describes a model server.
type ServerSummary struct {
	URL     string `json:"url"`
	Name    string `json:"name"` // as it calls itself
	Version string `json:"version"`
	Model   string `json:"model"` // name/version of the network on it
}

func (s *ServerSummary) String() string {
	return fmt.Sprintf("%s at %s, %s", strings.TrimSpace(s.Name+" "+s.Version), s.URL, s.Model)
}

// Swap is an exchange of a run's network for another one, as a line of SwapsFile plans it.
type Swap struct {
	// Pass is after how many passes of adaptation, burn-in and production it is made, also those
	// that a later one dropped.
	Pass int64 `json:"pass"`
	// Stage of the run when it was planned. A stage without such passes, as the start and the
	// search for a mix of moves, must have come.
	Stage  string `json:"stage"`
	Name   string `json:"name"`   // as the user calls it
	Digest string `json:"digest"` // of the network, see exporter.Card.Digest
	Folder string `json:"folder"` // of its copy, in the run directory
	// Before is what the network was called that it replaces, and From the folder of that, in
	// the run directory; Acceptance is the share of its proposals that were accepted, since it
	// came in or its phase began.
	Before     string  `json:"before,omitempty"`
	From       string  `json:"from,omitempty"`
	Acceptance float64 `json:"acceptance_before"`
	Restart    bool    `json:"restart"` // it was asked for in production, which begins anew
}

// GroundState is the estimate of the ground state's degeneracy.
type GroundState struct {
	LnG   float64  `json:"ln_g"`
	Error *float64 `json:"ln_g_error"`
	Known float64  `json:"known"`
}

// Summary puts the record of a run together, with its verdict.
func (r *Result) Summary(c Course) *Summary {
	run := r.Config.Run
	s := &Summary{
		Version: c.Version, System: systemOf(r.Config.System, r.System), Method: run.Method, Seed: run.Seed, Walkers: run.Walkers,
		Seconds: c.Seconds, Phases: c.Phases, Tuning: c.Tuning, Network: c.Network, Resumptions: c.Resumptions, Checkpoints: c.Checkpoints, Folder: c.Folder,
		Levels: LevelSummary{
			Known: r.known, Seen: r.seen(),
			Missing: append([]float64{}, r.missing...), Unproduced: append([]float64{}, r.unproduced...),
		},
		Exact: r.difference, Inverse: r.compareInverse(), Proposals: r.summariseProposals(c.Phases), Windows: r.windows,
		Autocorrelation: r.autocorrelation, Estimators: r.estimators, Bridge: r.summariseBridge(), Transition: r.transition,
	}
	if c.Interrupted != nil {
		s.Interrupted, s.UnderWay = c.Interrupted.Error(), c.UnderWay
		s.Verdict.check("completed", false, "%s", s.Interrupted)
		if s.UnderWay {
			s.Verdict.advise("wait for its end")
		} else {
			s.Verdict.advise("nwl run --resume %s", shell.Quote(s.Folder))
		}
	}
	if s.LeftOut = r.leftOut; s.LeftOut != nil {
		s.Verdict.check("evaluation", false, "there was no time for: %s", strings.Join(s.LeftOut, ", "))
		s.Verdict.advise("nwl finish %s", shell.Quote(s.Folder))
	}
	s.NoPage = !r.Config.Report.Figures
	r.Evaluation.conclude(r, s)
	if c.Interrupted != nil {
		s.Verdict.premature()
	}
	s.Verdict.decide()
	r.setOrigins(s)
	return s
}

func systemOf(c config.System, s lattice.System) dos.System {
	of := dos.System{Name: s.String(), Model: c.Model, Q: s.Colours(), Size: c.Size, Parameters: c.Parameters(), Joint: c.Joint}
	if c.Model == config.RandomBond {
		of.DisorderSeed = &c.DisorderSeed
	}
	return of
}

// encode writes the summary as JSON.
func (s *Summary) encode(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}
