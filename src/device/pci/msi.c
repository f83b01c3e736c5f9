/* MSI: see msi.h. */
#include "device/pci/msi.h"

#include "base/bits.h"

enum {
	MSI_BYTES = 24,
	/* offsets in the capability */
	MSI_CONTROL = 2,
	MSI_ADDRESS = 4,
	MSI_DATA = 12,
	MSI_MASK = 16,
	MSI_PENDING = 20,
	/* control */
	MSI_ENABLE = 1 << 0,
	MSI_CAPABLE_SHIFT = 1, /* log2 of vectors offered */
	MSI_TAKEN_SHIFT = 4,   /* log2 of vectors the driver uses */
	MSI_64BIT = 1 << 7,
	MSI_MASKS = 1 << 8,
};

bool msi_init(struct pci_function *f, unsigned vectors)
{
	unsigned log = 0, at;

	while (1u << log < vectors && log < 5)
		log++;
	at = pci_function_capability(f, PCI_CAP_MSI, MSI_BYTES);
	if (!at)
		return false;
	f->msi_at = (uint8_t)at;
	store_le16(f->config + at + MSI_CONTROL,
		   (uint16_t)(log << MSI_CAPABLE_SHIFT | MSI_64BIT | MSI_MASKS));
	store_le16(f->writable + at + MSI_CONTROL, MSI_ENABLE | 7 << MSI_TAKEN_SHIFT);
	store_le64(f->writable + at + MSI_ADDRESS, ~3ull);
	store_le16(f->writable + at + MSI_DATA, 0xffff);
	store_le32(f->writable + at + MSI_MASK, (uint32_t)bits_mask(1u << log));
	return true;
}

static uint16_t msi_control(const struct pci_function *f)
{
	return load_le16(f->config + f->msi_at + MSI_CONTROL);
}

bool msi_enabled(const struct pci_function *f)
{
	return f->msi_at && (msi_control(f) & MSI_ENABLE);
}

/* log2 of the vectors in use: what the driver asks for, but no more than there are. */
static unsigned msi_taken(const struct pci_function *f)
{
	unsigned offered = msi_control(f) >> MSI_CAPABLE_SHIFT & 7;
	unsigned taken = msi_control(f) >> MSI_TAKEN_SHIFT & 7;

	return taken < offered ? taken : offered;
}

static void msi_deliver(struct pci_function *f, unsigned n)
{
	const uint8_t *cap = f->config + f->msi_at;
	uint32_t low = (1u << msi_taken(f)) - 1;

	if (f->messages.send)
		f->messages.send(f->messages.opaque, load_le64(cap + MSI_ADDRESS),
				 (load_le16(cap + MSI_DATA) & ~low) | n);
}

void msi_send(struct pci_function *f, unsigned n)
{
	uint8_t *cap = f->config + f->msi_at;

	if (!msi_enabled(f))
		return;
	n &= (1u << msi_taken(f)) - 1;
	if (load_le32(cap + MSI_MASK) >> n & 1)
		store_le32(cap + MSI_PENDING, load_le32(cap + MSI_PENDING) | 1u << n);
	else
		msi_deliver(f, n);
}

void msi_config_written(struct pci_function *f)
{
	uint8_t *cap = f->config + f->msi_at;
	uint32_t due;

	if (!msi_enabled(f))
		return;
	due = load_le32(cap + MSI_PENDING) & ~load_le32(cap + MSI_MASK);
	store_le32(cap + MSI_PENDING, load_le32(cap + MSI_PENDING) & ~due);
	for (unsigned n = 0; n < 1u << msi_taken(f); n++)
		if (due >> n & 1)
			msi_deliver(f, n);
}
