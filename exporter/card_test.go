package exporter

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"neuralwl/internal/disk"
	"neuralwl/models"
)

// TestSystems saves and loads a network for every system, and compares systems.
func TestSystems(t *testing.T) {
	h := models.Hyperparameters{Decoder: 3, Floor: 1e-3}
	systems := []models.System{
		{Q: 3, Sides: []int{4, 3}},
		{Model: "potts3d", Q: 3, Sides: []int{3, 4, 5}},
		{Model: "blume_capel", Q: 3, Sides: []int{4, 3}},
		{Model: "ising_field", Q: 2, Sides: []int{4, 3}},
		{Model: "random_bond", Q: 2, Sides: []int{4, 3}},
		{Model: "baxter_wu", Q: 2, Sides: []int{6, 3}},
	}
	for _, s := range systems {
		b, err := NewUntrained("small", models.Made, s, h, rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatal(err)
		}
		folder, err := b.Save(disk.OS, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(folder)
		if err != nil {
			t.Errorf("%v: %v", s, err)
			continue
		}
		for _, other := range systems {
			err := loaded.Card.CheckSystem(other)
			same := reflect.DeepEqual(s, other)
			if same != (err == nil) || !same && !strings.Contains(err.Error(), "system.model") {
				t.Errorf("%v for %v: %v", s, other, err)
			}
		}
	}
}

// TestCardSystems reads cards as they have always been, and refuses systems that cannot be.
func TestCardSystems(t *testing.T) {
	var s CardSystem
	if err := json.Unmarshal([]byte(`{"model":"potts","q":10,"size":[8,8]}`), &s); err != nil || s.check(false) != nil || s.System().String() != "potts q=10, size 8x8" {
		t.Errorf("%+v: %v, %v", s, err, s.check(false))
	}
	if data, err := json.Marshal(s); err != nil || string(data) != `{"model":"potts","q":10,"size":[8,8]}` {
		t.Errorf("%s (%v)", data, err)
	}
	for _, c := range []struct {
		s    CardSystem
		want string
	}{
		{CardSystem{"", 2, []int{3, 3}}, "system.model is missing"},
		{CardSystem{models.Potts, 2, nil}, "there are no sides"},
		{CardSystem{"potts3d", 1, []int{3, 3, 3}}, "number of colours"},
		{CardSystem{"potts3d", 256, []int{3, 3, 3}}, "number of colours"},
		{CardSystem{"potts3d", 2, []int{1 << 40, 1 << 40, 1 << 40}}, "at most"},
		{CardSystem{"own", 2, []int{3, 0}}, "must be positive"},
	} {
		if err := c.s.check(false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}
