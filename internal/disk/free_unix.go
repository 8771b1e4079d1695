//go:build unix

package disk

import (
	"fmt"
	"syscall"
)

// Free is the number of bytes that this user may still write to the disk of a folder.
func Free(folder string) (int64, error) {
	var about syscall.Statfs_t
	if err := syscall.Statfs(folder, &about); err != nil {
		return 0, fmt.Errorf("free room of %s: %w", folder, err)
	}
	return int64(about.Bavail) * int64(about.Bsize), nil
}
