package server

import (
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// refuseEmpty answers 422 to a parameter of the query that is there without a value, as in
// ?format=, unless any text will do. Huma would take the default instead, and so hide a mistake
// of whoever made the address.
func (s *Server) refuseEmpty(h huma.Context, next func(huma.Context)) {
	u := h.URL()
	query := u.Query()
	for _, p := range h.Operation().Parameters {
		if p.In != "query" || p.Schema == nil || anyText(p.Schema) {
			continue
		}
		for _, value := range query[p.Name] {
			if value == "" {
				message := fmt.Sprintf("%s has no value: give it one or leave it out", p.Name)
				_ = huma.WriteErr(s.api, h, http.StatusUnprocessableEntity, "validation failed",
					&huma.ErrorDetail{Message: message, Location: "query." + p.Name})
				return
			}
		}
	}
	next(h)
}

// anyText reports whether an empty text is a value of the schema.
func anyText(s *huma.Schema) bool {
	if s.Type == huma.TypeArray && s.Items != nil {
		s = s.Items
	}
	return s.Type == huma.TypeString && len(s.Enum) == 0
}
