/* The guest's first serial port and this process's standard streams: what is typed, what is shown.
 */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/doppel.h"

struct console {
	struct doppel_vm *vm;
	int out_fd;		 /* where guest output goes; -1: nowhere */
	bool in_open;		 /* standard input is read */
	bool escapes;		 /* Ctrl-A is ours: only when keys come from a terminal */
	bool escaped;		 /* Ctrl-A was the last key */
	_Atomic int write_error; /* errno that ended writing to out_fd; 0 = none */
	_Atomic bool quitting;	 /* output that does not drain is dropped */
	uint8_t held[4096];	 /* read but not yet taken by the machine */
	size_t held_at, held_len;
};

/* Guest output; from a machine thread. Waits for a slow reader, but not past quitting. */
void console_output(struct console *c, const uint8_t *bytes, size_t len);

/* Standard input is readable: pass it on. False if the user asked to quit (Ctrl-A x). */
bool console_input(struct console *c);
/* Offer held bytes to the machine again. True if some are still held. */
bool console_flush(struct console *c);

#endif
