/*
 * A machine: what is wired to what, at which address and interrupt; and how it boots. One const row
 * per machine type, listed in machine/registry.c. Freestanding: files, threads and sleeping are the
 * vm's business (vm/), which hands in a clock, a lock and loaded images.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/trace.h"
#include "device/device.h"
#include "device/worker.h"
#include "isa/x86/cpu.h"
#include "isa/x86/cpuid.h"
#include "mem/space.h"

struct machine;

/* Bytes the vm loaded for booting; owned by the vm, valid during machine_boot only. */
struct boot_blob {
	const uint8_t *bytes;
	size_t len;
	const char *name; /* for messages: the file's name */
};

/* Decompress a kernel payload: LZ4, zstd, gzip, xz, bzip2, LZMA, recognised by magic. out has room
 * for *out_len bytes; *out_len becomes the size. Provided by the vm from backend/unpack. */
typedef int (*unpack_fn)(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len,
			 struct error *err);

/* The same by pieces, if the format has such, from backend/unpack; it says more. */
typedef int (*unpack_pieces_fn)(const uint8_t *in, size_t in_len, size_t len,
				int (*piece)(void *opaque, uint64_t at, const uint8_t *bytes,
					     size_t len),
				void *opaque, struct error *err);

struct boot_config {
	struct boot_blob kernel, initrd; /* bytes NULL if absent */
	const char *cmdline;
	unpack_fn unpack;
	unpack_pieces_fn unpack_pieces; /* or NULL */
	void *(*alloc)(size_t bytes); /* scratch for unpacking */
	void (*free)(void *p);
};

enum machine_event {
	MACHINE_POWEROFF,
	MACHINE_RESET,	    /* the guest asked for a reset */
	MACHINE_DEBUG_EXIT, /* code = value written to port 0xf4 */
};

struct virtio_device;
struct pci_function;
struct block_disk;

/* A device that the user asked for, made by the vm; the machine gives it a place. */
enum machine_device_kind {
	MACHINE_VIRTIO,	  /* struct virtio_device: on whichever transport the machine has */
	MACHINE_PCI,	  /* struct pci_function, with bar_ops: on the PCI bus */
	MACHINE_IDE_DISK, /* struct block_disk: on the IDE controller, in order */
};
struct machine_device {
	enum machine_device_kind kind;
	const char *name; /* of the instance: "disk0" */
	union {
		struct virtio_device *virtio;
		struct pci_function *pci;
		struct block_disk *disk;
	};
	/* MACHINE_PCI: the model behind the function, for reset and inspection. */
	const struct device_desc *desc;
	void *state;
};

/* What the vm gives a machine. */
struct machine_config {
	unsigned cpus;
	uint64_t memory_bytes;
	const struct x86_cpuid_model *cpuid;
	struct byte_sink serial[4]; /* write NULL: not connected */
	struct byte_sink debugcon;  /* port 0xe9 */
	struct clock *clock;	    /* epoch_wall_ns set by the vm */
	struct timerq *timers;
	struct host_mutex *lock; /* the machine lock */
	struct trace *trace;
	struct worker worker; /* for devices of the machine's own; see device/worker.h */
	const struct machine_device *device; /* in the order the user named them */
	unsigned devices;
	/* Called under the machine lock. */
	void (*event)(void *opaque, enum machine_event e, uint32_t code);
	void (*cpu_wake)(void *opaque, unsigned cpu); /* after x86_request(): wake a sleeping CPU */
	void *opaque;
};

struct machine_desc {
	const char *name; /* "pc" */
	const char *text;
	/* Build devices and map, wire the CPUs (space, ports, platform, index, apic_id already
	 * allocated by the vm as an array of cfg->cpus). RAM is taken with host_ram_map. */
	int (*create)(struct machine **out, const struct machine_config *cfg, struct x86_cpu *cpus,
		      struct error *err);
	void (*destroy)(struct machine *m);
	/* Power-on reset of all devices and CPUs; then boot places images and sets the boot CPU. */
	void (*reset)(struct machine *m);
	int (*boot)(struct machine *m, const struct boot_config *b, struct error *err);
	/* Bytes typed at serial port n: returns how many were taken. Under the machine lock. */
	size_t (*serial_input)(struct machine *m, unsigned n, const uint8_t *bytes, size_t len);
	struct space *(*memory)(struct machine *m);
	/* Device instance k (NULL at the end), for state dump, hash and snapshot. */
	const struct device_desc *(*device)(struct machine *m, unsigned k, void **state,
					    const char **instance_name);
};

extern const struct machine_desc *const machine_registry[]; /* NULL-terminated */
const struct machine_desc *machine_find(const char *name);

#endif
