/*
 * CPU models and features: which names exist, where CPUID shows them, what each needs, and parsing
 * "MODEL,+feature,-feature". Adding a feature adds what it needs; removing one removes what needs
 * it.
 *
 * The 64-bit models call themselves family 6 model 0x36, an in-order CPU: guests then neither apply
 * model quirks nor defend against speculation that no software engine performs on their behalf.
 */
#include "isa/x86/cpuid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"

enum { A = X86_CPUID_EAX, B = X86_CPUID_EBX, C = X86_CPUID_ECX, D = X86_CPUID_EDX };

/* clang-format off */
const struct x86_feat_row x86_feat_rows[X86_FEAT_COUNT] = {
	/*                      name            leaf  sub reg bit  needs */
	[X86_FEAT_BASE] =      {"base",         0, 0, A, 0, {0}},
	[X86_FEAT_FPU] =       {"fpu",          1, 0, D, 0, {0}},
	[X86_FEAT_VME] =       {"vme",          1, 0, D, 1, {0}},
	[X86_FEAT_DE] =        {"de",           1, 0, D, 2, {0}},
	[X86_FEAT_PSE] =       {"pse",          1, 0, D, 3, {0}},
	[X86_FEAT_TSC] =       {"tsc",          1, 0, D, 4, {0}},
	[X86_FEAT_MSR] =       {"msr",          1, 0, D, 5, {0}},
	[X86_FEAT_PAE] =       {"pae",          1, 0, D, 6, {0}},
	[X86_FEAT_MCE] =       {"mce",          1, 0, D, 7, {0}},
	[X86_FEAT_CX8] =       {"cx8",          1, 0, D, 8, {0}},
	[X86_FEAT_APIC] =      {"apic",         1, 0, D, 9, {X86_FEAT_MSR}},
	[X86_FEAT_SEP] =       {"sep",          1, 0, D, 11, {X86_FEAT_MSR}},
	[X86_FEAT_MTRR] =      {"mtrr",         1, 0, D, 12, {X86_FEAT_MSR}},
	[X86_FEAT_PGE] =       {"pge",          1, 0, D, 13, {0}},
	[X86_FEAT_MCA] =       {"mca",          1, 0, D, 14, {X86_FEAT_MCE, X86_FEAT_MSR}},
	[X86_FEAT_CMOV] =      {"cmov",         1, 0, D, 15, {0}},
	[X86_FEAT_PAT] =       {"pat",          1, 0, D, 16, {X86_FEAT_MSR}},
	[X86_FEAT_PSE36] =     {"pse36",        1, 0, D, 17, {X86_FEAT_PSE}},
	[X86_FEAT_CLFLUSH] =   {"clflush",      1, 0, D, 19, {0}},
	[X86_FEAT_MMX] =       {"mmx",          1, 0, D, 23, {X86_FEAT_FPU}},
	[X86_FEAT_FXSR] =      {"fxsr",         1, 0, D, 24, {X86_FEAT_FPU}},
	[X86_FEAT_SSE] =       {"sse",          1, 0, D, 25, {X86_FEAT_FXSR, X86_FEAT_MMX}},
	[X86_FEAT_SSE2] =      {"sse2",         1, 0, D, 26, {X86_FEAT_SSE}},
	[X86_FEAT_SSE3] =      {"pni",          1, 0, C, 0, {X86_FEAT_SSE2}},
	[X86_FEAT_PCLMUL] =    {"pclmulqdq",    1, 0, C, 1, {X86_FEAT_SSE2}},
	[X86_FEAT_SSSE3] =     {"ssse3",        1, 0, C, 9, {X86_FEAT_SSE3}},
	[X86_FEAT_FMA] =       {"fma",          1, 0, C, 12, {X86_FEAT_AVX}},
	[X86_FEAT_CX16] =      {"cx16",         1, 0, C, 13, {X86_FEAT_CX8}},
	[X86_FEAT_PCID] =      {"pcid",         1, 0, C, 17, {X86_FEAT_LM}},
	[X86_FEAT_SSE41] =     {"sse4_1",       1, 0, C, 19, {X86_FEAT_SSSE3}},
	[X86_FEAT_SSE42] =     {"sse4_2",       1, 0, C, 20, {X86_FEAT_SSE41}},
	[X86_FEAT_X2APIC] =    {"x2apic",       1, 0, C, 21, {X86_FEAT_APIC}},
	[X86_FEAT_MOVBE] =     {"movbe",        1, 0, C, 22, {0}},
	[X86_FEAT_POPCNT] =    {"popcnt",       1, 0, C, 23, {0}},
	[X86_FEAT_TSC_DEADLINE] = {"tsc_deadline_timer", 1, 0, C, 24, {X86_FEAT_APIC, X86_FEAT_TSC}},
	[X86_FEAT_AES] =       {"aes",          1, 0, C, 25, {X86_FEAT_SSE2}},
	[X86_FEAT_XSAVE] =     {"xsave",        1, 0, C, 26, {X86_FEAT_FXSR}},
	[X86_FEAT_AVX] =       {"avx",          1, 0, C, 28, {X86_FEAT_SSE42, X86_FEAT_XSAVE}},
	[X86_FEAT_F16C] =      {"f16c",         1, 0, C, 29, {X86_FEAT_AVX}},
	[X86_FEAT_RDRAND] =    {"rdrand",       1, 0, C, 30, {0}},
	[X86_FEAT_HYPERVISOR] = {"hypervisor",  1, 0, C, 31, {0}},
	[X86_FEAT_ARAT] =      {"arat",         6, 0, A, 2, {X86_FEAT_APIC}},
	[X86_FEAT_FSGSBASE] =  {"fsgsbase",     7, 0, B, 0, {X86_FEAT_LM}},
	[X86_FEAT_TSC_ADJUST] = {"tsc_adjust",  7, 0, B, 1, {X86_FEAT_TSC, X86_FEAT_MSR}},
	[X86_FEAT_AVX2] =      {"avx2",         7, 0, B, 5, {X86_FEAT_AVX}},
	[X86_FEAT_BMI1] =      {"bmi1",         7, 0, B, 3, {0}},
	[X86_FEAT_SMEP] =      {"smep",         7, 0, B, 7, {0}},
	[X86_FEAT_BMI2] =      {"bmi2",         7, 0, B, 8, {0}},
	[X86_FEAT_ERMS] =      {"erms",         7, 0, B, 9, {0}},
	[X86_FEAT_INVPCID] =   {"invpcid",      7, 0, B, 10, {0}},
	[X86_FEAT_RDSEED] =    {"rdseed",       7, 0, B, 18, {0}},
	[X86_FEAT_ADX] =       {"adx",          7, 0, B, 19, {0}},
	[X86_FEAT_SMAP] =      {"smap",         7, 0, B, 20, {0}},
	[X86_FEAT_CLFLUSHOPT] = {"clflushopt",  7, 0, B, 23, {X86_FEAT_CLFLUSH}},
	[X86_FEAT_CLWB] =      {"clwb",         7, 0, B, 24, {X86_FEAT_CLFLUSH}},
	[X86_FEAT_SHA] =       {"sha_ni",       7, 0, B, 29, {X86_FEAT_SSE2}},
	[X86_FEAT_UMIP] =      {"umip",         7, 0, C, 2, {0}},
	[X86_FEAT_RDPID] =     {"rdpid",        7, 0, C, 22, {X86_FEAT_MSR}},
	[X86_FEAT_FSRM] =      {"fsrm",         7, 0, D, 4, {X86_FEAT_ERMS}},
	[X86_FEAT_ARCH_CAPABILITIES] = {"arch_capabilities", 7, 0, D, 29, {X86_FEAT_MSR}},
	[X86_FEAT_XSAVEOPT] =  {"xsaveopt",     0xd, 1, A, 0, {X86_FEAT_XSAVE}},
	[X86_FEAT_XSAVEC] =    {"xsavec",       0xd, 1, A, 1, {X86_FEAT_XSAVE}},
	[X86_FEAT_LAHF] =      {"lahf_lm",      0x80000001, 0, C, 0, {X86_FEAT_LM}},
	[X86_FEAT_LZCNT] =     {"abm",          0x80000001, 0, C, 5, {0}},
	[X86_FEAT_PREFETCHW] = {"3dnowprefetch", 0x80000001, 0, C, 8, {0}},
	[X86_FEAT_SYSCALL] =   {"syscall",      0x80000001, 0, D, 11, {X86_FEAT_MSR}},
	[X86_FEAT_NX] =        {"nx",           0x80000001, 0, D, 20, {X86_FEAT_PAE, X86_FEAT_MSR}},
	[X86_FEAT_PDPE1GB] =   {"pdpe1gb",      0x80000001, 0, D, 26, {X86_FEAT_LM}},
	[X86_FEAT_RDTSCP] =    {"rdtscp",       0x80000001, 0, D, 27, {X86_FEAT_TSC, X86_FEAT_MSR}},
	[X86_FEAT_LM] =        {"lm",           0x80000001, 0, D, 29,
				{X86_FEAT_PAE, X86_FEAT_SYSCALL, X86_FEAT_SSE2}},
	[X86_FEAT_CONSTANT_TSC] = {"constant_tsc", 0x80000007, 0, D, 8, {X86_FEAT_TSC}},
};
/* clang-format on */

/* A model is another model's features and some more; lists end with X86_FEAT_BASE. */
struct model_row {
	const char *name;
	const struct model_row *over;
	const uint8_t *more;
	uint32_t signature, max_leaf, max_ext_leaf;
};

static const uint8_t more_486[] = {X86_FEAT_FPU, X86_FEAT_VME, X86_FEAT_BASE};
static const uint8_t more_pentium[] = {X86_FEAT_DE,  X86_FEAT_PSE, X86_FEAT_TSC, X86_FEAT_MSR,
				       X86_FEAT_MCE, X86_FEAT_CX8, X86_FEAT_BASE};
static const uint8_t more_ppro[] = {X86_FEAT_PAE, X86_FEAT_APIC, X86_FEAT_SEP,	X86_FEAT_MTRR,
				    X86_FEAT_PGE, X86_FEAT_MCA,	 X86_FEAT_CMOV, X86_FEAT_BASE};
static const uint8_t more_64[] = {
	X86_FEAT_PAT,	 X86_FEAT_PSE36,      X86_FEAT_CLFLUSH,
	X86_FEAT_MMX,	 X86_FEAT_FXSR,	      X86_FEAT_SSE,
	X86_FEAT_SSE2,	 X86_FEAT_SYSCALL,    X86_FEAT_NX,
	X86_FEAT_LM,	 X86_FEAT_HYPERVISOR, X86_FEAT_CONSTANT_TSC,
	X86_FEAT_ARAT,	 X86_FEAT_X2APIC,     X86_FEAT_TSC_DEADLINE,
	X86_FEAT_RDTSCP, X86_FEAT_TSC_ADJUST, X86_FEAT_ARCH_CAPABILITIES,
	X86_FEAT_BASE,
};
static const uint8_t more_64_v2[] = {X86_FEAT_SSE3, X86_FEAT_SSSE3, X86_FEAT_SSE41,  X86_FEAT_SSE42,
				     X86_FEAT_CX16, X86_FEAT_LAHF,  X86_FEAT_POPCNT, X86_FEAT_BASE};
static const uint8_t more_64_v3[] = {X86_FEAT_AVX,	X86_FEAT_AVX2, X86_FEAT_BMI1,  X86_FEAT_BMI2, X86_FEAT_F16C,
				     X86_FEAT_FMA, X86_FEAT_LZCNT, X86_FEAT_MOVBE, X86_FEAT_XSAVE,
				     X86_FEAT_BASE};
static const uint8_t more_max[] = {
	X86_FEAT_AES,	 X86_FEAT_PCLMUL,  X86_FEAT_SHA,
	X86_FEAT_RDRAND, X86_FEAT_RDSEED,  X86_FEAT_FSGSBASE,  X86_FEAT_SMEP,
	X86_FEAT_SMAP,	 X86_FEAT_UMIP,	   X86_FEAT_XSAVEOPT,
	X86_FEAT_XSAVEC, X86_FEAT_INVPCID, X86_FEAT_PCID,      X86_FEAT_PDPE1GB,
	X86_FEAT_RDPID,	 X86_FEAT_CLWB,	   X86_FEAT_ERMS,      X86_FEAT_CLFLUSHOPT,
	X86_FEAT_FSRM,	 X86_FEAT_ADX,	   X86_FEAT_PREFETCHW, X86_FEAT_BASE,
};

enum { SIGNATURE_64 = 0x30661 }; /* family 6, model 0x36, stepping 1 */

static const struct model_row model_486 = {"486", NULL, more_486, 0x480, 1, 0};
static const struct model_row model_pentium = {"pentium", &model_486, more_pentium, 0x543, 1, 0};
static const struct model_row model_ppro = {"pentium-pro", &model_pentium, more_ppro, 0x619, 2, 0};
static const struct model_row model_64 = {"x86-64",	&model_ppro, more_64,
					  SIGNATURE_64, 0x16,	     0x80000008};
static const struct model_row model_64_v2 = {"x86-64-v2",  &model_64, more_64_v2,
					     SIGNATURE_64, 0x16,      0x80000008};
static const struct model_row model_64_v3 = {"x86-64-v3",  &model_64_v2, more_64_v3,
					     SIGNATURE_64, 0x16,	 0x80000008};
static const struct model_row model_max = {"max",	 &model_64_v3, more_max,
					   SIGNATURE_64, 0x16,	       0x80000008};

static const struct model_row *const models[] = {&model_max, &model_64_v3, &model_64_v2, &model_64,
						 &model_ppro, &model_pentium, &model_486};

/* ---- features in and out */

static void feat_put(struct x86_cpuid_model *m, unsigned f, bool on)
{
	if (on)
		m->features[f / 64] |= 1ull << (f % 64);
	else
		m->features[f / 64] &= ~(1ull << (f % 64));
}

static bool feat_needs(unsigned f, unsigned what)
{
	const uint8_t *n = x86_feat_rows[f].needs;

	return what != X86_FEAT_BASE && (n[0] == what || n[1] == what || n[2] == what);
}

static void feat_add(struct x86_cpuid_model *m, unsigned f)
{
	feat_put(m, f, true);
	for (bool again = true; again;) {
		again = false;
		for (unsigned g = 1; g < X86_FEAT_COUNT; g++)
			for (unsigned i = 0; i < 3 && x86_has(m, g); i++) {
				unsigned need = x86_feat_rows[g].needs[i];
				if (!x86_has(m, need)) {
					feat_put(m, need, true);
					again = true;
				}
			}
	}
}

static void feat_remove(struct x86_cpuid_model *m, unsigned f)
{
	feat_put(m, f, false);
	for (bool again = true; again;) {
		again = false;
		for (unsigned g = 1; g < X86_FEAT_COUNT; g++)
			for (unsigned h = 1; h < X86_FEAT_COUNT && x86_has(m, g); h++)
				if (feat_needs(g, h) && !x86_has(m, h)) {
					feat_put(m, g, false);
					again = true;
				}
	}
}

/* ---- names */

struct word {
	const char *text;
	size_t len;
};

enum { WORD_MAX = 31 };

static bool word_is(struct word w, const char *name)
{
	return strlen(name) == w.len && memcmp(name, w.text, w.len) == 0;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edit distance; w.len <= WORD_MAX. */
static unsigned word_distance(struct word w, const char *name)
{
	unsigned row[WORD_MAX + 1];

	for (unsigned i = 0; i <= w.len; i++)
		row[i] = i;
	for (unsigned j = 1; name[j - 1]; j++) {
		unsigned corner = row[0];
		row[0] = j;
		for (unsigned i = 1; i <= w.len; i++) {
			unsigned change = corner + (w.text[i - 1] != name[j - 1]);
			corner = row[i];
			row[i] = min3(change, row[i] + 1, row[i - 1] + 1);
		}
	}
	return row[w.len];
}

static const char *feat_name(unsigned f)
{
	return x86_feat_rows[f].name;
}

static const char *model_name(unsigned k)
{
	return models[k]->name;
}

const char *x86_cpuid_model_name(unsigned k)
{
	return k < ARRAY_LEN(models) ? model_name(k) : NULL;
}

/* Index of w among names first..count-1, or -1 with the nearest one's index in *nearest. */
static int word_find(struct word w, const char *(*name)(unsigned), unsigned first, unsigned count,
		     unsigned *nearest)
{
	unsigned best = ~0u;

	*nearest = first;
	for (unsigned k = first; k < count; k++) {
		if (word_is(w, name(k)))
			return (int)k;
		unsigned d = w.len <= WORD_MAX ? word_distance(w, name(k)) : ~0u;
		if (d < best) {
			best = d;
			*nearest = k;
		}
	}
	return -1;
}

/* Names people also use; the table has those of /proc/cpuinfo. */
static struct word word_alias(struct word w)
{
	static const char *const rows[][2] = {
		{"sse3", "pni"},
		{"sse4.1", "sse4_1"},
		{"sse4.2", "sse4_2"},
		{"pclmul", "pclmulqdq"},
		{"sha", "sha_ni"},
		{"lahf", "lahf_lm"},
		{"prefetchw", "3dnowprefetch"},
		{"sse4-1", "sse4_1"},
		{"sse4-2", "sse4_2"},
		{"tsc-deadline", "tsc_deadline_timer"},
		{"invtsc", "constant_tsc"},
		{"lzcnt", "abm"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (word_is(w, rows[i][0]))
			return (struct word){rows[i][1], strlen(rows[i][1])};
	return w;
}

/* ---- parsing */

static void model_build(struct x86_cpuid_model *m, const struct model_row *row)
{
	snprintf(m->name, sizeof(m->name), "%s", row->name);
	m->signature = row->signature;
	m->max_leaf = row->max_leaf;
	m->max_ext_leaf = row->max_ext_leaf;
	feat_put(m, X86_FEAT_BASE, true);
	for (; row; row = row->over)
		for (const uint8_t *f = row->more; *f != X86_FEAT_BASE; f++)
			feat_add(m, *f);
}

/* A feature in a leaf the model does not reach would be there unseen. */
static void leaves_reach(struct x86_cpuid_model *m, unsigned f)
{
	uint32_t leaf = x86_feat_rows[f].leaf;
	uint32_t *max = leaf >= 0x80000000 ? &m->max_ext_leaf : &m->max_leaf;

	if (leaf > *max)
		*max = leaf;
}

static int word_feature(struct x86_cpuid_model *m, struct word w, struct error *err)
{
	bool on = w.text[0] == '+';
	unsigned nearest;

	if (!on && w.text[0] != '-')
		return error_set(err, -EINVAL, "cpu: \"%.*s\" needs + or - before a feature name",
				 (int)w.len, w.text);
	w = word_alias((struct word){w.text + 1, w.len - 1});
	int f = word_find(w, feat_name, 1, X86_FEAT_COUNT, &nearest);
	if (f < 0)
		return error_set(err, -EINVAL, "cpu: no feature \"%.*s\"; nearest is \"%s\"",
				 (int)w.len, w.text, feat_name(nearest));
	if (!on) {
		feat_remove(m, (unsigned)f);
		return 0;
	}
	feat_add(m, (unsigned)f);
	for (unsigned g = 1; g < X86_FEAT_COUNT; g++)
		if (x86_has(m, g))
			leaves_reach(m, g);
	return 0;
}

static int word_model(struct x86_cpuid_model *m, struct word w, struct error *err)
{
	unsigned nearest;
	int k = word_find(w, model_name, 0, ARRAY_LEN(models), &nearest);

	if (k < 0)
		return error_set(err, -EINVAL, "cpu: no model \"%.*s\"; nearest is \"%s\"",
				 (int)w.len, w.text, model_name(nearest));
	model_build(m, models[k]);
	return 0;
}

static struct word word_next(const char **at)
{
	struct word w = {*at, 0};

	while (w.text[w.len] && w.text[w.len] != ',')
		w.len++;
	*at = w.text + w.len + (w.text[w.len] == ',');
	return w;
}

int x86_cpuid_model_parse(struct x86_cpuid_model *m, const char *spec, unsigned cpus,
			  struct error *err)
{
	int r = 0;

	memset(m, 0, sizeof(*m));
	m->cpus = cpus;
	if (!spec || !*spec || *spec == '+' || *spec == '-') {
		model_build(m, &model_max);
		spec = spec ? spec : "";
	} else {
		r = word_model(m, word_next(&spec), err);
	}
	while (!r && *spec)
		r = word_feature(m, word_next(&spec), err);
	return r;
}
