//go:build unix && !linux

package child

import (
	"os/exec"
	"syscall"
)

// apart keeps Ctrl-C in the parent's terminal from the child: its parent tells it what to do.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
