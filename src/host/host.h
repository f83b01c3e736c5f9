/*
 * All that the monitor asks of what is beneath it. host/linux/ implements it on POSIX threads and
 * mmap; host/metal/ will, one day, on a bare machine. The core includes nothing else of the host.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

/* Zeroed memory, or NULL. host_free takes NULL. */
void *host_alloc(size_t bytes);
void host_free(void *p);

/* Guest RAM: zeroed, page-aligned, lazily committed; NULL when the host refuses. */
void *host_ram_map(size_t bytes);
void host_ram_unmap(void *p, size_t bytes);
/* It is there to stay: the host may back it by larger pages. Only a hint; contents are kept. */
void host_ram_settle(void *p, size_t bytes);
/* All of it is about to be written: whole pages in it get their memory at once, which is sooner
 * done than page by page when they are written. */
void host_ram_fill(void *p, size_t bytes);
/* Give whole pages of it back: they read as zeroes, and cost nothing until they are written again. */
void host_ram_discard(void *p, size_t bytes);

/*
 * Memory for generated code: the same pages twice, through rw to write and through rx to execute,
 * never both through one mapping. Page-aligned, lazily committed, zeroed. rx is within 2 GiB of the
 * monitor's own code if the host has room there, so that its functions can be called with a 32-bit
 * displacement; whoever relies on it checks. 0 or -errno: -EACCES or -EPERM where the host forbids
 * executable memory. unmap takes an object that is zeroed or whose map failed.
 */
struct host_code {
	uint8_t *rw, *rx;
	size_t bytes;
};
int host_code_map(struct host_code *c, size_t bytes);
void host_code_unmap(struct host_code *c);
/* Much of the large page (HOST_LARGE_PAGE) at offset `at` holds code: have the host make it one. */
enum { HOST_LARGE_PAGE = 2 << 20 };
void host_code_settle(struct host_code *c, size_t at);
/* Does it work here? Maps some, runs code in it, and says into why how it went. 0 or -errno. */
int host_code_probe(char *why, size_t len);

/*
 * Names of generated code for the host's tools, from any thread. For perf: lines in the file it
 * looks for, /tmp/perf-PID.map, which all machines of a process share. For gdb: its interface for
 * just-in-time compilers; what is added stays until its range is removed. 0 or -errno.
 */
struct host_perf_map {
	int fd; /* -1: closed */
};
int host_perf_map_open(struct host_perf_map *m);
void host_perf_map_add(struct host_perf_map *m, const void *rx, size_t bytes, const char *name);
void host_perf_map_close(struct host_perf_map *m);
int host_gdb_add(const void *rx, size_t bytes, const char *name);
void host_gdb_remove(const void *rx, size_t bytes);

/* Monotonic time in nanoseconds, and wall-clock time in nanoseconds since 1970 UTC. */
uint64_t host_time_ns(void);
uint64_t host_wall_ns(void);

/* Fill buf with random bytes from the host. */
void host_random(void *buf, size_t len);

/* Mutex: not recursive. The storage is in the object; create and destroy must pair. */
struct host_mutex {
	uint64_t opaque[8];
};
void host_mutex_init(struct host_mutex *m);
void host_mutex_destroy(struct host_mutex *m);
void host_mutex_lock(struct host_mutex *m);
void host_mutex_unlock(struct host_mutex *m);

/* A wake-up that is never lost: wait returns at once if a signal came since the last wait.
 * timeout_ns: how long to wait at most; UINT64_MAX for ever. Returns true if signalled. */
struct host_event {
	uint64_t opaque[16];
};
void host_event_init(struct host_event *e);
void host_event_destroy(struct host_event *e);
void host_event_signal(struct host_event *e);
bool host_event_wait(struct host_event *e, uint64_t timeout_ns);

/* Threads; 0 or -errno. The name is for debuggers and may be cut. Every thread started is
 * to be joined. */
struct host_thread {
	uint64_t opaque[4];
};
int host_thread_start(struct host_thread *t, const char *name, void (*fn)(void *), void *arg);
void host_thread_join(struct host_thread *t);

/* How many threads of ours the host can run at the same time; at least 1. */
unsigned host_cpu_count(void);

/* Let another thread run (spin loops of the guest: PAUSE with more CPUs than cores). */
void host_yield(void);
/* The same, but not yet: a moment in a loop that waits for another thread. */
void host_relax(void);

/*
 * What the host CPU has beyond the base of x86-64, which ends with SSE2. Read by CPUID once and
 * carried along, so that less can be pretended. Features of YMM registers count only where the
 * host's kernel keeps those.
 */
enum {
	HOST_CPU_SSE3 = 1 << 0,
	HOST_CPU_SSSE3 = 1 << 1,
	HOST_CPU_SSE41 = 1 << 2,
	HOST_CPU_SSE42 = 1 << 3,
	HOST_CPU_POPCNT = 1 << 4,
	HOST_CPU_CX16 = 1 << 5,
	HOST_CPU_AVX = 1 << 6,
	HOST_CPU_AVX2 = 1 << 7,
	HOST_CPU_FMA = 1 << 8,
	HOST_CPU_F16C = 1 << 9,
	HOST_CPU_BMI1 = 1 << 10,
	HOST_CPU_BMI2 = 1 << 11,
	HOST_CPU_LZCNT = 1 << 12,
	HOST_CPU_MOVBE = 1 << 13,
	HOST_CPU_AES = 1 << 14,
	HOST_CPU_PCLMUL = 1 << 15,
	HOST_CPU_SHA = 1 << 16,
	HOST_CPU_ADX = 1 << 17,
	HOST_CPU_ERMS = 1 << 18,
	HOST_CPU_FSRM = 1 << 19,

	HOST_CPU_V2 = HOST_CPU_SSE3 | HOST_CPU_SSSE3 | HOST_CPU_SSE41 | HOST_CPU_SSE42 |
		      HOST_CPU_POPCNT | HOST_CPU_CX16,
	HOST_CPU_V3 = HOST_CPU_V2 | HOST_CPU_AVX | HOST_CPU_AVX2 | HOST_CPU_FMA | HOST_CPU_F16C |
		      HOST_CPU_BMI1 | HOST_CPU_BMI2 | HOST_CPU_LZCNT | HOST_CPU_MOVBE,
	/* Without these there is no way to carry out some guest instructions. */
	HOST_CPU_REQUIRED = HOST_CPU_V2,
};
struct host_cpu {
	uint32_t features; /* HOST_CPU_* */
};
static inline bool host_cpu_has(const struct host_cpu *c, uint32_t features)
{
	return (c->features & features) == features;
}
struct error;
struct host_cpu host_cpu_detect(void);
/* What is there of "max", "x86-64-v3", "x86-64-v2" or "x86-64-v1", with features taken away:
 * "x86-64-v3,-fma". NULL and "" are max. What needs a feature goes with it. 0 or -EINVAL. */
int host_cpu_parse(struct host_cpu *out, const char *spec, struct error *err);
/* 0, or -ENOTSUP with a message if something of HOST_CPU_REQUIRED is not there. */
int host_cpu_check(const struct host_cpu *c, struct error *err);
/* Names: the highest level all of which is there; and feature k with its bit, NULL past the last. */
const char *host_cpu_level(const struct host_cpu *c);
const char *host_cpu_feature_name(unsigned k, uint32_t *bit);

/* Print text to standard error and abort. */
_Noreturn void host_panic(const char *text);

#endif
