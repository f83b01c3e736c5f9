/* Host clocks and randomness on Linux: clock_gettime(2) and getrandom(2). */
#include "host/host.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t host_time_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t host_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

void host_random(void *buf, size_t len)
{
	unsigned char *p = buf;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			host_panic("doppel: the host gives no random bytes (getrandom)\n");
		p += n;
		len -= (size_t)n;
	}
}
