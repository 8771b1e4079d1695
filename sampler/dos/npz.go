package dos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/sbinet/npyio/npy"
	"github.com/sbinet/npyio/npz"
)

// maxLevels bounds the memory for reading an archive, however small the file. No run has as
// many levels.
const maxLevels = 1 << 22

// headerRoom is space for the header of an array, which takes 128 bytes as written by
// NumPy.
const headerRoom = 1 << 16

// npyHeader matches the description of an array as NumPy and npyio write it.
var npyHeader = regexp.MustCompile(`^\{'descr': '[^'{}]*', 'fortran_order': (?:False|True), 'shape': \([0-9, ]*\), \}[ \n]*\n$`)

// WriteNPZ writes a NumPy archive (numpy.load) of the float64 arrays energy, ln_g and
// ln_g_error, ascending in energy. An unknown error is NaN.
func (d *Density) WriteNPZ(w io.Writer) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("write density of states: %w", err)
	}
	deviations := make([]float64, d.Len())
	for i := range deviations {
		deviations[i] = math.NaN()
		if d.Error != nil && !math.IsInf(d.Error[i], 0) {
			deviations[i] = d.Error[i]
		}
	}
	archive := npz.NewWriter(w)
	for _, array := range []struct {
		name   string
		values []float64
	}{{energyColumn, d.Energy}, {lnGColumn, d.LnG}, {errorColumn, deviations}} {
		if err := archive.Write(entry(array.name), array.values); err != nil {
			return err
		}
	}
	return archive.Close()
}

// ReadNPZ reads a density of states from a NumPy archive of size bytes, as written by
// numpy.savez and numpy.savez_compressed. It needs the arrays energy and ln_g, and uses
// ln_g_error if present, where NaN means an unknown error. They must be float64,
// one-dimensional and of the same length, in any order of energy.
func ReadNPZ(r io.ReaderAt, size int64) (*Density, error) {
	archive, err := npz.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("it is not a NumPy archive: %w", err)
	}
	d := &Density{}
	for _, array := range []struct {
		name     string
		values   *[]float64
		optional bool
	}{{energyColumn, &d.Energy, false}, {lnGColumn, &d.LnG, false}, {errorColumn, &d.Error, true}} {
		switch number := count(archive.Keys(), entry(array.name)); {
		case number > 1:
			return nil, fmt.Errorf("there are %d arrays named %s", number, array.name)
		case number == 0 && array.optional:
			continue
		case number == 0:
			return nil, fmt.Errorf("there is no array %s among %s; write one with numpy.savez(file, energy=..., ln_g=..., ln_g_error=...)",
				array.name, names(archive.Keys()))
		}
		if *array.values, err = readArray(archive, array.name); err != nil {
			return nil, fmt.Errorf("array %s: %w", array.name, err)
		}
		if n := len(*array.values); n != len(d.Energy) {
			return nil, fmt.Errorf("array %s has %d elements, energy has %d", array.name, n, len(d.Energy))
		}
	}
	for i, deviation := range d.Error {
		if deviation < 0 || math.IsInf(deviation, 0) {
			return nil, fmt.Errorf("array %s, element %d: %v is not a standard error", errorColumn, i, deviation)
		}
	}
	d.sort()
	return d, d.Validate()
}

// entry returns the name of an array's file within an archive.
func entry(array string) string { return array + ".npy" }

func count(keys []string, name string) (n int) {
	for _, key := range keys {
		if key == name {
			n++
		}
	}
	return n
}

// names lists the arrays in an archive, at most the first few.
func names(keys []string) string {
	const most = 8
	more := ""
	if len(keys) > most {
		keys, more = keys[:most], ", ..."
	}
	list := slices.Clone(keys)
	for i, key := range list {
		list[i] = strings.TrimSuffix(key, ".npy")
	}
	return fmt.Sprintf("%q%s", list, more)
}

// readArray reads one array of float64.
func readArray(archive *npz.Reader, name string) ([]float64, error) {
	f, err := archive.Open(entry(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Read to the end, where the checksum is compared. The npy package must not read from
	// the archive itself: it takes a short read for a whole number, and the end of the file
	// for zeros.
	const most = headerRoom + 8*maxLevels
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if len(data) > most {
		return nil, fmt.Errorf("it has more than the %d elements allowed", maxLevels)
	}
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	body := bytes.NewReader(data)
	array, err := npy.NewReader(body)
	if err != nil {
		return nil, err
	}
	descr := array.Header.Descr
	if descr.Type != "<f8" && descr.Type != ">f8" {
		return nil, fmt.Errorf("its elements are of type %q, but float64 (<f8) is needed; convert them with .astype(float)", descr.Type)
	}
	if len(descr.Shape) != 1 {
		return nil, fmt.Errorf("its shape is %v, but one dimension is needed", descr.Shape)
	}
	if n := descr.Shape[0]; n != body.Len()/8 || body.Len()%8 != 0 {
		return nil, fmt.Errorf("it should have %d elements, but %d bytes are there", n, body.Len())
	}
	var values []float64
	err = array.Read(&values)
	return values, err
}

// checkHeader returns an error unless the header of an array has the form that NumPy
// writes. On others the npy package might panic, or allocate as much memory as the header
// claims.
func checkHeader(data []byte) error {
	const long = 12 // bytes before the description, from version 2 on
	if len(data) < long || !bytes.HasPrefix(data, npy.Magic[:]) {
		return errors.New("it does not begin like a NumPy array")
	}
	begin, length := 10, int64(binary.LittleEndian.Uint16(data[8:]))
	if version := data[6]; version > 1 {
		begin, length = long, int64(binary.LittleEndian.Uint32(data[8:]))
	}
	if length > int64(len(data)-begin) {
		return errors.New("its header is truncated")
	}
	if header := data[begin:][:length]; !npyHeader.Match(header) {
		return fmt.Errorf("NumPy does not write its header %.100q", header)
	}
	return nil
}
