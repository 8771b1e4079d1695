#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

// one_heap runs before Go's runtime starts its first thread. Where the limit of virtual memory
// (ulimit -v) is near, all threads share a single heap of the C library, in which they allocate
// little: each would otherwise reserve 128 MB of addresses for one of its own, and Go could not
// even initialise its packages.
__attribute__((constructor)) static void one_heap(void) {
	const rlim_t run = 1700ul << 20, heap = 128ul << 20;
	struct rlimit limit;
	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
		return;
	}
	if (limit.rlim_cur < run + (sysconf(_SC_NPROCESSORS_ONLN) + 8) * heap) {
		mallopt(M_ARENA_MAX, 1);
	}
}
