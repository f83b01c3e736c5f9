/*
 * Traces against the interpreter: random code in one page, lifted along random paths, right and
 * wrong ones, and run on one machine; the other carries out as many instructions in its own way.
 * Both must agree after every trace, wherever it was left.
 */
#include "sysbox.h"

#include "engine/interpret/place.h"
#include "ir/folder.h"
#include "ir/pass.h"
#include "isa/x86/lift.h"
#include "xorshift.h"

enum {
	PAGE = CODE,
	DATA = 0x4000,
	INSNS = 60,
	PATH_MAX_LEN = 40,
	ROUNDS = 1000,
	TRACES = 25, /* per round */
};

static uint64_t random_state = 0x9e3779b97f4a7c15;

static unsigned pick(unsigned n)
{
	return (unsigned)(xorshift(&random_state) >> 20) % n;
}

/* ---- programs */
enum flow { FLOW_NEXT, FLOW_JUMP, FLOW_COND, FLOW_CALL, FLOW_RET, FLOW_TO /* by register */ };

struct insn {
	enum flow flow;
	unsigned at, len;
	unsigned target; /* number of an instruction, of the direct transfers and FLOW_TO */
	uint8_t bytes[16];
	unsigned fix, fix_bytes; /* where the target goes; 4 relative or, with absolute, 4 */
	bool absolute;
};

struct program {
	bool wide; /* 64-bit code */
	struct insn insn[INSNS + 4];
	unsigned count;
};

static struct insn *add(struct program *p, enum flow flow, const char *bytes, unsigned len)
{
	struct insn *i = &p->insn[p->count++];

	*i = (struct insn){.flow = flow, .len = len};
	memcpy(i->bytes, bytes, len);
	return i;
}

#define ADD(p, flow, bytes) add(p, flow, bytes, sizeof(bytes) - 1)

/* A transfer with a relative (or absolute) target of n bytes behind what is there. */
static void add_target(struct insn *i, unsigned bytes, bool absolute)
{
	i->fix = i->len;
	i->fix_bytes = bytes;
	i->absolute = absolute;
	i->len += bytes;
	i->target = pick(INSNS);
}

/* Registers a program may spoil: not RBX (data), RSP, RBP. */
static unsigned reg(bool byte)
{
	static const uint8_t regs[] = {0, 1, 2, 6, 7};

	return regs[pick(byte ? 3 : 5)];
}

static void add_arith(struct program *p)
{
	static const uint8_t ops[] = {0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x84, 0x88};
	unsigned op = ops[pick(sizeof(ops))] | pick(2);
	struct insn *i = ADD(p, FLOW_NEXT, "");
	unsigned to = pick(4) ? 0xc0 | reg(!(op & 1)) : 0x43; /* a register or [rbx + disp8] */

	if (pick(6) == 0)
		i->bytes[i->len++] = 0x66;
	if (p->wide && pick(2))
		i->bytes[i->len++] = 0x48;
	if (pick(5) == 0 && op < 0x40)
		op |= 2;
	i->bytes[i->len++] = (uint8_t)op;
	i->bytes[i->len++] = (uint8_t)(to | reg(!(op & 1)) << 3);
	if (to == 0x43)
		i->bytes[i->len++] = (uint8_t)(pick(16) * 8);
}

static void add_short(struct program *p)
{
	struct insn *i = ADD(p, FLOW_NEXT, "");
	unsigned r = reg(false);

	switch (pick(9)) {
	case 0: /* inc, dec */
		i->bytes[0] = 0xff;
		i->bytes[1] = (uint8_t)(0xc0 | pick(2) << 3 | r);
		i->len = 2;
		break;
	case 1: /* shifts by a constant */
		i->bytes[0] = 0xc1;
		i->bytes[1] = (uint8_t)(0xc0 | pick(8) << 3 | r);
		i->bytes[2] = (uint8_t)pick(40);
		i->len = 3;
		break;
	case 2 ... 3:
		i->bytes[0] = (uint8_t)((pick(2) ? 0x50 : 0x58) | r);
		i->len = 1;
		break;
	case 4: /* setcc, cmovcc */
		i->bytes[0] = 0x0f;
		i->bytes[1] = (uint8_t)((pick(2) ? 0x90 : 0x40) | pick(16));
		i->bytes[2] = (uint8_t)(0xc0 | pick(3) << 3 | pick(3));
		i->len = 3;
		break;
	case 5:
		memcpy(i->bytes, "\xd9\xe8", i->len = 2); /* fld1 */
		break;
	case 6:
		memcpy(i->bytes, "\xe4\x80", i->len = 2); /* in al, 80h: starts its block */
		break;
	default: /* mov reg, small */
		i->bytes[0] = (uint8_t)(0xb8 | r);
		i->bytes[1] = (uint8_t)pick(6);
		i->len = 5;
	}
}

static void add_transfer(struct program *p)
{
	struct insn *i;

	switch (pick(12)) {
	case 0:
		i = ADD(p, FLOW_JUMP, "\xe9");
		add_target(i, 4, false);
		break;
	case 1 ... 2:
		i = ADD(p, FLOW_CALL, "\xe8");
		add_target(i, 4, false);
		break;
	case 3 ... 4:
		ADD(p, FLOW_RET, "\xc3");
		break;
	case 5: /* the address of an instruction in EAX, then there, or on the stack for a ret */
		i = p->wide ? ADD(p, FLOW_NEXT, "\x48\x8d\x05") : ADD(p, FLOW_NEXT, "\xb8");
		add_target(i, 4, !p->wide);
		ADD(p, FLOW_TO, "\xff\xe0")->target = i->target;
		break;
	case 6: /* 16-bit operand size */
		i = p->wide ? ADD(p, FLOW_COND, "\xe3") : ADD(p, FLOW_COND, "\x66\x0f\x84");
		add_target(i, p->wide ? 1 : 2, false);
		break;
	case 7:
		i = ADD(p, FLOW_COND, "\xe0");
		i->bytes[0] = (uint8_t)(0xe0 | pick(4)); /* loop, jrcxz */
		add_target(i, 1, false);
		break;
	default:
		i = ADD(p, FLOW_COND, "\x0f\x80");
		i->bytes[1] |= (uint8_t)pick(16);
		add_target(i, 4, false);
	}
}

static void add_rare(struct program *p)
{
	switch (pick(6)) {
	case 0:
		if (p->wide)
			ADD(p, FLOW_NEXT, "\x48\x8b\x00"); /* mov rax, [rax]: mostly faults */
		else
			ADD(p, FLOW_NEXT, "\xf7\xf1"); /* div ecx */
		break;
	case 1:
		ADD(p, FLOW_NEXT, "\xf7\xf1");
		break;
	case 2 ... 3:
		/* mov ecx, 5; lea edi, [rbx+16]; rep stosb: one, that nobody jumps into */
		ADD(p, FLOW_NEXT, "\xb9\x05\0\0\0\x8d\x7b\x10\xf3\xaa");
		break;
	default:
		ADD(p, FLOW_NEXT, "\x90");
	}
}

static void fix(struct program *p, struct insn *i)
{
	unsigned to = p->insn[i->target].at;
	uint32_t v = i->absolute ? PAGE + to : to - (i->at + i->len);
	bool fits = i->fix_bytes > 1 || (int8_t)v == (int32_t)v;

	if (!i->fix_bytes)
		return;
	if (!fits) { /* a short jump that does not reach: to the next instruction */
		v = 0;
		i->target = (unsigned)(i - p->insn) + 1;
	}
	memcpy(i->bytes + i->fix, &v, i->fix_bytes);
}

static void make_program(struct program *p, bool wide)
{
	unsigned at, bytes = 0;

	p->wide = wide;
	p->count = 0;
	while (p->count < INSNS) {
		switch (pick(12)) {
		case 0 ... 4:
			add_arith(p);
			break;
		case 5 ... 7:
			add_short(p);
			break;
		case 8 ... 10:
			add_transfer(p);
			break;
		default:
			add_rare(p);
		}
	}
	for (unsigned k = 0; k < p->count; k++)
		bytes += p->insn[k].len;
	at = pick(2) ? pick(PAGE_BYTES - bytes) : (unsigned)PAGE_BYTES - pick(bytes + 8);
	for (unsigned k = 0; k < p->count; at += p->insn[k++].len)
		p->insn[k].at = at;
	for (unsigned k = 0; k < p->count; k++)
		fix(p, &p->insn[k]);
}

static void write_program(const struct program *p, struct box *b)
{
	memset(b->ram + PAGE, 0xcc, 2 * PAGE_BYTES);
	for (unsigned k = 0; k < p->count; k++)
		memcpy(b->ram + PAGE + p->insn[k].at, p->insn[k].bytes, p->insn[k].len);
	space_code_written(&b->space, PAGE, 2 * PAGE_BYTES);
}

/* ---- paths: a walk through the program, guessing at every transfer */
static int insn_at(const struct program *p, unsigned at)
{
	for (unsigned k = 0; k < p->count; k++)
		if (p->insn[k].at == at)
			return (int)k;
	return -1;
}

/* Offsets from `base` on. */
static unsigned make_path(const struct program *p, int k, unsigned base, int32_t *path)
{
	unsigned n = 0, want = pick(PATH_MAX_LEN), depth = 0, calls[PATH_MAX_LEN];

	for (unsigned steps = 0; k >= 0 && (unsigned)k < p->count && n < want; steps++) {
		const struct insn *i = &p->insn[k];
		unsigned next = (unsigned)k + 1;

		if (i->flow == FLOW_JUMP || i->flow == FLOW_TO || i->flow == FLOW_CALL)
			next = i->target;
		if (i->flow == FLOW_COND && pick(2))
			next = i->target;
		if (i->flow == FLOW_CALL)
			calls[depth++] = (unsigned)k + 1;
		if (i->flow == FLOW_RET && depth)
			next = calls[--depth];
		if (pick(40) == 0)
			next = pick(p->count);
		if (next >= p->count)
			break;
		if (i->flow != FLOW_NEXT)
			path[n++] = (int32_t)((pick(60) ? p->insn[next].at : pick(9000)) - base);
		k = (int)next;
		if (steps > 500)
			break;
	}
	return n;
}

/* ---- the machine that runs traces */
struct tracer {
	struct box *box;
	struct interp_hot *hot;
	struct lower *lower;
	_Alignas(16) uint8_t memory[PLACE_BYTES_MAX];
	struct ir_insn insn[IR_BLOCK_MAX];
	struct ir_folder folder;
	struct lowered low;
};

enum { PAGES_MAX = 2 };
enum end { END_LEFT, END_FAULT, END_STRADDLES };

static void check_page(const struct x86_trace *t, const struct x86_trace_page *p,
		       const struct ir_block *b)
{
	int64_t lo = PAGE_BYTES, hi = 0;

	for (uint32_t k = 0; k < b->count; k++) {
		int64_t at = t->start + b->insn[k].imm - p->at;

		if (b->insn[k].op != IR_GUEST || at < 0 || at >= (int64_t)PAGE_BYTES)
			continue;
		lo = at < lo ? at : lo;
		hi = at + b->insn[k].aux > hi ? at + b->insn[k].aux : hi;
	}
	assert_int_equal(p->hi, hi);
	if (hi)
		assert_int_equal(p->lo, lo);
}

/* Each page but the first is entered by one exit_moved, before all its instructions. */
static void check_moved(const struct x86_trace *t, const struct ir_block *b)
{
	bool entered[PAGES_MAX] = {true};

	for (uint32_t k = 0; k < b->count; k++) {
		int64_t at = t->start + b->insn[k].imm;
		unsigned page = t->page_count > 1 && (uint64_t)(at - t->page[1].at) < PAGE_BYTES;

		if (b->insn[k].op == IR_EXIT_MOVED) {
			assert_false(entered[page]);
			entered[page] = true;
		}
		if (b->insn[k].op == IR_GUEST)
			assert_true(entered[page]);
	}
}

static void check_bounds(const struct x86_trace *t, const struct ir_block *b)
{
	for (unsigned k = 0; k < t->page_count; k++)
		check_page(t, &t->page[k], b);
	check_moved(t, b);
	assert_true(t->used <= t->path_len);
}

/* Run one trace from where the CPU is; how many instructions retired. */
static enum end run_trace(struct tracer *tr, struct x86_trace *t, uint64_t *retired)
{
	struct x86_cpu *cpu = tr->box->cpu;
	struct iblock *ib;
	uint64_t disabled = pick(2) ? 0 : pick(64);
	struct ir_block b;

	ir_block_init(&b, &x86_isa, tr->insn, IR_BLOCK_MAX);
	if (pick(2))
		ir_block_fold(&b, &tr->folder, disabled);
	if (x86_lift_trace(tr->box->decoder, t, cpu->mode, cpu->cpuid, 1 + pick(IR_BLOCK_GUEST_MAX),
			   &b) != X86_DECODE_OK)
		return END_STRADDLES;
	assert_false(b.overflow);
	check_bounds(t, &b);
	ir_optimize(&b, disabled);
	assert_true(lower_block(tr->lower, &b, cpu->mode, &tr->low));
	ib = place_block(tr->memory, &tr->low);
	ib->head.gpa = PAGE + t->start;
	ib->bytes = b.guest_bytes;
	ib->heat = UINT32_MAX;
	cpu->budget = 1000;
	iop_run(cpu, iop_enter(cpu, ib));
	*retired = (uint64_t)(1000 - cpu->budget);
	if (tr->hot->stop == INTERP_ABORT) {
		unsigned g = ib->op_guest[tr->hot->stop_op - ib->ops];

		*retired -= ib->head.insns - g;
		cpu->rip += (uint64_t)(int64_t)ib->guest_offset[g];
		assert_int_equal(cpu->exit_code, X86_EXIT_FAULT);
		return END_FAULT;
	}
	return END_LEFT;
}

static void compare(const struct box *one, const struct box *other)
{
	const struct x86_cpu *a = one->cpu, *b = other->cpu;

	assert_memory_equal(one->ram + DATA, other->ram + DATA, CODE - DATA);
	for (unsigned k = 0; k < 16; k++)
		assert_int_equal(a->gpr[k], b->gpr[k]);
	assert_int_equal(a->rip, b->rip);
	assert_int_equal(x86_rflags_read(a), x86_rflags_read(b));
	assert_int_equal(a->fip, b->fip);
}

static void seed_machine(struct box *b, bool wide, uint64_t rip)
{
	struct x86_cpu *cpu = b->cpu;

	memset(b->ram + DATA, 0, CODE - DATA);
	x86_cpu_reset(cpu);
	x86_seg_load_real(cpu, X86_CS, 0);
	cpu->gdtr = (struct x86_table){GDT, GDT_BYTES - 1};
	cpu->exit_code = X86_EXIT_NONE;
	x86_mode_update(cpu);
	set_desc(b, SEL_TSS, TSS, 0x1ff, A_TSS32, 0); /* not busy */
	if (wide)
		enter_long(b, 0);
	else
		enter_protected(b, 0);
	for (unsigned v = 0; v < 32; v++)
		set_gate(b, v, wide ? SEL_CODE64 : SEL_CODE0, HANDLER + 0x4000, A_INT32);
	memcpy(b->ram + HANDLER + 0x4000, "\xeb\xfe", 2);
	cpu->fcw = 0x37f;
	cpu->gpr[X86_RBX] = DATA;
	cpu->rip = rip;
}

static void set_registers(struct box *a, struct box *b)
{
	for (unsigned k = 0; k < 8; k++) {
		uint64_t v = pick(2) ? pick(4) : random_state;

		if (k >= 3 && k <= 5)
			continue;
		a->cpu->gpr[k] = b->cpu->gpr[k] = a->cpu->mode & X86_MODE_CODE64 ? v : (uint32_t)v;
	}
}

static void run_program(struct tracer *tr, struct box *ref, const struct program *p,
			unsigned *followed)
{
	struct x86_cpu *cpu = tr->box->cpu;
	int32_t path[PATH_MAX_LEN];

	for (unsigned n = 0; n < TRACES; n++) {
		uint64_t at = cpu->rip - PAGE, retired;
		unsigned base = align_down((unsigned)at, (unsigned)PAGE_BYTES);
		int k = insn_at(p, (unsigned)at);
		const uint8_t *first = tr->box->ram + PAGE;
		struct x86_trace_page page[PAGES_MAX] = {
			{.bytes = first + base},
			{.at = base ? -(int32_t)PAGE_BYTES : (int32_t)PAGE_BYTES,
			 .bytes = base ? first : first + PAGE_BYTES}};
		struct x86_trace t = {.page = page,
				      .page_count = 1 + pick(PAGES_MAX),
				      .start = (unsigned)at - base,
				      .path = path};
		enum end end;

		if (k < 0)
			return;
		t.path_len = make_path(p, k, base, path);
		end = run_trace(tr, &t, &retired);
		if (end == END_STRADDLES)
			return;
		*followed += t.used;
		if (retired)
			engine_find("interpret")->run(ref->engine, retired);
		compare(tr->box, ref);
		if (end == END_FAULT) {
			engine_find("interpret")->run(ref->engine, 1);
			assert_int_equal(ref->cpu->rip, HANDLER + 0x4000);
			return;
		}
	}
}

static struct tracer *tracer_create(void)
{
	struct tracer *tr = host_alloc(sizeof(*tr));
	struct host_cpu host = host_cpu_detect();
	void *state;

	sysbox_setup(&state);
	tr->box = state;
	tr->hot = host_alloc(sizeof(*tr->hot));
	tr->lower = lower_create(&host);
	return tr;
}

static void tracer_destroy(struct tracer *tr)
{
	void *state = tr->box;

	lower_destroy(tr->lower);
	sysbox_teardown(&state);
	host_free(tr->hot);
	host_free(tr);
}

static void traces_match(bool wide)
{
	static struct program p;
	struct tracer *tr = tracer_create();
	void *state, *engine = tr->box->cpu->engine;
	struct box *ref;
	unsigned followed = 0;

	sysbox_setup(&state);
	ref = state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned start;

		make_program(&p, wide);
		write_program(&p, tr->box);
		write_program(&p, ref);
		start = PAGE + p.insn[pick(p.count / 2)].at;
		tr->box->cpu->engine = engine;
		seed_machine(tr->box, wide, start);
		seed_machine(ref, wide, start);
		set_registers(tr->box, ref);
		tr->box->cpu->engine = tr->hot;
		run_program(tr, ref, &p, &followed);
	}
	assert_true(followed > ROUNDS * 5);
	tr->box->cpu->engine = engine;
	sysbox_teardown(&state);
	tracer_destroy(tr);
}

static void traces_match_64(void **state)
{
	(void)state;
	traces_match(true);
}

static void traces_match_32(void **state)
{
	(void)state;
	traces_match(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(traces_match_64),
		cmocka_unit_test(traces_match_32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
