package grafana

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compose is what deploy/compose.yaml says, as far as it is looked at.
type compose struct {
	Services map[string]struct {
		Ports, Volumes []string
		Secrets        []string
		Environment    map[string]string
	}
	Volumes map[string]any
	Secrets map[string]any
}

// TestDeploy finds every file that the containers are given, and no port open to other machines.
func TestDeploy(t *testing.T) {
	var c compose
	decode(t, "../../deploy/compose.yaml", &c)
	given := map[string]string{} // by their path in the container
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(strings.TrimSuffix(v, ":ro"), ":")
			if !strings.HasPrefix(from, ".") {
				if _, ok := c.Volumes[from]; !ok {
					t.Errorf("%s: there is no volume %s", name, from)
				}
				continue
			}
			if _, err := os.Stat(filepath.Join("../../deploy", from)); err != nil || !strings.HasSuffix(v, ":ro") {
				t.Errorf("%s: %s: %v", name, v, err)
			}
			given[name+to] = from
		}
		for _, secret := range s.Secrets {
			if _, ok := c.Secrets[secret]; !ok {
				t.Errorf("%s: there is no secret %s", name, secret)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: other machines reach port %s", name, port)
			}
		}
	}
	for _, f := range Files {
		if given["grafana/etc/grafana/dashboards/"+f.Name] != "../metrics/grafana/"+f.Name {
			t.Errorf("Grafana is not given %s: %v", f.Name, given)
		}
	}
	var scrapes struct {
		Rules []string `yaml:"rule_files"`
		Jobs  []struct {
			Name   string `yaml:"job_name"`
			Static []struct{ Targets []string }
		} `yaml:"scrape_configs"`
	}
	decode(t, "../../deploy/prometheus.yml", &scrapes)
	for _, path := range scrapes.Rules {
		if given["prometheus/etc/prometheus/"+path] == "" {
			t.Errorf("Prometheus is not given %s", path)
		}
	}
	if scrapes.Jobs[0].Name != "nwl" {
		t.Errorf("dashboards and alerts look for the job nwl, Prometheus has %s", scrapes.Jobs[0].Name)
	}
	var sources struct {
		Datasources []struct{ Type, URL string }
	}
	decode(t, "provisioning/datasources/prometheus.yaml", &sources)
	if s := sources.Datasources[0]; s.Type != "prometheus" || s.URL != "http://prometheus:9090" {
		t.Errorf("data source %+v", s)
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	decode(t, "provisioning/dashboards/neuralwl.yaml", &providers)
	if providers.Providers[0].Options.Path != "/etc/grafana/dashboards" {
		t.Errorf("Grafana looks for dashboards in %s", providers.Providers[0].Options.Path)
	}
}

// TestDockerfile finds what it copies, a user without rights and a check of its health.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../../deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		kinds = append(kinds, words[0])
		if words[0] != "COPY" || slices.Contains(words, "--from=build") {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			if strings.HasPrefix(source, "--") {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", source)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, want := range []string{"USER", "HEALTHCHECK", "VOLUME", "ENTRYPOINT"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if n := strings.Count(string(text), "\nFROM "); n != 2 {
		t.Errorf("%d stages", n)
	}
}

// TestHealthcheck believes a daemon that says that it is ready, and no other.
func TestHealthcheck(t *testing.T) {
	status := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
	}))
	port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	check := func() error {
		c := exec.Command("bash", "../../deploy/healthcheck.sh")
		c.Env = append(os.Environ(), "PORT="+port)
		return c.Run()
	}
	for _, status = range []int{http.StatusOK, http.StatusServiceUnavailable} {
		if err := check(); (err == nil) != (status == http.StatusOK) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	s.Close()
	if check() == nil {
		t.Error("a daemon that is not there is well")
	}
}
