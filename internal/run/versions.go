package run

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"neuralwl/internal/report"
)

// thin removes versions of the network that need not stay, and says which. A long run exports
// thousands of them.
func (n *network) thin() {
	folder := filepath.Dir(n.folder)
	versions, err := versionsIn(folder)
	if err != nil {
		n.j.log.Warn("old versions of the network are not looked for", "reason", err)
		return
	}
	var removed []int
	for _, v := range superfluous(versions, n.j.c.Trainer.Keep) {
		if n.needed[0] == 0 || v >= n.needed[0] || n.replaced(filepath.Join(folder, strconv.Itoa(v))) {
			continue // without a checkpoint, named by one, or a way back
		}
		if err := n.j.fs.RemoveAll(filepath.Join(folder, strconv.Itoa(v))); err != nil {
			n.j.log.Warn("an old version of the network stays", "version", v, "reason", err)
			continue
		}
		removed = append(removed, v)
	}
	if len(removed) > 0 {
		n.j.log.Info("old versions of the network were removed (trainer.keep)", "removed", removed, "kept", len(versions)-len(removed))
	}
}

// replaced reports whether a version was in use before an exchange of the network, which can be
// taken back.
func (n *network) replaced(folder string) bool {
	from := n.j.relative(folder)
	return slices.ContainsFunc(n.j.swaps.recorded, func(s report.Swap) bool { return s.From == from })
}

// checkpointed notes that a checkpoint names the present version.
func (n *network) checkpointed() {
	if v := n.bundle.Card.Version; v != n.needed[1] {
		n.needed = [2]int{n.needed[1], v}
	} else {
		n.needed[0] = v
	}
}

// versionsIn lists the numbered folders of a network, ascending.
func versionsIn(folder string) (versions []int, err error) {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		if v, err := strconv.Atoi(entry.Name()); err == nil {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	return versions, err
}

// superfluous lists the versions beside the first, the latest keep, and those between whose
// number is a multiple of a power of two, the least with which there are at most keep such
// multiples. As the power grows with the versions, what it drops was kept before, and nothing
// is missed that was dropped. None are superfluous if keep is 0.
func superfluous(versions []int, keep int) (drop []int) {
	if keep == 0 || len(versions) <= keep {
		return nil
	}
	last := versions[len(versions)-1]
	stride := 1
	for last/stride > keep {
		stride *= 2
	}
	for _, v := range versions[1 : len(versions)-keep] {
		if v%stride != 0 {
			drop = append(drop, v)
		}
	}
	return drop
}
