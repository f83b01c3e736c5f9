/*
 * AVX and AVX2 instructions that SSE does not have: broadcasts, permutations, the upper halves,
 * variable shifts, masked moves and gathers. SDM vol. 2, chapters 4 and 5; vol. 1, 14.1 to 14.9.
 * The VEX forms of SSE instructions are beside those.
 *
 * Masked moves and gathers touch only the elements whose mask has the top bit set, each a memory
 * access of its own, so they are helpers. A gather that faults has done the elements below: their
 * masks are clear and it goes on behind them when run again.
 */
#include <string.h>

#include "isa/x86/families.h"
#include "isa/x86/lift_vec.h"
#include "isa/x86/mode.h"
#include "isa/x86/segment.h"

/* ---- elements in memory */

/* What a helper must know of the instruction, as one constant. */
struct elements {
	unsigned reg, mask, index; /* vector registers; reg: the other operand */
	unsigned scale, bytes, index_bytes, count, addrsize;
	enum x86_seg_index seg;
};

static uint64_t elements_pack(const struct elements *e)
{
	return e->reg | e->mask << 4 | e->index << 8 | e->scale << 12 | (e->bytes == 8) << 14 |
	       (e->index_bytes == 8) << 15 | (uint64_t)e->count << 16 | e->addrsize << 20 |
	       (unsigned)e->seg << 24;
}

static struct elements elements_unpack(uint64_t v)
{
	return (struct elements){.reg = v & 15,
				 .mask = v >> 4 & 15,
				 .index = v >> 8 & 15,
				 .scale = v >> 12 & 3,
				 .bytes = v >> 14 & 1 ? 8 : 4,
				 .index_bytes = v >> 15 & 1 ? 8 : 4,
				 .count = v >> 16 & 15,
				 .addrsize = v >> 20 & 15,
				 .seg = (enum x86_seg_index)(v >> 24 & 7)};
}

static bool is_selected(const union x86_vec *mask, const struct elements *e, unsigned k)
{
	return mask->u8[e->bytes * (k + 1) - 1] & 0x80;
}

/* The linear address of an element at an offset, which wraps at the address size. */
static bool element_linear(struct x86_cpu *cpu, const struct elements *e, uint64_t off,
			   enum x86_access a, uint64_t *lin)
{
	if (e->addrsize < 8)
		off &= bits_mask(e->addrsize * 8);
	if (!(cpu->mode & X86_MODE_CODE64))
		return x86_seg_linear(cpu, e->seg, off, e->bytes, a, lin);
	*lin = off + (e->seg >= X86_FS ? cpu->seg[e->seg].base : 0);
	return true;
}

/* No alignment is checked (SDM vol. 2, VMASKMOV). */
static unsigned element_flags(const struct elements *e)
{
	return X86_MEM_NOAC | (e->seg == X86_SS ? X86_MEM_STACK : 0);
}

static bool element_read(struct x86_cpu *cpu, const struct elements *e, uint64_t off, void *to)
{
	unsigned flags = element_flags(e);
	uint64_t lin;

	return element_linear(cpu, e, off, X86_READ, &lin) &&
	       x86_mem_read(cpu, lin, to, e->bytes, x86_mode_mmu(cpu->mode), flags);
}

static uint64_t mask_load(void *p, uint64_t off, uint64_t packed, uint64_t c)
{
	struct elements e = elements_unpack(packed);
	struct x86_cpu *cpu = p;
	union x86_vec r = {.u64 = {0}};

	for (unsigned k = 0; k < e.count; k++)
		if (is_selected(&cpu->vec[e.mask], &e, k) &&
		    !element_read(cpu, &e, off + k * e.bytes, r.u8 + k * e.bytes))
			return 0;
	cpu->vec[e.reg] = r;
	return 0;
}

/* All elements are found writable before the first is written. */
static uint64_t mask_store(void *p, uint64_t off, uint64_t packed, uint64_t c)
{
	struct elements e = elements_unpack(packed);
	struct x86_cpu *cpu = p;
	enum x86_mmu_index mmu = x86_mode_mmu(cpu->mode);
	unsigned flags = element_flags(&e);
	uint64_t lin[8];

	for (unsigned k = 0; k < e.count; k++)
		if (is_selected(&cpu->vec[e.mask], &e, k) &&
		    (!element_linear(cpu, &e, off + k * e.bytes, X86_WRITE, &lin[k]) ||
		     !x86_mem_check_write(cpu, lin[k], e.bytes, mmu, flags)))
			return 0;
	for (unsigned k = 0; k < e.count; k++)
		if (is_selected(&cpu->vec[e.mask], &e, k) &&
		    !x86_mem_write(cpu, lin[k], cpu->vec[e.reg].u8 + k * e.bytes, e.bytes, mmu,
				   flags))
			return 0;
	return 0;
}

static uint64_t gather_offset(const struct x86_cpu *cpu, const struct elements *e, uint64_t off,
			      unsigned k)
{
	const union x86_vec *v = &cpu->vec[e->index];
	uint64_t i = e->index_bytes == 8 ? v->u64[k] : (uint64_t)bits_sext(v->u32[k], 32);

	return off + (i << e->scale);
}

static uint64_t gather(void *p, uint64_t off, uint64_t packed, uint64_t c)
{
	struct elements e = elements_unpack(packed);
	struct x86_cpu *cpu = p;
	union x86_vec *mask = &cpu->vec[e.mask], *d = &cpu->vec[e.reg];

	for (unsigned k = 0; k < e.count; k++) {
		if (is_selected(mask, &e, k) &&
		    !element_read(cpu, &e, gather_offset(cpu, &e, off, k), d->u8 + k * e.bytes))
			return 0;
		memset(mask->u8 + k * e.bytes, 0, e.bytes);
	}
	memset(mask, 0, sizeof(*mask));
	memset(d->u8 + e.count * e.bytes, 0, sizeof(*d) - e.count * e.bytes);
	return 0;
}

enum { HELPER_MASK_LOAD, HELPER_MASK_STORE, HELPER_GATHER };

/* clang-format off */
const struct ir_helper x86_helpers_avx[] = {
	[HELPER_MASK_LOAD] = {"mask_load", mask_load, 2, IR_VOID, IR_HELPER_FAULTS | IR_HELPER_MEMORY,
			      X86_ST_VEC | X86_ST_SYS | X86_ST_SEGS, X86_ST_VEC},
	[HELPER_MASK_STORE] = {"mask_store", mask_store, 2, IR_VOID, IR_HELPER_FAULTS | IR_HELPER_MEMORY,
			       X86_ST_VEC | X86_ST_SYS | X86_ST_SEGS, 0},
	[HELPER_GATHER] = {"gather", gather, 2, IR_VOID, IR_HELPER_FAULTS | IR_HELPER_MEMORY,
			   X86_ST_VEC | X86_ST_SYS | X86_ST_SEGS, X86_ST_VEC},
	{NULL},
};
/* clang-format on */

/* ---- lift functions */

static void call_elements(struct lift *l, unsigned helper, ir_ref off, const struct elements *e)
{
	lift_call(l, &x86_helpers_avx[helper], off, lift_imm(l, IR_I64, elements_pack(e)), IR_NONE);
}

/* The row's arg is the size of an element. The mask is the second operand. */
static void lift_mask(struct lift *l, const struct x86_insn *i, unsigned helper, unsigned reg)
{
	struct elements e = {.reg = i->op[reg].reg,
			     .mask = i->op[1].reg,
			     .bytes = i->row->arg,
			     .count = (i->vex_l ? 32 : 16) / i->row->arg,
			     .addrsize = i->addrsize,
			     .seg = (enum x86_seg_index)i->seg};

	call_elements(l, helper, lift_offset(l, i), &e);
}

static void lift_mask_load(struct lift *l, const struct x86_insn *i)
{
	lift_mask(l, i, HELPER_MASK_LOAD, 0);
}

static void lift_mask_store(struct lift *l, const struct x86_insn *i)
{
	lift_mask(l, i, HELPER_MASK_STORE, 2);
}

/* The row's arg: size of an index << 4 | size of an element. The number of elements is that of the
 * wider of the two. */
static void lift_gather(struct lift *l, const struct x86_insn *i)
{
	struct x86_insn scalar = *i;
	unsigned bytes = i->row->arg & 15, index_bytes = i->row->arg >> 4;
	struct elements e = {.reg = i->op[0].reg,
			     .mask = i->op[2].reg,
			     .index = i->index,
			     .scale = i->scale,
			     .bytes = bytes,
			     .index_bytes = index_bytes,
			     .count = (i->vex_l ? 32 : 16) /
				      (bytes > index_bytes ? bytes : index_bytes),
			     .addrsize = i->addrsize,
			     .seg = (enum x86_seg_index)i->seg};

	if (e.reg == e.mask || e.reg == e.index || e.mask == e.index) {
		lift_fault(l, X86_FAULT_UD);
		return;
	}
	scalar.index = X86_GPR_NONE;
	call_elements(l, HELPER_GATHER, lift_offset(l, &scalar), &e);
}

/* VPERMILPD with an immediate: a bit for each lane. */
static void lift_permilpd(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read(l, i, 1);

	lift_write(l, i, 0, lift_vop(l, i, VOP_SHUFPD, v, v, IR_NONE));
}

static void lift_extract128(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, lift_vop(l, i, VOP_EXTRACT128, lift_read(l, i, 1), IR_NONE, IR_NONE));
}

/* Registers 8 to 15 are out of reach outside 64-bit code, also here. */
static void lift_vzero(struct lift *l, const struct x86_insn *i)
{
	unsigned count = l->mode & X86_MODE_CODE64 ? 16 : 8;
	ir_ref zero = ir_vop(l->b, VOP_FROM64, 0, lift_imm(l, IR_I64, 0), IR_NONE, IR_NONE);

	if (i->vex_l)
		zero = ir_zext(l->b, IR_V256, zero);
	for (unsigned k = 0; k < count; k++)
		ir_put(l->b, X86_OFF_VEC(k) + (i->vex_l ? 0 : 16), zero);
}

/* clang-format off */
const struct x86_row x86_rows_avx[] = {
	X86("VEX.128 NP 0F 77",            "",               X86_FEAT_AVX,  0, 0, 0, lift_vzero,      "vzeroupper",     X86_IS_SSE, 0),
	X86("VEX.256 NP 0F 77",            "",               X86_FEAT_AVX,  0, 0, 0, lift_vzero,      "vzeroall",       X86_IS_SSE, 0),
	/* broadcasts */
	X86("VEX.128 66 W0 0F38 18 /r mem", "Vdq, Wd",       X86_FEAT_AVX,  0, 0, 0, lift_vop_w,      "vbroadcastss",   X86_IS_SSE, VOP_PBROADCASTD),
	X86("VEX.256 66 W0 0F38 18 /r mem", "Vqq, Wd",       X86_FEAT_AVX,  0, 0, 0, lift_vop_w,      "vbroadcastss",   X86_IS_SSE, VOP_PBROADCASTD_256),
	X86("VEX.128 66 W0 0F38 18 /r reg", "Vdq, Udq",      X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vbroadcastss",   X86_IS_SSE, VOP_PBROADCASTD),
	X86("VEX.256 66 W0 0F38 18 /r reg", "Vqq, Udq",      X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vbroadcastss",   X86_IS_SSE, VOP_PBROADCASTD_256),
	X86("VEX.256 66 W0 0F38 19 /r mem", "Vqq, Wq",       X86_FEAT_AVX,  0, 0, 0, lift_vop_w,      "vbroadcastsd",   X86_IS_SSE, VOP_PBROADCASTQ_256),
	X86("VEX.256 66 W0 0F38 19 /r reg", "Vqq, Udq",      X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vbroadcastsd",   X86_IS_SSE, VOP_PBROADCASTQ_256),
	X86("VEX.256 66 W0 0F38 1A /r mem", "Vqq, Wdq",      X86_FEAT_AVX,  0, 0, 0, lift_vop_w,      "vbroadcastf128", X86_IS_SSE, VOP_BROADCAST128),
	X86("VEX.256 66 W0 0F38 5A /r mem", "Vqq, Wdq",      X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vbroadcasti128", X86_IS_SSE, VOP_BROADCAST128),
	X86("VEX.128 66 W0 0F38 78 /r",    "Vdq, Wb",        X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpbroadcastb",   X86_IS_SSE, VOP_PBROADCASTB),
	X86("VEX.256 66 W0 0F38 78 /r",    "Vqq, Wb",        X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpbroadcastb",   X86_IS_SSE, VOP_PBROADCASTB_256),
	X86("VEX.128 66 W0 0F38 79 /r",    "Vdq, Ww",        X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpbroadcastw",   X86_IS_SSE, VOP_PBROADCASTW),
	X86("VEX.256 66 W0 0F38 79 /r",    "Vqq, Ww",        X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpbroadcastw",   X86_IS_SSE, VOP_PBROADCASTW_256),
	X86("VEX.128 66 W0 0F38 58 /r",    "Vdq, Wd",        X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpbroadcastd",   X86_IS_SSE, VOP_PBROADCASTD),
	X86("VEX.256 66 W0 0F38 58 /r",    "Vqq, Wd",        X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpbroadcastd",   X86_IS_SSE, VOP_PBROADCASTD_256),
	X86("VEX.128 66 W0 0F38 59 /r",    "Vdq, Wq",        X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpbroadcastq",   X86_IS_SSE, VOP_PBROADCASTQ),
	X86("VEX.256 66 W0 0F38 59 /r",    "Vqq, Wq",        X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpbroadcastq",   X86_IS_SSE, VOP_PBROADCASTQ_256),
	/* permutations and halves */
	X86("VEX.L* 66 W0 0F38 0C /r",     "Vx, Hx, Wx",     X86_FEAT_AVX,  0, 0, 0, lift_vop_vw,     "vpermilps",      X86_IS_SSE, VOP_PERMILPS),
	X86("VEX.L* 66 W0 0F38 0D /r",     "Vx, Hx, Wx",     X86_FEAT_AVX,  0, 0, 0, lift_vop_vw,     "vpermilpd",      X86_IS_SSE, VOP_PERMILPD),
	X86("VEX.L* 66 W0 0F3A 04 /r",     "Vx, Wx, Ib",     X86_FEAT_AVX,  0, 0, 0, lift_vop_w,      "vpermilps",      X86_IS_SSE, VOP_PSHUFD),
	X86("VEX.L* 66 W0 0F3A 05 /r",     "Vx, Wx, Ib",     X86_FEAT_AVX,  0, 0, 0, lift_permilpd,   "vpermilpd",      X86_IS_SSE, 0),
	X86("VEX.256 66 W0 0F3A 06 /r",    "Vqq, Hqq, Wqq, Ib", X86_FEAT_AVX, 0, 0, 0, lift_vop_vw,   "vperm2f128",     X86_IS_SSE, VOP_PERM2I128),
	X86("VEX.256 66 W0 0F3A 46 /r",    "Vqq, Hqq, Wqq, Ib", X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,  "vperm2i128",     X86_IS_SSE, VOP_PERM2I128),
	X86("VEX.256 66 W0 0F38 16 /r",    "Vqq, Hqq, Wqq",  X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,     "vpermps",        X86_IS_SSE, VOP_PERMD),
	X86("VEX.256 66 W0 0F38 36 /r",    "Vqq, Hqq, Wqq",  X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,     "vpermd",         X86_IS_SSE, VOP_PERMD),
	X86("VEX.256 66 W1 0F3A 00 /r",    "Vqq, Wqq, Ib",   X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpermq",         X86_IS_SSE, VOP_PERMQ),
	X86("VEX.256 66 W1 0F3A 01 /r",    "Vqq, Wqq, Ib",   X86_FEAT_AVX2, 0, 0, 0, lift_vop_w,      "vpermpd",        X86_IS_SSE, VOP_PERMQ),
	X86("VEX.256 66 W0 0F3A 18 /r",    "Vqq, Hqq, Wdq, Ib", X86_FEAT_AVX, 0, 0, 0, lift_vop_vw,   "vinsertf128",    X86_IS_SSE, VOP_INSERT128),
	X86("VEX.256 66 W0 0F3A 38 /r",    "Vqq, Hqq, Wdq, Ib", X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,  "vinserti128",    X86_IS_SSE, VOP_INSERT128),
	X86("VEX.256 66 W0 0F3A 19 /r",    "Wdq, Vqq, Ib",   X86_FEAT_AVX,  0, 0, 0, lift_extract128, "vextractf128",   X86_IS_SSE, 0),
	X86("VEX.256 66 W0 0F3A 39 /r",    "Wdq, Vqq, Ib",   X86_FEAT_AVX2, 0, 0, 0, lift_extract128, "vextracti128",   X86_IS_SSE, 0),
	X86("VEX.L* 66 W0 0F3A 02 /r",     "Vx, Hx, Wx, Ib", X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,     "vpblendd",       X86_IS_SSE, VOP_BLENDPS),
	/* tests */
	X86("VEX.128 66 W0 0F38 0E /r",    "Vdq, Wdq",       X86_FEAT_AVX,  0, X86_ARITH_FLAGS, 0, lift_vop_flags, "vtestps", X86_IS_SSE, VOP_TESTPS),
	X86("VEX.256 66 W0 0F38 0E /r",    "Vqq, Wqq",       X86_FEAT_AVX,  0, X86_ARITH_FLAGS, 0, lift_vop_flags, "vtestps", X86_IS_SSE, VOP_TESTPS_256),
	X86("VEX.128 66 W0 0F38 0F /r",    "Vdq, Wdq",       X86_FEAT_AVX,  0, X86_ARITH_FLAGS, 0, lift_vop_flags, "vtestpd", X86_IS_SSE, VOP_TESTPD),
	X86("VEX.256 66 W0 0F38 0F /r",    "Vqq, Wqq",       X86_FEAT_AVX,  0, X86_ARITH_FLAGS, 0, lift_vop_flags, "vtestpd", X86_IS_SSE, VOP_TESTPD_256),
	/* shifts by a count for each element */
	X86("VEX.L* 66 W0 0F38 45 /r",     "Vx, Hx, Wx",     X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,     "vpsrlvd",        X86_IS_SSE, VOP_PSRLVD),
	X86("VEX.L* 66 W1 0F38 45 /r",     "Vx, Hx, Wx",     X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,     "vpsrlvq",        X86_IS_SSE, VOP_PSRLVQ),
	X86("VEX.L* 66 W0 0F38 46 /r",     "Vx, Hx, Wx",     X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,     "vpsravd",        X86_IS_SSE, VOP_PSRAVD),
	X86("VEX.L* 66 W0 0F38 47 /r",     "Vx, Hx, Wx",     X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,     "vpsllvd",        X86_IS_SSE, VOP_PSLLVD),
	X86("VEX.L* 66 W1 0F38 47 /r",     "Vx, Hx, Wx",     X86_FEAT_AVX2, 0, 0, 0, lift_vop_vw,     "vpsllvq",        X86_IS_SSE, VOP_PSLLVQ),
	/* masked moves; arg: bytes of an element */
	X86("VEX.L* 66 W0 0F38 2C /r mem", "Vx, Hx, Mx",     X86_FEAT_AVX,  0, 0, 0, lift_mask_load,  "vmaskmovps",     X86_IS_SSE, 4),
	X86("VEX.L* 66 W0 0F38 2D /r mem", "Vx, Hx, Mx",     X86_FEAT_AVX,  0, 0, 0, lift_mask_load,  "vmaskmovpd",     X86_IS_SSE, 8),
	X86("VEX.L* 66 W0 0F38 2E /r mem", "Mx, Hx, Vx",     X86_FEAT_AVX,  0, 0, 0, lift_mask_store, "vmaskmovps",     X86_IS_SSE, 4),
	X86("VEX.L* 66 W0 0F38 2F /r mem", "Mx, Hx, Vx",     X86_FEAT_AVX,  0, 0, 0, lift_mask_store, "vmaskmovpd",     X86_IS_SSE, 8),
	X86("VEX.L* 66 W0 0F38 8C /r mem", "Vx, Hx, Mx",     X86_FEAT_AVX2, 0, 0, 0, lift_mask_load,  "vpmaskmovd",     X86_IS_SSE, 4),
	X86("VEX.L* 66 W1 0F38 8C /r mem", "Vx, Hx, Mx",     X86_FEAT_AVX2, 0, 0, 0, lift_mask_load,  "vpmaskmovq",     X86_IS_SSE, 8),
	X86("VEX.L* 66 W0 0F38 8E /r mem", "Mx, Hx, Vx",     X86_FEAT_AVX2, 0, 0, 0, lift_mask_store, "vpmaskmovd",     X86_IS_SSE, 4),
	X86("VEX.L* 66 W1 0F38 8E /r mem", "Mx, Hx, Vx",     X86_FEAT_AVX2, 0, 0, 0, lift_mask_store, "vpmaskmovq",     X86_IS_SSE, 8),
	/* gathers; arg: bytes of an index, of an element */
	X86("VEX.L* 66 W0 0F38 90 /r mem", "Vx, M, Hx",      X86_FEAT_AVX2, 0, 0, 0, lift_gather,     "vpgatherdd",     X86_IS_SSE | X86_VSIB, 0x44),
	X86("VEX.L* 66 W1 0F38 90 /r mem", "Vx, M, Hx",      X86_FEAT_AVX2, 0, 0, 0, lift_gather,     "vpgatherdq",     X86_IS_SSE | X86_VSIB, 0x48),
	X86("VEX.L* 66 W0 0F38 91 /r mem", "Vx, M, Hx",      X86_FEAT_AVX2, 0, 0, 0, lift_gather,     "vpgatherqd",     X86_IS_SSE | X86_VSIB, 0x84),
	X86("VEX.L* 66 W1 0F38 91 /r mem", "Vx, M, Hx",      X86_FEAT_AVX2, 0, 0, 0, lift_gather,     "vpgatherqq",     X86_IS_SSE | X86_VSIB, 0x88),
	X86("VEX.L* 66 W0 0F38 92 /r mem", "Vx, M, Hx",      X86_FEAT_AVX2, 0, 0, 0, lift_gather,     "vgatherdps",     X86_IS_SSE | X86_VSIB, 0x44),
	X86("VEX.L* 66 W1 0F38 92 /r mem", "Vx, M, Hx",      X86_FEAT_AVX2, 0, 0, 0, lift_gather,     "vgatherdpd",     X86_IS_SSE | X86_VSIB, 0x48),
	X86("VEX.L* 66 W0 0F38 93 /r mem", "Vx, M, Hx",      X86_FEAT_AVX2, 0, 0, 0, lift_gather,     "vgatherqps",     X86_IS_SSE | X86_VSIB, 0x84),
	X86("VEX.L* 66 W1 0F38 93 /r mem", "Vx, M, Hx",      X86_FEAT_AVX2, 0, 0, 0, lift_gather,     "vgatherqpd",     X86_IS_SSE | X86_VSIB, 0x88),
	X86_ROWS_END
};
/* clang-format on */
