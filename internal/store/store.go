// Package store keeps run directories in a bucket of an object store (S3), for workers that share no
// folder with their head. A directory is stored as a manifest, which names a blob for each file. Blobs
// and manifests have the epoch of the lease under which they were written in their names, and nothing
// that was written is ever changed: whoever lost a lease can write what it likes, nobody looks at it
// unless the record of the run names it.
package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Scheme begins the URLs of stores.
const Scheme = "s3://"

// Store is a part of a bucket. It is safe for concurrent use.
type Store struct {
	client *minio.Client
	bucket string
	prefix string // with a slash at its end, unless it is empty
}

// ErrDamaged marks errors of what is stored, as opposed to those of a store that does not answer.
var ErrDamaged = errors.New("damaged")

// Environment variables beside those of credentials.
const (
	endpointVariable = "AWS_ENDPOINT_URL"
	regionVariable   = "AWS_REGION"
	amazon           = "https://s3.amazonaws.com"
)

// Open opens the store at s3://bucket/prefix. Where it is and who asks is in the usual places:
// AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, or the
// role of the machine.
func Open(ctx context.Context, address string) (*Store, error) {
	rest, ok := strings.CutPrefix(address, Scheme)
	bucket, prefix, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return nil, fmt.Errorf("files: %q is no address such as s3://bucket/prefix", address)
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		endpoint = amazon
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, fmt.Errorf("environment variable %s=%q is not an address such as https://host", endpointVariable, endpoint)
	}
	if strings.Trim(at.Path, "/") != "" {
		return nil, fmt.Errorf("environment variable %s=%q has the path %s, but a store is at the root of its server; give the prefix of its objects in the address, as in s3://bucket/prefix", endpointVariable, endpoint, at.Path)
	}
	client, err := minio.New(at.Host, &minio.Options{
		Secure: at.Scheme == "https", Region: os.Getenv(regionVariable),
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.EnvMinio{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("files: %s: %w", address, err)
	}
	s := &Store{client, bucket, prefix}
	if there, err := client.BucketExists(ctx, bucket); err != nil {
		return nil, fmt.Errorf("files: %s: %w; credentials are looked for in AWS_ACCESS_KEY_ID, ~/.aws/credentials and the role of the machine", address, err)
	} else if !there {
		return nil, fmt.Errorf("files: %s: there is no such bucket; make it", address)
	}
	return s, nil
}

// Manifest lists the files of a run directory.
type Manifest struct {
	Files []File `json:"files"`
}

// File is a file of a run directory.
type File struct {
	Path   string `json:"path"` // with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Blob   string `json:"blob"` // key of its contents, below that of the run; of an empty file none
}

// Key tells a run from an earlier one of its name that was deleted, whose owner may still write.
func Key(id string, created time.Time) string {
	return path.Join(id, strconv.FormatInt(created.UnixNano(), 36))
}

// key of something of a run.
func (s *Store) key(id, name string) string { return s.prefix + path.Join(id, name) }

// manifestName is the name of the manifest with a number, of an epoch.
func manifestName(epoch, number int) string { return fmt.Sprintf("%d-%d.json", epoch, number) }

// parseManifest reads what manifestName wrote.
func parseManifest(name string) (epoch, number int, ok bool) {
	n, err := fmt.Sscanf(name, "%d-%d.json", &epoch, &number)
	return epoch, number, n == 2 && err == nil && name == manifestName(epoch, number)
}

// blobName is the name of the contents with a digest, of an epoch.
func blobName(epoch int, sha256 string) string { return path.Join(strconv.Itoa(epoch), sha256) }

// blobForm is what such names look like.
var blobForm = regexp.MustCompile(`^[0-9]+/[0-9a-f]{64}$`)

// epochOf is the epoch in which an object of a run was written, -1 for what is none of ours.
func epochOf(name string) int {
	digits := name[:max(0, strings.IndexAny(name, "-/"))]
	epoch, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return epoch
}

func (s *Store) put(ctx context.Context, id, name string, data []byte) error {
	_, err := s.client.PutObject(ctx, s.bucket, s.key(id, name), bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{})
	if err != nil {
		return fmt.Errorf("store %s: %w", s.key(id, name), err)
	}
	return nil
}

func (s *Store) get(ctx context.Context, id, name string) (data []byte, err error) {
	o, err := s.client.GetObject(ctx, s.bucket, s.key(id, name), minio.GetObjectOptions{})
	if err == nil {
		defer o.Close()
		data, err = io.ReadAll(o)
	}
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return nil, fmt.Errorf("%w: %s is missing", ErrDamaged, s.key(id, name))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.key(id, name), err)
	}
	return data, nil
}

// Mark returns the contents of an object beside the runs by which the store is known again, empty if there is
// none.
func (s *Store) Mark(ctx context.Context, name string) (string, error) {
	data, err := s.get(ctx, "", name)
	if errors.Is(err, ErrDamaged) {
		return "", nil
	}
	return string(data), err
}

// SetMark writes it.
func (s *Store) SetMark(ctx context.Context, name, mark string) error {
	return s.put(ctx, "", name, []byte(mark))
}

// Address is that by which it was opened.
func (s *Store) Address() string { return Scheme + path.Join(s.bucket, s.prefix) }

// Manifest reads a manifest of a run.
func (s *Store) Manifest(ctx context.Context, id, name string) (*Manifest, error) {
	if _, _, ok := parseManifest(name); !ok {
		return nil, fmt.Errorf("%s: the record is %w: %q is no name of a manifest", id, ErrDamaged, name)
	}
	text, err := s.get(ctx, id, name)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s is %w: %w", s.key(id, name), ErrDamaged, err)
	}
	return m, nil
}

// Newest is the name and epoch of the manifest that was written last by the owner of the latest epoch, of
// whose files nothing is removed before there is a newer one; empty for a run that has none.
func (s *Store) Newest(ctx context.Context, id string) (name string, epoch int, err error) {
	names, err := s.names(ctx, id)
	number := 0
	for _, n := range names {
		if e, k, ok := parseManifest(n); ok && (name == "" || e > epoch || e == epoch && k > number) {
			name, epoch, number = n, e, k
		}
	}
	return name, epoch, err
}

// names lists the objects of a run.
func (s *Store) names(ctx context.Context, id string) (names []string, err error) {
	below := s.key(id, "") + "/"
	for o := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: below, Recursive: true}) {
		if o.Err != nil {
			return nil, fmt.Errorf("list %s: %w", below, o.Err)
		}
		names = append(names, strings.TrimPrefix(o.Key, below))
	}
	return names, nil
}

// Collect removes what no manifest among those to be kept needs, of epochs up to one: what a later
// owner has begun to write is not yet named anywhere.
func (s *Store) Collect(ctx context.Context, id string, epoch int, keep map[string]*Manifest) error {
	names, err := s.names(ctx, id)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for name, m := range keep {
		needed[name] = true
		for _, f := range m.Files {
			needed[f.Blob] = true
		}
	}
	var faults []error
	for _, name := range names {
		if of := epochOf(name); !needed[name] && of >= 0 && of <= epoch {
			faults = append(faults, s.client.RemoveObject(ctx, s.bucket, s.key(id, name), minio.RemoveObjectOptions{}))
		}
	}
	return errors.Join(faults...)
}

// Remove removes all that is stored of a run.
func (s *Store) Remove(ctx context.Context, id string) error {
	names, err := s.names(ctx, id)
	if err != nil {
		return err
	}
	var faults []error
	for _, name := range names {
		faults = append(faults, s.client.RemoveObject(ctx, s.bucket, s.key(id, name), minio.RemoveObjectOptions{}))
	}
	return errors.Join(faults...)
}
