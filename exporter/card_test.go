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
		{Model: models.Potts3D, Q: 3, Sides: []int{3, 4, 5}},
		{Model: models.BlumeCapel, Q: 3, Sides: []int{4, 3}},
		{Model: models.IsingField, Q: 2, Sides: []int{4, 3}},
		{Model: models.RandomBond, Q: 2, Sides: []int{4, 3}},
		{Model: models.BaxterWu, Q: 2, Sides: []int{6, 3}},
	}
	if len(systems) != len(systemChecks) {
		t.Errorf("%d systems, the cards know %d", len(systems), len(systemChecks))
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
	if err := json.Unmarshal([]byte(`{"model":"potts","q":10,"size":[8,8]}`), &s); err != nil || s.check() != nil || s.System().String() != "potts q=10, size 8x8" {
		t.Errorf("%+v: %v, %v", s, err, s.check())
	}
	if data, err := json.Marshal(s); err != nil || string(data) != `{"model":"potts","q":10,"size":[8,8]}` {
		t.Errorf("%s (%v)", data, err)
	}
	for _, c := range []struct {
		s    CardSystem
		want string
	}{
		{CardSystem{"xy", 2, []int{3, 3}}, "this program knows baxter_wu, blume_capel"},
		{CardSystem{models.Potts, 2, []int{3, 3, 3}}, "2 sides are needed"},
		{CardSystem{models.Potts, 2, nil}, "2 sides are needed"},
		{CardSystem{models.Potts3D, 2, []int{3, 3}}, "3 sides are needed"},
		{CardSystem{models.Potts3D, 1, []int{3, 3, 3}}, "number of colours"},
		{CardSystem{models.Potts3D, 2, []int{1 << 40, 1 << 40, 1 << 40}}, "more than"},
		{CardSystem{models.BlumeCapel, 2, []int{3, 3}}, "the model has 3 colours"},
		{CardSystem{models.IsingField, 3, []int{3, 3}}, "the model has 2 colours"},
		{CardSystem{models.RandomBond, 2, []int{2, 3}}, "at least 3"},
		{CardSystem{models.BaxterWu, 2, []int{4, 3}}, "multiple of 3"},
	} {
		if err := c.s.check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}
