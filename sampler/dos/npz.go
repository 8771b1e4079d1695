package dos

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
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
// ln_g_error, ascending in energy, with those of WriteCSV where levels are bins, and the text origin[0], JSON, if the origin is known. An unknown
// error is NaN.
func (d *Density) WriteNPZ(w io.Writer) error {
	return d.writeNPZ(w, d.keys(), func(*npz.Writer) error { return nil })
}

// named are numbers by level, a column or an array.
type named struct {
	name   string
	values []float64
}

// keys are what tells levels apart.
func (d *Density) keys() []named { return []named{{energyColumn, d.Energy}} }

// writeNPZ writes an archive, with what tells levels apart, to which more adds arrays.
func (d *Density) writeNPZ(w io.Writer, keys []named, more func(*npz.Writer) error) error {
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
	columns := append(keys, named{lnGColumn, d.LnG}, named{errorColumn, deviations})
	if d.Bins != nil {
		width, mean := d.Bins.columns(d.Energy)
		columns = append(columns, named{widthColumn, width}, named{meanColumn, mean}, named{varianceColumn, d.Bins.Variance})
		if d.Bins.Count != nil {
			counts := make([]float64, d.Len())
			for i, n := range d.Bins.Count {
				counts[i] = float64(n)
			}
			columns = append(columns, named{countColumn, counts})
		}
	}
	for _, c := range columns {
		if err := archive.Write(entry(c.name), c.values); err != nil {
			return err
		}
	}
	if d.Origin != nil {
		text, err := json.Marshal(d.Origin)
		if err == nil {
			err = archive.Write(entry(originArray), []string{string(text)})
		}
		if err != nil {
			return err
		}
	}
	if err := more(archive); err != nil {
		return err
	}
	return archive.Close()
}

// ReadNPZ reads an archive as WriteNPZ writes it; see Reader.ReadNPZ for others.
func ReadNPZ(r io.ReaderAt, size int64) (*Density, error) { return Reader{}.ReadNPZ(r, size) }

// ReadNPZ reads a density of states from a NumPy archive of size bytes, as written by
// numpy.savez and numpy.savez_compressed. It needs an array energy and an array ln_g or g,
// uses one ln_g_error, and ignores others; see quantity for other names. They must be
// one-dimensional and of the same length, in any order of energy, of any integer type or
// float32 or float64; a number that has no exact float64 is refused. A level whose ln g is
// NaN or -Inf, or whose g is 0, is left out; Note is told. A NaN for an error means that it
// is unknown.
func (r Reader) ReadNPZ(file io.ReaderAt, size int64) (*Density, error) {
	e, joint, err := r.readNPZ(file, size, false)
	if err != nil {
		return nil, err
	}
	if e, err = r.sum(e, joint); err != nil {
		return nil, err
	}
	return e.Density, nil
}

// readNPZ reads a density of states and, on demand, its replicas; and the pairs of a joint one.
func (r Reader) readNPZ(file io.ReaderAt, size int64, replicas bool) (*Ensemble, *pairs, error) {
	archive, err := npz.NewReader(file, size)
	if err != nil {
		return nil, nil, fmt.Errorf("it is not a NumPy archive: %w", err)
	}
	keys := archive.Keys()
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = strings.TrimSuffix(key, entry(""))
		if n := count(keys, key); n > 1 {
			return nil, nil, fmt.Errorf("there are %d arrays named %s", n, list[i])
		}
	}
	at, err := find(list)
	if err != nil {
		return nil, nil, err
	}
	if !complete(at) {
		return nil, nil, fmt.Errorf("its arrays are %s, but %s; write them with numpy.savez(file, energy=..., ln_g=..., ln_g_error=...)", listed(keys), wanted)
	}
	var arrays [quantities][]float64
	for of, i := range at {
		if i < 0 || of == gOf && at[lnGOf] >= 0 {
			continue
		}
		if arrays[of], err = readArray(archive, list[i], of != gOf); err != nil {
			return nil, nil, fmt.Errorf("array %s: %w", list[i], err)
		}
		if n := len(arrays[of]); n != len(arrays[energyOf]) {
			return nil, nil, fmt.Errorf("array %s has %d elements, %s has %d", list[i], n, list[at[energyOf]], len(arrays[energyOf]))
		}
	}
	lnG := arrays[lnGOf]
	if at[lnGOf] < 0 {
		lnG = arrays[gOf]
		for i, g := range lnG {
			if g < 0 {
				return nil, nil, fmt.Errorf("array %s, element %d: %v is not a number of states", list[at[gOf]], i, g)
			}
			lnG[i] = math.Log(g)
		}
	}
	var l levels
	for i, e := range arrays[energyOf] {
		deviation := math.NaN()
		if at[errorOf] >= 0 {
			deviation = arrays[errorOf][i]
		}
		if of, why := l.add(i, e, lnG[i], deviation); of >= 0 {
			if of == lnGOf && at[lnGOf] < 0 {
				of = gOf
			}
			return nil, nil, fmt.Errorf("array %s, element %d: %v %s", list[at[of]], i, arrays[of][i], why)
		}
		if !binned(at) {
			continue
		}
		count := math.NaN()
		if at[binCountOf] >= 0 {
			count = arrays[binCountOf][i]
		}
		if of, why := l.addBin(arrays[binWidthOf][i], arrays[binMeanOf][i], arrays[binVarianceOf][i], count, at[binCountOf] >= 0); of >= 0 {
			return nil, nil, fmt.Errorf("array %s, element %d: %v %s", list[at[of]], i, arrays[of][i], why)
		}
	}
	if at[secondOf] >= 0 {
		l.second, l.name = arrays[secondOf], secondName(list[at[secondOf]])
	}
	d, joint, err := r.density(l, "element", at[errorOf] >= 0)
	if err != nil {
		return nil, nil, err
	}
	if d.Origin, err = readOrigin(archive); err != nil {
		return nil, nil, err
	}
	if !replicas {
		return &Ensemble{Density: d}, joint, nil
	}
	e, err := readEnsemble(archive, d, len(l.place))
	return e, joint, err
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

// listed lists the arrays in an archive, at most the first few.
func listed(keys []string) string {
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

// readArray reads one array of numbers; exact is whether each must have an exact float64.
func readArray(archive *npz.Reader, name string, exact bool) ([]float64, error) {
	data, descr, err := readRaw(archive, name)
	if err != nil {
		return nil, err
	}
	element, size := elementOf(descr.Type)
	if element == nil {
		return nil, fmt.Errorf("its elements are of type %q, but integers of at most 64 bits, float32 or float64 (<f8) are needed; convert them with .astype(float)", descr.Type)
	}
	if len(descr.Shape) != 1 {
		return nil, fmt.Errorf("its shape is %v, but one dimension is needed", descr.Shape)
	}
	if n := descr.Shape[0]; n != len(data)/size || len(data)%size != 0 {
		return nil, fmt.Errorf("it should have %d elements, but %d bytes are there", n, len(data))
	}
	values := make([]float64, 0, descr.Shape[0])
	for raw := range slices.Chunk(data, size) {
		x, whole := element(raw)
		if exact && !whole {
			return nil, fmt.Errorf("element %d has more than the 53 bits of a float64; round it with .astype(float) if that does not matter", len(values))
		}
		values = append(values, x)
	}
	return values, nil
}

// elementOf returns a function that converts an element of a type of NumPy, such as <i8, and
// reports whether the result is exact, and the size of an element; nil for other types.
func elementOf(descr string) (func(raw []byte) (x float64, exact bool), int) {
	if len(descr) != 3 || strings.IndexByte("<>|", descr[0]) < 0 {
		return nil, 0
	}
	size := int(descr[2] - '0')
	bits := func(raw []byte) (x uint64) {
		for i := range raw {
			if descr[0] != '>' {
				i = size - 1 - i
			}
			x = x<<8 | uint64(raw[i])
		}
		return x
	}
	const limit = 1 << 63
	switch descr[1:] {
	case "f8":
		return func(raw []byte) (float64, bool) { return math.Float64frombits(bits(raw)), true }, size
	case "f4":
		return func(raw []byte) (float64, bool) { return float64(math.Float32frombits(uint32(bits(raw)))), true }, size
	case "u1", "u2", "u4", "u8":
		return func(raw []byte) (float64, bool) {
			u := bits(raw)
			x := float64(u)
			return x, x < 2*limit && uint64(x) == u
		}, size
	case "i1", "i2", "i4", "i8":
		return func(raw []byte) (float64, bool) {
			i := int64(bits(raw)) << (64 - 8*size) >> (64 - 8*size)
			x := float64(i)
			return x, x < limit && int64(x) == i
		}, size
	}
	return nil, 0
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
