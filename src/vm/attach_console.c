/*
 * --console: a port of the machine's one virtio console device, and what is at its other end. stdio
 * is the library's own console: its output callback and doppel_console_input.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/stream/stream.h"
#include "device/virtio/console.h"
#include "vm/keys.h"
#include "vm/vm.h"

/* ---- the library's console */
static size_t own_write(void *opaque, const uint8_t *bytes, size_t len)
{
	vm_console_write(opaque, bytes, len);
	return len;
}

static void own_resume(void *opaque)
{
	vm_console_kick(opaque);
}

/* On the I/O thread: what was typed goes to the port. */
static void own_feed(void *opaque)
{
	struct doppel_vm *vm = opaque;
	const struct stream_client *c = &vm->console->client;
	uint8_t bytes[1024];
	size_t n, taken;

	do {
		n = console_queue_peek(&vm->input, bytes, sizeof(bytes));
		taken = n ? c->input(c->opaque, bytes, n) : 0;
		console_queue_drop(&vm->input, taken);
	} while (taken && taken == n);
}

static void own_resized(void *opaque)
{
	struct doppel_vm *vm = opaque;
	uint32_t size = atomic_load(&vm->console_size);

	vm->console->client.resized(vm->console->client.opaque, size >> 16, size & 0xffff);
}

void vm_console_kick(struct doppel_vm *vm)
{
	struct worker k = io_loop_worker(vm->io);

	worker_post(&k, &vm->console_feed);
}

void doppel_console_resize(struct doppel_vm *vm, unsigned columns, unsigned rows)
{
	struct worker k = io_loop_worker(vm->io);

	if (!vm->console)
		return;
	atomic_store(&vm->console_size, (columns & 0xffff) << 16 | (rows & 0xffff));
	worker_post(&k, &vm->console_resized);
}

static int own_open(struct stream **out, struct doppel_vm *vm, struct error *err)
{
	if (vm->console)
		return error_set(err, -EINVAL, "console stdio: there is one already");
	vm->console = calloc(1, sizeof(*vm->console));
	if (!vm->console)
		return error_set(err, -ENOMEM, "out of memory");
	*vm->console = (struct stream){.write = own_write, .resume = own_resume, .opaque = vm};
	vm->console_feed = (struct work){.run = own_feed, .opaque = vm};
	vm->console_resized = (struct work){.run = own_resized, .opaque = vm};
	*out = vm->console;
	return vm_attach_owned(vm, free, vm->console, err);
}

/* ---- the option */
static void close_stream(void *opaque)
{
	stream_close(opaque);
}

static int pty_open(struct stream **out, struct doppel_vm *vm, const char *link, struct error *err)
{
	const char *name;
	char line[128];
	int r = stream_pty_open(out, vm_attach_loop(vm), *link ? link : NULL, &name, err);

	if (r == 0) {
		snprintf(line, sizeof(line), "doppel: console: %s", name);
		vm_log(vm, line);
	}
	return r;
}

/* Exactly one of stdio, pty, file, socket. */
static int open_end(struct stream **out, bool *connected, struct doppel_vm *vm, struct keys *k,
		    struct error *err)
{
	bool own = keys_text(k, "stdio") != NULL;
	const char *pty = keys_text(k, "pty"), *file = keys_text(k, "file"),
		   *socket = keys_text(k, "socket");
	int r;

	if (own + !!pty + !!file + !!socket != 1)
		return error_set(
			err, -EINVAL,
			"console %s: must begin with one of stdio, pty, file=PATH, socket=PATH",
			k->spec);
	*connected = !socket;
	if (own)
		return own_open(out, vm, err);
	if (pty)
		r = pty_open(out, vm, pty, err);
	else if (file)
		r = stream_file_open(out, vm_attach_loop(vm), file, err);
	else
		r = stream_socket_open(out, vm_attach_loop(vm), socket, err);
	return r ? r : vm_attach_owned(vm, close_stream, *out, err);
}

static void console_free(void *opaque)
{
	struct virtio_console *c = opaque;

	virtio_destroy(&c->device);
	free(c);
}

/* The machine's console device, made with its first port. */
static int console_device(struct virtio_console **out, struct doppel_vm *vm, struct error *err)
{
	struct machine_device d = {.kind = MACHINE_VIRTIO};
	struct virtio_console *c;
	int r;

	*out = vm->consoles;
	if (*out)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return error_set(err, -ENOMEM, "out of memory");
	d.name = vm_attach_name(vm, "console");
	virtio_console_init(c, d.name);
	d.virtio = &c->device;
	r = vm_attach_owned(vm, console_free, c, err);
	if (r == 0)
		r = vm_attach_device(vm, &d, err);
	*out = vm->consoles = c;
	return r;
}

static int attach_port(struct doppel_vm *vm, struct keys *k, struct error *err)
{
	const char *name = keys_text(k, "name");
	struct virtio_console *c;
	struct stream *s = NULL;
	bool connected = false;
	int r;

	if (name && (!*name || strlen(name) > VIRTIO_CONSOLE_NAME_MAX))
		return error_set(err, -EINVAL, "console %s: a name has 1 to %d characters", k->spec,
				 VIRTIO_CONSOLE_NAME_MAX);
	r = open_end(&s, &connected, vm, k, err);
	if (r == 0)
		r = keys_done(k, err);
	if (r == 0)
		r = console_device(&c, vm, err);
	if (r == 0 && !virtio_console_add_port(c, s, name, connected))
		r = error_set(err, -ENOSPC, "console %s: more than %d", k->spec,
			      VIRTIO_CONSOLE_PORTS_MAX);
	return r;
}

static int attach_console(struct doppel_vm *vm, const char *spec, struct error *err)
{
	struct keys k;
	int r = keys_parse(&k, "console", spec, false, err);

	if (r == 0)
		r = attach_port(vm, &k, err);
	keys_clear(&k);
	return r;
}

const struct vm_attach_kind vm_attach_console = {
	.name = "console",
	.spec = "stdio|pty[=LINK]|file=PATH|socket=PATH[,name=NAME]",
	.text = "a virtio console (hvc0, hvc1, ...); with a name a plain port,\n"
		"/dev/virtio-ports/NAME; stdio takes the keys from the serial port",
	.attach = attach_console,
};
