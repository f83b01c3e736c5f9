/*
 * The x87 against the host's own: every encoding of D8 to DF, on random states with odd numbers,
 * empty and full stacks, all rounding and precision modes and unmasked exceptions, run by the
 * interpreter and by the host, where FRSTOR and FNSAVE bring the state in and out. Then what the
 * host cannot show: pointers, image formats, #MF, memory faults.
 */
#include "test.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/mman.h>

#include "box.h"
#include "engine_choice.h"
#include "isa/x86/fpu.h"
#include "xorshift.h"

enum {
	RAM_BYTES = 1 << 20,
	CODE = 0x1000,
	CODE_STEP = 16,
	DATA = 0x40000,
	DATA_BYTES = 128,
	IDT = 0x50000,
	HANDLER = 0x51000,
	IMAGE_BYTES = 108,
	ROUNDS = 200,
	FSW_PENDING = 0x8080,
};

/* What an instruction can see and change. */
struct state {
	uint16_t fcw, fsw, tags;
	struct x86_fpr st[8];
	uint64_t flags, rax;
	uint8_t data[DATA_BYTES];
};

/* ---- encodings: 64 with a memory operand [rsi], 512 with registers; then the images with 16-bit
 * operand size */

enum { PLAIN_FORMS = 8 * 72, FORMS = PLAIN_FORMS + 4, FORM_MAX = 3 };

static unsigned form_bytes(unsigned form, uint8_t out[FORM_MAX])
{
	static const uint8_t images[4][FORM_MAX] = {
		{0x66, 0xd9, 0x26}, {0x66, 0xd9, 0x36}, {0x66, 0xdd, 0x26}, {0x66, 0xdd, 0x36}};
	unsigned low = form % 72;

	if (form >= PLAIN_FORMS) {
		memcpy(out, images[form - PLAIN_FORMS], FORM_MAX);
		return 3;
	}
	out[0] = (uint8_t)(0xd8 + form / 72);
	out[1] = (uint8_t)(low < 8 ? low << 3 | 6 : 0xc0 + low - 8);
	return 2;
}

static void place_code(struct box *b)
{
	for (unsigned f = 0; f < FORMS; f++) {
		uint8_t *p = b->ram + CODE + CODE_STEP * f;

		p += form_bytes(f, p);
		p[0] = 0xeb;
		p[1] = 0xfe;
	}
}

/* ---- the machine: flat 32-bit protected mode, all exceptions to HANDLER */

static void place_idt(struct box *b)
{
	for (unsigned v = 0; v < 32; v++) {
		uint64_t to = HANDLER + 16 * v;

		store_le64(b->ram + IDT + 8 * v,
			   (to & 0xffff) | 8ull << 16 | 0x8e00ull << 32 | (to >> 16) << 48);
		b->ram[to] = 0xeb;
		b->ram[to + 1] = 0xfe;
	}
	store_le64(b->ram + IDT + 0x808, 0x00cf9b000000ffff); /* GDT behind it */
	b->cpu->idtr.base = IDT;
	b->cpu->idtr.limit = 0xff;
	b->cpu->gdtr.base = IDT + 0x800;
	b->cpu->gdtr.limit = 0x1f;
}

static struct box *x87_box(const struct engine *engine)
{
	struct box *b = box_create(RAM_BYTES, "max", engine, NULL);

	assert_non_null(b);
	b->cpu->cr0 = X86_CR0_NE | X86_CR0_ET;
	b->cpu->gpr[X86_RSI] = DATA;
	place_idt(b);
	place_code(b);
	box_enter_flat(b, CODE, 0x80000);
	return b;
}

/* The host's own code, and what random states and programs come from. */
static uint8_t *stub;
static uint64_t seed;

static int setup(void **state)
{
	seed = 0x243f6a8885a308d3;
	stub = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	*state = x87_box(engine_choice());
	return 0;
}

static int teardown(void **state)
{
	munmap(stub, 4096);
	box_destroy(*state);
	return 0;
}

/* ---- random states */

static uint64_t rnd(void)
{
	return xorshift(&seed) * 0x2545f4914f6cdd1d;
}

static const uint16_t odd_exponents[] = {
	0x0000, 0x0001, 0x0002, 0x3bff, 0x3c00, 0x3c01, 0x3f6a, 0x3f80, 0x3f81, 0x3ffd, 0x3ffe,
	0x3fff, 0x4000, 0x4001, 0x400d, 0x400e, 0x401d, 0x401e, 0x403d, 0x403e, 0x4039, 0x407e,
	0x407f, 0x43fe, 0x43ff, 0x5fff, 0x2000, 0x7ffd, 0x7ffe, 0x7fff, 0x7fff, 0x403f,
};
static const uint64_t odd_mantissas[] = {
	0x0000000000000000, 0x8000000000000000, 0x8000000000000001, 0xc000000000000000,
	0xffffffffffffffff, 0xfffffffffffffc00, 0xffffff0000000000, 0xffffff8000000000,
	0x0000000000000001, 0x7fffffffffffffff, 0x8000008000000000, 0x8000000000000400,
	0xa000000000000000, 0x4000000000000000, 0xbfffffffffffffff, 0xfffffffffffff800,
};

static struct x86_fpr random_number(void)
{
	struct x86_fpr r = {0};
	uint64_t x = rnd();

	r.mant = x & 1 ? rnd() : odd_mantissas[x >> 1 & 15];
	if (x & 0x60)
		r.mant |= 1ull << 63;
	r.sexp = x & 0x80 ? odd_exponents[x >> 8 & 31] : (uint16_t)(0x3fe0 + (x >> 8 & 0x5f));
	if ((x & 0xf0000) == 0)
		r.sexp = (uint16_t)(x >> 20 & 0x7fff);
	if (x & 0x100000000)
		r.sexp |= 0x8000;
	return r;
}

/* Bit patterns of the formats in memory, odd ones often. */
static void random_data(uint8_t *p)
{
	static const uint32_t odd32[] = {0,	     0x80000000, 1,	     0x807fffff,
					 0x00800000, 0x7f800000, 0xff800000, 0x7f800001,
					 0x7fc00000, 0x3f800000, 0xffffffff, 0x7fffffff};
	static const uint64_t odd64[] = {1,
					 0x8000000000000000,
					 0x000fffffffffffff,
					 0x7ff0000000000000,
					 0xfff0000000000001,
					 0x7ff8000000000000,
					 0x3ff0000000000000,
					 0xffffffffffffffff};
	uint64_t x = rnd();

	for (unsigned i = 0; i < DATA_BYTES; i += 8)
		store_le64(p + i, rnd());
	switch (x & 7) {
	case 0:
		store_le32(p, odd32[(x >> 8) % ARRAY_LEN(odd32)]);
		break;
	case 1:
		store_le64(p, odd64[(x >> 8) % ARRAY_LEN(odd64)]);
		break;
	case 2:
		store_le32(p, (uint32_t)((x >> 8 & 0x80ffffff) | 0x3f000000));
		break;
	case 3:
		store_le64(p, (x & 0x800fffffffffffff) | 0x3ff0000000000000);
		break;
	case 4: {
		struct x86_fpr r = random_number();

		store_le64(p, r.mant);
		store_le16(p + 8, r.sexp);
		break;
	}
	case 5: /* packed decimal */
		for (unsigned i = 0; i < 9; i++)
			p[i] = (uint8_t)((rnd() % 10) << 4 | rnd() % 10);
		p[9] = x & 0x100 ? 0x80 : 0;
		break;
	}
}

static void random_state(struct state *s)
{
	uint64_t x = rnd();

	s->fcw = (uint16_t)((x & 0xf00) | 0x40 | (x & 0x10000 ? 0x3f : x & 0x3f));
	x = rnd();
	s->fsw = (uint16_t)(x & 0x7f00);
	if (x & 0x10000)
		s->fsw |= x & 0x3f & s->fcw;
	if (x & 0xe0000)
		s->tags = 0;
	else
		s->tags = (uint16_t)(rnd() & 0xffff);
	for (unsigned i = 0; i < 8; i++) {
		s->st[i] = random_number();
		if ((x >> 20 & 7) == 0 || i == (x >> 24 & 7))
			s->tags |= (uint16_t)(3 << 2 * i);
	}
	if ((x >> 40 & 3) == 0) /* room to push */
		s->tags |= (uint16_t)(3 << 2 * ((((s->fsw >> 11) - 1)) & 7));
	s->flags = rnd() & X86_ARITH_FLAGS;
	s->rax = 0;
	random_data(s->data);
}

/* ---- by the host */

static sigjmp_buf illegal;

static void on_illegal(int sig)
{
	siglongjmp(illegal, 1);
}

/* FRSTOR [rdi]; xor eax,eax; push rdx; popfq; the instruction; mov r8,rax; pushfq; pop rax; FNSAVE
 * [rcx]; mov [rcx+108],r8; ret */
static void host_stub(unsigned form)
{
	static const uint8_t before[] = {0xdd, 0x27, 0x31, 0xc0, 0x52, 0x9d};
	static const uint8_t after[] = {0x49, 0x89, 0xc0, 0x9c, 0x58, 0xdd, 0x31, 0x4c,
					0x89, 0x81, 0x6c, 0,	0,    0,    0xc3};

	uint8_t *p = stub;

	memcpy(p, before, sizeof(before));
	p += sizeof(before);
	p += form_bytes(form, p);
	memcpy(p, after, sizeof(after));
}

typedef uint64_t (*stub_fn)(const void *in, void *data, uint64_t flags, void *out);

static void host_run(struct state *s)
{
	uint8_t in[IMAGE_BYTES] = {0}, out[IMAGE_BYTES + 8];
	unsigned top = s->fsw >> 11 & 7;
	stub_fn fn;

	memcpy(&fn, &stub, sizeof(fn));
	store_le16(in, s->fcw);
	store_le16(in + 4, s->fsw);
	store_le16(in + 8, s->tags);
	for (unsigned i = 0; i < 8; i++) {
		store_le64(in + 28 + 10 * i, s->st[(top + i) & 7].mant);
		store_le16(in + 28 + 10 * i + 8, s->st[(top + i) & 7].sexp);
	}
	s->flags = fn(in, s->data, s->flags | 2, out) & X86_ARITH_FLAGS;
	s->rax = load_le64(out + IMAGE_BYTES);
	s->fcw = load_le16(out);
	s->fsw = load_le16(out + 4);
	s->tags = load_le16(out + 8);
	top = s->fsw >> 11 & 7;
	for (unsigned i = 0; i < 8; i++) {
		s->st[(top + i) & 7].mant = load_le64(out + 28 + 10 * i);
		s->st[(top + i) & 7].sexp = load_le16(out + 28 + 10 * i + 8);
	}
}

/* ---- by the interpreter */

static uint16_t full_tags(const struct x86_cpu *cpu)
{
	unsigned tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned exp = cpu->fpr[i].sexp & 0x7fff, tag = 0;

		if (!(cpu->ftag >> i & 1))
			tag = 3;
		else if (exp == 0 && cpu->fpr[i].mant == 0)
			tag = 1;
		else if (exp == 0 || exp == 0x7fff || !(cpu->fpr[i].mant >> 63))
			tag = 2;
		tags |= tag << 2 * i;
	}
	return (uint16_t)tags;
}

static void set_fpu(struct x86_cpu *cpu, const struct state *s)
{
	cpu->fcw = s->fcw;
	cpu->fsw = s->fsw;
	cpu->ftag = 0;
	for (unsigned i = 0; i < 8; i++) {
		cpu->fpr[i] = s->st[i];
		if ((s->tags >> 2 * i & 3) != 3)
			cpu->ftag |= (uint8_t)(1 << i);
	}
}

static void guest_run(struct box *b, unsigned form, struct state *s)
{
	struct x86_cpu *cpu = b->cpu;
	uint8_t code[FORM_MAX];

	set_fpu(cpu, s);
	cpu->rip = CODE + CODE_STEP * form;
	cpu->gpr[X86_RAX] = s->rax;
	x86_rflags_write(cpu, s->flags | 2);
	x86_mode_update(cpu);
	memcpy(b->ram + DATA, s->data, DATA_BYTES);
	box_run(b, 1);
	assert_int_equal(cpu->rip, CODE + CODE_STEP * form + form_bytes(form, code));
	assert_int_equal(!!(cpu->mode & X86_MODE_X87_PENDING), !!(cpu->fsw & 0x80));
	memcpy(s->data, b->ram + DATA, DATA_BYTES);
	s->flags = x86_rflags_read(cpu) & X86_ARITH_FLAGS;
	s->rax = cpu->gpr[X86_RAX];
	s->fcw = cpu->fcw;
	s->fsw = cpu->fsw;
	s->tags = full_tags(cpu);
	memcpy(s->st, cpu->fpr, sizeof(s->st));
}

/* ---- comparison */

static void print_state(const char *name, const struct state *s)
{
	printf("%s fcw %04x fsw %04x tags %04x flags %03x rax %04x data", name, s->fcw, s->fsw,
	       s->tags, (unsigned)s->flags, (unsigned)s->rax);
	for (unsigned i = 0; i < 10; i++)
		printf(" %02x", s->data[i]);
	printf("\n");
	for (unsigned i = 0; i < 8; i++)
		printf("  st(%u) %04x %016llx%s\n", i, s->st[((s->fsw >> 11) + i) & 7].sexp,
		       (unsigned long long)s->st[((s->fsw >> 11) + i) & 7].mant,
		       (s->tags >> 2 * (((s->fsw >> 11) + i) & 7) & 3) == 3 ? " empty" : "");
}

static bool same_state(const struct state *x, const struct state *y)
{
	for (unsigned i = 0; i < 8; i++) {
		if (x->st[i].mant != y->st[i].mant || x->st[i].sexp != y->st[i].sexp)
			return false;
	}
	return x->fcw == y->fcw && x->fsw == y->fsw && x->tags == y->tags && x->flags == y->flags &&
	       x->rax == y->rax && memcmp(x->data, y->data, DATA_BYTES) == 0;
}

static bool form_exists(struct box *b, unsigned form)
{
	struct x86_insn insn;

	return x86_decode(b->decoder, b->ram + CODE + CODE_STEP * form, 4, b->cpu->mode, &b->model,
			  &insn) == X86_DECODE_OK;
}

/* The host's word on whether there is such an instruction. */
static bool host_has_form(unsigned form)
{
	struct sigaction act = {.sa_handler = on_illegal}, old;
	struct state s = {.fcw = 0x37f, .tags = 0xffff};
	volatile bool has = false;

	host_stub(form);
	sigaction(SIGILL, &act, &old);
	if (sigsetjmp(illegal, 1) == 0) {
		host_run(&s);
		has = true;
	} else {
		__asm__ volatile("fninit");
	}
	sigaction(SIGILL, &old, NULL);
	return has;
}

static void same_encodings_as_host(void **state)
{
	struct box *b = *state;
	unsigned bad = 0;

	for (unsigned f = 0; f < FORMS; f++) {
		if (form_exists(b, f) != host_has_form(f)) {
			uint8_t c[FORM_MAX];

			form_bytes(f, c);
			printf("%02x %02x: %s\n", c[0], c[1],
			       form_exists(b, f) ? "only here" : "only on the host");
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

/* Pointers of saved images are not compared. */
static void forget_pointers(unsigned form, struct state *s)
{
	uint8_t c[FORM_MAX], *op = c;
	bool wide = form < PLAIN_FORMS;

	form_bytes(form, c);
	op += !wide;
	if ((op[0] == 0xd9 || op[0] == 0xdd) && (op[1] == 0x26 || op[1] == 0x36))
		memset(s->data + (wide ? 12 : 6), 0, wide ? 16 : 8);
}

static unsigned compare_form(struct box *b, unsigned form)
{
	unsigned bad = 0;

	host_stub(form);
	for (unsigned r = 0; r < ROUNDS; r++) {
		struct state start, host, guest;
		uint8_t c[FORM_MAX];

		random_state(&start);
		forget_pointers(form, &start);
		host = guest = start;
		host_run(&host);
		guest_run(b, form, &guest);
		forget_pointers(form, &host);
		forget_pointers(form, &guest);
		if (same_state(&host, &guest))
			continue;
		if (bad++ == 0) {
			form_bytes(form, c);
			printf("%02x %02x differs\n", c[0], c[1]);
			print_state("start", &start);
			print_state("host ", &host);
			print_state("guest", &guest);
		}
	}
	return bad;
}

static void same_results_as_host(void **state)
{
	struct box *b = *state;
	unsigned bad = 0;

	for (unsigned f = 0; f < FORMS; f++) {
		if (form_exists(b, f)) {
			unsigned n = compare_form(b, f);

			if (n)
				printf("form %u: %u\n", f, n);
			bad += n;
		}
	}
	assert_int_equal(bad, 0);
}

/* ---- what only a guest can see */

enum { PROGRAM = 0x8000, PROGRAM_STEP = 0x100 };

/* Place a program of its own, so that none changes code that was run, and go to it. */
static void start_at(struct box *b, unsigned slot, const char *code, size_t len)
{
	uint64_t at = PROGRAM + PROGRAM_STEP * slot;

	memcpy(b->ram + at, code, len);
	b->cpu->rip = at;
	x86_mode_update(b->cpu);
}

#define START(b, slot, code) start_at(b, slot, code, sizeof(code) - 1)

static void pointers_are_recorded(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	/* nop; fld dword ss:[esi+8]; fldz; fnstenv [esi+0x20]; fldenv [esi+0x20] */
	START(b, 0, "\x90\x36\xd9\x46\x08\xd9\xee\xd9\x76\x20\xd9\x66\x20");
	cpu->seg[X86_SS].sel = 0x18;
	box_run(b, 2);
	assert_int_equal(cpu->fip, PROGRAM + 1);
	assert_int_equal(cpu->fcs, 8);
	assert_int_equal(cpu->fdp, DATA + 8);
	assert_int_equal(cpu->fds, 0x18);
	assert_int_equal(cpu->fop, 0x146);
	box_run(b, 1);
	assert_int_equal(cpu->fip, PROGRAM + 5);
	assert_int_equal(cpu->fdp, DATA + 8);
	assert_int_equal(cpu->fop, 0x1ee);
	box_run(b, 1);
	assert_int_equal(load_le32(b->ram + DATA + 0x20 + 12), PROGRAM + 5);
	assert_int_equal(load_le32(b->ram + DATA + 0x20 + 16), 0x01ee0008);
	assert_int_equal(load_le32(b->ram + DATA + 0x20 + 20), DATA + 8);
	assert_int_equal(load_le32(b->ram + DATA + 0x20 + 24), 0xffff0018);
	cpu->fip = cpu->fdp = cpu->fop = cpu->fcs = cpu->fds = 0;
	box_run(b, 1);
	assert_int_equal(cpu->fip, PROGRAM + 5);
	assert_int_equal(cpu->fcs, 8);
	assert_int_equal(cpu->fdp, DATA + 8);
	assert_int_equal(cpu->fds, 0x18);
	assert_int_equal(cpu->fop, 0x1ee);
}

static void real_mode_formats(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	cpu->cr0 &= ~(uint64_t)X86_CR0_PE;
	for (int s = 0; s < 6; s++) {
		cpu->seg[s].attr = s == X86_CS ? 0x9b : 0x93;
		cpu->seg[s].limit = 0xffff;
		cpu->seg[s].sel = s == X86_CS ? 0 : DATA >> 4;
		cpu->seg[s].base = s == X86_CS ? 0 : DATA;
	}
	cpu->gpr[X86_RSI] = 0;
	/* fld dword [si+4]; fnstenv [si+0x20]; o32 fnstenv [si+0x40]; fldenv [si+0x20]; o32 fldenv
	 */
	START(b, 0, "\xd9\x44\x04\xd9\x74\x20\x66\xd9\x74\x40\xd9\x64\x20\x66\xd9\x64\x40");
	box_run(b, 3);
	assert_int_equal(load_le16(b->ram + DATA + 0x20 + 6), PROGRAM);
	assert_int_equal(load_le16(b->ram + DATA + 0x20 + 8), 0x144);
	assert_int_equal(load_le16(b->ram + DATA + 0x20 + 10), 4);
	assert_int_equal(load_le16(b->ram + DATA + 0x20 + 12), DATA >> 16 << 12);
	assert_int_equal(load_le16(b->ram + DATA + 0x40 + 12), PROGRAM);
	assert_int_equal(load_le32(b->ram + DATA + 0x40 + 16), 0x144);
	assert_int_equal(load_le16(b->ram + DATA + 0x40 + 20), 4);
	assert_int_equal(load_le32(b->ram + DATA + 0x40 + 24), DATA >> 16 << 12);
	for (int k = 0; k < 2; k++) {
		cpu->fip = cpu->fdp = cpu->fop = 0;
		cpu->ftag = 0;
		box_run(b, 1);
		assert_int_equal(cpu->fip, PROGRAM);
		assert_int_equal(cpu->fdp, DATA + 4);
		assert_int_equal(cpu->fop, 0x144);
		assert_int_equal(cpu->ftag, 0x80);
	}
}

/* In one block: the exception is raised by the next waiting instruction, whatever lies between. */
static void pending_exception(void **state)
{
	/* fnstsw ax; then fld st0, fwait, or movq mm0,mm1 */
	static const char *const next[] = {"\xdf\xe0\xd9\xc0", "\xdf\xe0\x9b\x90",
					   "\xdf\xe0\x0f\x6f\xc1"};
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	for (unsigned k = 0; k < ARRAY_LEN(next); k++) {
		uint64_t at = PROGRAM + PROGRAM_STEP * k;

		x86_fpu_init(cpu);
		cpu->fcw = 0x37f & ~4;
		x86_mode_update(cpu);
		/* fld1; fldz; fdivp; nop */
		START(b, k, "\xd9\xe8\xd9\xee\xde\xf9\x90");
		memcpy(b->ram + at + 7, next[k], 5);
		box_run(b, 5);
		assert_int_equal(cpu->rip, at + 9);
		assert_int_equal(cpu->gpr[X86_RAX] & 0xffff, 0xb084);
		assert_int_equal(cpu->ftag, 0xc0);
		box_run(b, 1);
		assert_int_equal(cpu->rip, HANDLER + 16 * X86_FAULT_MF);
		assert_int_equal(load_le32(b->ram + cpu->gpr[X86_RSP]), at + 9);
		cpu->rflags &= ~(uint64_t)X86_IF;
	}
}

/* A loop whose blocks were linked while nothing was pending. */
static void pending_exception_in_linked_blocks(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	/* fld1; fldz; fdivp; jmp +0; fstp st0; jmp back */
	START(b, 0, "\xd9\xe8\xd9\xee\xde\xf9\xeb\x00\xdd\xd8\xeb\xf4");
	x86_fpu_init(cpu);
	box_run(b, 60);
	assert_int_equal(cpu->rip, PROGRAM);
	x86_fpu_init(cpu);
	cpu->fcw = 0x37f & ~4;
	x86_mode_update(cpu);
	box_run(b, 5);
	assert_int_equal(cpu->rip, HANDLER + 16 * X86_FAULT_MF);
	assert_int_equal(load_le32(b->ram + cpu->gpr[X86_RSP]), PROGRAM + 8);
}

static void unmasking_raises(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	/* fldcw [esi]; fnclex; fld1; fldcw [esi]; nop; fld1 */
	START(b, 0, "\xd9\x2e\xdb\xe2\xd9\xe8\xd9\x2e\x90\xd9\xe8");
	x86_fpu_init(cpu);
	store_le16(b->ram + DATA, 0x340);
	box_run(b, 3);
	assert_int_equal(cpu->fcw, 0x340);
	cpu->fsw |= 1;
	cpu->fcw = 0x37f;
	x86_mode_update(cpu);
	box_run(b, 2);
	assert_int_equal(cpu->fsw & FSW_PENDING, FSW_PENDING);
	box_run(b, 1);
	assert_int_equal(cpu->rip, HANDLER + 16 * X86_FAULT_MF);
}

/* A memory operand that faults leaves everything as it was, pointers included. */
static void memory_faults_change_nothing(void **state)
{
	static const uint8_t codes[][2] = {
		{0xd9, 0x06}, {0xdd, 0x06}, {0xdb, 0x2e}, {0xdf, 0x26}, {0xd8, 0x06}, {0xd9, 0x1e},
		{0xdd, 0x1e}, {0xdb, 0x3e}, {0xdf, 0x36}, {0xdf, 0x3e}, {0xdd, 0x36}, {0xdd, 0x26},
		{0xd9, 0x36}, {0xd9, 0x26}, {0xd9, 0x2e}, {0xd9, 0x3e}, {0xdd, 0x3e}};
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	for (unsigned k = 0; k < ARRAY_LEN(codes); k++) {
		struct state s;

		random_state(&s);
		memset(&cpu->fip, 0x55, sizeof(cpu->fip));
		set_fpu(cpu, &s);
		START(b, k, "\x90\x90");
		memcpy(b->ram + cpu->rip, codes[k], 2);
		cpu->seg[X86_DS].limit = DATA;
		x86_mode_update(cpu);
		box_run(b, 1);
		assert_int_equal(cpu->rip, HANDLER + 16 * X86_FAULT_GP);
		assert_int_equal(cpu->fcw, s.fcw);
		assert_int_equal(cpu->fsw, s.fsw);
		assert_int_equal(cpu->fip, 0x5555555555555555);
		for (unsigned i = 0; i < 8; i++) {
			assert_int_equal(cpu->fpr[i].mant, s.st[i].mant);
			assert_int_equal(cpu->ftag >> i & 1, (s.tags >> 2 * i & 3) != 3);
		}
	}
}

static void wait_and_task_switched(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	cpu->cr0 |= X86_CR0_TS;
	START(b, 0, "\x9b\x9b"); /* without MP, FWAIT does not look at TS */
	box_run(b, 1);
	assert_int_equal(cpu->rip, PROGRAM + 1);
	cpu->cr0 |= X86_CR0_MP;
	x86_mode_update(cpu);
	box_run(b, 1);
	assert_int_equal(cpu->rip, HANDLER + 16 * X86_FAULT_NM);
	START(b, 1, "\xdf\xe0");
	box_run(b, 1);
	assert_int_equal(cpu->rip, HANDLER + 16 * X86_FAULT_NM);
}

/* ---- loops in which x87 instructions meet others, against the interpreter */

static const char *const others[] = {
	"\x01\xd8",		    /* add eax, ebx */
	"\x11\x5e\x40",		    /* adc [esi+0x40], ebx */
	"\x8b\x5e\x44",		    /* mov ebx, [esi+0x44] */
	"\x7a\x01\x43",		    /* jp over: inc ebx */
	"\x9b\xdf\xe0",		    /* fstsw ax */
	"\xdf\xe0\x9e",		    /* fnstsw ax; sahf */
	"\xd9\x7e\x50",		    /* fnstcw [esi+0x50] */
	"\xd9\x6e\x60",		    /* fldcw [esi+0x60] */
	"\xd9\x6e\x62",		    /* fldcw [esi+0x62] */
	"\x0f\x6f\x4e\x10",	    /* movq mm1, [esi+0x10] */
	"\x0f\xfc\xca",		    /* paddb mm1, mm2 */
	"\x0f\x77",		    /* emms */
	"\x6a\x01\x5a\xf7\x7e\x68", /* push 1; pop edx; idiv dword [esi+0x68]: by the helper */
	"\x60\x0f\xa2\x61",	    /* pusha; cpuid; popa */
	"\xd8\x86\xfe\x0f\x01",	    /* fadd dword [esi+0x10ffe]: across pages */
};

/* Encodings with a memory operand that bring all masks along, or take them away. */
static bool is_image(unsigned form)
{
	unsigned low = form % 72, op = form / 72;

	return low < 8 &&
	       ((op == 1 && low >= 4 && low <= 6) || (op == 5 && (low == 4 || low == 6)));
}

static unsigned random_piece(struct box *b, uint8_t *p)
{
	unsigned f = rnd() % PLAIN_FORMS, len;
	const char *other = others[rnd() % ARRAY_LEN(others)];

	if (rnd() % 4 == 0) {
		len = (unsigned)strlen(other) + (other[0] == '\xd8');
		memcpy(p, other, len);
		return len;
	}
	if (!form_exists(b, f) || is_image(f))
		return 0;
	len = form_bytes(f, p);
	if (p[1] >= 0xc0)
		return len;
	p[1] |= 0x40;
	p[2] = (uint8_t)(rnd() % 4 * 16);
	return 3;
}

/* The pieces again and again, EDI times. */
static void random_program(struct box *b, uint8_t *p)
{
	uint8_t *start = p;

	for (unsigned k = 2 + rnd() % 14; k; k--)
		p += random_piece(b, p);
	memcpy(p, "\x4f\x0f\x85", 3); /* dec edi; jnz start */
	store_le32(p + 3, (uint32_t)(start - p - 7));
	memcpy(p + 7, "\xeb\xfe", 2);
}

static void same_fpu(const struct x86_cpu *x, const struct x86_cpu *y)
{
	assert_int_equal(x->rip, y->rip);
	assert_int_equal(x->fcw, y->fcw);
	assert_int_equal(x->fsw, y->fsw);
	assert_int_equal(x->ftag, y->ftag);
	assert_int_equal(x->fip, y->fip);
	assert_int_equal(x->fdp, y->fdp);
	assert_int_equal(x->fop, y->fop);
	assert_int_equal(x->fcs, y->fcs);
	assert_int_equal(x->fds, y->fds);
	assert_memory_equal(x->fpr, y->fpr, sizeof(x->fpr));
	assert_memory_equal(x->gpr, y->gpr, sizeof(x->gpr));
	assert_int_equal(x86_rflags_read(x), x86_rflags_read(y));
}

static void set_up_loop(struct box *b, const struct state *s, uint64_t at, bool unmasks)
{
	struct x86_cpu *cpu = b->cpu;

	set_fpu(cpu, s);
	cpu->fcw |= 0x3f;
	cpu->rip = at;
	cpu->gpr[X86_RSP] = 0x80000;
	cpu->gpr[X86_RDI] = 1000;
	cpu->gpr[X86_RAX] = cpu->gpr[X86_RBX] = s->data[3];
	x86_rflags_write(cpu, s->flags | 2);
	x86_mode_update(cpu);
	memcpy(b->ram + DATA, s->data, DATA_BYTES);
	store_le16(b->ram + DATA + 0x60, 0x37f | (s->data[0] & 0xc) << 8);
	store_le32(b->ram + DATA + 0x68, 7);
	store_le16(b->ram + DATA + 0x62, unmasks ? 0x35f : 0x27f);
}

static void loops_are_as_interpreted(void **state)
{
	enum { LOOPS = 300, LOOP = 0x10000, LOOP_STEP = 0x100 };
	struct box *b = *state, *ref = x87_box(engine_find("interpret"));

	for (unsigned k = 0; k < LOOPS; k++) {
		uint64_t at = LOOP + LOOP_STEP * k;
		unsigned insns = 1 + rnd() % 600;
		bool unmasks = rnd() % 8 == 0;
		struct state s;

		random_state(&s);
		random_program(b, b->ram + at);
		memcpy(ref->ram + at, b->ram + at, LOOP_STEP);
		set_up_loop(b, &s, at, unmasks);
		set_up_loop(ref, &s, at, unmasks);
		box_run(b, insns);
		box_run(ref, insns);
		same_fpu(b->cpu, ref->cpu);
		assert_memory_equal(b->ram + DATA, ref->ram + DATA, 2 * DATA_BYTES);
	}
	box_destroy(ref);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(same_encodings_as_host), TEST(same_results_as_host),
		TEST(pointers_are_recorded),  TEST(real_mode_formats),
		TEST(pending_exception),      TEST(pending_exception_in_linked_blocks),
		TEST(unmasking_raises),	      TEST(memory_faults_change_nothing),
		TEST(wait_and_task_switched), TEST(loops_are_as_interpreted),
	};

	if (!engine_choice())
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
