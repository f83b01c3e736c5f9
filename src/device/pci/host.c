/* PCI host bridge with configuration mechanism 1 and ECAM: see pci.h. The identity is the
 * 82441FX's; of its own registers only the standard header exists. */
#include "device/pci/pci.h"

#include <string.h>

enum {
	HOST_VENDOR = 0x8086,
	HOST_DEVICE = 0x1237,
	HOST_CLASS = 0x060000,
	HOST_REVISION = 2,
	PORT_RESET = 1, /* CF9h */
	PORT_DATA = 4,	/* CFCh */
};
#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_BITS   0x80fffffcu

/* The function that the address register selects, or NULL. */
static struct pci_function *pci_host_target(const struct pci_host *h)
{
	if (!(h->address & ADDRESS_ENABLE) || (h->address >> 16 & 0xff))
		return NULL;
	return h->bus->function[h->address >> 8 & 0xff];
}

static uint64_t pci_host_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct pci_host *h = opaque;
	struct pci_function *f = pci_host_target(h);

	if (offset == 0 && bytes == 4)
		return h->address;
	if (offset == PORT_RESET && bytes == 1 && h->reset)
		return reset_port_io_ops.read(h->reset, 0, 1);
	if (offset < PORT_DATA || !f || (offset & 3) + bytes > 4)
		return UINT32_MAX;
	return pci_config_read(f, (h->address & 0xfc) + (unsigned)(offset & 3), bytes);
}

static void pci_host_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct pci_host *h = opaque;
	struct pci_function *f = pci_host_target(h);

	if (offset == 0 && bytes == 4) {
		h->address = (uint32_t)value & ADDRESS_BITS;
		return;
	}
	if (offset == PORT_RESET && bytes == 1 && h->reset) {
		reset_port_io_ops.write(h->reset, 0, value, 1);
		return;
	}
	if (offset < PORT_DATA || !f || (offset & 3) + bytes > 4)
		return;
	TRACE(h->trace, TRACE_PCI, "pci: %02x.%x write %#x = %#x", f->devfn >> 3, f->devfn & 7,
	      (h->address & 0xfc) + (unsigned)(offset & 3), (unsigned)value);
	pci_config_write(f, (h->address & 0xfc) + (unsigned)(offset & 3), (uint32_t)value, bytes);
}

/* ---- ECAM: bits 19-12 of the address select the function, 11-0 the register. */

static struct pci_function *pci_ecam_target(const struct pci_host *h, uint64_t offset)
{
	return h->bus->function[offset / PCI_ECAM_BYTES % PCI_FUNCTIONS];
}

static uint64_t pci_ecam_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct pci_function *f = pci_ecam_target(opaque, offset);
	unsigned reg = offset % PCI_ECAM_BYTES;

	return f && reg < PCI_CONFIG_BYTES ? pci_config_read(f, reg, bytes) : UINT32_MAX;
}

static void pci_ecam_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct pci_host *h = opaque;
	struct pci_function *f = pci_ecam_target(h, offset);
	unsigned reg = offset % PCI_ECAM_BYTES;

	if (!f || reg >= PCI_CONFIG_BYTES)
		return;
	TRACE(h->trace, TRACE_PCI, "pci: %02x.%x write %#x = %#x", f->devfn >> 3, f->devfn & 7, reg,
	      (unsigned)value);
	pci_config_write(f, reg, (uint32_t)value, bytes);
}

void pci_host_reset(void *pci_host)
{
	struct pci_host *h = pci_host;

	h->address = 0;
	pci_function_reset(&h->bridge);
}

void pci_host_init(struct pci_host *h, struct pci_bus *bus, struct reset_port *reset)
{
	memset(h, 0, sizeof(*h));
	h->bus = bus;
	h->reset = reset;
	pci_function_init(&h->bridge, HOST_VENDOR, HOST_DEVICE, HOST_CLASS, HOST_REVISION, NULL,
			  NULL);
	pci_bus_add(bus, &h->bridge, 0, 0);
}

const struct io_ops pci_host_io_ops = {pci_host_read, pci_host_write, 4};
const struct io_ops pci_ecam_io_ops = {pci_ecam_read, pci_ecam_write, 4};

static const struct field pci_host_fields[] = {
	FIELD(struct pci_host, address),
	FIELD_ARRAY(struct pci_host, bridge.config),
	FIELD_END,
};

const struct device_desc pci_host_desc = {
	.name = "pci-host",
	.text = "PCI host bridge",
	.state_bytes = sizeof(struct pci_host),
	.fields = pci_host_fields,
	.reset = pci_host_reset,
};
