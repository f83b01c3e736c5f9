/*
 * BOUND, RDRAND, RDSEED, RDPID, ADCX, ADOX, PAUSE, fences and cache-line flushes. SDM
 * vol. 2.
 *
 * Caches are not modelled: CLFLUSH, CLFLUSHOPT and CLWB only check that the line may be read.
 * Guest stores are host stores, so LFENCE and SFENCE order nothing more; MFENCE does.
 */
#include "host/host.h"
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/mmu.h"

/* a = index, b = lower, c = upper bound, all sign-extended. */
static uint64_t x86_bound(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	if ((int64_t)a < (int64_t)b || (int64_t)a > (int64_t)c)
		return x86_fault_raise(cpu, X86_FAULT_BR);
	return 0;
}

/* The one source of RDRAND and RDSEED: the host, or, where runs must repeat, SplitMix64. */
static uint64_t x86_random(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	uint64_t v;

	if (cpu->random_state) {
		v = cpu->random_state += 0x9e3779b97f4a7c15ull;
		v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ull;
		v = (v ^ (v >> 27)) * 0x94d049bb133111ebull;
		return v ^ (v >> 31);
	}
	host_random(&v, sizeof(v));
	return v;
}

/* The guest spins for another of its CPUs, which may be waiting for this host core; but mostly it
 * runs on another one and answers within microseconds. On a busy host whoever gives way gets the
 * core back after all others had their milliseconds, so that is done only after a while. Under the
 * counted clock all CPUs take turns on one thread, and waiting only costs. */
static uint64_t x86_pause(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	enum { PAUSES_PER_YIELD = 1024 };
	struct x86_cpu *cpu = opaque;

	if (cpu->cpuid->cpus <= 1 || cpu->devices_alone)
		return 0;
	if (++cpu->pauses % PAUSES_PER_YIELD == 0)
		host_yield();
	else
		host_relax();
	return 0;
}

enum { H_BOUND, H_RANDOM, H_PAUSE };

/* clang-format off */
const struct ir_helper x86_helpers_misc[] = {
	[H_BOUND]  = {"bound",  x86_bound,  3, IR_VOID, IR_HELPER_FAULTS},
	[H_RANDOM] = {"random", x86_random, 0, IR_I64,  0},
	[H_PAUSE]  = {"pause",  x86_pause,  0, IR_VOID, 0},
	{NULL},
};
/* clang-format on */

static void lift_bound(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	enum ir_type t = ir_int_type(i->opsize);
	unsigned flags = lift_mem_flags(i, i->opsize);
	ir_ref lower, upper;

	lower = ir_load(b, t, lift_linear(l, i, i->opsize, X86_READ), l->mmu, flags);
	upper = ir_load(b, t, lift_linear_at(l, i, i->opsize, i->opsize, X86_READ), l->mmu, flags);
	lift_call(l, &x86_helpers_misc[H_BOUND], lift_read_sext(l, i, 0, IR_I64),
		  ir_sext(b, IR_I64, lower), ir_sext(b, IR_I64, upper));
}

static void lift_rdrand(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = ir_call(l->b, &x86_helpers_misc[H_RANDOM], IR_NONE, IR_NONE, IR_NONE);

	lift_write(l, i, 0, ir_trunc(l->b, ir_int_type(i->op[0].bytes), v));
	lift_set_packed_flags(l, lift_imm(l, IR_I64, X86_CF));
}

static void lift_rdpid(struct lift *l, const struct x86_insn *i)
{
	lift_set_gpr(l, i->op[0].reg, ir_get(l->b, IR_I32, X86_OFF(tsc_aux)));
}

/* Add with one carry flag of its own, CF or OF; arg: which. All other flags stay. */
static void lift_adx(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	uint32_t flag = i->row->arg;
	unsigned bit = flag == X86_CF ? 0 : 11;
	ir_ref x = lift_read(l, i, 0), y = lift_read(l, i, 1), packed = lift_packed_flags(l);
	enum ir_type t = ir_type_of(b, x);
	ir_ref in = lift_cond(l, flag == X86_CF ? IR_COND_B : IR_COND_O), sum, total, out;

	sum = ir_bin(b, IR_ADD, x, y);
	total = ir_bin(b, IR_ADD, sum, ir_zext(b, t, in));
	out = ir_bin(b, IR_OR, ir_cmp(b, IR_LTU, sum, x), ir_cmp(b, IR_LTU, total, sum));
	lift_write(l, i, 0, total);
	packed = ir_bin_imm(b, IR_AND, packed, ~(uint64_t)flag);
	out = ir_bin_imm(b, IR_SHL, ir_zext(b, IR_I64, out), bit);
	lift_set_packed_flags(l, ir_bin(b, IR_OR, packed, out));
}

static void lift_pause(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, &x86_helpers_misc[H_PAUSE], IR_NONE, IR_NONE, IR_NONE);
}

static void lift_mfence(struct lift *l, const struct x86_insn *i)
{
	ir_fence(l->b);
}

static void lift_fence_nothing(struct lift *l, const struct x86_insn *i)
{
}

static void lift_flush_line(struct lift *l, const struct x86_insn *i)
{
	ir_load(l->b, IR_I8, lift_linear(l, i, 1, X86_READ), l->mmu, lift_mem_flags(i, 1));
}

#define ALL X86_ARITH_FLAGS

/* clang-format off */
const struct x86_row x86_rows_misc[] = {
	X86("62 /r mem", "Gv,M", X86_FEAT_BASE, 0, 0, 0, lift_bound, "bound", X86_NO64, 0),
	X86("0F C7 /6 reg", "Rv", X86_FEAT_RDRAND, 0, ALL, 0, lift_rdrand, "rdrand", X86_ORACLE_NO, 0),
	X86("0F C7 /7 reg", "Rv", X86_FEAT_RDSEED, 0, ALL, 0, lift_rdrand, "rdseed", X86_ORACLE_NO, 0),
	X86("F3 0F C7 /7 reg", "Rd", X86_FEAT_RDPID, 0, 0, 0, lift_rdpid, "rdpid", X86_ORACLE_NO, 0),
	X86("66 0F38 F6 /r", "Gy,Ey", X86_FEAT_ADX, X86_CF, X86_CF, 0, lift_adx, "adcx", 0, X86_CF),
	X86("F3 0F38 F6 /r", "Gy,Ey", X86_FEAT_ADX, X86_OF, X86_OF, 0, lift_adx, "adox", 0, X86_OF),
	X86("F3 90", "", X86_FEAT_BASE, 0, 0, 0, lift_pause, "pause", 0, 0),
	X86("NP 0F AE /5 reg", "", X86_FEAT_SSE2, 0, 0, 0, lift_fence_nothing, "lfence", 0, 0),
	X86("NP 0F AE /6 reg", "", X86_FEAT_SSE2, 0, 0, 0, lift_mfence, "mfence", 0, 0),
	X86("NP 0F AE /7 reg", "", X86_FEAT_SSE, 0, 0, 0, lift_fence_nothing, "sfence", 0, 0),
	X86("NP 0F AE /7 mem", "Mb", X86_FEAT_CLFLUSH, 0, 0, 0, lift_flush_line, "clflush", 0, 0),
	X86("66 0F AE /7 mem", "Mb", X86_FEAT_CLFLUSHOPT, 0, 0, 0, lift_flush_line, "clflushopt", 0, 0),
	X86("66 0F AE /6 mem", "Mb", X86_FEAT_CLWB, 0, 0, 0, lift_flush_line, "clwb", 0, 0),
	X86_ROWS_END,
};
/* clang-format on */
