//go:build !unix

package disk

import "errors"

// Free is not known here.
func Free(folder string) (int64, error) { return 0, errors.ErrUnsupported }
