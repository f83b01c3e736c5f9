/* IDENTIFY DEVICE: what an ATA disk says about itself. ATA/ATAPI-6, 8.15. */
#include <string.h>

#include "base/bits.h"
#include "device/ide_parts.h"

enum {
	CYLINDERS_MAX = 16383,
	HEADS = 16,
	SECTORS = 63,
	LBA28_MAX = 0x0fffffff,
	CACHE = 1 << 5,	       /* words 82 and 85 */
	COMMANDS = 0x7400,     /* word 83: flush, flush ext, 48-bit addresses */
	WORD_VALID = 0x4000,   /* words 84 and 87 */
	CAPABILITIES = 0x0f00, /* DMA, LBA, IORDY */
	DMA_MODES = 0x0007,
};

/* Two characters a word, the first in the high byte; spaces behind. */
static void text(uint8_t *out, unsigned word, unsigned chars, const char *s)
{
	size_t len = strlen(s);

	for (unsigned i = 0; i < chars; i++)
		out[2 * word + (i ^ 1)] = i < len ? (uint8_t)s[i] : ' ';
}

static void put(uint8_t *out, unsigned word, uint32_t v)
{
	store_le16(out + 2 * word, (uint16_t)v);
}

static void put2(uint8_t *out, unsigned word, uint32_t v)
{
	store_le32(out + 2 * word, v);
}

void ide_geometry(const struct ide_drive *d, uint32_t *cylinders, uint32_t *heads,
		  uint32_t *sectors)
{
	uint64_t c = d->disk->bytes / BLOCK_SECTOR / (HEADS * SECTORS);

	*cylinders = c > CYLINDERS_MAX ? CYLINDERS_MAX : c ? (uint32_t)c : 1;
	*heads = HEADS;
	*sectors = SECTORS;
}

static void current_geometry(const struct ide_drive *d, uint8_t *out)
{
	uint64_t total = d->disk->bytes / BLOCK_SECTOR, c;
	uint32_t track = (uint32_t)d->heads * d->sectors;

	c = track ? total / track : 0;
	if (c > CYLINDERS_MAX)
		c = CYLINDERS_MAX;
	put(out, 54, (uint32_t)c);
	put(out, 55, d->heads);
	put(out, 56, d->sectors);
	put2(out, 57, (uint32_t)c * track);
}

void ide_identify(const struct ide_drive *d, uint8_t *out)
{
	uint64_t total = d->disk->bytes / BLOCK_SECTOR;
	uint32_t cylinders, heads, sectors;
	uint8_t sum = 0;

	memset(out, 0, BLOCK_SECTOR);
	ide_geometry(d, &cylinders, &heads, &sectors);
	put(out, 0, 0x0040); /* not removable */
	put(out, 1, cylinders);
	put(out, 3, heads);
	put(out, 6, sectors);
	text(out, 10, 20, d->disk->serial[0] ? d->disk->serial : "DOPPEL");
	text(out, 23, 8, "1.0");
	text(out, 27, 40, "DOPPEL HARDDISK");
	put(out, 47, 0x8000 | IDE_MULTIPLE_MAX);
	put(out, 49, CAPABILITIES);
	put(out, 50, WORD_VALID);
	put(out, 51, 0x0200);
	put(out, 53, 3); /* words 54-58 and 64-70 are valid */
	current_geometry(d, out);
	put(out, 59, d->multiple ? 0x100u | d->multiple : 0);
	put2(out, 60, total > LBA28_MAX ? LBA28_MAX : (uint32_t)total);
	put(out, 63, DMA_MODES | 0x100u << d->mode);
	put(out, 64, 3); /* PIO modes 3 and 4 */
	for (unsigned w = 65; w <= 68; w++)
		put(out, w, 120); /* ns a cycle */
	put(out, 80, 0x7e);	  /* ATA-1 to ATA/ATAPI-6 */
	put(out, 82, CACHE);
	put(out, 83, COMMANDS);
	put(out, 84, WORD_VALID);
	put(out, 85, d->cache ? CACHE : 0);
	put(out, 86, COMMANDS & ~(uint32_t)WORD_VALID);
	put(out, 87, WORD_VALID);
	put2(out, 100, (uint32_t)total);
	put2(out, 102, (uint32_t)(total >> 32));
	out[510] = 0xa5;
	for (unsigned i = 0; i < 511; i++)
		sum = (uint8_t)(sum + out[i]);
	out[511] = (uint8_t)-sum;
}
