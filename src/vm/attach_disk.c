/* --disk: an image on the host, as a virtio or an IDE disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/block.h"
#include "device/virtio/block.h"
#include "vm/keys.h"
#include "vm/vm.h"

enum bus { BUS_VIRTIO, BUS_IDE };

struct disk_spec {
	struct image_options image;
	bool readonly;
	unsigned bus;
	const char *serial;
	uint64_t queues;
};

static void warn(void *opaque, const char *text)
{
	struct doppel_vm *vm = opaque;
	char line[512];

	snprintf(line, sizeof(line), "doppel: %s", text);
	vm_log(vm, line);
}

static int read_serial(struct disk_spec *d, struct keys *k, struct error *err)
{
	d->serial = keys_text(k, "serial");
	if (d->serial && strlen(d->serial) > 20)
		return error_set(err, -EINVAL, "disk %s: serial=%s: at most 20 characters", k->spec,
				 d->serial);
	return 0;
}

static int read_spec(struct disk_spec *d, struct doppel_vm *vm, struct keys *k, struct error *err)
{
	static const char *const buses[] = {"virtio", "ide", NULL};
	static const char *const caches[] = {"writeback", "unsafe", NULL};
	unsigned cache = 0;
	int r = 0;

	*d = (struct disk_spec){.bus = BUS_VIRTIO, .queues = vm->cfg.cpus};
	if (d->queues > VIRTIO_BLOCK_QUEUES_MAX)
		d->queues = VIRTIO_BLOCK_QUEUES_MAX;
	if (!*k->first)
		r = error_set(err, -EINVAL, "disk %s: must begin with a file", k->spec);
	d->image.format = keys_text(k, "format");
	if (r == 0)
		r = keys_flag(k, "overlay", &d->image.overlay, err);
	if (r == 0)
		r = keys_flag(k, "readonly", &d->readonly, err);
	if (r == 0)
		r = keys_word(k, "bus", buses, &d->bus, err);
	if (r == 0)
		r = keys_word(k, "cache", caches, &cache, err);
	if (r == 0)
		r = keys_number(k, "queues", 1, VIRTIO_BLOCK_QUEUES_MAX, &d->queues, err);
	if (r == 0)
		r = read_serial(d, k, err);
	d->image.write = !d->readonly;
	d->image.unsafe = cache == 1;
	d->image.warn = warn;
	d->image.opaque = vm;
	return r ? r : keys_done(k, err);
}

static void free_disk(void *opaque)
{
	disk_destroy(opaque);
}

static int open_disk(struct block_disk **out, const struct disk_spec *d, struct doppel_vm *vm,
		     const char *path, struct error *err)
{
	struct image *image;
	struct disk *disk;
	int r = image_open(&image, path, &d->image, err);

	if (r)
		return r;
	r = disk_create(&disk, vm_attach_loop(vm), image, err);
	if (r) {
		image_close(image);
		return r;
	}
	*out = disk_face(disk);
	(*out)->readonly = d->readonly;
	if (d->serial)
		strcpy((*out)->serial, d->serial);
	return vm_attach_owned(vm, free_disk, disk, err);
}

static void free_model(void *opaque)
{
	struct virtio_block *b = opaque;

	virtio_destroy(&b->device);
	free(b);
}

static int attach_virtio(struct doppel_vm *vm, const struct disk_spec *d, struct block_disk *disk,
			 struct error *err)
{
	struct machine_device md = {.kind = MACHINE_VIRTIO, .name = vm_attach_name(vm, "disk")};
	struct virtio_block *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return error_set(err, -ENOMEM, "out of memory");
	virtio_block_init(b, md.name, disk, (unsigned)d->queues);
	md.virtio = &b->device;
	r = vm_attach_owned(vm, free_model, b, err);
	return r ? r : vm_attach_device(vm, &md, err);
}

static int attach_ide(struct doppel_vm *vm, struct block_disk *disk, struct error *err)
{
	struct machine_device md = {.kind = MACHINE_IDE_DISK, .name = vm_attach_name(vm, "ide")};

	md.disk = disk;
	return vm_attach_device(vm, &md, err);
}

static int attach_disk(struct doppel_vm *vm, const char *spec, struct error *err)
{
	struct block_disk *disk;
	struct disk_spec d;
	struct keys k;
	int r = keys_parse(&k, "disk", spec, true, err);

	if (r == 0)
		r = read_spec(&d, vm, &k, err);
	if (r == 0)
		r = open_disk(&disk, &d, vm, k.first, err);
	if (r == 0 && d.bus == BUS_IDE)
		r = attach_ide(vm, disk, err);
	else if (r == 0)
		r = attach_virtio(vm, &d, disk, err);
	keys_clear(&k);
	return r;
}

const struct vm_attach_kind vm_attach_disk = {
	.name = "disk",
	.spec = "FILE[,format=raw|qcow2][,overlay][,readonly][,bus=virtio|ide]"
		"[,serial=TEXT][,queues=N][,cache=writeback|unsafe]",
	.text = "a disk image; with overlay the file is left as it is and what\n"
		"is written is thrown away at the end",
	.attach = attach_disk,
};
