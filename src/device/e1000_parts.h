/* Parts of the e1000 model that its files share; see e1000.h. Under the machine lock, except where
 * it says otherwise. */
#ifndef DEVICE_E1000_PARTS_H
#define DEVICE_E1000_PARTS_H

#include "device/e1000.h"
#include "host/host.h"

/* Register offsets: the manual's 13.4 and following. */
enum {
	E1000_CTRL = 0x0000,
	E1000_STATUS = 0x0008,
	E1000_EECD = 0x0010,
	E1000_EERD = 0x0014,
	E1000_CTRL_EXT = 0x0018,
	E1000_MDIC = 0x0020,
	E1000_FCAL = 0x0028,
	E1000_FCAH = 0x002c,
	E1000_FCT = 0x0030,
	E1000_VET = 0x0038,
	E1000_ICR = 0x00c0,
	E1000_ITR = 0x00c4,
	E1000_ICS = 0x00c8,
	E1000_IMS = 0x00d0,
	E1000_IMC = 0x00d8,
	E1000_RCTL = 0x0100,
	E1000_FCTTV = 0x0170,
	E1000_TXCW = 0x0178,
	E1000_TCTL = 0x0400,
	E1000_TIPG = 0x0410,
	E1000_AIT = 0x0458,
	E1000_LEDCTL = 0x0e00,
	E1000_PBA = 0x1000,
	E1000_FCRTL = 0x2160,
	E1000_FCRTH = 0x2168,
	E1000_RDBAL = 0x2800,
	E1000_RDBAH = 0x2804,
	E1000_RDLEN = 0x2808,
	E1000_RDH = 0x2810,
	E1000_RDT = 0x2818,
	E1000_RDTR = 0x2820,
	E1000_RXDCTL = 0x2828,
	E1000_RADV = 0x282c,
	E1000_RSRPD = 0x2c00,
	E1000_TDBAL = 0x3800,
	E1000_TDBAH = 0x3804,
	E1000_TDLEN = 0x3808,
	E1000_TDH = 0x3810,
	E1000_TDT = 0x3818,
	E1000_TIDV = 0x3820,
	E1000_TXDCTL = 0x3828,
	E1000_TADV = 0x382c,
	E1000_TSPMT = 0x3830,
	E1000_STATS = 0x4000,
	E1000_MPC = 0x4010,
	E1000_GPRC = 0x4074,
	E1000_BPRC = 0x4078,
	E1000_MPRC = 0x407c,
	E1000_GPTC = 0x4080,
	E1000_GORCL = 0x4088,
	E1000_GOTCL = 0x4090,
	E1000_TORL = 0x40c0,
	E1000_TOTL = 0x40c8,
	E1000_TPR = 0x40d0,
	E1000_TPT = 0x40d4,
	E1000_STATS_END = 0x4100,
	E1000_RXCSUM = 0x5000,
	E1000_MTA = 0x5200,
	E1000_RAL = 0x5400, /* 16 pairs with RAH */
	E1000_VFTA = 0x5600,
	E1000_VFTA_END = 0x5800,
};

enum {
	E1000_CTRL_RESET = 1 << 26,
	E1000_CTRL_PHY_RESET = 1u << 31,
	E1000_STATUS_FULL_DUPLEX = 1 << 0,
	E1000_STATUS_LINK = 1 << 1,
	E1000_STATUS_1000 = 2 << 6,
	/* interrupt causes */
	E1000_INT_TX_DONE = 1 << 0,
	E1000_INT_TX_EMPTY = 1 << 1,
	E1000_INT_LINK = 1 << 2,
	E1000_INT_RX_LOW = 1 << 4,
	E1000_INT_RX_OVERRUN = 1 << 6,
	E1000_INT_RX = 1 << 7,
	E1000_INT_MDIO = 1 << 9,
	/* RCTL */
	E1000_RX_ENABLE = 1 << 1,
	E1000_RX_UNICAST_ALL = 1 << 3,
	E1000_RX_MULTICAST_ALL = 1 << 4,
	E1000_RX_LONG = 1 << 5,
	E1000_RX_BROADCAST = 1 << 15,
	E1000_RX_KEEP_CRC = 1 << 26, /* clear: the CRC is stored too */
	E1000_TX_ENABLE = 1 << 1,
	E1000_TX_PAD = 1 << 3,
	E1000_RXCSUM_IP = 1 << 8,
	E1000_RXCSUM_L4 = 1 << 9,
};

enum { E1000_DESCRIPTOR_BYTES = 16 };

static inline uint32_t *e1000_reg(struct e1000 *e, unsigned offset)
{
	return &e->reg[offset / 4];
}

/* The machine lock, which is not there before the function is connected. */
static inline void e1000_lock(struct e1000 *e)
{
	if (e->wiring.lock)
		host_mutex_lock(e->wiring.lock);
}

static inline void e1000_unlock(struct e1000 *e)
{
	if (e->wiring.lock)
		host_mutex_unlock(e->wiring.lock);
}

/* e1000.c: causes become due; the line follows. */
void e1000_interrupt(struct e1000 *e, uint32_t causes);
/* Statistics: one more, or 64 bits' worth of bytes; they stick at their maximum. */
void e1000_count(struct e1000 *e, unsigned offset, uint64_t n);

/* e1000_nvm.c: EEPROM and PHY. */
void e1000_eeprom_init(struct e1000 *e, const uint8_t mac[6]);
uint32_t e1000_eecd_read(struct e1000 *e);
void e1000_eecd_write(struct e1000 *e, uint32_t value);
void e1000_eerd_write(struct e1000 *e, uint32_t value);
void e1000_phy_reset(struct e1000 *e);
void e1000_phy_link(struct e1000 *e);
void e1000_mdic_write(struct e1000 *e, uint32_t value);

/* e1000_tx.c: send what is ready, or a part of it: true if there may be more. On the I/O thread,
 * without the lock. */
bool e1000_transmit(struct e1000 *e);

/* e1000_rx.c: struct net_card.receive; on the I/O thread, without the lock. */
bool e1000_receive(void *e1000, const struct io_piece *piece, unsigned pieces,
		   const struct net_offload *offload);
/* Whether so many descriptors are free, or frames are dropped anyway. */
bool e1000_rx_room(struct e1000 *e, unsigned descriptors);

#endif
