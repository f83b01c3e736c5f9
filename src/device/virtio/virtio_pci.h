/*
 * Virtio over PCI: virtio 1.2, 4.1. Modern devices only (ID 1040h + type, revision 1). One memory
 * BAR holds common configuration, ISR status, device configuration, notification addresses and the
 * MSI-X table; one MSI-X vector per queue and one for configuration changes, or INTx.
 *
 * Left out on purpose: the legacy and transitional interfaces, notification data, shared memory
 * regions, the administration queue. Under the machine lock.
 */
#ifndef DEVICE_VIRTIO_VIRTIO_PCI_H
#define DEVICE_VIRTIO_VIRTIO_PCI_H

#include "device/pci/msix.h"
#include "device/pci/pci.h"
#include "device/virtio/virtio.h"

/* Where in BAR 0 things are. A notification address of its own for each queue. */
enum {
	VIRTIO_PCI_BAR = 0,
	VIRTIO_PCI_BAR_BYTES = 0x8000,
	VIRTIO_PCI_COMMON = 0x0000,
	VIRTIO_PCI_COMMON_BYTES = 0x40,
	VIRTIO_PCI_ISR = 0x1000,
	VIRTIO_PCI_ISR_BYTES = 4,
	VIRTIO_PCI_DEVICE = 0x2000,
	VIRTIO_PCI_DEVICE_BYTES = 0x1000,
	VIRTIO_PCI_NOTIFY = 0x3000,
	VIRTIO_PCI_NOTIFY_STEP = 4, /* between queues */
	VIRTIO_PCI_TABLE = 0x4000,
	VIRTIO_PCI_PENDING = 0x5000,
};

struct virtio_pci {
	/* state */
	uint32_t offered_word, accepted_word; /* feature selects */
	uint16_t queue;			      /* select */
	uint16_t config_vector;
	uint16_t queue_vector[VIRTIO_QUEUES_MAX];
	uint8_t isr;
	/* parts */
	struct pci_function pci;
	struct msix msix;
	uint8_t access_at; /* capability that reaches the BAR through configuration space */
	/* wiring */
	struct virtio_device *device;
};

extern const struct io_ops virtio_pci_io_ops; /* opaque: struct virtio_pci; BAR 0 */
/* State and reset of the transport: its function, MSI-X and the device have rows of their own. */
extern const struct device_desc virtio_pci_desc;

/* Becomes the transport of d, all of whose queues exist; the machine puts v->pci on its bus. */
void virtio_pci_init(struct virtio_pci *v, struct virtio_device *d);
void virtio_pci_reset(void *virtio_pci);

#endif
