/* Checking a doppel_config before anything is built, with one sentence for each mistake. */
#include "vm/vm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_DEFAULT (512ull << 20)
#define MEMORY_MIN     (1ull << 20)

/* Code memory: of all CPUs, and the least one CPU can work with. More than the maximum would be out
 * of reach of its own jumps. */
#define CODE_CACHE_DEFAULT ((uint64_t)ENGINE_CACHE_BYTES)
#define CODE_CACHE_MAX	   (1ull << 30)
#define CODE_CACHE_CPU_MIN ((uint64_t)ENGINE_CACHE_BYTES_MIN)

void doppel_config_default(struct doppel_config *cfg)
{
	*cfg = (struct doppel_config){.machine = "pc",
				      .engine = "auto",
				      .cpu = "max",
				      .cpus = 1,
				      .memory_bytes = MEMORY_DEFAULT};
}

static uint64_t host_memory_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
}

static int resolve_memory(struct vm_config *out, uint64_t bytes, struct error *err)
{
	uint64_t host = host_memory_bytes();

	out->memory_bytes = bytes ? bytes : MEMORY_DEFAULT;
	if (out->memory_bytes < MEMORY_MIN)
		return error_set(err, -EINVAL,
				 "memory: %llu bytes are too few: a machine needs at least 1M",
				 (unsigned long long)out->memory_bytes);
	if (out->memory_bytes % PAGE_BYTES)
		return error_set(err, -EINVAL, "memory: %llu bytes are not whole 4 KiB pages",
				 (unsigned long long)out->memory_bytes);
	if (out->memory_bytes > host)
		return error_set(err, -ENOMEM, "memory: %lluM is more than this host has (%lluM)",
				 (unsigned long long)out->memory_bytes >> 20,
				 (unsigned long long)host >> 20);
	return 0;
}

static int resolve_cpus(struct vm_config *out, unsigned cpus, struct error *err)
{
	out->cpus = cpus ? cpus : 1;
	if (out->cpus > VM_CPUS_MAX)
		return error_set(err, -EINVAL, "cpus: %u is out of range: 1 to %d", cpus,
				 VM_CPUS_MAX);
	return 0;
}

static int resolve_code_cache(struct vm_config *out, uint64_t bytes, struct error *err)
{
	uint64_t least = out->cpus * CODE_CACHE_CPU_MIN;

	bytes = bytes ? bytes : CODE_CACHE_DEFAULT;
	if (bytes < least || bytes > CODE_CACHE_MAX)
		return error_set(err, -EINVAL,
				 "code-cache: %llu bytes are out of range: %lluK to %lluM for %u "
				 "CPUs",
				 (unsigned long long)bytes, (unsigned long long)least >> 10,
				 CODE_CACHE_MAX >> 20, out->cpus);
	out->code_cache_bytes = (size_t)align_down(bytes / out->cpus, PAGE_BYTES);
	return 0;
}

static int resolve_words(struct vm_config *out, const struct doppel_config *in, struct error *err)
{
	int r = vm_machine_choose(in->machine ? in->machine : "pc", &out->machine, err);

	if (r == 0)
		r = vm_engine_choose(in->engine ? in->engine : "auto", &out->engine, out->pair,
				     err);
	if (r == 0 && out->pair[0] && !out->counted)
		r = error_set(err, -EINVAL,
			      "engine: lockstep needs the counted clock (--clock counted): under "
			      "the real one two engines never see an interrupt at the same "
			      "instruction");
	if (r == 0)
		r = vm_trace_words(in->trace ? in->trace : "", &out->trace, err);
	if (r == 0)
		r = vm_dump_words(in->dump ? in->dump : "", out, err);
	if (r == 0)
		r = vm_stress_words(in->stress ? in->stress : "", out, err);
	if (r == 0)
		r = vm_pass_words(in->disable_passes ? in->disable_passes : "",
				  &out->disabled_passes, err);
	if (r == 0)
		r = x86_cpuid_model_parse(&out->model, in->cpu ? in->cpu : "max", out->cpus, err);
	if (r == 0)
		r = host_cpu_parse(&out->host, in->host_cpu, err);
	if (r == 0)
		r = host_cpu_check(&out->host, err);
	return r;
}

static int copy_string(char **out, const char *in, struct error *err)
{
	if (!in)
		return 0;
	*out = host_alloc(strlen(in) + 1);
	if (!*out)
		return error_set(err, -ENOMEM, "out of memory");
	strcpy(*out, in);
	return 0;
}

int vm_config_resolve(struct vm_config *out, const struct doppel_config *in, struct error *err)
{
	int r;

	if (in->clock != DOPPEL_CLOCK_REAL && in->clock != DOPPEL_CLOCK_COUNTED)
		return error_set(err, -EINVAL, "clock: %d is neither real (0) nor counted (1)",
				 (int)in->clock);
	if (!in->kernel)
		return error_set(err, -EINVAL, "kernel: none was given; a machine boots from one");
	out->counted = in->clock == DOPPEL_CLOCK_COUNTED;
	out->max_block_insns = in->max_block_insns;
	out->perf_map = in->perf_map;
	out->gdb_jit = in->gdb_jit;
	r = resolve_cpus(out, in->cpus, err);
	if (r == 0)
		r = resolve_memory(out, in->memory_bytes, err);
	if (r == 0)
		r = resolve_code_cache(out, in->code_cache_bytes, err);
	if (r == 0)
		r = resolve_words(out, in, err);
	if (r == 0)
		r = copy_string(&out->kernel, in->kernel, err);
	if (r == 0)
		r = copy_string(&out->initrd, in->initrd, err);
	if (r == 0)
		r = copy_string(&out->append, in->append, err);
	return r;
}

void vm_config_clear(struct vm_config *c)
{
	host_free(c->kernel);
	host_free(c->initrd);
	host_free(c->append);
	*c = (struct vm_config){0};
}
