package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

func newTop() *cobra.Command {
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch the daemon's runs live",
		Long: `Watch the runs of the daemon in the terminal, until q or Ctrl-C. While the daemon cannot be reached it
shows what was last known. Where standard output is no terminal it prints the runs once.`,
		Args: noArguments,
	}
	asking(c, func(c *cobra.Command, client *api.Client, _ []string) error {
		s := &screen{url: client.URL}
		if !term.IsTerminal(int(os.Stdout.Fd())) {
			s.look(c.Context(), client)
			if s.fault != nil {
				return s.fault
			}
			return unlessClosed(s.draw(c.OutOrStdout(), 0, 0, time.Now()))
		}
		ctx, stop := interruptible(c.Context())
		defer stop()
		return s.live(ctx, client, os.Stdin, os.Stdout)
	})
	return c
}

// screen is what top shows.
type screen struct {
	url   string
	runs  []api.Run
	at    time.Time // of the runs, zero before the first answer
	fault error     // why there is no newer answer
}

// look asks the daemon.
func (s *screen) look(ctx context.Context, client *api.Client) {
	now := time.Now()
	runs, err := recent(ctx, client, api.Filter{Single: true}, now)
	if err == nil {
		var lines []api.Run
		lines, err = groupLines(ctx, client, api.Filter{}, false)
		runs = append(runs, lines...)
	}
	if s.fault = err; err == nil {
		slices.SortStableFunc(runs, order)
		s.runs, s.at = runs, now
	}
}

// Control sequences of terminals.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // another page, and no cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
	bold        = "\x1b[1m"
	plain       = "\x1b[0m"
)

// drawInterval is the time between two pictures.
const drawInterval = time.Second

// live draws on a terminal until ctx ends or q is pressed on in.
func (s *screen) live(ctx context.Context, client *api.Client, in, out *os.File) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if before, err := term.MakeRaw(int(in.Fd())); err == nil {
		defer term.Restore(int(in.Fd()), before)
		go quit(in, cancel)
	}
	if _, err := io.WriteString(out, enterScreen); err != nil {
		return err
	}
	defer func() {
		_, failed := io.WriteString(out, leaveScreen)
		err = unlessClosed(errors.Join(err, failed))
	}()
	seen := make(chan screen)
	next := *s
	go func() {
		for ctx.Err() == nil {
			looking, done := context.WithTimeout(ctx, 10*time.Second)
			next.look(looking, client)
			done()
			select {
			case seen <- next:
			case <-ctx.Done():
			}
			select {
			case <-time.After(drawInterval):
			case <-ctx.Done():
			}
		}
	}()
	tick := time.NewTicker(drawInterval)
	defer tick.Stop()
	for {
		width, height, err := term.GetSize(int(out.Fd()))
		if err != nil {
			width, height = 80, 24
		}
		var picture bytes.Buffer
		if err := s.draw(&picture, width, height, time.Now()); err != nil {
			return err
		}
		if _, err := out.Write(onTerminal(picture.Bytes())); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case *s = <-seen:
		case <-tick.C:
		}
	}
}

// quit calls cancel when q or Ctrl-C is pressed, which a raw terminal does not turn into a
// signal, or when the terminal is gone.
func quit(in io.Reader, cancel func()) {
	defer cancel()
	const controlC, controlD = 3, 4
	for key := make([]byte, 64); ; {
		n, err := in.Read(key)
		if err != nil || bytes.ContainsAny(key[:n], string([]byte{'q', 'Q', controlC, controlD})) {
			return
		}
	}
}

// onTerminal lets a picture replace the one before, line by line, which does not flicker.
func onTerminal(picture []byte) []byte {
	lines := bytes.Split(bytes.TrimSuffix(picture, []byte("\n")), []byte("\n"))
	text := []byte(home + bold)
	for i, line := range lines {
		if i > 0 {
			text = append(text, "\r\n"...)
		}
		text = append(append(text, line...), plain+clearLine...)
	}
	return append(text, clearRest...)
}

// draw draws the picture, within width and height unless they are 0.
func (s *screen) draw(w io.Writer, width, height int, now time.Time) error {
	counts := map[job.State]int{}
	for _, r := range s.runs {
		counts[r.State]++
	}
	var parts []string
	for _, state := range job.States {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no runs"}
	}
	lines := []string{fmt.Sprintf("%s  %s", now.Local().Format(time.TimeOnly), s.url)}
	switch {
	case s.fault != nil && s.at.IsZero():
		lines = append(lines, "unreachable: "+reason(s.fault))
	case s.fault != nil:
		lines = append(lines, fmt.Sprintf("unreachable; what was known %s ago: %s", short(now.Sub(s.at)), strings.Join(parts, ", ")), reason(s.fault))
	case s.at.IsZero():
		lines = append(lines, "...")
	default:
		lines = append(lines, strings.Join(parts, ", "))
	}
	if len(s.runs) > 0 {
		var table bytes.Buffer
		if err := printRuns(&table, s.runs, width, now); err != nil {
			return err
		}
		lines = append(lines, "")
		lines = append(lines, strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n")...)
	}
	if left := len(lines) - height; height > 0 && left > 0 {
		lines = lines[:max(1, height-1)]
		if height > 1 {
			lines = append(lines, fmt.Sprintf("and %d more", left+1))
		}
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, narrow(line, width)); err != nil {
			return err
		}
	}
	return nil
}

// reason is an error in one line.
func reason(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
