package ensemble

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"neuralwl/internal/config"
)

// wholeRange matches 1..32.
var wholeRange = regexp.MustCompile(`^(\d+)\.\.(\d+)$`)

// values splits the value of a setting into those of the matrix, separated by commas; FROM..TO are
// the whole numbers from one to the other. Commas within brackets, and those of a list such as
// local,neural, separate nothing: a list among several is written [local] or, of sides, 16x16.
func values(key, text string) ([]string, error) {
	parts := split(text)
	if len(parts) == 1 && strings.TrimSpace(text) == "" || config.IsList(key) && !everyList(parts) {
		return []string{text}, nil
	}
	var all []string
	for _, part := range parts {
		if part = strings.TrimSpace(part); part == "" {
			return nil, fmt.Errorf("%s: %q has an empty value between its commas", key, text)
		}
		more, err := expandRange(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		all = append(all, more...)
		if len(all) > MaxMembers {
			return nil, fmt.Errorf("%s: %q has more than %d values, as many as a group may have members", key, text, MaxMembers)
		}
	}
	return all, nil
}

// Several reports whether settings of the form key=value ask for more than one run. Faulty ones do not.
func Several(set []string) bool {
	return slices.ContainsFunc(set, func(s string) bool {
		key, text, ok := strings.Cut(s, "=")
		all, err := values(strings.ToLower(strings.TrimSpace(key)), text)
		return ok && err == nil && len(all) > 1
	})
}

// expandRange returns the numbers of a range, or the text itself if it is none.
func expandRange(text string) ([]string, error) {
	m := wholeRange.FindStringSubmatch(text)
	if m == nil {
		return []string{text}, nil
	}
	from, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %s is no whole number of 64 bits", text, m[1])
	}
	to, err := strconv.ParseUint(m[2], 10, 64)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %s is no whole number of 64 bits", text, m[2])
	case to < from:
		return nil, fmt.Errorf("%s: %d is less than %d; write the lesser number first", text, to, from)
	case to-from >= MaxMembers:
		return nil, fmt.Errorf("%s: these are %.15g values, and a group has %d members at most", text, float64(to-from)+1, MaxMembers)
	}
	var all []string
	for n := range to - from + 1 {
		all = append(all, strconv.FormatUint(from+n, 10))
	}
	return all, nil
}

// split cuts a text at the commas outside of brackets.
func split(text string) (parts []string) {
	depth, from := 0, 0
	for i, c := range text {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, text[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, text[from:])
}

// wholeList matches a list that is complete in itself.
var wholeList = regexp.MustCompile(`^(\[.*\]|\d+([xX]\d+)+)$`)

func everyList(parts []string) bool {
	for _, part := range parts {
		if !wholeList.MatchString(strings.TrimSpace(part)) {
			return false
		}
	}
	return true
}

// DefaultBetas are the inverse temperatures of averages unless others are asked for.
const DefaultBetas = "0..2:0.05"

// mostBetas bounds them.
const mostBetas = 1000

// betaRange matches 0..2:0.05.
var betaRange = regexp.MustCompile(`^([^:]+?)\.\.([^:]+):([^:]+)$`)

// ParseBetas reads inverse temperatures, in units of 1/J, separated by commas, with FROM..TO:STEP for
// evenly spaced ones; DefaultBetas if the text is empty.
func ParseBetas(text string) ([]float64, error) {
	if text == "" {
		text = DefaultBetas
	}
	number := func(s string) (float64, error) {
		x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return 0, fmt.Errorf("betas: %q is not a number", s)
		}
		return x, nil
	}
	var betas []float64
	for part := range strings.SplitSeq(text, ",") {
		m := betaRange.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			x, err := number(part)
			if err != nil {
				return nil, fmt.Errorf("%w; write them as in 0.2,0.4 or 0..2:0.05", err)
			}
			betas = append(betas, x)
			continue
		}
		var x [3]float64
		for k := range x {
			var err error
			if x[k], err = number(m[k+1]); err != nil {
				return nil, err
			}
		}
		// A last step that rounding made a little too long still counts.
		n := math.Floor((x[1]-x[0])/x[2]+1e-9) + 1
		if !(x[2] > 0) || !(n >= 1) || n > mostBetas {
			return nil, fmt.Errorf("betas: %q is no range of 1 to %d values; write FROM..TO:STEP, as in 0..2:0.05", part, mostBetas)
		}
		for k := range int(n) {
			// To twelve digits, so that 3 * 0.1 is 0.3.
			betas = append(betas, math.Round((x[0]+float64(k)*x[2])*1e12)/1e12)
		}
	}
	if len(betas) > mostBetas {
		return nil, fmt.Errorf("betas: %d are too many, at most %d", len(betas), mostBetas)
	}
	for k := 1; k < len(betas); k++ {
		if betas[k] <= betas[k-1] {
			return nil, fmt.Errorf("betas: %g follows %g; they must ascend", betas[k], betas[k-1])
		}
	}
	return betas, nil
}
