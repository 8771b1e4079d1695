package event_test

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"neuralwl/internal/event"
	"neuralwl/trainer"
)

// fields calls f with every field of a listener.
func fields(l *event.Listener, f func(name string, field reflect.Value)) {
	v := reflect.ValueOf(l).Elem()
	for i := range v.NumField() {
		f(v.Type().Field(i).Name, v.Field(i))
	}
}

// recorder is a listener that notes every call.
func recorder(name string, calls *[]string) event.Listener {
	var l event.Listener
	fields(&l, func(field string, v reflect.Value) {
		v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value {
			*calls = append(*calls, name+" "+field)
			return nil
		}))
	})
	return l
}

// TestTee passes every kind of event on to all listeners, in order, and skips those that
// do not listen to it.
func TestTee(t *testing.T) {
	var calls, want []string
	tee := event.Tee(recorder("a", &calls), event.Listener{}, recorder("b", &calls))
	fields(&tee, func(name string, v reflect.Value) {
		v.Call([]reflect.Value{reflect.Zero(v.Type().In(0))})
		want = append(want, "a "+name, "b "+name)
	})
	if !reflect.DeepEqual(calls, want) {
		t.Errorf("calls %v, want %v", calls, want)
	}
	none := event.Tee(event.Listener{}, event.Listener{})
	fields(&none, func(name string, v reflect.Value) {
		if !v.IsNil() {
			t.Errorf("%s is not nil though nobody listens", name)
		}
	})
	none.EnsureDefaults()
	fields(&none, func(name string, v reflect.Value) {
		v.Call([]reflect.Value{reflect.Zero(v.Type().In(0))})
	})
}

// TestLog logs faults as such, and what is repeated at powers of two.
func TestLog(t *testing.T) {
	var buf bytes.Buffer
	l := event.Log(slog.New(slog.NewTextHandler(&buf, nil)))
	for range 9 {
		l.GradientStep(trainer.StepInfo{Dropped: true})
		l.GradientStep(trainer.StepInfo{})
	}
	if n := strings.Count(buf.String(), "gradient step dropped"); n != 4 {
		t.Errorf("nine dropped steps are logged %d times, want at 1, 2, 4 and 8", n)
	}
	buf.Reset()
	l.NetworkSwapped(event.NetworkSwapped{Name: "a/1", Err: errors.New("damaged")})
	l.NetworkSwapped(event.NetworkSwapped{Name: "a/2", Training: "goes on"})
	l.NetworkSwapped(event.NetworkSwapped{Name: "a/3", Restarted: true, Dropped: 77})
	for _, want := range []string{"level=ERROR", "reason=damaged", "level=INFO msg=\"another network is in use\" name=a/2", `training="goes on"`, "level=WARN", "dropped_passes=77"} {
		if !strings.Contains(buf.String(), want) {
			t.Errorf("no %q in the log: %s", want, buf.String())
		}
	}
	buf.Reset()
	l.CheckpointWritten(event.CheckpointWritten{Err: errors.New("disk full")})
	l.CheckpointWritten(event.CheckpointWritten{})
	if got := buf.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "disk full") {
		t.Errorf("log: %s", got)
	}
}
