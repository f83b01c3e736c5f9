/* Console device: see console.h. Section numbers are of virtio 1.2. */
#include "device/virtio/console.h"

#include <string.h>

#include "base/bits.h"

/* Features, 5.3.3 */
#define VIRTIO_CONSOLE_F_SIZE	   (1ull << 0)
#define VIRTIO_CONSOLE_F_MULTIPORT (1ull << 1)

/* Configuration space, 5.3.4 */
enum {
	CONFIG_COLUMNS = 0,
	CONFIG_ROWS = 2,
	CONFIG_PORTS = 4,
	CONFIG_BYTES = 12,
};

/* Queues, 5.3.2: those of port 0, then control, then those of the other ports. */
enum { QUEUE_CONTROL_RX = 2, QUEUE_CONTROL_TX = 3, QUEUE_ENTRIES = 128, CONTROL_ENTRIES = 32 };

/* Control messages, 5.3.6.2 */
enum {
	CONTROL_DEVICE_READY = 0,
	CONTROL_PORT_ADD = 1,
	CONTROL_PORT_READY = 3,
	CONTROL_CONSOLE_PORT = 4,
	CONTROL_RESIZE = 5,
	CONTROL_PORT_OPEN = 6,
	CONTROL_PORT_NAME = 7,
	CONTROL_BYTES = 8, /* id, event, value; then what the event has */
	CONTROL_MAX = CONTROL_BYTES + VIRTIO_CONSOLE_NAME_MAX,
};

/* Bits of to_tell, in the order in which they are told. */
enum { TELL_ADD = 1, TELL_CONSOLE = 2, TELL_NAME = 4, TELL_SIZE = 8, TELL_OPEN = 16 };

static unsigned rx_queue(unsigned port)
{
	return port ? 2 + 2 * port : 0;
}

static unsigned port_index(const struct virtio_console_port *p)
{
	return (unsigned)(p - p->console->port);
}

/* ---- control messages to the driver */

/* Write the message that bit stands for; returns its length. */
static size_t control_make(const struct virtio_console_port *p, unsigned bit, uint8_t *m)
{
	size_t len = CONTROL_BYTES;
	uint16_t event = 0, value = 1;

	switch (bit) {
	case TELL_ADD:
		event = CONTROL_PORT_ADD;
		break;
	case TELL_CONSOLE:
		event = CONTROL_CONSOLE_PORT;
		break;
	case TELL_NAME:
		event = CONTROL_PORT_NAME;
		memcpy(m + len, p->name, strlen(p->name));
		len += strlen(p->name);
		break;
	case TELL_SIZE:
		event = CONTROL_RESIZE;
		store_le16(m + len, p->columns);
		store_le16(m + len + 2, p->rows);
		len += 4;
		break;
	case TELL_OPEN:
		event = CONTROL_PORT_OPEN;
		value = p->connected;
		break;
	}
	store_le32(m, port_index(p));
	store_le16(m + 4, event);
	store_le16(m + 6, value);
	return len;
}

/* Tell as much as there are buffers for. */
static void control_tell(struct virtio_console *c)
{
	struct virtqueue *q = &c->device.queue[QUEUE_CONTROL_RX];
	struct virtq_chain chain;
	uint8_t m[CONTROL_MAX];

	for (unsigned i = 0; i < c->ports; i++)
		while (c->to_tell[i]) {
			unsigned bit = c->to_tell[i] & (unsigned)-c->to_tell[i];
			size_t len;

			if (virtqueue_pop_or_wait(q, &chain) <= 0)
				return;
			len = control_make(&c->port[i], bit, m);
			virtqueue_push(q, &chain,
				       (uint32_t)virtq_chain_write(q, &chain, 0, m, len));
			c->to_tell[i] &= (uint8_t)~bit;
		}
}

static void port_tell(struct virtio_console_port *p, unsigned bits)
{
	struct virtio_console *c = p->console;
	unsigned i = port_index(p);

	if (!virtio_running(&c->device) || !c->ready[i])
		return;
	c->to_tell[i] |= (uint8_t)bits;
	control_tell(c);
}

/* The driver has buffers for what it could not take before. */
static void port_resume(struct virtio_console_port *p)
{
	if (!p->stalled)
		return;
	p->stalled = false;
	p->stream->resume(p->stream->opaque);
}

/* ---- control messages from the driver */
static void port_ready(struct virtio_console *c, unsigned id)
{
	const struct virtio_console_port *p = &c->port[id];

	c->ready[id] = 1;
	c->to_tell[id] |= (uint8_t)((p->name[0] ? TELL_NAME : TELL_CONSOLE) |
				    (p->columns ? TELL_SIZE : 0) | (p->connected ? TELL_OPEN : 0));
}

static void control_take(struct virtio_console *c, const uint8_t *m)
{
	uint32_t id = load_le32(m);
	unsigned event = load_le16(m + 4), value = load_le16(m + 6);

	if (event == CONTROL_DEVICE_READY && value == 1) {
		for (unsigned i = 0; i < c->ports; i++)
			c->to_tell[i] |= TELL_ADD;
	} else if (event == CONTROL_PORT_READY && id < c->ports && value == 1) {
		port_ready(c, id);
	} else if (event == CONTROL_PORT_OPEN && id < c->ports) {
		c->opened[id] = value != 0;
		if (value)
			port_resume(&c->port[id]);
	}
}

static void control_serve(struct virtio_console *c)
{
	struct virtqueue *q = &c->device.queue[QUEUE_CONTROL_TX];
	struct virtq_chain chain;
	uint8_t m[CONTROL_BYTES];

	while (virtqueue_pop_or_wait(q, &chain) > 0) {
		if (virtq_chain_read(q, &chain, 0, m, sizeof(m)) == sizeof(m))
			control_take(c, m);
		virtqueue_push(q, &chain, 0);
	}
	control_tell(c);
}

/* ---- bytes from the guest */

/* Give the stream what is left of a chain, of which it has *sent bytes; true if it took all. */
static bool chain_send(struct virtio_console_port *p, const struct virtqueue *q,
		       const struct virtq_chain *chain, uint64_t *sent)
{
	uint8_t buf[4096];

	while (*sent < chain->out_bytes) {
		size_t n = virtq_chain_read(q, chain, *sent, buf, sizeof(buf));
		size_t taken = p->stream->write(p->stream->opaque, buf, n);

		*sent += taken;
		if (taken < n)
			return false;
	}
	return true;
}

static void port_send(struct virtio_console_port *p)
{
	unsigned i = port_index(p);
	struct virtqueue *q = &p->console->device.queue[rx_queue(i) + 1];
	struct virtq_chain chain;
	struct virtq_mark mark;

	for (;;) {
		mark = virtqueue_mark(q);
		if (virtqueue_pop_or_wait(q, &chain) <= 0)
			return;
		if (!chain_send(p, q, &chain, &p->console->sent[i])) {
			virtqueue_rewind(q, mark); /* to go on with when the stream can */
			return;
		}
		p->console->sent[i] = 0;
		virtqueue_push(q, &chain, 0);
	}
}

/* ---- the stream's side */
static size_t port_input(void *opaque, const uint8_t *bytes, size_t len)
{
	struct virtio_console_port *p = opaque;
	struct virtio_console *c = p->console;
	struct virtqueue *q = &c->device.queue[rx_queue(port_index(p))];
	struct virtq_chain chain;
	size_t done = 0;

	virtio_enter(&c->device);
	/* A console takes what is typed before its login opens it; other ports keep it for a
	 * reader. */
	if (virtio_running(&c->device) && (c->opened[port_index(p)] || !p->name[0]))
		while (done < len && virtqueue_pop_or_wait(q, &chain) > 0) {
			size_t n = virtq_chain_write(q, &chain, 0, bytes + done, len - done);

			virtqueue_push(q, &chain, (uint32_t)n);
			done += n;
		}
	p->stalled = done < len;
	virtio_leave(&c->device);
	return done;
}

static void port_writable(void *opaque)
{
	struct virtio_console_port *p = opaque;
	struct virtio_device *d = &p->console->device;

	virtio_enter(d);
	if (virtio_running(d))
		port_send(p);
	virtio_leave(d);
}

static void port_connected(void *opaque, bool yes)
{
	struct virtio_console_port *p = opaque;

	virtio_enter(&p->console->device);
	p->connected = yes;
	port_tell(p, TELL_OPEN);
	virtio_leave(&p->console->device);
}

static void port_resized(void *opaque, unsigned columns, unsigned rows)
{
	struct virtio_console_port *p = opaque;
	struct virtio_console *c = p->console;

	virtio_enter(&c->device);
	p->columns = (uint16_t)columns;
	p->rows = (uint16_t)rows;
	port_tell(p, TELL_SIZE);
	if (port_index(p) == 0 && virtio_has(&c->device, VIRTIO_CONSOLE_F_SIZE))
		virtio_config_changed(&c->device);
	virtio_leave(&c->device);
}

/* ---- the device */
static void console_serve(void *opaque, unsigned n)
{
	struct virtio_console *c = opaque;
	unsigned port = n < QUEUE_CONTROL_RX ? 0 : (n - 2) / 2;

	if (n == QUEUE_CONTROL_RX)
		control_tell(c);
	else if (n == QUEUE_CONTROL_TX)
		control_serve(c);
	else if (port < c->ports && (n & 1))
		port_send(&c->port[port]);
	else if (port < c->ports)
		port_resume(&c->port[port]);
}

static void console_reset(void *opaque)
{
	struct virtio_console *c = opaque;

	memset(c->ready, 0, sizeof(c->ready));
	memset(c->opened, 0, sizeof(c->opened));
	memset(c->to_tell, 0, sizeof(c->to_tell));
	memset(c->sent, 0, sizeof(c->sent));
}

static void console_config_read(void *opaque, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	const struct virtio_console *c = opaque;
	uint8_t config[CONFIG_BYTES] = {0};

	store_le16(config + CONFIG_COLUMNS, c->port[0].columns);
	store_le16(config + CONFIG_ROWS, c->port[0].rows);
	store_le32(config + CONFIG_PORTS, c->ports);
	memcpy(buf, config + offset, bytes);
}

static const struct field console_fields[] = {
	FIELD_ARRAY(struct virtio_console, ready),
	FIELD_ARRAY(struct virtio_console, opened),
	FIELD_ARRAY(struct virtio_console, to_tell),
	FIELD_ARRAY(struct virtio_console, sent),
	FIELD_END,
};

static const struct device_desc console_state = {
	.name = "virtio-console",
	.text = "console ports",
	.state_bytes = sizeof(struct virtio_console),
	.fields = console_fields,
};

static const struct virtio_model console_model = {
	.id = VIRTIO_ID_CONSOLE,
	.name = "virtio-console",
	.config_bytes = CONFIG_BYTES,
	.state = &console_state,
	.reset = console_reset,
	.config_read = console_config_read,
	.serve = console_serve,
};

void virtio_console_init(struct virtio_console *c, const char *name)
{
	memset(c, 0, sizeof(*c));
	virtio_init(&c->device, &console_model, c, name,
		    VIRTIO_CONSOLE_F_SIZE | VIRTIO_CONSOLE_F_MULTIPORT);
	virtio_add_queue(&c->device, QUEUE_ENTRIES);
	virtio_add_queue(&c->device, QUEUE_ENTRIES);
	virtio_add_queue(&c->device, CONTROL_ENTRIES);
	virtio_add_queue(&c->device, CONTROL_ENTRIES);
}

bool virtio_console_add_port(struct virtio_console *c, struct stream *s, const char *name,
			     bool connected)
{
	struct virtio_console_port *p = &c->port[c->ports];

	if (c->ports == VIRTIO_CONSOLE_PORTS_MAX)
		return false;
	if (c->ports) { /* port 0 has its queues from the beginning */
		virtio_add_queue(&c->device, QUEUE_ENTRIES);
		virtio_add_queue(&c->device, QUEUE_ENTRIES);
	}
	p->console = c;
	p->stream = s;
	p->connected = connected;
	strncpy(p->name, name ? name : "", VIRTIO_CONSOLE_NAME_MAX);
	s->client =
		(struct stream_client){port_input, port_writable, port_connected, port_resized, p};
	c->ports++;
	return true;
}
