package queue

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"neuralwl/internal/disk"
)

// Listen has an embedded queue be reached by workers of other processes, always by TLS 1.3 and
// with their own keys.
type Listen struct {
	Address string // host:port
	// Certificate and Key are files, PEM, read again for each connection; empty for a certificate that
	// the queue makes for itself, which then travels in invitations.
	Certificate, Key string
	// CA is a file with the certificates that sign it, PEM, if the systems of the workers do not
	// trust them.
	CA     string
	Roster Roster
}

const (
	// ownName is what a self-made certificate names: workers trust that one alone, whatever address
	// they reach it by.
	ownName = "nwl-queue"
	// ownTime is how long it is valid.
	ownTime = 20 * 365 * 24 * time.Hour
)

// listening is a Listen prepared, with the key of the connection within this process.
type listening struct {
	Listen
	host    string
	port    int
	tls     *tls.Config
	inside  string // public key
	seed    string // of it
	address string // URL by which workers reach it

	mutex sync.Mutex
	now   []Invited
}

// prepare reads what an embedded queue needs to listen, and makes what is missing.
func (l Listen) prepare() (*listening, error) {
	p := &listening{Listen: l}
	host, port, err := net.SplitHostPort(l.Address)
	if err == nil {
		p.host = host
		p.port, err = strconv.Atoi(port)
	}
	if err != nil {
		return nil, fmt.Errorf("queue.listen: %q is not an address host:port, such as :4222", l.Address)
	}
	if p.host == "" {
		p.host = "0.0.0.0"
		if v6, err := net.Listen("tcp6", "[::]:0"); err == nil {
			v6.Close()
			p.host = "::"
		}
	}
	if p.port == 0 {
		p.port = server.RANDOM_PORT
	}
	if err := os.MkdirAll(string(l.Roster), 0o700); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if l.Certificate == "" {
		p.Certificate, p.Key = filepath.Join(string(l.Roster), ownCertFile), filepath.Join(string(l.Roster), ownKeyFile)
		if err := makeCertificate(p.Certificate, p.Key); err != nil {
			return nil, fmt.Errorf("queue: its certificate: %w", err)
		}
		p.CA = p.Certificate
	}
	if err := p.trust(); err != nil {
		return nil, err
	}
	if _, err := tls.LoadX509KeyPair(p.Certificate, p.Key); err != nil {
		return nil, fmt.Errorf("queue.certificate, queue.certificate_key: %w", err)
	}
	p.tls = &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
		return &pair, err
	}}
	if p.seed, p.inside, err = newKey(); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	p.now, err = l.Roster.List()
	return p, err
}

// set replaces the workers and returns those before.
func (l *listening) set(now []Invited) (before []Invited) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	before, l.now = l.now, now
	return before
}

// trust puts what workers are to trust where invitations find it.
func (l *listening) trust() error {
	path := filepath.Join(string(l.Roster), trustFile)
	if l.CA == "" {
		return os.RemoveAll(path)
	}
	text, err := os.ReadFile(l.CA)
	if err != nil {
		return fmt.Errorf("queue.ca: %w", err)
	}
	return disk.WriteFile(disk.OS, path, text)
}

// makeCertificate makes a certificate that signs itself, unless there is one.
func makeCertificate(certificate, key string) error {
	if _, err := tls.LoadX509KeyPair(certificate, key); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	now := time.Now()
	about := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: ownName}, DNSNames: []string{ownName},
		// Clocks of machines differ.
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(ownTime),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &pair.PublicKey, pair)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return err
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// configure puts into the options of a server how it is reached, and by whom.
func (l *listening) configure(o *server.Options) {
	o.DontListen, o.Host, o.Port = false, l.host, l.port
	o.TLS, o.TLSConfig, o.TLSTimeout, o.AuthTimeout = true, l.tls, 5, 6
	o.Nkeys = []*server.NkeyUser{{Nkey: l.inside}}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, w := range l.now {
		if w.Revoked.IsZero() {
			o.Nkeys = append(o.Nkeys, WorkerPermissions(w.Name).user(w.Key))
		}
	}
}

// announce writes the address at which a server listens for invitations, by the name of this
// machine if it is reached from others.
func (l *listening) announce(at net.Addr) error {
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	}
	l.address = "tls://" + net.JoinHostPort(host, port)
	return disk.WriteFile(disk.OS, filepath.Join(string(l.Roster), addressFile), []byte(l.address))
}

// rosterEvery is how often a roster is looked at.
const rosterEvery = 250 * time.Millisecond

// follow admits the workers that are invited while the server runs, and shuts out those that are
// no longer.
func (e *embedded) follow() {
	var known []byte
	tick := time.NewTicker(rosterEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-tick.C:
		}
		text, err := os.ReadFile(filepath.Join(string(e.listen.Roster), rosterFile))
		if err != nil || bytes.Equal(text, known) {
			continue // none, or as it was
		}
		now, err := e.listen.Roster.List()
		if err == nil {
			err = e.admit(now)
		}
		if err != nil {
			e.log.Error("the workers stay those that they were", "reason", err)
			continue
		}
		known = text
	}
}

// admit has the server admit these workers. Connections of others end.
func (e *embedded) admit(now []Invited) error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	before := e.listen.set(now)
	if slices.Equal(before, now) {
		return nil
	}
	if err := e.server.ReloadOptions(e.options()); err != nil {
		e.listen.set(before)
		return err
	}
	for _, w := range now {
		if slices.Contains(before, w) {
			continue
		}
		if w.Revoked.IsZero() {
			e.log.Info("a worker may take part", "worker", w.Name, "key", w.Key)
		} else {
			e.log.Warn("the key of a worker was revoked; its connection is closed, and its runs go to others", "worker", w.Name, "key", w.Key)
		}
	}
	return nil
}
