package exporter_test

import (
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
	"neuralwl/models"
)

// A bundle is saved as the next version of its name, and is the same network when it is loaded.
func ExampleBundle() {
	folder, err := os.MkdirTemp("", "bundle-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	system := models.System{Q: 3, Sides: []int{4, 4}}
	b, err := exporter.NewUntrained("mine", models.Made, system, models.Hyperparameters{Decoder: 8, Floor: 1e-3}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		log.Fatal(err)
	}
	path, err := b.Save(disk.OS, folder)
	if err != nil {
		log.Fatal(err)
	}
	loaded, err := exporter.Load(filepath.Join(folder, "mine"))
	if err != nil {
		log.Fatal(err)
	}
	files, err := os.ReadDir(path)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(f.Name())
	}
	fmt.Println(loaded.Card.Architecture, "version", loaded.Card.Version, "for", loaded.Card.System.System())
	fmt.Println(loaded.Card.CheckSystem(models.System{Q: 4, Sides: []int{4, 4}}))
	// Output:
	// card.json
	// gradient.onnx
	// log_prob.onnx
	// propose.onnx
	// made version 1 for potts q=3, size 4x4
	// bundle mine version 1 was made for potts q=3, size 4x4, the run is potts q=4, size 4x4; choose another bundle or change system.q and system.size
}
