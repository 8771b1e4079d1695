package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"neuralwl/internal/config"
	"neuralwl/internal/near"
	"neuralwl/internal/report"
	"neuralwl/models/pretrained"
)

// explanation is of a key, or of a check of the verdict.
type explanation struct {
	config.Explanation
	Check string `json:"check,omitempty"`
}

func newExplain() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain KEY|SECTION|CHECK [--json]",
		Short: "Explain a configuration key, or a line of the verdict",
		Long: `Explain a key of the configuration or all of a section, of a run or of nwl serve, or what a check of
the verdict shows. Without an argument, list all of them.`,
		Example: "  nwl explain wang_landau.final_ln_f\n  nwl explain windows\n  nwl explain 'round trips'",
		Args:    arguments(cobra.MaximumNArgs(1)),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return explained(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, names []string) error {
			found := explanations(strings.Join(names, ""))
			if len(found) == 0 {
				known := explained()
				for _, key := range known {
					section, _, _ := strings.Cut(key, ".")
					known = append(known, section)
				}
				return usageError{fmt.Errorf("%s is no key, no section and no check of the verdict%s", names[0],
					cmp.Or(near.Ask(names[0], known), "; nwl explain lists all of them"))}
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), found)
			}
			return printExplanations(c.OutOrStdout(), found)
		},
	}
	addJSON(c, &asJSON)
	return c
}

// explanations are those of a key, of a section's keys, or of a check; all of them without a name.
func explanations(name string) (found []explanation) {
	for _, e := range config.Explanations() {
		if section, _, _ := strings.Cut(e.Key, "."); name == "" || e.Key == name || section == name {
			found = append(found, explanation{Explanation: e})
		}
	}
	for _, check := range slices.Sorted(maps.Keys(report.Checks)) {
		if name == "" || check == strings.ReplaceAll(name, "-", " ") {
			found = append(found, explanation{config.Explanation{Meaning: report.Checks[check]}, check})
		}
	}
	return found
}

// explained lists what can be explained.
func explained() (names []string) {
	for _, e := range explanations("") {
		names = append(names, e.Key+strings.ReplaceAll(e.Check, " ", "-"))
	}
	return names
}

// explanationWidth is that of a line.
const explanationWidth = 100

func printExplanations(w io.Writer, all []explanation) error {
	for i, e := range all {
		head := "verdict: " + e.Check
		if e.Check == "" {
			head = fmt.Sprintf("%s (default %s)", e.Key, e.Default)
			if e.Server {
				head += ", of nwl serve"
			}
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := fmt.Fprintf(w, "%s\n%s", head, folded(e.Meaning)); err != nil {
			return err
		}
	}
	return nil
}

// folded is a text in indented lines.
func folded(text string) string {
	var b strings.Builder
	width := explanationWidth
	for _, word := range strings.Fields(text) {
		if width+1+len(word) > explanationWidth {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString("   ")
			width = 3
		}
		b.WriteString(" " + word)
		width += 1 + len(word)
	}
	return b.String() + "\n"
}

// completeSettings lets a shell complete the keys of --set, and the networks that come with the program.
func completeSettings(c *cobra.Command) {
	for _, sub := range c.Commands() {
		completeSettings(sub)
	}
	if c.Flags().Lookup("set") == nil {
		return
	}
	complete := func(c *cobra.Command, _ []string, begun string) (values []string, directive cobra.ShellCompDirective) {
		if key, _, ok := strings.Cut(begun, "="); ok {
			if key != "model.bundle" && key != "model.init" {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			for _, name := range pretrained.Names() {
				values = append(values, key+"="+pretrained.Prefix+name)
			}
			return values, cobra.ShellCompDirectiveDefault
		}
		for _, e := range config.Explanations() {
			if e.Server == (c.Name() == "serve") {
				values = append(values, e.Key+"=\t"+e.Meaning)
			}
		}
		return values, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	if err := c.RegisterFlagCompletionFunc("set", complete); err != nil {
		panic(err) // the flag is there
	}
}
