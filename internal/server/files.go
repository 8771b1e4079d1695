package server

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
	"neuralwl/internal/daemon"
	"neuralwl/internal/disk"
)

// registerFiles registers the files of run directories.
func (s *Server) registerFiles() {
	op := operation(http.MethodGet, "/runs/{id}/files", "files", "The files of a run directory", 404, 422)
	huma.Register(s.api, op, func(ctx context.Context, in *RunPath) (*struct{ Body api.FileList }, error) {
		if _, err := s.o.Daemon.Get(ctx, in.ID); err != nil {
			return nil, problem(err)
		}
		l, err := s.o.Daemon.Files(in.ID)
		if err != nil {
			return nil, problem(err)
		}
		return &struct{ Body api.FileList }{*l}, nil
	})
	one := operation(http.MethodGet, "/runs/{id}/files/{path}", "file", "A file of a run directory, whole or in part", 404, 416)
	s.documentFile(one, "id", "The run's name.", "the run directory")
	s.mux.HandleFunc("GET "+api.Prefix+"/runs/{id}/files/{path...}", s.file)
}

// documentFile describes an operation that sends a file of a folder. huma knows no parameters with slashes.
func (s *Server) documentFile(one huma.Operation, parameter, of, folder string) {
	one.Description = "Answers Range, If-None-Match, If-Modified-Since and If-Range. A path may have slashes."
	text := &huma.Schema{Type: huma.TypeString}
	one.Parameters = []*huma.Param{
		{Name: parameter, In: "path", Required: true, Schema: text, Description: of},
		{Name: "path", In: "path", Required: true, Schema: text, Description: "Path of the file within " + folder + "."},
		{Name: "If-None-Match", In: "header", Schema: text, Description: "A value of ETag: without an answer if the file is still the same."},
	}
	document := map[string]*huma.MediaType{"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/ErrorModel"}}}
	one.Responses = map[string]*huma.Response{
		"200": {Description: "The file.", Content: map[string]*huma.MediaType{"*/*": {}}},
		"206": {Description: "A part of it.", Content: map[string]*huma.MediaType{"*/*": {}}},
		"304": {Description: "It is still the same."},
	}
	for _, status := range one.Errors {
		one.Responses[fmt.Sprint(status)] = &huma.Response{Description: http.StatusText(status), Content: document}
	}
	s.api.OpenAPI().AddOperation(&one)
}

// file sends a file of a run directory.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	_, err := s.o.Daemon.Get(r.Context(), id)
	var root *os.Root
	if err == nil {
		root, err = s.o.Daemon.Open(id)
	}
	if err != nil {
		refuseError(w, s.o.Log, err)
		return
	}
	s.fileIn(w, r, id, root)
}

// fileIn sends a file of a folder, which it closes; id names it.
func (s *Server) fileIn(w http.ResponseWriter, r *http.Request, id string, root *os.Root) {
	defer root.Close()
	name := r.PathValue("path")
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) {
		refuse(w, http.StatusNotFound, fmt.Sprintf("%q is not a path within a folder", name))
		return
	}
	f, about, err := disk.OpenRegular(root, name)
	if err != nil {
		// A link that leads out of the directory, too.
		refuse(w, http.StatusNotFound, fmt.Sprintf("%s has no file %s; /files lists them", id, name))
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", daemon.TypeOf(name))
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, about.ModTime().UnixNano(), about.Size()))
	h.Set("Cache-Control", "no-cache") // may be kept, but must be asked about
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
	http.ServeContent(&problemAt{ResponseWriter: w}, r, "", about.ModTime(), f)
}

// problemAt turns the plain errors of http.ServeContent into problem documents.
type problemAt struct {
	http.ResponseWriter
	refused bool
}

func (p *problemAt) WriteHeader(status int) {
	if status < 400 {
		p.ResponseWriter.WriteHeader(status)
		return
	}
	p.refused = true
	for _, name := range []string{"ETag", "Last-Modified", "Content-Length"} {
		p.Header().Del(name)
	}
	detail := http.StatusText(status)
	if status == http.StatusRequestedRangeNotSatisfiable {
		detail = "the file has no such part"
	}
	refuse(p.ResponseWriter, status, detail)
}

func (p *problemAt) Write(data []byte) (int, error) {
	if p.refused {
		return len(data), nil
	}
	return p.ResponseWriter.Write(data)
}
