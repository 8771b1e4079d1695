// Package schedule decides which runs go next: by priority, after the runs that they wait for,
// and within the memory, the GPUs and the number of runs that machines have. It computes and
// remembers nothing.
package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"neuralwl/internal/job"
)

// Run is what matters of a run.
type Run struct {
	ID       string
	Created  time.Time
	State    job.State
	Priority int
	After    []job.Dependency
	Memory   int64 // bytes
	GPU      bool
	Class    string // of the machines in which it began, empty for any
	Held     string // why it may not begin yet; empty if it may
}

// Room is what there is for runs, on all machines together.
type Room struct {
	Runs    int   // side by side
	Memory  int64 // bytes; 0 for no limit
	Largest int64 // memory of the machine that has most of it, bytes; 0 for no limit
	GPUs    int   // each of which serves one run at a time; without, nobody waits for one
	// Classes are those of the machines, nil if that does not matter.
	Classes map[string]bool
	// Closed is why no run may begin now; empty if it may.
	Closed string
}

// Plan is what to do with runs.
type Plan struct {
	Release  []string          // their turn has come, in this order
	Withdraw []string          // the room has shrunk: they wait again
	Refuse   map[string]string // they can never begin: why
	Waits    map[string]string // what all others that have not begun wait for
}

// Next plans. Runs that were handed out keep their place as long as the room allows it. Of the
// others the one of the highest priority goes next, among equals the one that was created
// first. What waits for other runs, for a GPU or for a class of machines lets others pass; what
// waits for memory does not, or small runs would keep out a large one for ever.
func Next(runs []Run, room Room) Plan {
	p := Plan{Refuse: map[string]string{}, Waits: map[string]string{}}
	known := make(map[string]Run, len(runs))
	for _, r := range runs {
		known[r.ID] = r
	}
	used := Room{}
	rank := slices.Clone(runs)
	slices.SortFunc(rank, func(a, b Run) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range rank {
		if r.State == job.Running {
			used.add(r)
		}
	}
	for _, r := range rank {
		if r.State != job.Queued {
			continue
		}
		if lack := used.lack(r, room); lack != "" {
			p.Withdraw, p.Waits[r.ID] = append(p.Withdraw, r.ID), lack
			continue
		}
		used.add(r)
	}
	full := "" // why nothing else begins
	for _, r := range rank {
		if r.State != job.Submitted {
			continue
		}
		pending, never := dependencies(r, known)
		lack := used.lack(r, room)
		switch {
		case never != "":
			p.Refuse[r.ID] = never
		case r.Held != "":
			p.Waits[r.ID] = r.Held
		case pending != "":
			p.Waits[r.ID] = pending
		case room.most() > 0 && r.Memory > room.most():
			p.Waits[r.ID] = TooLarge(r.Memory, room.most())
		case room.Closed != "":
			p.Waits[r.ID] = room.Closed
		case full != "":
			p.Waits[r.ID] = full
		case lack != "":
			p.Waits[r.ID] = lack
			if strings.HasPrefix(lack, memory) {
				full = fmt.Sprintf("%s, which goes first", r.ID)
			}
		default:
			p.Release = append(p.Release, r.ID)
			used.add(r)
		}
	}
	return p
}

// most is the most memory that a run can have, 0 for no limit.
func (u *Room) most() int64 {
	if u.Largest > 0 && (u.Memory == 0 || u.Largest < u.Memory) {
		return u.Largest
	}
	return u.Memory
}

// add takes the room of a run.
func (u *Room) add(r Run) {
	u.Runs++
	u.Memory += r.Memory
	if r.GPU {
		u.GPUs++
	}
}

// memory begins what a run waits for that waits for memory.
const memory = "memory: "

// lack is what a run has to wait for in a room of which u is used, empty if nothing.
func (u *Room) lack(r Run, room Room) string {
	switch {
	case room.Runs == 0:
		return "a worker: none takes runs at present"
	case r.Class != "" && room.Classes != nil && !room.Classes[r.Class]:
		return fmt.Sprintf("a machine of the class %q, in which it began; nwl resume --any-machine lets it go on in another one", r.Class)
	case room.GPUs > 0 && r.GPU && u.GPUs >= room.GPUs:
		return "a GPU: other runs have all of them"
	case u.Runs >= room.Runs:
		return fmt.Sprintf("its turn: %d runs go on", u.Runs)
	case room.Memory > 0 && u.Memory+r.Memory > room.Memory:
		return fmt.Sprintf(memory+"it is to need %d MB, and %d of %d MB are free", megabytes(r.Memory), max(0, room.Memory-u.Memory)>>20, room.Memory>>20)
	}
	return ""
}

// TooLarge says that a run needs more memory than all runs of any machine together may have, in bytes.
func TooLarge(need, limit int64) string {
	return fmt.Sprintf(memory+"it is to need %d MB, and all runs of a machine together may have %d MB (server.memory)", megabytes(need), limit>>20)
}

// megabytes rounds up.
func megabytes(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// dependencies says which runs a run waits for, and why it waits in vain; empty if none and if
// it does not.
func dependencies(r Run, known map[string]Run) (pending, never string) {
	var waits []string
	for _, d := range r.After {
		on, ok := known[d.ID]
		ok = ok && on.Created.Equal(d.Created)
		switch {
		case !ok && d.Any:
		case !ok:
			return "", fmt.Sprintf("it was to follow %s, which was deleted", d.ID)
		case !on.State.Final():
			waits = append(waits, d.ID)
		case on.State != job.Done && !d.Any:
			return "", fmt.Sprintf("it was to follow %s, which is %s", d.ID, on.State)
		}
	}
	if len(waits) == 0 {
		return "", ""
	}
	return "the end of " + strings.Join(waits, ", "), ""
}
