package worker

import (
	"neuralwl/internal/child"
	"neuralwl/internal/queue"
)

// Classes are the classes of a machine by the resources that it offers, with its GPU or without.
func Classes(m child.Machine, gpu bool) map[queue.Resource]string {
	classes := map[queue.Resource]string{queue.CPU: m.Class(false)}
	if gpu {
		classes[queue.GPU] = m.Class(true)
	}
	return classes
}
