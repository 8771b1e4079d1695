package cpu_test

import (
	"runtime"
	"testing"
	"time"

	"neuralwl/internal/cpu"
)

// TestPin ties a thread to one core and gives it back.
func TestPin(t *testing.T) {
	cores := cpu.Cores()
	if len(cores) == 0 {
		t.Skip("this system does not say which cores there are")
	}
	release, err := cpu.Pin(cores[len(cores)-1])
	if err != nil {
		t.Fatal(err)
	}
	if now := cpu.Cores(); len(now) != 1 || now[0] != cores[len(cores)-1] {
		t.Errorf("tied to %v", now)
	}
	release()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if now := cpu.Cores(); len(now) != len(cores) {
		t.Errorf("after that %v, before %v", now, cores)
	}
	if _, err := cpu.Pin(1023); err == nil {
		t.Error("tied to a core that does not exist")
	}
}

// TestTime counts work and no waiting.
func TestTime(t *testing.T) {
	began := cpu.Time()
	time.Sleep(50 * time.Millisecond)
	if waited := cpu.Time() - began; waited > 40*time.Millisecond {
		t.Errorf("%v of waiting count as work", waited)
	}
	for began = cpu.Time(); cpu.Time() == began; { // until the clock moves
	}
}
