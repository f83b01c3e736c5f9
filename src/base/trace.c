#include "base/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *text;
} rows[TRACE_COUNT] = {
	[TRACE_UART] = {"uart", "serial port registers"},
	[TRACE_IRQ] = {"irq", "interrupt lines and controllers"},
	[TRACE_APIC] = {"apic", "local APIC registers and interrupts between CPUs"},
	[TRACE_TIMER] = {"timer", "timer devices"},
	[TRACE_PIO] = {"pio", "port accesses"},
	[TRACE_MMIO] = {"mmio", "device accesses through memory"},
	[TRACE_UNASSIGNED] = {"unassigned", "accesses that no device answers"},
	[TRACE_MSR] = {"msr", "model-specific registers"},
	[TRACE_CPUID] = {"cpuid", "CPUID"},
	[TRACE_FAULT] = {"fault", "exceptions and interrupts delivered"},
	[TRACE_MODE] = {"mode", "processor mode switches"},
	[TRACE_TLB] = {"tlb", "TLB fills and flushes"},
	[TRACE_BLOCK] = {"block", "blocks lifted"},
	[TRACE_SMC] = {"smc", "stores into cached code"},
	[TRACE_PCI] = {"pci", "PCI configuration space"},
	[TRACE_ACPI] = {"acpi", "ACPI registers"},
	[TRACE_KEYBOARD] = {"keyboard", "keyboard controller"},
	[TRACE_BOOT] = {"boot", "what the loader puts where"},
	[TRACE_CPU] = {"cpu", "INIT, SIPI, halt and wake"},
	[TRACE_VIRTIO] = {"virtio", "virtio devices: status, queues, broken rules"},
};

const char *trace_name(enum trace_event e)
{
	return rows[e].name;
}

const char *trace_text(enum trace_event e)
{
	return rows[e].text;
}

void trace_print(const struct trace *t, enum trace_event e, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n = snprintf(line, sizeof(line), "%s: ", rows[e].name);

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if (t->sink)
		t->sink(t->opaque, line);
}

static int find(const char *word, size_t len)
{
	for (int e = 0; e < TRACE_COUNT; e++)
		if (strlen(rows[e].name) == len && memcmp(rows[e].name, word, len) == 0)
			return e;
	return -1;
}

int trace_parse(const char *list, uint64_t *enabled, char *bad, size_t bad_len)
{
	while (*list) {
		size_t len = 0;
		while (list[len] && list[len] != ',')
			len++;
		int e = find(list, len);
		if (len == 3 && memcmp(list, "all", 3) == 0)
			*enabled = ~0ull;
		else if (e >= 0)
			*enabled |= 1ull << e;
		else {
			snprintf(bad, bad_len, "%.*s", (int)len, list);
			return -1;
		}
		list += len;
		if (*list == ',')
			list++;
	}
	return 0;
}
