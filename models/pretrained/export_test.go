package pretrained

import "embed"

// Archives returns the embedded files.
func Archives() embed.FS { return archives }
