package queue

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Invitation is all that a worker needs to take part, as `nwl worker invite` writes it into a file
// of mode 0600. Who has it can do what permissions allows.
type Invitation struct {
	Name string `json:"name,omitempty"`
	URL  string `json:"url,omitempty"` // of the queue
	Seed string `json:"seed"`          // of the worker's nkey
	// CA are the certificates, PEM, that sign the queue's; empty for those that the system trusts.
	CA string `json:"ca,omitempty"`
	// ServerName is what the queue's certificate must name; empty for the host in URL.
	ServerName string `json:"server_name,omitempty"`
	// Files is the folder of run directories as the worker's machine sees it.
	Files string `json:"files,omitempty"`
}

var workerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// CheckWorker returns an error unless a name can be that of a worker: it is a part of subjects and
// of owners.
func CheckWorker(name string) error {
	if !workerName.MatchString(name) || name == Own {
		return fmt.Errorf("%q cannot name a worker: take up to 32 small letters, digits and dashes, with a letter or digit at the ends, and not %s", name, Own)
	}
	return nil
}

// ReadInvitation reads the file of a worker's key: an invitation, or the seed of an nkey alone,
// as other programs for NATS write it.
func ReadInvitation(path string) (*Invitation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	i := &Invitation{}
	if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("SU")) {
		i.Seed = string(bytes.Fields(trimmed)[0])
	} else if err := json.Unmarshal(text, i); err != nil {
		return nil, fmt.Errorf("key: %s is no file of nwl worker invite, nor the seed of an nkey: %w", path, err)
	}
	if pair, err := nkeys.FromSeed([]byte(i.Seed)); err != nil {
		return nil, fmt.Errorf("key: %s holds no seed of an nkey: %w", path, err)
	} else {
		pair.Wipe()
	}
	return i, nil
}

// options are those of a connection that uses an invitation.
func (i *Invitation) options(url string) ([]nats.Option, error) {
	var o []nats.Option
	if i.Seed != "" {
		sign, err := signing(i.Seed)
		if err != nil {
			return nil, err
		}
		o = append(o, sign)
	}
	if i.Name != "" {
		o = append(o, nats.CustomInboxPrefix(inboxOf(i.Name)))
	}
	if i.CA == "" && i.ServerName == "" && !strings.HasPrefix(url, "tls://") {
		return o, nil // whatever the server of somebody else wants
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: i.ServerName}
	if i.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(i.CA)) {
			return nil, errors.New("there is no certificate in the queue's CA")
		}
	}
	return append(o, nats.Secure(c)), nil
}

// signing has a connection answer the server's challenge by the nkey of a seed.
func signing(seed string) (nats.Option, error) {
	pair, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return nil, fmt.Errorf("key of the queue: %w", err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("key of the queue: %w", err)
	}
	return nats.Nkey(public, pair.Sign), nil
}

// newKey makes an nkey.
func newKey() (seed, public string, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", "", err
	}
	defer pair.Wipe()
	text, err := pair.Seed()
	if err != nil {
		return "", "", err
	}
	public, err = pair.PublicKey()
	return string(text), public, err
}
