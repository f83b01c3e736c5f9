/* --balloon: the guest's memory balloon, and the library's functions for it. */
#include <errno.h>
#include <stdlib.h>

#include "device/virtio/balloon.h"
#include "vm/keys.h"
#include "vm/vm.h"

/* Tags of statistics: virtio 1.2, 5.5.6.4. */
enum {
	STAT_SWAP_IN = 0,
	STAT_SWAP_OUT = 1,
	STAT_MAJOR_FAULTS = 2,
	STAT_MINOR_FAULTS = 3,
	STAT_FREE = 4,
	STAT_TOTAL = 5,
	STAT_AVAILABLE = 6,
	STAT_CACHES = 7,
};

static uint32_t pages_for(const struct doppel_vm *vm, uint64_t target)
{
	uint64_t all = vm->cfg.memory_bytes;

	return target < all ? (uint32_t)((all - target) >> PAGE_BITS) : 0;
}

int doppel_balloon_set(struct doppel_vm *vm, uint64_t target_bytes)
{
	if (!vm->balloon)
		return -ENODEV;
	virtio_balloon_set(vm->balloon, pages_for(vm, target_bytes));
	return 0;
}

int doppel_balloon_info(struct doppel_vm *vm, struct doppel_balloon *out)
{
	struct virtio_balloon *b = vm->balloon;

	if (!b)
		return -ENODEV;
	virtio_balloon_ask(b);
	host_mutex_lock(&b->device.lock);
	*out = (struct doppel_balloon){
		.target_bytes = vm->cfg.memory_bytes - ((uint64_t)b->pages << PAGE_BITS),
		.actual_bytes = vm->cfg.memory_bytes - ((uint64_t)b->actual << PAGE_BITS),
		.reported_bytes = b->reported_bytes,
		.free_bytes = b->stat[STAT_FREE],
		.available_bytes = b->stat[STAT_AVAILABLE],
		.total_bytes = b->stat[STAT_TOTAL],
		.cache_bytes = b->stat[STAT_CACHES],
		.swap_in_bytes = b->stat[STAT_SWAP_IN],
		.swap_out_bytes = b->stat[STAT_SWAP_OUT],
		.major_faults = b->stat[STAT_MAJOR_FAULTS],
		.minor_faults = b->stat[STAT_MINOR_FAULTS],
	};
	host_mutex_unlock(&b->device.lock);
	return 0;
}

static void balloon_free(void *opaque)
{
	struct virtio_balloon *b = opaque;

	virtio_destroy(&b->device);
	free(b);
}

static int balloon_create(struct doppel_vm *vm, uint64_t target, struct error *err)
{
	struct machine_device d = {.kind = MACHINE_VIRTIO};
	struct virtio_balloon *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return error_set(err, -ENOMEM, "out of memory");
	d.name = vm_attach_name(vm, "balloon");
	virtio_balloon_init(b, d.name);
	b->pages = pages_for(vm, target);
	d.virtio = &b->device;
	r = vm_attach_owned(vm, balloon_free, b, err);
	if (r == 0)
		r = vm_attach_device(vm, &d, err);
	vm->balloon = b;
	return r;
}

static int attach_balloon(struct doppel_vm *vm, const char *spec, struct error *err)
{
	uint64_t target = vm->cfg.memory_bytes;
	struct keys k;
	int r = 0;

	if (vm->balloon)
		return error_set(err, -EINVAL, "balloon: one is enough");
	r = keys_parse(&k, "balloon", spec, false, err);
	if (r == 0)
		r = keys_size(&k, "target", 0, vm->cfg.memory_bytes, &target, err);
	if (r == 0)
		r = keys_done(&k, err);
	if (r == 0)
		r = balloon_create(vm, target, err);
	keys_clear(&k);
	return r;
}

const struct vm_attach_kind vm_attach_balloon = {
	.name = "balloon",
	.spec = "[target=SIZE]",
	.text = "let the guest give free memory back to the host; with a target it is\n"
		"to give up memory until it has SIZE left",
	.attach = attach_balloon,
};
