/*
 * User-mode network: libslirp plays router, DHCP and DNS server for the guest and turns its
 * connections into sockets of this process. Needs no permission. libslirp has variables that all
 * its instances of a process share (the time, the host's DNS server), none of which hurt when
 * written twice.
 *
 * Left out: guestfwd, the emulation of old protocols, SMB.
 */
#include "backend/net/user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MTU_DEFAULT = 1500, MTU_MIN = 1280, MTU_MAX = 65521, SEARCH_MAX = 16 };

static void on_error(const char *msg, void *user)
{
}

static void on_register(int fd, void *user)
{
	user_poll_forget(fd, user); /* another socket by that number is gone */
}

/* clang-format off */
static const SlirpCb callbacks = {
	.send_packet = user_frame_out,
	.guest_error = on_error,
	.clock_get_ns = user_clock,
	.timer_new = user_timer_new,
	.timer_free = user_timer_free,
	.timer_mod = user_timer_mod,
	.register_poll_fd = on_register,
	.unregister_poll_fd = user_poll_forget,
	.notify = user_poll_changed,
};
/* clang-format on */

/* ---- options */

static int wrong(const char *key, const char *v, const char *must, struct error *err)
{
	return error_set(err, -EINVAL, "net user: %s=%s: must be %s", key, v, must);
}

static int flag(const struct net_options *o, const char *key, bool *out, struct error *err)
{
	const char *v = net_option(o, key, 0);

	if (!v)
		return 0;
	if (!*v || !strcmp(v, "yes") || !strcmp(v, "on") || !strcmp(v, "true"))
		*out = true;
	else if (!strcmp(v, "no") || !strcmp(v, "off") || !strcmp(v, "false"))
		*out = false;
	else
		return wrong(key, v, "yes or no", err);
	return 0;
}

/* ADDR/BITS; bits stay where there are none. */
static int subnet(const char *v, int family, void *addr, unsigned *bits, unsigned bits_max)
{
	char text[INET6_ADDRSTRLEN];
	size_t len = strcspn(v, "/");

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, v, len);
	text[len] = 0;
	if (v[len]) {
		char *end;

		*bits = (unsigned)strtoul(v + len + 1, &end, 10);
		if (*end || end == v + len + 1 || *bits > bits_max)
			return -EINVAL;
	}
	return inet_pton(family, text, addr) == 1 ? 0 : -EINVAL;
}

static struct in_addr host_of(const SlirpConfig *c, uint32_t n)
{
	return (struct in_addr){c->vnetwork.s_addr | (htonl(n) & ~c->vnetmask.s_addr)};
}

static int address4(const struct net_options *o, const char *key, const SlirpConfig *c,
		    struct in_addr *out, struct error *err)
{
	const char *v = net_option(o, key, 0);

	if (!v)
		return 0;
	if (inet_pton(AF_INET, v, out) != 1 ||
	    (out->s_addr & c->vnetmask.s_addr) != c->vnetwork.s_addr)
		return wrong(key, v, "an address of the guest's network (net=)", err);
	return 0;
}

static int network4(const struct net_options *o, SlirpConfig *c, struct error *err)
{
	const char *v = net_option(o, "net", 0), *dns = net_option(o, "dns", 0);
	unsigned bits = 24;
	int r;

	if (subnet(v ? v : "10.0.2.0", AF_INET, &c->vnetwork, &bits, 28) < 0 || bits < 8)
		return wrong("net", v, "ADDRESS/BITS with 8 to 28 bits", err);
	c->vnetmask.s_addr = htonl(~0u << (32 - bits));
	c->vnetwork.s_addr &= c->vnetmask.s_addr;
	c->vhost = host_of(c, 2);
	c->vnameserver = host_of(c, 3);
	c->vdhcp_start = host_of(c, bits > 27 ? 8 : 15);
	r = address4(o, "host", c, &c->vhost, err);
	if (r == 0)
		r = address4(o, "dhcpstart", c, &c->vdhcp_start, err);
	if (dns && (!strcmp(dns, "no") || !strcmp(dns, "off")))
		c->disable_dns = true;
	else if (r == 0)
		r = address4(o, "dns", c, &c->vnameserver, err);
	if (r == 0 && c->vhost.s_addr == c->vnameserver.s_addr)
		return error_set(err, -EINVAL, "net user: host and dns are the same address");
	return r;
}

static int network6(const struct net_options *o, SlirpConfig *c, struct error *err)
{
	const char *v = net_option(o, "net6", 0);
	unsigned bits = 64;

	if (subnet(v ? v : "fec0::", AF_INET6, &c->vprefix_addr6, &bits, 126) < 0)
		return wrong("net6", v, "PREFIX/BITS", err);
	c->vprefix_len = (uint8_t)bits;
	c->vhost6 = c->vnameserver6 = c->vprefix_addr6;
	c->vhost6.s6_addr[15] |= 2;
	c->vnameserver6.s6_addr[15] |= 3;
	return 0;
}

static int mtu(struct user *u, const struct net_options *o, struct error *err)
{
	const char *v = net_option(o, "mtu", 0);
	char *end;

	u->mtu = MTU_DEFAULT;
	if (!v)
		return 0;
	u->mtu = (unsigned)strtoul(v, &end, 10);
	if (*end || u->mtu < MTU_MIN || u->mtu > MTU_MAX)
		return wrong("mtu", v, "1280 to 65521", err);
	u->network.mtu = u->mtu;
	return 0;
}

static int configure(struct user *u, const struct net_options *o, SlirpConfig *c,
		     const char **search, struct error *err)
{
	bool four = true, six = true, restricted = false, loopback = true;
	int r = flag(o, "ipv4", &four, err);

	if (r == 0)
		r = flag(o, "ipv6", &six, err);
	if (r == 0)
		r = flag(o, "restrict", &restricted, err);
	if (r == 0)
		r = flag(o, "loopback", &loopback, err);
	if (r == 0)
		r = network4(o, c, err);
	if (r == 0)
		r = network6(o, c, err);
	if (r == 0)
		r = mtu(u, o, err);
	if (r < 0)
		return r;
	c->in_enabled = four;
	c->in6_enabled = six;
	c->restricted = restricted;
	c->disable_host_loopback = !loopback;
	c->vhostname = net_option(o, "hostname", 0);
	c->vdomainname = net_option(o, "domain", 0);
	c->tftp_path = net_option(o, "tftp", 0);
	c->bootfile = net_option(o, "bootfile", 0);
	for (unsigned i = 0; i < SEARCH_MAX && (search[i] = net_option(o, "dnssearch", i)); i++)
		c->vdnssearch = search;
	if (!four && !six)
		return error_set(err, -EINVAL, "net user: neither IPv4 nor IPv6 is left");
	return 0;
}

/* ---- begin and end */

static void user_close(struct net_network *n)
{
	struct user *u = (struct user *)n;

	if (u->slirp)
		slirp_cleanup(u->slirp);
	user_poll_end(u);
	user_frames_clear(u);
	free(u);
}

static int begin(struct user *u, const struct net_options *o, struct error *err)
{
	/* Frames as large as it can make: user_frames.c */
	SlirpConfig c = {.version = 3, .if_mtu = MTU_MAX, .if_mru = MTU_MAX};
	const char *search[SEARCH_MAX + 1] = {NULL};
	int r = configure(u, o, &c, search, err);

	if (r == 0)
		r = user_poll_begin(u, err);
	if (r < 0)
		return r;
	u->guest = c.vdhcp_start;
	u->slirp = slirp_new(&c, &callbacks, u);
	if (!u->slirp)
		return error_set(err, -EINVAL, "net user: libslirp refuses these options");
	user_poll_time(u);
	return user_forward(u, o, err);
}

static int user_open(struct net_network **out, struct io_loop *loop, const struct net_options *o,
		     struct error *err)
{
	struct user *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return error_set(err, -ENOMEM, "out of memory");
	u->loop = loop;
	u->network.queues = o->queues;
	user_frames_init(u);
	r = begin(u, o, err);
	if (r < 0) {
		user_close(&u->network);
		return r;
	}
	*out = &u->network;
	return 0;
}

const struct net_backend net_user = {
	.name = "user",
	.spec = "user[,forward=tcp|udp:[HOSTADDR:]HOSTPORT:[GUESTADDR:]GUESTPORT]...",
	.text = "NAT through this process, with DHCP and DNS; no permission needed\n"
		"more: net= host= dhcpstart= dns= net6= ipv4= ipv6= restrict hostname= domain=\n"
		"      dnssearch= tftp= bootfile= mtu= loopback=no",
	.open = user_open,
	.close = user_close,
};
