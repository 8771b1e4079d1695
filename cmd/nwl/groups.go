package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
)

func newGroups() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "groups [--json]",
		Short: "List the daemon's groups of runs",
		Long: `List groups of runs, which nwl submit makes of several values or seeds: members by state, how many are in the
merged result, and how long all will still take. nwl show NAME shows one with its result, and
nwl ps --group NAME lists its members.`,
		Args: noArguments,
	}
	asking(c, func(c *cobra.Command, client *api.Client, _ []string) error {
		all, err := client.Groups(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			if all == nil {
				all = []api.Group{}
			}
			return writeJSON(c.OutOrStdout(), all)
		}
		if len(all) == 0 {
			_, err := fmt.Fprintln(c.ErrOrStderr(), "no groups; nwl submit --seeds 1..8 makes one")
			return err
		}
		t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "NAME\tSTATE\tMEMBERS\tMERGED\tLEFT\tTITLE")
		for _, g := range all {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", g.Name, g.State, statesText(g.States), g.Merged, groupLeft(&g), clean(g.Title))
		}
		return unlessClosed(t.Flush())
	})
	addJSON(c, &asJSON)
	return c
}

// statesText counts members by state, in the order of their lives.
func statesText(states map[string]int) string {
	var parts []string
	for _, s := range slices.Concat(job.States, []job.State{ensemble.Deleted, ensemble.Unreadable}) {
		if n := states[string(s)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

func groupLeft(g *api.Group) string {
	if g.Left == 0 {
		return ""
	}
	return short(time.Duration(g.Left * float64(time.Second)))
}

// asRun is a group as a line among runs.
func asRun(g *api.Group) api.Run {
	all := 0
	for _, n := range g.States {
		all += n
	}
	text := fmt.Sprintf("%d of %d done", g.States[string(job.Done)], all)
	if n := g.States[string(job.Failed)]; n > 0 {
		text += fmt.Sprintf(", %d failed", n)
	}
	return api.Run{
		ID: g.Name, Kind: groupKind, State: g.State, Title: g.Title, Tags: g.Tags, Created: g.Created,
		Progress: &api.Progress{Phase: text, Left: g.Left, At: time.Now()},
	}
}

// groupLines are the groups that a filter keeps, as lines among runs: all of them, or those that have not ended or are
// recent.
func groupLines(ctx context.Context, client *api.Client, f api.Filter, all bool) (lines []api.Run, err error) {
	groups, err := client.Groups(ctx)
	for i := range groups {
		line := asRun(&groups[i])
		switch {
		case len(f.States) > 0 && !slices.Contains(f.States, line.State):
		case slices.ContainsFunc(f.Tags, func(t string) bool { return !slices.Contains(line.Tags, t) }):
		case all || !line.State.Final() || time.Since(line.Created) < recentTime:
			lines = append(lines, line)
		}
	}
	return lines, err
}

// groupKind marks a line that stands for a group.
const groupKind job.Work = "group"

// eitherOr does something with the run of a name or, if there is none, with the group of that name.
func eitherOr(run, group func() error) error {
	err := run()
	var problem *api.Problem
	if !errors.As(err, &problem) || problem.Status != http.StatusNotFound {
		return err
	}
	var none *api.Problem
	if other := group(); !errors.As(other, &none) || none.Status != http.StatusNotFound {
		return other
	}
	return err // neither
}

// groupSummary reads the summary of a group, nil before there is one.
func groupSummary(ctx context.Context, client *api.Client, name string) (*ensemble.Summary, error) {
	text, err := client.GroupFile(ctx, name, ensemble.SummaryFile)
	var problem *api.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &ensemble.Summary{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s of %s cannot be read: %w; is nwl of the same version as the daemon?", ensemble.SummaryFile, name, err)
	}
	return s, nil
}

// showGroup prints a group with its result.
func showGroup(c *cobra.Command, client *api.Client, name string, asJSON bool) error {
	g, err := client.Group(c.Context(), name)
	if err != nil {
		return err
	}
	s, err := groupSummary(c.Context(), client, name)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(c.OutOrStdout(), struct {
			*api.Group
			Result *ensemble.Summary `json:"result,omitempty"`
		}{g, s})
	}
	return unlessClosed(printGroup(c.OutOrStdout(), g, s))
}

// mostPoints and mostNamed bound what is printed of a group.
const (
	mostPoints = 20
	mostNamed  = 10
)

func printGroup(w io.Writer, g *api.Group, s *ensemble.Summary) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, a ...any) {
		if text := clean(fmt.Sprintf(format, a...)); text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, text)
		}
	}
	row("group", "%s", g.Name)
	row("title", "%s", g.Title)
	row("tags", "%s", strings.Join(g.Tags, ", "))
	row("notes", "%s", strings.ReplaceAll(g.Notes, "\n", " / "))
	row("state", "%s", g.State)
	row("members", "%d: %s", g.Members, statesText(g.States))
	if g.Unconverged > 0 {
		row("", "%d of those that are done did not converge", g.Unconverged)
	}
	if left := groupLeft(g); left != "" {
		row("left", "some %s", left)
	}
	row("settings", "%s", strings.Join(g.Set, ", "))
	row("couplings", "%s", listed(g.Couplings))
	row("seeds", "%s", g.Seeds)
	row("submitted", "%s", g.Created.Local().Format(time.DateTime))
	row("folder", "%s", g.Folder)
	if s != nil {
		for i, p := range s.Points {
			if i == mostPoints {
				row("", "and %d more points, in %s", len(s.Points)-i, ensemble.SummaryFile)
				break
			}
			printPoint(row, &p)
		}
	}
	return t.Flush()
}

// printPoint adds rows about a point.
func printPoint(row func(name, format string, a ...any), p *ensemble.PointSummary) {
	name := "result"
	if p.Label != "" {
		name = p.Label
	}
	switch {
	case p.Runs == 0:
		row(name, "none yet")
	case p.Realisations > 1:
		row(name, "averages over %d of %d realisations, %d runs: %s", p.Averaged, p.Realisations, p.Runs, file(p, ensemble.AveragesFile))
		if p.Lowest != nil {
			row("", "lowest energy per site %s, from %g to %g", p.Lowest.Mean, p.Lowest.Least, p.Lowest.Most)
		}
	default:
		row(name, "%d of %d runs merged to %d levels: %s", p.Runs, p.Members, p.Levels, file(p, ensemble.DensityFile))
	}
	if len(p.Unconverged) > 0 {
		row("", "not converged: %s", listed(p.Unconverged))
	}
	var left []string
	for _, m := range p.LeftOut {
		left = append(left, fmt.Sprintf("%s (%s)", m.Run, m.State))
	}
	if left != nil {
		row("", "left out: %s", listed(left))
	}
	for _, note := range p.Notes {
		row("", "%s", note)
	}
}

func file(p *ensemble.PointSummary, name string) string {
	if p.Folder == "" {
		return name
	}
	return p.Folder + "/" + name
}

// listed lists names, as many as a line has room for.
func listed(names []string) string {
	if n := len(names); n > mostNamed {
		return strings.Join(names[:mostNamed], ", ") + fmt.Sprintf(" and %d more", n-mostNamed)
	}
	return strings.Join(names, ", ")
}

// awaitGroup shows how a group goes on until all of its members rest, and its result.
func awaitGroup(c *cobra.Command, client *api.Client, name string) error {
	ctx, stop := interruptible(c.Context())
	defer stop()
	err := followGroup(ctx, client, name)
	if ctx.Err() != nil {
		slog.Info("the group goes on without this command", "come_back_with", "nwl wait "+name)
		return unfinished{code: exitDetached}
	}
	if err != nil {
		return err
	}
	if err := showGroup(c, client, name, false); err != nil {
		return err
	}
	g, err := client.Group(c.Context(), name)
	if err != nil {
		return err
	}
	switch {
	case g.States[string(job.Failed)] > 0:
		return fmt.Errorf("%d members of %s failed; nwl resume --failed %s tries them again", g.States[string(job.Failed)], name, name)
	case g.State != job.Done:
		slog.Info("the group is "+string(g.State), "go_on_with", "nwl resume "+name)
		return unfinished{code: exitInterrupted}
	case g.Unconverged > 0:
		return unfinished{code: exitUnconverged}
	}
	return nil
}

// followGroup logs how a group goes on until none of its members waits or runs and its result is made.
func followGroup(ctx context.Context, client *api.Client, name string) error {
	g, err := client.Group(ctx, name)
	if err != nil {
		return err
	}
	rests := func(g *api.Group) bool { return g.State != job.Running && g.State != job.Submitted }
	if rests(g) && g.Merged == g.States[string(job.Done)] {
		return nil
	}
	logTo(slog.LevelInfo)
	last := time.Time{}
	err = client.GroupEvents(ctx, name, g.Event, contact(name), func(e api.Event) error {
		var d api.GroupData
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return fmt.Errorf("an event cannot be read: %w", err)
		}
		g, err := client.Group(ctx, name)
		if err != nil {
			return err
		}
		over := d.Complete || rests(g) && g.States[string(job.Done)] == d.States[string(job.Done)]
		if over || time.Since(last) >= logInterval {
			last = time.Now()
			slog.Info("group", "members", statesText(g.States), "merged", d.Merged, "left", groupLeft(g))
		}
		if over {
			return errRests
		}
		return nil
	})
	if errors.Is(err, errRests) {
		return nil
	}
	return err
}
