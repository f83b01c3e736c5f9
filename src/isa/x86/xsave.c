/*
 * FXSAVE and XSAVE areas. SDM vol. 1, 10.5.1 (FXSAVE area), 13.4 (XSAVE area), 13.6 (what is in
 * use), 13.7 to 13.11 (the instructions). The modified optimization of XSAVEOPT is not done: it may
 * always write. x87 pointers are saved whether or not an exception is pending.
 */
#include "isa/x86/xsave.h"

#include <string.h>

#include "isa/x86/cpuid.h"
#include "isa/x86/fpu.h"
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"

enum {
	AT_FCW = 0,
	AT_FSW = 2,
	AT_FTAG = 4,
	AT_FOP = 6,
	AT_FIP = 8,
	AT_FCS = 12,
	AT_FDP = 16,
	AT_FDS = 20,
	AT_MXCSR = 24,
	AT_MXCSR_MASK = 28,
	AT_ST = 32,
	AT_XMM = 160,
	FXSAVE_BYTES = 512,
	AT_XSTATE_BV = 512,
	AT_XCOMP_BV = 520,
	HEADER_BYTES = 64,
	AT_YMM = 576, /* in both formats: it is the only extended component */
	AREA_BYTES = 832,
	CHUNK = 32,
};
#define XCOMP_COMPACT (1ull << 63)

struct area {
	uint8_t b[AREA_BYTES];
};

/* ---- memory */

static unsigned mem_flags(unsigned how)
{
	return how & X86_XSAVE_STACK ? X86_MEM_STACK : 0;
}

static bool area_read(struct x86_cpu *cpu, uint64_t lin, struct area *a, unsigned from, unsigned to,
		      unsigned how)
{
	while (from < to) {
		unsigned n = to - from < CHUNK ? to - from : CHUNK;

		if (!x86_mem_read(cpu, lin + from, a->b + from, n, x86_mode_mmu(cpu->mode),
				  mem_flags(how)))
			return false;
		from += n;
	}
	return true;
}

static bool area_write(struct x86_cpu *cpu, uint64_t lin, const struct area *a, unsigned from,
		       unsigned to, unsigned how)
{
	while (from < to) {
		unsigned n = to - from < CHUNK ? to - from : CHUNK;

		if (!x86_mem_write(cpu, lin + from, a->b + from, n, x86_mode_mmu(cpu->mode),
				   mem_flags(how)))
			return false;
		from += n;
	}
	return true;
}

static bool check_aligned(struct x86_cpu *cpu, uint64_t lin, unsigned align)
{
	return !(lin & (align - 1)) || x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
}

/* Registers that the mode can name. */
static unsigned vec_count(const struct x86_cpu *cpu)
{
	return cpu->mode & X86_MODE_CODE64 ? 16 : 8;
}

/* ---- components to and from the area */

static struct x86_fpr *st(struct x86_cpu *cpu, unsigned i)
{
	unsigned top = (cpu->fsw & X86_FSW_TOP) >> X86_FSW_TOP_SHIFT;

	return &cpu->fpr[(top + i) & 7];
}

static void put_x87(struct x86_cpu *cpu, struct area *a, unsigned how)
{
	memset(a->b, 0, AT_MXCSR);
	store_le16(a->b + AT_FCW, cpu->fcw);
	store_le16(a->b + AT_FSW, cpu->fsw);
	a->b[AT_FTAG] = cpu->ftag;
	store_le16(a->b + AT_FOP, cpu->fop);
	if (how & X86_XSAVE_WIDE) {
		store_le64(a->b + AT_FIP, cpu->fip);
		store_le64(a->b + AT_FDP, cpu->fdp);
	} else {
		store_le32(a->b + AT_FIP, (uint32_t)cpu->fip);
		store_le16(a->b + AT_FCS, cpu->fcs);
		store_le32(a->b + AT_FDP, (uint32_t)cpu->fdp);
		store_le16(a->b + AT_FDS, cpu->fds);
	}
	for (unsigned i = 0; i < 8; i++) {
		store_le64(a->b + AT_ST + 16 * i, st(cpu, i)->mant);
		store_le64(a->b + AT_ST + 16 * i + 8, st(cpu, i)->sexp);
	}
}

/* Bits 7 and 13-15 of the control word are 0 and bit 6 is 1; ES and B follow from the exceptions
 * that are pending and unmasked. */
static void get_x87(struct x86_cpu *cpu, const struct area *a, unsigned how)
{
	bool wide = how & X86_XSAVE_WIDE;
	uint16_t fsw = load_le16(a->b + AT_FSW) & 0x7f7f;

	cpu->fcw = (load_le16(a->b + AT_FCW) & 0x1f3f) | 0x40;
	if (fsw & ~cpu->fcw & 0x3f)
		fsw |= 0x8080;
	cpu->fsw = fsw;
	cpu->ftag = a->b[AT_FTAG];
	cpu->fop = load_le16(a->b + AT_FOP) & 0x7ff;
	cpu->fip = wide ? load_le64(a->b + AT_FIP) : load_le32(a->b + AT_FIP);
	cpu->fdp = wide ? load_le64(a->b + AT_FDP) : load_le32(a->b + AT_FDP);
	cpu->fcs = wide ? 0 : load_le16(a->b + AT_FCS);
	cpu->fds = wide ? 0 : load_le16(a->b + AT_FDS);
	for (unsigned i = 0; i < 8; i++) {
		st(cpu, i)->mant = load_le64(a->b + AT_ST + 16 * i);
		st(cpu, i)->sexp = load_le16(a->b + AT_ST + 16 * i + 8);
	}
}

static void init_x87(struct x86_cpu *cpu)
{
	x86_fpu_init(cpu);
	memset(cpu->fpr, 0, sizeof(cpu->fpr));
}

static void put_mxcsr(struct x86_cpu *cpu, struct area *a)
{
	store_le32(a->b + AT_MXCSR, cpu->mxcsr);
	store_le32(a->b + AT_MXCSR_MASK, X86_MXCSR_MASK);
}

static bool check_mxcsr(struct x86_cpu *cpu, const struct area *a)
{
	return !(load_le32(a->b + AT_MXCSR) & ~(uint32_t)X86_MXCSR_MASK) ||
	       x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
}

/* half 0: XMM at AT_XMM; half 1: the upper halves of YMM at AT_YMM. */
static void put_vec(struct x86_cpu *cpu, struct area *a, unsigned at, unsigned half)
{
	for (unsigned i = 0; i < vec_count(cpu); i++)
		memcpy(a->b + at + 16 * i, cpu->vec[i].u8 + 16 * half, 16);
}

static void get_vec(struct x86_cpu *cpu, const struct area *a, unsigned at, unsigned half)
{
	for (unsigned i = 0; i < vec_count(cpu); i++)
		memcpy(cpu->vec[i].u8 + 16 * half, a->b + at + 16 * i, 16);
}

static void init_vec(struct x86_cpu *cpu, unsigned half)
{
	for (unsigned i = 0; i < vec_count(cpu); i++)
		memset(cpu->vec[i].u8 + 16 * half, 0, 16);
}

/* After any of the restores: what else depends on the state just loaded. */
static void restored(struct x86_cpu *cpu)
{
	x86_mxcsr_enter(cpu);
	x86_mode_update(cpu);
}

/* ---- FXSAVE, FXRSTOR */

bool x86_fxsave(struct x86_cpu *cpu, uint64_t lin, unsigned how)
{
	unsigned end = AT_XMM + 16 * vec_count(cpu);
	struct area a;

	if (!check_aligned(cpu, lin, 16) ||
	    !x86_mem_check_write(cpu, lin, FXSAVE_BYTES, x86_mode_mmu(cpu->mode), mem_flags(how)))
		return false;
	x86_mxcsr_sync(cpu);
	put_x87(cpu, &a, how);
	put_mxcsr(cpu, &a);
	put_vec(cpu, &a, AT_XMM, 0);
	return area_write(cpu, lin, &a, 0, end, how);
}

bool x86_fxrstor(struct x86_cpu *cpu, uint64_t lin, unsigned how)
{
	struct area a;

	if (!check_aligned(cpu, lin, 16) || !area_read(cpu, lin, &a, 0, FXSAVE_BYTES, how) ||
	    !check_mxcsr(cpu, &a))
		return false;
	get_x87(cpu, &a, how);
	cpu->mxcsr = load_le32(a.b + AT_MXCSR);
	get_vec(cpu, &a, AT_XMM, 0);
	restored(cpu);
	return true;
}

/* ---- XSAVE and its kin */

uint64_t x86_xcr0_supported(const struct x86_cpu *cpu)
{
	return X86_XCR0_X87 | X86_XCR0_SSE |
	       (x86_has(cpu->cpuid, X86_FEAT_AVX) ? X86_XCR0_AVX : 0);
}

static bool x87_in_use(const struct x86_cpu *cpu)
{
	static const struct x86_fpr zero;

	if (cpu->fcw != X86_FCW_DEFAULT || cpu->fsw || cpu->ftag || cpu->fop || cpu->fip ||
	    cpu->fdp || cpu->fcs || cpu->fds)
		return true;
	for (unsigned i = 0; i < 8; i++)
		if (cpu->fpr[i].mant != zero.mant || cpu->fpr[i].sexp != zero.sexp)
			return true;
	return false;
}

static bool vec_in_use(const struct x86_cpu *cpu, unsigned half)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < 16; i++)
		any |= cpu->vec[i].u64[2 * half] | cpu->vec[i].u64[2 * half + 1];
	return any;
}

/* XINUSE: the components that are not in their initial state. */
static uint64_t in_use(const struct x86_cpu *cpu)
{
	return (x87_in_use(cpu) ? X86_XCR0_X87 : 0) | (vec_in_use(cpu, 0) ? X86_XCR0_SSE : 0) |
	       (vec_in_use(cpu, 1) ? X86_XCR0_AVX : 0);
}

static bool save_components(struct x86_cpu *cpu, uint64_t lin, struct area *a, uint64_t which,
			    bool mxcsr, unsigned how)
{
	unsigned bytes = 16 * vec_count(cpu);

	put_x87(cpu, a, how);
	put_mxcsr(cpu, a);
	put_vec(cpu, a, AT_XMM, 0);
	put_vec(cpu, a, AT_YMM, 1);
	if ((which & X86_XCR0_X87) && !(area_write(cpu, lin, a, 0, AT_MXCSR, how) &&
					area_write(cpu, lin, a, AT_ST, AT_XMM, how)))
		return false;
	if (mxcsr && !area_write(cpu, lin, a, AT_MXCSR, AT_ST, how))
		return false;
	if ((which & X86_XCR0_SSE) && !area_write(cpu, lin, a, AT_XMM, AT_XMM + bytes, how))
		return false;
	return !(which & X86_XCR0_AVX) || area_write(cpu, lin, a, AT_YMM, AT_YMM + bytes, how);
}

/* What to save, and the header's two words. */
struct xsave_plan {
	uint64_t which, xstate_bv, xcomp_bv;
	bool mxcsr;
};

static struct xsave_plan xsave_plan(const struct x86_cpu *cpu, uint64_t rfbm,
				    enum x86_xsave_form form, uint64_t old_bv)
{
	struct xsave_plan p = {.xcomp_bv = rfbm | XCOMP_COMPACT};
	uint64_t used = in_use(cpu);

	if (form == X86_XSAVE_COMPACT) {
		/* Here MXCSR counts as a part of the SSE component. */
		if (cpu->mxcsr != X86_MXCSR_DEFAULT)
			used |= X86_XCR0_SSE;
		p.xstate_bv = rfbm & used;
		p.which = rfbm & used;
		p.mxcsr = p.which & X86_XCR0_SSE;
		return p;
	}
	p.which = form == X86_XSAVE_OPT ? rfbm & used : rfbm;
	p.mxcsr = rfbm & (X86_XCR0_SSE | X86_XCR0_AVX);
	p.xstate_bv = (old_bv & ~rfbm) | (used & rfbm);
	return p;
}

bool x86_xsave(struct x86_cpu *cpu, uint64_t lin, uint64_t mask, enum x86_xsave_form form,
	       unsigned how)
{
	bool compact = form == X86_XSAVE_COMPACT;
	uint64_t rfbm = mask & cpu->xcr0;
	unsigned end = rfbm & X86_XCR0_AVX ? AREA_BYTES : FXSAVE_BYTES + HEADER_BYTES;
	struct xsave_plan p;
	struct area a;

	if (!check_aligned(cpu, lin, 64) ||
	    !x86_mem_check_write(cpu, lin, end, x86_mode_mmu(cpu->mode), mem_flags(how)) ||
	    !area_read(cpu, lin, &a, AT_XSTATE_BV, AT_XSTATE_BV + 8, how))
		return false;
	x86_mxcsr_sync(cpu);
	p = xsave_plan(cpu, rfbm, form, load_le64(a.b + AT_XSTATE_BV));
	if (!save_components(cpu, lin, &a, p.which, p.mxcsr, how))
		return false;
	store_le64(a.b + AT_XSTATE_BV, p.xstate_bv);
	store_le64(a.b + AT_XCOMP_BV, p.xcomp_bv);
	return area_write(cpu, lin, &a, AT_XSTATE_BV, AT_XSTATE_BV + (compact ? 16 : 8), how);
}

static bool all_zero(const uint8_t *p, unsigned n)
{
	uint8_t any = 0;

	while (n--)
		any |= *p++;
	return !any;
}

/* The header of a standard or compacted area, SDM vol. 1, 13.8.1 and 13.8.2. */
static bool header_valid(const struct x86_cpu *cpu, const struct area *a)
{
	uint64_t bv = load_le64(a->b + AT_XSTATE_BV), comp = load_le64(a->b + AT_XCOMP_BV);

	if (!(comp & XCOMP_COMPACT))
		return !(bv & ~cpu->xcr0) && all_zero(a->b + AT_XCOMP_BV, 16);
	comp &= ~XCOMP_COMPACT;
	return x86_has(cpu->cpuid, X86_FEAT_XSAVEC) && !(comp & ~cpu->xcr0) && !(bv & ~comp) &&
	       all_zero(a->b + AT_XCOMP_BV + 8, HEADER_BYTES - 16);
}

static void load_components(struct x86_cpu *cpu, const struct area *a, uint64_t load, uint64_t init,
			    unsigned how)
{
	if (load & X86_XCR0_X87)
		get_x87(cpu, a, how);
	else if (init & X86_XCR0_X87)
		init_x87(cpu);
	if (load & X86_XCR0_SSE)
		get_vec(cpu, a, AT_XMM, 0);
	else if (init & X86_XCR0_SSE)
		init_vec(cpu, 0);
	if (load & X86_XCR0_AVX)
		get_vec(cpu, a, AT_YMM, 1);
	else if (init & X86_XCR0_AVX)
		init_vec(cpu, 1);
}

bool x86_xrstor(struct x86_cpu *cpu, uint64_t lin, uint64_t mask, unsigned how)
{
	uint64_t rfbm = mask & cpu->xcr0, load;
	bool compact, mxcsr;
	struct area a;

	if (!check_aligned(cpu, lin, 64) ||
	    !area_read(cpu, lin, &a, FXSAVE_BYTES, FXSAVE_BYTES + HEADER_BYTES, how))
		return false;
	if (!header_valid(cpu, &a))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	compact = load_le64(a.b + AT_XCOMP_BV) & XCOMP_COMPACT;
	load = rfbm & load_le64(a.b + AT_XSTATE_BV);
	/* The standard form loads MXCSR whatever XSTATE_BV says. */
	mxcsr = compact ? load & X86_XCR0_SSE : rfbm & (X86_XCR0_SSE | X86_XCR0_AVX);
	if ((load & (X86_XCR0_X87 | X86_XCR0_SSE) || mxcsr) &&
	    !area_read(cpu, lin, &a, 0, FXSAVE_BYTES, how))
		return false;
	if ((load & X86_XCR0_AVX) && !area_read(cpu, lin, &a, AT_YMM, AREA_BYTES, how))
		return false;
	if (mxcsr && !check_mxcsr(cpu, &a))
		return false;
	x86_mxcsr_sync(cpu);
	load_components(cpu, &a, load, rfbm & ~load, how);
	if (mxcsr)
		cpu->mxcsr = load_le32(a.b + AT_MXCSR);
	else if (compact && (rfbm & X86_XCR0_SSE))
		cpu->mxcsr = X86_MXCSR_DEFAULT;
	restored(cpu);
	return true;
}
