package dos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestReadOthers reads tables as other programs write them. All hold the same levels, some
// without errors.
func TestReadOthers(t *testing.T) {
	const (
		noNames = "no names"
		one     = "1 of 4 levels without ln g, the first in line"
	)
	for name, c := range map[string]struct {
		text  string
		notes string // a part of them; empty for none
	}{
		"byte order mark":         {"\ufeffenergy,ln_g\n-18,1.5\n-14,4.0\n-12,5.25\n", ""},
		"german Excel":            {"\ufeffenergy;ln_g\r\n-18;1,5\r\n-14;4,0\r\n-12;5,25\r\n", ""},
		"empty rows of Excel":     {"energy;ln_g;\r\n-18;1,5;\r\n;;\r\n-14;4;\r\n-12;5,25;\r\n;;\r\n", ""},
		"trailing separators":     {"energy;ln_g\n-18;1,5;;\n-14;4,0;;\n-12;5,25;;\n", ""},
		"Excel's sep":             {"sep=;\nE;ln g\n-18;1,5\n-14;4,0\n-12;5,25\n", ""},
		"old Macintosh":           {"energy,ln_g\r-18,1.5\r-14,4\r-12,5.25\r", ""},
		"quoted decimal commas":   {"\"energy\",\"ln_g\"\n\"-18\",\"1,5\"\n\"-14\",\"4,0\"\n\"-12\",\"5,25\"\n", ""},
		"pandas with index":       {",energy,ln_g\n0,-18.0,1.5\n1,-14.0,4.0\n2,-12.0,5.25\n", ""},
		"pandas, german":          {";E;ln_g\n0;-18,0;1,5\n1;-14,0;4,0\n2;-12,0;5,25\n", ""},
		"R":                       {"\"\",\"E\",\"ln.g\",\"S\"\n\"1\",-18,0,1.5\n\"2\",-14,0,4\n\"3\",-12,0,5.25\n", ""},
		"savetxt":                 {"-1.800000000000000000e+01 1.500000000000000000e+00\n-1.400000000000000000e+01 4.000000000000000000e+00\n-1.200000000000000000e+01 5.250000000000000000e+00\n", noNames},
		"savetxt with a header":   {"# energy,ln_g\n-1.8e+01,1.5\n-1.4e+01,4.0\n-12,5.25\n", ""},
		"savetxt, other header":   {"# made by me\n# energy, ln_g\n# E in units of J\n-18 1.5\n-14 4.0\n-12 5.25\n", ""},
		"savetxt, no comment":     {"energy,ln_g\n-18 1.5\n-14 4.0\n-12 5.25\n", ""},
		"gnuplot":                 {"# E   ln g\n\n  -18   1.5 # ground state\n  -14   4.0\n\n\n  -12   5.25\n", ""},
		"Fortran":                 {"  -0.18000D+02   0.15000D+01\n  -0.14000D+02   0.40000D+01\n  -0.12000D+02   0.52500D+01\n", noNames},
		"Fortran with names":      {" E   ln_g  sigma\n -18.d0 1.5D0 .1D0\n -14.d0 4.0D+00 .2D+0\n -12.d0 5.25d0 .3D0", ""},
		"MATLAB":                  {"% E lng\n  -1.8000000e+01   1.5000000e+00\n  -1.4000000e+01   4.0000000e+00\n  -1.2000000e+01   5.2500000e+00\n", ""},
		"Octave":                  {"# Created by Octave 9\n# name: x\n# type: matrix\n# rows: 3\n# columns: 2\n -18 1.5\n -14 4\n -12 5.25\n", noNames},
		"Julia":                   {"-18\t1.5\n-14\t4.0\n-12\t5.25\n", noNames},
		"Mathematica":             {"energy\tlog g\n-18\t1.5\n-14\t4.\n-12\t52.5*^-1\n", ""},
		"blanks, decimal commas":  {"E  S\n-18 1,5\n-14  4,0\n-12 5,25\n", ""},
		"blanks, commas, bare":    {"-18,0 1,5\n-14,0  4,0\n-12,0 5,25\n", noNames},
		"tabs, decimal commas":    {"energy\tln g\n-18\t1,5\n-14\t4\n-12\t5,25\n", ""},
		"tabs and blanks":         {"-18 \t 1.5\n-14   4.0\n-12\t5.25\n", noNames},
		"comma and blank":         {"energy, ln_g, ln_g_error\n-18, 1.5, 0.1\n-14, 4.0, 0.2\n-12, 5.25, 0.3\n", ""},
		"three without names":     {"-18 1.5 0.1\n-14 4.0 0.2\n-12 5.25 0.3\n", noNames},
		"an empty field":          {"energy,ln_g\n-18,1.5\n-17,\n-14,4.0\n-12,5.25\n", one + " 3"},
		"nan":                     {"energy ln_g\n-18 1.5\n-14 4.0\n-12 5.25\n-10 nan\n", one + " 5"},
		"-nan(ind)":               {"E;S\n-18;1,5\n-14;4,0\n-12;5,25\n-10;-nan(ind)\n", one + " 5"},
		"errors unknown":          {"-18 1.5 nan\n-14 4.0 nan\n-12 5.25 nan\n", noNames},
		"errors of 0":             {"-18 1.5 0\n-14 4.0 0\n-12 5.25 0\n", noNames},
		"Fortran, no letter":      {"E S err\n -18.0 1.5 0.1\n -14.0 4.0 0.2\n -12.0+000 5250.0-003 0.3\n", ""},
		"french Excel":            {"Energie;ln g(E);Erreur\r\n-18;1,50E+00;0,1\r\n-14;4,00E+00;0,2\r\n-12;5,25E+00;0,3\r\n", ""},
		"question marks":          {"# E lng\n-18 1.5\n-14 4.0\n-13 ?\n-12 5.25\n", one + " 4"},
		"-inf":                    {"# E lng\n-18 1.5\n-17 -inf\n-14 4.0\n-12 5.25\n", one + " 3"},
		"first unvisited":         {"-20;-Infinity\n-18;1,5\n-14;4,0\n-12;5,25\n", one + " 1"},
		"null of JSON, NA of R":   {"E,S,err\n-20,null,NA\n-18,1.5,.1\n-14,4,.2\n-12,5.25,.3\n", one + " 2"},
		"minus sign":              {"energy\tln_g\n\u221218\t1.5\n\u221214\t4.0\n\u221212\t5.25\n", ""},
		"comments anywhere":       {"# a\n\nenergy,ln_g # names\n! b\n-18,1.5\n% c\n-14,4.0 # d\n\n#\n-12,5.25", ""},
		"plain names come first":  {"# energy,ln_g\nln_g,energy\n1.5,-18\n4,-14\n5.25,-12\n", ""},
		"names with brackets":     {"energy,ln(g(E))\n-18,1.5\n-14,4.0\n-12,5.25\n", ""},
		"decimal comma with 0":    {"energy;ln_g\n-18;1,500\n-14;4,000\n-12;5,25\n", ""},
		"in a program's own form": {"energy,ln_g,ln_g_error,ln_omega,ln_omega_error,effective_draws\n-18,1.5,0.1,1,2,3\n-14,4,0.2,,,\n-12,5.25,0.3,,,\n", ""},
	} {
		for kind, data := range map[string][]byte{"UTF-8": []byte(c.text), "UTF-16 LE": wide(c.text, binary.LittleEndian), "UTF-16 BE": wide(c.text, binary.BigEndian)} {
			var notes []string
			r := Reader{Note: func(text string) { notes = append(notes, text) }}
			d, err := r.ReadCSV(bytes.NewReader(data))
			if err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
				continue
			}
			if !slices.Equal(d.Energy, []float64{-18, -14, -12}) || !slices.Equal(d.LnG, []float64{1.5, 4, 5.25}) || d.Error != nil && !slices.Equal(d.Error, []float64{.1, .2, .3}) && !strings.HasPrefix(name, "errors") {
				t.Errorf("%s, %s: %+v", name, kind, d)
			}
			if got := strings.Join(notes, "\n"); !strings.Contains(got, c.notes) || c.notes == "" && got != "" {
				t.Errorf("%s: notes %q, want %q", name, got, c.notes)
			}
			if _, err := ReadCSV(bytes.NewReader(data)); (err != nil) != (c.notes != "") {
				t.Errorf("%s: read strictly: %v", name, err)
			}
		}
	}
}

// wide is text in UTF-16 with a byte order mark.
func wide(text string, order binary.AppendByteOrder) []byte {
	data := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(strings.TrimPrefix(text, "\ufeff"))) {
		data = order.AppendUint16(data, unit)
	}
	return data
}

// TestRefuseAmbiguous wants a refusal of every table that can be read in two ways.
func TestRefuseAmbiguous(t *testing.T) {
	for _, c := range []struct {
		text  string
		words []string
	}{
		{"-18,1\n-14,4\n", []string{"decimal marks or separate columns"}},
		{"-18,1\n-14,5,4,0\n", []string{"line 2", "4 fields"}},
		{"-18,1,1,5\n-14,1,4,0\n", []string{"line 1", "4 columns have no names"}},
		{"energy,ln_g\n-18,1,5\n-14,4,0\n", []string{"line 2", `"-18,1,5"`, "3 fields", "semicolons"}},
		{"energy;ln_g\n-1,024;1,099\n-1,020;2,485\n", []string{"line 2", "column energy", `"-1,024"`, "thousands"}},
		{"energy;ln_g\n-1.024;0,693\n-1.020;2,485\n", []string{"line 2", "column ln_g", `"0,693"`, `"-1.024"`, "same decimal mark"}},
		{"energy;ln_g\n-1,024;0.693\n", []string{"line 2", `"-1,024"`, "same decimal mark"}},
		{"\"energy\",\"ln_g\"\n\"-1,024\",0.693\n", []string{`"-1,024"`, "same decimal mark"}},
		{"energy;ln_g\n-1,024,000;0,5\n", []string{"line 2", `"-1,024,000"`}},
		{"energy;ln_g\n-1\u00a0024;0,5\n", []string{"line 2", "column energy"}},
		{"energy;ln_g\n-1'024;0,5\n", []string{"line 2", `"-1'024"`}},
		{"-18 2\n-14 72\n-10 144\n", []string{"no names", "may be g or ln g"}},
		{"-18 2 0.693\n-14 72 4.277\n", []string{"no names", "may be g or ln g"}},
		{"0 -18.5 1.5\n1 -14.5 4.5\n", []string{"number the lines"}},
		{"-18 1.5 3000\n-14 4.5 3100\n", []string{"visits"}},
		{"-18 1.5 -0.1\n-14 4.5 0.1\n", []string{"line 1", "column 3", `"-0.1"`, "standard error"}},
		{"-18\n-14\n", []string{`"-18"`, "are needed"}},
		{"energy,ln_g\n-18 1,5\n", []string{"line 2", `"-18 1"`}},
		{"energy,log10_g\n-18,1.5\n", []string{"log10_g", "are needed"}},
		{"E/N,ln_g\n-1.5,1.5\n", []string{"E/N", "are needed"}},
		{"E g/gmax\n-1.5 1.5\n", []string{"g/gmax", "are needed"}},
		{"energy,ln_g\n0x10,1.5\n", []string{"line 2", `"0x10"`}},
		{"energy,ln_g\n-18,********\n", []string{"line 2", "********"}},
		{"e\x00n\x00e\x00r\x00", []string{"byte order mark", "byte 1"}},
		{"\xff\xfee\x00n", []string{"truncated"}},
	} {
		d, err := Reader{Note: func(string) {}}.ReadCSV(strings.NewReader(c.text))
		if err == nil {
			t.Errorf("%q: no error, %+v", c.text, d)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q: %s is not in the error: %v", c.text, word, err)
			}
		}
	}
}

// TestReadZeros reads ln g = 0 as a value, or as a level never visited if told so; more than
// two zeros are noted.
func TestReadZeros(t *testing.T) {
	const text = "energy,ln_g\n-18,1.5\n-17,0\n-16,0.0\n-14,4\n-1,-0e0\n"
	var notes []string
	r := Reader{Note: func(text string) { notes = append(notes, text) }}
	if d, err := r.ReadCSV(strings.NewReader(text)); err != nil || d.Len() != 5 || d.LnG[1] != 0 || len(notes) != 1 || !strings.Contains(notes[0], "3 levels have ln g = 0") {
		t.Errorf("%+v, %v, notes %q", d, err, notes)
	}
	notes, r.ZerosUnvisited = nil, true
	d, err := r.ReadCSV(strings.NewReader(text))
	if err != nil || !slices.Equal(d.Energy, []float64{-18, -14}) || len(notes) != 1 || !strings.Contains(notes[0], "3 of 5 levels without ln g, the first in line 3") {
		t.Errorf("%+v, %v, notes %q", d, err, notes)
	}
	if d, err := ReadCSV(strings.NewReader(text)); err != nil || d.Len() != 5 {
		t.Errorf("strictly: %+v, %v", d, err)
	}
}

// TestReadCounts reads numbers of states, also those beyond float64; ln g goes before them.
func TestReadCounts(t *testing.T) {
	text := "E,g\n-4,2\n-3,0\n-2,1" + strings.Repeat("0", 400) + "\n-1,2.5E+1000\n0,007\n1,3" + strings.Repeat("7", 700) + ".5D-100\n2,1\n"
	leading := 3.7777777777777777777
	want := []float64{math.Ln2, 400 * math.Ln10, math.Log(2.5) + 1000*math.Ln10, math.Log(7), math.Log(leading) + 600*math.Ln10, 0}
	d, err := Reader{Note: func(string) {}}.ReadCSV(strings.NewReader(text))
	if err != nil || !slices.Equal(d.Energy, []float64{-4, -2, -1, 0, 1, 2}) {
		t.Fatalf("%+v, %v", d, err)
	}
	for i, x := range d.LnG {
		if math.Abs(x-want[i]) > 4e-16*want[i] {
			t.Errorf("ln g(%v) = %v, want %v", d.Energy[i], x, want[i])
		}
	}
	if d, err = ReadCSV(strings.NewReader("E,g,ln_g\n-4,100,0.5\n")); err != nil || d.LnG[0] != 0.5 {
		t.Errorf("%+v, %v", d, err)
	}
}

// write renders a density of states in one of many dialects.
func write(d *Density, choice uint64) []byte {
	pick := func(n uint64) int { i := choice % n; choice /= n; return int(i) }
	separator := []string{",", ";", "\t", " ", " , ", "; ", "   ", " \t "}[pick(8)]
	comma := pick(2) == 1 && !strings.Contains(separator, ",")
	format := []string{"%v", "%.17e", "%.17E", "%25.17e"}[pick(4)]
	letter := []string{"e", "D", "d", "*^"}[pick(4)]
	end := []string{"\n", "\r\n", "\r"}[pick(3)]
	header := []string{"energy%sln_g", "# energy%sln_g", "E%sS", "% E%slng", "! Energy%slog_g", "\"E\"%s\"ln(g(E))\""}[pick(6)]
	index, quote, remarks, encoding := pick(2) == 1, pick(2) == 1, pick(2) == 1, pick(4)
	blanks := strings.Contains(separator, " ") && !strings.ContainsAny(separator, ",;\t")
	var b strings.Builder
	if remarks {
		b.WriteString("# remark, of words; and a number 1,5" + end + end)
	}
	header = strings.Replace(header, "%s", separator, 1)
	if index {
		name := ""
		if blanks {
			name = "n"
		}
		at := 0
		if strings.IndexByte("#%!", header[0]) >= 0 {
			at = 2
		}
		header = header[:at] + name + separator + header[at:]
	}
	b.WriteString(header + end)
	for i, e := range d.Energy {
		if index {
			fmt.Fprintf(&b, "%d%s", i, separator)
		}
		for k, x := range []float64{e, d.LnG[i]} {
			text := strings.TrimSpace(fmt.Sprintf(format, x))
			text = strings.NewReplacer("e", letter, "E", letter).Replace(text)
			if comma {
				text = strings.Replace(text, ".", ",", 1)
			}
			if quote {
				text = strconv.Quote(text)
			}
			b.WriteString(text)
			if k == 0 {
				b.WriteString(separator)
			}
		}
		if remarks && i == 1 {
			b.WriteString(" # a remark" + end + "# and another")
		}
		b.WriteString(end)
	}
	switch encoding {
	case 1:
		return []byte("\ufeff" + b.String())
	case 2:
		return wide(b.String(), binary.LittleEndian)
	case 3:
		return wide(b.String(), binary.BigEndian)
	}
	return []byte(b.String())
}

// FuzzDialects writes the same levels in many dialects and wants the same numbers from all
// that are read: a refusal is allowed only where commas may group thousands.
func FuzzDialects(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed, seed*0x9e3779b97f4a7c15)
	}
	f.Fuzz(func(t *testing.T, seed, choice uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		d := &Density{}
		for e := -20.0; len(d.Energy) < 1+int(seed%7); e += float64(1+r.IntN(3)) * []float64{1, 0.5, 1. / 3}[seed%3] {
			d.Energy = append(d.Energy, e)
			d.LnG = append(d.LnG, math.Ldexp(r.NormFloat64(), r.IntN(30)-10))
		}
		data := write(d, choice)
		got, err := Reader{Note: func(text string) { t.Errorf("%q: note %s", data, text) }}.ReadCSV(bytes.NewReader(data))
		switch {
		case err != nil && strings.Contains(err.Error(), "thousands, like all"):
		case err != nil:
			t.Errorf("%q: %v", data, err)
		case !slices.Equal(got.Energy, d.Energy) || !slices.Equal(got.LnG, d.LnG):
			t.Errorf("%q: %v, want %v", data, got, d)
		}
	})
}
