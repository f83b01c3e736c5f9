/* I/O APIC: see ioapic.h. 82093AA datasheet, section 3. */
#include "device/ioapic.h"

#include <string.h>

enum {
	IOAPIC_REG_ID = 0,
	IOAPIC_REG_VERSION = 1,
	IOAPIC_REG_ARBITRATION = 2,
	IOAPIC_REG_ENTRY = 0x10,
	IOAPIC_VERSION_VALUE = 0x20 | (IOAPIC_PINS - 1) << 16,
	IOAPIC_SELECT = 0x00, /* offsets in the page */
	IOAPIC_WINDOW = 0x10,
	IOAPIC_EOI = 0x40,
};
#define IOAPIC_ENTRY_READONLY (IOAPIC_PENDING | IOAPIC_REMOTE_IRR)
#define IOAPIC_ENTRY_WRITABLE 0xff0000000001afffull

/* Only fixed and lowest-priority messages can be level-triggered. */
static bool ioapic_is_level(uint64_t entry)
{
	return (entry & IOAPIC_LEVEL) && (entry >> 8 & 7) < LAPIC_SMI;
}

static bool ioapic_send(struct ioapic *io, unsigned n)
{
	uint64_t e = io->entry[n];

	TRACE(io->trace, TRACE_IRQ, "ioapic: pin %u vector %u dest %#x", n, (unsigned)(e & 0xff),
	      (unsigned)(e >> 56));
	return lapic_bus_deliver8(io->bus, (uint8_t)(e >> 56), e & IOAPIC_LOGICAL, e >> 8 & 7,
				  e & 0xff, ioapic_is_level(e));
}

/* A level-triggered pin sends while it is asserted and nothing of it is in flight. */
static void ioapic_service(struct ioapic *io, unsigned n)
{
	uint64_t e = io->entry[n];

	if ((e & (IOAPIC_MASK | IOAPIC_REMOTE_IRR)) || !ioapic_is_level(e) || !(io->level >> n & 1))
		return;
	/* Remote IRR first: accepting the message may already lead back here. */
	io->entry[n] |= IOAPIC_REMOTE_IRR;
	if (!ioapic_send(io, n))
		io->entry[n] &= ~IOAPIC_REMOTE_IRR;
}

void ioapic_irq(void *ioapic, unsigned n, int level)
{
	struct ioapic *io = ioapic;
	bool rise;

	if (n >= IOAPIC_PINS)
		return;
	rise = level && !(io->level >> n & 1);
	if (level)
		io->level |= 1u << n;
	else
		io->level &= ~(1u << n);
	/* An edge on a masked pin is lost. */
	if (rise && !(io->entry[n] & IOAPIC_MASK) && !ioapic_is_level(io->entry[n]))
		ioapic_send(io, n);
	else
		ioapic_service(io, n);
}

void ioapic_eoi(void *ioapic, unsigned vector)
{
	struct ioapic *io = ioapic;

	for (unsigned n = 0; n < IOAPIC_PINS; n++) {
		if ((io->entry[n] & 0xff) != (vector & 0xff) || !(io->entry[n] & IOAPIC_REMOTE_IRR))
			continue;
		io->entry[n] &= ~IOAPIC_REMOTE_IRR;
		ioapic_service(io, n);
	}
}

static uint32_t ioapic_reg_read(struct ioapic *io)
{
	unsigned n = (io->select - IOAPIC_REG_ENTRY) / 2u;

	if (io->select >= IOAPIC_REG_ENTRY)
		return n < IOAPIC_PINS ? (uint32_t)(io->entry[n] >> (io->select & 1 ? 32 : 0)) : 0;
	switch (io->select) {
	case IOAPIC_REG_ID:
	case IOAPIC_REG_ARBITRATION:
		return io->id << 24;
	case IOAPIC_REG_VERSION:
		return IOAPIC_VERSION_VALUE;
	}
	return 0;
}

static void ioapic_reg_write(struct ioapic *io, uint32_t value)
{
	unsigned n = (io->select - IOAPIC_REG_ENTRY) / 2u;
	unsigned shift = io->select & 1 ? 32 : 0;
	uint64_t half = 0xffffffffull << shift & IOAPIC_ENTRY_WRITABLE, e;

	if (io->select == IOAPIC_REG_ID)
		io->id = value >> 24 & 15;
	if (io->select < IOAPIC_REG_ENTRY || n >= IOAPIC_PINS)
		return;
	e = (io->entry[n] & ~half) | ((uint64_t)value << shift & half);
	/* Turning an entry edge-triggered clears remote IRR: how systems clear a stuck one without
	 * the EOI register. */
	if (!(e & IOAPIC_LEVEL))
		e &= ~IOAPIC_REMOTE_IRR;
	io->entry[n] = e;
	ioapic_service(io, n);
}

static uint64_t ioapic_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct ioapic *io = opaque;

	switch (offset) {
	case IOAPIC_SELECT:
		return io->select;
	case IOAPIC_WINDOW:
		return ioapic_reg_read(io);
	}
	return 0;
}

static void ioapic_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct ioapic *io = opaque;

	switch (offset) {
	case IOAPIC_SELECT:
		io->select = (uint8_t)value;
		break;
	case IOAPIC_WINDOW:
		ioapic_reg_write(io, (uint32_t)value);
		break;
	case IOAPIC_EOI:
		ioapic_eoi(io, value & 0xff);
		break;
	}
}

void ioapic_reset(void *ioapic)
{
	struct ioapic *io = ioapic;

	io->select = 0;
	for (unsigned n = 0; n < IOAPIC_PINS; n++)
		io->entry[n] = IOAPIC_MASK;
}

void ioapic_init(struct ioapic *io, uint32_t id, struct lapic_bus *bus)
{
	memset(io, 0, sizeof(*io));
	io->id = id & 15;
	io->bus = bus;
	ioapic_reset(io);
}

const struct io_ops ioapic_io_ops = {ioapic_read, ioapic_write, 4};

static const struct field ioapic_fields[] = {
	FIELD(struct ioapic, id),
	FIELD(struct ioapic, select),
	FIELD_ARRAY(struct ioapic, entry),
	FIELD(struct ioapic, level),
	FIELD_END,
};

const struct device_desc ioapic_desc = {
	.name = "ioapic",
	.text = "I/O interrupt controller",
	.state_bytes = sizeof(struct ioapic),
	.fields = ioapic_fields,
	.reset = ioapic_reset,
};
