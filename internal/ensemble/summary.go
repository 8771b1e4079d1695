package ensemble

import (
	"math"

	"neuralwl/sampler/dos"
)

// Summary is what is known of a group in short, the content of SummaryFile.
type Summary struct {
	Members int            `json:"members"`
	States  map[string]int `json:"states" doc:"Members by state, which may also be deleted or unreadable."`
	// Complete says that no member is awaited.
	Complete bool           `json:"complete" doc:"No member is awaited."`
	Points   []PointSummary `json:"points"`
}

// PointSummary is one point of the matrix.
type PointSummary struct {
	Label    string   `json:"label,omitempty" doc:"Values that tell it from other points."`
	Folder   string   `json:"folder,omitempty" doc:"Of its files, within those of the group."`
	Settings []string `json:"settings"`
	System   string   `json:"system,omitempty" doc:"Of the first realisation."`
	Sites    int      `json:"sites,omitempty"`
	Members  int      `json:"members"`
	Runs     int      `json:"runs" doc:"Members whose results are in the merged result."`
	Levels   int      `json:"levels,omitempty" doc:"Of the merged density of states."`

	Realisations int             `json:"realisations" doc:"As many are to be averaged; 1 if there is nothing to average."`
	Averaged     int             `json:"averaged" doc:"As many are."`
	Lowest       *AverageSummary `json:"lowest_energy,omitempty" doc:"Lowest energy seen, per site in units of J, over realisations."`
	// OwnShare is the largest share of a variance of the mean that comes from the errors of the runs.
	OwnShare map[string]float64 `json:"own_share,omitempty" doc:"Share of the squared error of each average that comes from the errors of the runs, the largest over beta."`

	LeftOut     []MemberSummary `json:"left_out" doc:"Members that ended without a result that could be used."`
	Unconverged []string        `json:"unconverged" doc:"Members that are used though they did not converge."`
	Notes       []string        `json:"notes" doc:"What is missing in the result, and what that does to it."`
}

// MemberSummary is a member that is left out.
type MemberSummary struct {
	Run      string  `json:"run"`
	Disorder *uint64 `json:"disorder_seed,omitempty"`
	Title    string  `json:"couplings,omitempty" doc:"Title of its couplings."`
	State    string  `json:"state"`
	Reason   string  `json:"reason,omitempty"`
}

// AverageSummary is an Average in short.
type AverageSummary struct {
	Mean   dos.Estimate `json:"mean"`
	Spread float64      `json:"spread"`
	Least  float64      `json:"least"`
	Most   float64      `json:"most"`
}

// Summary makes the summary of a result.
func (r *Result) Summary() *Summary {
	s := &Summary{Members: len(r.Members), States: map[string]int{}, Complete: true, Points: []PointSummary{}}
	for _, o := range r.Members {
		s.States[o.State]++
		s.Complete = s.Complete && (o.Done || o.lost())
	}
	for _, p := range r.Points {
		one := PointSummary{
			Label: p.Label, Folder: p.Folder, Settings: p.Settings, System: p.System, Sites: p.Sites, Members: p.Members, Runs: p.Runs,
			Realisations: p.Realisations, Averaged: len(p.Averaged), LeftOut: []MemberSummary{}, Unconverged: []string{}, Notes: p.Notes(),
		}
		if one.Settings == nil {
			one.Settings = []string{}
		}
		if one.Notes == nil {
			one.Notes = []string{}
		}
		if p.Merged != nil {
			one.Levels = p.Merged.Len()
		}
		for _, o := range p.LeftOut {
			one.LeftOut = append(one.LeftOut, MemberSummary{o.ID, o.Disorder, o.Title, o.State, o.Reason})
		}
		for _, o := range p.Unconverged {
			one.Unconverged = append(one.Unconverged, o.ID)
		}
		if p.Averaged != nil {
			q := p.Lowest.Quantiles
			one.Lowest = &AverageSummary{dos.NewEstimate(p.Lowest.Mean, p.Lowest.Error), known(p.Lowest.Spread), q[0], q[len(q)-1]}
			one.OwnShare = p.ownShare()
		}
		s.Points = append(s.Points, one)
	}
	return s
}

// ownShare is the largest share of each quantity's variance of the mean that comes from the errors of the
// runs, nil if that is not known.
func (p *Point) ownShare() map[string]float64 {
	shares := map[string]float64{}
	for k, q := range quantities {
		for _, a := range p.Averages[k] {
			if share := a.Own * a.Own / (a.Error * a.Error); share >= shares[q.name] && !math.IsInf(share, 0) {
				shares[q.name] = deviation(share)
			}
		}
	}
	if len(shares) == 0 {
		return nil
	}
	return shares
}

// known is x, or 0 where that is unknown.
func known(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}
