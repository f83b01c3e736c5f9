/* I/O APIC: 24 redirection entries, version 0x20 (with EOI register). Intel 82093AA datasheet and
 * the ICH manuals for the EOI register. Left out: SMI; the arbitration bus. */
#ifndef DEVICE_IOAPIC_H
#define DEVICE_IOAPIC_H

#include "device/device.h"
#include "device/lapic.h"

enum { IOAPIC_PINS = 24, IOAPIC_LEN = 0x1000 };
#define IOAPIC_BASE_DEFAULT 0xfec00000ull

/* Redirection entry bits */
#define IOAPIC_LOGICAL	  (1ull << 11)
#define IOAPIC_PENDING	  (1ull << 12)
#define IOAPIC_LOW	  (1ull << 13)
#define IOAPIC_REMOTE_IRR (1ull << 14)
#define IOAPIC_LEVEL	  (1ull << 15)
#define IOAPIC_MASK	  (1ull << 16)

struct ioapic {
	/* state */
	uint32_t id; /* bits 27-24 */
	uint8_t select;
	uint64_t entry[IOAPIC_PINS];
	uint32_t level; /* asserted input pins */
	/* wiring */
	struct lapic_bus *bus;
	const struct trace *trace;
};

extern const struct io_ops ioapic_io_ops; /* opaque: struct ioapic; IOAPIC_LEN bytes */
extern const struct device_desc ioapic_desc;

void ioapic_init(struct ioapic *io, uint32_t id, struct lapic_bus *bus);
void ioapic_reset(void *ioapic);
/* Input pin n; usable as struct irq_line. level 1 = asserted (polarity is the board's business: the
 * entry's polarity bit is kept but not applied). Pins out of range are ignored. */
void ioapic_irq(void *ioapic, unsigned n, int level);
/* End of interrupt from a CPU, for lapic_bus.eoi. */
void ioapic_eoi(void *ioapic, unsigned vector);

#endif
