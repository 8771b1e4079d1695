package latent

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"neuralwl/internal/plots"
	"neuralwl/models"
)

// WriteCSV writes energy per site, order parameter and latent coordinates of the configurations.
func (s *Study) WriteCSV(w io.Writer) error {
	var buf bytes.Buffer
	fmt.Fprint(&buf, "energy,order_parameter")
	for k := range s.Latent[0] {
		fmt.Fprintf(&buf, ",z%d", k)
	}
	fmt.Fprintln(&buf)
	for i, z := range s.Latent {
		fmt.Fprintf(&buf, "%.6g,%.6g", s.Energy[i], s.Order[i])
		for _, x := range z {
			fmt.Fprintf(&buf, ",%.6g", x)
		}
		fmt.Fprintln(&buf)
	}
	_, err := w.Write(buf.Bytes())
	return err
}

// Print prints the correlations and the shifts.
func (s *Study) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	tie := s.Tie
	if tie == "" {
		tie = "nothing"
	}
	fmt.Fprintf(t, "latent coordinate 0 is tied to\t%s\n", tie)
	fmt.Fprintf(t, "configurations\t%d\n\n", len(s.Energy))
	fmt.Fprintln(t, "quantity\tcorrelation with coordinate 0\tlargest with a coordinate\texplained by all coordinates")
	for _, q := range []struct {
		name string
		Correlation
	}{{"energy", s.OfEnergy}, {"order parameter", s.OfOrder}} {
		k, r := q.Largest()
		fmt.Fprintf(t, "%s\t%.3f\t%.3f with %d\t%.3f\n", q.name, q.Coordinates[0], r, k, q.Explained)
	}
	if s.Shifts != nil {
		of := "energy (J)"
		if s.Tie == models.OrderTie {
			of = "order parameter"
		}
		fmt.Fprintf(t, "\nshift asked, of the %s\tmean change of a proposal\tproposals\n", of)
		for _, x := range s.Shifts {
			fmt.Fprintf(t, "%+.4g\t%+.4g(%.2g)\t%d\n", x.Asked, x.Moved, x.Error, x.Proposals)
		}
	}
	return t.Flush()
}

// Figure draws the configurations in the latent space, coloured by energy and by order: coordinate 0
// and the first principal component of the others if it is tied, else the first two principal
// components of all. Below, it draws where shifts lead.
func (s *Study) Figure(title string) (plots.Figure, error) {
	x, y, err := s.plane()
	if err != nil {
		return nil, err
	}
	across, up := "first principal component", "second principal component"
	if s.Tie != "" {
		across, up = "latent coordinate 0, tied to the "+s.Tie, "principal component of the others"
	}
	points := make(plots.Series, len(x))
	for i := range points {
		points[i] = plots.Point{X: x[i], Y: y[i]}
	}
	energy := plots.NewPanel(title+", by energy", "", up)
	energy.Coloured(points, s.Energy, "E/N = %.2f")
	order := plots.NewPanel("by order parameter", across, up)
	order.Coloured(points, s.Order, "m = %.2f")
	order.AlignX(energy)
	figure := plots.Figure{energy, order}
	if s.Shifts != nil {
		var asked, moved plots.Series
		for _, d := range s.Shifts {
			asked = append(asked, plots.Point{X: d.Asked, Y: d.Asked})
			moved = append(moved, plots.Point{X: d.Asked, Y: d.Moved, Error: d.Error})
		}
		shifts := plots.NewPanel("", "shift of the "+s.Tie+" asked", "mean change")
		shifts.Line("as asked", asked, plots.ExactColour, 2)
		shifts.Points("proposals", moved, plots.Colours[0])
		figure = append(figure, shifts)
	}
	return figure, nil
}

// plane projects the latent vectors.
func (s *Study) plane() (x, y []float64, err error) {
	n, k, from := len(s.Latent), len(s.Latent[0]), 0
	if s.Tie != "" {
		from = 1
	}
	if k-from < 1 {
		return nil, nil, fmt.Errorf("a latent vector of %d coordinates makes no plane", k)
	}
	others := mat.NewDense(n, k-from, nil)
	for i, z := range s.Latent {
		others.SetRow(i, z[from:])
	}
	var pc stat.PC
	if !pc.PrincipalComponents(others, nil) {
		return nil, nil, fmt.Errorf("the principal components of %d latent vectors cannot be found", n)
	}
	var vectors, projected mat.Dense
	pc.VectorsTo(&vectors)
	projected.Mul(others, &vectors)
	if from == 1 {
		for _, z := range s.Latent {
			x = append(x, z[0])
		}
		return x, mat.Col(nil, 0, &projected), nil
	}
	if k < 2 {
		return mat.Col(nil, 0, &projected), slices.Repeat([]float64{0}, n), nil
	}
	return mat.Col(nil, 0, &projected), mat.Col(nil, 1, &projected), nil
}
