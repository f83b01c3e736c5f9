/*
 * Names for perf(1): "START SIZE name" lines, in hex, in /tmp/perf-PID.map (tools/perf,
 * Documentation/jit-interface.txt of Linux). perf reads the file after the process has ended, so it
 * stays; one left over by an earlier process of this number is started anew. Lines never go away:
 * code that took the place of other code has the later line.
 */
#define _GNU_SOURCE
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Wall-clock seconds at which this process started; 0 if unknown. */
static time_t started(void)
{
	char text[1024] = "", *p;
	unsigned long long ticks = 0;
	struct timespec up, wall;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = 0;
	close(fd);
	p = strrchr(text, ')'); /* the second field may hold anything; the start is the 22nd */
	for (unsigned field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, "%llu", &ticks) != 1)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &up);
	clock_gettime(CLOCK_REALTIME, &wall);
	return wall.tv_sec - up.tv_sec + (time_t)(ticks / (unsigned long long)sysconf(_SC_CLK_TCK));
}

int host_perf_map_open(struct host_perf_map *m)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)getpid());
	m->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		     0600);
	if (m->fd < 0)
		return -errno;
	/* The name can be guessed and /tmp is everybody's: write only to a plain file of ours. */
	if (fstat(m->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_nlink != 1) {
		host_perf_map_close(m);
		return -EEXIST;
	}
	/* Two seconds: the roundings of both times. */
	if (st.st_size && st.st_mtime + 2 < started() && ftruncate(m->fd, 0) < 0) {
		host_perf_map_close(m);
		return -EIO;
	}
	return 0;
}

void host_perf_map_add(struct host_perf_map *m, const void *rx, size_t bytes, const char *name)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%llx %llx %.200s\n",
			 (unsigned long long)(uintptr_t)rx, (unsigned long long)bytes, name);

	/* One write a line: threads do not mix. A name lost to a full disk is no reason to stop. */
	if (m->fd >= 0 && write(m->fd, line, (size_t)n) < 0)
		return;
}

void host_perf_map_close(struct host_perf_map *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}
