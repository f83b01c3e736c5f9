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
	{"xsave*", "the machine sets no CR4.OSXSAVE"},
	{"xrstor*", "the machine sets no CR4.OSXSAVE"},
	{"xgetbv", "the machine sets no CR4.OSXSAVE"},
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
	if (i->has_vex)
		return "AVX is not modelled";
	if (i->rep && (is(i, "bsf") || is(i, "bsr")))
		return "is TZCNT or LZCNT on the host";
	if (is(i, "bswap") && i->opsize == 2)
		return "undefined";
	if ((is(i, "shld") || is(i, "shrd")) && i->opsize == 2)
		return "undefined for counts over 16";
	if (i->opsize_prefix && (i->row->attr & X86_FORCE64) && i->op[0].kind == X86_OPND_REL)
		return "AMD takes 66 for 16-bit near branches, Intel ignores it";
	if (i->seg == X86_SEG_NONE)
		return NULL;
	return NULL;
}

static bool has(const struct oracle_case *c, const char *text)
{
	for (unsigned i = 0; i < c->insns; i++)
		if (matches(text, c->insn[i].row->text))
			return true;
	return false;
}

const char *exclude_outcome(const struct oracle_case *c, const struct outcome *n,
			    const struct outcome *e)
{
	if (n->end.vector == END_ENDLESS || e->end.vector == END_ENDLESS)
		return "endless";
	if (has(c, "ldmxcsr") || has(c, "fxrstor*")) {
		if (e->end.vector == X86_FAULT_GP && (n->end.mxcsr & 1 << 17))
			return "AMD has MXCSR.MM";
	}
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
