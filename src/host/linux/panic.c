/* The end of the monitor by its own bug: say why, leave a core. */
#include "host/host.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void host_panic(const char *text)
{
	/* write(2), not stdio: the bug may have been inside stdio, or the buffer never flushed. */
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
	abort();
}
