/* --rng: a virtio entropy device. It gives the host's random bytes, or under the counted clock,
 * where two runs are the same, a fixed sequence. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "device/virtio/entropy.h"
#include "vm/attach.h"
#include "vm/keys.h"
#include "vm/vm.h"

struct rng {
	struct virtio_entropy model;
	uint64_t state; /* of the fixed sequence */
};

static void from_host(void *opaque, void *buf, size_t len)
{
	host_random(buf, len);
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
static void from_sequence(void *opaque, void *buf, size_t len)
{
	struct rng *r = opaque;
	uint8_t *to = buf;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t z = r->state += 0x9e3779b97f4a7c15ull;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		z ^= z >> 31;
		memcpy(to + i, &z, len - i < 8 ? len - i : 8);
	}
}

static void destroy(void *opaque)
{
	struct rng *r = opaque;

	virtio_destroy(&r->model.device);
	free(r);
}

static int attach(struct doppel_vm *vm, const char *spec, struct error *err)
{
	struct machine_device d = {.kind = MACHINE_VIRTIO};
	struct rng *r;
	int rc;

	/* a configuration file says "rng = yes" */
	if (strcmp(spec, "no") == 0)
		return 0;
	if (*spec && strcmp(spec, "yes") != 0)
		return error_set(err, -EINVAL, "rng: \"%s\": takes no value but yes or no", spec);
	r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, -ENOMEM, "rng: out of memory");
	d.name = vm_attach_name(vm, "rng");
	virtio_entropy_init(&r->model, d.name, vm->cfg.counted ? from_sequence : from_host, r);
	rc = vm_attach_owned(vm, destroy, r, err);
	if (rc)
		return rc;
	d.virtio = &r->model.device;
	return vm_attach_device(vm, &d, err);
}

const struct vm_attach_kind vm_attach_rng = {
	.name = "rng",
	.text = "a source of random numbers for the guest",
	.attach = attach,
};
