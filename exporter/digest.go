package exporter

import (
	"encoding/json"
	"strings"
)

// Digest identifies a bundle by what is in it, whatever its name and version: the sha256 of the
// rest of its card, which has those of all files, in hexadecimal digits.
func (c Card) Digest() string {
	c.Name, c.Version = "", 0
	sums := map[string]string{}
	for file, sum := range c.SHA256 {
		sums[file] = strings.ToLower(sum)
	}
	c.SHA256 = sums
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // a card has been read from JSON or is about to be saved
	}
	return digest(data)
}
