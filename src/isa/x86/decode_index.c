/*
 * The decoder's index: for every opcode of every map the rows that may match, best first. Built
 * once per machine from the families; const afterwards. A row that breaks the grammar is a bug of
 * ours and stops the program with the row's text.
 */
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "isa/x86/decode_rows.h"

static unsigned rows_count(void)
{
	unsigned n = 0;

	for (const struct x86_row *const *f = x86_families; *f; f++) {
		for (const struct x86_row *r = *f; r->enc; r++)
			n++;
	}
	return n;
}

static void enc_parse_or_panic(const struct x86_row *r, struct x86_enc *e)
{
	const char *why;
	char msg[200];

	if (x86_enc_parse(r, e, &why))
		return;
	snprintf(msg, sizeof(msg), "x86 decode row \"%s\" \"%s\" %s: %s\n", r->enc,
		 r->ops ? r->ops : "", r->text ? r->text : "", why);
	host_panic(msg);
}

static bool enc_in_slot(const struct x86_enc *e, unsigned slot)
{
	unsigned start = x86_slot(e->vex != X86_VEX_NONE, e->map, e->opcode);

	return slot >= start && slot < start + e->opcode_span;
}

/* Append the rows of one slot to the list, kept sorted by rank. */
static void slot_fill(struct x86_decoder *d, unsigned slot)
{
	unsigned start = d->first[slot], end = start;

	for (unsigned k = 0; k < d->enc_count; k++) {
		const struct x86_enc *e = &d->enc[k];
		unsigned at = end;

		if (!enc_in_slot(e, slot))
			continue;
		while (at > start && d->enc[d->list[at - 1]].rank < e->rank) {
			d->list[at] = d->list[at - 1];
			at--;
		}
		d->list[at] = (uint16_t)k;
		end++;
		if (e->modrm_kind != X86_MODRM_NONE)
			d->has_modrm[slot] = true;
	}
	d->first[slot + 1] = end;
}

static bool decoder_fill(struct x86_decoder *d)
{
	unsigned listed = 0, k = 0;

	d->enc_count = rows_count();
	d->enc = host_alloc(sizeof(*d->enc) * (d->enc_count + 1));
	if (!d->enc)
		return false;
	for (const struct x86_row *const *f = x86_families; *f; f++) {
		for (const struct x86_row *r = *f; r->enc; r++, k++) {
			enc_parse_or_panic(r, &d->enc[k]);
			listed += d->enc[k].opcode_span;
		}
	}
	d->list = host_alloc(sizeof(*d->list) * (listed + 1));
	if (!d->list)
		return false;
	for (unsigned slot = 0; slot < X86_SLOT_COUNT; slot++)
		slot_fill(d, slot);
	return true;
}

struct x86_decoder *x86_decoder_create(void)
{
	struct x86_decoder *d = host_alloc(sizeof(*d));

	if (d && !decoder_fill(d)) {
		x86_decoder_destroy(d);
		return NULL;
	}
	return d;
}

void x86_decoder_destroy(struct x86_decoder *d)
{
	if (!d)
		return;
	host_free(d->enc);
	host_free(d->list);
	host_free(d);
}
