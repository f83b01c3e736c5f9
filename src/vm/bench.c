/* The workbench; see bench.h. The platform answers as a machine without an interrupt controller. */
#include "vm/bench.h"

#include <errno.h>
#include <string.h>

#include "isa/x86/decode.h"
#include "isa/x86/mode.h"

static int intr_ack(void *opaque, struct x86_cpu *cpu)
{
	return -1;
}

static uint32_t apic_read(void *opaque, struct x86_cpu *cpu, uint32_t offset)
{
	return 0;
}

static void apic_write(void *opaque, struct x86_cpu *cpu, uint32_t offset, uint32_t value)
{
}

static bool msr_read(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t *value)
{
	return false;
}

static bool msr_write(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t value)
{
	return false;
}

static uint64_t zero(void *opaque, struct x86_cpu *cpu)
{
	return 0;
}

static bool apic_base_set(void *opaque, struct x86_cpu *cpu, uint64_t value)
{
	return false;
}

static unsigned tpr_get(void *opaque, struct x86_cpu *cpu)
{
	return 0;
}

static void tpr_set(void *opaque, struct x86_cpu *cpu, unsigned value)
{
}

static void deadline_set(void *opaque, struct x86_cpu *cpu, uint64_t tsc)
{
}

static const struct x86_platform platform = {
	.intr_ack = intr_ack,
	.apic_read = apic_read,
	.apic_write = apic_write,
	.apic_msr_read = msr_read,
	.apic_msr_write = msr_write,
	.apic_base_get = zero,
	.apic_base_set = apic_base_set,
	.tpr_get = tpr_get,
	.tpr_set = tpr_set,
	.now_ns = zero,
	.tsc_deadline_get = zero,
	.tsc_deadline_set = deadline_set,
	.pv_msr_read = msr_read,
	.pv_msr_write = msr_write,
};

/* One 2 MiB page, mapped onto itself for everyone. */
static void map_identity(struct bench *b)
{
	enum { PRESENT_WRITE_USER = 7, LARGE = 0x80 };

	store_le64(b->ram + BENCH_TABLES, (BENCH_TABLES + 0x1000) | PRESENT_WRITE_USER);
	store_le64(b->ram + BENCH_TABLES + 0x1000, (BENCH_TABLES + 0x2000) | PRESENT_WRITE_USER);
	store_le64(b->ram + BENCH_TABLES + 0x2000, PRESENT_WRITE_USER | LARGE);
}

/* Flat segments for 32- and 64-bit code; 16-bit code has those of reset, at base 0. */
static void set_segments(struct x86_cpu *cpu, unsigned mode)
{
	enum { DATA = X86_SEG_P | X86_SEG_S | X86_SEG_WRITE | X86_SEG_ACCESSED };

	for (unsigned i = 0; i < 6; i++) {
		unsigned code = i == X86_CS ? X86_SEG_CODE : 0, size = 0;

		cpu->seg[i] = (struct x86_seg){.limit = 0xffff, .attr = (uint16_t)(DATA | code)};
		if (mode == 16)
			continue;
		size = mode == 64 && code ? X86_SEG_L : X86_SEG_DB;
		cpu->seg[i].sel = code ? 8 : 16;
		cpu->seg[i].limit = 0xffffffff;
		cpu->seg[i].attr = (uint16_t)(DATA | code | size | X86_SEG_G);
	}
}

static void set_state(struct bench *b, unsigned mode)
{
	struct x86_cpu *cpu = b->cpu;

	x86_cpu_reset(cpu);
	set_segments(cpu, mode);
	cpu->cr0 = X86_CR0_ET | X86_CR0_NE | X86_CR0_MP;
	cpu->cr4 = X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	cpu->idtr.limit = 0; /* nothing handles an exception: it is reported instead */
	if (mode != 16)
		cpu->cr0 |= X86_CR0_PE;
	if (mode == 64) {
		map_identity(b);
		cpu->cr0 |= X86_CR0_PG;
		cpu->cr3 = BENCH_TABLES;
		cpu->cr4 |= X86_CR4_PAE | X86_CR4_FSGSBASE;
		cpu->efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE | X86_EFER_NXE;
	}
	for (unsigned i = 0; i < 16; i++)
		cpu->gpr[i] = 0;
	cpu->gpr[X86_RSP] = BENCH_STACK;
	cpu->rip = BENCH_CODE;
	x86_mode_update(cpu);
}

int bench_create(struct bench *b, unsigned mode, struct error *err)
{
	int r;

	*b = (struct bench){0};
	space_init(&b->space, NULL, NULL, TRACE_MMIO);
	space_init(&b->ports, NULL, NULL, TRACE_PIO);
	r = x86_cpuid_model_parse(&b->model, "max", 1, err);
	if (r)
		return r;
	b->decoder = x86_decoder_create();
	b->cpu = host_ram_map(sizeof(*b->cpu));
	b->ram = host_ram_map(BENCH_RAM);
	if (!b->decoder || !b->cpu || !b->ram)
		return error_set(err, -ENOMEM, "out of memory");
	r = space_map_ram(&b->space, 0, BENCH_RAM, b->ram, false);
	if (r)
		return error_set(err, r, "out of memory");
	b->cpu->space = &b->space;
	b->cpu->ports = &b->ports;
	b->cpu->platform = &platform;
	b->cpu->cpuid = &b->model;
	set_state(b, mode);
	return 0;
}

void bench_destroy(struct bench *b)
{
	space_destroy(&b->space);
	space_destroy(&b->ports);
	if (b->decoder)
		x86_decoder_destroy(b->decoder);
	host_ram_unmap(b->cpu, sizeof(*b->cpu));
	host_ram_unmap(b->ram, BENCH_RAM);
}

int bench_run(struct bench *b, const struct engine *engine, const struct engine_config *how,
	      uint64_t insns, enum engine_exit *exit, struct error *err)
{
	struct engine_config cfg = *how;
	struct engine_group *group = engine_group_create(1);
	struct engine_cpu *e = NULL;
	int r = -ENOMEM;

	cfg.decoder = b->decoder;
	if (group)
		r = engine->cpu_create(&e, group, b->cpu, &cfg, err);
	else
		error_set(err, r, "out of memory");
	if (r == 0) {
		engine_group_add(group, b->cpu);
		engine_group_enter(group, b->cpu);
		*exit = engine->run(e, insns);
		engine_group_leave(group, b->cpu);
		engine->cpu_destroy(e);
	}
	if (group)
		engine_group_destroy(group);
	return r;
}
