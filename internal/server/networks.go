package server

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
)

// Bounds of a bundle that is uploaded.
const (
	mostArchive = 64 << 20 // bytes
	archiveTime = 10 * time.Minute
)

// NetworkPath is the path parameter of one network.
type NetworkPath struct {
	Name string `path:"name" maxLength:"64" doc:"The network's name."`
}

func (s *Server) registerNetworks() {
	d := s.o.Daemon
	of := func(method, path, id, summary string, more ...int) huma.Operation {
		o := operation(method, path, id, summary, more...)
		o.Tags = []string{"networks"}
		return o
	}
	huma.Register(s.api, of(http.MethodGet, "/networks", "networks", "List the repository of networks"), func(ctx context.Context, _ *struct{}) (*struct{ Body api.NetworkList }, error) {
		all, err := d.Networks()
		return &struct{ Body api.NetworkList }{api.NetworkList{Networks: all}}, problem(err)
	})
	add := of(http.MethodPost, "/networks/{name}", "add-network", "Add a bundle as the next version of a network")
	add.Description = "The body is a tar archive, compressed by gzip, of the files of one bundle. Runs that follow the network are offered the new version."
	add.DefaultStatus, add.MaxBodyBytes, add.BodyReadTimeout = http.StatusCreated, mostArchive, archiveTime
	huma.Register(s.api, add, func(ctx context.Context, in *struct {
		NetworkPath
		RawBody []byte `contentType:"application/gzip"`
	}) (*struct{ Body api.Network }, error) {
		note(ctx, "", map[string]any{"network": in.Name})
		n, err := d.AddNetwork(ctx, in.Name, bytes.NewReader(in.RawBody))
		if err != nil {
			return nil, problem(err)
		}
		note(ctx, "", map[string]any{"network": in.Name, "version": n.Version, "digest": n.Digest})
		return &struct{ Body api.Network }{*n}, nil
	})
	remove := of(http.MethodDelete, "/networks/{name}/{version}", "remove-network", "Delete a version of a network", 404, 409, 422)
	huma.Register(s.api, remove, func(ctx context.Context, in *struct {
		NetworkPath
		Version string `path:"version" maxLength:"20" doc:"Its number."`
	}) (*struct{}, error) {
		note(ctx, "", map[string]any{"network": in.Name, "version": in.Version})
		return nil, problem(d.RemoveNetwork(in.Name, in.Version))
	})
	swap := operation(http.MethodPost, "/runs/{id}/network", "swap", "Have a run go on with another network", 404, 409)
	swap.Description = "It is loaded and tested beside sampling and exchanged between two passes; the answer comes when that is done. On any fault the run keeps its network, and the answer says why."
	huma.Register(s.api, swap, func(ctx context.Context, in *struct {
		RunPath
		Body api.SwapRequest
	}) (*struct{ Body api.Swap }, error) {
		note(ctx, in.ID, map[string]any{"bundle": in.Body.Bundle, "back": in.Body.Back, "phase": in.Body.Phase})
		ctx, cancel := context.WithTimeout(ctx, api.SwapTime)
		defer cancel()
		a, err := d.Swap(ctx, in.ID, in.Body)
		if err != nil {
			return nil, problem(err)
		}
		return &struct{ Body api.Swap }{*a}, nil
	})
	huma.Register(s.api, operation(http.MethodGet, "/runs/{id}/network", "network-history", "The networks that a run has had", 404, 422), func(ctx context.Context, in *RunPath) (*struct{ Body api.NetworkHistory }, error) {
		h, err := d.NetworkHistory(ctx, in.ID)
		if err != nil {
			return nil, problem(err)
		}
		return &struct{ Body api.NetworkHistory }{*h}, nil
	})
	s.allowNull("SwapRequest")
}
