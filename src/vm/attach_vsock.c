/* --vsock: sockets between programs of the guest and of the host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/vsock_unix.h"
#include "device/virtio/vsock.h"
#include "vm/keys.h"
#include "vm/vm.h"

struct vsock_spec {
	uint32_t cid;
	char path[128];
};

/* CID[:PATH] */
static int vsock_parse(struct vsock_spec *s, struct keys *k, struct error *err)
{
	unsigned long long cid;
	char *end;
	int n;

	errno = 0;
	cid = strtoull(k->first, &end, 10);
	if (end == k->first || (*end && *end != ':') || *k->first < '0' || *k->first > '9')
		return error_set(err, -EINVAL, "vsock %s: it takes CID or CID:PATH", k->spec);
	if (errno || cid < VSOCK_CID_MIN || cid >= UINT32_MAX)
		return error_set(err, -EINVAL, "vsock %s: a guest's CID is %d to %u", k->spec,
				 VSOCK_CID_MIN, UINT32_MAX - 1);
	s->cid = (uint32_t)cid;
	if (*end == ':' && end[1])
		n = snprintf(s->path, sizeof(s->path), "%s", end + 1);
	else
		n = snprintf(s->path, sizeof(s->path), "vsock-%u.sock", s->cid);
	if (n < 0 || (size_t)n >= sizeof(s->path))
		return error_set(err, -ENAMETOOLONG, "vsock %s: the path is too long", k->spec);
	return keys_done(k, err);
}

static void host_end_free(void *opaque)
{
	vsock_unix_destroy(opaque);
}

static void model_free(void *opaque)
{
	struct virtio_vsock *v = opaque;

	virtio_destroy(&v->device);
	free(v);
}

static int vsock_create(struct doppel_vm *vm, const struct vsock_spec *s, struct error *err)
{
	struct machine_device d = {.kind = MACHINE_VIRTIO};
	struct vsock_unix *u;
	struct virtio_vsock *v;
	int r = vsock_unix_create(&u, vm_attach_loop(vm), s->path, err);

	if (r == 0)
		r = vm_attach_owned(vm, host_end_free, u, err);
	if (r)
		return r;
	v = calloc(1, sizeof(*v));
	if (!v)
		return error_set(err, -ENOMEM, "vsock: out of memory");
	d.name = vm_attach_name(vm, "vsock");
	virtio_vsock_init(v, d.name, s->cid, vsock_unix_host(u));
	vsock_unix_device(u, v);
	d.virtio = &v->device;
	r = vm_attach_owned(vm, model_free, v, err);
	return r ? r : vm_attach_device(vm, &d, err);
}

static int attach_vsock(struct doppel_vm *vm, const char *spec, struct error *err)
{
	struct vsock_spec s;
	struct keys k;
	int r = keys_parse(&k, "vsock", spec, true, err);

	if (r == 0)
		r = vsock_parse(&s, &k, err);
	if (r == 0)
		r = vsock_create(vm, &s, err);
	keys_clear(&k);
	return r;
}

const struct vm_attach_kind vm_attach_vsock = {
	.name = "vsock",
	.spec = "CID[:PATH]",
	.text = "sockets between guest and host: CONNECT PORT at the Unix socket PATH\n"
		"(vsock-CID.sock) leads to the guest, and port P of CID 2 to PATH_P",
	.attach = attach_vsock,
};
