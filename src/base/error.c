#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "host/host.h"

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

_Noreturn void bug_report(const char *file, int line, const char *cond, const char *why)
{
	char text[512];

	snprintf(text, sizeof(text), "doppel: bug at %s:%d: %s (%s)\n", file, line, why, cond);
	host_panic(text);
}
