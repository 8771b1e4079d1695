package reference

import (
	"errors"
	"fmt"
)

// scope holds the values of a graph by name. The body of a Scan also sees those of the
// enclosing graphs.
type scope struct {
	outer  *scope
	depth  int
	values map[string]tensor
}

func newScope(outer *scope) *scope {
	s := &scope{outer: outer, values: map[string]tensor{}}
	if outer != nil {
		s.depth = outer.depth + 1
	}
	return s
}

// define gives a value a name, which must be new among the visible ones.
func (s *scope) define(name string, t tensor) error {
	if name == "" {
		return errors.New("the name of a value is empty")
	}
	if _, ok := s.find(name); ok {
		return fmt.Errorf("the value %q is defined twice", name)
	}
	s.values[name] = t
	return nil
}

func (s *scope) lookup(name string) (tensor, error) {
	t, ok := s.find(name)
	if !ok {
		return tensor{}, fmt.Errorf("the value %q is not defined, or only defined later", name)
	}
	return t, nil
}

func (s *scope) find(name string) (tensor, bool) {
	for ; s != nil; s = s.outer {
		if t, ok := s.values[name]; ok {
			return t, true
		}
	}
	return tensor{}, false
}
