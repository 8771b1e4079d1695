package exporter_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/models"
)

var (
	planar   = models.System{Model: models.XY, Sides: []int{4, 2}}
	tinyFlow = models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2}}
)

// TestAngles saves and loads flows under contract version 2.
func TestAngles(t *testing.T) {
	for _, half := range []bool{false, true} {
		h := tinyFlow
		h.Half = half
		saved := bundletest.New(t, models.Flow, planar, h)
		folder := save(t, saved, t.TempDir())
		b, err := exporter.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		c := b.Card
		if c.Contract != models.AngleContractVersion || !c.Angles() || !c.TakesBeta() || c.TakesHalf() != half || c.TakesState() || !b.Own() || len(c.SHA256) != 4 {
			t.Errorf("card %+v", c)
		}
		if err := c.CheckSystem(planar); err != nil {
			t.Error(err)
		}
		if err := c.CheckSystem(models.System{Q: 2, Sides: []int{4, 2}}); err == nil || !strings.Contains(err.Error(), "system.model") {
			t.Errorf("for another system: %v", err)
		}
		want, err := saved.Weights()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.Weights(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("weights differ: %v", err)
		}
		data, err := os.ReadFile(filepath.Join(folder, exporter.CardFile))
		if err != nil || strings.Contains(string(data), `"q"`) || !strings.Contains(string(data), `"state": "angles"`) {
			t.Errorf("%s (%v)", data, err)
		}
	}
}

// TestAngleCards refuses cards that mix the versions of the contract.
func TestAngleCards(t *testing.T) {
	for name, c := range map[string]struct {
		change func(card map[string]any)
		want   string
	}{
		"nothing":              {func(map[string]any) {}, ""},
		"colours of version 2": {func(c map[string]any) { delete(c, "state") }, `must be "angles"`},
		"angles of version 1":  {func(c map[string]any) { c["contract"] = 1 }, "version 1 knows only colours"},
		"version 3":            {func(c map[string]any) { c["contract"] = 3 }, "knows versions 1 and 2"},
		"a number of colours":  {func(c map[string]any) { c["system"].(map[string]any)["q"] = 2 }, "have no colours"},
		"a target energy":      {func(c map[string]any) { c["conditions"] = []string{"energy"} }, `condition "energy"`},
		"no sides":             {func(c map[string]any) { delete(c["system"].(map[string]any), "size") }, "no sides"},
	} {
		files, err := bundletest.New(t, models.Flow, planar, tinyFlow).Files()
		if err != nil {
			t.Fatal(err)
		}
		var card map[string]any
		if err := json.Unmarshal(files[exporter.CardFile], &card); err != nil {
			t.Fatal(err)
		}
		c.change(card)
		data, err := json.Marshal(card)
		if err != nil {
			t.Fatal(err)
		}
		_, err = exporter.ParseCard(data)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestAngleContract refuses graphs that lack what the card promises.
func TestAngleContract(t *testing.T) {
	h := tinyFlow
	h.Half = true
	b := bundletest.New(t, models.Flow, planar, h)
	b.Card.Conditions = []string{models.Beta}
	files, err := b.Files()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exporter.LoadFiles(files, "half"); err == nil || !strings.Contains(err.Error(), `inputs ["state"] are neither`) {
		t.Errorf("a half that the card does not mention: %v", err)
	}
	b = bundletest.New(t, models.Flow, planar, tinyFlow)
	b.Card.Conditions = []string{models.Beta, models.Half}
	if files, err = b.Files(); err != nil {
		t.Fatal(err)
	}
	if _, err := exporter.LoadFiles(files, "whole"); err == nil || !strings.Contains(err.Error(), `no input "state"`) {
		t.Errorf("a half that is not in the graph: %v", err)
	}
}
