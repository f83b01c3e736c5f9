/* Boots a kernel on the counted clock and prints all there is to compare between two such runs:
 * the console's bytes as a hash, every counter, virtual time, registers and a hash of memory.
 * repeat KERNEL INITRD APPEND CPUS MEMORY_MIB ENGINE; the exit status is 0 if the guest powered
 * off. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/doppel.h"

struct output {
	uint64_t hash, len;
};

static void on_console(void *opaque, const uint8_t *bytes, size_t len)
{
	struct output *o = opaque;

	o->len += len;
	while (len--)
		o->hash = (o->hash ^ *bytes++) * 0x100000001b3u;
}

/* Host time, constants of other lengths where the host has put us. And where the host randomizes
 * addresses, one run in six finds its way between pieces of code a little differently, all else
 * being equal: why is not known. */
static bool depends_on_host(const char *counter)
{
	static const char *const names[] = {
		"translate_ns",		 "translate_host_bytes", "block_lookups",
		"translate_links",	 "translate_exit_link",	 "translate_exit_indirect",
		"translate_exit_budget", "translate_slow_loads", "translate_remade",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(counter, names[i]) == 0)
			return true;
	return false;
}

static void print(struct doppel_vm *vm, const struct output *o, unsigned cpus)
{
	static const char *const registers[] = {"rip", "rsp", "rax", "rflags", "cr3"};
	struct doppel_counter c;

	printf("console %llu bytes %016llx\n", (unsigned long long)o->len,
	       (unsigned long long)o->hash);
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		for (unsigned i = 0; doppel_counter(vm, cpu, i, &c); i++)
			if (!depends_on_host(c.name))
				printf("cpu %u %s %llu\n", cpu, c.name,
				       (unsigned long long)c.value);
		for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
			uint64_t value = 0;

			doppel_register_read(vm, cpu, registers[i], &value);
			printf("cpu %u %s %llx\n", cpu, registers[i], (unsigned long long)value);
		}
	}
	printf("time %llu\n", (unsigned long long)doppel_time_ns(vm));
	printf("memory %016llx\n", (unsigned long long)doppel_memory_hash(vm));
}

int main(int argc, char **argv)
{
	struct output out = {0xcbf29ce484222325u, 0};
	struct doppel_config cfg;
	struct doppel_result result = {0};
	struct doppel_error err;
	struct doppel_vm *vm;

	if (argc != 7)
		return 2;
	doppel_config_default(&cfg);
	cfg.kernel = argv[1];
	cfg.initrd = argv[2];
	cfg.append = argv[3];
	cfg.cpus = (unsigned)atoi(argv[4]);
	cfg.memory_bytes = (uint64_t)atoi(argv[5]) << 20;
	cfg.engine = argv[6];
	cfg.clock = DOPPEL_CLOCK_COUNTED;
	cfg.console_output = on_console;
	cfg.opaque = &out;
	if (doppel_create(&vm, &cfg, &err) < 0 || doppel_start(vm, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	doppel_wait(vm, -1, &result);
	print(vm, &out, cfg.cpus);
	if (result.text[0])
		printf("%s\n", result.text);
	doppel_destroy(vm);
	return result.end == DOPPEL_END_POWEROFF ? 0 : 1;
}
