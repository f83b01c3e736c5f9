/* 82540EM: registers, interrupts, reset and the PCI function. See e1000.h. */
#include <string.h>

#include "base/bits.h"
#include "device/e1000_parts.h"

enum {
	E1000_VENDOR = 0x8086,
	E1000_DEVICE = 0x100e,
	E1000_REVISION = 2,
	E1000_CLASS = 0x020000,
	E1000_ITR_NS = 256,
	PORT_ADDRESS = 0,
	PORT_DATA = 4,
};

/* Registers that keep what is written, in order; all others have a place in the switches below, or
 * read as zero. */
static const struct {
	uint16_t first, last;
	uint32_t mask;
} plain[] = {
	{E1000_CTRL_EXT, E1000_CTRL_EXT, ~0u},
	{E1000_FCAL, E1000_FCAL, ~0u},
	{E1000_FCAH, E1000_FCAH, 0xffff},
	{E1000_FCT, E1000_FCT, 0xffff},
	{E1000_VET, E1000_VET, 0xffff},
	{E1000_ITR, E1000_ITR, 0xffff},
	{E1000_FCTTV, E1000_FCTTV, 0xffff},
	{E1000_TXCW, E1000_TXCW, ~0u},
	{E1000_TIPG, E1000_TIPG, ~0u},
	{E1000_AIT, E1000_AIT, 0xffff},
	{E1000_LEDCTL, E1000_LEDCTL, ~0u},
	{E1000_PBA, E1000_PBA, 0xffff},
	{E1000_FCRTL, E1000_FCRTL, ~0u},
	{E1000_FCRTH, E1000_FCRTH, ~0u},
	{E1000_RDBAL, E1000_RDBAL, ~15u},
	{E1000_RDBAH, E1000_RDBAH, ~0u},
	{E1000_RDLEN, E1000_RDLEN, 0xfff80},
	{E1000_RDH, E1000_RDH, 0xffff},
	{E1000_RDTR, E1000_RDTR, 0xffff},
	{E1000_RXDCTL, E1000_RXDCTL, ~0u},
	{E1000_RADV, E1000_RADV, 0xffff},
	{E1000_RSRPD, E1000_RSRPD, 0xfff},
	{E1000_TDBAL, E1000_TDBAL, ~15u},
	{E1000_TDBAH, E1000_TDBAH, ~0u},
	{E1000_TDLEN, E1000_TDLEN, 0xfff80},
	{E1000_TDH, E1000_TDH, 0xffff},
	{E1000_TIDV, E1000_TIDV, 0xffff},
	{E1000_TXDCTL, E1000_TXDCTL, ~0u},
	{E1000_TADV, E1000_TADV, 0xffff},
	{E1000_TSPMT, E1000_TSPMT, ~0u},
	{E1000_RXCSUM, E1000_RXCSUM, 0x7ff},
	{E1000_MTA, E1000_MTA + 0x1fc, ~0u},
	{E1000_RAL, E1000_RAL + 0x7c, ~0u},
	{E1000_VFTA, E1000_VFTA_END - 4, ~0u},
	{0x5800, 0x5828, ~0u}, /* wake-up and manageability: kept, without effect */
};

/* ---- interrupts: ICR & IMS, held back by ITR */

static void e1000_update(struct e1000 *e)
{
	bool due = *e1000_reg(e, E1000_ICR) & *e1000_reg(e, E1000_IMS);
	uint64_t gap = (uint64_t)*e1000_reg(e, E1000_ITR) * E1000_ITR_NS;

	if (!due || e->line) {
		e->line = due;
		pci_function_intx(&e->pci, due);
		return;
	}
	if (gap && e->wiring.timers) {
		uint64_t now = clock_now(e->wiring.clock);

		if (now < e->quiet_until_ns) {
			if (!e->throttle.armed)
				timer_set(e->wiring.timers, &e->throttle, e->quiet_until_ns);
			return;
		}
		e->quiet_until_ns = now + gap;
	}
	e->line = 1;
	pci_function_intx(&e->pci, 1);
}

static void throttle_over(void *opaque, uint64_t now_ns)
{
	struct e1000 *e = opaque;

	e->quiet_until_ns = now_ns;
	e1000_update(e);
}

void e1000_interrupt(struct e1000 *e, uint32_t causes)
{
	*e1000_reg(e, E1000_ICR) |= causes;
	e1000_update(e);
}

void e1000_count(struct e1000 *e, unsigned offset, uint64_t n)
{
	uint32_t *r = e1000_reg(e, offset);
	bool wide = offset == E1000_GORCL || offset == E1000_GOTCL || offset == E1000_TORL ||
		    offset == E1000_TOTL;
	uint64_t v = wide ? load_le64(r) : *r, max = wide ? UINT64_MAX : UINT32_MAX;

	v = max - v < n ? max : v + n;
	r[0] = (uint32_t)v;
	if (wide)
		r[1] = (uint32_t)(v >> 32);
}

/* ---- link */

static void link_update(struct e1000 *e, bool up)
{
	uint32_t *status = e1000_reg(e, E1000_STATUS), was = *status;

	*status = up ? was | E1000_STATUS_LINK : was & ~(uint32_t)E1000_STATUS_LINK;
	e1000_phy_link(e);
	if (*status != was)
		e1000_interrupt(e, E1000_INT_LINK);
}

static void on_link(void *opaque, bool up)
{
	struct e1000 *e = opaque;

	e1000_lock(e);
	link_update(e, up);
	e1000_unlock(e);
}

/* ---- the I/O thread */

static void on_work(void *opaque)
{
	struct e1000 *e = opaque;
	bool resume;

	e1000_lock(e);
	resume = e->rx_waits && e1000_rx_room(e, e->rx_waits);
	if (resume)
		e->rx_waits = 0;
	e1000_unlock(e);
	if (e1000_transmit(e))
		worker_post(&e->worker, &e->work);
	if (resume && e->network->resume)
		e->network->resume(e->network->opaque);
}

static void post(struct e1000 *e)
{
	if (e->worker.post)
		worker_post(&e->worker, &e->work);
}

/* ---- registers */

/* Registers only: the EEPROM's contents reach the first receive address. The link stays as it is.
 */
static void registers_reset(struct e1000 *e)
{
	uint32_t link = *e1000_reg(e, E1000_STATUS) & E1000_STATUS_LINK;

	memset(e->reg, 0, sizeof(e->reg));
	memset(e->context, 0, sizeof(e->context));
	e->wire_in = e->wire_out = e->wire_bits = 0;
	e->resets++;
	*e1000_reg(e, E1000_STATUS) = E1000_STATUS_FULL_DUPLEX | E1000_STATUS_1000 | link;
	*e1000_reg(e, E1000_CTRL) = 0x9 | 2 << 8; /* full duplex, link reset, 1000 Mb/s */
	*e1000_reg(e, E1000_PBA) = 0x00100030;
	*e1000_reg(e, E1000_RDTR) = 0;
	*e1000_reg(e, E1000_LEDCTL) = 0x07068302;
	*e1000_reg(e, E1000_RXCSUM) = E1000_RXCSUM_IP | E1000_RXCSUM_L4;
	*e1000_reg(e, E1000_RAL) = e->eeprom[0] | (uint32_t)e->eeprom[1] << 16;
	*e1000_reg(e, E1000_RAL + 4) = e->eeprom[2] | 1u << 31;
	if (e->wiring.timers)
		timer_cancel(e->wiring.timers, &e->throttle);
	e->quiet_until_ns = 0;
	e1000_update(e);
}

static uint32_t reg_read(struct e1000 *e, unsigned offset)
{
	uint32_t v = *e1000_reg(e, offset);

	switch (offset) {
	case E1000_EECD:
		return e1000_eecd_read(e);
	case E1000_ICR:
		*e1000_reg(e, E1000_ICR) = 0;
		e1000_update(e);
		return v;
	case E1000_ICS:
	case E1000_IMC:
		return 0;
	}
	if (offset >= E1000_STATS && offset < E1000_STATS_END)
		*e1000_reg(e, offset) = 0;
	return v;
}

static void ctrl_write(struct e1000 *e, uint32_t value)
{
	if (value & E1000_CTRL_RESET) {
		registers_reset(e);
		return;
	}
	*e1000_reg(e, E1000_CTRL) = value & ~(uint32_t)E1000_CTRL_PHY_RESET;
	if (value & E1000_CTRL_PHY_RESET)
		e1000_phy_reset(e);
}

static void plain_write(struct e1000 *e, unsigned offset, uint32_t value)
{
	for (unsigned i = 0; i < ARRAY_LEN(plain); i++)
		if (offset >= plain[i].first && offset <= plain[i].last)
			*e1000_reg(e, offset) = value & plain[i].mask;
}

static void reg_write(struct e1000 *e, unsigned offset, uint32_t value)
{
	switch (offset) {
	case E1000_CTRL:
	case E1000_CTRL + 4: /* a copy of it, in the manual's words */
		ctrl_write(e, value);
		break;
	case E1000_EECD:
		e1000_eecd_write(e, value);
		break;
	case E1000_EERD:
		e1000_eerd_write(e, value);
		break;
	case E1000_MDIC:
		e1000_mdic_write(e, value);
		break;
	case E1000_ICR:
		*e1000_reg(e, E1000_ICR) &= ~value;
		e1000_update(e);
		break;
	case E1000_ICS:
		e1000_interrupt(e, value & 0x1ffff);
		break;
	case E1000_IMS:
		*e1000_reg(e, E1000_IMS) |= value & 0x1ffff;
		e1000_update(e);
		break;
	case E1000_IMC:
		*e1000_reg(e, E1000_IMS) &= ~value;
		e1000_update(e);
		break;
	case E1000_RCTL:
	case E1000_TCTL:
		*e1000_reg(e, offset) = value;
		post(e);
		break;
	case E1000_RDT:
		*e1000_reg(e, offset) = value & 0xffff;
		if (e->rx_waits)
			post(e);
		break;
	case E1000_TDT:
		*e1000_reg(e, offset) = value & 0xffff;
		post(e);
		break;
	default:
		plain_write(e, offset, value);
	}
}

static uint64_t memory_read(void *opaque, uint64_t offset, unsigned bytes)
{
	if (offset >= E1000_REG_END)
		return 0;
	return reg_read(opaque, (unsigned)offset & ~3u) >> 8 * (offset & 3);
}

/* Only whole registers can be written. */
static void memory_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	if (offset < E1000_REG_END && bytes == 4)
		reg_write(opaque, (unsigned)offset, (uint32_t)value);
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct e1000 *e = opaque;

	if (offset == PORT_ADDRESS && bytes == 4)
		return e->port_address;
	return offset == PORT_DATA ? memory_read(e, e->port_address & ~3u, 4) : 0;
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct e1000 *e = opaque;

	if (bytes != 4)
		return;
	if (offset == PORT_ADDRESS)
		e->port_address = (uint32_t)value & 0xfffff;
	else if (offset == PORT_DATA)
		memory_write(e, e->port_address & ~3u, value, 4);
}

static const struct io_ops memory_ops = {memory_read, memory_write, 4};
static const struct io_ops port_ops = {port_read, port_write, 4};

/* ---- the function */

static void on_connect(void *opaque, const struct pci_wiring *w)
{
	struct e1000 *e = opaque;

	e->wiring = *w;
	e->worker = *w->worker;
	e->wiring.worker = &e->worker;
}

static const struct pci_function_ops function_ops = {.connect = on_connect};

void e1000_reset(void *e1000)
{
	struct e1000 *e = e1000;

	e->port_address = 0;
	registers_reset(e);
	e1000_phy_reset(e);
}

void e1000_init(struct e1000 *e, const uint8_t mac[6], struct net_network *network)
{
	memset(e, 0, sizeof(*e));
	pci_function_init(&e->pci, E1000_VENDOR, E1000_DEVICE, E1000_CLASS, E1000_REVISION,
			  &function_ops, e);
	store_le16(e->pci.config + PCI_SUBSYSTEM_VENDOR, E1000_VENDOR);
	store_le16(e->pci.config + PCI_SUBSYSTEM, 0x001e); /* PRO/1000 MT Desktop */
	pci_function_bar(&e->pci, 0, E1000_MEMORY_BYTES, 0);
	pci_function_bar(&e->pci, 1, E1000_PORT_BYTES, PCI_BAR_IO);
	e->pci.bar_ops[0] = &memory_ops;
	e->pci.bar_ops[1] = &port_ops;
	e->pci.bar_opaque = e;
	e->work = (struct work){.run = on_work, .opaque = e};
	timer_init(&e->throttle, throttle_over, e);
	e1000_eeprom_init(e, mac);
	e->network = network;
	network->card.receive = e1000_receive;
	network->card.link = on_link;
	network->card.opaque = e;
	if (!network->unplugged)
		*e1000_reg(e, E1000_STATUS) = E1000_STATUS_LINK;
	e1000_reset(e);
	if (network->card_features)
		network->card_features(network->opaque, NET_TAKES_CSUM);
}

static void e1000_after_restore(void *e1000)
{
	struct e1000 *e = e1000;

	if (e->wiring.timers)
		timer_cancel(e->wiring.timers, &e->throttle);
	e->line = e->line != 0;
	e1000_update(e);
	post(e);
}

static const struct field e1000_fields[] = {
	FIELD_ARRAY(struct e1000, reg),
	FIELD_ARRAY(struct e1000, phy),
	{"context", offsetof(struct e1000, context), 4, 2 * sizeof(struct e1000_context) / 4, 0},
	FIELD(struct e1000, port_address),
	FIELD(struct e1000, wire_in),
	FIELD(struct e1000, wire_out),
	FIELD(struct e1000, wire_bits),
	FIELD(struct e1000, line),
	FIELD(struct e1000, rx_waits),
	FIELD(struct e1000, quiet_until_ns),
	FIELD_END,
};

const struct device_desc e1000_desc = {
	.name = "e1000",
	.text = "Intel 82540EM Ethernet",
	.state_bytes = sizeof(struct e1000),
	.fields = e1000_fields,
	.reset = e1000_reset,
	.after_restore = e1000_after_restore,
};
