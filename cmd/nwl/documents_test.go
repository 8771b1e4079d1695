package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"neuralwl/internal/config"
	"neuralwl/internal/long"
)

var allDocuments = flag.Bool("documents", false, "execute also those commands of the documents that take long")

// command is one of a document, from one or more lines of a block.
type command struct {
	line int
	text string
}

var (
	// begins matches the first line of a command.
	begins = regexp.MustCompile(`^(?:[A-Z_]+=(?:"[^"]*"|\S+) )*(?:bin/nwl|nwl|curl|make|for|source|if|go|pip|python3|sbatch|scripts/\S+) `)
	// inline matches a command in a sentence.
	inline = regexp.MustCompile("`((?:[A-Z_]+=\\S+ )?(?:bin/)?nwl [^`]+)`")
	// optional matches what a command line may have, as in a line of usage.
	optional = regexp.MustCompile(` \[[^\]]*[a-z][^\]]*\](?:\.\.\.)?( |$)`)
	// placeholder matches a word that stands for another one.
	placeholder = regexp.MustCompile(`(?:^|[ =/])(DIR|FILE|FOLDER|Q|LxL|TIME|N|PLOT|BUNDLE|NAME|ID)(?:$|[ /.])`)
	// remark matches a comment at the end of a command.
	remark = regexp.MustCompile(`\s+# .*$`)
	// measuring matches a script that is given the program.
	measuring = regexp.MustCompile(`scripts/\S+ bin/nwl `)
)

// documents are README.md, those in docs, and docs/results/README.md as results.md.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range append(paths, "../../README.md") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(data)
	}
	data, err := os.ReadFile("../../docs/results/README.md")
	if err != nil {
		t.Fatal(err)
	}
	texts["results.md"] = string(data)
	return texts
}

// commandsOf are the commands in the blocks of a document: indented by four blanks or fenced, of a shell.
// Lines that begin with $ are commands, and what follows them is what they print.
func commandsOf(text string) (all []command) {
	fenced, shell, open := false, false, ""
	at := 0
	for i, line := range strings.Split(text, "\n") {
		if language, ok := strings.CutPrefix(line, "```"); ok {
			fenced, shell = !fenced, slices.Contains([]string{"", "sh", "bash", "console"}, language)
			continue
		}
		code, indented := strings.CutPrefix(line, "    ")
		switch {
		case fenced && shell:
			code = line
		case fenced || !indented:
			open = ""
			continue
		}
		code = strings.TrimPrefix(code, "$ ")
		if open == "" {
			if !begins.MatchString(code + " ") {
				continue
			}
			at = i + 1
		} else {
			open += "\n"
		}
		open += code
		// As many lines as make a command.
		if !strings.HasSuffix(code, `\`) && exec.Command("bash", "-nc", remark.ReplaceAllString(open, "")).Run() == nil {
			all, open = append(all, command{at, open}), ""
		}
	}
	return all
}

// TestDocumentsName checks that every nwl in the documents, even in sentences, names a command, flags and keys
// that there are.
func TestDocumentsName(t *testing.T) {
	keys := map[string]bool{}
	for _, e := range config.Explanations() {
		keys[e.Key] = true
	}
	checked := 0
	for name, text := range documents(t) {
		all := commandsOf(text)
		for _, m := range inline.FindAllStringSubmatchIndex(text, -1) {
			all = append(all, command{1 + strings.Count(text[:m[0]], "\n"), strings.ReplaceAll(text[m[2]:m[3]], "\n", " ")})
		}
		for _, c := range all {
			for _, part := range regexp.MustCompile(`(?:^|[\s(;])(?:bin/)?nwl ([^;|&)]*)`).FindAllStringSubmatch(measuring.ReplaceAllString(remark.ReplaceAllString(c.text, ""), ""), -1) {
				words := strings.Fields(strings.NewReplacer("\\\n", " ", "[", " ", "]", " ", `"`, "", "'", "").Replace(part[1]))
				root := newRoot()
				root.InitDefaultHelpCmd()
				root.InitDefaultCompletionCmd()
				sub, rest, err := root.Find(words)
				if err != nil || sub == root && len(words) > 0 && !strings.HasPrefix(words[0], "-") {
					t.Errorf("%s:%d: %s: there is no such command: %v", name, c.line, c.text, err)
					continue
				}
				checked++
				sub.InitDefaultHelpFlag()
				for i, word := range rest {
					flagged, _, _ := strings.Cut(word, "=")
					flagged = strings.TrimRight(flagged, ".,")
					known := func(f *pflag.Flag) bool { return f != nil }
					if long, ok := strings.CutPrefix(flagged, "--"); ok && long != "" && !known(sub.Flags().Lookup(long)) && !known(sub.InheritedFlags().Lookup(long)) && long != "version" {
						t.Errorf("%s:%d: %s has no flag %s", name, c.line, sub.CommandPath(), flagged)
					}
					if flagged == "--set" && i+1 < len(rest) {
						key, _, ok := strings.Cut(rest[i+1], "=")
						if ok && !keys[key] && key == strings.ToLower(key) && key != "key" {
							t.Errorf("%s:%d: %s: there is no key %s", name, c.line, c.text, key)
						}
					}
				}
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d commands found", checked)
	}
}

// TestDocumentsRun executes the commands of every document in a folder of its own: those that take seconds
// with `go test`, with -short of README.md alone, and with -documents, as in make docs-check, also those listed
// as long. What is not listed must end with exit code 0. -run TestDocumentsRun/daemon.md executes those of one document.
func TestDocumentsRun(t *testing.T) {
	used := map[int]bool{}
	for name, text := range documents(t) {
		t.Run(name, func(t *testing.T) {
			if reason, ok := elsewhere[name]; ok {
				t.Logf("not here: %s", reason)
				return
			}
			if name != "README.md" {
				long.Only(t, "runs of the documents")
			}
			b := newWorkbench(t, settings[name])
			for _, c := range commandsOf(text) {
				e := exception{}
				if k := slices.IndexFunc(exceptions, func(e exception) bool { return e.document == name && strings.HasPrefix(c.text, e.command) }); k >= 0 {
					e, used[k] = exceptions[k], true
				}
				b.execute(c, e)
			}
		})
	}
	if testing.Short() || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // not of all documents
	}
	for k, e := range exceptions {
		if !used[k] && elsewhere[e.document] == "" {
			t.Errorf("%s has no command that begins with %q: leave it out of the list", e.document, e.command)
		}
	}
}

// workbench executes the commands of a document, one after the other.
type workbench struct {
	t      *testing.T
	folder string
	env    []string
	words  map[string]string
	host   string // of the daemon
	daemon *exec.Cmd
	ready  bool // what the commands take for granted is there
	setup  []string
}

func newWorkbench(t *testing.T, s setting) *workbench {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	listener.Close()
	b := &workbench{t: t, folder: t.TempDir(), words: s.words, host: host, setup: s.before}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink(filepath.Join(root, ".deps"), filepath.Join(b.folder, ".deps")),
		os.MkdirAll(filepath.Join(b.folder, "bin"), 0o777), os.Symlink(binary, filepath.Join(b.folder, "bin", "nwl")),
		os.MkdirAll(filepath.Join(b.folder, "models", "pretrained"), 0o777),
		os.Symlink(filepath.Join(root, "scripts"), filepath.Join(b.folder, "scripts")),
		os.Symlink(filepath.Join(root, "models", "pretrained", "recipes"), filepath.Join(b.folder, "models", "pretrained", "recipes")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.env = append(os.Environ(), "PATH="+filepath.Join(b.folder, "bin")+":"+os.Getenv("PATH"), "NWL_URL=http://"+host, "NWL_SERVER_LISTEN="+host,
		"MAKEFLAGS=", "ROOT="+root)
	t.Cleanup(b.stop)
	return b
}

// execute executes a command as the exception says.
func (b *workbench) execute(c command, e exception) {
	b.t.Helper()
	switch {
	case e.not != "":
		b.t.Logf("line %d: NOT executed, %s: %s", c.line, e.not, c.text)
		return
	case e.long != "" && !*allDocuments:
		b.t.Logf("line %d: left to make docs-check, %s: %s", c.line, e.long, c.text)
		return
	}
	text := remark.ReplaceAllString(c.text, "")
	if e.instead != "" {
		text = e.instead
	}
	for text += " "; optional.MatchString(text); {
		text = optional.ReplaceAllString(text, " ")
	}
	for word, is := range b.words {
		text = regexp.MustCompile(`(^|[ =/])`+word+`($|[ /.;])`).ReplaceAllString(text, "${1}"+is+"${2}")
	}
	text = strings.NewReplacer("127.0.0.1:9465", b.host, "localhost:9465", b.host).Replace(strings.TrimSpace(text))
	text += " " + e.more
	if m := placeholder.FindString(text); m != "" {
		b.t.Errorf("line %d: %s: what stands for %q? Say so in documents_list_test.go", c.line, c.text, m)
		return
	}
	if !b.ready {
		b.ready = true
		for _, before := range b.setup {
			b.run(0, before, nil)
		}
	}
	switch {
	case strings.TrimSpace(strings.TrimPrefix(text, "bin/")) == "nwl serve":
		b.serve()
		return
	case strings.HasPrefix(text, "make "):
		text = `make -n -C "$ROOT" ` + strings.TrimPrefix(text, "make ") // it works in the repository, and is tried by itself
	case strings.HasPrefix(text, "go test "):
		text = `go test -C "$ROOT" ` + strings.TrimPrefix(text, "go test ")
	}
	b.run(c.line, text, e.codes)
}

// run executes a command, which must end with 0 or one of the codes.
func (b *workbench) run(line int, text string, codes []int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-c", text)
	c.Dir, c.Env = b.folder, b.env
	began := time.Now()
	out, err := c.CombinedOutput()
	exit := 0
	if failed := (&exec.ExitError{}); errors.As(err, &failed) {
		exit = failed.ExitCode()
	} else if err != nil {
		b.t.Fatal(err)
	}
	if exit != 0 && !slices.Contains(codes, exit) {
		b.t.Errorf("line %d: exit code %d of %s\n%s", line, exit, text, out[max(0, len(out)-1500):])
		return
	}
	b.t.Logf("line %d: %.1f s, exit code %d: %s", line, time.Since(began).Seconds(), exit, text)
}

// serve starts the daemon of the document, unless it runs.
func (b *workbench) serve() {
	b.t.Helper()
	if b.daemon != nil {
		return
	}
	b.daemon = exec.Command(binary, "serve")
	b.daemon.Dir, b.daemon.Env = b.folder, b.env
	log := &record{}
	b.daemon.Stderr = log
	if err := b.daemon.Start(); err != nil {
		b.t.Fatal(err)
	}
	for until := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		c := exec.Command(binary, "ps", "--json")
		c.Env = b.env
		if c.Run() == nil {
			return
		}
		if time.Now().After(until) {
			b.t.Fatalf("the daemon does not answer:\n%s", log)
		}
	}
}

func (b *workbench) stop() {
	if b.daemon == nil {
		return
	}
	b.daemon.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- b.daemon.Wait() }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		b.daemon.Process.Kill()
		b.t.Error(fmt.Errorf("the daemon did not end"), <-done)
	}
}
