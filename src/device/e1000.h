/*
 * Intel 82540EM gigabit Ethernet controller (8086:100e), for guests without virtio drivers. Intel
 * 8254x Software Developer's Manual (317453). Legacy and extended transmit descriptors with
 * checksum and TCP segmentation contexts, legacy receive descriptors with checksum verification,
 * address filters, EEPROM by EERD and by its four wires, PHY by MDIC, interrupt throttling.
 *
 * Frames are moved on the I/O thread; everything but the buffers is guarded by the machine lock.
 * Left out on purpose: VLAN tagging and filtering of tags in hardware, wake-up and manageability,
 * loopback, flow control, the delays of RDTR, RADV, TIDV and TADV (ITR works), the flash.
 */
#ifndef DEVICE_E1000_H
#define DEVICE_E1000_H

#include "device/device.h"
#include "device/net.h"
#include "device/pci/pci.h"
#include "device/worker.h"

enum {
	E1000_MEMORY_BYTES = 0x20000, /* BAR 0 */
	E1000_PORT_BYTES = 0x40,      /* BAR 1: an address and a data register */
	E1000_REG_END = 0x5900,	      /* registers from here on do not exist */
	E1000_EEPROM_WORDS = 64,
	E1000_PHY_REGS = 32,
	E1000_RX_MAX = 16384, /* the longest frame it receives */
};

/* What a context descriptor set up for the data descriptors after it. */
struct e1000_context {
	uint32_t ip_start, ip_at, ip_end, l4_start, l4_at, l4_end;
	uint32_t payload_bytes, header_bytes, mss;
	uint32_t is_tcp, is_ip4;
};

struct e1000 {
	/* state */
	uint32_t reg[E1000_REG_END / 4]; /* by offset / 4 */
	uint16_t phy[E1000_PHY_REGS];
	struct e1000_context context[2]; /* 1: for segmentation */
	uint32_t port_address;		 /* in BAR 1 */
	uint32_t wire_in;		 /* EEPROM: bits clocked in since it was selected */
	uint16_t wire_out;		 /* bits still to be clocked out */
	uint8_t wire_bits;		 /* how many came in */
	uint8_t line;			 /* interrupt is raised */
	uint8_t rx_waits; /* descriptors that a frame of the network's waits for; 0: none does */
	uint64_t quiet_until_ns; /* throttling: no interrupt before */
	/* fixed at creation */
	uint16_t eeprom[E1000_EEPROM_WORDS];
	/* parts */
	struct pci_function pci;
	/* the I/O thread's */
	uint8_t packet[NET_FRAME_MAX];	/* to send, gathered from descriptors */
	uint8_t received[E1000_RX_MAX]; /* gathered from pieces */
	/* wiring */
	uint32_t resets; /* counted, so that what was begun before one is not ended after it */
	struct net_network *network;
	struct pci_wiring wiring;
	struct worker worker;
	struct work work;
	struct timer throttle;
};

extern const struct device_desc e1000_desc;

/* Becomes the card of a network; the machine puts e->pci on its bus and connects it. */
void e1000_init(struct e1000 *e, const uint8_t mac[6], struct net_network *network);
void e1000_reset(void *e1000);

#endif
