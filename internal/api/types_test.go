package api

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"neuralwl/internal/job"
)

// TestEnums compares the values that the types document with those that there are.
func TestEnums(t *testing.T) {
	list := func(values any) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(values), "[]"), " ", ",") }
	want := map[reflect.Type]string{reflect.TypeFor[job.Work](): list(job.Works), reflect.TypeFor[job.State](): list(job.States)}
	found := 0
	for _, of := range []reflect.Type{reflect.TypeFor[Submission](), reflect.TypeFor[Run]()} {
		for i := range of.NumField() {
			f := of.Field(i)
			values, ok := want[f.Type]
			if !ok {
				continue
			}
			if of == reflect.TypeFor[Run]() && f.Type == reflect.TypeFor[job.Work]() {
				values += "," + string(job.WorkShard) // which nobody submits
			}
			if found++; f.Tag.Get("enum") != values {
				t.Errorf("%s.%s documents %q, there are %q", of.Name(), f.Name, f.Tag.Get("enum"), values)
			}
		}
	}
	if found != 3 {
		t.Errorf("%d fields found", found)
	}
}
