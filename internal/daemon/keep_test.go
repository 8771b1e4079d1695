package daemon

import (
	"testing"

	"neuralwl/internal/job"
)

// TestOvertaken keeps in the run directory the newer of two records of which the older one comes
// later, as it may by way of a wish.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	d, _, _ := idle(t, t.TempDir())
	submit(t, d, "run-1")
	older, err := d.queue.Get(t.Context(), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	wish(t, d, "run-1", job.Cancel)
	newer, err := d.queue.Get(t.Context(), "run-1")
	if err != nil {
		t.Fatal(err)
	}
	d.keep(t.Context(), newer)
	d.keep(t.Context(), older)
	if kept, err := readKept(d.Folder("run-1")); err != nil || kept.Job.State != job.Cancelled || kept.Wish != job.Cancel {
		t.Errorf("%+v, %v", kept, err)
	}
}
