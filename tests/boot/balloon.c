/* A program of the library's with a balloon: the guest fills its page cache from a disk; inflating
 * has it give that memory up, and this process gets smaller; statistics follow, and so does
 * deflating. balloon KERNEL INITRD DISK; the exit status is 0 if all that came about. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doppel/doppel.h"

enum { MIB = 1 << 20, SECONDS = 300 };

struct console {
	pthread_mutex_t lock;
	char text[1 << 16];
	size_t len;
};

static void on_console(void *opaque, const uint8_t *bytes, size_t len)
{
	struct console *c = opaque;

	pthread_mutex_lock(&c->lock);
	if (c->len + len < sizeof(c->text)) {
		memcpy(c->text + c->len, bytes, len);
		c->len += len;
	}
	pthread_mutex_unlock(&c->lock);
}

static bool said(struct console *c, const char *text)
{
	bool yes;

	pthread_mutex_lock(&c->lock);
	yes = strstr(c->text, text) != NULL;
	pthread_mutex_unlock(&c->lock);
	return yes;
}

/* What of this process is in memory, MiB. */
static unsigned resident(void)
{
	unsigned kib = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %u", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib / 1024;
}

struct state {
	struct doppel_vm *vm;
	struct console console;
	struct doppel_balloon b;
	unsigned resident, before;
};

static bool is_cached(const struct state *s)
{
	return s->b.cache_bytes != UINT64_MAX && s->b.cache_bytes >= 200u * MIB;
}

static bool is_inflated(const struct state *s)
{
	return s->b.actual_bytes <= 160u * MIB;
}

static bool is_smaller(const struct state *s)
{
	return s->resident + 150 <= s->before && s->b.cache_bytes < 100u * MIB;
}

static bool is_deflated(const struct state *s)
{
	return s->b.actual_bytes == 512u * MIB && s->b.free_bytes > 300u * MIB;
}

static void must(struct state *s, const char *what, bool (*yes)(const struct state *))
{
	struct timespec pause = {0, 100000000};

	for (unsigned i = 0; i < SECONDS * 10; i++) {
		doppel_balloon_info(s->vm, &s->b);
		s->resident = resident();
		if (yes(s))
			break;
		nanosleep(&pause, NULL);
	}
	printf("%s: %s: resident %u, target %llu, actual %llu, free %llu, cache %llu MiB\n", what,
	       yes(s) ? "yes" : "NO", s->resident, (unsigned long long)s->b.target_bytes / MIB,
	       (unsigned long long)s->b.actual_bytes / MIB,
	       (unsigned long long)s->b.free_bytes / MIB,
	       (unsigned long long)s->b.cache_bytes / MIB);
	if (!yes(s))
		exit(1);
}

static bool is_read(const struct state *s)
{
	return said((struct console *)&s->console, "all read");
}

int main(int argc, char **argv)
{
	struct state s = {.console.lock = PTHREAD_MUTEX_INITIALIZER};
	struct doppel_device device[] = {{"balloon", ""}, {"disk", argv[argc - 1]}};
	struct doppel_config cfg;
	struct doppel_result result = {0};
	struct doppel_error err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 4)
		return 2;
	doppel_config_default(&cfg);
	cfg.kernel = argv[1];
	cfg.initrd = argv[2];
	cfg.append = "console=ttyS0 quiet doppel.run=\"exec 3</dev/vda; cat <&3 >/dev/null; echo "
		     "all read; read x\"";
	cfg.device = device;
	cfg.devices = 2;
	cfg.console_output = on_console;
	cfg.opaque = &s.console;
	if (doppel_create(&s.vm, &cfg, &err) < 0 || doppel_start(s.vm, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	must(&s, "the disk is read", is_read);
	must(&s, "statistics tell of the cache", is_cached);
	s.before = s.resident;
	doppel_balloon_set(s.vm, 128u * MIB);
	must(&s, "inflated", is_inflated);
	must(&s, "the process is smaller", is_smaller);
	doppel_balloon_set(s.vm, 512u * MIB);
	must(&s, "deflated", is_deflated);
	doppel_console_input(s.vm, (const uint8_t *)"\n", 1);
	doppel_wait(s.vm, SECONDS * 1000, &result);
	doppel_destroy(s.vm);
	return result.end == DOPPEL_END_POWEROFF ? 0 : 1;
}
