/* A tiny machine for tests; see box.h. */
#include "box.h"

#include <string.h>

static uint64_t now(void *opaque, struct x86_cpu *cpu)
{
	return x86_insns_now(cpu);
}

static int intr_ack(void *opaque, struct x86_cpu *cpu)
{
	struct box *b = opaque;

	__atomic_fetch_and((uint32_t *)&cpu->request, ~(uint32_t)X86_REQ_INTR, __ATOMIC_SEQ_CST);
	b->acked_rip = cpu->rip;
	return b->vector;
}

static uint64_t port_read(void *opaque, uint64_t off, unsigned bytes)
{
	return 0xa0 + off;
}

static void port_write(void *opaque, uint64_t off, uint64_t v, unsigned bytes)
{
	struct box *b = opaque;

	b->port_value = v;
}

static void make_spaces(struct box *b, size_t ram_bytes)
{
	static const struct io_ops ops = {port_read, port_write, 1};

	b->ram = host_ram_map(ram_bytes);
	b->ram_bytes = ram_bytes;
	space_init(&b->space, NULL, NULL, TRACE_MMIO);
	space_init(&b->ports, NULL, NULL, TRACE_PIO);
	space_map_ram(&b->space, 0, ram_bytes, b->ram, false);
	space_map_io(&b->ports, "test", 0x80, 4, &ops, b);
}

static void make_cpu(struct box *b, const char *cpuid)
{
	b->platform = (struct x86_platform){.opaque = b, .intr_ack = intr_ack, .now_ns = now};
	x86_cpuid_model_parse(&b->model, cpuid, 1, NULL);
	b->cpu = host_alloc(align_up(sizeof(*b->cpu), 64));
	b->cpu->space = &b->space;
	b->cpu->ports = &b->ports;
	b->cpu->cpuid = &b->model;
	b->cpu->platform = &b->platform;
	b->cpu->apic_page = ~0ull;
	x86_cpu_reset(b->cpu);
}

static bool make_engine(struct box *b, const struct engine *how, const struct engine_config *with)
{
	struct engine_config cfg = {.hot_threshold = 1};

	if (with)
		cfg = *with;
	cfg.decoder = b->decoder;
	if (how->cpu_create(&b->engine, b->group, b->cpu, &cfg, NULL) != 0)
		return false;
	b->how = how;
	engine_group_add(b->group, b->cpu);
	return true;
}

struct box *box_create(size_t ram_bytes, const char *cpuid, const struct engine *how,
		       const struct engine_config *with)
{
	struct box *b = host_alloc(sizeof(*b));

	b->vector = -1;
	make_spaces(b, ram_bytes);
	make_cpu(b, cpuid);
	b->decoder = x86_decoder_create();
	b->group = engine_group_create(1);
	if (how && !make_engine(b, how, with)) {
		box_destroy(b);
		return NULL;
	}
	return b;
}

void box_destroy(struct box *b)
{
	if (b->how)
		b->how->cpu_destroy(b->engine);
	engine_group_destroy(b->group);
	x86_decoder_destroy(b->decoder);
	space_destroy(&b->space);
	space_destroy(&b->ports);
	host_ram_unmap(b->ram, b->ram_bytes);
	host_free(b->cpu);
	host_free(b);
}

void box_enter_flat(struct box *b, uint64_t rip, uint64_t rsp)
{
	struct x86_cpu *cpu = b->cpu;

	cpu->cr0 |= X86_CR0_PE;
	for (int s = 0; s < 6; s++)
		cpu->seg[s] = (struct x86_seg){.sel = s == X86_CS ? 8 : 16,
					       .attr = s == X86_CS ? 0xc09b : 0xc093,
					       .limit = ~0u};
	cpu->rip = rip;
	cpu->gpr[X86_RSP] = rsp;
	x86_mode_update(cpu);
}

void box_put(struct box *b, uint64_t gpa, const void *bytes, size_t len)
{
	memcpy(b->ram + gpa, bytes, len);
	space_code_written(&b->space, gpa, len);
}

enum engine_exit box_run(struct box *b, uint64_t insns)
{
	return b->how->run(b->engine, insns);
}
