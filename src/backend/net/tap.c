/*
 * A TAP interface of the host: its kernel's end of an Ethernet cable (Linux,
 * Documentation/networking/tuntap.rst). By name, or an open descriptor that somebody with the
 * permission hands in. Offloads go both ways by the header in front of each frame, which is
 * struct net_offload as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backend/net/net.h"

enum { QUEUES_MAX = 8, FRAMES_PER_TURN = 64 };

struct tap_queue {
	uv_poll_t *poll;
	struct tap *tap;
	int fd;
	/* The frame that the card had no room for, or that is being read. */
	bool waiting;
	size_t len;
	struct net_offload offload;
	uint8_t frame[NET_FRAME_MAX];
};

struct tap {
	struct net_network network;
	struct io_loop *loop;
	bool own_header; /* frames have none: a descriptor that was opened without */
	unsigned queues;
	struct tap_queue queue[QUEUES_MAX];
};

/* ---- to the host */

static void tap_send(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		     const struct net_offload *offload)
{
	struct tap *t = opaque;
	struct net_offload none = {0};
	struct iovec v[NET_PIECES_MAX + 1];
	unsigned n = 0;

	if (pieces > NET_PIECES_MAX)
		return;
	if (!t->own_header) {
		v[n].iov_base = offload ? (void *)(uintptr_t)offload : &none;
		v[n++].iov_len = sizeof(none);
	}
	memcpy(v + n, piece, pieces * sizeof(*piece)); /* laid out alike */
	/* A full queue drops, as a real one does. */
	if (writev(t->queue[queue % t->queues].fd, v, (int)(n + pieces)) < 0)
		return;
}

/* ---- to the guest */

static bool read_frame(struct tap_queue *q)
{
	struct iovec v[2] = {{&q->offload, sizeof(q->offload)}, {q->frame, sizeof(q->frame)}};
	bool bare = q->tap->own_header;
	size_t header = bare ? 0 : sizeof(q->offload);
	ssize_t n = readv(q->fd, v + bare, 2 - bare);

	if (n <= (ssize_t)header)
		return false;
	q->len = (size_t)n - header;
	return true;
}

/* False: the card has no room. */
static bool give(struct tap_queue *q)
{
	const struct net_card *c = &q->tap->network.card;
	struct io_piece piece = {q->frame, q->len};

	return !c->receive ||
	       c->receive(c->opaque, &piece, 1, q->tap->own_header ? NULL : &q->offload);
}

static void on_readable(uv_poll_t *p, int status, int events)
{
	struct tap_queue *q = p->data;

	if (status < 0)
		return; /* the interface is gone */
	for (unsigned i = 0; i < FRAMES_PER_TURN && read_frame(q); i++) {
		if (give(q))
			continue;
		q->waiting = true;
		uv_poll_stop(p);
		return;
	}
}

static void resume(void *opaque)
{
	struct tap *t = opaque;

	for (unsigned i = 0; i < t->queues; i++) {
		struct tap_queue *q = &t->queue[i];

		if (!q->waiting || !give(q))
			continue;
		q->waiting = false;
		uv_poll_start(q->poll, UV_READABLE, on_readable);
	}
}

static void card_features(void *opaque, unsigned features)
{
	struct tap *t = opaque;
	unsigned long flags = 0;

	if (features & NET_TAKES_CSUM) {
		flags |= TUN_F_CSUM;
		if (features & NET_TAKES_TSO4)
			flags |= TUN_F_TSO4;
		if (features & NET_TAKES_TSO6)
			flags |= TUN_F_TSO6;
	}
	/* All queues are one interface. A kernel that refuses sends plain frames. */
	if (!t->own_header)
		ioctl(t->queue[0].fd, TUNSETOFFLOAD, flags);
}

/* ---- begin and end */

static int refused(const char *name, int e, struct error *err)
{
	if (e == EPERM || e == EACCES)
		return error_set(
			err, -e,
			"net tap: no permission for %s: have it made for you by "
			"\"ip tuntap add dev %s mode tap user $USER\" as root, or run with "
			"CAP_NET_ADMIN",
			name, name);
	if (e == EBUSY)
		return error_set(err, -e,
				 "net tap: %s is in use by another program, or was made with other "
				 "settings (one queue or several, tun or tap)",
				 name);
	return error_set(err, -e, "net tap: cannot open %s: %s", name, strerror(e));
}

static int open_queue(const char *name, bool several, struct error *err)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), bytes, e;

	if (fd < 0)
		return error_set(
			err, -errno, "net tap: cannot open /dev/net/tun: %s%s", strerror(errno),
			errno == ENOENT || errno == ENODEV
				? "; \"modprobe tun\" as root may bring it"
				: "; give this user the right to, or an open descriptor with "
				  "tap=fd:N");
	if (several)
		r.ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(r.ifr_name, name, strlen(name) + 1);
	bytes = sizeof(struct net_offload);
	if (ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0) {
		e = errno;
		close(fd);
		return refused(name, e, err);
	}
	return fd;
}

/* Frames come without packet information. The bit that says so also says that no filter is
 * attached (IFF_NOFILTER), so it is looked at with one that lets all pass, unless there are others.
 */
static bool frames_are_bare(int fd, struct ifreq *r)
{
	struct sock_filter all = {.code = BPF_RET | BPF_K, .k = UINT32_MAX};
	struct sock_fprog theirs = {0}, ours = {.len = 1, .filter = &all};

	if ((r->ifr_flags & IFF_NO_PI) && ioctl(fd, TUNGETFILTER, &theirs) == 0 && !theirs.len &&
	    ioctl(fd, TUNATTACHFILTER, &ours) == 0) {
		ioctl(fd, TUNGETIFF, r);
		ioctl(fd, TUNDETACHFILTER, &ours);
	}
	return r->ifr_flags & IFF_NO_PI;
}

/* One that was handed in. */
static int adopt(struct tap *t, const char *text, struct error *err)
{
	int bytes = sizeof(struct net_offload), fd;
	struct ifreq r = {0};
	char *end;
	long v = strtol(text, &end, 10);

	if (*end || end == text || v < 0 || v > 1 << 20)
		return error_set(err, -EINVAL, "net tap: fd:%s: must be a number", text);
	fd = (int)v;
	if (ioctl(fd, TUNGETIFF, &r) < 0)
		return error_set(err, -errno, "net tap: descriptor %d is no TAP interface: %s", fd,
				 strerror(errno));
	if (!(r.ifr_flags & IFF_TAP) || !frames_are_bare(fd, &r))
		return error_set(err, -EINVAL,
				 "net tap: descriptor %d is not of a TAP interface without packet "
				 "information (IFF_TAP | IFF_NO_PI)",
				 fd);
	t->own_header = !(r.ifr_flags & IFF_VNET_HDR);
	if (!t->own_header && ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0)
		return error_set(err, -errno, "net tap: descriptor %d: %s", fd, strerror(errno));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

static int watch(struct tap_queue *q, struct error *err)
{
	int r;

	q->poll = calloc(1, sizeof(*q->poll));
	r = q->poll ? uv_poll_init(io_loop_uv(q->tap->loop), q->poll, q->fd) : UV_ENOMEM;
	if (r < 0) {
		free(q->poll);
		q->poll = NULL;
		return error_set(err, r, "net tap: cannot watch the interface: %s", uv_strerror(r));
	}
	q->poll->data = q;
	uv_poll_start(q->poll, UV_READABLE, on_readable);
	return 0;
}

static int add_queue(struct tap *t, const char *name, bool several, struct error *err)
{
	struct tap_queue *q = &t->queue[t->queues];
	int fd = strncmp(name, "fd:", 3) == 0 ? adopt(t, name + 3, err)
					      : open_queue(name, several, err);

	if (fd < 0)
		return fd;
	q->fd = fd;
	q->tap = t;
	t->queues++;
	return watch(q, err);
}

static void tap_close(struct net_network *n)
{
	struct tap *t = (struct tap *)n;

	for (unsigned i = 0; i < t->queues; i++) {
		if (t->queue[i].poll)
			io_loop_close((uv_handle_t *)t->queue[i].poll);
		close(t->queue[i].fd);
	}
	free(t);
}

static int tap_open(struct net_network **out, struct io_loop *loop, const struct net_options *o,
		    struct error *err)
{
	bool given = strncmp(o->value, "fd:", 3) == 0;
	unsigned queues = o->queues > QUEUES_MAX ? QUEUES_MAX : o->queues;
	struct tap *t;
	int r = 0;

	if (!given && (!*o->value || strlen(o->value) >= IFNAMSIZ))
		return error_set(err, -EINVAL, "net tap: \"%s\" is no name of an interface",
				 o->value);
	t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(err, -ENOMEM, "out of memory");
	t->loop = loop;
	for (unsigned i = 0; r == 0 && i < (given ? 1 : queues); i++)
		r = add_queue(t, o->value, queues > 1, err);
	if (r < 0) {
		tap_close(&t->network);
		return r;
	}
	t->network = (struct net_network){
		.send = tap_send,
		.resume = resume,
		.card_features = card_features,
		.opaque = t,
		.features = t->own_header ? 0 : NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6,
		.queues = t->queues,
	};
	card_features(t, 0);
	*out = &t->network;
	return 0;
}

const struct net_backend net_tap = {
	.name = "tap",
	.spec = "tap=IF|tap=fd:N",
	.text = "a TAP interface of the host, by name or open descriptor",
	.valued = true,
	.open = tap_open,
	.close = tap_close,
};
