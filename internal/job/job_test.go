package job

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func events(t *rapid.T, j Job) Event {
	// Mostly the numbers that fit, so that jobs come far, and now and then others.
	fits := func(n int, label string) int {
		if rapid.IntRange(0, 3).Draw(t, label) == 0 {
			return n + rapid.SampledFrom([]int{-1, 1}).Draw(t, label+" off")
		}
		return n
	}
	owner := j.Owner
	if owner == "" || rapid.IntRange(0, 3).Draw(t, "another") == 0 {
		owner = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "owner")
	}
	return Event{
		Kind: rapid.SampledFrom(Kinds).Draw(t, "kind"), At: start.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "at")) * time.Second),
		Owner: owner, Epoch: fits(j.Epoch, "epoch"), Submission: fits(j.Submission, "submission"),
		Checkpoint: j.Checkpoint + int64(rapid.IntRange(-1, 2).Draw(t, "checkpoint")), Reason: "reason",
		InOrder: rapid.Bool().Draw(t, "in order"),
	}
}

// TestProperties applies random events, those of workers fenced off among them, and checks
// what must hold whatever happens.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j, err := New("run-1", start)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			e := events(t, j)
			next, err := j.Apply(e)
			if err != nil {
				if !reflect.DeepEqual(next, j) {
					t.Fatalf("a refused event changed the job: %+v, %+v", j, next)
				}
				continue
			}
			switch {
			case next.Epoch < j.Epoch || next.Epoch > j.Epoch+1 || (next.Epoch > j.Epoch) != (e.Kind == Take && next.State == Running):
				t.Fatalf("epoch %d after %d by %s", next.Epoch, j.Epoch, e.Kind)
			case next.Checkpoint < j.Checkpoint || next.Submission < j.Submission:
				t.Fatalf("a counter fell: %+v, %+v", j, next)
			case (next.State == Running) != (next.Owner != ""):
				t.Fatalf("%s with the owner %q", next.State, next.Owner)
			case next.State.Final() == next.Ended.IsZero():
				t.Fatalf("%s and ended %v", next.State, next.Ended)
			case next.Attempts < 0 || next.Attempts > MaxAttempts:
				t.Fatalf("%d attempts", next.Attempts)
			case j.State.Final() && e.Kind != Submit:
				t.Fatalf("%s after the end by %s", next.State, e.Kind)
			case j.State == Running && slices.Contains([]Kind{Checkpointed, End, Divide, Fail, Stop, Abandon}, e.Kind) && (e.Owner != j.Owner || e.Epoch != j.Epoch):
				t.Fatalf("%s by a worker that is not the owner", e.Kind)
			case (next.State == Done) != (next.Outcome != nil):
				t.Fatalf("%s with the outcome %v", next.State, next.Outcome)
			case next.State == Failed && next.Reason == "":
				t.Fatal("failed without a reason")
			}
			j = next
		}
	})
}

// TestTransitions follows every event from every state that can be reached, and compares
// where they lead.
func TestTransitions(t *testing.T) {
	found := map[State]map[Kind][]State{}
	type node struct {
		state    State
		attempts int
	}
	seen := map[node]bool{}
	for open := []Job{newJob(t)}; len(open) > 0; open = open[1:] {
		j := open[0]
		if n := (node{j.State, j.Attempts}); seen[n] {
			continue
		} else {
			seen[n] = true
		}
		if found[j.State] == nil {
			found[j.State] = map[Kind][]State{}
		}
		for _, kind := range Kinds {
			owner := j.Owner
			if kind == Take {
				owner = "w"
			}
			next, err := j.Apply(Event{Kind: kind, At: start, Owner: owner, Epoch: j.Epoch, Submission: j.Submission, Checkpoint: j.Checkpoint + 1})
			if err != nil {
				continue
			}
			if to := found[j.State][kind]; !slices.Contains(to, next.State) {
				found[j.State][kind] = append(to, next.State)
			}
			open = append(open, next)
		}
	}
	again := map[Kind][]State{Submit: {Submitted}}
	waits := map[Kind][]State{Take: {Running}, Stop: {Paused}, Abandon: {Cancelled}}
	submitted := maps.Clone(waits)
	submitted[Publish], submitted[Refuse] = []State{Queued}, []State{Failed}
	queued := maps.Clone(waits)
	queued[Withdraw] = []State{Submitted}
	want := map[State]map[Kind][]State{
		Submitted: submitted,
		Queued:    queued,
		Running: {
			Take: {Running, Failed}, Checkpointed: {Running}, End: {Done}, Divide: {Submitted}, Fail: {Failed},
			Lose: {Queued, Failed}, Stop: {Paused}, Abandon: {Cancelled}, Withdraw: {Submitted},
		},
		Paused: {Abandon: {Cancelled}, Submit: {Submitted}},
		Done:   again, Failed: again, Cancelled: again,
	}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
}

// apply applies events of the owner of the present epoch.
func apply(t *testing.T, j Job, events ...Event) Job {
	t.Helper()
	for _, e := range events {
		if e.Owner == "" {
			e.Owner = j.Owner
		}
		if e.Epoch == 0 {
			e.Epoch = j.Epoch
		}
		e.Submission, e.At = j.Submission, start
		next, err := j.Apply(e)
		if err != nil {
			t.Fatalf("%s: %v", e.Kind, err)
		}
		j = next
	}
	return j
}

func newJob(t *testing.T) Job {
	t.Helper()
	j, err := New("run-1", start)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

var take = Event{Kind: Take, Owner: "w"}

// TestFencing lets a worker that was thought dead wake up: it may not write.
func TestFencing(t *testing.T) {
	j := apply(t, newJob(t), Event{Kind: Publish}, take)
	old := Event{Owner: j.Owner, Epoch: j.Epoch, Checkpoint: 7}
	j = apply(t, j, Event{Kind: Take, Owner: "v"})
	for _, kind := range []Kind{Checkpointed, End, Divide, Fail, Stop, Abandon, Lose} {
		old.Kind = kind
		if _, err := j.Apply(old); !errors.Is(err, ErrFenced) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if got := j.Do("w", old.Epoch, Run); got != Yield {
		t.Errorf("the old worker is to %s", got)
	}
	if got := j.Do("v", j.Epoch, Run); got != GoOn {
		t.Errorf("the new worker is to %s", got)
	}
}

// TestAttempts ends a job that five workers lose without a new checkpoint, and none that
// comes forward.
func TestAttempts(t *testing.T) {
	j := apply(t, newJob(t), Event{Kind: Publish})
	for n := range MaxAttempts {
		if j.State != Queued {
			t.Fatalf("%s after %d attempts", j.State, n)
		}
		j = apply(t, j, take, Event{Kind: Lose, Reason: "killed"})
	}
	if j.State != Failed || !strings.Contains(j.Reason, "killed") || j.Ended.IsZero() {
		t.Errorf("%+v", j)
	}
	j = apply(t, newJob(t), Event{Kind: Publish})
	for n := range 3 * MaxAttempts {
		j = apply(t, j, take, Event{Kind: Checkpointed, Checkpoint: int64(n + 1)}, Event{Kind: Lose, Reason: "killed"})
	}
	if j.State != Queued {
		t.Errorf("%+v", j)
	}
	// Nor one whose workers were told to end, as one that begins again each time.
	j = apply(t, newJob(t), Event{Kind: Publish})
	for range 3 * MaxAttempts {
		j = apply(t, j, take, Event{Kind: Lose, Reason: "the daemon stops", InOrder: true})
	}
	if j.State != Queued || j.Attempts != 0 {
		t.Errorf("%+v", j)
	}
	// Messages of the queue that arrive again count like losses.
	j = apply(t, newJob(t), Event{Kind: Publish})
	for range MaxAttempts + 1 {
		j = apply(t, j, take)
	}
	if j.State != Failed {
		t.Errorf("%+v", j)
	}
}

// TestResubmission makes messages of earlier submissions worthless.
func TestResubmission(t *testing.T) {
	j := apply(t, newJob(t), Event{Kind: Publish}, Event{Kind: Stop, Reason: "the user wished it"}, Event{Kind: Submit}, Event{Kind: Publish})
	if _, err := j.Apply(Event{Kind: Take, Owner: "w", Submission: 1}); !errors.Is(err, ErrStale) {
		t.Errorf("taken by a stale message: %v", err)
	}
	j = apply(t, j, take, Event{Kind: End, Outcome: Outcome{Code: 0, Converged: true}})
	if j.State != Done || j.Outcome == nil || !j.Outcome.Converged {
		t.Errorf("%+v", j)
	}
	if j = apply(t, j, Event{Kind: Submit}); j.State != Submitted || j.Outcome != nil || j.Submission != 3 {
		t.Errorf("%+v", j)
	}
}

// TestDo maps wishes to what the owner does.
func TestDo(t *testing.T) {
	j := apply(t, newJob(t), Event{Kind: Publish}, take)
	for w, want := range map[Wish]Next{Run: GoOn, Pause: EndPaused, Cancel: EndCancel} {
		if got := j.Do("w", 1, w); got != want {
			t.Errorf("%s: %s, want %s", w, got, want)
		}
	}
}

func TestCheckID(t *testing.T) {
	for _, id := range []string{"a1", "q10-16x16-1", "a.b_c-9", strings.Repeat("x", 64)} {
		if err := CheckID(id); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []string{"", "a", "..", "../x", "a/b", "A1", "-a", "a-", ".a", "a b", "a\n", "é1", "con", strings.Repeat("x", 65)} {
		if CheckID(id) == nil {
			t.Errorf("%q is accepted", id)
		}
	}
}

// TestSpec tells options of another kind of work, and kinds that do not exist.
func TestSpec(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, ""},
		{Spec{Work: WorkRun}, ""},
		{Spec{Work: WorkTrain, Train: &Training{Weights: "run-1"}}, ""},
		{Spec{Work: WorkBench}, ""},
		{Spec{Work: "lunch"}, "lunch"},
		{Spec{Train: &Training{}}, "train:"},
		{Spec{Work: WorkTrain, Bench: &Benchmark{}}, "bench:"},
		{Spec{Work: WorkBench, Bench: &Benchmark{Weights: "../x"}}, "weights:"},
	} {
		err := c.spec.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.spec, err, c.want)
		}
	}
}
