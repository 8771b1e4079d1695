package exporter

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"neuralwl/models"
)

// schema is what the test reads of a JSON schema.
type schema struct {
	Type       any               `json:"type"`
	Const      any               `json:"const"`
	Required   []string          `json:"required"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	About      string            `json:"description"`
	Additional *schema           `json:"additionalProperties"`
	Enum       []string          `json:"enum"`
	Minimum    *float64          `json:"minimum"`
	Maximum    *float64          `json:"maximum"`
}

// TestSchema compares docs/card.schema.json with the card, field by field, and has docs/bundles.md
// name them all.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile("../docs/card.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../docs/bundles.md")
	if err != nil {
		t.Fatal(err)
	}
	if sets := fmt.Sprintf("operator sets %d to %d", oldestOpset, newestOpset); !strings.Contains(string(document), sets) {
		t.Errorf("docs/bundles.md does not say %q", sets)
	}
	compareSchema(t, "card", s, reflect.TypeFor[Card](), string(document))
	if c := s.Properties["contract"]; *c.Minimum != models.ContractVersion || *c.Maximum != models.AngleContractVersion {
		t.Errorf("contract: %g to %g", *c.Minimum, *c.Maximum)
	}
	if s.Properties["state"].Const != AngleState {
		t.Errorf("state: %v", s.Properties["state"].Const)
	}
	want := []string{ConditionState, ConditionShift, ConditionEnergy, ConditionBeta, ConditionHalf}
	if got := s.Properties["conditions"].Items.Enum; !slices.Equal(got, want) {
		t.Errorf("conditions %v, want %v", got, want)
	}
	// What a card must have, one by one.
	whole := map[string]any{
		"contract": models.ContractVersion, "name": "n", "system": map[string]any{"model": "potts", "q": 2, "size": []int{2, 2}},
		"sha256": map[string]string{ProposeFile: "0", LogProbFile: "0"},
	}
	if !slices.Equal(slices.Sorted(slices.Values(s.Required)), []string{"contract", "name", "sha256", "system"}) {
		t.Errorf("required: %v", s.Required)
	}
	parse := func() error {
		text, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseCard(text)
		return err
	}
	if err := parse(); err != nil {
		t.Errorf("a card of what the schema requires is refused: %v", err)
	}
	for _, name := range s.Required {
		value := whole[name]
		delete(whole, name)
		if parse() == nil {
			t.Errorf("a card without %s, which the schema requires, is accepted", name)
		}
		whole[name] = value
	}
	q := s.Properties["system"].Properties["q"]
	for value, accepted := range map[float64]bool{*q.Minimum - 1: false, *q.Minimum: true, *q.Maximum: true, *q.Maximum + 1: false} {
		whole["system"].(map[string]any)["q"] = value
		if err := parse(); (err == nil) != accepted {
			t.Errorf("q = %v: %v", value, err)
		}
	}
}

// compareSchema compares a schema with the type that its values are read into.
func compareSchema(t *testing.T, path string, s schema, of reflect.Type, document string) {
	switch of.Kind() {
	case reflect.Struct:
		var names []string
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(names, name)
			property, ok := s.Properties[name]
			if !ok {
				t.Errorf("%s has no property %s", path, name)
				continue
			}
			if property.About == "" {
				t.Errorf("%s.%s has no description", path, name)
			}
			if !strings.Contains(document, "`"+name+"`") {
				t.Errorf("docs/bundles.md does not describe %s.%s", path, name)
			}
			compareSchema(t, path+"."+name, property, field.Type, document)
		}
		for name := range s.Properties {
			if !slices.Contains(names, name) {
				t.Errorf("%s has the property %s, which is no field", path, name)
			}
		}
	case reflect.Pointer:
		compareSchema(t, path, s, of.Elem(), document)
	default:
		kinds := map[reflect.Kind]string{
			reflect.Int: "integer", reflect.Int64: "integer", reflect.Uint64: "integer", reflect.Float64: "number",
			reflect.String: "string", reflect.Bool: "boolean", reflect.Slice: "array", reflect.Map: "object",
		}
		if s.Const == nil && !strings.Contains(fmt.Sprint(s.Type), kinds[of.Kind()]) {
			t.Errorf("%s has the type %v, want %s", path, s.Type, kinds[of.Kind()])
		}
	}
}
