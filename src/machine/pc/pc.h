/*
 * The `pc` machine: the PC/AT's devices at their places, I/O and local APICs, HPET, ACPI, a PCI bus.
 * This is the one page of its addresses and interrupts. Private to machine/pc/.
 */
#ifndef MACHINE_PC_PC_H
#define MACHINE_PC_PC_H

#include "device/acpi_pm.h"
#include "device/debug_port.h"
#include "device/hpet.h"
#include "device/i8042.h"
#include "device/i8254.h"
#include "device/i8259.h"
#include "device/ide.h"
#include "device/mc146818.h"
#include "device/pci/pci.h"
#include "device/reset_port.h"
#include "device/uart16550.h"
#include "device/virtio/virtio_pci.h"
#include "machine/x86/x86.h"

/* Guest-physical layout, beside what x86.h has */
#define PC_PCI_HOLE 0xc0000000ull
#define PC_PCI_HOLE_END 0xfec00000ull
#define PC_ECAM 0xe0000000ull /* inside the hole: configuration space of bus 0 */
#define PC_ECAM_BYTES ((uint64_t)PCI_FUNCTIONS * PCI_ECAM_BYTES)
#define PC_PCI_BARS 0xf0000000ull /* where BARs are assigned from */

/* Interrupt lines, ISA numbering */
enum {
	PC_IRQ_PIT = 0,
	PC_IRQ_KEYBOARD = 1,
	PC_IRQ_COM2 = 3, /* and COM4 */
	PC_IRQ_COM1 = 4, /* and COM3 */
	PC_IRQ_RTC = 8,
	PC_IRQ_SCI = 9,
	PC_IRQ_PIRQ_AC = 10, /* PCI's, for systems without the I/O APIC */
	PC_IRQ_PIRQ_BD = 11,
	PC_IRQ_MOUSE = 12,
	PC_IRQ_IDE = 14, /* and 15: the second channel */
	PC_IRQS = 16,
	PC_PIN_PIT = 2, /* I/O APIC pin of IRQ 0 */
	PC_PIN_PIRQ = 16, /* and of PIRQA to PIRQD */
};

/* Ports */
enum {
	PC_PORT_PM = 0x600,
	PC_PCI_PORTS = 0xc000, /* where I/O BARs are assigned from */
	PC_PCI_PORTS_END = 0x10000,
};

/* Functions on the bus beside the host bridge. */
struct pc_pci {
	uint32_t pirq[4];	   /* bit n: slot n drives it */
	struct virtio_pci *virtio; /* one per cfg.device */
	struct ide *ide;	   /* NULL: there are no IDE disks */
	struct io_region *region[PCI_FUNCTIONS][PCI_BARS];
	char name[32][24]; /* of regions, by slot */
};

struct pc {
	struct machine m; /* first */
	struct i8259_pair pic;
	struct i8254 pit;
	struct mc146818 rtc;
	struct i8042 keyboard;
	struct uart uart[4];
	struct hpet hpet;
	struct acpi_pm pm;
	struct reset_port reset_port;
	struct pci_bus pci_bus;
	struct pci_host pci_host;
	struct pc_pci pci;
	struct debug_exit debug_exit;
	struct debug_console debug_console;
};

extern const struct machine_desc machine_pc;

static inline struct pc *pc_of(struct machine *m)
{
	return (struct pc *)m;
}

/* ISA interrupt n, at the 8259s and the I/O APIC. */
void pc_irq(void *machine, unsigned n, int level);

/* pc_pci.c: the devices of cfg.device on the PCI bus; what firmware assigns, after a reset; and the
 * instances for reset and inspection. */
int pc_pci_create(struct machine *m, struct error *err);
void pc_pci_destroy(struct machine *m);
void pc_pci_firmware(struct machine *m);
const struct device_desc *pc_pci_device(struct machine *m, unsigned k, void **state,
					const char **name);

/* pc_acpi.c: write the ACPI tables. */
void pc_acpi_build(struct machine *m);

#endif
