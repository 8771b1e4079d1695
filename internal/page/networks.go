package page

import (
	"fmt"
	"net/http"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/models/pretrained"
)

// networksView is what the page of networks is made of.
type networksView struct {
	Networks []networkView
	More     int      // versions that are not shown
	Runs     []string // that can be given another network now
}

type networkView struct {
	api.Network
	Ref string
}

// mostVersions keeps the page below 200 kB.
const mostVersions = 200

// networks lists the networks of the repository and those that come with the program.
func (p *Page) networks(w http.ResponseWriter, r *http.Request) {
	all, err := p.o.Daemon.Networks()
	if err != nil {
		p.fail(w, r, err)
		return
	}
	v := &networksView{}
	// The newest versions of each name first, the names in their order.
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].Name == all[from].Name {
			to++
		}
		for i := to - 1; i >= from; i-- {
			n := networkView{all[i], fmt.Sprintf("%s/%d", all[i].Name, all[i].Version)}
			if n.Version == 0 {
				n.Ref = n.Name
			}
			n.Fault = cut(n.Fault, 200)
			v.Networks = append(v.Networks, n)
		}
		from = to
	}
	for _, name := range pretrained.Names() {
		v.Networks = append(v.Networks, networkView{api.Network{Name: pretrained.Prefix + name}, pretrained.Prefix + name})
	}
	if more := len(v.Networks) - mostVersions; more > 0 {
		v.Networks, v.More = v.Networks[:mostVersions], more
	}
	for _, run := range p.o.Daemon.List(func(r *api.Run) bool {
		return r.State == job.Running && r.Progress != nil && r.Progress.Architecture != ""
	}) {
		v.Runs = append(v.Runs, run.ID)
	}
	p.render(w, r, "networks", http.StatusOK, layout{Title: "Networks", Section: "networks", Events: p.events(nil), Kinds: "state began exported swapped", Body: v})
}
