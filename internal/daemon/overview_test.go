package daemon

import (
	"reflect"
	"testing"

	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

// TestGroupRuns counts the members of groups that go on.
func TestGroupRuns(t *testing.T) {
	t.Parallel()
	m := newMirror()
	for id, state := range map[string]job.State{"a-1": job.Running, "a-2": job.Done, "b-1": job.Failed} {
		m.put(id, &queue.Record{Job: job.Job{ID: id, State: state}})
	}
	got := m.groupRuns([]*group{
		{file: groupFile{Name: "a"}, ids: []string{"a-1", "a-2", "a-3"}}, {file: groupFile{Name: "b"}, ids: []string{"b-1"}},
	})
	if want := map[string]map[string]int{"a": {"running": 1, "done": 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
