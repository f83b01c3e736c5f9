/* --share: a folder of the host, seen by the guest as a 9P file system. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/p9/p9.h"
#include "device/virtio/p9.h"
#include "vm/keys.h"
#include "vm/vm.h"

struct share_spec {
	char dir[4096], tag[VIRTIO_P9_TAG_MAX + 1];
	bool readonly;
};

/* Cut off what follows the last colon; NULL if there is none. */
static char *last_part(char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		return NULL;
	*colon = 0;
	return colon + 1;
}

static int wrong(const char *spec, const char *why, struct error *err)
{
	return error_set(err, -EINVAL, "share %s: %s; it takes HOSTDIR:TAG or HOSTDIR:TAG:ro", spec,
			 why);
}

/* HOSTDIR:TAG[:ro]; colons before the last ones are part of the folder's name. */
static int share_parse(struct share_spec *s, struct keys *k, struct error *err)
{
	char *tag;
	size_t len;

	memset(s, 0, sizeof(*s));
	if (strlen(k->first) >= sizeof(s->dir))
		return error_set(err, -ENAMETOOLONG, "share %s: the name is too long", k->spec);
	strcpy(s->dir, k->first);
	tag = last_part(s->dir);
	if (tag && strcmp(tag, "ro") == 0) {
		s->readonly = true;
		tag = last_part(s->dir);
	}
	len = tag ? strlen(tag) : 0;
	if (!tag || !len)
		return wrong(k->spec, "there is no tag", err);
	if (!*s->dir)
		return wrong(k->spec, "there is no folder", err);
	if (len > VIRTIO_P9_TAG_MAX)
		return error_set(err, -EINVAL, "share %s: a tag has at most %d bytes", k->spec,
				 VIRTIO_P9_TAG_MAX);
	if (strchr(tag, '/'))
		return wrong(k->spec, "a tag has no slash", err);
	memcpy(s->tag, tag, len + 1);
	return keys_done(k, err);
}

/* A guest holds a descriptor for each file that it knows of: have as many as are allowed. */
static void raise_limit(void)
{
	enum { ENOUGH = 1 << 19 };
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= ENOUGH)
		return;
	l.rlim_cur = l.rlim_max < ENOUGH ? l.rlim_max : ENOUGH;
	setrlimit(RLIMIT_NOFILE, &l); /* with fewer it works, too */
}

static void share_free(void *opaque)
{
	p9_share_destroy(opaque);
}

static void model_free(void *opaque)
{
	struct virtio_p9 *p = opaque;

	virtio_destroy(&p->device);
	free(p);
}

static int share_create(struct doppel_vm *vm, const struct share_spec *s, struct error *err)
{
	struct machine_device d = {.kind = MACHINE_VIRTIO};
	struct p9_share *share;
	struct virtio_p9 *p;
	int r;

	raise_limit();
	r = p9_share_create(&share, vm_attach_loop(vm), s->dir, s->readonly, err);
	if (r == 0)
		r = vm_attach_owned(vm, share_free, share, err);
	if (r)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p)
		return error_set(err, -ENOMEM, "share %s: out of memory", s->dir);
	d.name = vm_attach_name(vm, "share");
	virtio_p9_init(p, d.name, s->tag, p9_share_server(share));
	d.virtio = &p->device;
	r = vm_attach_owned(vm, model_free, p, err);
	return r ? r : vm_attach_device(vm, &d, err);
}

static int attach_share(struct doppel_vm *vm, const char *spec, struct error *err)
{
	struct share_spec s;
	struct keys k;
	int r = keys_parse(&k, "share", spec, true, err);

	if (r == 0)
		r = share_parse(&s, &k, err);
	if (r == 0)
		r = share_create(vm, &s, err);
	keys_clear(&k);
	return r;
}

const struct vm_attach_kind vm_attach_share = {
	.name = "share",
	.spec = "HOSTDIR:TAG[:ro]",
	.text = "share a folder; the guest mounts it:\n"
		"mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 TAG DIR",
	.attach = attach_share,
};
