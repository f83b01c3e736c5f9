/* forward=tcp|udp:[HOSTADDR:]HOSTPORT:[GUESTADDR:]GUESTPORT: ports of the host that lead into the
 * guest. Addresses of IPv6 stand in brackets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/user.h"
#include "base/bits.h"

enum { PARTS_MAX = 5, ADDR_TEXT = 64 };

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static int wrong(const char *text, const char *why, struct error *err)
{
	return error_set(err, -EINVAL,
			 "net user: forward=%s: %s; it is "
			 "tcp|udp:[HOSTADDR:]HOSTPORT:[GUESTADDR:]GUESTPORT",
			 text, why);
}

/* Cut at colons outside brackets. The number of parts, or 0 if they are too many or too long. */
static unsigned split(const char *text, char part[PARTS_MAX][ADDR_TEXT])
{
	unsigned n = 0;

	for (;;) {
		bool inside = *text == '[';
		size_t len = inside ? strcspn(text, "]") : strcspn(text, ":");

		if (inside) { /* without the brackets */
			text++;
			if (text[len - 1] != ']')
				return 0;
			len--;
		}
		if (n == PARTS_MAX || len >= ADDR_TEXT)
			return 0;
		memcpy(part[n], text, len);
		part[n++][len] = 0;
		text += len + inside;
		if (!*text)
			return n;
		if (*text++ != ':')
			return 0;
	}
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == 0;
}

static bool port(const char *s, uint16_t *out)
{
	unsigned long v = is_number(s) ? strtoul(s, NULL, 10) : 0;

	*out = htons((uint16_t)v);
	return v > 0 && v < 65536;
}

static bool address(union address *a, const char *host, const char *at)
{
	uint16_t number;

	memset(a, 0, sizeof(*a));
	if (!port(at, &number))
		return false;
	if (inet_pton(AF_INET, host, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = number;
		return true;
	}
	if (inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = number;
		return true;
	}
	return false;
}

static socklen_t length(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static int forward(struct user *u, const char *text, struct error *err)
{
	char part[PARTS_MAX][ADDR_TEXT], guest_addr[INET_ADDRSTRLEN];
	unsigned parts = split(text, part), at = 1;
	const char *host = "0.0.0.0", *guest = guest_addr, *host_port;
	bool udp = parts && strcmp(part[0], "udp") == 0;
	union address from, to;

	inet_ntop(AF_INET, &u->guest, guest_addr, sizeof(guest_addr));
	if (parts < 3)
		return wrong(text, "too short", err);
	if (!udp && strcmp(part[0], "tcp") != 0)
		return wrong(text, "neither tcp nor udp", err);
	if (parts == 5 || (parts == 4 && !is_number(part[1])))
		host = part[at++];
	host_port = part[at++];
	if (parts - at == 2)
		guest = part[at++];
	if (parts - at != 1)
		return wrong(text, "a port is missing", err);
	if (!*host)
		host = "0.0.0.0";
	if (!*guest)
		guest = guest_addr;
	if (!address(&from, host, host_port))
		return wrong(text, "wrong address or port of the host", err);
	if (!address(&to, guest, part[at]))
		return wrong(text, "wrong address or port of the guest", err);
	if (slirp_add_hostxfwd(u->slirp, &from.any, length(&from), &to.any, length(&to),
			       udp ? SLIRP_HOSTFWD_UDP : 0) < 0) {
		int e = errno ? errno : EINVAL;

		return error_set(err, -e, "net user: cannot listen on %s port %s%s%s: %s", part[0],
				 host_port, strcmp(host, "0.0.0.0") ? " of " : "",
				 strcmp(host, "0.0.0.0") ? host : "", strerror(e));
	}
	return 0;
}

int user_forward(struct user *u, const struct net_options *o, struct error *err)
{
	const char *text;
	int r;

	for (unsigned i = 0; (text = net_option(o, "forward", i)); i++) {
		r = forward(u, text, err);
		if (r)
			return r;
	}
	return 0;
}
