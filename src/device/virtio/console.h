/*
 * Console device: virtio 1.2, 5.3, with several ports. A port is a console (hvc0, hvc1, ...) or, if
 * it has a name, a plain serial port (/dev/virtio-ports/NAME). Behind each is a struct stream. Left
 * out: emergency write, rproc serial.
 */
#ifndef DEVICE_VIRTIO_CONSOLE_H
#define DEVICE_VIRTIO_CONSOLE_H

#include "device/stream.h"
#include "device/virtio/virtio.h"

enum { VIRTIO_CONSOLE_PORTS_MAX = 16, VIRTIO_CONSOLE_NAME_MAX = 31 };

struct virtio_console;

/* A port's wiring. */
struct virtio_console_port {
	struct virtio_console *console;
	struct stream *stream;
	bool connected; /* somebody is at the host's end */
	bool stalled;	/* the stream has bytes that found no buffer */
	uint16_t columns, rows;
	char name[VIRTIO_CONSOLE_NAME_MAX + 1]; /* "": a console */
};

struct virtio_console {
	struct virtio_device device;
	/* state, by port */
	uint8_t ready[VIRTIO_CONSOLE_PORTS_MAX];   /* the driver has it */
	uint8_t opened[VIRTIO_CONSOLE_PORTS_MAX];  /* somebody in the guest has it open */
	uint8_t to_tell[VIRTIO_CONSOLE_PORTS_MAX]; /* messages that wait for a buffer */
	uint64_t sent[VIRTIO_CONSOLE_PORTS_MAX]; /* bytes of the next chain that the stream took */

	struct virtio_console_port port[VIRTIO_CONSOLE_PORTS_MAX];
	unsigned ports;
};

void virtio_console_init(struct virtio_console *c, const char *name);
/* Before the machine is made. name NULL or "": a console. connected: somebody is at the stream's
 * other end now. Returns false when there are VIRTIO_CONSOLE_PORTS_MAX. */
bool virtio_console_add_port(struct virtio_console *c, struct stream *s, const char *name,
			     bool connected);

#endif
