package child

import (
	"os/exec"
	"syscall"
)

// apart keeps Ctrl-C in the parent's terminal from the child: its parent tells it what to do. The
// kernel kills the child with the thread that starts it, even one that was stopped and
// does not notice that its input has ended.
func apart(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
