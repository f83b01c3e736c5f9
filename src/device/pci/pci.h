/*
 * A PCI bus: functions with a configuration space, and the ways to it: the host bridge's
 * configuration mechanism 1 (ports CF8h/CFCh) and ECAM. PCI Local Bus 3.0, chapter 6 and 3.2.2.3;
 * PCI Express 5.0, 7.2.2. One bus, no bridges behind it. A function describes its 256 bytes by
 * values and write masks; BARs are sized the standard way and tell their owner and the machine when
 * they move. Left out: extended capabilities (bytes from 256 on read as ones); that a function
 * without the bus master bit can neither reach memory nor send messages.
 */
#ifndef DEVICE_PCI_PCI_H
#define DEVICE_PCI_PCI_H

#include "device/device.h"
#include "device/reset_port.h"

enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS_PROG = 0x09,
	PCI_CLASS = 0x0a,
	PCI_HEADER = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM = 0x2e,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
	PCI_COMMAND_IO = 1 << 0,
	PCI_COMMAND_MEMORY = 1 << 1,
	PCI_COMMAND_MASTER = 1 << 2,
	PCI_COMMAND_INTX_OFF = 1 << 10,
	PCI_STATUS_INTX = 1 << 3,
	PCI_STATUS_CAPS = 1 << 4,
	PCI_BAR_IO = 1,
	PCI_BAR_MEM64 = 4,
	PCI_BAR_PREFETCH = 8,
	PCI_CAP_MSI = 0x05,
	PCI_CAP_VENDOR = 0x09,
	PCI_CAP_MSIX = 0x11,
	PCI_CONFIG_BYTES = 256,
	PCI_ECAM_BYTES = 4096, /* of one function */
	PCI_BARS = 6,
	PCI_FUNCTIONS = 256, /* devfn: device << 3 | function */
};

struct pci_function;
struct host_mutex;
struct worker;

/* What the machine gives a function that masters the bus. */
struct pci_wiring {
	struct space *memory;
	struct host_mutex *lock;     /* the machine lock */
	const struct worker *worker; /* valid during the call: copy what it points to */
	const struct clock *clock;
	struct timerq *timers;
	const struct trace *trace;
};

/* What a function is told; members may be NULL. */
struct pci_function_ops {
	/* It was put on a bus, before anything runs. */
	void (*connect)(void *opaque, const struct pci_wiring *w);
	/* BAR n now answers at base, or nowhere if !enabled. The owner moves its io_region. */
	void (*bar_changed)(void *opaque, unsigned bar, uint64_t base, bool enabled);
	/* Bytes [offset, offset+bytes) of the configuration space were written (already applied).
	 */
	void (*config_written)(void *opaque, unsigned offset, unsigned bytes);
	/* They are about to be read: what is not kept in config is to be put there. */
	void (*config_reading)(void *opaque, unsigned offset, unsigned bytes);
};

struct msix;

/* Where messages go: a write of data to address, under the machine lock. See msi.h, msix.h. */
struct pci_messages {
	void (*send)(void *opaque, uint64_t address, uint32_t data);
	void *opaque;
};

struct pci_function {
	/* state */
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t intx; /* interrupt pin level wanted */
	/* fixed at creation */
	uint8_t power_on[PCI_CONFIG_BYTES]; /* config after reset: as it was at pci_bus_add */
	uint8_t writable[PCI_CONFIG_BYTES]; /* 1 bits can be written */
	uint8_t clear[PCI_CONFIG_BYTES];    /* 1 bits are cleared by writing 1 */
	uint64_t bar_bytes[PCI_BARS];	    /* size, a power of two; 0 = none (or upper half) */
	/* What answers in each BAR, for the machine to map; NULL: the owner does it in bar_changed
	 */
	const struct io_ops *bar_ops[PCI_BARS];
	void *bar_opaque;
	uint8_t devfn;
	uint8_t caps_end;  /* next free byte for a capability */
	uint8_t msi_at;	   /* the MSI capability; 0: none */
	struct msix *msix; /* NULL: none */
	/* wiring */
	const struct pci_function_ops *ops;
	void *opaque;
	struct irq_line irq; /* INTA#, already routed by the machine */
	struct pci_messages messages;
	/* The machine's ear for BARs, which maps bar_ops; may be NULL. */
	void (*bar_moved)(void *machine, struct pci_function *f, unsigned bar, uint64_t base,
			  bool enabled);
	void *machine;
};

struct pci_bus {
	struct pci_function *function[PCI_FUNCTIONS];
};

/* Configuration mechanism 1 and the bridge itself, function 00.0 (an 82441FX by its ID). */
struct pci_host {
	uint32_t address; /* CF8h */
	struct pci_function bridge;
	/* wiring */
	struct pci_bus *bus;
	struct reset_port *reset; /* byte accesses to CF9h go there; may be NULL */
	const struct trace *trace;
};

extern const struct io_ops pci_host_io_ops; /* opaque: struct pci_host; 8 ports (CF8h-CFFh) */
/* opaque: struct pci_host; PCI_FUNCTIONS * PCI_ECAM_BYTES bytes of memory */
extern const struct io_ops pci_ecam_io_ops;
extern const struct device_desc pci_host_desc, pci_function_desc;

void pci_host_init(struct pci_host *h, struct pci_bus *bus, struct reset_port *reset);
void pci_host_reset(void *pci_host);

/* A function with its identity; adds nothing to a bus. class_code: base << 16 | sub << 8 | prog. */
void pci_function_init(struct pci_function *f, uint16_t vendor, uint16_t device,
		       uint32_t class_code, uint8_t revision, const struct pci_function_ops *ops,
		       void *opaque);
/* Declare a BAR: bytes a power of two (at least 4 for I/O, 16 for memory); flags PCI_BAR_*. A
 * 64-bit one takes two slots. false if it does not fit. */
bool pci_function_bar(struct pci_function *f, unsigned bar, uint64_t bytes, unsigned flags);
/* Append a capability of len bytes (id and next pointer are filled in; the rest zero, read-only):
 * returns its offset, 0 if there is no room. */
unsigned pci_function_capability(struct pci_function *f, uint8_t id, unsigned len);
/* Put it on the bus; takes the present configuration as the power-on one. false: slot taken. */
bool pci_bus_add(struct pci_bus *bus, struct pci_function *f, unsigned device, unsigned function);
void pci_function_reset(void *pci_function);
/* Configuration access by CPU or bridge: 1, 2 or 4 bytes inside the 256. */
uint32_t pci_config_read(struct pci_function *f, unsigned offset, unsigned bytes);
void pci_config_write(struct pci_function *f, unsigned offset, uint32_t value, unsigned bytes);
/* Where a BAR is now; returns false while it is disabled. */
bool pci_function_bar_base(const struct pci_function *f, unsigned bar, uint64_t *base);
/* INTx pin; honours the command register's disable bit, and is silent while messages are enabled.
 */
void pci_function_intx(struct pci_function *f, int level);

#endif
