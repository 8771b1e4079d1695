package browsertest

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// TestScreenshots makes the pictures of the documentation, of runs of its own. make screenshots calls it.
func TestScreenshots(t *testing.T) {
	if *shots == "" {
		t.Skip("make screenshots takes pictures")
	}
	d := serve(t)
	ten := []string{"system.size=5x5", "trainer.export_every=400"}
	for i, seed := range []string{"1", "2", "3"} {
		d.submit(api.Submission{ID: "q3-8x8-" + seed, Title: "three colours", Tags: []string{"seeds"}, Set: []string{"system.q=3", "system.size=8x8", "run.moves=local", "wang_landau.final_ln_f=1e-5", "production.passes=2000", "run.seed=" + seed}})
		if i == 0 {
			d.submit(api.Submission{ID: "teacher", Title: "a network for others", Publish: true, Set: ten})
		}
	}
	d.reach("q3-8x8-3", job.Done)
	if _, err := d.client.Change(t.Context(), "teacher", api.RunChange{Wish: job.Pause}); err != nil {
		t.Fatal(err)
	}
	d.reach("teacher", job.Paused)
	run := d.submit(api.Submission{ID: "ten-colours", Title: "ten colours, trained as it goes", Tags: []string{"potts"}, Set: append(ten, "wang_landau.final_ln_f=2e-6", "production.passes=4000")})
	d.reach(run.ID, job.Running)
	d.submit(api.Submission{ID: "large", Title: "a large one", After: []string{run.ID}, Set: []string{"system.size=64x64", "model.bundle=pretrained/potts-q10"}})
	b := open(t, d)
	b.goTo(d.url + "/runs/" + run.ID)
	b.until("production", `document.querySelector('.lead').innerText.includes('production')`)
	time.Sleep(10 * time.Second)
	b.until("figures", `!!document.querySelector('#figure-probability svg')`)
	for name, dark := range map[string]bool{"page-light.png": false, "page-dark.png": true} {
		b.dark(dark)
		save(t, name, b.picture(1200, 1900, 1))
	}
	b.dark(false)
	b.goTo(d.url + "/")
	b.says("#contact", "live")
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	list := b.picture(390, 844, 1.5)
	b.goTo(d.url + "/runs/" + run.ID)
	b.says("#contact", "live")
	save(t, "page-phone.png", beside(t, list, b.picture(390, 844, 1.5)))
}

// beside joins two pictures.
func beside(t *testing.T, pictures ...[]byte) []byte {
	t.Helper()
	const gap = 24
	var all []image.Image
	width, height := -gap, 0
	for _, data := range pictures {
		p, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		width, height = width+gap+p.Bounds().Dx(), max(height, p.Bounds().Dy())
	}
	joined := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(joined, joined.Bounds(), image.White, image.Point{}, draw.Src)
	x := 0
	for _, p := range all {
		draw.Draw(joined, image.Rect(x, 0, x+p.Bounds().Dx(), p.Bounds().Dy()), p, image.Point{}, draw.Src)
		x += p.Bounds().Dx() + gap
	}
	var data bytes.Buffer
	if err := png.Encode(&data, joined); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// save writes a picture with the 256 colours that it has most of, which is a third of the bytes.
func save(t *testing.T, name string, data []byte) {
	t.Helper()
	p, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[color.RGBA]int{}
	bounds := p.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[color.RGBAModel.Convert(p.At(x, y)).(color.RGBA)]++
		}
	}
	var colours []color.RGBA
	for c := range counts {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var palette color.Palette
	for _, c := range colours[:min(256, len(colours))] {
		palette = append(palette, c)
	}
	small := image.NewPaletted(bounds, palette)
	draw.Draw(small, bounds, p, bounds.Min, draw.Src)
	file, err := os.Create(filepath.Join(*shots, name))
	if err != nil {
		t.Fatal(err)
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(file, small); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if about, err := os.Stat(file.Name()); err == nil {
		t.Logf("%s: %v, %d kB", name, bounds.Size(), about.Size()/1000)
	}
}
