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

/* The first of its slots: as many as its opcode spans. */
static unsigned enc_slot(const struct x86_enc *e)
{
	return x86_slot(e->vex != X86_VEX_NONE, e->map, e->opcode);
}

static uint32_t modrm_mask(const struct x86_enc *e)
{
	switch (e->modrm_kind) {
	case X86_MODRM_DIGIT:
		return 0x38;
	case X86_MODRM_I:
		return 0xf8;
	case X86_MODRM_EXACT:
		return 0xff;
	}
	return 0;
}

static void key_add(struct x86_candidate *k, uint32_t mask, uint32_t value)
{
	k->key_mask |= mask;
	k->key |= value & mask;
}

/* Everything the row asks for. */
static struct x86_candidate candidate(const struct x86_decoder *d, unsigned enc)
{
	const struct x86_enc *e = &d->enc[enc];
	struct x86_candidate k = {.enc = (uint16_t)enc, .feature = e->row->feature};

	if (e->attr & (X86_NO64 | X86_ONLY64))
		key_add(&k, X86_KEY_CODE64, e->attr & X86_ONLY64 ? X86_KEY_CODE64 : 0);
	if (e->prefix != X86_PREFIX_ANY)
		key_add(&k, X86_KEY_PREFIX, (uint32_t)e->prefix << X86_KEY_PREFIX_SHIFT);
	if (e->w != X86_W_ANY)
		key_add(&k, X86_KEY_W, e->w == X86_W_1 ? X86_KEY_W : 0);
	if (e->vex == X86_VEX_128 || e->vex == X86_VEX_256)
		key_add(&k, X86_KEY_L, e->vex == X86_VEX_256 ? X86_KEY_L : 0);
	if (e->vex != X86_VEX_NONE && !e->uses_vvvv)
		key_add(&k, X86_KEY_VVVV, 0);
	/* 90 is NOP or PAUSE only as long as it does not name R8 */
	if (e->map == X86_MAP_1 && e->opcode == 0x90 && e->opcode_span == 1)
		key_add(&k, X86_KEY_REX_B, 0);
	if (e->mod != X86_MOD_ANY)
		key_add(&k, X86_KEY_MOD_REG, e->mod == X86_MOD_REG ? X86_KEY_MOD_REG : 0);
	key_add(&k, modrm_mask(e), e->modrm_kind == X86_MODRM_DIGIT ? e->modrm << 3u : e->modrm);
	return k;
}

/* Add a row to the `count` that a slot's list has, which stays sorted by rank. */
static void slot_add(struct x86_decoder *d, unsigned slot, unsigned count, unsigned enc)
{
	const struct x86_enc *e = &d->enc[enc];
	unsigned start = d->slot[slot].first, at = start + count;

	while (at > start && d->enc[d->list[at - 1].enc].rank < e->rank) {
		d->list[at] = d->list[at - 1];
		at--;
	}
	d->list[at] = candidate(d, enc);
	if (e->modrm_kind != X86_MODRM_NONE)
		d->slot[slot].has_modrm = true;
}

/* How long each slot's list is says where the next one begins. */
static unsigned slots_place(struct x86_decoder *d)
{
	for (unsigned k = 0; k < d->enc_count; k++)
		for (unsigned n = 0; n < d->enc[k].opcode_span; n++)
			d->slot[enc_slot(&d->enc[k]) + n + 1].first++;
	for (unsigned slot = 0; slot < X86_SLOT_COUNT; slot++)
		d->slot[slot + 1].first += d->slot[slot].first;
	return d->slot[X86_SLOT_COUNT].first;
}

static void slots_fill(struct x86_decoder *d)
{
	uint16_t count[X86_SLOT_COUNT] = {0};

	for (unsigned k = 0; k < d->enc_count; k++)
		for (unsigned n = 0; n < d->enc[k].opcode_span; n++) {
			unsigned slot = enc_slot(&d->enc[k]) + n;
			slot_add(d, slot, count[slot]++, k);
		}
}

static bool decoder_fill(struct x86_decoder *d)
{
	unsigned k = 0;

	d->enc_count = rows_count();
	d->enc = host_alloc(sizeof(*d->enc) * (d->enc_count + 1));
	if (!d->enc)
		return false;
	for (const struct x86_row *const *f = x86_families; *f; f++)
		for (const struct x86_row *r = *f; r->enc; r++, k++)
			enc_parse_or_panic(r, &d->enc[k]);
	d->list = host_alloc(sizeof(*d->list) * (slots_place(d) + 1));
	if (!d->list)
		return false;
	slots_fill(d);
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
