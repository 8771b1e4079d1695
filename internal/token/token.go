// Package token is who may ask the daemon for what: named tokens, each with a role. Files hold
// the SHA-256 of a token and never the token itself. Tokens are long and random, so that a plain
// hash of one tells nothing.
package token

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Role is what the bearer of a token may do.
type Role string

// The roles.
const (
	Read    Role = "read"    // see everything
	Operate Role = "operate" // submit, change and delete, too
)

// Roles lists the roles.
var Roles = []Role{Read, Operate}

// Check returns an error unless there is such a role.
func (r Role) Check() error {
	if r != Read && r != Operate {
		return fmt.Errorf("%q is not a role; take %s or %s", r, Read, Operate)
	}
	return nil
}

// Allows reports whether a role includes another one.
func (r Role) Allows(other Role) bool { return r == Operate || r == other }

// Entry is a token as a file holds it.
type Entry struct {
	Name string
	Role Role
	Hash [sha256.Size]byte // of the token
}

// List is the tokens that a daemon knows.
type List []Entry

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// CheckName returns an error unless a name can stand in a file and in a log.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q cannot name a token: take up to 64 letters, digits, dots, dashes, underscores and @, with a letter or digit first", name)
	}
	return nil
}

// tokenBytes is how many random bytes a token has.
const tokenBytes = 32

// New makes a token of a name and a role, and its entry.
func New(name string, role Role) (secret string, e Entry, err error) {
	if err := errors.Join(CheckName(name), role.Check()); err != nil {
		return "", Entry{}, err
	}
	var random [tokenBytes]byte
	rand.Read(random[:]) // never fails
	secret = base64.RawURLEncoding.EncodeToString(random[:])
	return secret, Entry{name, role, sha256.Sum256([]byte(secret))}, nil
}

// hashPrefix marks the hash of a token; what has none is the token itself.
const hashPrefix = "sha256:"

// String is the entry's line in a file.
func (e Entry) String() string {
	return fmt.Sprintf("%s %s %s%x", e.Name, e.Role, hashPrefix, e.Hash)
}

// least is the least length of a token that somebody else made up.
const least = 20

// Parse reads a list, a line for each token: its name, its role and sha256: with the hash in
// hexadecimal digits. Where plain is true, as in the environment, the token itself may stand in
// place of the hash. Empty lines and those that begin with # are left out. The error has
// all faults, and no secret.
func Parse(data []byte, plain bool) (List, error) {
	var list List
	var faults []error
	names := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		e, err := parseLine(line, plain)
		if err == nil && names[e.Name] {
			err = fmt.Errorf("there is a token %s already", e.Name)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		names[e.Name] = true
		list = append(list, e)
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, err)
	}
	if len(faults) == 0 && len(list) == 0 {
		faults = append(faults, errors.New("there is no token in it"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return list, nil
}

func parseLine(line string, plain bool) (Entry, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return Entry{}, fmt.Errorf("it has %d words; it must be a name, a role and %s with the hash, as nwl token writes it", len(fields), hashPrefix)
	}
	e := Entry{Name: fields[0], Role: Role(fields[1])}
	if err := errors.Join(CheckName(e.Name), e.Role.Check()); err != nil {
		return Entry{}, err
	}
	digits, hashed := strings.CutPrefix(fields[2], hashPrefix)
	switch {
	case hashed:
		hash, err := hex.DecodeString(digits)
		if err != nil || len(hash) != len(e.Hash) {
			return Entry{}, fmt.Errorf("the hash of %s is not %d hexadecimal digits", e.Name, 2*len(e.Hash))
		}
		e.Hash = [sha256.Size]byte(hash)
	case !plain:
		return Entry{}, fmt.Errorf("the token %s is not hashed; make it anew with nwl token", e.Name)
	case len(fields[2]) < least:
		return Entry{}, fmt.Errorf("the token %s has %d characters, fewer than %d, and can be guessed; make one with nwl token", e.Name, len(fields[2]), least)
	default:
		e.Hash = sha256.Sum256([]byte(fields[2]))
	}
	return e, nil
}

// Load reads a file of tokens. One that others may write is refused.
func Load(path string) (List, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; nwl token NAME --file %s makes a token and the file", err, path)
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if about.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s: others than its owner may write it; chmod go-w it", path)
	}
	const most = 1 << 20
	if about.Size() > most {
		return nil, fmt.Errorf("%s: it has more than %d bytes and cannot be a list of tokens", path, most)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := Parse(data, false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// Append adds an entry to a file, which it makes if it is not there, for its owner alone.
func Append(path string, e Entry) (err error) {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	default:
		list, err := Load(path)
		if err != nil {
			return err
		}
		for _, other := range list {
			if other.Name == e.Name {
				return fmt.Errorf("%s: there is a token %s already; remove its line first, or choose another name", path, e.Name)
			}
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	line := e.String() + "\n"
	if len(old) > 0 && old[len(old)-1] != '\n' {
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	return err
}

// Find returns the entry of a token. How long it takes does not depend on which it is, nor on
// how much of one was guessed.
func (l List) Find(secret string) (Entry, bool) {
	hash := sha256.Sum256([]byte(secret))
	var found Entry
	ok := false
	for _, e := range l {
		if subtle.ConstantTimeCompare(hash[:], e.Hash[:]) == 1 {
			found, ok = e, true
		}
	}
	return found, ok
}
