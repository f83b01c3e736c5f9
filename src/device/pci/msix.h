/* MSI-X: a table of messages and pending bits in a BAR. PCI Local Bus 3.0, 6.8.2. The function's
 * owner answers in the BAR and hands on what falls into the two ranges. Under the machine lock. */
#ifndef DEVICE_PCI_MSIX_H
#define DEVICE_PCI_MSIX_H

#include "device/pci/pci.h"

enum {
	MSIX_VECTORS_MAX = 80,
	MSIX_ENTRY_BYTES = 16,
	MSIX_PENDING_WORDS = (MSIX_VECTORS_MAX + 31) / 32,
};

struct msix {
	/* state */
	uint32_t table[MSIX_VECTORS_MAX * MSIX_ENTRY_BYTES / 4]; /* address, data, control */
	uint32_t pending[MSIX_PENDING_WORDS];
	/* fixed at creation */
	uint16_t vectors;
	uint8_t at; /* the capability */
	struct pci_function *function;
};

extern const struct device_desc msix_desc;

/* Add the capability to f. table and pending are offsets in the BAR, multiples of 8. False if there
 * is no room or more vectors than MSIX_VECTORS_MAX. */
bool msix_init(struct msix *x, struct pci_function *f, unsigned vectors, unsigned bar,
	       uint32_t table, uint32_t pending);
void msix_reset(void *msix);
bool msix_enabled(const struct msix *x);
/* Send vector n, or mark it pending while it is masked; nothing while disabled or out of range. */
void msix_send(struct msix *x, unsigned n);
/* For pci_config_write: the capability may have changed. */
void msix_config_written(struct msix *x);
/* Aligned accesses inside the table and the pending bits, of 4 bytes: others read as 0 and are not
 * done. */
uint32_t msix_table_read(const struct msix *x, uint64_t offset, unsigned bytes);
void msix_table_write(struct msix *x, uint64_t offset, uint32_t value, unsigned bytes);
uint32_t msix_pending_read(const struct msix *x, uint64_t offset, unsigned bytes);

#endif
