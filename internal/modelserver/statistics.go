package modelserver

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"neuralwl/internal/oip"
)

// version is a version of a model.
type version struct{ name, version string }

// statistics are those of all versions that are served.
type statistics struct {
	mutex  sync.Mutex
	models map[version]*oip.ModelStatistics
}

// get finds those of a version, with the mutex locked.
func (s *statistics) get(m *model) *oip.ModelStatistics {
	key := version{m.name, m.version()}
	all := s.models[key]
	if all == nil {
		all = &oip.ModelStatistics{Name: key.name, Version: key.version}
		s.models[key] = all
	}
	return all
}

// failed counts a request that failed.
func (s *statistics) failed(m *model, took time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	add(&s.get(m).Inference.Fail, took)
}

// succeeded counts a request that began to be decoded and has been encoded.
func (s *statistics) succeeded(w *work, began, encoded time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	all := s.get(w.model)
	all.LastInference = encoded.UnixMilli()
	all.InferenceCount += uint64(w.rows)
	t := &all.Inference
	add(&t.Success, encoded.Sub(began))
	add(&t.ComputeInput, w.queued.Sub(began))
	add(&t.Queue, w.began.Sub(w.queued))
	add(&t.ComputeInfer, w.ended.Sub(w.began))
	add(&t.ComputeOutput, encoded.Sub(w.ended))
	if !w.first { // the evaluation counts for one of the requests
		return
	}
	all.ExecutionCount++
	size := uint64(w.batch)
	i, found := slices.BinarySearchFunc(all.Batches, size, func(b oip.BatchDuration, size uint64) int { return cmp.Compare(b.Size, size) })
	if !found {
		if len(all.Batches) == mostSizes {
			return
		}
		all.Batches = slices.Insert(all.Batches, i, oip.BatchDuration{Size: size})
	}
	add(&all.Batches[i].ComputeInfer, w.ended.Sub(w.began))
}

// mostSizes is the number of sizes of batches that are told apart.
const mostSizes = 1024

// of returns a copy of those of a version, or of all without a name.
func (s *statistics) of(name, number string) []oip.ModelStatistics {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found := []oip.ModelStatistics{}
	for key, all := range s.models {
		if name == "" || key == (version{name, number}) {
			one := *all
			one.Batches = append([]oip.BatchDuration{}, all.Batches...)
			found = append(found, one)
		}
	}
	if name != "" && len(found) == 0 {
		found = append(found, oip.ModelStatistics{Name: name, Version: number, Batches: []oip.BatchDuration{}})
	}
	slices.SortFunc(found, func(a, b oip.ModelStatistics) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return found
}

// keep forgets all versions but those of an index.
func (s *statistics) keep(served []oip.Entry) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for key := range s.models {
		if !slices.ContainsFunc(served, func(e oip.Entry) bool { return key == version{e.Name, e.Version} }) {
			delete(s.models, key)
		}
	}
}

func add(d *oip.Duration, took time.Duration) {
	d.Count++
	d.Nanoseconds += uint64(max(0, took))
}
