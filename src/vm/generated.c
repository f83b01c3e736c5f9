/*
 * Generated host code made visible: disassembled for --dump host (with Capstone, which owes nothing
 * to the emitter that may be at fault), named for perf and gdb.
 */
#include "vm/vm.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 256, SHOWN_BYTES = 12 };

static void print_insn(const cs_insn *i, void *opaque, void (*line)(void *, const char *))
{
	char bytes[2 * SHOWN_BYTES + 3] = "", text[LINE_BYTES];
	int at = 0;

	for (unsigned k = 0; k < i->size && k < SHOWN_BYTES; k++)
		at += snprintf(bytes + at, sizeof(bytes) - (size_t)at, "%02x", i->bytes[k]);
	snprintf(text, sizeof(text), "  %012llx: %-*s %s %s", (unsigned long long)i->address,
		 2 * SHOWN_BYTES, bytes, i->mnemonic, i->op_str);
	line(opaque, text);
}

void vm_dump_host(void *opaque, const uint8_t *code, size_t bytes, uint64_t addr,
		  void (*line)(void *opaque, const char *text))
{
	csh handle;
	cs_insn *insn;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
		return;
	/* Constants may lie among the instructions: show them as bytes and go on. */
	cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
	insn = cs_malloc(handle);
	while (insn && cs_disasm_iter(handle, &code, &bytes, &addr, insn))
		print_insn(insn, opaque, line);
	if (insn)
		cs_free(insn, 1);
	cs_close(&handle);
}

static void code_added(void *opaque, const void *rx, size_t bytes, const char *name)
{
	struct doppel_vm *vm = opaque;

	if (vm->cfg.perf_map)
		host_perf_map_add(&vm->perf_map, rx, bytes, name);
	if (vm->cfg.gdb_jit)
		host_gdb_add(rx, bytes, name);
}

static void code_removed(void *opaque, const void *rx, size_t bytes)
{
	host_gdb_remove(rx, bytes);
}

int vm_generated_init(struct doppel_vm *vm, struct engine_config *ec, struct error *err)
{
	int r;

	if (!vm->cfg.perf_map && !vm->cfg.gdb_jit)
		return 0;
	ec->code_added = code_added;
	if (vm->cfg.gdb_jit)
		ec->code_removed = code_removed;
	ec->code_opaque = vm;
	if (!vm->cfg.perf_map)
		return 0;
	r = host_perf_map_open(&vm->perf_map);
	return r < 0 ? error_set(err, r, "perf-map: cannot write /tmp/perf-PID.map: %s",
				 strerror(-r))
		     : 0;
}
