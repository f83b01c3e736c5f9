/*
 * The CPUID instruction (SDM vol. 2, CPUID) and the KVM leaves at 0x40000000 by which guests find
 * the paravirtual clock. Feature bits come from x86_feat_rows; what is here is everything else.
 *
 * Left out on purpose: MONITOR (leaf 5), performance counters (0xa is all zero), SGX, RDT, hybrid.
 */
#include "isa/x86/cpuid.h"

#include <string.h>

#include "isa/x86/cpu.h"
#include "isa/x86/xsave.h"

enum { A = X86_CPUID_EAX, B = X86_CPUID_EBX, C = X86_CPUID_ECX, D = X86_CPUID_EDX };

static const char vendor[] = "GenuineIntel";
static const char brand[48] = "Doppel virtual CPU";

static void feature_bits(const struct x86_cpuid_model *m, uint32_t leaf, uint32_t sub,
			 uint32_t out[4])
{
	for (unsigned f = 1; f < X86_FEAT_COUNT; f++) {
		const struct x86_feat_row *r = &x86_feat_rows[f];
		if (r->leaf == leaf && r->subleaf == sub && x86_has(m, f))
			out[r->reg] |= 1u << r->bit;
	}
}

/* Bits of an APIC id that number the cores of the one package. */
static unsigned core_bits(const struct x86_cpuid_model *m)
{
	unsigned n = 0;

	while ((1u << n) < m->cpus && n < 31)
		n++;
	return n;
}

static void leaf_vendor(const struct x86_cpuid_model *m, uint32_t out[4])
{
	out[A] = m->max_leaf;
	memcpy(&out[B], vendor, 4);
	memcpy(&out[D], vendor + 4, 4);
	memcpy(&out[C], vendor + 8, 4);
}

static void leaf_version(const struct x86_cpu *cpu, uint32_t out[4])
{
	const struct x86_cpuid_model *m = cpu->cpuid;
	const struct x86_platform *p = cpu->platform;

	out[A] = m->signature;
	out[B] = (cpu->apic_id & 0xff) << 24;
	if (x86_has(m, X86_FEAT_CLFLUSH))
		out[B] |= 64 / 8 << 8;
	if (x86_has(m, X86_FEAT_APIC))
		out[B] |= (m->cpus < 255 ? m->cpus : 255) << 16;
	if (m->cpus > 1 && x86_has(m, X86_FEAT_APIC))
		out[D] |= 1u << 28; /* HTT: EBX 23-16 counts */
	if (cpu->cr4 & X86_CR4_OSXSAVE)
		out[C] |= 1u << 27;
	if (p && p->apic_base_get &&
	    !(p->apic_base_get(p->opaque, (struct x86_cpu *)cpu) & BIT(11)))
		out[D] &= ~(1u << 9);
}

/* Caches as a guest's string routines should see them; only sizes matter. */
static void leaf_caches(const struct x86_cpuid_model *m, uint32_t sub, uint32_t out[4])
{
	static const struct {
		uint8_t type, level;
		uint16_t ways;
		uint32_t sets;
		bool shared;
	} rows[] = {
		{1, 1, 8, 64, false},	 /* 32 KiB data */
		{2, 1, 8, 64, false},	 /* 32 KiB instructions */
		{3, 2, 16, 1024, false}, /* 1 MiB */
		{3, 3, 16, 16384, true}, /* 16 MiB */
	};
	uint32_t cores = (1u << core_bits(m)) - 1;

	if (sub >= ARRAY_LEN(rows))
		return;
	out[A] = rows[sub].type | (uint32_t)rows[sub].level << 5 | 1u << 8 | (cores & 63) << 26;
	if (rows[sub].shared)
		out[A] |= (cores & 0xfff) << 14;
	out[B] = 63 | (uint32_t)(rows[sub].ways - 1) << 22;
	out[C] = rows[sub].sets - 1;
}

static void leaf_topology(const struct x86_cpu *cpu, uint32_t sub, uint32_t out[4])
{
	out[C] = sub & 0xff;
	out[D] = cpu->apic_id;
	if (sub == 0) { /* threads: one per core */
		out[B] = 1;
		out[C] |= 1 << 8;
	} else if (sub == 1) { /* cores of the package */
		out[A] = core_bits(cpu->cpuid);
		out[B] = cpu->cpuid->cpus;
		out[C] |= 2 << 8;
	}
}

unsigned x86_xsave_bytes(uint64_t mask, bool compacted)
{
	/* x87, SSE and the header are always there; AVX follows in both formats. */
	return 512 + 64 + (mask & 4 ? 256 : 0);
}

static void leaf_xsave(const struct x86_cpu *cpu, uint32_t sub, uint32_t out[4])
{
	if (!x86_has(cpu->cpuid, X86_FEAT_XSAVE)) {
		memset(out, 0, 4 * sizeof(out[0]));
	} else if (sub == 0) {
		out[A] = (uint32_t)x86_xcr0_supported(cpu);
		out[B] = x86_xsave_bytes(cpu->xcr0, false);
		out[C] = x86_xsave_bytes(x86_xcr0_supported(cpu), false);
	} else if (sub == 1) {
		out[B] = x86_xsave_bytes(cpu->xcr0, true);
	} else if (sub == 2 && (x86_xcr0_supported(cpu) & X86_XCR0_AVX)) {
		out[A] = 256; /* upper halves: bytes and, in the standard form, offset */
		out[B] = 512 + 64;
	}
}

static void leaf_basic(const struct x86_cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	switch (leaf) {
	case 0:
		leaf_vendor(cpu->cpuid, out);
		break;
	case 1:
		leaf_version(cpu, out);
		break;
	case 2: /* see leaf 4 */
		out[A] = 0x00feff01;
		break;
	case 4:
		leaf_caches(cpu->cpuid, sub, out);
		break;
	case 0xb:
		leaf_topology(cpu, sub, out);
		break;
	case 0xd:
		leaf_xsave(cpu, sub, out);
		break;
	case 0x15: /* TSC = crystal * EBX / EAX */
		out[A] = X86_TSC_HZ / X86_APIC_BUS_HZ;
		out[B] = 1;
		out[C] = X86_APIC_BUS_HZ;
		break;
	case 0x16: /* MHz: base, maximum, bus */
		out[A] = out[B] = X86_TSC_HZ / 1000000;
		out[C] = 100;
		break;
	default:
		break;
	}
}

static void leaf_kvm(uint32_t leaf, uint32_t out[4])
{
	switch (leaf) {
	case 0x40000000:
		out[A] = 0x40000010;
		memcpy(&out[B], "KVMK", 4);
		memcpy(&out[C], "VMKV", 4);
		memcpy(&out[D], "M\0\0\0", 4);
		break;
	case 0x40000001: /* CLOCKSOURCE, NOP_IO_DELAY, CLOCKSOURCE2, CLOCKSOURCE_STABLE */
		out[A] = 1u << 0 | 1u << 1 | 1u << 3 | 1u << 24;
		break;
	case 0x40000010:
		out[A] = X86_TSC_HZ / 1000;
		out[B] = X86_APIC_BUS_HZ / 1000;
		break;
	default:
		break;
	}
}

static void leaf_extended(const struct x86_cpu *cpu, uint32_t leaf, uint32_t out[4])
{
	switch (leaf) {
	case 0x80000000:
		out[A] = cpu->cpuid->max_ext_leaf;
		break;
	case 0x80000002:
	case 0x80000003:
	case 0x80000004:
		memcpy(out, brand + (leaf - 0x80000002) * 16, 16);
		break;
	case 0x80000006: /* L2: 1 MiB, 16-way, 64-byte lines */
		out[C] = 1024u << 16 | 8 << 12 | 64;
		break;
	case 0x80000008:
		out[A] = X86_PHYS_BITS | (x86_has(cpu->cpuid, X86_FEAT_LM) ? 48 : 32) << 8;
		break;
	default:
		break;
	}
}

void x86_cpuid_leaf(const struct x86_cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	const struct x86_cpuid_model *m = cpu->cpuid;
	uint32_t max_ext = m->max_ext_leaf;

	memset(out, 0, 4 * sizeof(out[0]));
	if (leaf >> 16 == 0x4000 && x86_has(m, X86_FEAT_HYPERVISOR)) {
		leaf_kvm(leaf, out);
		return;
	}
	/* Beyond either range: the highest basic leaf, as Intel's do. */
	if (leaf > m->max_leaf && !(max_ext && leaf >= 0x80000000 && leaf <= max_ext))
		leaf = m->max_leaf;
	/* Subleaves with features exist in leaves 7 and 0xd only; the others ignore ECX. */
	feature_bits(m, leaf, leaf == 7 || leaf == 0xd ? sub : 0, out);
	if (leaf >= 0x80000000)
		leaf_extended(cpu, leaf, out);
	else
		leaf_basic(cpu, leaf, sub, out);
}

void x86_cpuid(struct x86_cpu *cpu)
{
	uint32_t leaf = (uint32_t)cpu->gpr[X86_RAX], sub = (uint32_t)cpu->gpr[X86_RCX], out[4];

	cpu->counter[COUNTER_CPUIDS]++;
	x86_cpuid_leaf(cpu, leaf, sub, out);
	TRACE(cpu->trace, TRACE_CPUID, "cpu %u: %#x/%u = %08x %08x %08x %08x", cpu->index, leaf,
	      sub, out[A], out[B], out[C], out[D]);
	cpu->gpr[X86_RAX] = out[A];
	cpu->gpr[X86_RBX] = out[B];
	cpu->gpr[X86_RCX] = out[C];
	cpu->gpr[X86_RDX] = out[D];
}
