/* MSI-X: see msix.h. */
#include "device/pci/msix.h"

#include <string.h>

#include "base/bits.h"

enum {
	MSIX_BYTES = 12,
	/* offsets in the capability */
	MSIX_CONTROL = 2,
	MSIX_TABLE = 4,
	MSIX_PENDING = 8,
	/* control */
	MSIX_MASK_ALL = 1 << 14,
	MSIX_ENABLE = 1 << 15,
	/* words of an entry */
	MSIX_WORDS = MSIX_ENTRY_BYTES / 4,
	MSIX_ADDRESS = 0,
	MSIX_ADDRESS_HIGH = 1,
	MSIX_DATA = 2,
	MSIX_VECTOR_CONTROL = 3,
	MSIX_MASKED = 1, /* in the vector control */
};

static uint16_t msix_control(const struct msix *x)
{
	return load_le16(x->function->config + x->at + MSIX_CONTROL);
}

bool msix_enabled(const struct msix *x)
{
	return msix_control(x) & MSIX_ENABLE;
}

static void msix_deliver(struct msix *x, unsigned n)
{
	const uint32_t *e = x->table + MSIX_WORDS * n;
	const struct pci_messages *m = &x->function->messages;

	if (m->send)
		m->send(m->opaque, (uint64_t)e[MSIX_ADDRESS_HIGH] << 32 | e[MSIX_ADDRESS],
			e[MSIX_DATA]);
}

void msix_send(struct msix *x, unsigned n)
{
	if (n >= x->vectors || !msix_enabled(x))
		return;
	if ((msix_control(x) & MSIX_MASK_ALL) ||
	    (x->table[MSIX_WORDS * n + MSIX_VECTOR_CONTROL] & MSIX_MASKED))
		x->pending[n / 32] |= 1u << n % 32;
	else
		msix_deliver(x, n);
}

/* Vector n may have been unmasked. */
static void msix_catch_up(struct msix *x, unsigned n)
{
	if (!(x->pending[n / 32] >> n % 32 & 1))
		return;
	x->pending[n / 32] &= ~(1u << n % 32);
	msix_send(x, n);
}

void msix_config_written(struct msix *x)
{
	if (!msix_enabled(x) || (msix_control(x) & MSIX_MASK_ALL))
		return;
	for (unsigned n = 0; n < x->vectors; n++)
		msix_catch_up(x, n);
}

uint32_t msix_table_read(const struct msix *x, uint64_t offset, unsigned bytes)
{
	uint64_t n = offset / MSIX_ENTRY_BYTES;

	return n < x->vectors && bytes == 4 ? x->table[offset / 4] : 0;
}

void msix_table_write(struct msix *x, uint64_t offset, uint32_t value, unsigned bytes)
{
	static const uint32_t writable[4] = {~3u, ~0u, ~0u, MSIX_MASKED};
	uint64_t n = offset / MSIX_ENTRY_BYTES;
	unsigned word = offset / 4 % 4;

	if (n >= x->vectors || bytes != 4)
		return;
	x->table[MSIX_WORDS * n + word] = value & writable[word];
	if (word == MSIX_VECTOR_CONTROL && msix_enabled(x))
		msix_catch_up(x, (unsigned)n);
}

uint32_t msix_pending_read(const struct msix *x, uint64_t offset, unsigned bytes)
{
	return offset / 4 < MSIX_PENDING_WORDS && bytes == 4 ? x->pending[offset / 4] : 0;
}

void msix_reset(void *msix)
{
	struct msix *x = msix;

	memset(x->table, 0, sizeof(x->table));
	memset(x->pending, 0, sizeof(x->pending));
	for (unsigned n = 0; n < x->vectors; n++)
		x->table[MSIX_WORDS * n + MSIX_VECTOR_CONTROL] = MSIX_MASKED;
}

bool msix_init(struct msix *x, struct pci_function *f, unsigned vectors, unsigned bar,
	       uint32_t table, uint32_t pending)
{
	unsigned at;

	memset(x, 0, sizeof(*x));
	if (vectors == 0 || vectors > MSIX_VECTORS_MAX)
		return false;
	at = pci_function_capability(f, PCI_CAP_MSIX, MSIX_BYTES);
	if (!at)
		return false;
	x->function = f;
	x->vectors = (uint16_t)vectors;
	x->at = (uint8_t)at;
	store_le16(f->config + at + MSIX_CONTROL, (uint16_t)(vectors - 1));
	store_le16(f->writable + at + MSIX_CONTROL, MSIX_ENABLE | MSIX_MASK_ALL);
	store_le32(f->config + at + MSIX_TABLE, table | bar);
	store_le32(f->config + at + MSIX_PENDING, pending | bar);
	f->msix = x;
	msix_reset(x);
	return true;
}

static const struct field msix_fields[] = {
	FIELD_ARRAY(struct msix, table),
	FIELD_ARRAY(struct msix, pending),
	FIELD_END,
};

const struct device_desc msix_desc = {
	.name = "msix",
	.text = "MSI-X table",
	.state_bytes = sizeof(struct msix),
	.fields = msix_fields,
	.reset = msix_reset,
};
