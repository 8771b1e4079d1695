package trainer

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestLosses keeps a bounded number of rows, evenly spread, whatever the number of steps, and
// writes and reads them.
func TestLosses(t *testing.T) {
	for _, steps := range []int64{1, mostLosses, mostLosses + 1, 12345} {
		var l Losses
		for step := int64(1); step <= steps; step++ {
			l.add(LossRow{Step: step, Size: "3x3", Seconds: float64(step), Loss: 1 / float64(step), Norm: math.NaN(), Rate: 0.25})
		}
		if n := int64(len(l.Rows)); n > mostLosses || n < min(steps, mostLosses/2) {
			t.Errorf("%d rows of %d steps", n, steps)
		}
		for i, r := range l.Rows {
			if r.Step != int64(i+1)*l.Every {
				t.Errorf("row %d is step %d, one of %d is kept", i, r.Step, l.Every)
			}
		}
		read, err := ReadLossTable(LossTable(l.Rows))
		if err != nil || len(read) != len(l.Rows) {
			t.Fatalf("%d rows read, %d written (%v)", len(read), len(l.Rows), err)
		}
		for i := range read {
			if !math.IsNaN(read[i].Norm) || math.Abs(read[i].Loss/l.Rows[i].Loss-1) > 1e-5 {
				t.Errorf("row %+v read as %+v", l.Rows[i], read[i])
			}
			read[i].Norm, read[i].Loss = 0, l.Rows[i].Loss
			want := l.Rows[i]
			want.Norm = 0
			if !reflect.DeepEqual(read[i], want) {
				t.Errorf("row %+v read as %+v", want, read[i])
			}
		}
	}
	for text, want := range map[string]string{
		"": "first line", "a,b\n": "first line", lossHeader + "\n1,3x3,0,x,0,0\n": "line 2", lossHeader + "\n1,2\n": "wrong number of fields",
	} {
		if _, err := ReadLossTable([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
