/*
 * The routines that all generated code of a CPU shares: the way in and out, calls into C around
 * which pinned registers are saved. System V calling convention (x86-64 psABI 3.2). Generated code
 * runs with RSP a multiple of 16.
 */
#include "engine/translate/x64/gen.h"

struct thunk_gen {
	struct x64_asm *a;
	const struct pins *p;
	unsigned vec_bytes;
	const uint8_t *x87_load, *x87_home;
};

static const uint8_t kept[] = {X64_RBX, X64_RBP, X64_R12, X64_R13, X64_R14, X64_R15};
static const uint8_t scratched[] = {X64_RAX, X64_RCX, X64_RDX, X64_RSI, X64_RDI,
				    X64_R8,  X64_R9,  X64_R10, X64_R11};

static struct x64_mem cpu_at(int32_t disp)
{
	return x64_at(X64_RBP, disp);
}

static void gprs(struct thunk_gen *t, bool save)
{
	for (unsigned n = 0; n < 16; n++) {
		unsigned r = t->p->gpr[n];
		if (r == X64_NO_REG)
			continue;
		if (save)
			x64_mov_mr(t->a, 8, cpu_at(CPU(gpr) + 8 * (int32_t)n), r);
		else
			x64_mov_rm(t->a, 8, r, cpu_at(CPU(gpr) + 8 * (int32_t)n));
	}
}

static void zero_upper(struct thunk_gen *t)
{
	if (t->vec_bytes == 32)
		x64_vzeroupper(t->a);
}

static void vec_move(struct thunk_gen *t, bool save, unsigned bytes, unsigned reg, struct x64_mem m)
{
	static const struct x64_enc load = {0, 1, 0x10, 0};

	if (save)
		x64_movv_mr(t->a, bytes, m, reg);
	else if (bytes == 16 && t->vec_bytes == 32)
		x64_vex_rm(t->a, load, 0, reg, X64_NO_REG, m, -1); /* clears the upper half */
	else
		x64_movv_rm(t->a, bytes, reg, m);
}

/* The sixteen vectors at disp, from or to the registers that map names. */
static void vecs(struct thunk_gen *t, bool save, unsigned bytes, const uint8_t *map, int32_t disp)
{
	for (unsigned n = 0; n < 16; n++)
		if (map[n] != X64_NO_REG)
			vec_move(t, save, bytes, map[n], cpu_at(disp + 32 * (int32_t)n));
}

/* Load them. When all upper halves are 0 they are not loaded but cleared: a 256-bit load, of zeros
 * too, makes legacy SSE instructions slow from then on. */
static void vecs_load(struct thunk_gen *t, const uint8_t *map, int32_t disp)
{
	static const struct x64_enc load = {0, 1, 0x10, 0}, vpor = {1, 1, 0xeb, 0},
				    vptest = {1, 2, 0x17, 0};
	unsigned x = t->p->vec_temp[0];
	uint8_t *wide, *done;

	if (t->vec_bytes == 16) {
		vecs(t, false, 16, map, disp);
		return;
	}
	x64_vex_rm(t->a, load, 0, x, X64_NO_REG, cpu_at(disp + 16), -1);
	for (int32_t n = 1; n < 16; n++)
		x64_vex_rm(t->a, vpor, 0, x, x, cpu_at(disp + 32 * n + 16), -1);
	x64_vex_rr(t->a, vptest, 0, x, X64_NO_REG, x, -1);
	wide = x64_jcc(t->a, X64_NE, NULL);
	vecs(t, false, 16, map, disp);
	done = x64_jmp(t->a, NULL);
	x64_patch(wide, t->a->at);
	vecs(t, false, 32, map, disp);
	x64_patch(done, t->a->at);
}

static void guest_vecs(struct thunk_gen *t, bool save)
{
	if (save)
		vecs(t, true, t->vec_bytes, t->p->vec, CPU(vec));
	else
		vecs_load(t, t->p->vec, CPU(vec));
}

static void all_vecs(struct thunk_gen *t, bool save)
{
	static const uint8_t same[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

	if (save)
		vecs(t, true, t->vec_bytes, same, FRAME(saved));
	else
		vecs_load(t, same, FRAME(saved));
}

static uint8_t *if_live(struct thunk_gen *t)
{
	x64_alu_mi(t->a, X64_CMP, 4, cpu_at(FRAME(vec_live)), 0);
	return x64_jcc(t->a, X64_E, NULL);
}

/* Guest vector registers to their place, if they are in host registers. */
static void vecs_home(struct thunk_gen *t)
{
	uint8_t *over = if_live(t);

	guest_vecs(t, true);
	x64_mov_mi(t->a, 4, cpu_at(FRAME(vec_live)), 0);
	zero_upper(t);
	x64_patch(over, t->a->at);
}

/* ---- x87 */
static struct x64_mem x87_env(unsigned word)
{
	return cpu_at(FRAME(x87_env) + 4 * (int32_t)word);
}

/* Physical register n, as long as the stack top is 0 and n more are pushed or popped first. */
static struct x64_mem x87_reg(unsigned n)
{
	return cpu_at(CPU(fpr) + (int32_t)(n * sizeof(struct x86_fpr)));
}

/* Registers are pushed to their physical places; then status and tags become what they are. */
static uint8_t *emit_x87_load(struct thunk_gen *t)
{
	struct x64_asm *a = t->a;
	uint8_t *at = a->at;

	x64_push(a, X64_RAX);
	x64_push(a, X64_RCX);
	x64_x87_r(a, X64_FNINIT);
	for (unsigned n = 8; n-- > 0;)
		x64_x87_m(a, X64_FLD80, x87_reg(n));
	x64_movzx_rm(a, X64_RAX, cpu_at(CPU(fcw)), 2);
	x64_mov_mr(a, 4, x87_env(0), X64_RAX);
	x64_movzx_rm(a, X64_RAX, cpu_at(CPU(fsw)), 2);
	x64_mov_mr(a, 4, x87_env(1), X64_RAX);
	/* ftag has a bit for each register in use, the tag word ones in two for each that is empty
	 */
	x64_movzx_rm(a, X64_RAX, cpu_at(CPU(ftag)), 1);
	x64_alu_ri(a, X64_XOR, 4, X64_RAX, 0xff);
	for (unsigned shift = 4; shift; shift /= 2) {
		static const int32_t mask[] = {[4] = 0x0f0f, [2] = 0x3333, [1] = 0x5555};

		x64_mov_rr(a, 4, X64_RCX, X64_RAX);
		x64_shift_ri(a, X64_SHL, 4, X64_RCX, shift);
		x64_alu_rr(a, X64_OR, 4, X64_RAX, X64_RCX);
		x64_alu_ri(a, X64_AND, 4, X64_RAX, mask[shift]);
	}
	x64_lea(a, 4, X64_RAX, x64_at_index(X64_RAX, X64_RAX, 1, 0));
	x64_mov_mr(a, 4, x87_env(2), X64_RAX);
	for (unsigned n = 3; n < 7; n++)
		x64_mov_mi(a, 4, x87_env(n), 0);
	x64_x87_m(a, X64_FLDENV, x87_env(0));
	x64_mov_mi(a, 4, cpu_at(FRAME(x87_live)), 1);
	x64_pop(a, X64_RCX);
	x64_pop(a, X64_RAX);
	x64_ret(a);
	return at;
}

/* The other way; C code finds what it expects. */
static uint8_t *emit_x87_home(struct thunk_gen *t)
{
	struct x64_asm *a = t->a;
	uint8_t *at = a->at;

	x64_push(a, X64_RAX);
	x64_push(a, X64_RCX);
	x64_x87_m(a, X64_FNSTENV, x87_env(0));
	x64_mov_rm(a, 4, X64_RAX, x87_env(1));
	x64_mov_mr(a, 2, cpu_at(CPU(fsw)), X64_RAX);
	x64_movzx_rm(a, X64_RAX, x87_env(2), 2);
	x64_mov_rr(a, 4, X64_RCX, X64_RAX);
	x64_shift_ri(a, X64_SHR, 4, X64_RCX, 1);
	x64_alu_rr(a, X64_AND, 4, X64_RAX, X64_RCX);
	x64_alu_ri(a, X64_AND, 4, X64_RAX, 0x5555);
	for (unsigned shift = 1; shift <= 4; shift *= 2) {
		static const int32_t mask[] = {[1] = 0x3333, [2] = 0x0f0f, [4] = 0xff};

		x64_mov_rr(a, 4, X64_RCX, X64_RAX);
		x64_shift_ri(a, X64_SHR, 4, X64_RCX, shift);
		x64_alu_rr(a, X64_OR, 4, X64_RAX, X64_RCX);
		x64_alu_ri(a, X64_AND, 4, X64_RAX, mask[shift]);
	}
	x64_alu_ri(a, X64_XOR, 4, X64_RAX, 0xff);
	x64_mov_mr(a, 1, cpu_at(CPU(ftag)), X64_RAX);
	x64_mov_mi(a, 4, x87_env(0), 0x37f);
	x64_mov_mi(a, 4, x87_env(1), 0); /* top 0 */
	x64_mov_mi(a, 4, x87_env(2), 0); /* all in use */
	x64_x87_m(a, X64_FLDENV, x87_env(0));
	for (unsigned n = 0; n < 8; n++)
		x64_x87_m(a, X64_FSTP80, x87_reg(n));
	x64_mov_mi(a, 4, cpu_at(FRAME(x87_live)), 0);
	x64_pop(a, X64_RCX);
	x64_pop(a, X64_RAX);
	x64_ret(a);
	return at;
}

static void x87_home(struct thunk_gen *t)
{
	uint8_t *over;

	x64_alu_mi(t->a, X64_CMP, 4, cpu_at(FRAME(x87_live)), 0);
	over = x64_jcc_short(t->a, X64_E);
	x64_call(t->a, t->x87_home);
	x64_land_short(t->a, over);
}

static uint8_t *emit_enter(struct thunk_gen *t)
{
	uint8_t *at = t->a->at;

	for (unsigned i = 0; i < sizeof(kept); i++)
		x64_push(t->a, kept[i]);
	x64_alu_ri(t->a, X64_SUB, 8, X64_RSP, 8);
	x64_lea(t->a, 8, X64_RBP, x64_at(X64_RDI, FRAME_BIAS));
	x64_mov_rr(t->a, 8, X64_RAX, X64_RSI);
	x64_mov_mi(t->a, 4, cpu_at(FRAME(vec_live)), 0);
	x64_mov_mi(t->a, 4, cpu_at(FRAME(x87_live)), 0);
	gprs(t, false);
	x64_jmp_r(t->a, X64_RAX);
	return at;
}

static uint8_t *emit_leave(struct thunk_gen *t) /* jumped to with EAX = enum leave */
{
	uint8_t *at = t->a->at;

	gprs(t, true);
	vecs_home(t);
	x87_home(t);
	x64_alu_ri(t->a, X64_ADD, 8, X64_RSP, 8);
	for (unsigned i = sizeof(kept); i-- > 0;)
		x64_pop(t->a, kept[i]);
	x64_ret(t->a);
	return at;
}

static uint8_t *emit_reason(struct thunk_gen *t, enum leave why, const uint8_t *leave)
{
	uint8_t *at = t->a->at;

	x64_mov_ri(t->a, X64_RAX, why);
	x64_jmp(t->a, leave);
	return at;
}

/* The return address says where the code was. */
static uint8_t *emit_place(struct thunk_gen *t, enum leave why, const uint8_t *leave)
{
	uint8_t *at = t->a->at;

	x64_pop(t->a, X64_RAX);
	x64_mov_mr(t->a, 8, cpu_at(FRAME(place)), X64_RAX);
	emit_reason(t, why, leave);
	return at;
}

static void abort_if_asked(struct thunk_gen *t, const uint8_t *abort)
{
	x64_alu_mi(t->a, X64_CMP, 4, cpu_at(CPU(exit_code)), 0);
	x64_jcc(t->a, X64_NE, abort);
}

static uint8_t *emit_helper(struct thunk_gen *t, const uint8_t *abort)
{
	uint8_t *at = t->a->at;

	gprs(t, true);
	vecs_home(t);
	x87_home(t);
	x64_lea(t->a, 8, X64_RDI, x64_at(X64_RBP, -FRAME_BIAS));
	x64_mov_rm(t->a, 8, X64_RSI, cpu_at(FRAME(arg[0])));
	x64_mov_rm(t->a, 8, X64_RDX, cpu_at(FRAME(arg[1])));
	x64_mov_rm(t->a, 8, X64_RCX, cpu_at(FRAME(arg[2])));
	x64_alu_ri(t->a, X64_SUB, 8, X64_RSP, 8);
	x64_call_r(t->a, X64_RAX);
	x64_alu_ri(t->a, X64_ADD, 8, X64_RSP, 8);
	gprs(t, false);
	if (abort)
		abort_if_asked(t, abort);
	x64_ret(t->a);
	return at;
}

static void push_gprs(struct thunk_gen *t)
{
	for (unsigned i = 0; i < sizeof(scratched); i++)
		x64_push(t->a, scratched[i]);
}

static void pop_gprs(struct thunk_gen *t)
{
	for (unsigned i = sizeof(scratched); i-- > 0;)
		x64_pop(t->a, scratched[i]);
}

static void save_vecs(struct thunk_gen *t)
{
	uint8_t *over = if_live(t);

	all_vecs(t, true);
	zero_upper(t);
	x64_patch(over, t->a->at);
}

static void restore_vecs(struct thunk_gen *t)
{
	uint8_t *over = if_live(t);

	all_vecs(t, false);
	x64_patch(over, t->a->at);
}

/* Try a function that uses no vector registers. The jump taken if it has done all. */
static uint8_t *quick(struct thunk_gen *t, uintptr_t fn)
{
	if (!fn)
		return NULL;
	x64_lea(t->a, 8, X64_RDI, x64_at(X64_RBP, -FRAME_BIAS));
	x64_mov_ri(t->a, X64_RAX, fn);
	x64_call_r(t->a, X64_RAX);
	x64_test_rr(t->a, 1, X64_RAX, X64_RAX);
	return x64_jcc(t->a, X64_NE, NULL);
}

static uint8_t *emit_access(struct thunk_gen *t, uintptr_t first, uintptr_t fn,
			    const uint8_t *abort)
{
	uint8_t *at = t->a->at, *over, *done;

	push_gprs(t);
	done = quick(t, first);
	save_vecs(t);
	x64_mov_rm(t->a, 4, X64_RAX, cpu_at(FRAME(x87_live)));
	x64_mov_mr(t->a, 4, cpu_at(FRAME(x87_again)), X64_RAX);
	x87_home(t);
	x64_lea(t->a, 8, X64_RDI, x64_at(X64_RBP, -FRAME_BIAS));
	x64_mov_ri(t->a, X64_RAX, fn);
	/* the return address, behind what was pushed */
	x64_mov_rm(t->a, 8, X64_RCX, x64_at(X64_RSP, 8 * (int32_t)sizeof(scratched)));
	x64_mov_mr(t->a, 8, cpu_at(FRAME(place)), X64_RCX);
	x64_call_r(t->a, X64_RAX);
	x64_alu_mi(t->a, X64_CMP, 4, cpu_at(FRAME(x87_again)), 0);
	over = x64_jcc_short(t->a, X64_E);
	x64_call(t->a, t->x87_load);
	x64_land_short(t->a, over);
	restore_vecs(t);
	if (done)
		x64_patch(done, t->a->at);
	pop_gprs(t);
	abort_if_asked(t, abort);
	x64_ret(t->a);
	return at;
}

/* A function that neither asks for guest registers nor ends the block: its arguments are set
 * between these two, and RAX points to it. */
static uint8_t *enter_quiet(struct thunk_gen *t)
{
	uint8_t *at = t->a->at;

	push_gprs(t);
	save_vecs(t);
	return at;
}

static void call_quiet(struct thunk_gen *t)
{
	x64_call_r(t->a, X64_RAX);
	restore_vecs(t);
	pop_gprs(t);
	x64_ret(t->a);
}

static uint8_t *emit_vop_call(struct thunk_gen *t)
{
	uint8_t *at = enter_quiet(t);

	x64_lea(t->a, 8, X64_RDI, cpu_at(FRAME(vec_result)));
	x64_lea(t->a, 8, X64_RSI, cpu_at(FRAME(vec_arg[0])));
	x64_lea(t->a, 8, X64_RDX, cpu_at(FRAME(vec_arg[1])));
	x64_lea(t->a, 8, X64_RCX, cpu_at(FRAME(vec_arg[2])));
	x64_mov_rm(t->a, 4, X64_R8, cpu_at(FRAME(access)));
	call_quiet(t);
	return at;
}

static uint8_t *emit_quiet_call(struct thunk_gen *t, uintptr_t fn)
{
	uint8_t *at = enter_quiet(t);

	x64_lea(t->a, 8, X64_RDI, x64_at(X64_RBP, -FRAME_BIAS));
	x64_mov_ri(t->a, X64_RAX, fn);
	call_quiet(t);
	return at;
}

static uint8_t *emit_vec_load(struct thunk_gen *t)
{
	uint8_t *at = t->a->at;

	guest_vecs(t, false);
	x64_mov_mi(t->a, 4, cpu_at(FRAME(vec_live)), 1);
	x64_ret(t->a);
	return at;
}

/* Was the entry at RDX filled, or looked up in vain, soon after the last time, and that often in a
 * row? Clobbers RCX and R8. */
static void strike(struct x64_asm *a)
{
	enum { SOON = 2048, STRIKES = 16 }; /* instructions; times */
	uint8_t *over;

	/* instructions since the last time: the budget falls */
	x64_mov_rm(a, 8, X64_RCX, x64_at(X64_RDX, offsetof(struct x86_site, budget)));
	x64_mov_rm(a, 8, X64_R8, cpu_at(CPU(budget)));
	x64_mov_mr(a, 8, x64_at(X64_RDX, offsetof(struct x86_site, budget)), X64_R8);
	x64_alu_rr(a, X64_SUB, 8, X64_RCX, X64_R8);
	x64_mov_rm(a, 4, X64_R8, x64_at(X64_RDX, offsetof(struct x86_site, strikes)));
	x64_lea(a, 4, X64_R8, x64_at(X64_R8, 1));
	x64_alu_ri(a, X64_CMP, 8, X64_RCX, SOON);
	over = x64_jcc_short(a, X64_B);
	x64_shift_ri(a, X64_SHR, 4, X64_R8, 1);
	x64_land_short(a, over);
	x64_mov_mr(a, 4, x64_at(X64_RDX, offsetof(struct x86_site, strikes)), X64_R8);
	x64_alu_ri(a, X64_CMP, 4, X64_R8, STRIKES);
	over = x64_jcc_short(a, X64_NE);
	x64_mov_mr(a, 8, cpu_at(CPU(site_wanders)), X64_RDX);
	x64_mov_mi(a, 4, x64_at(X64_RDX, offsetof(struct x86_site, strikes)), 0);
	x64_land_short(a, over);
}

/* Look up RAX to RCX and keep what is found in the entry of cpu->site at RDX. */
static uint8_t *emit_fill(struct thunk_gen *t, unsigned mmu, bool write)
{
	struct x64_asm *a = t->a;
	int32_t tlb = CPU(tlb) + (int32_t)(mmu * sizeof(struct x86_tlb));
	int32_t tags = write ? (int32_t)offsetof(struct x86_tlb_entry, tag_write)
			     : (int32_t)offsetof(struct x86_tlb_entry, tag_read);
	uint8_t *at = a->at, *miss, *over;

	x64_push(a, X64_R8);
	x64_mov_rr(a, 4, X64_R8, X64_RAX);
	x64_shift_ri(a, X64_SHR, 4, X64_R8, GEN_TLB_SHIFT);
	x64_alu_ri(a, X64_AND, 4, X64_R8, GEN_TLB_MASK);
	x64_alu_rm(a, X64_CMP, 8, X64_RCX, x64_at_index(X64_RBP, X64_R8, 0, tlb + tags));
	miss = x64_jcc(a, X64_NE, NULL);
	x64_mov_rm(a, 8, X64_RAX,
		   x64_at_index(X64_RBP, X64_R8, 0,
				tlb + (int32_t)offsetof(struct x86_tlb_entry, addend)));
	x64_alu_mi(a, X64_CMP, 4, x64_at(X64_RDX, offsetof(struct x86_site, used)), 0);
	over = x64_jcc_short(a, X64_NE);
	x64_mov_rm(a, 8, X64_R8, cpu_at(CPU(site_count)));
	x64_mov_mr(a, 8, x64_at_index(X64_RBP, X64_R8, 3, CPU(site_used)), X64_RDX);
	x64_alu_mi(a, X64_ADD, 8, cpu_at(CPU(site_count)), 1);
	x64_mov_mi(a, 4, x64_at(X64_RDX, offsetof(struct x86_site, used)), 1);
	x64_land_short(a, over);
	x64_mov_mr(a, 8, x64_at(X64_RDX, offsetof(struct x86_site, tag)), X64_RCX);
	x64_mov_mr(a, 8, x64_at(X64_RDX, offsetof(struct x86_site, addend)), X64_RAX);
	strike(a);
	x64_alu_rr(a, X64_CMP, 8, X64_RAX, X64_RAX);
	x64_pop(a, X64_R8);
	x64_ret(a);
	x64_patch(miss, a->at);
	x64_mov_mi(a, 8, x64_at(X64_RDX, offsetof(struct x86_site, tag)), X86_TLB_INVALID);
	x64_mov_mi(a, 8, x64_at(X64_RDX, offsetof(struct x86_site, addend)), 0);
	strike(a);
	x64_test_rr(a, 8, X64_RSP, X64_RSP);
	x64_pop(a, X64_R8);
	x64_ret(a);
	return at;
}

static uint8_t *emit_indirect(struct thunk_gen *t, const uint8_t *miss)
{
	uint8_t *at = t->a->at;

	x64_mov_mr(t->a, 8, cpu_at(CPU(rip)), X64_RAX);
	x64_jmp(t->a, miss);
	return at;
}

void gen_jump_entry(struct x64_asm *a)
{
	_Static_assert(sizeof(struct gen_jump) == 16, "an index is scaled by a shift of 4");

	x64_mov_rr(a, 4, X64_RCX, X64_RAX);
	x64_shift_ri(a, X64_SHR, 4, X64_RCX, PAGE_BITS);
	x64_alu_rr(a, X64_XOR, 4, X64_RCX, X64_RAX);
	x64_alu_ri(a, X64_AND, 4, X64_RCX, GEN_JUMP_SIZE - 1);
	x64_shift_ri(a, X64_SHL, 4, X64_RCX, 4);
	x64_alu_rm(a, X64_ADD, 8, X64_RCX, cpu_at(CPU(jump_table)));
	x64_mov_rr(a, 8, X64_RDX, X64_RAX);
	x64_alu_ri(a, X64_AND, 8, X64_RDX, -(int32_t)PAGE_BYTES);
}

/* Look in an entry's second place. */
static uint8_t *emit_second(struct thunk_gen *t, const uint8_t *miss)
{
	struct x64_asm *a = t->a;
	uint8_t *at = a->at;

	x64_alu_rm(a, X64_SUB, 8, X64_RCX, cpu_at(CPU(jump_table)));
	x64_alu_ri(a, X64_XOR, 4, X64_RCX, (int32_t)sizeof(struct gen_jump) * GEN_JUMP_SIZE / 2);
	x64_alu_rm(a, X64_ADD, 8, X64_RCX, cpu_at(CPU(jump_table)));
	x64_alu_rm(a, X64_CMP, 8, X64_R8, x64_at(X64_RCX, offsetof(struct gen_jump, tag)));
	x64_jcc(a, X64_NE, miss);
	x64_mov_mr(a, 8, cpu_at(CPU(rip)), X64_RDX);
	x64_jmp_m(a, x64_at(X64_RCX, offsetof(struct gen_jump, code)));
	return at;
}

/* The present mode's tag to R8, if it is one of the last. */
static void mode_tag(struct thunk_gen *t, const uint8_t *miss)
{
	int32_t at = (int32_t)offsetof(struct gen_jumps, mode);
	struct x64_asm *a = t->a;

	x64_mov_rm(a, 4, X64_RAX, cpu_at(CPU(mode)));
	x64_mov_rr(a, 4, X64_RCX, X64_RAX);
	x64_shift_ri(a, X64_SHR, 4, X64_RCX, X86_MODE_MMU_SHIFT);
	x64_alu_ri(a, X64_AND, 4, X64_RCX, GEN_JUMP_MODES - 1);
	x64_mov_rm(a, 8, X64_RDX, cpu_at(CPU(jump_table)));
	x64_alu_rm(a, X64_CMP, 4, X64_RAX, x64_at_index(X64_RDX, X64_RCX, 3, at));
	x64_jcc(a, X64_NE, miss);
	x64_mov_rm(a, 4, X64_R8, x64_at_index(X64_RDX, X64_RCX, 3, at + 4));
}

/* State has changed and RIP is in place: go on at once where the block boundary in C would have
 * nothing to do and the jump table has the code. */
static uint8_t *emit_state(struct thunk_gen *t, const uint8_t *leave, const uint8_t *second)
{
	struct x64_asm *a = t->a;
	const uint8_t *miss = emit_reason(t, LEAVE_STATE, leave);
	uint8_t *at = a->at;

	x64_alu_mi(a, X64_CMP, 4, cpu_at(CPU(request)), 0);
	x64_jcc(a, X64_NE, miss);
	x64_alu_mi(a, X64_CMP, 8, cpu_at(CPU(pending_db)), 0);
	x64_jcc(a, X64_NE, miss);
	x64_alu_mi(a, X64_CMP, 1, cpu_at(CPU(activity)), X86_RUNNING);
	x64_jcc(a, X64_NE, miss);
	mode_tag(t, miss);
	x64_mov_mi(a, 4, cpu_at(CPU(request_ignored)), 0);
	x64_mov_rm(a, 8, X64_RAX, cpu_at(CPU(rip)));
	gen_jump_entry(a);
	x64_alu_rr(a, X64_ADD, 8, X64_R8, X64_RDX);
	x64_alu_rm(a, X64_CMP, 8, X64_R8, x64_at(X64_RCX, offsetof(struct gen_jump, tag)));
	x64_jcc(a, X64_NE, second);
	x64_mov_mr(a, 8, cpu_at(CPU(rip)), X64_RDX);
	x64_jmp_m(a, x64_at(X64_RCX, offsetof(struct gen_jump, code)));
	return at;
}

void thunks_emit(struct x64_asm *a, struct thunks *t, const struct pins *p, unsigned vec_bytes,
		 const struct frame_calls *calls)
{
	struct thunk_gen g = {.a = a, .p = p, .vec_bytes = vec_bytes};
	const uint8_t *leave, *abort;

	g.x87_load = t->x87_load = emit_x87_load(&g);
	g.x87_home = t->x87_home = emit_x87_home(&g);
	t->enter = emit_enter(&g);
	leave = emit_leave(&g);
	abort = emit_place(&g, LEAVE_ABORT, leave);
	t->link = a->at;
	x64_mov_mr(a, 8, cpu_at(FRAME(start)), X64_RDX);
	emit_place(&g, LEAVE_LINK, leave);
	t->poll = emit_reason(&g, LEAVE_POLL, leave);
	t->budget = emit_reason(&g, LEAVE_BUDGET, leave);
	t->indirect_miss = emit_reason(&g, LEAVE_INDIRECT, leave);
	t->indirect = emit_indirect(&g, t->indirect_miss);
	t->second = emit_second(&g, t->indirect);
	t->state = emit_state(&g, leave, t->second);
	t->helper = emit_helper(&g, NULL);
	t->helper_fault = emit_helper(&g, abort);
	t->load = emit_access(&g, (uintptr_t)calls->load_quick, (uintptr_t)calls->load, abort);
	t->store = emit_access(&g, (uintptr_t)calls->store_quick, (uintptr_t)calls->store, abort);
	t->atomic = emit_access(&g, 0, (uintptr_t)calls->atomic, abort);
	t->x87_access = emit_access(&g, 0, (uintptr_t)calls->x87_access, abort);
	t->vop = emit_vop_call(&g);
	t->cond = emit_quiet_call(&g, (uintptr_t)gen_cond_state);
	t->vec_load = emit_vec_load(&g);
	for (unsigned row = 0; row < 2 * X86_MMU_COUNT; row++)
		t->fill[row] = emit_fill(&g, row / 2, row & 1);
}

/* ---- which registers */
static unsigned pick(uint64_t *seed, unsigned below)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(*seed >> 33) % below;
}

static void shuffle(uint8_t *list, unsigned count, uint64_t *seed)
{
	for (unsigned i = count; i > 1; i--) {
		unsigned j = pick(seed, i);
		uint8_t x = list[i - 1];
		list[i - 1] = list[j];
		list[j] = x;
	}
}

void pins_choose(struct pins *p, uint64_t seed)
{
	/* most used first; the others stay in memory */
	uint8_t guest[16] = {X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP,
			     X86_RSI, X86_RDI, X86_R8,	X86_R12, X86_R9,  X86_R13,
			     X86_R14, X86_R15, X86_R10, X86_R11};
	uint8_t host[10] = {X64_RBX, X64_R12, X64_R13, X64_R14, X64_R15,
			    X64_RSI, X64_RDI, X64_R9,  X64_R10, X64_R11};
	uint8_t vec[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	unsigned pinned = 10, vec_pinned = 13;

	if (seed) {
		shuffle(guest, 16, &seed);
		shuffle(host, 10, &seed);
		shuffle(vec, 16, &seed);
		pinned = pick(&seed, 11);
		vec_pinned = pick(&seed, 14);
	}
	*p = (struct pins){.temp = {X64_RAX, X64_RCX, X64_RDX, X64_R8},
			   .temp_count = 4,
			   .vec_temp = {0, 1, 2},
			   .vec_temp_count = 3};
	for (unsigned i = 0; i < 16; i++) {
		p->gpr[i] = X64_NO_REG;
		p->vec[i] = X64_NO_REG;
	}
	for (unsigned i = 0; i < pinned; i++)
		p->gpr[guest[i]] = host[i];
	for (unsigned i = 0; i < vec_pinned; i++)
		p->vec[vec[i]] = (uint8_t)(i + 3);
}
