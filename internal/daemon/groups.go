package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"neuralwl/internal/disk"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
)

// Names of groups within the data folder.
const (
	groupsName = "groups"
	groupName  = "group.yaml" // a groupFile
)

// groupFile is what was asked for, and how far it is carried out.
type groupFile struct {
	Name    string    `yaml:"name"`
	Created time.Time `yaml:"created"`
	By      string    `yaml:"by,omitempty"`
	Title   string    `yaml:"title,omitempty"`
	Tags    []string  `yaml:"tags,omitempty,flow"`
	Notes   string    `yaml:"notes,omitempty"`

	ensemble.Spec `yaml:",inline"`

	Priority int      `yaml:"priority,omitempty"`
	After    []string `yaml:"after,omitempty,flow"`
	AfterAny []string `yaml:"after_any,omitempty,flow"`
	Memory   int64    `yaml:"memory,omitempty"` // MB
	// Members are as many as there are to be. Submitted says that all of them were put on record: one that is
	// missing was deleted.
	Members   int  `yaml:"members"`
	Submitted bool `yaml:"submitted"`
	// Deleting says that the group is to go, with what is left of it.
	Deleting bool `yaml:"deleting,omitempty"`
	// System and Method are those of the members, System empty where they have several.
	System string `yaml:"system,omitempty"`
	Method string `yaml:"method,omitempty"`
}

// group is one of the daemon's groups.
type group struct {
	// working is held while members are submitted, changed or deleted.
	working sync.Mutex
	// collecting is held while results are written.
	collecting sync.Mutex
	matrix     *ensemble.Matrix
	ids        []string // of the members
	first      uint64   // run.seed of the configuration

	mutex     sync.Mutex // guards what follows
	file      groupFile
	merged    int // members in the result
	dirty     bool
	collector *ensemble.Collector
	collected time.Time     // when that began last
	took      time.Duration // and how long it took
}

func (g *group) about() groupFile {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.file
}

// memberID is the name of a member, with as many digits as the last one needs.
func memberID(group string, index, members int) string {
	return fmt.Sprintf("%s-%0*d", group, len(fmt.Sprint(members)), index+1)
}

// newGroup makes a group of what its file says.
func newGroup(f groupFile) (*group, error) {
	m, err := ensemble.Expand(f.Spec)
	if err != nil {
		return nil, err
	}
	g := &group{matrix: m, file: f, dirty: true}
	if g.first, err = firstSeed(m, f.Config); err != nil {
		return nil, err
	}
	for i := range m.Len() {
		g.ids = append(g.ids, memberID(f.Name, i, m.Len()))
	}
	return g, nil
}

// groups are all groups of a daemon. They are safe for concurrent use.
type groups struct {
	mutex  sync.Mutex
	byName map[string]*group
	bell   chan struct{} // wakes what collects results
}

func newGroups() *groups { return &groups{byName: map[string]*group{}, bell: make(chan struct{}, 1)} }

// find returns a group, nil if there is none of that name.
func (s *groups) find(name string) *group {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.byName[name]
}

// all lists the groups, the newest first.
func (s *groups) all() (all []*group) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, g := range s.byName {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int {
		x, y := a.about(), b.about()
		if c := y.Created.Compare(x.Created); c != 0 {
			return c
		}
		return strings.Compare(y.Name, x.Name)
	})
	return all
}

// claim adds a group unless there is one of its name, which it returns then.
func (s *groups) claim(g *group) *group {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if there := s.byName[g.file.Name]; there != nil {
		return there
	}
	s.byName[g.file.Name] = g
	return nil
}

func (s *groups) forget(name string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.byName, name)
}

// of returns the group of which a run is a member by its name, nil if there is none.
func (s *groups) of(id string) *group {
	k := strings.LastIndexByte(id, '-')
	if k < 0 {
		return nil
	}
	return s.find(id[:k])
}

// changed is told that a run has changed, which may be a member.
func (s *groups) changed(id string) {
	if g := s.of(id); g != nil {
		g.mutex.Lock()
		g.dirty = true
		g.mutex.Unlock()
		s.ring()
	}
}

func (s *groups) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

func (d *Daemon) groupsFolder() string { return filepath.Join(d.o.Data, groupsName) }

// GroupFolder is where the results of a group are.
func (d *Daemon) GroupFolder(name string) string { return filepath.Join(d.groupsFolder(), name) }

// openGroups reads the groups of the data folder. What cannot be read is reported and left alone.
func (d *Daemon) openGroups() error {
	entries, err := os.ReadDir(d.groupsFolder())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("groups: %w", err)
	}
	for _, entry := range entries {
		folder := d.GroupFolder(entry.Name())
		if strings.HasPrefix(entry.Name(), hiddenPrefix) {
			if err := os.RemoveAll(folder); err != nil {
				d.log.Warn("the folder of a deleted group is left", "reason", err)
			}
			continue
		}
		if !entry.IsDir() || job.CheckID(entry.Name()) != nil {
			continue
		}
		if disk.Tidy(disk.OS, folder) == nil && os.Remove(folder) == nil {
			continue // the daemon ended before anything was in it
		}
		g, err := readGroup(folder)
		if err != nil {
			d.log.Error("a group cannot be read and is left alone; its members are runs like others", "folder", folder, "reason", err)
			continue
		}
		d.groups.claim(g)
	}
	return nil
}

func readGroup(folder string) (*group, error) {
	text, err := os.ReadFile(filepath.Join(folder, groupName))
	if err != nil {
		return nil, err
	}
	var f groupFile
	if err := yaml.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", groupName, err)
	}
	if f.Name != filepath.Base(folder) {
		return nil, fmt.Errorf("%s is of the group %q", groupName, f.Name)
	}
	return newGroup(f)
}

// write writes the file of a group.
func (d *Daemon) writeGroup(f groupFile) error {
	text, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, filepath.Join(d.GroupFolder(f.Name), groupName), text)
}
