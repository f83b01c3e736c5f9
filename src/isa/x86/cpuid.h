/* What the guest CPU advertises, and the model specific registers behind it. SDM vol. 2, CPUID. */
#ifndef ISA_X86_CPUID_H
#define ISA_X86_CPUID_H

#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct x86_cpu;

/* Features that gate instructions and advertised bits. One row each in cpuid.c: name as in
 * /proc/cpuinfo, leaf, subleaf, register, bit. Order is free; code uses names only. */
enum x86_feat {
	X86_FEAT_BASE, /* always there */
	X86_FEAT_FPU, X86_FEAT_TSC, X86_FEAT_MSR, X86_FEAT_CX8, X86_FEAT_SEP, X86_FEAT_CMOV,
	X86_FEAT_CLFLUSH, X86_FEAT_MMX, X86_FEAT_FXSR, X86_FEAT_SSE, X86_FEAT_SSE2, X86_FEAT_SSE3,
	X86_FEAT_PCLMUL, X86_FEAT_SSSE3, X86_FEAT_CX16, X86_FEAT_SSE41, X86_FEAT_SSE42,
	X86_FEAT_MOVBE, X86_FEAT_POPCNT, X86_FEAT_AES, X86_FEAT_XSAVE, X86_FEAT_RDRAND,
	X86_FEAT_FSGSBASE, X86_FEAT_SMEP, X86_FEAT_INVPCID, X86_FEAT_RDSEED, X86_FEAT_SMAP,
	X86_FEAT_CLFLUSHOPT, X86_FEAT_CLWB, X86_FEAT_SHA, X86_FEAT_UMIP, X86_FEAT_RDPID,
	X86_FEAT_XSAVEOPT, X86_FEAT_XSAVEC, X86_FEAT_LAHF, X86_FEAT_SYSCALL, X86_FEAT_NX,
	X86_FEAT_PDPE1GB, X86_FEAT_RDTSCP, X86_FEAT_LM, X86_FEAT_PSE, X86_FEAT_PAE, X86_FEAT_PGE,
	X86_FEAT_PCID, X86_FEAT_TSC_DEADLINE, X86_FEAT_X2APIC, X86_FEAT_ADX, X86_FEAT_DE,
	X86_FEAT_VME, X86_FEAT_PAT, X86_FEAT_PSE36, X86_FEAT_MTRR, X86_FEAT_MCE, X86_FEAT_MCA,
	X86_FEAT_APIC, X86_FEAT_ERMS, X86_FEAT_FSRM, X86_FEAT_CONSTANT_TSC, X86_FEAT_PREFETCHW,
	X86_FEAT_TSC_ADJUST, X86_FEAT_ARCH_CAPABILITIES, X86_FEAT_ARAT, X86_FEAT_HYPERVISOR,
	X86_FEAT_BMI1, X86_FEAT_BMI2, X86_FEAT_LZCNT, X86_FEAT_AVX, X86_FEAT_AVX2,
	X86_FEAT_FMA, X86_FEAT_F16C,
	X86_FEAT_COUNT
};

/* Built once per machine from a model name and feature changes; shared by its CPUs, then const. */
struct x86_cpuid_model {
	uint64_t features[2]; /* bit per enum x86_feat */
	char name[32];
	unsigned cpus; /* in the machine, for topology leaves */
	uint32_t signature; /* family, model, stepping: leaf 1 EAX, and EDX after reset */
	uint32_t max_leaf, max_ext_leaf; /* max_ext_leaf 0: no extended leaves */
};

enum x86_cpuid_reg { X86_CPUID_EAX, X86_CPUID_EBX, X86_CPUID_ECX, X86_CPUID_EDX };

/* One row per feature, indexed by enum x86_feat: where CPUID says it, and what it needs. */
struct x86_feat_row {
	const char *name;
	uint32_t leaf, subleaf;
	uint8_t reg, bit;
	uint8_t needs[3]; /* enum x86_feat; X86_FEAT_BASE = nothing */
};
extern const struct x86_feat_row x86_feat_rows[X86_FEAT_COUNT];

static inline bool x86_has(const struct x86_cpuid_model *m, enum x86_feat f)
{
	return m->features[f / 64] >> (f % 64) & 1;
}

/* spec: MODEL[,+feat][,-feat]...; models: "max" (all that works; the default), "x86-64-v3",
 * "x86-64-v2", "x86-64", "pentium-pro", "486"... 0, or -EINVAL with the nearest match in the message. */
int x86_cpuid_model_parse(struct x86_cpuid_model *m, const char *spec, unsigned cpus,
			  struct error *err);

/* Names of the models, most capable first; NULL past the last. */
const char *x86_cpuid_model_name(unsigned k);

/* The CPUID instruction: reads EAX, ECX; writes EAX..EDX. */
void x86_cpuid(struct x86_cpu *cpu);

/* What CPUID answers for a leaf, EAX..EDX, with this CPU's dynamic bits. Cannot fail. */
void x86_cpuid_leaf(const struct x86_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* The time-stamp counter: virtual nanoseconds plus this CPU's offset. */
uint64_t x86_rdtsc(struct x86_cpu *cpu);

/* RDMSR/WRMSR of ECX; false with #GP recorded. Privilege is checked by the caller. */
bool x86_msr_read(struct x86_cpu *cpu, uint32_t msr, uint64_t *value);
bool x86_msr_write(struct x86_cpu *cpu, uint32_t msr, uint64_t value);

/* Size of the XSAVE area for the feature bits in mask; standard or compacted. */
unsigned x86_xsave_bytes(uint64_t mask, bool compacted);

#endif
