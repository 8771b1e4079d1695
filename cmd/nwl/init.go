package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"neuralwl/internal/config"
	"neuralwl/internal/draft"
	"neuralwl/internal/shell"
)

func newInit() *cobra.Command {
	var r draft.Request
	var wish string
	var beta float64
	c := &cobra.Command{
		Use:   "init [FILE] [--model MODEL] [--q Q] [--size LxL] [--for WISH] [--beta BETA] [--time TIME] [--set key=value]...",
		Short: "Write a configuration by answering a few questions",
		Long: `Write a commented configuration of a run to FILE, run.yaml by default: the method that suits the system,
its size and what is to be found, with the reason for every setting. On a terminal nwl init asks for what
no flag says; elsewhere it takes the defaults. It says what to expect of the run. A file that is there
already is left alone.`,
		Example: "  nwl init\n  nwl init potts.yaml --model potts --q 8 --size 32x32 --for transition --time 1h\n  nwl init ising.yaml --model ising --size 16x16 --for canonical --beta 0.88",
		Args:    arguments(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			path := "run.yaml"
			if len(args) > 0 {
				path = args[0]
			}
			if _, err := os.Lstat(path); err == nil {
				return fmt.Errorf("%s is there already, and nothing was written; name another file, or delete it", path)
			}
			r.Wish = draft.Wish(wish)
			if c.Flags().Changed("beta") {
				r.Beta = &beta
			}
			if c.Flags().Changed("q") && r.Colours == 0 {
				return usageError{errors.New("--q 0: there must be colours")}
			}
			if term.IsTerminal(int(os.Stdin.Fd())) {
				if err := askAll(c, bufio.NewReader(c.InOrStdin()), &r); err != nil {
					return err
				}
			}
			var err error
			if r.Set, err = config.WithCouplings(nil, r.Set); err != nil {
				return usageError{fmt.Errorf("init: %w", err)}
			}
			d, err := draft.New(r)
			if err != nil {
				return usageError{fmt.Errorf("init: %w", err)}
			}
			if err := create(path, d.Text); err != nil {
				return err
			}
			return unlessClosed(printDraft(c.OutOrStdout(), path, d))
		},
	}
	c.Flags().StringVar(&r.Model, "model", config.Potts, "the system: "+strings.Join(config.Models, ", "))
	c.Flags().IntVar(&r.Colours, "q", 0, "number of colours of potts (default 10) and potts3d (default 3)")
	c.Flags().StringVar(&r.Size, "size", "", "sides of the lattice, as in 16x16 (default some 250 sites)")
	c.Flags().StringVar(&wish, "for", string(draft.Density), "what is to be found: density (ln g at all energies), transition, or canonical (averages at one temperature)")
	c.Flags().Float64Var(&beta, "beta", 0, "inverse temperature of --for canonical, in units of 1/J")
	c.Flags().DurationVar(&r.Time, "time", 0, "the run ends after so long, as in 30m (default as long as it takes)")
	c.Flags().StringArrayVar(&r.Set, "set", nil, "set a further key, as in --set system.crystal_field=1.9")
	for name, values := range map[string][]string{"model": config.Models, "for": wishes()} {
		if err := c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // the flag is there
		}
	}
	return c
}

func wishes() (names []string) {
	for _, w := range draft.Wishes {
		names = append(names, string(w))
	}
	return names
}

// create writes a file that must not be there yet.
func create(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

func printDraft(w io.Writer, path string, d *draft.Draft) error {
	for _, note := range d.Notes {
		if _, err := fmt.Fprint(w, unindented(note)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: %v by %s\nnwl run --config %s\n", path, d.System, d.Config.Run.Method, shell.Quote(path))
	return err
}

// unindented is a text in lines.
func unindented(text string) string { return strings.ReplaceAll(folded(text), "    ", "") }

// question is one that nwl init asks, unless its flag has answered it.
type question struct {
	flag    string
	matters func(r *draft.Request) bool // nil for always
	text    string
	choices [][2]string // with what they mean; nil for a free answer
	usual   func(r *draft.Request) string
	take    func(r *draft.Request, answer string) error
}

// coupling asks for a parameter that one model has.
func coupling(model, key, text, usual string) question {
	return question{
		matters: func(r *draft.Request) bool {
			return r.Model == model && !slices.ContainsFunc(r.Set, func(s string) bool { return strings.HasPrefix(s, key+"=") })
		},
		text: text, usual: func(*draft.Request) string { return usual },
		take: func(r *draft.Request, answer string) error {
			r.Set = append(slices.DeleteFunc(slices.Clone(r.Set), func(s string) bool { return strings.HasPrefix(s, key+"=") }), key+"="+answer)
			_, _, err := r.System()
			return err
		},
	}
}

func constant(text string) func(*draft.Request) string {
	return func(*draft.Request) string { return text }
}

// questions are in the order in which later ones depend on earlier ones.
var questions = []question{
	{
		flag: "model", text: "Which model? Its energy and its symmetries decide which phases there are.",
		choices: [][2]string{
			{config.Potts, "q equivalent colours on the square lattice; neighbours of one colour gain J"},
			{config.Ising, "the same with two colours: spins up and down"},
			{config.Potts3D, "Potts on the simple cubic lattice"},
			{config.BlumeCapel, "spins -1, 0, 1; a crystal field D makes 0 cheaper, up to a tricritical point"},
			{config.IsingField, "spins in a magnetic field h"},
			{config.RandomBond, "spins with a share of antiferromagnetic bonds: frustration"},
			{config.BaxterWu, "products of three spins on the triangles of the triangular lattice"},
			{config.Clock, "spins with q directions in a plane; neighbours gain J times the cosine of the angle between them"},
			{config.XY, "the same with all directions of the plane, and a transition by vortices"},
		},
		usual: constant(config.Potts),
		take: func(r *draft.Request, answer string) error {
			r.Model = answer
			_, _, err := r.System()
			return err
		},
	},
	{
		flag: "q", matters: func(r *draft.Request) bool {
			return r.Model == config.Potts || r.Model == config.Potts3D || r.Model == config.Clock
		},
		text: "How many colours, or directions? In two dimensions the transition is continuous up to four and of first order from five on, the more strongly the more " +
			"colours; in three dimensions it is of first order from three on. Clocks have two transitions from five directions on.",
		usual: func(r *draft.Request) string {
			switch r.Model {
			case config.Potts3D:
				return "3"
			case config.Clock:
				return "6"
			}
			return "10"
		},
		take: func(r *draft.Request, answer string) (err error) {
			if r.Colours, err = strconv.Atoi(answer); err != nil {
				return errors.New("write a whole number")
			}
			_, _, err = r.System()
			return err
		},
	},
	coupling(config.BlumeCapel, "system.crystal_field", "Which crystal field D, in units of J? The transition is continuous below 1.966, of first order from there to 2, and gone beyond.", "1.75"),
	coupling(config.IsingField, "system.field", "Which field h, in units of J? Any but 0 takes the transition away.", "0.5"),
	coupling(config.RandomBond, "system.antiferromagnetic", "Which share of the bonds is antiferromagnetic, 0 to 1? One half is the spin glass, which orders at no temperature above zero.", "0.5"),
	{
		flag: "size",
		text: "How large a lattice? Transitions are sharp on infinite lattices alone. The number of energies grows with the sites, and the time to cross them " +
			"with about their square; at transitions of first order the barrier between the phases comes on top.",
		usual: func(r *draft.Request) string {
			_, of, err := r.System()
			if err != nil {
				return "16x16"
			}
			return strings.Trim(strings.ReplaceAll(fmt.Sprint(of.Size), " ", "x"), "[]")
		},
		take: func(r *draft.Request, answer string) error {
			r.Size = answer
			_, _, err := r.System()
			return err
		},
	},
	{
		flag: "for", text: "What is to be found?",
		choices: [][2]string{
			{string(draft.Density), "ln g at all energies, and from it free energy, entropy and averages at all temperatures"},
			{string(draft.Transition), "the same, with more time for the transition: its temperature, latent heat, weights of the phases"},
			{string(draft.Canonical), "averages at one temperature, and its neighbours, by ordinary sampling; no free energy"},
		},
		usual: constant(string(draft.Density)),
		take: func(r *draft.Request, answer string) error {
			r.Wish = draft.Wish(answer)
			return nil
		},
	},
	{
		flag: "beta", matters: func(r *draft.Request) bool { return r.Wish == draft.Canonical },
		text:  "At which inverse temperature beta = J/(k T)? The usual one is that of the infinite lattice's transition, where that is known.",
		usual: usualBeta,
		take: func(r *draft.Request, answer string) error {
			beta, err := strconv.ParseFloat(answer, 64)
			if err != nil {
				return errors.New("write a decimal number")
			}
			r.Beta = &beta
			_, err = draft.New(*r)
			return err
		},
	},
	{
		flag: "time",
		text: "How long may it run, as in 10m or 2h? Statistical errors fall with the square root of the time. 0 is for as long as it takes to come to flat " +
			"histograms, and as long again; a run can be stopped and resumed at any time.",
		usual: constant("0"),
		take: func(r *draft.Request, answer string) (err error) {
			if r.Time, err = time.ParseDuration(answer); err != nil {
				return errors.New("write a number with a unit, as in 90s, 10m or 2h")
			}
			_, err = draft.New(*r)
			return err
		},
	},
}

func usualBeta(r *draft.Request) string {
	if system, _, err := r.System(); err == nil && system.InfiniteTransition() > 0 {
		return fmt.Sprintf("%.6g", system.InfiniteTransition())
	}
	return "0.5"
}

// askAll asks what no flag says. A wrong answer is asked for again, with what is wrong.
func askAll(c *cobra.Command, in *bufio.Reader, r *draft.Request) error {
	w := c.ErrOrStderr()
	fmt.Fprintln(w, "Return takes the answer in brackets, Ctrl-C ends without writing anything.")
	for _, q := range questions {
		if q.flag != "" && c.Flags().Changed(q.flag) || q.matters != nil && !q.matters(r) {
			continue
		}
		fmt.Fprintf(w, "\n%s", unindented(q.text))
		for _, choice := range q.choices {
			fmt.Fprintf(w, "  %-12s %s\n", choice[0], choice[1])
		}
		for usual := q.usual(r); ; {
			fmt.Fprintf(w, "[%s] ", usual)
			answer, err := in.ReadString('\n')
			if err != nil {
				return fmt.Errorf("the answers end early, and nothing was written: %w", err)
			}
			if answer = strings.TrimSpace(answer); answer == "" {
				answer = usual
			}
			if err := q.answer(r, answer); err != nil {
				fmt.Fprintln(w, clean(err.Error()))
				continue
			}
			break
		}
	}
	return nil
}

// answer takes an answer, or leaves the request as it was.
func (q *question) answer(r *draft.Request, text string) error {
	if q.choices != nil && !slices.ContainsFunc(q.choices, func(c [2]string) bool { return c[0] == text }) {
		var names []string
		for _, c := range q.choices {
			names = append(names, c[0])
		}
		return fmt.Errorf("%q is none of %s", text, strings.Join(names, ", "))
	}
	next := *r
	if err := q.take(&next, text); err != nil {
		return err
	}
	*r = next
	return nil
}
