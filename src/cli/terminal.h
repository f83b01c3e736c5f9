/*
 * The terminal while a machine owns it: raw, so that every key reaches the guest, and given back
 * on every way out. Signals become bytes on a pipe that the main loop polls.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Watch those of SIGINT, SIGTERM, SIGHUP and SIGQUIT that are not ignored; returns the pipe's
 * reading end, or -1. A byte on it is a signal's number. SIGPIPE is ignored from here on. */
int terminal_watch_signals(void);
/* A byte for the same pipe from another thread; 0 wakes without a signal. */
void terminal_wake(void);

/* Put standard input into raw mode if it is a terminal that we have to ourselves. True if so. */
bool terminal_raw(void);
/* Write to standard error from any thread, whole, with the line ends that the terminal needs now.
 */
void terminal_text(const char *text, size_t len);
/* Give the terminal back as it was. Harmless if it was never taken; safe in a signal handler. */
void terminal_restore(void);

#endif
