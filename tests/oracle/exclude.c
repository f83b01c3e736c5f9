/*
 * What the oracle leaves out, and why: rows that cannot run as a user program on the host or whose
 * result is the machine's own, forms on which this silicon differs from what Doppel models, and
 * results that the manuals leave undefined.
 */
#include <string.h>

#include "isa/x86/cpuid.h"
#include "oracle.h"

struct exclusion {
	const char *text; /* mnemonic, or a prefix of it ending in '*' */
	const char *why;
};

static const struct exclusion excluded[] = {
	{"int*", "enters the host kernel"},
	{"syscall", "enters the host kernel"},
	{"sysenter", "enters the host kernel"},
	{"iret*", "needs frames for both machines' descriptor tables"},
	{"retf", "needs both machines' descriptor tables"},
	{"*f far", "needs both machines' descriptor tables"},
	{"lar", "reads the descriptor tables"},
	{"lsl", "reads the descriptor tables"},
	{"verr", "reads the descriptor tables"},
	{"verw", "reads the descriptor tables"},
	{"arpl", "reads nothing of the machine but shares its row with MOVSXD"},
	{"xsave*", "the host may have components of its own"},
	{"xrstor*", "the host may have components of its own"},
	{"xgetbv", "the host may have components of its own"},
	{"rdfsbase", "bases differ"},
	{"wrfsbase", "would take the host's thread pointer away"},
	{"rdgsbase", "CR4.FSGSBASE is the host kernel's choice"},
	{"wrgsbase", "CR4.FSGSBASE is the host kernel's choice"},
};

static bool matches(const char *pattern, const char *text)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return strncmp(pattern, text, n - 1) == 0;
	return strcmp(pattern, text) == 0;
}

const char *exclude_row(const struct x86_row *r)
{
	if (r->attr & X86_PRIV)
		return "privileged";
	for (size_t i = 0; i < ARRAY_LEN(excluded); i++)
		if (matches(excluded[i].text, r->text))
			return excluded[i].why;
	if (r->attr & X86_ORACLE_NO)
		return "its row says so";
	return NULL;
}

static bool is(const struct x86_insn *i, const char *text)
{
	return strcmp(i->row->text, text) == 0;
}

const char *exclude_insn(const struct x86_insn *i)
{
	if (i->rep && (is(i, "bsf") || is(i, "bsr")))
		return "is TZCNT or LZCNT on the host";
	if ((i->rep || i->repne) && matches("loop*", i->row->text))
		return "AMD lets F2 and F3 change the condition";
	if (is(i, "movsxd") && i->opsize == 2)
		return "AMD reads 32 bits, Intel 16";
	if (is(i, "bswap") && i->opsize == 2)
		return "undefined";
	if ((is(i, "shld") || is(i, "shrd")) && i->opsize == 2)
		return "undefined for counts over 16";
	if (i->opsize_prefix && i->opsize == 8 && (i->row->attr & X86_FORCE64))
		return "AMD takes 66 for a 16-bit near branch, Intel ignores it";
	if (is(i, "prefetchw") && i->op[0].kind == X86_OPND_GPR)
		return "AMD has no register form, Intel takes it for NOP";
	return NULL;
}

static bool has(const struct oracle_case *c, const char *text)
{
	for (unsigned i = 0; i < c->insns; i++)
		if (matches(text, c->insn[i].row->text))
			return true;
	return false;
}

/* ---- what to overlook in an outcome */

enum {
	LET_CR2 = 1 << 0,   /* address and access of the page fault */
	LET_ARITH = 1 << 1, /* arithmetic flags */
	LET_C1 = 1 << 2,
	LET_C0_C2_C3 = 1 << 3,
	LET_MMX = 1 << 4,   /* TOP, tags and with them the order of the stack */
	LET_PE = 1 << 5,    /* MXCSR.PE */
	LET_IMAGE = 1 << 6, /* two adjacent lines of 16 bytes */
	LET_GPRS = 1 << 7,  /* but for RSP */
};

enum when {
	WHEN_THERE,  /* somewhere in the block */
	WHEN_FAULTS, /* the instruction at which the block stopped */
};

static const struct overlooked {
	const char *text;
	enum when when;
	unsigned let;
	const char *why;
} overlooked[] = {
	{"fxsave*", WHEN_FAULTS, LET_CR2, "AMD touches the end of a large operand first"},
	{"fxrstor*", WHEN_FAULTS, LET_CR2, "AMD touches the end of a large operand first"},
	{"fnsave", WHEN_FAULTS, LET_CR2, "AMD touches the end of a large operand first"},
	{"frstor", WHEN_FAULTS, LET_CR2, "AMD touches the end of a large operand first"},
	{"fnstenv", WHEN_FAULTS, LET_CR2, "AMD touches the end of a large operand first"},
	{"fldenv", WHEN_FAULTS, LET_CR2, "AMD touches the end of a large operand first"},
	{"fxsave*", WHEN_THERE, LET_IMAGE,
	 "AMD keeps FOP, FIP and FDP only with an exception; MXCSR_MASK has MM"},
	{"cmps", WHEN_FAULTS, LET_CR2, "the order of the two reads is free"},
	{"cmps", WHEN_FAULTS, LET_ARITH,
	 "Intel restores flags at a fault, AMD keeps the last round's"},
	{"scas", WHEN_FAULTS, LET_ARITH,
	 "Intel restores flags at a fault, AMD keeps the last round's"},
	{"fcmov*", WHEN_THERE, LET_C1, "AMD leaves C1"},
	{"fcomi", WHEN_THERE, LET_C1, "AMD leaves C1"},
	{"fcompi", WHEN_THERE, LET_C1, "AMD leaves C1"},
	{"fucomi", WHEN_THERE, LET_C1, "AMD leaves C1"},
	{"fucompi", WHEN_THERE, LET_C1, "AMD leaves C1"},
	{"ffree*", WHEN_THERE, LET_C1, "AMD clears C1; undefined"},
	{"fprem*", WHEN_THERE, LET_C1 | LET_C0_C2_C3,
	 "undefined after a stack fault; AMD clears C2"},
	{"fsin*", WHEN_THERE, LET_C0_C2_C3, "undefined after a stack fault; AMD clears C2"},
	{"fcos", WHEN_THERE, LET_C0_C2_C3, "undefined after a stack fault; AMD clears C2"},
	{"fptan", WHEN_THERE, LET_C0_C2_C3, "undefined after a stack fault; AMD clears C2"},
	{"popa", WHEN_FAULTS, LET_GPRS, "AMD loads register by register"},
	{"cvt*", WHEN_FAULTS, LET_MMX, "AMD enters MMX state though the instruction faults"},
	{"maskmovq", WHEN_FAULTS, LET_MMX, "AMD enters MMX state though the instruction faults"},
};

/* The instruction at which the native block stopped, or NULL. */
static const struct x86_row *stopped_at(const struct oracle_case *c, const struct outcome *n)
{
	for (unsigned i = 0; i < c->insns; i++)
		if (n->end.rip == case_pc(c) + c->insn[i].at)
			return c->insn[i].row;
	return NULL;
}

static void let_bits(uint16_t *to, uint16_t from, unsigned bits)
{
	*to = (uint16_t)((*to & ~bits) | (from & bits));
}

static void let_image(const struct outcome *n, struct outcome *e)
{
	for (unsigned at = 0; at < DATA_BYTES - 16; at += 16) {
		if (memcmp(n->data + at, e->data + at, 32) == 0)
			continue;
		if (memcmp(n->data + at, e->data + at, 16) == 0)
			continue;
		memcpy(e->data + at, n->data + at, 32);
		return;
	}
}

static void let(unsigned what, const struct outcome *n, struct outcome *e)
{
	const struct oracle_state *a = &n->end;
	struct oracle_state *b = &e->end;

	if ((what & LET_CR2) && a->vector == X86_FAULT_PF && b->vector == X86_FAULT_PF) {
		b->cr2 = a->cr2;
		b->error = a->error;
	}
	if (what & LET_ARITH)
		b->rflags =
			(b->rflags & ~(uint64_t)X86_ARITH_FLAGS) | (a->rflags & X86_ARITH_FLAGS);
	if (what & LET_C1)
		let_bits(&b->fsw, a->fsw, 0x200);
	if (what & LET_C0_C2_C3)
		let_bits(&b->fsw, a->fsw, 0x4500);
	if (what & LET_MMX) {
		let_bits(&b->fsw, a->fsw, 0x3800);
		b->ftag = a->ftag;
		memcpy(b->st, a->st, sizeof(b->st));
	}
	if (what & LET_GPRS)
		for (unsigned i = 0; i < 8; i++)
			if (i != X86_RSP)
				b->gpr[i] = a->gpr[i];
	if (what & LET_IMAGE)
		let_image(n, e);
}

static bool any_comi(const struct oracle_case *c)
{
	return has(c, "fcomi") || has(c, "fcompi") || has(c, "fucomi") || has(c, "fucompi");
}

uint32_t exclude_undefined(const struct x86_row *r)
{
	for (size_t i = 0; i < ARRAY_LEN(overlooked); i++)
		if ((overlooked[i].let & (LET_C1 | LET_C0_C2_C3)) &&
		    overlooked[i].when == WHEN_THERE && matches(overlooked[i].text, r->text))
			return UNDEFINED_X87;
	return 0;
}

bool exclude_more(const struct x86_row *r)
{
	return matches("fxsave*", r->text);
}

uint32_t exclude_reads(const struct x86_row *r)
{
	return matches("fnst*", r->text) || matches("fnsave", r->text) ||
			       matches("fxsave*", r->text)
		       ? UNDEFINED_X87
		       : 0;
}

static bool canonical(uint64_t lin)
{
	return (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

/* Canonical, and inside the code segment. */
static bool reachable(const struct oracle_case *c, uint64_t rip)
{
	return c->code16 ? rip <= 0xffff : canonical(rip);
}

static bool is_gather(const struct x86_row *r)
{
	return matches("vgather*", r->text) || matches("vpgather*", r->text);
}

static bool is_image(const struct x86_row *r)
{
	return matches("fnsave", r->text) || matches("frstor", r->text) ||
	       matches("fnstenv", r->text) || matches("fldenv", r->text) ||
	       matches("fxsave*", r->text) || matches("fxrstor*", r->text);
}

const char *exclude_outcome(const struct oracle_case *c, const struct outcome *n, struct outcome *e)
{
	const struct x86_row *stop = stopped_at(c, n);
	int v = n->end.vector, w = e->end.vector;

	if (v == END_ENDLESS || w == END_ENDLESS)
		return "endless";
	for (size_t i = 0; i < ARRAY_LEN(overlooked); i++) {
		const struct overlooked *o = &overlooked[i];

		if (o->when == WHEN_FAULTS ? stop && matches(o->text, stop->text) : has(c, o->text))
			let(o->let, n, e);
	}
	/* an unmasked overflow or underflow */
	if ((n->end.mxcsr & ~(n->end.mxcsr >> 7) & 0x18) && v == X86_FAULT_XM)
		e->end.mxcsr = (e->end.mxcsr & ~0x20u) | (n->end.mxcsr & 0x20);
	if (v == X86_FAULT_DB && w == X86_FAULT_PF && stop && is_gather(stop))
		return "AMD reports a single step between the elements of a gather";
	if (w == X86_FAULT_GP && (n->end.mxcsr & 1 << 17))
		return "AMD has MXCSR.MM";
	if (!c->code64 && !c->code16 && (v == X86_FAULT_GP || v == X86_FAULT_SS) &&
	    (w == X86_FAULT_PF || w == X86_FAULT_AC))
		return "an operand over the end of a segment of 4 GiB may wrap or fault";
	if ((v == X86_FAULT_AC && (w == X86_FAULT_PF || w == X86_FAULT_GP || w == X86_FAULT_SS)))
		return "AMD checks alignment before page rights";
	/* SDM vol. 1, 3.4.4: the calculation may wrap, only the linear address must be canonical */
	if (c->code64 && v == X86_FAULT_GP && w == X86_FAULT_PF && canonical(e->end.cr2) &&
	    !canonical(e->end.cr2 - GS_BASE))
		return "AMD checks the offset too before it adds the base of GS";
	if (((c->start.fcw & 0x3f) != 0x3f || (n->end.fsw & 0x80)) && any_comi(c))
		return "AMD sets flags though the comparison faults";
	if (stop && v == X86_FAULT_AC &&
	    (matches("frstor", stop->text) || matches("fldenv", stop->text)))
		return "alignment checking of images";
	if (stop && matches("fx*", stop->text) && v == X86_FAULT_SS && w == X86_FAULT_GP)
		return "misaligned and not canonical: the order is free";
	if ((has(c, "dpp*") || has(c, "vdpp*")) && (n->end.mxcsr & 0x1f80) != 0x1f80)
		return "DPPS, DPPD: which steps run after an unmasked exception";
	if (stop && matches("cmps", stop->text) && v != w)
		return "the order of the two reads is free";
	if (stop && (stop->attr & X86_ENDS) && v == X86_FAULT_GP &&
	    (w == X86_FAULT_GP || w == X86_FAULT_DB) && !reachable(c, e->end.rip))
		return "a branch to no possible address faults at its target here";
	if (stop && c->code16 && v == X86_FAULT_PF && (w == X86_FAULT_GP || w == X86_FAULT_SS) &&
	    ((stop->attr & X86_IS_X87) || matches("maskmov*", stop->text) ||
	     matches("vmaskmov*", stop->text) || matches("movs", stop->text)))
		return "limit of one part, page of another: the order is free";
	if (stop && v != w && is_image(stop))
		return "AMD touches the end of a large operand first";
	if (stop && (stop->attr & (X86_IS_SSE | X86_IS_X87)) && v == X86_FAULT_GP &&
	    w == X86_FAULT_SS)
		return "misaligned and beyond the limit: the order is free";
	return NULL;
}

void exclude_list(FILE *f, const struct x86_decoder *d)
{
	for (unsigned i = 0; i < d->enc_count; i++) {
		const struct x86_row *r = d->enc[i].row;
		const char *why = exclude_row(r);

		if (why)
			fprintf(f, "  %-12s %-24s %s\n", r->text, r->enc, why);
	}
}
