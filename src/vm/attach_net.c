/* --net: a network card and the network behind it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/net.h"
#include "device/e1000.h"
#include "device/virtio/net.h"
#include "vm/attach.h"
#include "vm/keys.h"
#include "vm/vm.h"

enum { MAC_BYTES = 6 };

enum model { MODEL_VIRTIO, MODEL_E1000 };
static const char *const models[] = {"virtio", "e1000", NULL};

/* One of the cards is there. */
struct net {
	const struct net_backend *backend;
	struct net_network *network;
	struct virtio_net *virtio;
	struct e1000 *e1000;
};

static void destroy(void *opaque)
{
	struct net *n = opaque;

	if (n->virtio)
		virtio_destroy(&n->virtio->device);
	free(n->virtio);
	free(n->e1000);
	if (n->network)
		n->backend->close(n->network);
	free(n);
}

/* ---- the card's address */

static bool parse_mac(const char *text, uint8_t mac[MAC_BYTES])
{
	unsigned v[MAC_BYTES];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		   &end) != MAC_BYTES ||
	    text[end])
		return false;
	for (unsigned i = 0; i < MAC_BYTES; i++)
		mac[i] = (uint8_t)v[i];
	return !(mac[0] & 1);
}

/* Machines that are to meet on one network must differ; runs that are to repeat must not. */
static void make_mac(const struct doppel_vm *vm, uint8_t mac[MAC_BYTES])
{
	memcpy(mac, "\x52\x54\x00\x12\x34\x56", MAC_BYTES);
	if (vm->cfg.counted)
		mac[5] = (uint8_t)(mac[5] + vm->attached.devices);
	else
		host_random(mac + 3, 3);
}

static int choose_mac(const struct doppel_vm *vm, struct keys *k, uint8_t mac[MAC_BYTES],
		      struct error *err)
{
	const char *text = keys_text(k, "mac");

	make_mac(vm, mac);
	if (text && !parse_mac(text, mac))
		return error_set(
			err, -EINVAL,
			"net %s: mac=%s: must be six bytes in hex, like 52:54:00:12:34:56, "
			"the first one even",
			k->spec, text);
	return 0;
}

/* ---- the network */

static const char *option(void *opaque, const char *key, unsigned index)
{
	return keys_next(opaque, key, index);
}

static const struct net_backend *find(const char *name, size_t len)
{
	for (unsigned i = 0; net_backend_registry[i]; i++)
		if (strlen(net_backend_registry[i]->name) == len &&
		    memcmp(net_backend_registry[i]->name, name, len) == 0)
			return net_backend_registry[i];
	return NULL;
}

static int open_network(struct net *n, struct doppel_vm *vm, struct keys *k, unsigned queues,
			struct error *err)
{
	size_t len = strcspn(k->first, "=");
	const char *value = k->first[len] ? k->first + len + 1 : NULL;
	struct net_options o = {value, option, k, queues};

	n->backend = find(k->first, len);
	if (!n->backend)
		return error_set(err, -EINVAL,
				 "net %s: must begin with user, tap=IF, socket=PATH or none",
				 k->spec);
	if (n->backend->valued != (value != NULL))
		return error_set(err, -EINVAL, "net %s: it is %s", k->spec, n->backend->spec);
	return n->backend->open(&n->network, vm_attach_loop(vm), &o, err);
}

/* ---- the option */

static int add_virtio(struct net *n, struct doppel_vm *vm, const uint8_t mac[MAC_BYTES],
		      struct error *err)
{
	struct machine_device d = {.kind = MACHINE_VIRTIO, .name = vm_attach_name(vm, "net")};

	n->virtio = malloc(sizeof(*n->virtio));
	if (!n->virtio)
		return error_set(err, -ENOMEM, "out of memory");
	virtio_net_init(n->virtio, d.name, mac, n->network);
	d.virtio = &n->virtio->device;
	return vm_attach_device(vm, &d, err);
}

static int add_e1000(struct net *n, struct doppel_vm *vm, const uint8_t mac[MAC_BYTES],
		     struct error *err)
{
	struct machine_device d = {
		.kind = MACHINE_PCI, .name = vm_attach_name(vm, "net"), .desc = &e1000_desc};

	n->e1000 = malloc(sizeof(*n->e1000));
	if (!n->e1000)
		return error_set(err, -ENOMEM, "out of memory");
	e1000_init(n->e1000, mac, n->network);
	d.pci = &n->e1000->pci;
	d.state = n->e1000;
	return vm_attach_device(vm, &d, err);
}

static int attach_keys(struct doppel_vm *vm, struct keys *k, struct error *err)
{
	unsigned model = MODEL_VIRTIO;
	uint64_t queues = 1;
	uint8_t mac[MAC_BYTES];
	struct net *n;
	int r = keys_word(k, "model", models, &model, err);

	if (r == 0)
		r = keys_number(k, "queues", 1, VIRTIO_NET_PAIRS_MAX, &queues, err);
	if (r == 0)
		r = choose_mac(vm, k, mac, err);
	if (r)
		return r;
	n = calloc(1, sizeof(*n));
	if (!n)
		return error_set(err, -ENOMEM, "out of memory");
	r = vm_attach_owned(vm, destroy, n, err);
	if (r == 0)
		r = open_network(n, vm, k, (unsigned)queues, err);
	if (r == 0)
		r = keys_done(k, err);
	if (r)
		return r;
	return model == MODEL_E1000 ? add_e1000(n, vm, mac, err) : add_virtio(n, vm, mac, err);
}

static int attach(struct doppel_vm *vm, const char *spec, struct error *err)
{
	struct keys k;
	int r = keys_parse(&k, "net", spec, true, err);

	if (r == 0)
		r = attach_keys(vm, &k, err);
	keys_clear(&k);
	return r;
}

const struct vm_attach_kind vm_attach_net = {
	.name = "net",
	.spec = "user|tap=IF|socket=PATH|none[,model=virtio|e1000][,mac=ADDR][,queues=N][,KEY="
		"VALUE]...",
	.text = "a network card, and what it is connected to:\n"
		"user: NAT through this process, with DHCP and DNS; "
		"forward=tcp:HOSTPORT:GUESTPORT\n"
		"tap=IF, tap=fd:N: a TAP interface of the host\n"
		"socket=PATH: another machine's, passt's or QEMU's stream; none: nothing",
	.attach = attach,
};
