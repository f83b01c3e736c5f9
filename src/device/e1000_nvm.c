/*
 * 82540EM: the EEPROM (a 64-word Microwire part, read by EERD or wire by wire; writes are refused
 * in silence) and the PHY (an 88E1011 behind MDIC). 317453, 5.3 and 5.4, 13.4.3, 13.4.6; IEEE
 * 802.3, clause 22.
 */
#include <string.h>

#include "base/bits.h"
#include "device/e1000_parts.h"

enum {
	EECD_CLOCK = 1 << 0,
	EECD_SELECT = 1 << 1,
	EECD_IN = 1 << 2,
	EECD_OUT = 1 << 3,
	EECD_REQUEST = 1 << 6,
	EECD_GRANT = 1 << 7,
	EECD_PRESENT = 1 << 8,
	EERD_START = 1 << 0,
	EERD_DONE = 1 << 4,
	WIRE_COMMAND_BITS = 9, /* start, two of operation, six of address */
	WIRE_READ = 2,
	EEPROM_SUM = 0xbaba,
};

void e1000_eeprom_init(struct e1000 *e, const uint8_t mac[6])
{
	uint16_t *w = e->eeprom, sum = 0;

	for (unsigned i = 0; i < 3; i++)
		w[i] = load_le16(mac + 2 * i);
	w[0x04] = 0xffff; /* LEDs as they are by default */
	w[0x0a] = 0x4000; /* signature; identity from here */
	w[0x0b] = 0x001e;
	w[0x0c] = 0x8086;
	w[0x0d] = 0x100e;
	w[0x0e] = 0x8086;
	w[0x0f] = 0x4000;
	for (unsigned i = 0; i < E1000_EEPROM_WORDS - 1; i++)
		sum = (uint16_t)(sum + w[i]);
	w[E1000_EEPROM_WORDS - 1] = (uint16_t)(EEPROM_SUM - sum);
}

uint32_t e1000_eecd_read(struct e1000 *e)
{
	uint32_t v = *e1000_reg(e, E1000_EECD) | EECD_PRESENT;

	return v & EECD_REQUEST ? v | EECD_GRANT : v;
}

/* A rising clock edge while selected. */
static void wire_clock(struct e1000 *e, uint32_t *eecd)
{
	bool in = *eecd & EECD_IN;

	if (e->wire_bits < WIRE_COMMAND_BITS) {
		if (e->wire_bits == 0 && !in)
			return; /* no start bit yet */
		e->wire_in = e->wire_in << 1 | in;
		if (++e->wire_bits < WIRE_COMMAND_BITS)
			return;
		if ((e->wire_in >> 6 & 3) == WIRE_READ) {
			e->wire_out = e->eeprom[e->wire_in % E1000_EEPROM_WORDS];
			*eecd &= ~(uint32_t)EECD_OUT;
		}
		return;
	}
	if ((e->wire_in >> 6 & 3) != WIRE_READ)
		return;
	*eecd &= ~(uint32_t)EECD_OUT;
	if (e->wire_out & 0x8000)
		*eecd |= EECD_OUT;
	e->wire_out = (uint16_t)(e->wire_out << 1);
}

void e1000_eecd_write(struct e1000 *e, uint32_t value)
{
	uint32_t *eecd = e1000_reg(e, E1000_EECD), was = *eecd;

	*eecd = (value & 0x7f & ~(uint32_t)EECD_OUT) | (was & EECD_OUT);
	if (!(*eecd & EECD_SELECT)) {
		e->wire_in = e->wire_bits = e->wire_out = 0;
		*eecd |= EECD_OUT; /* ready */
	} else if ((*eecd & EECD_CLOCK) && !(was & EECD_CLOCK)) {
		wire_clock(e, eecd);
	}
}

void e1000_eerd_write(struct e1000 *e, uint32_t value)
{
	unsigned address = value >> 8 & 0xff;
	uint32_t data = address < E1000_EEPROM_WORDS ? e->eeprom[address] : 0;

	*e1000_reg(e, E1000_EERD) =
		value & EERD_START ? data << 16 | address << 8 | EERD_DONE : value & 0xff00;
}

/* ---- PHY */

enum {
	MDIC_READ = 2,
	MDIC_WRITE = 1,
	MDIC_READY = 1 << 28,
	MDIC_INTERRUPT = 1 << 29,
	MDIC_ERROR = 1 << 30,
	PHY_ADDRESS = 1,
	PHY_CONTROL = 0,
	PHY_STATUS = 1,
	PHY_PARTNER = 5,
	PHY_1000_STATUS = 10,
	PHY_SPECIFIC_STATUS = 17,
	PHY_INTERRUPT_STATUS = 19,
	PHY_STATUS_LINK = 1 << 2,
	PHY_STATUS_NEGOTIATED = 1 << 5,
	PHY_SPECIFIC_LINK = 1 << 10,
	PHY_CONTROL_RESTART = 1 << 9,
	PHY_CONTROL_RESET = 1 << 15,
};

/* After reset; and which bits can be written. */
static const struct {
	uint16_t reset, writable;
} phy_regs[E1000_PHY_REGS] = {
	[PHY_CONTROL] = {0x1140, 0x7d40}, /* negotiate; full duplex, 1000 Mb/s */
	[PHY_STATUS] = {0x7949, 0},
	[2] = {0x0141, 0}, /* Marvell */
	[3] = {0x0c20, 0}, /* 88E1011 */
	[4] = {0x0de1, 0xffff},
	[PHY_PARTNER] = {0, 0},
	[6] = {0x0001, 0},
	[9] = {0x0e00, 0xffff},
	[PHY_1000_STATUS] = {0, 0},
	[15] = {0x3000, 0},
	[16] = {0x0360, 0xffff},
	[PHY_SPECIFIC_STATUS] = {0xa800, 0}, /* 1000 Mb/s, full duplex, resolved */
	[18] = {0, 0xffff},
	[20] = {0x0d60, 0xffff},
	[22] = {0, 0xffff},
	[29] = {0, 0xffff},
	[30] = {0, 0xffff},
};

/* What depends on the cable: negotiation takes no time. */
void e1000_phy_link(struct e1000 *e)
{
	bool up = *e1000_reg(e, E1000_STATUS) & E1000_STATUS_LINK;
	uint16_t link = PHY_STATUS_LINK | PHY_STATUS_NEGOTIATED;

	e->phy[PHY_STATUS] = (uint16_t)((e->phy[PHY_STATUS] & ~link) | (up ? link : 0));
	e->phy[PHY_PARTNER] = up ? 0x45e1 : 0;
	e->phy[PHY_1000_STATUS] = up ? 0x7c00 : 0;
	e->phy[PHY_SPECIFIC_STATUS] =
		(uint16_t)((e->phy[PHY_SPECIFIC_STATUS] & ~PHY_SPECIFIC_LINK) |
			   (up ? PHY_SPECIFIC_LINK : 0));
}

void e1000_phy_reset(struct e1000 *e)
{
	for (unsigned i = 0; i < E1000_PHY_REGS; i++)
		e->phy[i] = phy_regs[i].reset;
	e1000_phy_link(e);
}

static void phy_write(struct e1000 *e, unsigned reg, uint16_t value)
{
	uint16_t writable = phy_regs[reg].writable;

	if (reg == PHY_CONTROL && (value & PHY_CONTROL_RESET)) {
		e1000_phy_reset(e);
		return;
	}
	e->phy[reg] = (uint16_t)((e->phy[reg] & ~writable) | (value & writable));
	if (reg == PHY_CONTROL && (value & PHY_CONTROL_RESTART)) {
		e1000_phy_link(e);
		e1000_interrupt(e, E1000_INT_LINK);
	}
}

void e1000_mdic_write(struct e1000 *e, uint32_t value)
{
	unsigned reg = value >> 16 & 31, op = value >> 26 & 3;
	uint32_t v = value & 0x2fffffff;

	if ((value >> 21 & 31) != PHY_ADDRESS || (op != MDIC_READ && op != MDIC_WRITE))
		v |= MDIC_ERROR;
	else if (op == MDIC_READ)
		v = (v & ~0xffffu) | e->phy[reg];
	else
		phy_write(e, reg, (uint16_t)value);
	*e1000_reg(e, E1000_MDIC) = v | MDIC_READY;
	if (value & MDIC_INTERRUPT)
		e1000_interrupt(e, E1000_INT_MDIO);
}
