/*
 * Shifts and rotates: ROL ROR RCL RCR SHL SHR SAR, SHLD and SHRD. SDM vol. 2.
 *
 * Counts are masked to 5 bits, 6 for 64-bit operands. A constant count becomes plain IR with a lazy
 * flags kind; a count in CL keeps all flags when it is zero, so its flags come from a pure helper
 * that is given the old ones (and vanishes when nobody reads them). Rotates keep SF ZF AF PF and
 * always use such a helper.
 *
 * Where the manuals leave results or flags undefined (8- and 16-bit shifts and SHLD/SHRD beyond the
 * operand), AMD's processors are followed.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"

/* modrm.reg order */
enum { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAR = 7 };

/* Helpers take the count and log2 of the operand's bytes in one argument. */
#define SHIFT_COUNT(info) ((unsigned)(info)&0x3f)
#define SHIFT_LOG2(info)  ((unsigned)(info) >> 8 & 3)
#define SHIFT_WIDTH(info) (8u << SHIFT_LOG2(info))

static uint64_t shift_flags(enum ir_flags_kind kind, uint64_t value, uint64_t info, uint64_t packed)
{
	unsigned count = SHIFT_COUNT(info), width = SHIFT_WIDTH(info), log2 = SHIFT_LOG2(info);

	if (!count)
		return packed;
	if (count > width && kind != IR_FLAGS_SAR)
		return ir_flags_eval(IR_FLAGS_KEY(IR_FLAGS_LOGIC, log2), 0, 0, 0);
	if (count > width)
		count = width;
	return ir_flags_eval(IR_FLAGS_KEY(kind, log2), value, count, 0);
}

/* a = value before, b = info, c = packed flags before; returns packed flags after. */
static uint64_t x86_shl_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return shift_flags(IR_FLAGS_SHL, a, b, c);
}

static uint64_t x86_shr_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return shift_flags(IR_FLAGS_SHR, a, b, c);
}

static uint64_t x86_sar_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return shift_flags(IR_FLAGS_SAR, a, b, c);
}

static uint64_t rotate_pack(uint64_t packed, unsigned cf, unsigned of)
{
	packed &= ~(uint64_t)(X86_CF | X86_OF);
	return packed | (cf ? X86_CF : 0) | (of ? X86_OF : 0);
}

/* a = the result, b = info, c = packed flags before. */
static uint64_t x86_rol_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned cf = a & 1, msb = a >> (SHIFT_WIDTH(b) - 1) & 1;

	return SHIFT_COUNT(b) ? rotate_pack(c, cf, cf ^ msb) : c;
}

static uint64_t x86_ror_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned msb = a >> (SHIFT_WIDTH(b) - 1) & 1, next = a >> (SHIFT_WIDTH(b) - 2) & 1;

	return SHIFT_COUNT(b) ? rotate_pack(c, msb, msb ^ next) : c;
}

/* Rotate the width + 1 bits carry:value left by count; the new carry is the result's top bit. */
static unsigned __int128 rotate_carry(uint64_t value, unsigned carry, unsigned width,
				      unsigned count)
{
	unsigned __int128 x = (value & bits_mask(width)) | (unsigned __int128)carry << width;

	if (!count)
		return x;
	x = x << count | x >> (width + 1 - count);
	return x & (((unsigned __int128)1 << width << 1) - 1);
}

static unsigned rcl_count(uint64_t info)
{
	return SHIFT_COUNT(info) % (SHIFT_WIDTH(info) + 1);
}

/* Right by n is left by width + 1 - n. */
static unsigned rcr_count(uint64_t info)
{
	unsigned n = rcl_count(info);

	return n ? SHIFT_WIDTH(info) + 1 - n : 0;
}

/* a = value, b = info, c = packed flags; returns the result. */
static uint64_t x86_rcl(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned width = SHIFT_WIDTH(b);

	return (uint64_t)rotate_carry(a, c & 1, width, rcl_count(b)) & bits_mask(width);
}

static uint64_t x86_rcr(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned width = SHIFT_WIDTH(b);

	return (uint64_t)rotate_carry(a, c & 1, width, rcr_count(b)) & bits_mask(width);
}

static uint64_t x86_rcl_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned width = SHIFT_WIDTH(b);
	unsigned __int128 x = rotate_carry(a, c & 1, width, rcl_count(b));
	unsigned cf = (unsigned)(x >> width) & 1, msb = (unsigned)(x >> (width - 1)) & 1;

	return SHIFT_COUNT(b) ? rotate_pack(c, cf, cf ^ msb) : c;
}

static uint64_t x86_rcr_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned width = SHIFT_WIDTH(b);
	unsigned __int128 x = rotate_carry(a, c & 1, width, rcr_count(b));
	unsigned cf = (unsigned)(x >> width) & 1;
	unsigned of = (unsigned)(x >> (width - 1) ^ x >> (width - 2)) & 1;

	return SHIFT_COUNT(b) ? rotate_pack(c, cf, of) : c;
}

/* Double shifts. A 16-bit operand shifted by more than 16 takes its bits from the source twice
 * over: dst:src:src moves left, src:src:dst right; and CF is 0. */
static uint64_t x86_shld(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned count = SHIFT_COUNT(c), width = SHIFT_WIDTH(c);
	uint64_t x;

	if (!count)
		return a;
	if (width != 16)
		return (a << count | (b & bits_mask(width)) >> (width - count)) & bits_mask(width);
	x = (a & 0xffff) << 32 | (b & 0xffff) << 16 | (b & 0xffff);
	return x << count >> 32 & 0xffff;
}

static uint64_t x86_shrd(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned count = SHIFT_COUNT(c), width = SHIFT_WIDTH(c);
	uint64_t x;

	if (!count)
		return a;
	if (width != 16)
		return ((a & bits_mask(width)) >> count | b << (width - count)) & bits_mask(width);
	x = (b & 0xffff) << 32 | (b & 0xffff) << 16 | (a & 0xffff);
	return x >> count & 0xffff;
}

/* a = value before, b = result, c = info | packed flags before << 16. */
static uint64_t shiftd_flags(uint64_t a, uint64_t b, uint64_t c, unsigned cf)
{
	unsigned width = SHIFT_WIDTH(c);
	uint64_t f = ir_flags_eval(IR_FLAGS_KEY(IR_FLAGS_LOGIC, SHIFT_LOG2(c)), b, 0, 0);

	return rotate_pack(f, cf, (a ^ b) >> (width - 1) & 1);
}

static uint64_t x86_shld_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned count = SHIFT_COUNT(c), width = SHIFT_WIDTH(c);

	if (!count)
		return c >> 16;
	return shiftd_flags(a, b, c, count > width ? 0 : a >> (width - count) & 1);
}

static uint64_t x86_shrd_flags(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned count = SHIFT_COUNT(c), width = SHIFT_WIDTH(c);

	if (!count)
		return c >> 16;
	return shiftd_flags(a, b, c, count > width ? 0 : a >> (count - 1) & 1);
}

enum {
	H_ROL_FLAGS,
	H_ROR_FLAGS,
	H_RCL_FLAGS,
	H_RCR_FLAGS,
	H_SHL_FLAGS,
	H_SHR_FLAGS,
	H_RCL,
	H_SAR_FLAGS,
	H_RCR,
	H_SHLD,
	H_SHRD,
	H_SHLD_FLAGS,
	H_SHRD_FLAGS,
};

/* clang-format off */
const struct ir_helper x86_helpers_shift[] = { /* the flags helpers at their SHIFT_* number */
	[H_ROL_FLAGS]  = {"rol_flags",  x86_rol_flags,  3, IR_I64, IR_HELPER_PURE},
	[H_ROR_FLAGS]  = {"ror_flags",  x86_ror_flags,  3, IR_I64, IR_HELPER_PURE},
	[H_RCL_FLAGS]  = {"rcl_flags",  x86_rcl_flags,  3, IR_I64, IR_HELPER_PURE},
	[H_RCR_FLAGS]  = {"rcr_flags",  x86_rcr_flags,  3, IR_I64, IR_HELPER_PURE},
	[H_SHL_FLAGS]  = {"shl_flags",  x86_shl_flags,  3, IR_I64, IR_HELPER_PURE},
	[H_SHR_FLAGS]  = {"shr_flags",  x86_shr_flags,  3, IR_I64, IR_HELPER_PURE},
	[H_RCL]        = {"rcl",        x86_rcl,        3, IR_I64, IR_HELPER_PURE},
	[H_SAR_FLAGS]  = {"sar_flags",  x86_sar_flags,  3, IR_I64, IR_HELPER_PURE},
	[H_RCR]        = {"rcr",        x86_rcr,        3, IR_I64, IR_HELPER_PURE},
	[H_SHLD]       = {"shld",       x86_shld,       3, IR_I64, IR_HELPER_PURE},
	[H_SHRD]       = {"shrd",       x86_shrd,       3, IR_I64, IR_HELPER_PURE},
	[H_SHLD_FLAGS] = {"shld_flags", x86_shld_flags, 3, IR_I64, IR_HELPER_PURE},
	[H_SHRD_FLAGS] = {"shrd_flags", x86_shrd_flags, 3, IR_I64, IR_HELPER_PURE},
	{NULL},
};
/* clang-format on */

static ir_ref shift_call(struct lift *l, unsigned helper, ir_ref a, ir_ref b, ir_ref c)
{
	return ir_call(l->b, &x86_helpers_shift[helper], ir_zext(l->b, IR_I64, a),
		       ir_zext(l->b, IR_I64, b), ir_zext(l->b, IR_I64, c));
}

/* The count, masked, i64: constant except in the CL forms. */
static ir_ref shift_count(struct lift *l, const struct x86_insn *i, enum ir_type t)
{
	unsigned mask = t == IR_I64 ? 63 : 31;

	switch (i->opcode) {
	case 0xc0: /* by imm8 */
	case 0xc1:
	case 0xa4:
	case 0xac:
		return lift_imm(l, IR_I64, i->imm & mask);
	case 0xd0: /* by one */
	case 0xd1:
		return lift_imm(l, IR_I64, 1);
	default:
		return ir_bin_imm(l->b, IR_AND, ir_zext(l->b, IR_I64, lift_gpr(l, X86_RCX, 1)),
				  mask);
	}
}

static ir_ref shift_info(struct lift *l, ir_ref count, enum ir_type t)
{
	return ir_bin_imm(l->b, IR_OR, count, ir_type_log2(t) << 8);
}

/* SHL, SHR, SAR of v. 8- and 16-bit operands are shifted as 32 bits: counts go to 31. */
static ir_ref shift_result(struct lift *l, unsigned op, ir_ref v, ir_ref count)
{
	enum ir_type t = ir_type_of(l->b, v), wide = t == IR_I64 ? IR_I64 : IR_I32;
	ir_ref x = op == SHIFT_SAR ? ir_sext(l->b, wide, v) : ir_zext(l->b, wide, v);
	enum ir_op o = op == SHIFT_SHL ? IR_SHL : op == SHIFT_SHR ? IR_SHR : IR_SAR;

	return ir_trunc(l->b, t, ir_bin(l->b, o, x, ir_trunc(l->b, wide, count)));
}

static ir_ref rotate_result(struct lift *l, unsigned op, ir_ref v, ir_ref count, ir_ref packed)
{
	enum ir_type t = ir_type_of(l->b, v);
	ir_ref r;

	if (op == SHIFT_ROL || op == SHIFT_ROR)
		return ir_bin(l->b, op == SHIFT_ROL ? IR_ROL : IR_ROR, v, ir_trunc(l->b, t, count));
	r = shift_call(l, op == SHIFT_RCL ? H_RCL : H_RCR, v, shift_info(l, count, t), packed);
	return ir_trunc(l->b, t, r);
}

/* ROL and ROR by a count that is not 0, as helpers rol_flags and ror_flags have it. Of two in a row
 * the second one's flags are those of before the first, but for CF and OF. */
static void rotate_flags(struct lift *l, unsigned op, ir_ref r)
{
	const struct ir_insn *f = &l->b->insn[ir_get_flags(l->b)];
	bool again = f->op == IR_MAKE_FLAGS &&
		     (f->imm >> 2 == IR_FLAGS_ROL || f->imm >> 2 == IR_FLAGS_ROR);
	ir_ref before = again ? f->arg[1] : lift_packed_flags(l);

	lift_flags(l, op == SHIFT_ROL ? IR_FLAGS_ROL : IR_FLAGS_ROR, ir_type_of(l->b, r), r, before,
		   IR_NONE);
}

static void lift_rotate(struct lift *l, const struct x86_insn *i)
{
	unsigned op = i->row->arg;
	struct lift_rmw m = lift_rmw_begin(l, i, 0);
	enum ir_type t = ir_type_of(l->b, m.old);
	bool plain = op == SHIFT_ROL || op == SHIFT_ROR;
	ir_ref count = shift_count(l, i, t), packed, r;
	uint64_t n;

	if (plain && ir_is_const(l->b, count, &n)) {
		r = rotate_result(l, op, m.old, count, IR_NONE);
		lift_rmw_end(l, i, 0, m, r);
		if (n)
			rotate_flags(l, op, r);
		return;
	}
	packed = lift_packed_flags(l);
	r = rotate_result(l, op, m.old, count, packed);
	lift_rmw_end(l, i, 0, m, r);
	if (ir_is_const(l->b, count, &n) && !n)
		return;
	lift_set_packed_flags(
		l, shift_call(l, op, plain ? r : m.old, shift_info(l, count, t), packed));
}

static void shift_const_flags(struct lift *l, unsigned op, ir_ref old, unsigned count)
{
	enum ir_type t = ir_type_of(l->b, old);
	enum ir_flags_kind k = op == SHIFT_SHL	 ? IR_FLAGS_SHL
			       : op == SHIFT_SHR ? IR_FLAGS_SHR
						 : IR_FLAGS_SAR;
	unsigned width = ir_type_bits(t);

	if (!count)
		return;
	if (count > width && op != SHIFT_SAR) {
		lift_flags(l, IR_FLAGS_LOGIC, t, lift_imm(l, t, 0), IR_NONE, IR_NONE);
		return;
	}
	if (count > width)
		count = width;
	lift_flags(l, k, t, old, lift_imm(l, t, count), IR_NONE);
}

static void lift_shift(struct lift *l, const struct x86_insn *i)
{
	unsigned op = i->row->arg;
	struct lift_rmw m = lift_rmw_begin(l, i, 0);
	enum ir_type t = ir_type_of(l->b, m.old);
	ir_ref count = shift_count(l, i, t), packed;
	uint64_t n;

	lift_rmw_end(l, i, 0, m, shift_result(l, op, m.old, count));
	if (ir_is_const(l->b, count, &n)) {
		shift_const_flags(l, op, m.old, (unsigned)n);
		return;
	}
	packed = lift_packed_flags(l);
	lift_set_packed_flags(l, shift_call(l, op, m.old, shift_info(l, count, t), packed));
}

static ir_ref shiftd_result(struct lift *l, unsigned op, ir_ref dst, ir_ref src, ir_ref count)
{
	enum ir_type t = ir_type_of(l->b, dst);
	enum ir_op out = op == H_SHLD ? IR_SHL : IR_SHR, in = op == H_SHLD ? IR_SHR : IR_SHL;
	uint64_t n;

	if (!ir_is_const(l->b, count, &n) || t == IR_I16)
		return ir_trunc(l->b, t, shift_call(l, op, dst, src, shift_info(l, count, t)));
	if (!n)
		return dst;
	return ir_bin(l->b, IR_OR, ir_bin_imm(l->b, out, dst, n),
		      ir_bin_imm(l->b, in, src, ir_type_bits(t) - n));
}

static void lift_shiftd(struct lift *l, const struct x86_insn *i)
{
	unsigned op = i->row->arg;
	struct lift_rmw m = lift_rmw_begin(l, i, 0);
	enum ir_type t = ir_type_of(l->b, m.old);
	ir_ref src = lift_read(l, i, 1), count = shift_count(l, i, t), r, info;
	uint64_t n;

	r = shiftd_result(l, op, m.old, src, count);
	lift_rmw_end(l, i, 0, m, r);
	if (ir_is_const(l->b, count, &n) && !n)
		return;
	info = ir_bin(l->b, IR_OR, shift_info(l, count, t),
		      ir_bin_imm(l->b, IR_SHL, lift_packed_flags(l), 16));
	lift_set_packed_flags(
		l, shift_call(l, op == H_SHLD ? H_SHLD_FLAGS : H_SHRD_FLAGS, m.old, r, info));
}

#define SHIFT_FLAGS (X86_CF | X86_PF | X86_ZF | X86_SF)

/* The six encodings of one operation; OF is defined for a count of one only. */
/* clang-format off */
#define SHIFT_ROWS(ext, text, op, lift, read, written, undefined)                                  \
	X86("C0 " ext, "Eb,Ib", X86_FEAT_BASE, read, written, undefined | X86_OF, lift, text, 0, op),          \
	X86("C1 " ext, "Ev,Ib", X86_FEAT_BASE, read, written, undefined | X86_OF, lift, text, 0, op),          \
	X86("D0 " ext, "Eb,1",  X86_FEAT_BASE, read, written | X86_OF, undefined, lift, text, 0, op),          \
	X86("D1 " ext, "Ev,1",  X86_FEAT_BASE, read, written | X86_OF, undefined, lift, text, 0, op),          \
	X86("D2 " ext, "Eb,CL", X86_FEAT_BASE, read, written, undefined | X86_OF, lift, text, 0, op),          \
	X86("D3 " ext, "Ev,CL", X86_FEAT_BASE, read, written, undefined | X86_OF, lift, text, 0, op)

const struct x86_row x86_rows_shift[] = {
	SHIFT_ROWS("/0", "rol", SHIFT_ROL, lift_rotate, 0,      X86_CF, 0),
	SHIFT_ROWS("/1", "ror", SHIFT_ROR, lift_rotate, 0,      X86_CF, 0),
	SHIFT_ROWS("/2", "rcl", SHIFT_RCL, lift_rotate, X86_CF, X86_CF, 0),
	SHIFT_ROWS("/3", "rcr", SHIFT_RCR, lift_rotate, X86_CF, X86_CF, 0),
	SHIFT_ROWS("/4", "shl", SHIFT_SHL, lift_shift,  0,      SHIFT_FLAGS, X86_AF),
	SHIFT_ROWS("/5", "shr", SHIFT_SHR, lift_shift,  0,      SHIFT_FLAGS, X86_AF),
	SHIFT_ROWS("/6", "shl", SHIFT_SHL, lift_shift,  0,      SHIFT_FLAGS, X86_AF), /* alias */
	SHIFT_ROWS("/7", "sar", SHIFT_SAR, lift_shift,  0,      SHIFT_FLAGS, X86_AF),
	X86("0F A4 /r", "Ev,Gv,Ib", X86_FEAT_BASE, 0, SHIFT_FLAGS, X86_AF | X86_OF, lift_shiftd, "shld", 0, H_SHLD),
	X86("0F A5 /r", "Ev,Gv,CL", X86_FEAT_BASE, 0, SHIFT_FLAGS, X86_AF | X86_OF, lift_shiftd, "shld", 0, H_SHLD),
	X86("0F AC /r", "Ev,Gv,Ib", X86_FEAT_BASE, 0, SHIFT_FLAGS, X86_AF | X86_OF, lift_shiftd, "shrd", 0, H_SHRD),
	X86("0F AD /r", "Ev,Gv,CL", X86_FEAT_BASE, 0, SHIFT_FLAGS, X86_AF | X86_OF, lift_shiftd, "shrd", 0, H_SHRD),
	X86_ROWS_END,
};
/* clang-format on */
