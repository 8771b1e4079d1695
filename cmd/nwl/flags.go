package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// strictFlags makes the flags of a command and its subcommands read numbers in decimal
// digits alone, for which 010 is ten, and refuse empty texts, which are what a misspelt
// shell variable leaves.
func strictFlags(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		switch f.Value.Type() {
		case "int", "uint64", "float64", "float64Slice":
			f.Value = decimalValue{f.Value}
		case "string":
			f.Value = textValue{f.Value}
		}
	})
	for _, sub := range c.Commands() {
		strictFlags(sub)
	}
}

// decimalValue is a number, or a list of numbers separated by commas.
type decimalValue struct{ pflag.Value }

var decimal = regexp.MustCompile(`^([+-]?)0*([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

func (v decimalValue) Set(text string) error {
	numbers := strings.Split(text, ",")
	for i, number := range numbers {
		parts := decimal.FindStringSubmatch(strings.TrimSpace(number))
		if parts == nil {
			return fmt.Errorf("%q is not a number in decimal digits", number)
		}
		numbers[i] = strings.Join(parts[1:], "") // pflag takes a leading 0 for octal digits
	}
	return v.Value.Set(strings.Join(numbers, ","))
}

// textValue is a text that is not empty.
type textValue struct{ pflag.Value }

func (v textValue) Set(text string) error {
	if text == "" {
		return errors.New("it is empty, as an unset shell variable is; leave the flag out for its default")
	}
	return v.Value.Set(text)
}
