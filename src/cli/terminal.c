/*
 * Raw mode and signals; see terminal.h. Signal handlers can reach nothing but file-scope state:
 * `tty` below is the one such object in Doppel, and belongs to the process as the terminal does.
 */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
	struct termios saved, raw;
	volatile sig_atomic_t taken;
	int pipe[2];
} tty = {.pipe = {-1, -1}};

void terminal_restore(void)
{
	if (tty.taken) {
		tty.taken = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &tty.saved);
	}
}

static void send_byte(unsigned char b)
{
	int saved = errno;
	ssize_t n = write(tty.pipe[1], &b, 1);

	(void)n; /* full: the reader has enough to wake up for */
	errno = saved;
}

static void on_request(int sig)
{
	send_byte((unsigned char)sig);
}

/* Our own bug, or a fatal signal from outside: leave the terminal usable, then die of it. */
static void on_fatal(int sig)
{
	terminal_restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Back in the foreground after a stop: the shell has set the terminal to its own taste. */
static void on_continue(int sig)
{
	int saved = errno;

	(void)sig;
	if (tty.taken && tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSANOW, &tty.raw);
	errno = saved;
}

/* What a parent has had ignored (nohup, a job in the background of a script) stays so. */
static bool ignored(int sig)
{
	struct sigaction was;

	return sigaction(sig, NULL, &was) == 0 && was.sa_handler == SIG_IGN;
}

static void handle(int sig, void (*fn)(int))
{
	struct sigaction sa = {.sa_handler = fn, .sa_flags = SA_RESTART};

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

int terminal_watch_signals(void)
{
	static const int request[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

	if (pipe(tty.pipe) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		fcntl(tty.pipe[i], F_SETFD, FD_CLOEXEC);
		fcntl(tty.pipe[i], F_SETFL, O_NONBLOCK);
	}
	for (unsigned i = 0; i < sizeof(request) / sizeof(request[0]); i++)
		if (!ignored(request[i]))
			handle(request[i], on_request);
	for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		handle(fatal[i], on_fatal);
	handle(SIGCONT, on_continue);
	handle(SIGWINCH, on_request);
	signal(SIGPIPE, SIG_IGN);
	return tty.pipe[0];
}

void terminal_text(const char *text, size_t len)
{
	bool raw = tty.taken && isatty(STDERR_FILENO);

	flockfile(stderr);
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		fwrite(text, 1, n, stderr);
		if (end)
			fputs(raw ? "\r\n" : "\n", stderr);
		text += end ? n + 1 : n;
		len -= end ? n + 1 : n;
	}
	funlockfile(stderr);
}

void terminal_wake(void)
{
	send_byte(0);
}

enum terminal_event terminal_event(void)
{
	unsigned char b;

	if (read(tty.pipe[0], &b, 1) != 1)
		return TERMINAL_NONE;
	return b == SIGWINCH ? TERMINAL_RESIZED : TERMINAL_END;
}

bool terminal_size(unsigned *columns, unsigned *rows)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_col || !w.ws_row)
		return false;
	*columns = w.ws_col;
	*rows = w.ws_row;
	return true;
}

bool terminal_raw(void)
{
	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return false;
	if (tcgetattr(STDIN_FILENO, &tty.saved) < 0)
		return false;
	tty.raw = tty.saved;
	tty.raw.c_iflag &=
		~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	tty.raw.c_oflag &= ~(tcflag_t)OPOST; /* the guest has a terminal driver of its own */
	tty.raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	tty.raw.c_cflag = (tty.raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
	tty.raw.c_cc[VMIN] = 1;
	tty.raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &tty.raw) < 0)
		return false;
	tty.taken = 1;
	atexit(terminal_restore);
	return true;
}
