// Command generate writes the dashboards of package grafana into the present folder.
package main

import (
	"fmt"
	"os"

	"neuralwl/metrics/grafana"
)

func main() {
	for _, f := range grafana.Files {
		text, err := f.JSON()
		if err == nil {
			err = os.WriteFile(f.Name, text, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", f.Name, err)
			os.Exit(1)
		}
	}
}
