/* Attaching devices: the registry of kinds, and who owns what they made. See attach.h. */
#include "vm/attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vm/nearest.h"
#include "vm/vm.h"

const struct vm_attach_kind *const vm_attach_registry[] = {
	&vm_attach_balloon,
	&vm_attach_console,
	&vm_attach_disk,
	&vm_attach_net,
	&vm_attach_rng,
	&vm_attach_share,
	&vm_attach_vsock,
	NULL,
};

struct io_loop *vm_attach_loop(struct doppel_vm *vm)
{
	return vm->io;
}

int vm_attach_owned(struct doppel_vm *vm, void (*destroy)(void *opaque), void *opaque,
		    struct error *err)
{
	struct vm_attached *a = &vm->attached;

	if (a->owneds == VM_OWNED_MAX) {
		destroy(opaque);
		return error_set(err, -ENOSPC, "too many devices");
	}
	a->owned[a->owneds].destroy = destroy;
	a->owned[a->owneds++].opaque = opaque;
	return 0;
}

const char *vm_attach_name(struct doppel_vm *vm, const char *kind)
{
	struct vm_attached *a = &vm->attached;
	unsigned slot = a->devices < VM_DEVICES_MAX ? a->devices : VM_DEVICES_MAX - 1, n = 0;
	size_t len = strlen(kind);

	for (unsigned i = 0; i < a->devices; i++)
		if (strncmp(a->name[i], kind, len) == 0 && a->name[i][len] >= '0' &&
		    a->name[i][len] <= '9')
			n++;
	snprintf(a->name[slot], sizeof(a->name[slot]), "%s%u", kind, n);
	return a->name[slot];
}

int vm_attach_device(struct doppel_vm *vm, const struct machine_device *d, struct error *err)
{
	struct vm_attached *a = &vm->attached;

	if (a->devices == VM_DEVICES_MAX)
		return error_set(err, -ENOSPC, "%s: more than %d devices", d->name, VM_DEVICES_MAX);
	a->device[a->devices++] = *d;
	return 0;
}

static int unknown(const char *kind, struct error *err)
{
	struct nearest n;

	nearest_init(&n, kind);
	for (unsigned i = 0; vm_attach_registry[i]; i++)
		nearest_offer(&n, vm_attach_registry[i]->name);
	return error_set(err, -EINVAL, "device: there is no \"%s\"%s%s%s", kind,
			 n.best ? "; did you mean \"" : "", n.best ? n.best : "",
			 n.best ? "\"?" : "");
}

static int attach_one(struct doppel_vm *vm, const struct doppel_device *d, struct error *err)
{
	if (!d->kind)
		return error_set(err, -EINVAL, "device: one without a kind");
	for (unsigned i = 0; vm_attach_registry[i]; i++)
		if (strcmp(vm_attach_registry[i]->name, d->kind) == 0)
			return vm_attach_registry[i]->attach(vm, d->spec ? d->spec : "", err);
	return unknown(d->kind, err);
}

int vm_attach_all(struct doppel_vm *vm, const struct doppel_device *d, unsigned count,
		  struct error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < count; i++)
		r = attach_one(vm, &d[i], err);
	return r;
}

void vm_attach_clear(struct doppel_vm *vm)
{
	struct vm_attached *a = &vm->attached;

	while (a->owneds) {
		a->owneds--;
		a->owned[a->owneds].destroy(a->owned[a->owneds].opaque);
	}
	a->devices = 0;
}

bool doppel_device_info(unsigned index, struct doppel_device_info *out)
{
	for (unsigned i = 0; vm_attach_registry[i]; i++) {
		if (i != index)
			continue;
		*out = (struct doppel_device_info){vm_attach_registry[i]->name,
						   vm_attach_registry[i]->spec,
						   vm_attach_registry[i]->text};
		return true;
	}
	return false;
}
