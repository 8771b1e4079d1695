// Package audit keeps a record of who changed what, a line of JSON for each change.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// File is the name of the record in a data folder.
const File = "audit.jsonl"

// Entry is one change that was asked for.
type Entry struct {
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"` // the name of a token, empty where there are none
	Address string    `json:"address"`      // from which it came
	What    string    `json:"what"`         // the operation
	Run     string    `json:"run,omitempty"`
	// Details are what else matters, such as the wish.
	Details map[string]any `json:"details,omitempty"`
	Status  int            `json:"status"` // of the answer; 400 and above: nothing was changed
}

// Log is a record that grows. It is safe for concurrent use.
type Log struct {
	path  string
	mutex sync.Mutex
	file  *os.File
}

// Open opens a record, which is made, for its owner alone, if it is not there.
func Open(path string) (*Log, error) {
	l := &Log{path: path}
	return l, l.Reopen()
}

// Reopen opens the file anew, after another program has moved it away.
func (l *Log) Reopen() error {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	// A line that a crash cut short is not to spoil the next one.
	if cut, err := endsAmid(l.path); err != nil {
		return errors.Join(fmt.Errorf("audit: %w", err), file.Close())
	} else if cut {
		if _, err := file.WriteString("\n"); err != nil {
			return errors.Join(fmt.Errorf("audit: %w", err), file.Close())
		}
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = file
	return nil
}

// endsAmid reports whether a file ends in the midst of a line.
func endsAmid(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil || about.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, about.Size()-1)
	return last[0] != '\n', err
}

// Write adds a line.
func (l *Log) Write(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Close ends the record.
func (l *Log) Close() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.file.Close()
}
