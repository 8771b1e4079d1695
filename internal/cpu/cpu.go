// Package cpu measures processor time and ties work to a core.
package cpu
