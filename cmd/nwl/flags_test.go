package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestStrictFlags reads numbers in decimal digits and refuses empty texts.
func TestStrictFlags(t *testing.T) {
	var n int
	var seed uint64
	var x float64
	var betas []float64
	var path string
	parse := func(arguments ...string) error {
		c := &cobra.Command{Use: "test"}
		sub := &cobra.Command{Use: "sub", RunE: func(*cobra.Command, []string) error { return nil }, SilenceUsage: true, SilenceErrors: true}
		sub.Flags().IntVar(&n, "n", 1, "")
		sub.Flags().Uint64Var(&seed, "seed", 1, "")
		sub.Flags().Float64Var(&x, "x", 1, "")
		sub.Flags().Float64SliceVar(&betas, "beta", nil, "")
		sub.Flags().StringVar(&path, "path", "", "")
		c.AddCommand(sub)
		strictFlags(c)
		c.SetArgs(append([]string{"sub"}, arguments...))
		return c.Execute()
	}
	if err := parse("--n=-010", "--seed", "008", "--x=007.50", "--beta=01.5, 2", "--path", " a"); err != nil {
		t.Fatal(err)
	}
	if n != -10 || seed != 8 || x != 7.5 || len(betas) != 2 || betas[0] != 1.5 || path != " a" {
		t.Errorf("read %d, %d, %g, %v, %q", n, seed, x, betas, path)
	}
	if err := parse("--n=000", "--x=0.0", "--seed=0"); err != nil || n != 0 || x != 0 || seed != 0 {
		t.Errorf("zeros: %v, %d, %g, %d", err, n, x, seed)
	}
	for _, bad := range []string{"--n=0x10", "--n=1_0", "--n=0b1", "--seed=0o7", "--seed=-1", "--x=0x1p3", "--x=inf", "--x=NaN", "--beta=1,0x2", "--n=", "--path=", "--n=1e3"} {
		flag, _, _ := strings.Cut(bad, "=")
		if err := parse(bad); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
