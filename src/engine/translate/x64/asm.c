/*
 * The assembler's general-purpose instructions: moves, arithmetic, shifts, bits, locked operations.
 * Jumps are in asm_jump.c, vectors in asm_vec.c. Where two encodings do the same, the shorter is
 * taken: byte or 32-bit operations for wider ones whose upper part is known, RAX's own forms.
 */
#include "engine/translate/x64/asm_put.h"

/* An opcode without mandatory prefix for operands of this size; the byte form is the one before. */
static struct x64_enc sized(unsigned map, unsigned opcode, unsigned bytes)
{
	return (struct x64_enc){.pp = bytes == 2,
				.map = (uint8_t)map,
				.opcode = (uint8_t)(opcode - (bytes == 1)),
				.w = bytes == 8};
}

/* The same, where there is no byte form. */
static struct x64_enc sized_word(unsigned map, unsigned opcode, unsigned bytes)
{
	return sized(map, opcode + (bytes == 1), bytes);
}

/* Without REX these numbers name AH to BH. */
static bool byte_needs_rex(unsigned bytes, unsigned reg)
{
	return bytes == 1 && reg >= X64_RSP && reg <= X64_RDI;
}

static void put_rr(struct x64_asm *a, struct x64_enc e, unsigned reg, unsigned rm, bool rex)
{
	x64_put_opcode(a, e, x64_rxb_r(reg, rm), rex);
	x64_put_modrm_r(a, reg, rm);
}

static void put_rm(struct x64_asm *a, struct x64_enc e, unsigned reg, struct x64_mem m, bool rex)
{
	m = x64_mem_short(m);
	x64_put_opcode(a, e, x64_rxb_m(reg, m), rex);
	x64_put_modrm_m(a, reg, m);
}

static void put_imm(struct x64_asm *a, unsigned bytes, int32_t imm)
{
	if (bytes == 1)
		x64_put8(a, (uint8_t)imm);
	else if (bytes == 2)
		x64_put16(a, (uint16_t)imm);
	else
		x64_put32(a, (uint32_t)imm);
}

/* The immediate as the operation sees it: only its low bytes count. */
static int32_t imm_cut(unsigned bytes, int32_t imm)
{
	return bytes == 1 ? (int8_t)imm : bytes == 2 ? (int16_t)imm : imm;
}

/* Instructions with two operands of one size: reg and rm in the ModRM byte. */
static void two_rr(struct x64_asm *a, struct x64_enc e, unsigned bytes, unsigned reg, unsigned rm)
{
	if (x64_room(a))
		put_rr(a, e, reg, rm, byte_needs_rex(bytes, reg) || byte_needs_rex(bytes, rm));
}

static void two_rm(struct x64_asm *a, struct x64_enc e, unsigned bytes, unsigned reg,
		   struct x64_mem m)
{
	if (x64_room(a))
		put_rm(a, e, reg, m, byte_needs_rex(bytes, reg));
}

/* Instructions with one operand and a digit in ModRM.reg. */
static void one_r(struct x64_asm *a, struct x64_enc e, unsigned bytes, unsigned digit, unsigned r)
{
	put_rr(a, e, digit, r, byte_needs_rex(bytes, r));
}

static void lock_rm(struct x64_asm *a, struct x64_enc e, unsigned bytes, unsigned reg,
		    struct x64_mem m)
{
	if (!x64_room(a))
		return;
	x64_put8(a, 0xf0);
	put_rm(a, e, reg, m, byte_needs_rex(bytes, reg));
}

void x64_alu_rr(struct x64_asm *a, enum x64_alu op, unsigned bytes, unsigned dst, unsigned src)
{
	two_rr(a, sized(0, op << 3 | 1, bytes), bytes, src, dst);
}

void x64_alu_rm(struct x64_asm *a, enum x64_alu op, unsigned bytes, unsigned dst, struct x64_mem m)
{
	two_rm(a, sized(0, op << 3 | 3, bytes), bytes, dst, m);
}

void x64_alu_mr(struct x64_asm *a, enum x64_alu op, unsigned bytes, struct x64_mem m, unsigned src)
{
	two_rm(a, sized(0, op << 3 | 1, bytes), bytes, src, m);
}

void x64_alu_ri(struct x64_asm *a, enum x64_alu op, unsigned bytes, unsigned dst, int32_t imm)
{
	bool short_imm;

	if (!x64_room(a))
		return;
	imm = imm_cut(bytes, imm);
	if (op == X64_AND && bytes == 8 && imm >= 0)
		bytes = 4; /* clears the upper half either way */
	short_imm = bytes != 1 && x64_fits8(imm);
	if (dst == X64_RAX && !short_imm)
		x64_put_opcode(a, sized(0, op << 3 | 5, bytes), 0, false);
	else
		one_r(a, sized(0, short_imm ? 0x83 : 0x81, bytes), bytes, op, dst);
	put_imm(a, short_imm ? 1 : bytes, imm);
}

void x64_alu_mi(struct x64_asm *a, enum x64_alu op, unsigned bytes, struct x64_mem m, int32_t imm)
{
	bool short_imm;

	if (!x64_room(a))
		return;
	imm = imm_cut(bytes, imm);
	short_imm = bytes != 1 && x64_fits8(imm);
	put_rm(a, sized(0, short_imm ? 0x83 : 0x81, bytes), op, m, false);
	put_imm(a, short_imm ? 1 : bytes, imm);
}

void x64_test_rr(struct x64_asm *a, unsigned bytes, unsigned x, unsigned y)
{
	two_rr(a, sized(0, 0x85, bytes), bytes, y, x);
}

/* The narrowest operands that give a TEST with this immediate the same flags: what the immediate
 * leaves out does not matter as long as the result's sign is clear in both sizes. */
static unsigned test_size(unsigned bytes, int32_t imm)
{
	if (imm >= 0 && imm <= 0x7f)
		return 1;
	return bytes == 8 && imm >= 0 ? 4 : bytes;
}

void x64_test_ri(struct x64_asm *a, unsigned bytes, unsigned x, int32_t imm)
{
	if (!x64_room(a))
		return;
	imm = imm_cut(bytes, imm);
	bytes = test_size(bytes, imm);
	if (x == X64_RAX)
		x64_put_opcode(a, sized(0, 0xa9, bytes), 0, false);
	else
		one_r(a, sized(0, 0xf7, bytes), bytes, 0, x);
	put_imm(a, bytes, imm);
}

void x64_test_mi(struct x64_asm *a, unsigned bytes, struct x64_mem m, int32_t imm)
{
	if (!x64_room(a))
		return;
	imm = imm_cut(bytes, imm);
	bytes = test_size(bytes, imm);
	put_rm(a, sized(0, 0xf7, bytes), 0, m, false);
	put_imm(a, bytes, imm);
}

void x64_mov_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	if (bytes != 8 || dst != src)
		two_rr(a, sized(0, 0x89, bytes), bytes, src, dst);
}

void x64_mov_ri(struct x64_asm *a, unsigned dst, uint64_t imm)
{
	struct x64_enc to_reg = {.opcode = (uint8_t)(0xb8 | (dst & 7))};

	if (!x64_room(a))
		return;
	if (imm <= UINT32_MAX) {
		x64_put_opcode(a, to_reg, x64_high(dst), false);
		x64_put32(a, (uint32_t)imm);
	} else if ((int64_t)imm == (int32_t)imm) {
		put_rr(a, sized(0, 0xc7, 8), 0, dst, false);
		x64_put32(a, (uint32_t)imm);
	} else {
		to_reg.w = 1;
		x64_put_opcode(a, to_reg, x64_high(dst), false);
		x64_put64(a, imm);
	}
}

void x64_mov_rm(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m)
{
	two_rm(a, sized(0, 0x8b, bytes), bytes, dst, m);
}

void x64_mov_mr(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned src)
{
	two_rm(a, sized(0, 0x89, bytes), bytes, src, m);
}

void x64_mov_mi(struct x64_asm *a, unsigned bytes, struct x64_mem m, int32_t imm)
{
	if (!x64_room(a))
		return;
	put_rm(a, sized(0, 0xc7, bytes), 0, m, false);
	put_imm(a, bytes, imm);
}

static struct x64_enc extend(unsigned opcode, unsigned bytes, unsigned from)
{
	return (struct x64_enc){
		.map = from != 4,
		.opcode = (uint8_t)(from == 4 ? 0x63 : opcode + (from == 2)),
		.w = bytes == 8,
	};
}

void x64_movzx_rr(struct x64_asm *a, unsigned dst, unsigned src, unsigned from)
{
	if (x64_room(a))
		put_rr(a, extend(0xb6, 4, from), dst, src, byte_needs_rex(from, src));
}

void x64_movzx_rm(struct x64_asm *a, unsigned dst, struct x64_mem m, unsigned from)
{
	if (x64_room(a))
		put_rm(a, extend(0xb6, 4, from), dst, m, false);
}

void x64_movsx_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src, unsigned from)
{
	if (x64_room(a))
		put_rr(a, extend(0xbe, bytes, from), dst, src, byte_needs_rex(from, src));
}

void x64_movsx_rm(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m, unsigned from)
{
	if (x64_room(a))
		put_rm(a, extend(0xbe, bytes, from), dst, m, false);
}

void x64_lea(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m)
{
	two_rm(a, sized_word(0, 0x8d, bytes), bytes, dst, m);
}

void x64_lea_rip(struct x64_asm *a, unsigned dst, const void *target)
{
	if (!x64_room(a))
		return;
	x64_put_opcode(a, sized(0, 0x8d, 8), x64_high(dst) << 2, false);
	x64_put8(a, (dst & 7) << 3 | 5);
	x64_note_relative(a, a->at);
	x64_put32(a, (uint32_t)((uintptr_t)target - (uintptr_t)a->at - 4));
}

/* One of them is RAX and the short form says the same: 90 itself is NOP and would not zero-extend.
 */
static bool xchg_is_short(unsigned bytes, unsigned x, unsigned y)
{
	return bytes != 1 && (x == X64_RAX || y == X64_RAX) && (x | y || bytes != 4);
}

void x64_xchg_rr(struct x64_asm *a, unsigned bytes, unsigned x, unsigned y)
{
	if (!xchg_is_short(bytes, x, y))
		two_rr(a, sized(0, 0x87, bytes), bytes, y, x);
	else if (x64_room(a))
		x64_put_opcode(a, sized(0, 0x90 | ((x | y) & 7), bytes), x64_high(x | y), false);
}

void x64_shift_ri(struct x64_asm *a, enum x64_shift op, unsigned bytes, unsigned dst,
		  unsigned count)
{
	if (!x64_room(a))
		return;
	one_r(a, sized(0, count == 1 ? 0xd1 : 0xc1, bytes), bytes, op, dst);
	if (count != 1)
		x64_put8(a, count);
}

void x64_shift_cl(struct x64_asm *a, enum x64_shift op, unsigned bytes, unsigned dst)
{
	if (x64_room(a))
		one_r(a, sized(0, 0xd3, bytes), bytes, op, dst);
}

void x64_shiftx(struct x64_asm *a, enum x64_shift op, unsigned bytes, unsigned dst, unsigned src,
		unsigned count)
{
	struct x64_enc e = {.map = 2, .opcode = 0xf7, .w = bytes == 8};

	e.pp = op == X64_SHL ? 1 : op == X64_SAR ? 2 : 3;
	x64_vex_rr(a, e, 0, dst, count, src, -1);
}

void x64_rorx(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src, unsigned count)
{
	struct x64_enc e = {.pp = 3, .map = 3, .opcode = 0xf0, .w = bytes == 8};

	x64_vex_rr(a, e, 0, dst, X64_NO_REG, src, (int)count);
}

void x64_unary_r(struct x64_asm *a, enum x64_unary op, unsigned bytes, unsigned r)
{
	if (x64_room(a))
		one_r(a, sized(0, 0xf7, bytes), bytes, op, r);
}

void x64_imul_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	two_rr(a, sized_word(1, 0xaf, bytes), bytes, dst, src);
}

void x64_imul_rri(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src, int32_t imm)
{
	bool short_imm;

	if (!x64_room(a))
		return;
	imm = imm_cut(bytes, imm);
	short_imm = x64_fits8(imm);
	put_rr(a, sized_word(0, short_imm ? 0x6b : 0x69, bytes), dst, src, false);
	put_imm(a, short_imm ? 1 : bytes, imm);
}

void x64_bswap(struct x64_asm *a, unsigned bytes, unsigned r)
{
	if (x64_room(a))
		x64_put_opcode(a, sized_word(1, 0xc8 | (r & 7), bytes), x64_high(r), false);
}

void x64_bsf_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	two_rr(a, sized_word(1, 0xbc, bytes), bytes, dst, src);
}

void x64_bsr_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	two_rr(a, sized_word(1, 0xbd, bytes), bytes, dst, src);
}

/* F3 and an opcode; 66 for 16-bit operands may come before it. */
static void count_rr(struct x64_asm *a, unsigned opcode, unsigned bytes, unsigned dst, unsigned src)
{
	struct x64_enc e = {.pp = 2, .map = 1, .opcode = (uint8_t)opcode, .w = bytes == 8};

	if (!x64_room(a))
		return;
	if (bytes == 2)
		x64_put8(a, 0x66);
	put_rr(a, e, dst, src, false);
}

void x64_tzcnt_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	count_rr(a, 0xbc, bytes, dst, src);
}

void x64_lzcnt_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	count_rr(a, 0xbd, bytes, dst, src);
}

void x64_popcnt_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	count_rr(a, 0xb8, bytes, dst, src);
}

static struct x64_enc crc32(unsigned bytes)
{
	return (struct x64_enc){.pp = 3, .map = 2, .opcode = 0xf1 - (bytes == 1), .w = bytes == 8};
}

void x64_crc32_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	if (!x64_room(a))
		return;
	if (bytes == 2)
		x64_put8(a, 0x66);
	put_rr(a, crc32(bytes), dst, src, byte_needs_rex(bytes, src));
}

void x64_crc32_rm(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m)
{
	if (!x64_room(a))
		return;
	if (bytes == 2)
		x64_put8(a, 0x66);
	put_rm(a, crc32(bytes), dst, m, false);
}

void x64_bt_ri(struct x64_asm *a, unsigned bytes, unsigned r, unsigned bit)
{
	if (!x64_room(a))
		return;
	put_rr(a, sized_word(1, 0xba, bytes), 4, r, false);
	x64_put8(a, bit);
}

void x64_setcc(struct x64_asm *a, enum x64_cc cc, unsigned r8)
{
	if (x64_room(a))
		one_r(a, sized_word(1, 0x90 | cc, 1), 1, 0, r8);
}

void x64_cmov_rr(struct x64_asm *a, enum x64_cc cc, unsigned bytes, unsigned dst, unsigned src)
{
	two_rr(a, sized_word(1, 0x40 | cc, bytes), bytes, dst, src);
}

void x64_lock_xadd(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned r)
{
	lock_rm(a, sized(1, 0xc1, bytes), bytes, r, m);
}

void x64_lock_cmpxchg(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned r)
{
	lock_rm(a, sized(1, 0xb1, bytes), bytes, r, m);
}

void x64_xchg_mr(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned r)
{
	two_rm(a, sized(0, 0x87, bytes), bytes, r, m); /* locks by itself */
}

void x64_lock_alu_mr(struct x64_asm *a, enum x64_alu op, unsigned bytes, struct x64_mem m,
		     unsigned r)
{
	lock_rm(a, sized(0, op << 3 | 1, bytes), bytes, r, m);
}

void x64_mfence(struct x64_asm *a)
{
	if (x64_room(a))
		put_rr(a, sized(1, 0xae, 4), 6, 0, false);
}

void x64_mov_low_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	if (!x64_room(a))
		return;
	if (bytes == 2)
		x64_put8(a, 0x66);
	x64_put_opcode(a, (struct x64_enc){0, 0, bytes == 1 ? 0x88 : 0x89, 0}, x64_rxb_r(src, dst),
		       bytes == 1 && (src >= X64_RSP || dst >= X64_RSP));
	x64_put_modrm_r(a, src, dst);
}

void x64_lahf(struct x64_asm *a)
{
	if (x64_room(a))
		x64_put8(a, 0x9f);
}

void x64_movzx_ah(struct x64_asm *a)
{
	if (!x64_room(a))
		return;
	x64_put8(a, 0x0f);
	x64_put8(a, 0xb6);
	x64_put8(a, 0xc4);
}

void x64_vzeroupper(struct x64_asm *a)
{
	if (!x64_room(a))
		return;
	x64_put8(a, 0xc5);
	x64_put8(a, 0xf8);
	x64_put8(a, 0x77);
}
