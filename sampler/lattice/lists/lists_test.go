package lists

import (
	"reflect"
	"strings"
	"testing"
)

// TestParse reads the same rows in every form.
func TestParse(t *testing.T) {
	pairs := &List{Sites: 3, Rows: []Row{{[]int{0, 1}, 1, -1}, {[]int{2, 0}, -0.5, -1}}}
	for name, c := range map[string]struct {
		text string
		want *List
	}{
		"commas":     {"i,j,J\n0,1,1\n2,0,-0.5\n", pairs},
		"semicolons": {"J; i; j\n1; 0; 1\n-.5; 2; 0", pairs},
		"tabs":       {"i\tj\tJ\r\n0\t1\t1\r\n2\t0\t-5e-1\r\n", pairs},
		"blanks":     {"i  j J\n0 1  1\n 2 0 -0.5 # strong", pairs},
		"of R":       {"\ufeff\"i\",\"j\",\"J\"\r\n\"0\",\"1\",1\r\n2,0,-0.5\r\n", pairs},
		"counted":    {"3 2\n1 2 1\n3 1 -0.5\n", pairs},
		"no weight":  {"3 1\n\n# the only one\n1 2\n", &List{Sites: 3, Rows: []Row{{[]int{0, 1}, 1, -1}}}},
		"fields": {"i,j,k,s,J\n0,1,2,,3\n1,,,,0.25\n*,,,2,-1\n", &List{Sites: 3, Rows: []Row{
			{[]int{0, 1, 2}, 3, -1}, {[]int{1}, 0.25, -1}, {[]int{0}, -1, 2}, {[]int{1}, -1, 2}, {[]int{2}, -1, 2},
		}}},
	} {
		if got, err := Parse(c.text); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v (%v), want %+v", name, got, err, c.want)
		}
		again, err := Parse(c.want.String())
		if err != nil || again.String() != c.want.String() || again.Sites != c.want.Sites {
			t.Errorf("%s: wrote\n%v and read\n%v (%v)", name, c.want, again, err)
		}
	}
}

// TestParseFaults names the line and what is wrong with it.
func TestParseFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "the list is empty",
		"# nothing\n":                     "the list is empty",
		"i,j\n0,1\n":                      "line 1: the table has no column J",
		"i,j,w\n0,1,1\n":                  `line 1: there are no columns "w"`,
		"i,i,J\n":                         `line 1: there are two columns "i"`,
		"1 2 3\n":                         `line 1: "1 2 3" is neither`,
		"0 2\n":                           "line 1: 0 sites, allowed are 1..1048576",
		"3 2\n1 2 1\n":                    "the first line promises 2 couplings, there are 1",
		"3 1\n0 2 1\n":                    `line 2: site "0": a whole number within 1..3`,
		"3 1\n1 2 3 4\n":                  "line 2: \"1 2 3 4\": two sites and their coupling are needed",
		"i,j,J\n0,1\n":                    `line 2: "0,1" has 2 columns, the first line names 3`,
		"i,j,J\n0,0,1\n":                  "line 2: a site interacts with itself",
		"i,j,J\n0,1,one\n":                `line 2: coupling "one": a number is needed`,
		"i,j,J\n0,1,nan\n":                `line 2: coupling "nan": a number is needed`,
		"i,j,J\n1,2,1\n":                  "no row names a site below 1: sites count from 0",
		"i,j,J\n*,1,1\n":                  "line 2: * stands for every site in turn",
		"i,J\n*,1\n":                      "no row names a site",
		"i,J\n1048575,0\n0,0\n*,1\n*,1\n": "1048576 sites and 2 rows for every one of them make 2097154 rows, at most 2097152",
		"i,j,s,J\n0,1,1,1\n":              "line 2: s is the colour that a field acts on, but 2 sites",
		"i,j,J\n-1,1,1\n0,2000000,1\n":    "line 3: site j \"2000000\": a whole number within",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{"i,j,J\n0,1048576,1\n", "0 1 1\n1 2 1\n", "i,j,k,J\n0,x,0,1\n"} {
		if _, err := Parse(text); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: one fault makes %v", text, err)
		}
	}
	_, err := Parse("i,j,J\n" + strings.Repeat("0,x,1\n", 100))
	if n := strings.Count(err.Error(), "\n") + 1; n != maxFaults {
		t.Errorf("%d faults are told of, want %d", n, maxFaults)
	}
}

// FuzzParse finds that what is read makes sense.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"i,j,J\n0,1,1\n", "3 2\n1 2 1\n3 1 -0.5\n", "i,j,k,s,J\n0,1,2,,3\n*,,,2,-1\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "*") && len(text) > 100 {
			return // it may stand for a million rows
		}
		l, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(l.String()); l.Sites > 1 && (err != nil || again.String() != l.String()) {
			t.Fatalf("%q: wrote %q, read %v (%v)", text, l, again, err)
		}
		for _, r := range l.Rows {
			if len(r.Sites) < 1 || len(r.Sites) > 3 {
				t.Fatalf("%q: %+v", text, r)
			}
			for _, site := range r.Sites {
				if site < 0 || site >= l.Sites {
					t.Fatalf("%q: site %d of %d", text, site, l.Sites)
				}
			}
		}
	})
}
