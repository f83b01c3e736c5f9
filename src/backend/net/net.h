/*
 * What a network card can be connected to: one const row for each kind, in its own file, listed in
 * net.c. A network end lives on the I/O thread's loop and implements struct net_network
 * (device/net.h).
 */
#ifndef BACKEND_NET_NET_H
#define BACKEND_NET_NET_H

#include "backend/loop.h"
#include "base/error.h"
#include "device/net.h"

/* What the user said behind the network's name. */
struct net_options {
	const char *value; /* "tap0" of tap=tap0; NULL if there is no = */
	/* The index-th value of a key, NULL if there are no more; "" for a flag without value. Good
	 * as long as open runs. */
	const char *(*get)(void *opaque, const char *key, unsigned index);
	void *opaque;
	unsigned queues; /* pairs the card would like, at least 1 */
};

struct net_backend {
	const char *name; /* "user" */
	const char *spec; /* "tap=IF|tap=fd:N": for help */
	const char *text;
	bool valued; /* NAME=VALUE, where value is needed; else NAME alone */
	/* 0 or -errno. With the loop not running. */
	int (*open)(struct net_network **out, struct io_loop *loop, const struct net_options *o,
		    struct error *err);
	/* Ends it and what it opened. With the loop not running. */
	void (*close)(struct net_network *n);
};

extern const struct net_backend net_none, net_socket, net_tap, net_user;
extern const struct net_backend *const net_backend_registry[]; /* NULL-terminated */

static inline const char *net_option(const struct net_options *o, const char *key, unsigned index)
{
	return o->get ? o->get(o->opaque, key, index) : NULL;
}

#endif
