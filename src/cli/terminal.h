/*
 * The terminal while a machine owns it: raw, so that every key reaches the guest, and given back
 * on every way out. Signals become bytes on a pipe that the main loop polls.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Watch those of SIGINT, SIGTERM, SIGHUP and SIGQUIT that are not ignored, and SIGWINCH; returns
 * the descriptor that is readable when there is a terminal_event, or -1. SIGPIPE is ignored from
 * here on. */
int terminal_watch_signals(void);
enum terminal_event {
	TERMINAL_NONE,
	TERMINAL_END,	  /* a signal to end, or terminal_wake */
	TERMINAL_RESIZED, /* the terminal has another size */
};
enum terminal_event terminal_event(void);
/* The terminal at standard output. False if there is none, or it does not know. */
bool terminal_size(unsigned *columns, unsigned *rows);
/* TERMINAL_END, from another thread. */
void terminal_wake(void);

/* Put standard input into raw mode if it is a terminal that we have to ourselves. True if so. */
bool terminal_raw(void);
/* Write to standard error from any thread, whole, with the line ends that the terminal needs now.
 */
void terminal_text(const char *text, size_t len);
/* Give the terminal back as it was. Harmless if it was never taken; safe in a signal handler. */
void terminal_restore(void);

#endif
