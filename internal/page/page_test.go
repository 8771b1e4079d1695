package page

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/daemon"
	"neuralwl/internal/history"
	"neuralwl/internal/job"
	"neuralwl/internal/live"
	"neuralwl/internal/long"
	"neuralwl/internal/transition"
	"neuralwl/sampler/dos"
)

// many are runs in all states, with texts as long as they may be.
func many(n int) (runs []api.Run) {
	text := strings.Repeat("long ", 50000)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		r := api.Run{
			ID: fmt.Sprintf("run-%05d-%s", i, strings.Repeat("x", 50)), Kind: job.WorkRun, State: job.States[i%len(job.States)], Title: text[:200], System: fmt.Sprintf("q%d-16x16", i%20),
			Method: "neural-wang-landau", Created: at.Add(time.Duration(i) * time.Second), Reason: text, Waits: text,
			Progress: &api.Progress{Phase: "wang-landau", Done: float64(i%100) / 100, Levels: i, Left: float64(i), At: time.Now(), Failed: []string{text}},
		}
		for k := range 32 {
			r.Tags = append(r.Tags, fmt.Sprintf("%s%d", text[:30+k], k))
		}
		if r.State.Final() {
			r.Outcome = &job.Outcome{Converged: i%2 == 0}
		}
		runs = append(runs, r)
	}
	return runs
}

// TestTable sorts and cuts ten thousand runs, and keeps what is sent of them small.
func TestTable(t *testing.T) {
	p, err := New(Options{Log: slog.Default(), Asks: func(context.Context) (string, bool) { return "", true }})
	if err != nil {
		t.Fatal(err)
	}
	n := long.Or(10000, 1000)
	runs := many(n)
	for _, c := range columns {
		for _, order := range []string{"up", "down"} {
			v := &runsView{All: len(runs), States: []string{"running"}}
			p.fill(v, readFilter(url.Values{"sort": {c.Key}, "order": {order}, "page": {"3"}}), slices.Clone(runs))
			if len(v.Rows) != rowsPerPage || v.From != 2*rowsPerPage || v.Found != n || v.Previous == "" || v.Next == "" {
				t.Fatalf("%s: %d rows from %d of %d", c.Key, len(v.Rows), v.From, v.Found)
			}
			w := httptest.NewRecorder()
			p.render(w, httptest.NewRequest(http.MethodGet, "/", nil), "runs", http.StatusOK, layout{Title: "Runs", Body: v})
			if n := w.Body.Len(); n > 200e3 {
				t.Errorf("%s: %d bytes", c.Key, n)
			}
		}
	}
	ids := func(query string) (ids []string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		f := readFilter(q)
		var found []api.Run
		for _, r := range runs[:70] {
			if f.keeps(&r) {
				found = append(found, r)
			}
		}
		v := &runsView{}
		p.fill(v, f, found)
		for _, r := range v.Rows {
			ids = append(ids, r.ID[:9])
		}
		return ids
	}
	for query, want := range map[string]string{
		"text=RUN-0000":                          "run-00003 run-00002 run-00001 run-00000 run-00009 run-00008 run-00007 run-00006 run-00005 run-00004",
		"state=failed&sort=name":                 "run-00005 run-00012 run-00019",
		"state=waiting&sort=name&order=down":     "run-00064 run-00063 run-00057",
		"sort=levels&order=down&system=q3-16x16": "run-00063 run-00043 run-00023 run-00003",
		"tag=none":                               "",
	} {
		got := ids(query)
		if query == "text=RUN-0000" {
			slices.Sort(got)
			want = "run-00000 run-00001 run-00002 run-00003 run-00004 run-00005 run-00006 run-00007 run-00008 run-00009"
		}
		if text := strings.Join(got[:min(len(got), max(1, strings.Count(want, " ")+1))], " "); text != want {
			t.Errorf("%s: %s, want %s", query, text, want)
		}
	}
}

func TestWords(t *testing.T) {
	now := time.Now()
	running := func(p api.Progress) *api.Run {
		return &api.Run{Kind: job.WorkRun, State: job.Running, Wish: job.Run, Began: now.Add(-time.Hour), Progress: &p}
	}
	for _, c := range []struct {
		r               *api.Run
		state, sentence string
	}{
		{running(api.Progress{At: now, Phase: "production", Done: 0.25, Left: 90}), "running", "In the phase production, 25 % done, some 1 min 30 s left of it."},
		{running(api.Progress{At: now.Add(-time.Hour), Phase: "production", Done: 0.25, Left: 90}), "unreachable", "Nothing was heard of it for 1 h 00 min"},
		{&api.Run{State: job.Running, Wish: job.Pause, Began: now}, "running, will pause", "It has begun."},
		{&api.Run{State: job.Submitted, Waits: "its turn"}, "waiting", "It waits for: its turn."},
		{&api.Run{State: job.Failed, Reason: "no memory."}, "failed", "It failed. no memory."},
		{&api.Run{State: job.Done, Kind: job.WorkRun, Outcome: &job.Outcome{Converged: true}}, "done", "It converged: every check"},
		{&api.Run{State: job.Done, Kind: job.WorkRun, Outcome: &job.Outcome{}, Progress: &api.Progress{Failed: []string{"levels"}}}, "done", "has not converged: levels fell short"},
		{&api.Run{State: job.Paused, Reason: "paused by the user"}, "paused", "goes on at its last checkpoint. paused by the user."},
	} {
		if got := stateWord(c.r, now); got != c.state {
			t.Errorf("%s, want %s", got, c.state)
		}
		if got := sentence(c.r, now); !strings.Contains(got, c.sentence) {
			t.Errorf("%s, want %s", got, c.sentence)
		}
	}
}

func TestLogLine(t *testing.T) {
	for line, want := range map[string]logLine{
		`{"time":"2026-11-28T12:00:01.5Z","level":"WARN","msg":"a fault","reason":"it \"broke\"","took":1500000000,"n":3}`: {"11-28 12:00:01", "WARN", `a fault reason=it "broke" took=1.5s n=3`},
		"panic: <nil>\n": {Text: "panic: <nil>"},
		`{"time":`:       {},
		`[1]`:            {Text: "[1]"},
	} {
		if got := readLine([]byte(line)); got != want {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
	if got := readLine([]byte(strings.Repeat("é", 10000))); len([]rune(got.Text)) != mostLine {
		t.Errorf("%d characters", len([]rune(got.Text)))
	}
}

// TestPlace puts faults beside the fields and lines that they are about.
func TestPlace(t *testing.T) {
	v := newSubmitView()
	v.Config.Value = "# a comment\nrun:\n  seed: 3\n  walkers: 0\nlocal: {sweeps: 0}\n"
	for _, f := range v.Settings {
		if f.Key == "run.seed" {
			f.Value = "x"
		}
	}
	general := v.place([]daemon.Fault{
		{Key: "run.seed", Text: "run.seed: 1"}, {Key: "run.walkers", Text: "run.walkers: 2"}, {Key: "local.sweeps", Text: "local.sweeps: 3"},
		{Key: "trainer.batch", Text: "trainer.batch: 4"}, {Key: "id", Text: "id: 5"}, {Text: "the disk: 6"},
	})
	if fmt.Sprint(general) != "[the disk: 6]" {
		t.Errorf("%v", general)
	}
	got := map[string]string{}
	for _, f := range v.Wrong() {
		got[f.Key] = strings.Join(f.Faults, "; ")
	}
	want := map[string]string{"run.seed": "run.seed: 1", "id": "id: 5", "config": "line 4: run.walkers: 2; line 5: local.sweeps: 3; trainer.batch: 4"}
	// run.walkers has a field, which is empty: the text has it.
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestComparison finds mean and spread of runs whose deviations are known.
func TestComparison(t *testing.T) {
	energy := []float64{-3, -2, -1, 0}
	exact := &dos.Density{Energy: energy, LnG: []float64{1, 5, 9, 20}}
	shifted := func(by ...float64) *dos.Density {
		d := &dos.Density{Energy: energy, Error: []float64{0.1, 0.1, 0.1, 0}}
		for i := range energy {
			d.LnG = append(d.LnG, exact.LnG[i]+by[i]+7)
		}
		return d
	}
	// The highest level has nearly all states, and fixes the shift.
	c := &comparison{runs: []string{"a", "b"}, exact: true}
	c.compare([]*dos.Density{shifted(0.3, 0.1, 0, 0), shifted(0.1, -0.1, 0, 0)}, exact)
	mean, deviation := c.moments(0)
	if math.Abs(mean-0.2) > 1e-4 || math.Abs(deviation-0.1*math.Sqrt2) > 1e-6 {
		t.Errorf("mean %v, deviation %v", mean, deviation)
	}
	if mean, _ := c.moments(1); math.Abs(mean) > 1e-4 {
		t.Errorf("mean %v", mean)
	}
	charts := c.charts()
	if k := charts[0].Curves[0]; math.Abs(k.High[0]-k.Low[0]-0.2*math.Sqrt2) > 1e-6 || len(charts[0].Curves) != 3 {
		t.Errorf("%+v", charts[0])
	}
	if k := charts[1].Curves[1]; math.Abs(k.Y[0]-0.1) > 1e-9 {
		t.Errorf("stated errors %v", k.Y)
	}
	// Without the exact result the mean is the reference; another system is left out.
	c = &comparison{runs: []string{"a", "b", "other"}}
	c.compare([]*dos.Density{shifted(0.3, 0.1, 0, 0), shifted(0.1, -0.1, 0, 0), {Energy: []float64{-0.3, -0.1}, LnG: []float64{1, 2}}}, shifted(0, 0, 0, 0))
	if mean, _ := c.moments(0); math.Abs(mean) > 1e-12 || len(c.runs) != 2 || len(c.left) != 1 {
		t.Errorf("mean %v, %v, left %v", mean, c.runs, c.left)
	}
}

// TestFigures draws a run that trains, swaps and goes into production.
func TestFigures(t *testing.T) {
	s := &sight{
		picture: &live.Picture{
			Sides: []int{4, 4}, Colours: 3, Transition: &transition.Transition{Beta: 1, Low: -20, High: -10, TwoPeaks: true},
			Levels:     live.Levels{Energy: []float64{-32, -20, 0}, LnG: []float64{1, 5, 9}, Exact: []float64{1.1, 5, 9}, Probability: []float64{0.2, 0.5, 0.3}},
			Acceptance: []live.Bin{{Low: -32, High: -16, Trials: 100, Accepted: 25, Changed: 200}, {Low: -16, High: 0}},
			Traces:     live.Traces{Passes: []int64{1, 2}, Energy: [][]float64{{-3, -4}, {-5, -6}}},
		},
		swaps: []api.PastSwap{{Pass: 20}},
	}
	for i := range 40 {
		p := history.Point{Pass: int64(i), Seconds: float64(i) * 100, Phase: "wang-landau", LnF: math.Pow(2, -float64(i)), Flatness: 0.5, Levels: i, Loss: 3}
		p.Neural.Trials, p.Neural.Accepted = int64(10*i), int64(4*i)
		if i >= 30 {
			p.Phase, p.LnF, p.Loss = "production", 0, 0
			p.Neural.Trials, p.Neural.Accepted = int64(1000*(i-29)), int64(100*(i-29))
		}
		s.history = append(s.history, p)
	}
	charts := map[string]*chart{}
	for _, c := range s.charts() {
		wellFormed(t, c)
		if c.None != "" {
			t.Errorf("%s: %s", c.Name, c.None)
		}
		charts[c.Name] = c
	}
	if k := charts["acceptance"].Curves; k[0].Y[0] != 0.25 || k[1].Y[0] != 0.5 || len(k[0].X) != 1 {
		t.Errorf("acceptance %+v", k)
	}
	if k := charts["network"].Curves; len(k) != 2 || !math.IsNaN(k[0].Y[0]) || math.Abs(k[0].Y[5]-0.4) > 1e-12 || len(k[0].X) != 30 || math.Abs(k[1].Y[0]-0.1) > 1e-12 || charts["network"].Keys() != nil {
		t.Errorf("acceptance over time %+v", k)
	}
	if c := charts["flatness"]; fmt.Sprint(c.Marks) != fmt.Sprint([]mark{{0, "wang-landau"}, {2000.0 / 60, "swap"}, {50, "production"}}) || c.X.Label != "time (min)" {
		t.Errorf("marks %v over %s", c.Marks, c.X.Label)
	}
	if k := charts["ln-f"].Curves[1]; !charts["ln-f"].Y.Log || !math.IsNaN(k.Y[5]) {
		t.Errorf("ln f %v", k.Y)
	}
	if k := charts["deviation"].Curves[0]; k.Low != nil || math.Abs(k.Y[0]+0.1) > 0.01 {
		t.Errorf("deviation %+v", k)
	}
	// Of a run without a network, or without anything.
	for _, s := range []*sight{{}, {picture: &live.Picture{}}, {rests: true}} {
		for _, c := range s.charts() {
			if c.Name == "network" || c.Name == "loss" || c.Name == "traces" || c.None == "" || c.SVG() != "" {
				t.Errorf("%s: %q", c.Name, c.None)
			}
		}
	}
}

// TestSizes bounds what is sent of a run of 8189 levels that records as much as one may.
func TestSizes(t *testing.T) {
	s := &sight{picture: &live.Picture{Sides: []int{64, 64}, Colours: 10, Transition: &transition.Transition{Beta: 1.426, Low: -6000, High: -3000, TwoPeaks: true}}, rests: true}
	s.density = &dos.Density{}
	for i := range 8189 {
		e := float64(i) - 8192
		s.density.Energy, s.density.LnG, s.density.Error = append(s.density.Energy, e), append(s.density.LnG, 9000*math.Sin(e/9000)+0.123456789), append(s.density.Error, 0.0123456789)
		if l := &s.picture.Levels; i%5 == 0 {
			l.Energy, l.LnG, l.Exact = append(l.Energy, e), append(l.LnG, s.density.LnG[i]+0.1), append(l.Exact, s.density.LnG[i])
			l.Probability = append(l.Probability, 1e-5*(1+math.Sin(e)))
		}
	}
	for k := range 40 {
		s.picture.Acceptance = append(s.picture.Acceptance, live.Bin{Low: float64(200 * k), High: float64(200*k + 200), Trials: 12345678, Accepted: int64(k * 12345), Changed: int64(k * 1234567)})
	}
	for i := range 2000 {
		p := history.Point{Pass: int64(i * 1000), Seconds: 123.456 * float64(i), Phase: "wang-landau", LnF: 1.23456e-6, Flatness: 0.123456, Levels: i * 4, RoundTrips: 12345.6 * float64(i), Loss: 1234.56 + math.Sin(float64(i))}
		p.Neural.Trials, p.Neural.Accepted = int64(i*1e9), int64(i*1e8+i*i)
		s.history = append(s.history, p)
	}
	for w := range 8 {
		s.picture.Traces.Energy = append(s.picture.Traces.Energy, nil)
		for i := range 500 {
			if w == 0 {
				s.picture.Traces.Passes = append(s.picture.Traces.Passes, int64(i*4000))
			}
			s.picture.Traces.Energy[w] = append(s.picture.Traces.Energy[w], -8192*math.Abs(math.Sin(float64(i*(w+1)))))
		}
	}
	for i := range 1000 {
		s.swaps = append(s.swaps, api.PastSwap{Pass: int64(i * 2000), Bundle: "teacher/1000"})
	}
	drawn := 0
	for _, c := range s.charts() {
		text := wellFormed(t, c)
		drawn += len(text)
		data, err := c.json()
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 150e3 {
			t.Errorf("the points of %s are %d bytes", c.Name, len(data))
		}
		t.Logf("%s: drawn %d bytes, points %d", c.Name, len(text), len(data))
	}
	if drawn > 150e3 {
		t.Errorf("the drawings are %d bytes", drawn)
	}
}
