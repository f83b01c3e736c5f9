/*
 * Doppel: a virtual machine monitor as a library. Create a machine from a configuration, run it on
 * its own threads, look into it, stop it. The `doppel` command is written on this header alone.
 *
 * Functions that can fail return 0 or a negative errno value and put one sentence for a person into
 * *err when err is not NULL. A struct doppel_vm may be used from any thread, doppel_destroy last.
 * Callbacks come from the machine's threads (log_line during doppel_create from the caller's); of
 * these functions they may call only doppel_console_input. Several machines may live in one
 * process.
 */
#ifndef DOPPEL_DOPPEL_H
#define DOPPEL_DOPPEL_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOPPEL_VERSION "0.1.0"

struct doppel_vm;

struct doppel_error {
	char text[512];
};

enum doppel_clock { DOPPEL_CLOCK_REAL, DOPPEL_CLOCK_COUNTED };

/* Something added to a machine: kind "disk", "net", "share", ... (doppel_device_info lists them)
 * and what the option of that name takes: "debian.img,overlay". */
struct doppel_device {
	const char *kind, *spec;
};

/* Zero the struct, or call doppel_config_default; all strings are copied. NULL = default, but for
 * kernel, which must be given. */
struct doppel_config {
	const char *machine;	   /* "pc" */
	/* "auto", one that doppel_engine_info names, or "lockstep=interpret,translate" */
	const char *engine;
	const char *cpu;	   /* "max", "x86-64-v2,-aes", ... */
	const char *host_cpu;	   /* use less of the host: "max", "x86-64-v2", "max,-fma", ... */
	unsigned cpus;		   /* 1..64; 0 = 1 */
	uint64_t memory_bytes;	   /* whole 4 KiB pages, a pc at least 2 MiB; 0 = 512 MiB */
	enum doppel_clock clock;
	/* Path: bzImage, ELF with a PVH note, Multiboot 1 or 2, or a boot sector. */
	const char *kernel;
	const char *initrd;	   /* path or NULL */
	const char *append;	   /* kernel command line or NULL */
	const char *trace;	   /* "uart,irq", "all" or NULL */
	/* "guest,ir,opt,host" or NULL; with ":ADDR" at its end (hex) only blocks that hold the
	 * instruction byte at that linear address. */
	const char *dump;
	const char *disable_passes; /* comma-separated pass names, "all", or NULL */
	unsigned max_block_insns;  /* 0 = default; 1 = one instruction per block (stress) */
	/* Legal choices made badly to find bugs, "no-chain,hot=1" (doppel_name lists them), or NULL.
	 * An engine ignores what it does not have. */
	const char *stress;
	const struct doppel_device *device; /* in the order the guest is to find them */
	unsigned devices;
	uint64_t code_cache_bytes; /* of all that is made from guest code, all CPUs together; 0 = 64 MiB */
	bool perf_map;		   /* name generated code in /tmp/perf-PID.map, for perf */
	bool gdb_jit;		   /* name generated code for a gdb that debugs this process */

	/* Console: bytes the guest writes to its first serial port; NULL drops them. It and
	 * debug_output are never called by two threads at a time; the devices wait meanwhile. */
	void (*console_output)(void *opaque, const uint8_t *bytes, size_t len);
	/* Bytes written to the debug console, port 0xe9. */
	void (*debug_output)(void *opaque, const uint8_t *bytes, size_t len);
	/* One line of --trace or --dump output. NULL: standard error. */
	void (*log_line)(void *opaque, const char *line);
	void *opaque;
};

void doppel_config_default(struct doppel_config *cfg);

/* Why a machine is not running any more. */
enum doppel_end {
	DOPPEL_END_NONE,	/* still running or paused */
	DOPPEL_END_POWEROFF,	/* the guest powered off */
	DOPPEL_END_DEBUG_EXIT,	/* the guest wrote `code` to the debug-exit port (0xf4) */
	DOPPEL_END_CRASH,	/* triple fault: text has registers and disassembly; or a reset could
				 * not boot the images again: text says why */
	DOPPEL_END_STOPPED,	/* doppel_stop was called, or a thread could not be started */
	DOPPEL_END_DIFFER,	/* the engines of lockstep=A,B differ: text says where, log_line got
				 * the whole report */
};

struct doppel_result {
	enum doppel_end end;
	uint32_t code;	 /* of DOPPEL_END_DEBUG_EXIT */
	char text[4096]; /* of DOPPEL_END_CRASH and DOPPEL_END_DIFFER; else empty */
};

/* Create: checks the configuration, loads the images, builds the machine; nothing runs yet. */
int doppel_create(struct doppel_vm **out, const struct doppel_config *cfg, struct doppel_error *err);
/* Stop if needed and free everything. NULL is fine. */
void doppel_destroy(struct doppel_vm *vm);

/* Start the machine's threads; once only. */
int doppel_start(struct doppel_vm *vm, struct doppel_error *err);
/* Wait until it ends (or timeout_ms passes: -ETIMEDOUT; negative = for ever). out may be NULL.
 * -EINVAL if it was never started. */
int doppel_wait(struct doppel_vm *vm, int timeout_ms, struct doppel_result *out);
/* Pause returns when all CPUs stand between two instructions, and devices and virtual time with them:
 * requests that were under way are done, nothing changes the guest's memory. Resume lets all go on.
 * -ESRCH if the machine does not run (any more). */
int doppel_pause(struct doppel_vm *vm);
int doppel_resume(struct doppel_vm *vm);
/* Stop for good; returns 0 when the threads have ended. Also right before doppel_start, which then
 * refuses, and after the end. */
int doppel_stop(struct doppel_vm *vm);
/* Hardware reset, then boot the same images again. Running or paused; else -ESRCH. */
int doppel_reset(struct doppel_vm *vm);

/* Send bytes to the guest's console: the device "console" with "stdio" if there is one, else the first
 * serial port. They are queued until the guest takes them: returns
 * len, or fewer if the queue (64 KiB) is full. */
size_t doppel_console_input(struct doppel_vm *vm, const uint8_t *bytes, size_t len);

/* The size of the terminal behind the device "console" with "stdio"; nothing happens without one. */
void doppel_console_resize(struct doppel_vm *vm, unsigned columns, unsigned rows);

/* Memory balloon: have the guest give memory up until it has target_bytes left. -ENODEV without a
 * device "balloon". It comes as the guest can spare it: see doppel_balloon_info. */
int doppel_balloon_set(struct doppel_vm *vm, uint64_t target_bytes);
struct doppel_balloon {
	uint64_t target_bytes;	/* asked for */
	uint64_t actual_bytes;	/* memory less what the balloon holds */
	uint64_t reported_bytes; /* free memory that was given back to the host by reports, in all */
	/* What the guest last said about itself; UINT64_MAX: nothing yet. */
	uint64_t free_bytes, available_bytes, total_bytes, cache_bytes;
	uint64_t swap_in_bytes, swap_out_bytes, major_faults, minor_faults;
};
/* 0 or -ENODEV. Asks the guest for newer numbers, which a later call returns. */
int doppel_balloon_info(struct doppel_vm *vm, struct doppel_balloon *out);

/* Guest-physical memory; -EFAULT outside RAM, bytes before that are done. The machine should be
 * paused. */
int doppel_memory_read(struct doppel_vm *vm, uint64_t gpa, void *buf, size_t len);
int doppel_memory_write(struct doppel_vm *vm, uint64_t gpa, const void *buf, size_t len);

/* Registers by name ("rax", "rip", "rflags", "cr3", "cs"...), of a machine that does not run: not
 * started, paused or ended. -ENOENT for an unknown name, -EINVAL for an unknown CPU, -EBUSY
 * while it runs. */
int doppel_register_read(struct doppel_vm *vm, unsigned cpu, const char *name, uint64_t *value);
int doppel_register_write(struct doppel_vm *vm, unsigned cpu, const char *name, uint64_t value);
/* All registers as text; returns length as snprintf does, or -EINVAL or -EBUSY as above. */
int doppel_register_dump(struct doppel_vm *vm, unsigned cpu, char *buf, size_t len);

/* Exit counters, running or not. index counts from 0; false past the last or for an unknown CPU.
 * cpu = UINT_MAX sums over all CPUs. */
struct doppel_counter {
	const char *name, *text;
	uint64_t value;
};
bool doppel_counter(struct doppel_vm *vm, unsigned cpu, unsigned index, struct doppel_counter *out);

/* A hash over all guest RAM of a machine that does not run: equal contents, equal hash. */
uint64_t doppel_memory_hash(struct doppel_vm *vm);
/* Virtual nanoseconds since power-on; under the counted clock as of the last whole round. */
uint64_t doppel_time_ns(struct doppel_vm *vm);

/* The engine "auto" came to, or the one asked for. */
const char *doppel_engine_name(const struct doppel_vm *vm);

/* Engines known to this build. false past the last. */
struct doppel_engine_info {
	const char *name, *text;
	bool works;
	bool chosen_by_auto;
	char why[200];	/* why it works or not, why auto takes it */
	char cost[200]; /* what running under it costs */
};
bool doppel_engine_info(unsigned index, struct doppel_engine_info *out);

/* Kinds of struct doppel_device. spec: the form of what they take; text: what they are, in lines
 * separated by \n. false past the last. */
struct doppel_device_info {
	const char *name, *spec, *text;
};
bool doppel_device_info(unsigned index, struct doppel_device_info *out);

/* What a doppel_config's host_cpu leaves of this host's CPU, as text: the level, then features.
 * Returns length as snprintf does, or -errno with *err: -ENOTSUP if it is too little. */
int doppel_host_cpu(const char *spec, char *buf, size_t len, struct doppel_error *err);

/* Names for help texts and completion: kind "machine", "engine", "cpu", "feature", "trace", "dump",
 * "pass", "stress". NULL past the last. *text (may be NULL) gets one line about it. */
const char *doppel_name(const char *kind, unsigned index, const char **text);

/* The name of that kind nearest to a mistyped word, or NULL if none is near. */
const char *doppel_nearest(const char *kind, const char *word);
/* Edits (insert, delete, replace, swap) that turn one word into the other. */
unsigned doppel_distance(const char *a, const char *b);

/* The first instruction of bytes (len 1 to 64) through every stage, as text: decoded, lifted,
 * optimized, run by an engine (NULL: "auto") on the registers given as "rax=1,rbx=2,..." (NULL: none),
 * with the host code if the engine made some. mode: 16, 32 or 64. Returns length as snprintf does, or -errno with *err. */
int doppel_explain(const uint8_t *bytes, size_t len, unsigned mode, const char *engine,
		   const char *registers, char *buf, size_t buf_len, struct doppel_error *err);

/* ---- disk images: no machine is needed. Paths are of regular files or block devices. */

struct doppel_disk_options {
	const char *format; /* "qcow2" (NULL) or "raw" */
	/* Image that holds what the new one does not, or NULL; a relative name is taken from the
	 * directory of the new image. backing_format NULL: look. */
	const char *backing, *backing_format;
	/* Of qcow2, named as qemu-img does: "cluster_size=64K,refcount_bits=16,compat=v3|v2,
	 * compression_type=zlib|zstd,lazy_refcounts=on|off,extended_l2=on|off", or NULL. */
	const char *options;
	bool overwrite; /* a file that is there; else -EEXIST */
	bool compress;	/* doppel_disk_convert: qcow2 clusters that get smaller by it */
};

/* A new image of a disk of that many bytes (a multiple of 512; 0 with a backing image: as large),
 * which reads as zeroes. o may be NULL. */
int doppel_disk_create(const char *path, uint64_t bytes, const struct doppel_disk_options *o,
		       struct doppel_error *err);

struct doppel_disk_info {
	char format[16];
	uint64_t bytes;	      /* of the disk */
	uint64_t file_bytes;  /* the file's length */
	uint64_t space_bytes; /* what it takes on the host */
	char backing[1024], backing_format[16]; /* "": none, not stated */
	/* qcow2: */
	unsigned version, cluster_bytes, refcount_bits, snapshots;
	bool zstd;	     /* how compressed clusters are compressed */
	bool lazy_refcounts; /* compatible feature */
	bool extended_l2;    /* subclusters, 32 in a cluster */
	bool dirty;	     /* was not closed; repaired when it is next opened for writing */
	bool corrupt;	     /* marked so; not opened for writing before it is repaired */
};
/* Also of an image that is in use. format NULL: look. */
int doppel_disk_info(const char *path, const char *format, struct doppel_disk_info *out,
		     struct doppel_error *err);

/* Copy a disk, backing images included, into a new image; zeroes take no space. progress, which may
 * be NULL, is told bytes of the disk, and ends it by returning false: -ECANCELED. What was made is
 * removed on failure. */
int doppel_disk_convert(const char *from, const char *from_format, const char *to,
			const struct doppel_disk_options *o,
			bool (*progress)(void *opaque, uint64_t done, uint64_t total), void *opaque,
			struct doppel_error *err);

struct doppel_disk_check {
	uint64_t clusters, used, compressed; /* of the disk; used: not left to a backing image or zero */
	uint64_t corruptions;		     /* what may lose or mix up data */
	uint64_t leaks;			     /* clusters that take space and are not used */
	uint64_t corruptions_fixed, leaks_fixed;
	char first[160]; /* the first corruption found, or "" */
};
/* Is the image consistent? repair: make it so. 0 whatever is found; -ENOTSUP for raw images. */
int doppel_disk_check(const char *path, const char *format, bool repair,
		      struct doppel_disk_check *out, struct doppel_error *err);

#ifdef __cplusplus
}
#endif

#endif
