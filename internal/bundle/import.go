package bundle

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
	"neuralwl/internal/repository"
)

// Import adds a bundle, a folder or an archive of one, to a folder of bundles as the next version of
// a name, by default that in its card, and returns the path of that version.
func Import(ctx context.Context, from, folder, name string) (string, error) {
	about, err := os.Stat(from)
	if err != nil {
		return "", fmt.Errorf("import bundle: %w", err)
	}
	var archive []byte
	var card *exporter.Card
	if about.IsDir() {
		var b *exporter.Bundle
		if b, err = exporter.Load(from); err == nil {
			card = &b.Card
		}
	} else {
		var files map[string][]byte
		if archive, err = os.ReadFile(from); err == nil {
			files, err = repository.ReadArchive(bytes.NewReader(archive), repository.DefaultMaximum)
		}
		if err == nil {
			card, err = exporter.ParseCard(files[exporter.CardFile])
		}
	}
	if err != nil {
		return "", fmt.Errorf("import bundle %s: %w", from, err)
	}
	if name == "" {
		name = card.Name
	}
	if err := repository.CheckName(name); err != nil {
		return "", fmt.Errorf("import bundle %s: %w; give it another with --name", from, err)
	}
	r, err := repository.OpenFolder(disk.OS, folder, 0)
	if err != nil {
		return "", err
	}
	var ref repository.Ref
	if about.IsDir() {
		ref, err = r.Add(ctx, os.DirFS(from), name)
	} else {
		ref, err = r.AddArchive(ctx, bytes.NewReader(archive), name)
	}
	if err != nil {
		return "", err
	}
	return r.Version(ref), nil
}
