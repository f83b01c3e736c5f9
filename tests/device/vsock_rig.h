/* Host's ends for the socket device that take a number of bytes and remember what was asked of
 * them. */
#ifndef TESTS_DEVICE_VSOCK_RIG_H
#define TESTS_DEVICE_VSOCK_RIG_H

#include "device/virtio/vsock.h"
#include "fake_virtio.h"

enum { RIG_ENDS = VSOCK_CONNECTIONS_MAX + 8 };

struct rig_end {
	struct vsock_end end;
	size_t room, len, last; /* last: of one write */
	uint8_t got[256];	/* the first of them */
	unsigned writes, resumes, opens, finishes, closes;
	uint32_t port;
};

struct vsock_rig {
	struct virtio_vsock v;
	struct fake_virtio f;
	struct vsock_host host;
	struct rig_end end[RIG_ENDS];
	unsigned ends;
	bool refuse;
};

static size_t rig_write(void *opaque, const uint8_t *bytes, size_t len)
{
	struct rig_end *e = opaque;

	if (e->end.messages && len > e->room)
		return 0;
	e->writes++;
	e->last = len;
	len = len < e->room ? len : e->room;
	for (size_t i = 0; i < len; i++, e->len++)
		if (e->len < sizeof(e->got))
			e->got[e->len] = bytes[i];
	e->room -= len;
	return len;
}

static void rig_resume(void *opaque)
{
	((struct rig_end *)opaque)->resumes++;
}

static void rig_opened(void *opaque, uint32_t port)
{
	((struct rig_end *)opaque)->opens++;
	((struct rig_end *)opaque)->port = port;
}

static void rig_finish(void *opaque)
{
	((struct rig_end *)opaque)->finishes++;
}

static void rig_close(void *opaque)
{
	((struct rig_end *)opaque)->closes++;
}

/* A new end with room for everything. */
static struct rig_end *rig_end(struct vsock_rig *g)
{
	struct rig_end *e = &g->end[g->ends % RIG_ENDS];

	g->ends++;
	memset(e, 0, sizeof(*e));
	e->room = SIZE_MAX;
	e->end = (struct vsock_end){
		.stream = {.write = rig_write, .resume = rig_resume, .opaque = e},
		.opened = rig_opened,
		.finish = rig_finish,
		.close = rig_close};
	return e;
}

static struct vsock_end *rig_connect(void *opaque, uint32_t port, bool messages)
{
	struct vsock_rig *g = opaque;
	struct rig_end *e;

	if (g->refuse)
		return NULL;
	e = rig_end(g);
	e->end.messages = messages;
	return &e->end;
}

static void rig_init(struct vsock_rig *g)
{
	g->ends = 0;
	g->refuse = false;
	g->host = (struct vsock_host){rig_connect, g};
	virtio_vsock_init(&g->v, "vsock0", 7, &g->host);
	fake_virtio_connect(&g->f, &g->v.device);
}

#endif
