//go:build !unix

package main

import (
	"os"
	"syscall"
)

// endings are the signals that end a run in order.
var endings = []os.Signal{os.Interrupt, syscall.SIGTERM}

// reloadings are the signals by which a daemon reads its secrets again; there are none.
var reloadings []os.Signal

// ignoreClosedPipes has nothing to do: there is no such signal.
func ignoreClosedPipes() {}
