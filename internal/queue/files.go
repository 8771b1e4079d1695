package queue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"neuralwl/internal/disk"
)

// MarkFile in a folder or store of run directories holds its mark, by which it is known again wherever it is
// mounted.
const MarkFile = ".nwl-queue"

// NewMark is a mark that nothing else has.
func NewMark() string { return rand.Text() }

// MarkFolder returns the mark of a folder of run directories, which it gets if it has none.
func MarkFolder(folder string) (mark string, err error) {
	if mark, err = FolderMark(folder); err != nil || mark != "" {
		return mark, err
	}
	mark = NewMark()
	if err := disk.WriteFile(disk.OS, filepath.Join(folder, MarkFile), []byte(mark+"\n")); err != nil {
		return "", fmt.Errorf("run directories: %w", err)
	}
	return mark, nil
}

// FolderMark returns the mark of a folder of run directories, empty for one that has none.
func FolderMark(folder string) (string, error) {
	text, err := os.ReadFile(filepath.Join(folder, MarkFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("run directories: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// filesKey names kept in the bucket of the head.
const filesKey = "files"

// kept says where the head has run directories.
type kept struct {
	Where string `json:"where"` // a folder as the head sees it, or the address of a store
	Mark  string `json:"mark"`
}

// KeepsFiles lets workers know where the head has run directories, and by which mark they know them again.
func (q *Queue) KeepsFiles(ctx context.Context, where, mark string) error {
	text, err := json.Marshal(kept{where, mark})
	if err == nil {
		_, err = q.heads.Put(ctx, filesKey, text)
	}
	if err != nil {
		return fmt.Errorf("run directories: %w", err)
	}
	return nil
}

// CheckFiles returns an error unless the mark of a folder or store, empty for none, is that of the head's.
func (q *Queue) CheckFiles(ctx context.Context, where, mark string) error {
	entry, err := q.heads.Get(ctx, filesKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("queue %s: its head does not say where run directories are; is it running?", q.o.URL)
	}
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.o.URL, err)
	}
	var k kept
	if err := json.Unmarshal(entry.Value(), &k); err != nil {
		return fmt.Errorf("queue %s: where its head has run directories cannot be read: %w; is it of this version?", q.o.URL, err)
	}
	if mark == "" || mark != k.Mark {
		return fmt.Errorf("--files %s: these are not the run directories of the head, which has them in %s; name that: a folder as this machine mounts it, a store by the same AWS_ENDPOINT_URL", where, k.Where)
	}
	return nil
}
