// Package checkpoint keeps the state of a run on disk: numbered files, each with a schema
// version and a checksum, written atomically. The last two are kept.
package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/fxamacker/cbor/v2"
)

// Schema is the version of the payload that this program writes, and the only one that it
// reads. It is incremented when the meaning of a field changes; adding or removing a field
// does not require that.
const Schema = 4

// format begins every checkpoint.
const format = "neuralwl checkpoint"

// header is the first line of a file, in human-readable JSON.
type header struct {
	Format string `json:"format"`
	Schema int    `json:"schema"`
	Bytes  int    `json:"bytes"`  // length of the payload, the rest of the file
	SHA256 string `json:"sha256"` // of the payload
}

// maxHeader bounds the length of the first line.
const maxHeader = 512

// Encode returns the contents of a checkpoint with value as its payload, in CBOR
// (RFC 8949).
func Encode(value any) ([]byte, error) {
	payload, err := cbor.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode checkpoint: %w", err)
	}
	return Frame(payload)
}

// Frame puts the header before a payload.
func Frame(payload []byte) ([]byte, error) {
	sum := sha256.Sum256(payload)
	line, err := json.Marshal(header{format, Schema, len(payload), hex.EncodeToString(sum[:])})
	if err != nil {
		return nil, fmt.Errorf("encode checkpoint: %w", err)
	}
	return append(append(line, '\n'), payload...), nil
}

// decoder limits arrays to the length of the file: a checkpoint's memory is bounded by a
// multiple of its size, whatever it claims.
var decoder = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32, DupMapKey: cbor.DupMapKeyEnforcedAPF,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// Decode checks length and checksum of a checkpoint and reads its payload into value, a
// pointer.
func Decode(data []byte, value any) error {
	line, _, found := bytes.Cut(data[:min(len(data), maxHeader)], []byte("\n"))
	var h header
	if err := json.Unmarshal(line, &h); !found || err != nil || h.Format != format {
		return errors.New("it is not a checkpoint, or its beginning is damaged")
	}
	payload := data[len(line)+1:]
	switch {
	case h.Schema != Schema:
		return fmt.Errorf("it has schema %d and this program reads schema %d; use the version of nwl that wrote it", h.Schema, Schema)
	case h.Bytes != len(payload):
		return fmt.Errorf("it is damaged: %d bytes of %d are present", len(payload), h.Bytes)
	}
	if sum := sha256.Sum256(payload); hex.EncodeToString(sum[:]) != h.SHA256 {
		return fmt.Errorf("it is damaged: the checksum is %x and should be %s", sum, h.SHA256)
	}
	if err := decoder.Unmarshal(payload, value); err != nil {
		return fmt.Errorf("its payload cannot be read: %w", err)
	}
	return nil
}
