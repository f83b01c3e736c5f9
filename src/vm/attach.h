/*
 * What `--disk`, `--net` and their like do: make a device model and its host end, and hand the
 * model to the machine. One const row for each kind in its own attach_*.c, listed in vm/attach.c.
 */
#ifndef VM_ATTACH_H
#define VM_ATTACH_H

#include "base/error.h"
#include "machine/machine.h"

struct doppel_vm;
struct io_loop;

struct vm_attach_kind {
	const char *name; /* "disk" */
	const char
		*spec; /* "FILE[,format=raw|qcow2][,overlay]..."; NULL: the option has no value */
	const char *text; /* lines for help, separated by \n */
	/* Parse spec (vm/keys.h), make the model and its host end, call vm_attach_device. The host
	 * end is opened here, so that what is wrong with it is said before anything runs. 0 or
	 * -errno; what was given to vm_attach_owned by then is freed by the caller. */
	int (*attach)(struct doppel_vm *vm, const char *spec, struct error *err);
};

enum { VM_DEVICES_MAX = 32, VM_OWNED_MAX = 128 };

struct vm_attached {
	struct machine_device device[VM_DEVICES_MAX];
	char name[VM_DEVICES_MAX][24];
	unsigned devices;
	struct {
		void (*destroy)(void *opaque);
		void *opaque;
	} owned[VM_OWNED_MAX];
	unsigned owneds;
};

extern const struct vm_attach_kind *const vm_attach_registry[]; /* NULL-terminated */
extern const struct vm_attach_kind vm_attach_balloon, vm_attach_console, vm_attach_disk;
extern const struct vm_attach_kind vm_attach_net, vm_attach_rng;
extern const struct vm_attach_kind vm_attach_share, vm_attach_vsock;

/* One doppel_device after another; 0 or -errno. */
struct doppel_device;
int vm_attach_all(struct doppel_vm *vm, const struct doppel_device *d, unsigned count,
		  struct error *err);
/* The last attached first. The I/O thread is stopped, the machine gone. */
void vm_attach_clear(struct doppel_vm *vm);

/* For attach functions. The I/O loop host ends live on: */
struct io_loop *vm_attach_loop(struct doppel_vm *vm);
/* Have destroy(opaque) called when the machine is freed, or before it is there if attaching fails.
 * 0, or -ENOSPC after calling destroy. */
int vm_attach_owned(struct doppel_vm *vm, void (*destroy)(void *opaque), void *opaque,
		    struct error *err);
/* The name of the next device of a kind, "disk1"; good as long as the vm. */
const char *vm_attach_name(struct doppel_vm *vm, const char *kind);
/* Hand it to the machine. name: from vm_attach_name. 0 or -ENOSPC. */
int vm_attach_device(struct doppel_vm *vm, const struct machine_device *d, struct error *err);

#endif
