/*
 * A stream of bytes each way between a device (console port, vsock connection) and the host.
 * backend/ implements the host's end. All calls are made on the I/O thread (device/worker.h);
 * a host end never calls its client from within write or resume.
 */
#ifndef DEVICE_STREAM_H
#define DEVICE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The device's end, set by the device. */
struct stream_client {
	/* Bytes for the guest; returns how many it took. Where fewer, the host keeps the rest and
	 * offers it again after stream.resume. */
	size_t (*input)(void *opaque, const uint8_t *bytes, size_t len);
	/* The host's end can take bytes again after a short write. May be NULL. */
	void (*writable)(void *opaque);
	/* Somebody is at the host's end, or nobody any more. May be NULL. */
	void (*connected)(void *opaque, bool yes);
	/* The terminal at the host's end has this size. May be NULL. */
	void (*resized)(void *opaque, unsigned columns, unsigned rows);
	void *opaque;
};

struct stream {
	/* Bytes from the guest; returns how many were taken (0: call again after writable). With
	 * nobody at the other end all are taken and dropped. */
	size_t (*write)(void *opaque, const uint8_t *bytes, size_t len);
	/* The device has room again after input took fewer than all. */
	void (*resume)(void *opaque);
	void *opaque;
	struct stream_client client; /* input NULL: nobody listens */
};

#endif
