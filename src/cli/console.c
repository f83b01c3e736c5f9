/* Console bytes in both directions, and the Ctrl-A keys; see console.h. */
#include "cli/console.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/terminal.h"

enum {
	KEY_ESCAPE = 1,	   /* Ctrl-A */
	WRITE_CHUNK = 512, /* no more than a pipe takes whole once it polls writable (PIPE_BUF) */
	WRITE_POLL_MS = 100,
};

static const char keys_text[] = "\n"
				"Ctrl-A h       this list\n"
				"Ctrl-A x       quit: stop the machine\n"
				"Ctrl-A Ctrl-A  send Ctrl-A to the guest\n";

/* Ready to be written to; false when quitting or the reader is gone. */
static bool wait_writable(struct console *c)
{
	struct pollfd p = {c->out_fd, POLLOUT, 0};

	while (!atomic_load(&c->quitting)) {
		int r = poll(&p, 1, WRITE_POLL_MS);

		if (r > 0)
			return p.revents & POLLOUT;
		if (r < 0 && errno != EINTR)
			return false;
	}
	return poll(&p, 1, 0) > 0 && (p.revents & POLLOUT);
}

/* What the guest says must not get lost in silence: the machine is stopped. A terminal that has
 * gone is another matter, SIGHUP says what becomes of that. */
static void write_failed(struct console *c, int error)
{
	struct stat st;

	if (error == EIO && fstat(c->out_fd, &st) == 0 && S_ISCHR(st.st_mode))
		return;
	if (!atomic_load(&c->quitting) && !atomic_exchange(&c->write_error, error))
		terminal_wake();
}

void console_output(struct console *c, const uint8_t *bytes, size_t len)
{
	while (len > 0 && c->out_fd >= 0) {
		size_t chunk = len < WRITE_CHUNK ? len : WRITE_CHUNK;
		ssize_t n;

		if (!wait_writable(c))
			return;
		n = write(c->out_fd, bytes, chunk);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			write_failed(c, errno);
			return;
		}
		bytes += n;
		len -= (size_t)n;
	}
}

/* One key; returns false to quit, and sets *send if the guest is to have it. */
static bool key(struct console *c, uint8_t k, bool *send)
{
	*send = true;
	if (!c->escapes)
		return true;
	if (!c->escaped) {
		c->escaped = k == KEY_ESCAPE;
		*send = !c->escaped;
		return true;
	}
	c->escaped = false;
	*send = k == KEY_ESCAPE;
	if (k == 'h' || k == '?')
		terminal_text(keys_text, sizeof(keys_text) - 1);
	return k != 'x' && k != 'X';
}

bool console_flush(struct console *c)
{
	c->held_at += doppel_console_input(c->vm, c->held + c->held_at, c->held_len - c->held_at);
	if (c->held_at < c->held_len)
		return true;
	c->held_at = c->held_len = 0;
	return false;
}

bool console_input(struct console *c)
{
	uint8_t buf[sizeof(c->held)];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		c->in_open = false; /* the end of the input is not the end of the machine */
		return true;
	}
	for (ssize_t i = 0; i < n; i++) {
		bool send;

		if (!key(c, buf[i], &send))
			return false;
		if (send)
			c->held[c->held_len++] = buf[i];
	}
	console_flush(c);
	return true;
}
