/*
 * What the host CPU can do: CPUID (SDM vol. 2), and XGETBV for whether the host's kernel keeps YMM
 * registers; levels as the x86-64 psABI defines them (section 3.1.1).
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/error.h"
#include "host/host.h"

enum { EAX, EBX, ECX, EDX };

struct feature {
	const char *name, *also; /* `also`: as /proc/cpuinfo calls it, if it is another name */
	uint32_t bit, needs;
	uint32_t leaf;
	uint8_t reg, at;
};

/* clang-format off */
static const struct feature features[] = {
	{"sse3",   "pni",       HOST_CPU_SSE3,   0,               1, ECX, 0},
	{"ssse3",  "ssse3",     HOST_CPU_SSSE3,  HOST_CPU_SSE3,   1, ECX, 9},
	{"sse4.1", "sse4_1",    HOST_CPU_SSE41,  HOST_CPU_SSSE3,  1, ECX, 19},
	{"sse4.2", "sse4_2",    HOST_CPU_SSE42,  HOST_CPU_SSE41,  1, ECX, 20},
	{"popcnt", "popcnt",    HOST_CPU_POPCNT, 0,               1, ECX, 23},
	{"cx16",   "cx16",      HOST_CPU_CX16,   0,               1, ECX, 13},
	{"avx",    "avx",       HOST_CPU_AVX,    HOST_CPU_SSE42,  1, ECX, 28},
	{"avx2",   "avx2",      HOST_CPU_AVX2,   HOST_CPU_AVX,    7, EBX, 5},
	{"fma",    "fma",       HOST_CPU_FMA,    HOST_CPU_AVX,    1, ECX, 12},
	{"f16c",   "f16c",      HOST_CPU_F16C,   HOST_CPU_AVX,    1, ECX, 29},
	{"bmi1",   "bmi1",      HOST_CPU_BMI1,   0,               7, EBX, 3},
	{"bmi2",   "bmi2",      HOST_CPU_BMI2,   0,               7, EBX, 8},
	{"lzcnt",  "abm",       HOST_CPU_LZCNT,  0,               0x80000001, ECX, 5},
	{"movbe",  "movbe",     HOST_CPU_MOVBE,  0,               1, ECX, 22},
	{"aes",    "aes",       HOST_CPU_AES,    0,               1, ECX, 25},
	{"pclmul", "pclmulqdq", HOST_CPU_PCLMUL, 0,               1, ECX, 1},
	{"sha",    "sha_ni",    HOST_CPU_SHA,    0,               7, EBX, 29},
	{"adx",    "adx",       HOST_CPU_ADX,    0,               7, EBX, 19},
	{"erms",   "erms",      HOST_CPU_ERMS,   0,               7, EBX, 9},
	{"fsrm",   "fsrm",      HOST_CPU_FSRM,   HOST_CPU_ERMS,   7, EDX, 4},
};

static const struct {
	const char *name;
	uint32_t features;
} levels[] = {
	{"max", UINT32_MAX},
	{"x86-64-v3", HOST_CPU_V3},
	{"x86-64-v2", HOST_CPU_V2},
	{"x86-64-v1", 0},
};
/* clang-format on */

/* Whether the kernel saves XMM and YMM; OSXSAVE says that XGETBV is there to ask. */
static bool ymm_kept(void)
{
	uint32_t r[4], lo, hi;

	if (!__get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) || !(r[ECX] >> 27 & 1))
		return false;
	__asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (lo & 6) == 6;
}

static bool cpuid_has(const struct feature *f)
{
	uint32_t r[4] = {0};

	return __get_cpuid_count(f->leaf, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) &&
	       (r[f->reg] >> f->at & 1);
}

/* Take away what needs something that is not there. Rows come after what they need. */
static uint32_t supported(uint32_t set)
{
	for (unsigned k = 0; k < ARRAY_LEN(features); k++)
		if ((features[k].needs & set) != features[k].needs)
			set &= ~features[k].bit;
	return set;
}

struct host_cpu host_cpu_detect(void)
{
	struct host_cpu c = {0};

	for (unsigned k = 0; k < ARRAY_LEN(features); k++)
		if (cpuid_has(&features[k]))
			c.features |= features[k].bit;
	if (!ymm_kept())
		c.features &= ~(uint32_t)HOST_CPU_AVX;
	c.features = supported(c.features);
	return c;
}

const char *host_cpu_feature_name(unsigned k, uint32_t *bit)
{
	if (k >= ARRAY_LEN(features))
		return NULL;
	*bit = features[k].bit;
	return features[k].name;
}

const char *host_cpu_level(const struct host_cpu *c)
{
	for (unsigned k = 1; k < ARRAY_LEN(levels); k++)
		if ((levels[k].features & c->features) == levels[k].features)
			return levels[k].name;
	return levels[ARRAY_LEN(levels) - 1].name;
}

static bool word_is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

static int take_level(struct host_cpu *out, const char *word, size_t len, struct error *err)
{
	for (unsigned k = 0; k < ARRAY_LEN(levels); k++) {
		if (word_is(word, len, levels[k].name)) {
			out->features = supported(out->features & levels[k].features);
			return 0;
		}
	}
	return error_set(err, -EINVAL,
			 "host-cpu: \"%.*s\" is not max, x86-64-v3, x86-64-v2 or x86-64-v1",
			 (int)len, word);
}

static int take_away(struct host_cpu *out, const char *word, size_t len, struct error *err)
{
	if (word[0] != '-')
		return error_set(err, -EINVAL,
				 "host-cpu: \"%.*s\" needs a - before a feature name: features can "
				 "only be taken away",
				 (int)len, word);
	for (unsigned k = 0; k < ARRAY_LEN(features); k++) {
		const struct feature *f = &features[k];

		if (word_is(word + 1, len - 1, f->name) || word_is(word + 1, len - 1, f->also)) {
			out->features = supported(out->features & ~f->bit);
			return 0;
		}
	}
	return error_set(err, -EINVAL, "host-cpu: no feature \"%.*s\"", (int)len - 1, word + 1);
}

int host_cpu_parse(struct host_cpu *out, const char *spec, struct error *err)
{
	int r = 0;

	*out = host_cpu_detect();
	for (bool first = true; spec && *spec && r == 0; first = false) {
		size_t len = strcspn(spec, ",");

		if (first && *spec != '-')
			r = take_level(out, spec, len, err);
		else
			r = take_away(out, spec, len, err);
		spec += len + (spec[len] == ',');
	}
	return r;
}

int host_cpu_check(const struct host_cpu *c, struct error *err)
{
	for (unsigned k = 0; k < ARRAY_LEN(features); k++)
		if (HOST_CPU_REQUIRED & features[k].bit & ~c->features)
			return error_set(err, -ENOTSUP,
					 "host-cpu: %s is not there: Doppel needs a host of at "
					 "least x86-64-v2",
					 features[k].name);
	return 0;
}
