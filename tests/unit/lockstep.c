/* Lockstep finds what is wrong with a second engine that is wrong on purpose, at the instruction
 * where it is wrong, and nothing where both are right whatever devices, interrupts and other hands
 * do. */
#include "sysbox.h"

enum { WRONG_AT = 1000, MARK = 0x5000, TOLD = 0x5100, PORT_INTR = 0x90, PORT_RAM = 0x91 };

enum wrong {
	RIGHT,
	OTHER_WORDS, /* the same flags, remembered as another operation */
	REGISTER,
	CARRY,
	VECTOR,
	MEMORY,
	IN_BLOCKS, /* only when several instructions are run together */
	ONCE,	   /* not again when the run is repeated */
	QUESTION,  /* reads a port of its own accord */
	DEAF,	   /* loses an interrupt */
	LAGS,	   /* stops too early */
};

/* The interpreter, made wrong after WRONG_AT instructions. */
struct engine_cpu {
	struct engine_cpu *inner;
	struct x86_cpu *cpu;
	enum wrong wrong;
	bool was;
};

static const struct engine *interpret(void)
{
	return engine_find("interpret");
}

static void go_wrong(struct engine_cpu *e, uint64_t insns)
{
	struct x86_cpu *cpu = e->cpu;

	switch (e->wrong) {
	case OTHER_WORDS:
		x86_rflags_write(cpu, x86_rflags_read(cpu));
		break;
	case REGISTER:
		cpu->gpr[X86_RBX] ^= 0x10;
		break;
	case CARRY:
		x86_rflags_write(cpu, x86_rflags_read(cpu) ^ X86_CF);
		break;
	case VECTOR:
		cpu->vec[3].u64[1] ^= 1;
		break;
	case MEMORY:
		space_write(cpu->space, 0x50123, "!", 1);
		break;
	case IN_BLOCKS:
		cpu->gpr[X86_RSI] += insns > 1;
		break;
	case ONCE:
		cpu->gpr[X86_RSI] += !e->was;
		break;
	case QUESTION:
		space_io_read(cpu->ports, 0x82, 1);
		break;
	case DEAF:
		__atomic_fetch_and((uint32_t *)&cpu->request, ~(uint32_t)X86_REQ_INTR,
				   __ATOMIC_SEQ_CST);
		break;
	default:
		break;
	}
	e->was = true;
}

static enum engine_exit wrong_run(struct engine_cpu *e, uint64_t insns)
{
	uint64_t now = e->cpu->insns;
	enum engine_exit exit;

	if (now >= WRONG_AT || now + insns < WRONG_AT || e->wrong == RIGHT)
		return interpret()->run(e->inner, insns);
	exit = interpret()->run(e->inner, WRONG_AT - now);
	if (e->cpu->insns != WRONG_AT || exit != ENGINE_EXIT_BUDGET)
		return exit;
	go_wrong(e, insns);
	if (e->wrong == LAGS)
		return exit;
	return interpret()->run(e->inner, now + insns - WRONG_AT);
}

static int wrong_create(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
			const struct engine_config *cfg, struct error *err)
{
	struct engine_cpu *e = host_alloc(sizeof(*e));

	e->cpu = cpu;
	e->wrong = (enum wrong)cfg->stress_seed;
	*out = e;
	return interpret()->cpu_create(&e->inner, g, cpu, cfg, err);
}

static void wrong_destroy(struct engine_cpu *e)
{
	if (e)
		interpret()->cpu_destroy(e->inner);
	host_free(e);
}

static const struct engine wrong_engine = {
	.name = "wrong",
	.text = "wrong on purpose",
	.cpu_create = wrong_create,
	.cpu_destroy = wrong_destroy,
	.run = wrong_run,
};

/* ---- a box with two ports more: one raises an interrupt, one has a device write RAM */

static void port_write(void *opaque, uint64_t off, uint64_t v, unsigned bytes)
{
	struct box *b = opaque;

	(void)bytes;
	if (off == 0)
		x86_request(b->cpu, X86_REQ_INTR);
	else
		space_write(&b->space, TOLD, &v, 1);
}

static const struct io_ops ports = {NULL, port_write, 1};

struct pair {
	struct box *b;
	struct engine_cpu *e;
};

static struct box *box_open(void)
{
	void *state;
	struct box *b;

	sysbox_setup(&state);
	b = state;
	space_map_io(&b->ports, "more", PORT_INTR, 2, &ports, b);
	b->cpu->random_state = 1;
	b->vector = 0x40;
	store_le16(b->ram + 0x40 * 4, HANDLER);
	memcpy(b->ram + HANDLER, "\x45\xcf", 2); /* inc bp; iret */
	return b;
}

static struct pair pair_open(enum wrong wrong)
{
	struct pair p = {.b = box_open()};
	struct engine_config cfg = {.decoder = p.b->decoder,
				    .pair = {interpret(), &wrong_engine},
				    .stress_seed = wrong};
	struct error err;

	assert_int_equal(
		engine_find("lockstep")->cpu_create(&p.e, p.b->group, p.b->cpu, &cfg, &err), 0);
	return p;
}

static void box_close(struct box *b)
{
	void *state = b;

	sysbox_teardown(&state);
}

static void pair_close(struct pair *p)
{
	engine_find("lockstep")->cpu_destroy(p->e);
	assert_true(p->b->ports.io[1].ops == &ports); /* all is as it was */
	assert_null(p->b->space.wrote);
	p->b->cpu->engine = p->b->engine; /* the box's own again */
	box_close(p->b);
}

static enum engine_exit pair_run(struct pair *p, uint64_t insns)
{
	return engine_find("lockstep")->run(p->e, insns);
}

static const char *pair_report(const struct pair *p)
{
	return engine_find("lockstep")->report(p->e);
}

/* Counts, stores, reads a port and the time: 6 instructions a turn. */
static const char turns[] = "\x41"	       /* inc cx */
			    "\x89\x0e\x00\x50" /* mov [MARK], cx */
			    "\xe4\x81"	       /* in al, 81h */
			    "\x0f\x31"	       /* rdtsc */
			    "\x01\xc2"	       /* add dx, ax */
			    "\xeb\xf3";	       /* jmp to the first */

/* adc bx, 0; jmp: where flags matter. */
static const char carries[] = "\x83\xd3\x00\xeb\xfb";

static void load(struct box *b, const char *code, size_t len)
{
	memcpy(b->ram + CODE, code, len);
}
#define LOAD(b, code) load(b, code, sizeof(code) - 1)

/* ---- wrong */

static void found(enum wrong wrong, const char *where, const char *what)
{
	struct pair p = pair_open(wrong);

	if (wrong == CARRY)
		LOAD(p.b, carries);
	else
		LOAD(p.b, turns);
	assert_int_equal(pair_run(&p, WRONG_AT - 400), ENGINE_EXIT_BUDGET);
	assert_int_equal(pair_run(&p, 5000), ENGINE_EXIT_DIFFER);
	assert_non_null(strstr(pair_report(&p), where));
	if (!strstr(pair_report(&p), what))
		fail_msg("no \"%s\" in\n%s", what, pair_report(&p));
	assert_non_null(strstr(pair_report(&p), "interpret and wrong differ on CPU 0"));
	assert_int_equal(pair_run(&p, 1), ENGINE_EXIT_DIFFER); /* it stays so */
	pair_close(&p);
}

static void finds_registers(void **state)
{
	static const char at[] = "after instruction 1000, at 0000:";

	found(REGISTER, at, "  rbx            before     0000000000000000");
	found(REGISTER, at, "* rbx              0000000000000000 0000000000000010");
	found(REGISTER, at, "the same when each instruction is run by itself");
	found(CARRY, at, "* rflags");
	found(VECTOR, at, "* ymm3");
	found(LAGS, "differ on CPU 0 after instruction 1001,", "* insns");
}

static void finds_memory(void **state)
{
	found(MEMORY, "after instruction 1000,", "memory 0x50120, 1 bytes of its page differ");
	found(MEMORY, "after instruction 1000,", "00 00 00 21 00");
}

static void finds_what_only_blocks_do(void **state)
{
	found(IN_BLOCKS, "after instruction 1000,", "it is in how they are put together");
}

static void says_what_does_not_repeat(void **state)
{
	found(ONCE, "after instruction", "running them again made no difference");
}

static void finds_questions(void **state)
{
	found(QUESTION, "after instruction 1000,", "2 wrong asks the machine: read of port region");
}

/* The block of the instruction: guest code with a mark, IR before and after passes. */
static void shows_the_block(void **state)
{
	struct pair p = pair_open(REGISTER);
	const char *r, *mark;

	LOAD(p.b, turns);
	assert_int_equal(pair_run(&p, 1200), ENGINE_EXIT_DIFFER);
	r = pair_report(&p);
	/* 1000 = 166 turns of 6, and 4: rdtsc */
	mark = strstr(r, "\n> ");
	assert_non_null(mark);
	assert_memory_equal(strstr(mark, "0f31"), "0f31", 4);
	assert_non_null(strstr(r, "guest code from 0x8000"));
	assert_non_null(strstr(r, "\nIR as lifted\n"));
	assert_non_null(strstr(r, "\nIR after dead-values"));
	pair_close(&p);
}

/* An interrupt that the second engine loses. */
static void finds_lost_interrupts(void **state)
{
	struct pair p = pair_open(DEAF);

	LOAD(p.b, turns);
	assert_int_equal(pair_run(&p, 500), ENGINE_EXIT_BUDGET);
	x86_request(p.b->cpu, X86_REQ_INTR); /* disabled: stays pending */
	assert_int_equal(pair_run(&p, 1000), ENGINE_EXIT_DIFFER);
	assert_non_null(strstr(pair_report(&p), "requests still pending: 1 0x1, 2 0"));
	assert_non_null(strstr(pair_report(&p), "after instruction 1000,"));
	pair_close(&p);
}

/* ---- right */

/* The program leaves the same state as without lockstep, and both sides agree all the way. */
static void agrees(const char *code, size_t len, enum wrong wrong, uint64_t step)
{
	struct pair p = pair_open(wrong);
	struct box *plain = box_open();
	const struct field *f;

	load(p.b, code, len);
	load(plain, code, len);
	for (unsigned i = 0; i < 20; i++) {
		x86_request(p.b->cpu, i % 3 ? 0 : X86_REQ_INTR);
		x86_request(plain->cpu, i % 3 ? 0 : X86_REQ_INTR);
		if (pair_run(&p, step) == ENGINE_EXIT_DIFFER)
			fail_msg("%s", pair_report(&p));
		interpret()->run(plain->engine, step);
	}
	/* What lazy flags are remembered as depends on the passes. */
	assert_int_equal(x86_rflags_read(p.b->cpu), x86_rflags_read(plain->cpu));
	x86_rflags_write(p.b->cpu, x86_rflags_read(p.b->cpu));
	x86_rflags_write(plain->cpu, x86_rflags_read(plain->cpu));
	f = field_compare(x86_cpu_fields, p.b->cpu, plain->cpu);
	if (f)
		fail_msg("%s differs from a run without lockstep", f->name);
	assert_int_equal(space_hash(&p.b->space), space_hash(&plain->space));
	pair_close(&p);
	box_close(plain);
}
#define AGREES(code, wrong, step) agrees(code, sizeof(code) - 1, wrong, step)

static void right_programs_agree(void **state)
{
	AGREES(turns, RIGHT, 1);
	AGREES(turns, RIGHT, 777);
	AGREES(turns, RIGHT, 40000); /* more than a slice */
	AGREES(turns, OTHER_WORDS, 100);
}

static void devices_and_interrupts_agree(void **state)
{
	/* sti; out 90h, al; inc cx; out 91h, al; add al, [TOLD]; inc ax; jmp */
	static const char code[] = "\xfb\xe6\x90\x41\xe6\x91\x02\x06\x00\x51\x40\xeb\xf4";
	/* sti; inc cx; hlt; jmp: woken by the run's own interrupts */
	static const char halts[] = "\xfb\x41\xf4\xeb\xfb";
	/* cli; out 90h, al; inc cx; sti; inc dx; cli; inc bx; jmp: taken behind INC DX only */
	static const char shadow[] = "\xfa\xe6\x90\x41\xfb\x42\xfa\x43\xeb\xf6";
	/* cli; out 90h, al; inc cx; sti; jmp +0; cli; inc bx; jmp: behind the first jump only */
	static const char jumps[] = "\xfa\xe6\x90\x41\xfb\xeb\0\xfa\x43\xeb\xf5";

	AGREES(code, RIGHT, 7);
	AGREES(code, RIGHT, 1000);
	AGREES(halts, RIGHT, 10);
	AGREES(shadow, RIGHT, 3);
	AGREES(shadow, RIGHT, 500);
	AGREES(jumps, RIGHT, 3);
	AGREES(jumps, RIGHT, 500);
}

static void self_modifying_code_agrees(void **state)
{
	/* inc byte [CODE + 5]; mov al, 0; add dx, ax; rdrand bx; jmp */
	static const char code[] = "\xfe\x06\x05\x80\xb0\x00\x01\xc2\x0f\xc7\xf3\xeb\xf3";

	AGREES(code, RIGHT, 10);
	AGREES(code, RIGHT, 2000);
}

static void other_hands_are_followed(void **state)
{
	struct pair p = pair_open(RIGHT);

	LOAD(p.b, turns);
	assert_int_equal(pair_run(&p, 100), ENGINE_EXIT_BUDGET);
	p.b->cpu->gpr[X86_RCX] = 0x1234; /* a debugger */
	space_write(&p.b->space, MARK + 2, "ab", 2);
	assert_int_equal(pair_run(&p, 6), ENGINE_EXIT_BUDGET);
	x86_request(p.b->cpu, X86_REQ_STOP);
	assert_int_equal(pair_run(&p, 100), ENGINE_EXIT_STOP);
	assert_int_equal(pair_run(&p, 100), ENGINE_EXIT_BUDGET);
	/* a reset, with other code loaded past everyone */
	x86_cpu_reset(p.b->cpu);
	x86_seg_load_real(p.b->cpu, X86_CS, 0);
	p.b->cpu->rip = CODE;
	p.b->ram[CODE] = 0x4b; /* dec bx */
	space_code_written(&p.b->space, CODE, 1);
	assert_int_equal(pair_run(&p, 60), ENGINE_EXIT_BUDGET);
	assert_int_equal(p.b->cpu->gpr[X86_RBX], 0xfff6);
	pair_close(&p);
}

static void triple_fault_agrees(void **state)
{
	struct pair p = pair_open(RIGHT);

	LOAD(p.b, "\x41\x41\x0f\x0b"); /* ud2 */
	p.b->cpu->idtr.limit = 0;
	assert_int_equal(pair_run(&p, 100), ENGINE_EXIT_SHUTDOWN);
	assert_int_equal(p.b->cpu->insns, 2);
	assert_int_equal(pair_run(&p, 100), ENGINE_EXIT_SHUTDOWN);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_registers),
		cmocka_unit_test(finds_memory),
		cmocka_unit_test(finds_what_only_blocks_do),
		cmocka_unit_test(says_what_does_not_repeat),
		cmocka_unit_test(finds_questions),
		cmocka_unit_test(shows_the_block),
		cmocka_unit_test(finds_lost_interrupts),
		cmocka_unit_test(right_programs_agree),
		cmocka_unit_test(devices_and_interrupts_agree),
		cmocka_unit_test(self_modifying_code_agrees),
		cmocka_unit_test(other_hands_are_followed),
		cmocka_unit_test(triple_fault_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
