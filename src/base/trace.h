/*
 * Trace events: one table, switched by name at run time (`--trace uart,irq`), written through a
 * sink that belongs to the machine. Off costs one load and one branch.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

enum trace_event {
	TRACE_UART,
	TRACE_IRQ,
	TRACE_APIC,
	TRACE_TIMER,
	TRACE_PIO,
	TRACE_MMIO,
	TRACE_UNASSIGNED, /* accesses that nothing answers */
	TRACE_MSR,
	TRACE_CPUID,
	TRACE_FAULT,
	TRACE_MODE, /* mode switches: CR0/CR4/EFER, task switches */
	TRACE_TLB,
	TRACE_BLOCK,
	TRACE_SMC,
	TRACE_PCI,
	TRACE_ACPI,
	TRACE_KEYBOARD,
	TRACE_BOOT,
	TRACE_CPU, /* INIT, SIPI, halt, wake */
	TRACE_VIRTIO,
	TRACE_COUNT
};

/* Owned by the machine; the sink gets one whole line without newline, from any thread. */
struct trace {
	uint64_t enabled; /* bit per event */
	void (*sink)(void *opaque, const char *line);
	void *opaque;
};

static inline bool trace_on(const struct trace *t, enum trace_event e)
{
	return t && (t->enabled >> e & 1);
}

/* printf one event; call through TRACE so that arguments are not evaluated when it is off. */
void trace_print(const struct trace *t, enum trace_event e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define TRACE(t, e, ...)                                                                           \
	do {                                                                                       \
		if (__builtin_expect(trace_on(t, e), 0))                                           \
			trace_print(t, e, __VA_ARGS__);                                            \
	} while (0)

const char *trace_name(enum trace_event e);
const char *trace_text(enum trace_event e);

/* Turn "uart,irq" or "all" into bits. Returns 0, or -1 with the offending word in bad[]. */
int trace_parse(const char *list, uint64_t *enabled, char *bad, size_t bad_len);

#endif
