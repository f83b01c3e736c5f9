/*
 * The engine's side: a CPU at CPL 3 under paging as Linux sets it up, with the data and code pages
 * at the linear addresses they have natively. Every exception leads to its own HLT at CPL 0; the
 * frame on the kernel stack gives the state of the program.
 */
#include <string.h>

#include "box.h"
#include "ir/pass.h"
#include "isa/x86/control.h"
#include "isa/x86/lift.h"
#include "isa/x86/mode.h"
#include "isa/x86/segment.h"
#include "isa/x86/xsave.h"
#include "oracle.h"

/* Physical */
enum {
	RAM_BYTES = 1 << 18,
	PML4 = 0x1000,
	PDPT_LOW = 0x2000,
	PD_LOW = 0x3000,
	PT_DATA = 0x4000,
	PT_CODE = 0x5000,
	PDPT_HIGH = 0x6000,
	PD_HIGH = 0x7000,
	PT_HIGH = 0x8000,
	SYSTEM = 0x10000,
	GDT = SYSTEM,
	IDT = SYSTEM + 0x1000,
	TSS = SYSTEM + 0x2000,
	HANDLERS = SYSTEM + 0x3000,
	STACK_TOP = SYSTEM + 0x6000,
	DATA = 0x20000,
	CODE = 0x30000,
};
#define HIGH(phys) (0xffffffff80000000ull + (phys)-SYSTEM)
enum { SEL_KERNEL64 = 0x10, SEL_TSS = 0x40, GDT_BYTES = 0x50, BUDGET = 20000 };
enum { PT_P = 1, PT_W = 2, PT_U = 4 };
#define PT_NX BIT(63)

struct machine {
	struct box *box;
	unsigned runs; /* of each case */
	struct ir_insn *ir;
	char *text;
};

enum { TEXT_BYTES = 1 << 18 };

static void set64(struct machine *m, uint32_t table, unsigned i, uint64_t v)
{
	store_le64(m->box->ram + table + 8 * i, v);
}

static void make_tables(struct machine *m)
{
	const uint64_t user = PT_P | PT_W | PT_U;

	set64(m, PML4, 0, PDPT_LOW | user);
	set64(m, PDPT_LOW, 0, PD_LOW | user);
	set64(m, PD_LOW, DATA_BASE >> 21, PT_DATA | user);
	set64(m, PD_LOW, CODE_BASE >> 21, PT_CODE | user);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		if (i != 5)
			set64(m, PT_DATA, i,
			      (DATA + i * 0x1000) | PT_P | PT_U | (i == 4 ? 0 : PT_W) | PT_NX);
	for (unsigned i = 0; i < CODE_BYTES / 0x1000; i++)
		set64(m, PT_CODE, i, (CODE + i * 0x1000) | PT_P | PT_U);
	set64(m, PML4, 511, PDPT_HIGH | PT_P | PT_W);
	set64(m, PDPT_HIGH, 510, PD_HIGH | PT_P | PT_W);
	set64(m, PD_HIGH, 0, PT_HIGH | PT_P | PT_W);
	for (unsigned i = 0; i < 8; i++)
		set64(m, PT_HIGH, i, (SYSTEM + i * 0x1000) | PT_P | PT_W);
}

static void make_system(struct machine *m)
{
	uint64_t tss = HIGH(TSS);

	set64(m, GDT, SEL_KERNEL64 / 8, 0x00af9b000000ffffull);
	set64(m, GDT, SEL_USER32 / 8, 0x00cffb000000ffffull);
	set64(m, GDT, SEL_USER_DATA / 8, 0x00cff3000000ffffull);
	set64(m, GDT, SEL_USER64 / 8, 0x00affb000000ffffull);
	set64(m, GDT, SEL_TSS / 8,
	      0x67 | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56);
	set64(m, GDT, SEL_TSS / 8 + 1, tss >> 32);
	store_le64(m->box->ram + TSS + 4, HIGH(STACK_TOP));
	store_le16(m->box->ram + TSS + 102, 0x68);
	for (unsigned v = 0; v < 32; v++) {
		uint64_t at = HIGH(HANDLERS) + 16 * v;

		m->box->ram[HANDLERS + 16 * v] = 0xf4;
		set64(m, IDT, 2 * v,
		      (at & 0xffff) | SEL_KERNEL64 << 16 | 0xeeull << 40 |
			      (at >> 16 & 0xffff) << 48);
		set64(m, IDT, 2 * v + 1, at >> 32);
	}
	memset(m->box->ram + CODE, CODE_FILL, CODE_BYTES);
}

static bool enter_long_mode(struct x86_cpu *cpu)
{
	x86_cpu_reset(cpu);
	cpu->efer = X86_EFER_SCE | X86_EFER_LME | X86_EFER_NXE;
	if (!x86_cr4_write(cpu, X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |
					X86_CR4_DE | X86_CR4_MCE | X86_CR4_OSXSAVE) ||
	    !x86_cr3_write(cpu, PML4) ||
	    !x86_cr0_write(cpu, X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP |
					X86_CR0_AM | X86_CR0_PG))
		return false;
	if (native_has_avx())
		cpu->xcr0 = X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX;
	cpu->gdtr = (struct x86_table){HIGH(GDT), GDT_BYTES - 1};
	cpu->idtr = (struct x86_table){HIGH(IDT), 32 * 16 - 1};
	return x86_ltr(cpu, SEL_TSS);
}

/* All that the host can be asked about; sse3 and its kin have the same names there and here. */
static void cpuid_like_host(char *spec, size_t size)
{
	struct host_cpu real = host_cpu_detect();
	const char *name;
	uint32_t bit;

	snprintf(spec, size, "max");
	for (unsigned k = 0; (name = host_cpu_feature_name(k, &bit)); k++) {
		size_t n = strlen(spec);

		if (!host_cpu_has(&real, bit))
			snprintf(spec + n, size - n, ",-%s", name);
	}
	if (strcmp(spec, "max") != 0)
		printf("as the host: %s\n", spec);
}

struct machine *machine_create(const struct engine *how, const struct engine_config *with)
{
	struct machine *m = host_alloc(sizeof(*m));
	char cpuid[256];

	/* Traces are made by having the interpreter carry out what is hot: code is run after that.
	 */
	m->runs = strcmp(how->name, "interpret") == 0 ? 1 : 2;
	m->ir = host_alloc(IR_BLOCK_MAX * sizeof(*m->ir));
	m->text = host_alloc(TEXT_BYTES);
	cpuid_like_host(cpuid, sizeof(cpuid));
	m->box = box_create(RAM_BYTES, cpuid, how, with);
	if (!m->box)
		return NULL;
	make_tables(m);
	make_system(m);
	if (!enter_long_mode(m->box->cpu))
		return NULL;
	return m;
}

void machine_destroy(struct machine *m)
{
	box_destroy(m->box);
	host_free(m->ir);
	host_free(m->text);
	host_free(m);
}

const struct x86_decoder *machine_decoder(const struct machine *m)
{
	return m->box->decoder;
}

const struct x86_cpuid_model *machine_model(const struct machine *m)
{
	return &m->box->model;
}

static void load_segments(struct x86_cpu *cpu, bool code64, bool code16)
{
	for (unsigned s = 0; s < 6; s++)
		cpu->seg[s] =
			(struct x86_seg){.sel = SEL_USER_DATA, .attr = 0xc0f3, .limit = 0xffffffff};
	cpu->seg[X86_CS].sel = code64 ? SEL_USER64 : SEL_USER32;
	cpu->seg[X86_CS].attr = code64 ? 0xa0fb : 0xc0fb;
	for (unsigned s = 0; code16 && s < X86_FS; s++)
		cpu->seg[s] = (struct x86_seg){
			.sel = SEL_DATA16, .attr = 0x00f3, .limit = 0xffff, .base = DATA_BASE};
	if (code16)
		cpu->seg[X86_CS] = (struct x86_seg){
			.sel = SEL_CODE16, .attr = 0x00fb, .limit = 0xffff, .base = CODE_BASE};
	for (unsigned s = X86_FS; s <= X86_GS; s++)
		cpu->seg[s] = (struct x86_seg){.sel = 0};
	if (code64)
		cpu->seg[X86_GS].base = GS_BASE;
}

static void load_case(struct x86_cpu *cpu, const struct oracle_case *c)
{
	const struct oracle_state *s = &c->start;

	memcpy(cpu->gpr, s->gpr, sizeof(cpu->gpr));
	cpu->rip = case_pc(c);
	x86_rflags_write(cpu, s->rflags);
	cpu->fcw = s->fcw;
	cpu->fsw = s->fsw;
	cpu->ftag = s->ftag;
	cpu->fop = s->fop;
	cpu->fip = s->fip;
	cpu->fdp = s->fdp;
	cpu->fcs = cpu->fds = 0;
	cpu->mxcsr = s->mxcsr;
	for (unsigned i = 0; i < 8; i++) {
		struct x86_fpr *f = &cpu->fpr[(i + (s->fsw >> 11)) & 7];

		f->mant = s->st[i].mant;
		f->sexp = s->st[i].sexp;
	}
	memcpy(cpu->vec, s->vec, sizeof(cpu->vec));
	load_segments(cpu, c->code64, c->code16);
	cpu->cr2 = 0;
	cpu->activity = X86_RUNNING;
	cpu->interrupt_shadow = 0;
	cpu->pending_db = 0;
	cpu->exit_code = 0;
	cpu->fault.vector = -1;
	cpu->dr[6] = 0xffff0ff0;
	x86_mode_update(cpu);
}

static void save_fpu(const struct x86_cpu *cpu, struct oracle_state *s)
{
	s->fcw = cpu->fcw;
	s->fsw = cpu->fsw;
	s->ftag = cpu->ftag;
	s->fop = cpu->fop;
	s->fip = cpu->fip;
	s->fdp = cpu->fdp;
	s->mxcsr = cpu->mxcsr;
	for (unsigned i = 0; i < 8; i++) {
		const struct x86_fpr *f = &cpu->fpr[(i + (cpu->fsw >> 11)) & 7];

		s->st[i].mant = f->mant;
		s->st[i].sexp = f->sexp;
	}
	memcpy(s->vec, cpu->vec, sizeof(s->vec));
}

/* From the frame of the exception that stopped the program. */
static void save_case(struct machine *m, enum engine_exit why, struct oracle_state *s)
{
	const struct x86_cpu *cpu = m->box->cpu;
	const uint8_t *frame = m->box->ram + STACK_TOP - 40;
	uint64_t vector = (cpu->rip - HIGH(HANDLERS)) / 16;

	memset(s, 0, sizeof(*s));
	save_fpu(cpu, s);
	memcpy(s->gpr, cpu->gpr, sizeof(s->gpr));
	s->rip = cpu->rip;
	s->rflags = x86_rflags_read(cpu);
	if (why != ENGINE_EXIT_HALT || vector >= 32) {
		s->vector = why == ENGINE_EXIT_BUDGET ? END_ENDLESS : 1000 + (int)why;
		return;
	}
	s->vector = (int)vector;
	s->rip = load_le64(frame);
	s->rflags = load_le64(frame + 16);
	s->gpr[X86_RSP] = load_le64(frame + 24);
	if (cpu->gpr[X86_RSP] == HIGH(STACK_TOP) - 48)
		s->error = (uint32_t)load_le64(frame - 8);
	s->cr2 = cpu->cr2;
}

void machine_run(struct machine *m, const struct oracle_case *c, const uint8_t data[DATA_BYTES],
		 struct outcome *out)
{
	uint32_t at = CODE + (c->code_at - CODE_BASE);
	enum engine_exit why;

	box_put(m->box, at, c->bytes, c->len);
	for (unsigned i = 0; i < m->runs; i++) {
		memcpy(m->box->ram + DATA, data, DATA_BYTES);
		load_case(m->box->cpu, c);
		why = box_run(m->box, BUDGET);
		save_case(m, why, &out->end);
	}
	memcpy(out->data, m->box->ram + DATA, DATA_BYTES);
	memset(m->box->ram + at, CODE_FILL, c->len);
	space_code_written(&m->box->space, at, c->len);
}

void machine_print_ir(struct machine *m, const struct oracle_case *c, uint64_t disabled, FILE *f)
{
	struct ir_block b;

	load_case(m->box->cpu, c);
	ir_block_init(&b, &x86_isa, m->ir, IR_BLOCK_MAX);
	if (x86_lift_block(m->box->decoder, c->bytes, c->len, m->box->cpu->mode, &m->box->model,
			   CASE_INSNS_MAX, &b) != X86_DECODE_OK)
		return;
	ir_print(&b, m->text, TEXT_BYTES);
	fprintf(f, "lifted:\n%s", m->text);
	ir_optimize(&b, disabled);
	ir_print(&b, m->text, TEXT_BYTES);
	fprintf(f, "optimized:\n%s", m->text);
}
