/* The assembler's jumps, calls, stack instructions and padding. Intel SDM vol. 2. */
#include "engine/translate/x64/asm_put.h"

#include <string.h>

void x64_note_relative(struct x64_asm *a, const uint8_t *place)
{
	if (!a->relative)
		return;
	if (a->relative_count == a->relative_max)
		a->overflow = true;
	else
		a->relative[a->relative_count++] = (uint32_t)(place - a->start);
}

/* An opcode and a displacement; returns the displacement's place. */
static uint8_t *relative(struct x64_asm *a, unsigned map, unsigned opcode, const void *target)
{
	struct x64_enc e = {.map = (uint8_t)map, .opcode = (uint8_t)opcode};
	uint8_t *place;

	if (!x64_room(a))
		return NULL;
	x64_put_opcode(a, e, 0, false);
	place = a->at;
	x64_put32(a, 0);
	if (target)
		x64_patch(place, target);
	x64_note_relative(a, place);
	return place;
}

uint8_t *x64_jcc(struct x64_asm *a, enum x64_cc cc, const void *target)
{
	return relative(a, 1, 0x80 | cc, target);
}

uint8_t *x64_jmp(struct x64_asm *a, const void *target)
{
	return relative(a, 0, 0xe9, target);
}

uint8_t *x64_call(struct x64_asm *a, const void *target)
{
	return relative(a, 0, 0xe8, target);
}

void x64_patch(uint8_t *place, const void *target)
{
	if (place)
		*(u32_any *)place = (uint32_t)((uintptr_t)target - (uintptr_t)place - 4);
}

/* Where what was at this offset from `from` goes, which may be outside. */
static uintptr_t moved(const struct x64_moving *m, size_t offset)
{
	if (offset >= m->bytes)
		return (uintptr_t)m->from + offset;
	return offset < m->split ? (uintptr_t)m->to + offset
				 : (uintptr_t)m->to2 + (offset - m->split);
}

void x64_move(const struct x64_moving *m, const uint32_t *relative, unsigned count)
{
	memcpy(m->to, m->from, m->split);
	memcpy(m->to2, m->from + m->split, m->bytes - m->split);
	for (unsigned n = 0; n < count; n++) {
		uint32_t at = relative[n];
		int32_t by = (int32_t) * (const u32_any *)(m->from + at);

		x64_patch((uint8_t *)moved(m, at), (void *)moved(m, at + 4 + (size_t)(int64_t)by));
	}
}

static uint8_t *relative_short(struct x64_asm *a, unsigned opcode)
{
	if (!x64_room(a))
		return NULL;
	x64_put8(a, opcode);
	x64_put8(a, 0);
	return a->at - 1;
}

uint8_t *x64_jcc_short(struct x64_asm *a, enum x64_cc cc)
{
	return relative_short(a, 0x70 | cc);
}

uint8_t *x64_jmp_short(struct x64_asm *a)
{
	return relative_short(a, 0xeb);
}

void x64_land_short(struct x64_asm *a, uint8_t *place)
{
	if (place)
		*place = (uint8_t)(a->at - (place + 1));
}

/* FF /digit: 64-bit operands without REX.W. */
static void indirect_r(struct x64_asm *a, unsigned digit, unsigned r)
{
	struct x64_enc e = {.opcode = 0xff};

	if (!x64_room(a))
		return;
	x64_put_opcode(a, e, x64_high(r), false);
	x64_put_modrm_r(a, digit, r);
}

void x64_jmp_r(struct x64_asm *a, unsigned r)
{
	indirect_r(a, 4, r);
}

void x64_call_r(struct x64_asm *a, unsigned r)
{
	indirect_r(a, 2, r);
}

void x64_jmp_m(struct x64_asm *a, struct x64_mem m)
{
	struct x64_enc e = {.opcode = 0xff};

	if (!x64_room(a))
		return;
	m = x64_mem_short(m);
	x64_put_opcode(a, e, x64_rxb_m(0, m), false);
	x64_put_modrm_m(a, 4, m);
}

void x64_ret(struct x64_asm *a)
{
	if (x64_room(a))
		x64_put8(a, 0xc3);
}

static void one_byte_r(struct x64_asm *a, unsigned opcode, unsigned r)
{
	struct x64_enc e = {.opcode = (uint8_t)(opcode | (r & 7))};

	if (x64_room(a))
		x64_put_opcode(a, e, x64_high(r), false);
}

void x64_push(struct x64_asm *a, unsigned r)
{
	one_byte_r(a, 0x50, r);
}

void x64_pop(struct x64_asm *a, unsigned r)
{
	one_byte_r(a, 0x58, r);
}

void x64_ud2(struct x64_asm *a)
{
	struct x64_enc e = {.map = 1, .opcode = 0x0b};

	if (x64_room(a))
		x64_put_opcode(a, e, 0, false);
}

/* The NOPs of one to nine bytes that SDM vol. 2 recommends. */
static void nop(struct x64_asm *a, unsigned bytes)
{
	static const uint8_t form[9][9] = {
		{0x90},
		{0x66, 0x90},
		{0x0f, 0x1f, 0x00},
		{0x0f, 0x1f, 0x40, 0x00},
		{0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
		{0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
		{0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
		{0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
	};

	for (unsigned n = 0; n < bytes; n++)
		x64_put8(a, form[bytes - 1][n]);
}

void x64_align(struct x64_asm *a, unsigned to)
{
	unsigned left = (unsigned)(-(uintptr_t)a->at & (to - 1));

	while (left && x64_room(a)) {
		unsigned bytes = left < 9 ? left : 9;

		nop(a, bytes);
		left -= bytes;
	}
}
