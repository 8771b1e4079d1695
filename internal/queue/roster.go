package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"neuralwl/internal/disk"
)

// Roster is the folder that says which workers an embedded queue admits. Commands change it
// while the queue runs, which looks at it several times a second. It is safe for concurrent use, also by
// several processes.
type Roster string

// Files of a roster.
const (
	rosterFile  = "workers.json"
	addressFile = "address"    // at which the queue was last reached
	trustFile   = "ca.pem"     // that workers are to trust; there is none if the system's do
	filesFile   = "files"      // where run directories are, unless in the head's folder
	ownCertFile = "server.pem" // made by itself
	ownKeyFile  = "server.key"
)

// Invited is a worker that was invited.
type Invited struct {
	Name    string    `json:"name"`
	Key     string    `json:"key"` // public
	Invited time.Time `json:"invited"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// SetFiles notes where run directories are for those who are invited from now on, empty for the head's folder.
func (r Roster) SetFiles(address string) error {
	path := filepath.Join(string(r), filesFile)
	if address == "" {
		return os.RemoveAll(path)
	}
	return errors.Join(os.MkdirAll(string(r), 0o700), disk.WriteFile(disk.OS, path, []byte(address)))
}

// Files is where run directories are, empty for the head's folder.
func (r Roster) Files() string {
	text, err := os.ReadFile(filepath.Join(string(r), filesFile))
	if err != nil {
		return ""
	}
	return string(text)
}

// ErrNotInvited is the error of a worker that nobody invited.
var ErrNotInvited = errors.New("no worker of this name was invited")

// List returns the workers by name.
func (r Roster) List() ([]Invited, error) {
	text, err := os.ReadFile(filepath.Join(string(r), rosterFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var all []Invited
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("list of workers: %w", err)
	}
	return all, nil
}

// change replaces the list by what f makes of it.
func (r Roster) change(f func([]Invited) ([]Invited, error)) error {
	if err := os.MkdirAll(string(r), 0o700); err != nil {
		return fmt.Errorf("list of workers: %w", err)
	}
	lock := flock.New(filepath.Join(string(r), lockFile))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("list of workers: %w", err)
	}
	defer lock.Close()
	all, err := r.List()
	if err != nil {
		return err
	}
	if all, err = f(all); err != nil {
		return err
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, filepath.Join(string(r), rosterFile), append(text, '\n'))
}

// Invite adds a worker and returns what it needs. An empty url is the queue's own address, for
// which the queue must have been running.
func (r Roster) Invite(name, url, files string) (*Invitation, error) {
	if err := CheckWorker(name); err != nil {
		return nil, err
	}
	i := &Invitation{Name: name, URL: url, Files: files}
	if url == "" {
		address, err := os.ReadFile(filepath.Join(string(r), addressFile))
		if err != nil {
			return nil, fmt.Errorf("invite %s: the address of the queue is not known: start nwl serve with queue.listen, or say --url tls://HOST:4222", name)
		}
		i.URL = string(address)
	}
	trust, err := os.ReadFile(filepath.Join(string(r), trustFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("invite %s: %w", name, err)
	}
	i.CA = string(trust)
	if own, err := os.ReadFile(filepath.Join(string(r), ownCertFile)); err == nil && string(own) == i.CA {
		i.ServerName = ownName
	}
	var public string
	if i.Seed, public, err = newKey(); err != nil {
		return nil, fmt.Errorf("invite %s: %w", name, err)
	}
	return i, r.change(func(all []Invited) ([]Invited, error) {
		at := slices.IndexFunc(all, func(w Invited) bool { return w.Name == name })
		switch {
		case at < 0:
			at, all = len(all), append(all, Invited{})
		case all[at].Revoked.IsZero():
			return nil, fmt.Errorf("invite %s: there is a worker of this name; revoke it first, or take another name", name)
		}
		all[at] = Invited{Name: name, Key: public, Invited: time.Now().UTC()}
		return all, nil
	})
}

// Revoke withdraws the key of a worker.
func (r Roster) Revoke(name string) error {
	return r.change(func(all []Invited) ([]Invited, error) {
		for i := range all {
			if all[i].Name == name && all[i].Revoked.IsZero() {
				all[i].Revoked = time.Now().UTC()
				return all, nil
			}
		}
		return nil, fmt.Errorf("revoke %s: %w", name, ErrNotInvited)
	})
}
