package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"neuralwl/internal/api"
	"neuralwl/internal/near"
	"neuralwl/models/pretrained"
)

// meantRuns adds to an error of the daemon which of its runs may have been meant by names that it
// does not know.
func meantRuns(ctx context.Context, client *api.Client, names []string, err error) error {
	if !unknown(err) {
		return err
	}
	runs, fault := client.ListAll(ctx, api.Filter{})
	if fault != nil {
		return err // which says more
	}
	var ids []string
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	return meant(names, ids, err)
}

// meantNetwork is meantRuns for a network of the daemon, or one that comes with the program.
func meantNetwork(ctx context.Context, client *api.Client, name string, err error) error {
	if !unknown(err) {
		return err
	}
	list, fault := client.Networks(ctx)
	if fault != nil {
		return err
	}
	var names []string
	for _, n := range list.Networks {
		names = append(names, n.Name, fmt.Sprintf("%s/%d", n.Name, n.Version))
	}
	for _, trained := range pretrained.Names() {
		names = append(names, pretrained.Prefix+trained)
	}
	return meant([]string{name}, names, err)
}

// unknown reports whether an error of the daemon can be about a name that it does not know.
func unknown(err error) bool {
	var problem *api.Problem
	return errors.As(err, &problem) && (problem.Status == http.StatusNotFound || problem.Status == http.StatusUnprocessableEntity)
}

// meant adds to an error the known names near to those that are not known.
func meant(names, known []string, err error) error {
	var wanted []string
	for _, name := range names {
		if best := near.Name(name, known); best != "" && best != name && !slices.Contains(wanted, best) {
			wanted = append(wanted, best)
		}
	}
	if wanted == nil {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, strings.Join(wanted, " and "))
}
