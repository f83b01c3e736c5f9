/*
 * Messages between interrupt controllers: who is addressed, and IPIs. SDM vol. 3, 11.6 (IPIs,
 * destination modes) and 11.12.9-10 (x2APIC); 11.11 for message signalled interrupts.
 */
#include "device/lapic_parts.h"

uint32_t lapic_ldr(const struct lapic *l)
{
	return lapic_x2apic(l) ? (l->id >> 4) << 16 | 1u << (l->id & 15) : l->ldr;
}

static bool lapic_match_logical(const struct lapic *l, uint32_t dest)
{
	uint32_t ldr = lapic_ldr(l);

	if (lapic_x2apic(l))
		return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff);
	if (dest > 0xff)
		return false;
	if (l->dfr >> 28 == 0xf) /* flat model */
		return dest & ldr >> 24;
	return (dest >> 4 == ldr >> 28 || dest >> 4 == 0xf) && (dest & ldr >> 24 & 0xf);
}

static bool lapic_match(const struct lapic *l, uint32_t dest, bool logical)
{
	if (dest == UINT32_MAX)
		return true;
	if (logical)
		return lapic_match_logical(l, dest);
	return dest == (lapic_x2apic(l) ? l->id : l->xapic_id >> 24);
}

static struct lapic *lapic_bus_lowest(struct lapic_bus *bus, uint32_t dest, bool logical)
{
	struct lapic *best = NULL;

	for (unsigned i = 0; i < bus->count; i++) {
		struct lapic *l = bus->lapic[i];

		if (!lapic_hw_enabled(l) || !lapic_sw_enabled(l) || !lapic_match(l, dest, logical))
			continue;
		if (!best || lapic_ppr(l) < lapic_ppr(best))
			best = l;
	}
	return best;
}

bool lapic_bus_deliver(struct lapic_bus *bus, uint32_t dest, bool logical, enum lapic_mode mode,
		       unsigned vector, bool level)
{
	bool accepted = false;

	if (mode == LAPIC_LOWEST) {
		struct lapic *l = lapic_bus_lowest(bus, dest, logical);

		return l && lapic_accept(l, mode, vector, level);
	}
	for (unsigned i = 0; i < bus->count; i++)
		if (lapic_match(bus->lapic[i], dest, logical))
			accepted |= lapic_accept(bus->lapic[i], mode, vector, level);
	return accepted;
}

bool lapic_bus_deliver8(struct lapic_bus *bus, uint8_t dest, bool logical, enum lapic_mode mode,
			unsigned vector, bool level)
{
	return lapic_bus_deliver(bus, dest == 0xff ? UINT32_MAX : dest, logical, mode, vector,
				 level);
}

bool lapic_bus_msi(struct lapic_bus *bus, uint64_t address, uint32_t data)
{
	bool level = data & 1 << 15, assert = data & 1 << 14;

	if (address >> 20 != 0xfee || (level && !assert))
		return false;
	return lapic_bus_deliver8(bus, address >> 12 & 0xff, address & 1 << 2, data >> 8 & 7,
				  data & 0xff, level);
}

static void lapic_send_all(struct lapic *l, enum lapic_mode mode, unsigned vector, bool self)
{
	for (unsigned i = 0; i < l->bus->count; i++)
		if (self || l->bus->lapic[i] != l)
			lapic_accept(l->bus->lapic[i], mode, vector, false);
}

void lapic_send(struct lapic *l, uint32_t icr_low, uint32_t dest)
{
	enum lapic_mode mode = icr_low >> 8 & 7;
	unsigned vector = icr_low & 0xff;
	bool logical = icr_low & 1 << 11, assert = icr_low & 1 << 14, level = icr_low & 1 << 15;

	if ((mode == LAPIC_FIXED || mode == LAPIC_LOWEST) && vector < 16) {
		lapic_error(l, LAPIC_ESR_SEND_VECTOR);
		return;
	}
	/* INIT level de-assert means nothing to APICs of this generation. */
	if (mode == LAPIC_EXTINT || mode == LAPIC_SMI || mode == 3 ||
	    (mode == LAPIC_INIT && level && !assert))
		return;
	switch (icr_low >> 18 & 3) {
	case 0:
		if (lapic_x2apic(l))
			lapic_bus_deliver(l->bus, dest, logical, mode, vector, false);
		else
			lapic_bus_deliver8(l->bus, (uint8_t)dest, logical, mode, vector, false);
		break;
	case 1:
		if (mode == LAPIC_FIXED)
			lapic_accept(l, mode, vector, false);
		break;
	case 2:
		lapic_send_all(l, mode, vector, true);
		break;
	case 3:
		lapic_send_all(l, mode, vector, false);
		break;
	}
}
