package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Network is a version of a network in the daemon's repository.
type Network struct {
	Name         string    `json:"name"`
	Version      int       `json:"version"`
	Digest       string    `json:"digest,omitempty" doc:"Identifies the network, whatever its name and version."`
	Architecture string    `json:"architecture,omitempty"`
	System       string    `json:"system,omitempty"`
	Steps        int64     `json:"steps" doc:"Gradient steps that made its weights."`
	Bytes        int64     `json:"bytes" doc:"Size of all files."`
	Added        time.Time `json:"added,omitzero"`
	Fault        string    `json:"fault,omitempty" doc:"Why it cannot be used; empty if nothing is known to be wrong."`
	Followers    []string  `json:"followers,omitempty" doc:"Runs that are offered every new version."`
	Users        []string  `json:"users,omitempty" doc:"Runs under way that have it at present."`
}

// NetworkList lists networks by name, with ascending versions.
type NetworkList struct {
	Networks []Network `json:"networks"`
}

// RestartPhase is the phase of a SwapRequest that may begin production anew.
const RestartPhase = "restart"

// SwapRequest asks a run to go on with another network.
type SwapRequest struct {
	Bundle string `json:"bundle,omitempty" maxLength:"200" example:"potts/3" doc:"name/version of the repository, name or name/latest for its highest version, or pretrained/name for one that comes with the program."`
	Back   bool   `json:"back,omitempty" doc:"Go back to the network before the last exchange, in place of bundle."`
	Phase  string `json:"phase,omitempty" enum:"restart" doc:"In production the exchange is refused unless this is restart: the weights are kept, burn-in and production begin anew."`
}

// Swap is an exchange of a run's network.
type Swap struct {
	Bundle    string  `json:"bundle" doc:"The network that came in."`
	Digest    string  `json:"digest"`
	Pass      int64   `json:"pass" doc:"After how many passes of the run, over all phases."`
	Stage     string  `json:"stage"`
	Restarted bool    `json:"restarted" doc:"Production began anew."`
	Training  string  `json:"training,omitempty" doc:"What becomes of the training of the network."`
	Loading   float64 `json:"loading_seconds" doc:"While sampling went on."`
	Pause     float64 `json:"pause_seconds" doc:"For which sampling stood still."`
}

// SwapTime is how long an exchange may take: loading takes seconds, but a pass may take minutes.
const SwapTime = 10 * time.Minute

// NetworkHistory is what networks a run has had.
type NetworkHistory struct {
	Acceptance float64    `json:"acceptance" doc:"Share of the present network's proposals that were accepted, since it came in or its phase began; 0 without."`
	Swaps      []PastSwap `json:"swaps" doc:"Exchanges on record, in their order."`
}

// PastSwap is an exchange on record.
type PastSwap struct {
	Bundle     string  `json:"bundle"`
	Digest     string  `json:"digest"`
	Pass       int64   `json:"pass" doc:"After how many passes of the run, over all phases."`
	Stage      string  `json:"stage"`
	Restarted  bool    `json:"restarted" doc:"Production began anew."`
	Before     string  `json:"before" doc:"The network that it replaced."`
	Acceptance float64 `json:"acceptance_before" doc:"Share of that network's proposals that were accepted."`
}

// Swap has the network of a run exchanged, and waits until that is done.
func (c *Client) Swap(ctx context.Context, id string, r SwapRequest) (*Swap, error) {
	return callWithin[Swap](ctx, SwapTime, c, http.MethodPost, "/runs/"+url.PathEscape(id)+"/network", r)
}

// Networks lists the repository.
func (c *Client) Networks(ctx context.Context) (*NetworkList, error) {
	return call[NetworkList](ctx, c, http.MethodGet, "/networks", nil)
}

// AddNetwork adds a bundle, a tar archive compressed by gzip, as the next version of a network.
func (c *Client) AddNetwork(ctx context.Context, name string, archive io.Reader) (*Network, error) {
	response, err := c.do(ctx, http.MethodPost, "/networks/"+url.PathEscape(name), archive, http.Header{"Content-Type": {ArchiveType}})
	if err != nil {
		return nil, err
	}
	return read[Network](c, response)
}

// ArchiveType is the content type of a bundle.
const ArchiveType = "application/gzip"

// RemoveNetwork deletes a version, name/3, from the repository.
func (c *Client) RemoveNetwork(ctx context.Context, name, version string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/networks/"+url.PathEscape(name)+"/"+url.PathEscape(version), nil)
	return err
}
