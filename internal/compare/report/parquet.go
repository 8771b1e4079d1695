package report

import (
	"bytes"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go"

	"neuralwl/internal/compare"
)

// parquetOf writes a table as Parquet. Columns whose numbers are not always known are optional; an
// infinite number is kept.
func parquetOf(t *compare.Table) ([]byte, error) {
	group := parquet.Group{}
	for k, c := range t.Columns {
		var node parquet.Node = parquet.Optional(parquet.Leaf(parquet.DoubleType))
		if len(t.Rows) > 0 {
			switch t.Rows[0][k].(type) {
			case string:
				node = parquet.String()
			case int64:
				node = parquet.Int(64)
			case bool:
				node = parquet.Leaf(parquet.BooleanType)
			}
		}
		group[c.Name] = node
	}
	var text bytes.Buffer
	w := parquet.NewGenericWriter[any](&text, parquet.NewSchema(t.Name, group), parquet.Compression(&parquet.Zstd))
	for _, row := range t.Rows {
		record := map[string]any{}
		for k, v := range row {
			if x, ok := v.(float64); ok && math.IsNaN(x) {
				continue
			}
			record[t.Columns[k].Name] = v
		}
		if _, err := w.Write([]any{record}); err != nil {
			return nil, fmt.Errorf("%s.parquet: %w", t.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("%s.parquet: %w", t.Name, err)
	}
	return text.Bytes(), nil
}
