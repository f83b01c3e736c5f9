/* Message signalled interrupts of a PCI function: PCI Local Bus 3.0, 6.8.1, with 64-bit addresses
 * and per-vector masks. All state is in the configuration space. Under the machine lock. */
#ifndef DEVICE_PCI_MSI_H
#define DEVICE_PCI_MSI_H

#include "device/pci/pci.h"

/* Add the capability; vectors: a power of two up to 32. False if there is no room. */
bool msi_init(struct pci_function *f, unsigned vectors);
/* The driver turned it on; false for a function without it. */
bool msi_enabled(const struct pci_function *f);
/* Send vector n, or mark it pending while it is masked; nothing while disabled. Where the driver
 * took fewer vectors, several share one: the low bits of n count. */
void msi_send(struct pci_function *f, unsigned n);
/* For pci_config_write: the capability may have changed. */
void msi_config_written(struct pci_function *f);

#endif
