package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// newMan makes the manual pages, for packages and make man.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages of all commands",
		Long:   "Write the manual page of every command, nwl.1 and so on, to the folder DIR. SOURCE_DATE_EPOCH sets their date.",
		Args:   arguments(cobra.ExactArgs(1)),
		Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o777); err != nil {
				return err
			}
			root := newRoot()
			root.DisableAutoGenTag = true
			asMarkdown(root)
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "neuralwl", Manual: "neuralwl manual"}, args[0])
		},
	}
}

// markdown has what the generator would take for markup.
var markdown = strings.NewReplacer("<", `\<`, "*", `\*`, "_", `\_`)

// asMarkdown makes the texts of a command and those below it what the generator expects.
func asMarkdown(c *cobra.Command) {
	c.Short, c.Long = markdown.Replace(c.Short), markdown.Replace(c.Long)
	c.LocalFlags().VisitAll(func(f *pflag.Flag) { f.Usage = markdown.Replace(f.Usage) })
	for _, sub := range c.Commands() {
		asMarkdown(sub)
	}
}
