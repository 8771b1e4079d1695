package config

import (
	"strings"
	"testing"
)

// TestServerFaults reports every fault of a daemon's configuration at once, by its key.
func TestServerFaults(t *testing.T) {
	_, err := LoadServer("", []string{
		"server.base_path=/a/../b", "server.hosts=[good.example, 'bad:80']", "server.certificate=x.pem", "server.streams=0", "server.data=",
	})
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{"server.base_path", `server.hosts: "bad:80"`, "server.key", "server.streams", "server.data"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "good.example") {
		t.Errorf("a good name is a fault:\n%v", err)
	}
}

// TestQueueFaults reports what contradicts itself in how the queue is reached.
func TestQueueFaults(t *testing.T) {
	for set, want := range map[string]string{
		"queue.listen=4222": "queue.listen", "queue.listen=:4222 queue.url=nats://x:1": "queue.listen", "queue.listen=:1 queue.certificate=a": "queue.certificate_key",
		"queue.certificate=a queue.certificate_key=b": "queue.certificate", "queue.ca=a": "queue.ca", "queue.key=a": "queue.key",
	} {
		if _, err := LoadServer("", strings.Fields(set)); err == nil || !strings.Contains(err.Error(), want+":") {
			t.Errorf("%s: %v", set, err)
		}
	}
	for _, set := range []string{"queue.listen=:4222", "queue.listen=:4222 queue.certificate=a queue.certificate_key=b queue.ca=c", "queue.url=tls://x:1 queue.key=a queue.ca=b", "server.work=false"} {
		if _, err := LoadServer("", strings.Fields(set)); err != nil {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// TestListen lets the daemon be reached from elsewhere only with tokens.
func TestListen(t *testing.T) {
	for listen, loopback := range map[string]bool{
		"127.0.0.1:0": true, "127.3.4.5:1": true, "[::1]:0": true, "localhost:1": true,
		":9465": false, "0.0.0.0:1": false, "[::]:1": false, "192.168.1.2:1": false, "node7:1": false, "[::ffff:10.0.0.1]:1": false,
	} {
		c, err := LoadServer("", []string{"server.listen=" + listen})
		if (err == nil) != loopback {
			t.Errorf("%s: %v", listen, err)
		}
		if err != nil && !strings.Contains(err.Error(), "nwl token") {
			t.Errorf("%s: no remedy in %v", listen, err)
		}
		if err == nil && !c.Server.Loopback() {
			t.Errorf("%s is not loopback", listen)
		}
		if _, err := LoadServer("", []string{"server.listen=" + listen, "server.tokens=file"}); err != nil {
			t.Errorf("%s with tokens: %v", listen, err)
		}
	}
	t.Setenv(TokensVariable, "ci operate sha256:00")
	if _, err := LoadServer("", []string{"server.listen=:9465"}); err != nil {
		t.Errorf("with tokens of the environment: %v", err)
	}
}

// TestServiceFaults reports the faults of what lets the daemon run for weeks, and repeats no
// address that may hold a secret.
func TestServiceFaults(t *testing.T) {
	_, err := LoadServer("", []string{
		"server.memory=-1", "storage.min_free=-1", "storage.run_megabytes=-2", "storage.keep=-1h", "storage.files=/data", "webhook.url=ftp://user:hunter2@host",
		"webhook.on=[converged, ended]", "log.megabytes=0", "log.keep=-1", "log.level=loud",
		"serving.load=[good/3, 'Bad name']", "serving.rows=0", "serving.delay=-1ms", "serving.requests=0", "serving.memory=0", "serving.threads=-1",
	})
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{"server.memory", "storage.min_free", "storage.run_megabytes", "storage.keep", "storage.files", "webhook.url", `webhook.on: "ended"`, "log.megabytes", "log.keep", "log.level", `serving.load: "Bad name"`, "serving.rows", "serving.delay", "serving.requests", "serving.memory", "serving.threads"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is repeated:\n%v", err)
	}
	if _, err := LoadServer("", []string{"webhook.url=https://hooks.example/nwl?key=x", "webhook.on=failed", "log.file=a b"}); err != nil {
		t.Error(err)
	}
}
