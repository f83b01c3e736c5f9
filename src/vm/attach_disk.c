/* --disk: a disk image (backend/block/) behind a virtio block device or on the IDE controller. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/block.h"
#include "device/virtio/block.h"
#include "vm/attach.h"
#include "vm/keys.h"
#include "vm/vm.h"

enum { QUEUES_DEFAULT_MAX = 4 };

enum bus { BUS_VIRTIO, BUS_IDE };

struct disk_attached {
	struct disk *disk;
	bool virtio; /* model is there */
	struct virtio_block model;
};

struct disk_keys {
	struct image_options image;
	const char *serial;
	unsigned bus;
	uint64_t queues;
};

static void destroy(void *opaque)
{
	struct disk_attached *a = opaque;

	if (a->virtio)
		virtio_destroy(&a->model.device);
	disk_destroy(a->disk);
	free(a);
}

static int parse_serial(struct keys *k, struct disk_keys *out, struct error *err)
{
	out->serial = keys_text(k, "serial");
	if (!out->serial)
		return 0;
	if (strlen(out->serial) > 20)
		return error_set(err, -EINVAL, "disk %s: serial=%s: at most 20 characters", k->spec,
				 out->serial);
	for (const char *c = out->serial; *c; c++)
		if (*c < ' ' || *c > '~')
			return error_set(err, -EINVAL, "disk %s: serial: ASCII only", k->spec);
	return 0;
}

static int parse(struct keys *k, struct disk_keys *out, struct error *err)
{
	static const char *const formats[] = {"raw", "qcow2", NULL};
	static const char *const buses[] = {"virtio", "ide", NULL};
	static const char *const caches[] = {"writeback", "unsafe", NULL};
	bool overlay = false, readonly = false;
	unsigned format = 2, cache = 0;
	int r = keys_word(k, "format", formats, &format, err);

	if (r == 0)
		r = keys_flag(k, "overlay", &overlay, err);
	if (r == 0)
		r = keys_flag(k, "readonly", &readonly, err);
	if (r == 0)
		r = keys_word(k, "bus", buses, &out->bus, err);
	if (r == 0)
		r = parse_serial(k, out, err);
	if (r == 0)
		r = keys_number(k, "queues", 1, VIRTIO_BLOCK_QUEUES_MAX, &out->queues, err);
	if (r == 0)
		r = keys_word(k, "cache", caches, &cache, err);
	if (r == 0)
		r = keys_done(k, err);
	if (r)
		return r;
	if (!*k->first)
		return error_set(err, -EINVAL, "disk: no file is named: --disk FILE");
	if (overlay && readonly)
		return error_set(err, -EINVAL,
				 "disk %s: overlay is for writing, readonly forbids it", k->spec);
	out->image.format = formats[format];
	out->image.overlay = overlay;
	out->image.write = !readonly;
	out->image.unsafe = cache == 1;
	return 0;
}

static void warn(void *opaque, const char *text)
{
	char line[544];

	snprintf(line, sizeof(line), "doppel: %s", text);
	vm_log(opaque, line);
}

/* The host end; what is made so far is freed by the caller. */
static int open_disk(struct doppel_vm *vm, const char *path, const struct disk_keys *k,
		     struct disk_attached *a, struct error *err)
{
	struct block_disk *face;
	struct image *m;
	int r = image_open(&m, path, &k->image, err);

	if (r)
		return r;
	if (image_bytes(m) == 0)
		r = error_set(err, -ENODATA, "disk %s: the file is empty", path);
	if (r == 0)
		r = disk_create(&a->disk, vm_attach_loop(vm), m, err);
	if (r) {
		image_close(m);
		return r;
	}
	face = disk_face(a->disk);
	if (k->serial)
		strncpy(face->serial, k->serial, sizeof(face->serial) - 1);
	return 0;
}

static int attach_model(struct doppel_vm *vm, const struct disk_keys *k, struct disk_attached *a,
			struct error *err)
{
	struct machine_device d = {.kind = MACHINE_IDE_DISK};

	d.name = vm_attach_name(vm, "disk");
	if (k->bus == BUS_IDE) {
		d.disk = disk_face(a->disk);
		return vm_attach_device(vm, &d, err);
	}
	virtio_block_init(&a->model, d.name, disk_face(a->disk), (unsigned)k->queues);
	a->virtio = true;
	d.kind = MACHINE_VIRTIO;
	d.virtio = &a->model.device;
	return vm_attach_device(vm, &d, err);
}

static int attach(struct doppel_vm *vm, const char *spec, struct error *err)
{
	struct disk_keys k = {.image = {.warn = warn, .opaque = vm}};
	struct disk_attached *a;
	struct keys keys;
	int r = keys_parse(&keys, "disk", spec, true, err);

	if (r)
		return r;
	k.queues = vm->cfg.cpus < QUEUES_DEFAULT_MAX ? vm->cfg.cpus : QUEUES_DEFAULT_MAX;
	a = calloc(1, sizeof(*a));
	r = a ? parse(&keys, &k, err) : error_set(err, -ENOMEM, "disk: out of memory");
	if (r == 0)
		r = open_disk(vm, keys.first, &k, a, err);
	if (r) {
		free(a);
	} else {
		r = vm_attach_owned(vm, destroy, a, err);
		if (r == 0)
			r = attach_model(vm, &k, a, err);
	}
	keys_clear(&keys);
	return r;
}

const struct vm_attach_kind vm_attach_disk = {
	.name = "disk",
	.spec = "FILE[,format=raw|qcow2][,overlay][,readonly][,bus=virtio|ide][,serial=TEXT]"
		"[,queues=N][,cache=writeback|unsafe]",
	.text = "a disk image or block device; overlay: what the guest writes\n"
		"is thrown away at the end and FILE is left as it is;\n"
		"cache=unsafe: do not wait for the host's disk",
	.attach = attach,
};
