package pretrained

import "embed"

// Archives are the files as they are embedded.
func Archives() embed.FS { return archives }
