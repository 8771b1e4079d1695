//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// endings are the signals that end a run in order: from the keyboard, from batch systems
// (as by sbatch --signal=USR1@120 or a limit of CPU time), and from a terminal that goes
// away.
var endings = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGXCPU}

// reloadings are the signals by which a daemon reads its secrets again.
var reloadings = []os.Signal{syscall.SIGHUP}

// ignoreClosedPipes makes writing to a pipe that nobody reads an error instead of the end of
// the program.
func ignoreClosedPipes() { signal.Ignore(syscall.SIGPIPE) }
