package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"neuralwl/internal/job"
)

// Couplings are those of one realisation of a system of model file.
type Couplings struct {
	Title string `json:"title" minLength:"1" maxLength:"64" doc:"Tells it from the others, as in system.title."`
	List  string `json:"list" minLength:"1" doc:"The interactions, as in system.couplings."`
}

// GroupSubmission asks for a group of runs: all combinations of the values of its settings.
type GroupSubmission struct {
	Name   string   `json:"name,omitempty" maxLength:"58" doc:"Names the group, and with a number behind each member. Made of the system and what is asked for if it is left out. A group of this name that was asked for alike goes on; another one is refused."`
	Config string   `json:"config,omitempty" maxLength:"65536" doc:"Configuration in YAML, as for a run."`
	Set    []string `json:"set,omitempty" maxItems:"256" doc:"Settings of the form key=value that go before the configuration, or key=value,value for several values, with FROM..TO for whole numbers. The members are all combinations." example:"[\"system.model=random_bond\",\"system.disorder_seed=1..4\"]"`
	Seeds  string   `json:"seeds,omitempty" maxLength:"65536" doc:"Values of run.seed, as in 1..32. Members that differ by nothing else are merged."`
	Betas  string   `json:"betas,omitempty" maxLength:"10000" doc:"Inverse temperatures of averages in units of 1/J, as in 0.2,0.4 or 0..2:0.05, the default."`
	// Couplings are realisations.
	Couplings []Couplings `json:"couplings,omitempty" maxItems:"10000" doc:"Systems of model file that differ by their couplings: realisations, whose results are averaged."`

	Title    string   `json:"title,omitempty" maxLength:"200" doc:"For people."`
	Tags     []string `json:"tags,omitempty" maxItems:"32" doc:"Words by which the members can be found."`
	Notes    string   `json:"notes,omitempty" maxLength:"10000" doc:"For people."`
	Priority int      `json:"priority,omitempty" minimum:"-10" maximum:"10" doc:"Of every member."`
	After    []string `json:"after,omitempty" maxItems:"64" doc:"Runs that must be done before any member begins."`
	AfterAny []string `json:"after_any,omitempty" maxItems:"64" doc:"Runs that must have ended before, however."`
	Memory   int64    `json:"memory,omitempty" minimum:"0" maximum:"16777216" doc:"Megabytes that every member will need, instead of the daemon's estimate."`
}

// Group is a group of runs as the daemon knows it.
type Group struct {
	Name  string   `json:"name"`
	Title string   `json:"title,omitempty"`
	Tags  []string `json:"tags,omitempty"`
	Notes string   `json:"notes,omitempty"`
	By    string   `json:"by,omitempty" doc:"Who submitted it: the name of a token."`

	System string `json:"system,omitempty" doc:"Of its members, where they have but one."`
	Method string `json:"method,omitempty"`
	// State sums up those of the members.
	State   job.State      `json:"state" enum:"submitted,running,paused,done,failed,cancelled" doc:"Running or submitted while a member is; then paused, failed or cancelled if a member is; else done."`
	Members int            `json:"members"`
	States  map[string]int `json:"states" doc:"Members by state, including those that were deleted."`
	// Unconverged are those that are done without being so.
	Unconverged int       `json:"unconverged" doc:"Members that are done but did not converge."`
	Points      int       `json:"points" doc:"Combinations of values other than seeds and disorder, of which each has a merged result."`
	Merged      int       `json:"merged" doc:"Members in the merged result as it is now."`
	Created     time.Time `json:"created"`
	Left        float64   `json:"left,omitempty" doc:"Seconds to the end of all members, a guess; 0 if nothing can be said."`
	Folder      string    `json:"folder" doc:"Its results, within the daemon's data folder."`
	Event       uint64    `json:"event" doc:"Number of its last event, after which a stream can begin."`

	Config string   `json:"config,omitempty" doc:"As it was submitted; not in lists."`
	Set    []string `json:"set,omitempty" doc:"The same."`
	Seeds  string   `json:"seeds,omitempty" doc:"The same."`
	Betas  string   `json:"betas,omitempty" doc:"The same."`

	Couplings []string `json:"couplings,omitempty" doc:"Titles of the couplings that were submitted; not in lists."`
}

// GroupList is a page of groups, the newest first.
type GroupList struct {
	Groups []Group `json:"groups"`
	Next   string  `json:"next,omitempty" doc:"The value of before for the next page; empty on the last."`
}

// GroupChange changes what is wanted of the members of a group.
type GroupChange struct {
	Wish job.Wish `json:"wish" enum:"run,pause,cancel" doc:"What is wanted of the members that have not ended. With run, those that were paused or cancelled go on."`
	Only string   `json:"only,omitempty" enum:"failed,unconverged" doc:"With the wish run: only members that failed, or those that are done but did not converge, go on."`
	Set  []string `json:"set,omitempty" maxItems:"256" doc:"With the wish run: limits to change, as for a run."`
}

// GroupData is what an event of a group says: its members by state, and how many are in the merged
// result.
type GroupData struct {
	States   map[string]int `json:"states"`
	Merged   int            `json:"merged"`
	Complete bool           `json:"complete" doc:"No member is awaited."`
}

// groupTime bounds the submission and changes of groups.
const groupTime = 10 * time.Minute

// SubmitGroup submits a group, or the rest of one whose submission was cut short.
func (c *Client) SubmitGroup(ctx context.Context, s GroupSubmission) (*Group, error) {
	return callWithin[Group](ctx, groupTime, c, http.MethodPost, "/groups", s)
}

// Group returns a group.
func (c *Client) Group(ctx context.Context, name string) (*Group, error) {
	return call[Group](ctx, c, http.MethodGet, "/groups/"+url.PathEscape(name), nil)
}

// Groups returns all groups, the newest first.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	var all []Group
	before := ""
	for {
		query := url.Values{"limit": {strconv.Itoa(maxPage)}}
		if before != "" {
			query.Set("before", before)
		}
		page, err := call[GroupList](ctx, c, http.MethodGet, "/groups?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		if all = append(all, page.Groups...); page.Next == "" {
			return all, nil
		}
		before = page.Next
	}
}

// ChangeGroup changes the members of a group.
func (c *Client) ChangeGroup(ctx context.Context, name string, change GroupChange) (*Group, error) {
	return callWithin[Group](ctx, groupTime, c, http.MethodPatch, "/groups/"+url.PathEscape(name), change)
}

// DeleteGroup deletes a group with all of its members.
func (c *Client) DeleteGroup(ctx context.Context, name string) error {
	_, err := callWithin[struct{}](ctx, groupTime, c, http.MethodDelete, "/groups/"+url.PathEscape(name), nil)
	return err
}

// GroupFile returns a file of a group, by its path with slashes.
func (c *Client) GroupFile(ctx context.Context, name, path string) ([]byte, error) {
	return c.file(ctx, "/groups/"+url.PathEscape(name)+"/files/", path)
}

// GroupEvents is Events for the events of a group.
func (c *Client) GroupEvents(ctx context.Context, name string, after uint64, contact func(error), f func(Event) error) error {
	return c.events(ctx, "/groups/"+url.PathEscape(name)+"/events", after, contact, f)
}
