/*
 * Host and configuration errors: a function returns 0 or -errno and sets one message where the
 * error happened; callers unwind and add nothing.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
	char text[512];
};

/* Format the message into err (which may be NULL) and return code, for "return error_set(...)". */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Our own bug: print why with file and line through the host, and abort. Never reachable from
 * guest, file or host input. */
#define BUG_ON(cond, why)                                                                          \
	do {                                                                                       \
		if (__builtin_expect(!!(cond), 0))                                                 \
			bug_report(__FILE__, __LINE__, #cond, why);                                \
	} while (0)

_Noreturn void bug_report(const char *file, int line, const char *cond, const char *why);

#endif
