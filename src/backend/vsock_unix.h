/*
 * Sockets of a guest (virtio-vsock) as Unix sockets of the host, by Firecracker's convention
 * (docs/vsock.md of that project):
 *
 *  - a program of the host connects to PATH and writes "CONNECT PORT\n". When the guest's program
 * that listens at that port has it, "OK HOSTPORT\n" comes back and the stream begins; if there is
 * none the connection is closed;
 *  - a program of the guest that connects to port P of the host (CID 2) gets the Unix socket
 * PATH_P, if somebody listens there.
 */
#ifndef BACKEND_VSOCK_UNIX_H
#define BACKEND_VSOCK_UNIX_H

#include "base/error.h"
#include "device/virtio/vsock.h"

struct io_loop;
struct vsock_unix;

/* Listen at path (a socket nobody listens at any more is replaced; removed at the end). Before the
 * loop runs. 0 or -errno. */
int vsock_unix_create(struct vsock_unix **out, struct io_loop *loop, const char *path,
		      struct error *err);
/* After the loop has stopped. NULL is fine. */
void vsock_unix_destroy(struct vsock_unix *u);
const struct vsock_host *vsock_unix_host(struct vsock_unix *u);
/* The device whose guest it is for, before the loop runs. */
void vsock_unix_device(struct vsock_unix *u, struct virtio_vsock *v);

#endif
