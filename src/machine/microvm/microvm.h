/*
 * The `microvm` machine: CPUs, APICs, memory, virtio devices, a serial port, and nothing that it
 * can do without. No PCI, 8259s, 8254, HPET, PM timer, keyboard controller, clock chip:
 * hardware-reduced ACPI says so, CPUID gives the frequencies, kvmclock the time. This is the one
 * page of its addresses and interrupts. Private to machine/microvm/.
 */
#ifndef MACHINE_MICROVM_MICROVM_H
#define MACHINE_MICROVM_MICROVM_H

#include "device/acpi_sleep.h"
#include "device/debug_port.h"
#include "device/reset_port.h"
#include "device/uart16550.h"
#include "device/virtio/virtio_mmio.h"
#include "machine/x86/x86.h"

/* Virtio slots: a page of address space each. */
#define MICROVM_VIRTIO 0xfeb00000ull
enum {
	MICROVM_VIRTIO_STRIDE = 0x1000,
	MICROVM_SLOTS = 32,
};

enum {
	MICROVM_PIN_COM1 = 4,
	/* Slot n has pin n of these, counted around: the first nineteen one of their own. */
	MICROVM_PIN_VIRTIO = 5,
	MICROVM_PINS_VIRTIO = IOAPIC_PINS - MICROVM_PIN_VIRTIO,
	MICROVM_PORT_SLEEP = 0x600,
};

struct microvm {
	struct machine m; /* first */
	struct uart uart;
	struct acpi_sleep sleep;
	struct reset_port reset_port;
	struct debug_exit debug_exit;
	struct debug_console debug_console;
	struct virtio_mmio slot[MICROVM_SLOTS]; /* one per cfg.device */
	uint32_t driving;			/* bit n: slot n asserts its pin */
};

extern const struct machine_desc machine_microvm;

static inline struct microvm *microvm_of(struct machine *m)
{
	return (struct microvm *)m;
}

static inline unsigned microvm_pin(unsigned slot)
{
	return MICROVM_PIN_VIRTIO + slot % MICROVM_PINS_VIRTIO;
}

/* microvm_acpi.c: write the ACPI tables. */
void microvm_acpi_build(struct machine *m);

#endif
