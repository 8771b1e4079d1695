package repository

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"time"
)

// DefaultEvery is a usual time between two looks of Watch: short against training, long against
// listing a few hundred folders.
const DefaultEvery = 5 * time.Second

// maxPause is the largest number of looks between two attempts at a version that does not change.
const maxPause = 64

// Watch loads new versions of the networks that are served until ctx ends. It looks at the folder
// every so often, which unlike notifications by the kernel also works on network file systems,
// where other machines' changes give none, and misses nothing. The highest version that passes all
// tests is taken. One that fails, perhaps because it is still being copied, is tried again when
// its files have changed, and now and then if they have not. Versions that were there at the last
// Load by hand, or that Rollback left, are not taken again.
func (r *Repository) Watch(ctx context.Context, every time.Duration) {
	attempts := map[Ref]*attempt{}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		r.look(ctx, attempts)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// attempt is what a watcher knows of a version that failed.
type attempt struct {
	files       string // as they were
	pause, left int    // looks between two attempts, and until the next
}

// look loads what is new.
func (r *Repository) look(ctx context.Context, attempts map[Ref]*attempt) {
	r.mutex.Lock()
	seen := map[string]int{}
	for name, s := range r.served {
		seen[name] = s.seen
	}
	r.mutex.Unlock()
	maps.DeleteFunc(attempts, func(ref Ref, _ *attempt) bool { return ref.Version <= seen[ref.Name] })
	for name, seen := range seen {
		versions, err := r.Versions(name)
		if err != nil {
			r.o.Log.Warn("the versions of a network cannot be listed", "network", name, "reason", err)
			continue
		}
		for i := len(versions) - 1; i >= 0 && versions[i] > seen && ctx.Err() == nil; i-- {
			if r.try(ctx, Ref{name, versions[i]}, attempts) {
				break
			}
		}
	}
}

// try loads a version, unless that failed before and there is no reason to repeat it.
func (r *Repository) try(ctx context.Context, ref Ref, attempts map[Ref]*attempt) bool {
	files, a := r.fingerprint(ref), attempts[ref]
	if a != nil && a.files == files {
		if a.left--; a.left > 0 {
			return false
		}
	}
	_, err := r.load(ctx, ref, func(s *serving) bool { return s != nil && s.seen < ref.Version }, func(s *serving) { s.seen = ref.Version })
	if err == nil {
		delete(attempts, ref)
		return true
	}
	if a == nil || a.files != files {
		a = &attempt{files: files, pause: 1}
		attempts[ref] = a
	}
	a.pause = min(2*a.pause, maxPause)
	a.left = a.pause
	if ctx.Err() == nil {
		r.o.Log.Warn("a new version of a network was not taken", "network", ref, "reason", err)
	}
	return false
}

// fingerprint describes the files of a version, as far as that does not need reading them.
func (r *Repository) fingerprint(ref Ref) string {
	files, closeRoot, err := r.files(ref)
	if err != nil {
		return err.Error()
	}
	defer closeRoot()
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			fmt.Fprintln(&text, entry.Name(), err)
			continue
		}
		fmt.Fprintln(&text, entry.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return text.String()
}
