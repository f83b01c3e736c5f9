/*
 * DIV and IDIV of 32 and 64 bits by the host's own, where it cannot fault: DIV if the high half is
 * below the divisor, IDIV if the high half is the low one's sign and the divisor neither 0 nor -1.
 * All else goes to the helper, in cold code (SDM vol. 2, DIV and IDIV). Flags are undefined and
 * stay.
 */
#include "engine/translate/x64/gen.h"
#include "isa/x86/families.h"

enum { DIVISOR = X64_RCX, SIGN = X64_R8 };

static bool is_signed(const struct ir_insn *i)
{
	return ir_helper_of(i) == &x86_helpers_muldiv[1];
}

static uint64_t width_of(const struct gen *g, const struct ir_insn *i)
{
	uint64_t bytes = 0;

	gen_const(g, i->arg[1], &bytes);
	return bytes;
}

bool gen_is_divide(const struct gen *g, const struct ir_insn *i)
{
	const struct ir_helper *h = ir_helper_of(i);

	return (h == &x86_helpers_muldiv[0] || h == &x86_helpers_muldiv[1]) && width_of(g, i) >= 4;
}

static void from_guest(struct gen *g, unsigned bytes, unsigned r, unsigned n)
{
	if (g->pins.gpr[n] != X64_NO_REG)
		x64_mov_rr(&g->a, bytes, r, g->pins.gpr[n]);
	else
		x64_mov_rm(&g->a, bytes, r, x64_at(X64_RBP, STATE(X86_OFF_GPR(n))));
}

/* 32-bit results have the upper half clear already. */
static void to_guest(struct gen *g, unsigned n, unsigned r)
{
	if (g->pins.gpr[n] != X64_NO_REG)
		x64_mov_rr(&g->a, 8, g->pins.gpr[n], r);
	else
		x64_mov_mr(&g->a, 8, x64_at(X64_RBP, STATE(X86_OFF_GPR(n))), r);
}

void gen_divide(struct gen *g, const struct ir_insn *i)
{
	struct cold *c = gen_cold(g, COLD_DIVIDE);
	unsigned bytes = (unsigned)width_of(g, i);

	x64_mov_rm(&g->a, bytes, DIVISOR, x64_at(X64_RBP, FRAME(arg[0])));
	from_guest(g, bytes, X64_RAX, X86_RAX);
	from_guest(g, bytes, X64_RDX, X86_RDX);
	if (is_signed(i)) {
		x64_mov_rr(&g->a, bytes, SIGN, X64_RAX);
		x64_shift_ri(&g->a, X64_SAR, bytes, SIGN, bytes * 8 - 1);
		x64_alu_rr(&g->a, X64_CMP, bytes, SIGN, X64_RDX);
		c->from[0] = x64_jcc(&g->a, X64_NE, NULL);
		x64_lea(&g->a, bytes, SIGN, x64_at(DIVISOR, 1));
		x64_alu_ri(&g->a, X64_CMP, bytes, SIGN, 1);
		c->from[1] = x64_jcc(&g->a, X64_BE, NULL);
		x64_unary_r(&g->a, X64_IDIV, bytes, DIVISOR);
	} else {
		x64_alu_rr(&g->a, X64_CMP, bytes, X64_RDX, DIVISOR);
		c->from[0] = x64_jcc(&g->a, X64_AE, NULL);
		x64_unary_r(&g->a, X64_DIV, bytes, DIVISOR);
	}
	to_guest(g, X86_RAX, X64_RAX);
	to_guest(g, X86_RDX, X64_RDX);
	c->back = g->a.at;
	g->flags_at = NULL;
	gen_vec_ensure(g);
	gen_x87_ensure(g);
}
