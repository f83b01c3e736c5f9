/* The boot CPU's state at a kernel's entry, in protected or 64-bit mode. */
#include <string.h>

#include "isa/x86/mode.h"
#include "machine/x86/boot.h"

/* Flat segments as the protocols ask for them. */
static void flat_segments(struct x86_cpu *cpu, uint16_t cs, uint16_t ds, bool code64)
{
	for (int s = 0; s < 6; s++)
		cpu->seg[s] = (struct x86_seg){.sel = ds, .attr = 0xc093, .limit = ~0u};
	cpu->seg[X86_CS] =
		(struct x86_seg){.sel = cs, .attr = code64 ? 0xa09b : 0xc09b, .limit = ~0u};
	cpu->ldtr = (struct x86_seg){.attr = 0x82, .limit = 0xffff};
	cpu->tr = (struct x86_seg){.attr = 0x8b, .limit = 0xffff};
}

/* A GDT that matches what is loaded: null, null, code, data. */
static void build_gdt(struct machine *m, bool code64)
{
	const uint64_t gdt[4] = {0, 0, code64 ? 0x00af9b000000ffffull : 0x00cf9b000000ffffull,
				 0x00cf93000000ffffull};

	memcpy(m->ram + BOOT_GDT, gdt, sizeof(gdt));
	m->cpus[0].gdtr = (struct x86_table){BOOT_GDT, sizeof(gdt) - 1};
	m->cpus[0].idtr = (struct x86_table){0, 0};
}

/* Identity map of the first 4 GiB in 2 MiB pages. */
static void build_page_tables(struct machine *m)
{
	enum { PRESENT_WRITE = 3, LARGE = 1 << 7 };
	uint8_t *p = m->ram + BOOT_PAGES;

	memset(p, 0, BOOT_PAGES_LEN);
	store_le64(p, (BOOT_PAGES + 0x1000) | PRESENT_WRITE);
	for (unsigned i = 0; i < 4; i++)
		store_le64(p + 0x1000 + 8 * i, (BOOT_PAGES + 0x2000 + 0x1000 * i) | PRESENT_WRITE);
	for (uint64_t i = 0; i < 2048; i++)
		store_le64(p + 0x2000 + 8 * i, i << 21 | PRESENT_WRITE | LARGE);
}

void boot_enter_protected(struct machine *m, uint64_t entry, uint16_t cs, uint16_t ds)
{
	struct x86_cpu *cpu = &m->cpus[0];

	build_gdt(m, false);
	flat_segments(cpu, cs, ds, false);
	cpu->cr0 = X86_CR0_PE | X86_CR0_ET;
	cpu->rip = entry;
	cpu->rflags = 2;
	lapic_virtual_wire(&m->lapic[0]);
	if (m->handover)
		m->handover(m);
	x86_mode_update(cpu);
}

void boot_enter_long(struct machine *m, uint64_t entry, uint16_t cs, uint16_t ds)
{
	struct x86_cpu *cpu = &m->cpus[0];

	boot_enter_protected(m, entry, cs, ds);
	build_gdt(m, true);
	build_page_tables(m);
	flat_segments(cpu, cs, ds, true);
	cpu->cr4 = X86_CR4_PAE;
	cpu->cr3 = BOOT_PAGES;
	cpu->efer = X86_EFER_LME | X86_EFER_LMA;
	cpu->cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_PG;
	x86_mode_update(cpu);
}
