package daemon

import (
	"os"
	"testing"

	"neuralwl/internal/api"
)

// TestUnsure submits runs again of which it was not known whether they are on record: one that is not gets
// its name, one that is keeps it.
func TestUnsure(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	for _, id := range []string{"lost", "forgotten"} { // as a queue that does not answer leaves them
		if err := os.Mkdir(h.Folder(id), 0o777); err != nil {
			t.Fatal(err)
		}
		h.unsure.add(id)
	}
	submit := func(id string) error {
		_, err := h.Submit(t.Context(), api.Submission{ID: id, Set: lengthy()}, "")
		return err
	}
	if err := submit("lost"); err != nil {
		t.Errorf("a run that is not on record: %v", err)
	}
	h.unsure.add("lost")
	if err := submit("lost"); !Taken(err) {
		t.Errorf("a run that is on record: %v", err)
	}
	h.settleAll(t.Context())
	if _, err := os.Stat(h.Folder("forgotten")); !os.IsNotExist(err) {
		t.Errorf("the folder of a run that is not on record: %v", err)
	}
	if _, err := os.Stat(h.Folder("lost")); err != nil || len(h.unsure.list()) > 0 {
		t.Errorf("the folder of a run that is on record: %v; unsure are %v", err, h.unsure.list())
	}
}
