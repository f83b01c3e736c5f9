/* A PCI function's configuration space: see pci.h. PCI Local Bus 3.0, 6.1 and 6.2.5 (BARs). */
#include "device/pci/pci.h"

#include <string.h>

#include "base/bits.h"
#include "device/pci/msi.h"
#include "device/pci/msix.h"

enum { CAPS_FIRST = 0x40, STATUS_CLEAR = 0xf900 };

static bool bar_is_64(const struct pci_function *f, unsigned bar)
{
	return !(f->config[PCI_BAR0 + 4 * bar] & PCI_BAR_IO) &&
	       (f->config[PCI_BAR0 + 4 * bar] & 6) == PCI_BAR_MEM64;
}

bool pci_function_bar_base(const struct pci_function *f, unsigned bar, uint64_t *base)
{
	const uint8_t *reg = f->config + PCI_BAR0 + 4 * (bar % PCI_BARS);
	uint64_t v = load_le32(reg), mask;

	*base = 0;
	if (bar >= PCI_BARS || !f->bar_bytes[bar])
		return false;
	mask = ~(f->bar_bytes[bar] - 1);
	if (bar_is_64(f, bar) && bar + 1 < PCI_BARS)
		v |= (uint64_t)load_le32(reg + 4) << 32;
	*base = v & mask;
	/* Address 0 and the all-ones of sizing are not places to answer at. */
	if (v & PCI_BAR_IO)
		return (f->config[PCI_COMMAND] & PCI_COMMAND_IO) && *base &&
		       *base + f->bar_bytes[bar] <= 0x10000;
	return (f->config[PCI_COMMAND] & PCI_COMMAND_MEMORY) && *base &&
	       *base != (mask & (bar_is_64(f, bar) ? ~0ull : 0xffffffffull));
}

uint32_t pci_config_read(struct pci_function *f, unsigned offset, unsigned bytes)
{
	uint32_t v = 0;

	if (bytes > 4 || offset > PCI_CONFIG_BYTES - bytes)
		return UINT32_MAX;
	if (f->ops && f->ops->config_reading)
		f->ops->config_reading(f->opaque, offset, bytes);
	memcpy(&v, f->config + offset, bytes);
	return v;
}

/* What every BAR comes to, before and after a write. */
struct bars {
	uint64_t base[PCI_BARS];
	bool on[PCI_BARS];
};

static void bars_get(const struct pci_function *f, struct bars *b)
{
	for (unsigned i = 0; i < PCI_BARS; i++)
		b->on[i] = pci_function_bar_base(f, i, &b->base[i]);
}

static void bars_report(struct pci_function *f, const struct bars *was)
{
	struct bars is;

	bars_get(f, &is);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (is.on[i] == was->on[i] && (!is.on[i] || is.base[i] == was->base[i]))
			continue;
		if (f->ops && f->ops->bar_changed)
			f->ops->bar_changed(f->opaque, i, is.base[i], is.on[i]);
		if (f->bar_moved)
			f->bar_moved(f->machine, f, i, is.base[i], is.on[i]);
	}
}

static void pci_function_update_intx(struct pci_function *f)
{
	bool off = (load_le16(f->config + PCI_COMMAND) & PCI_COMMAND_INTX_OFF) || msi_enabled(f) ||
		   (f->msix && msix_enabled(f->msix));

	f->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
	if (f->intx)
		f->config[PCI_STATUS] |= PCI_STATUS_INTX;
	irq_line_set(&f->irq, f->intx && !off);
}

void pci_config_write(struct pci_function *f, unsigned offset, uint32_t value, unsigned bytes)
{
	struct bars was;

	if (bytes > 4 || offset > PCI_CONFIG_BYTES - bytes)
		return;
	bars_get(f, &was);
	for (unsigned i = 0; i < bytes; i++) {
		uint8_t *reg = &f->config[offset + i], v = (uint8_t)(value >> 8 * i);

		*reg = (*reg & ~f->writable[offset + i]) | (v & f->writable[offset + i]);
		*reg &= (uint8_t) ~(v & f->clear[offset + i]);
	}
	msi_config_written(f);
	if (f->msix)
		msix_config_written(f->msix);
	pci_function_update_intx(f);
	bars_report(f, &was);
	if (f->ops && f->ops->config_written)
		f->ops->config_written(f->opaque, offset, bytes);
}

void pci_function_intx(struct pci_function *f, int level)
{
	f->intx = level != 0;
	pci_function_update_intx(f);
}

void pci_function_init(struct pci_function *f, uint16_t vendor, uint16_t device,
		       uint32_t class_code, uint8_t revision, const struct pci_function_ops *ops,
		       void *opaque)
{
	memset(f, 0, sizeof(*f));
	f->ops = ops;
	f->opaque = opaque;
	f->caps_end = CAPS_FIRST;
	store_le16(f->config + PCI_VENDOR, vendor);
	store_le16(f->config + PCI_DEVICE, device);
	store_le32(f->config + PCI_REVISION, class_code << 8 | revision);
	store_le16(f->writable + PCI_COMMAND,
		   PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF | 1 << 6 | 1 << 8);
	store_le16(f->clear + PCI_STATUS, STATUS_CLEAR);
	f->writable[PCI_INTERRUPT_LINE] = 0xff;
	f->writable[0x0c] = 0xff; /* cache line size, latency timer: stored, without effect */
	f->writable[0x0d] = 0xff;
}

bool pci_function_bar(struct pci_function *f, unsigned bar, uint64_t bytes, unsigned flags)
{
	bool io = flags & PCI_BAR_IO, wide = !io && (flags & PCI_BAR_MEM64);

	if (bar >= PCI_BARS || (wide && bar + 1 >= PCI_BARS) || (bytes & (bytes - 1)) ||
	    bytes < (io ? 4 : 16) ||
	    bytes > (io	    ? 0x8000ull
		     : wide ? 1ull << 62
			    : 1ull << 31))
		return false;
	f->bar_bytes[bar] = bytes;
	store_le32(f->config + PCI_BAR0 + 4 * bar, flags & (io ? 1u : 0xeu));
	store_le32(f->writable + PCI_BAR0 + 4 * bar, (uint32_t) ~(bytes - 1));
	if (wide)
		store_le32(f->writable + PCI_BAR0 + 4 * bar + 4, (uint32_t)(~(bytes - 1) >> 32));
	f->writable[PCI_COMMAND] |= io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	return true;
}

unsigned pci_function_capability(struct pci_function *f, uint8_t id, unsigned len)
{
	unsigned at = f->caps_end;

	if (len < 2 || len > PCI_CONFIG_BYTES - CAPS_FIRST || at + len > PCI_CONFIG_BYTES - 4)
		return 0;
	f->config[at] = id;
	f->config[at + 1] = f->config[PCI_CAPABILITIES];
	f->config[PCI_CAPABILITIES] = (uint8_t)at;
	f->config[PCI_STATUS] |= PCI_STATUS_CAPS;
	f->caps_end = (uint8_t)align_up(at + len, 4);
	return at;
}

bool pci_bus_add(struct pci_bus *bus, struct pci_function *f, unsigned device, unsigned function)
{
	if (device > 31 || function > 7 || bus->function[device << 3 | function])
		return false;
	f->devfn = (uint8_t)(device << 3 | function);
	bus->function[f->devfn] = f;
	memcpy(f->power_on, f->config, sizeof(f->config));
	return true;
}

void pci_function_reset(void *pci_function)
{
	struct pci_function *f = pci_function;
	struct bars was;

	bars_get(f, &was);
	memcpy(f->config, f->power_on, sizeof(f->config));
	if (f->msix)
		msix_reset(f->msix);
	f->intx = 0;
	pci_function_update_intx(f);
	bars_report(f, &was);
}

static void pci_function_after_restore(void *pci_function)
{
	struct pci_function *f = pci_function;
	struct bars nowhere;

	/* Tell the owner every BAR, whatever it believed before. */
	for (unsigned i = 0; i < PCI_BARS; i++)
		nowhere.on[i] = !pci_function_bar_base(f, i, &nowhere.base[i]);
	pci_function_update_intx(f);
	bars_report(f, &nowhere);
}

static const struct field pci_function_fields[] = {
	FIELD_ARRAY(struct pci_function, config),
	FIELD(struct pci_function, intx),
	FIELD_END,
};

const struct device_desc pci_function_desc = {
	.name = "pci-function",
	.text = "PCI configuration space",
	.state_bytes = sizeof(struct pci_function),
	.fields = pci_function_fields,
	.reset = pci_function_reset,
	.after_restore = pci_function_after_restore,
};
