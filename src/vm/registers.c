/* Registers by name, for people and programs outside the machine. */
#include "vm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"
#include "isa/x86/segment.h"

struct reg {
	const char *name;
	uint32_t offset, bytes;
};

/* clang-format off */
#define REG(name, member) {name, offsetof(struct x86_cpu, member), sizeof(((struct x86_cpu *)0)->member)}
static const struct reg regs[] = {
	REG("rax", gpr[X86_RAX]), REG("rcx", gpr[X86_RCX]), REG("rdx", gpr[X86_RDX]),
	REG("rbx", gpr[X86_RBX]), REG("rsp", gpr[X86_RSP]), REG("rbp", gpr[X86_RBP]),
	REG("rsi", gpr[X86_RSI]), REG("rdi", gpr[X86_RDI]), REG("r8", gpr[X86_R8]),
	REG("r9", gpr[X86_R9]), REG("r10", gpr[X86_R10]), REG("r11", gpr[X86_R11]),
	REG("r12", gpr[X86_R12]), REG("r13", gpr[X86_R13]), REG("r14", gpr[X86_R14]),
	REG("r15", gpr[X86_R15]), REG("rip", rip),
	REG("cr0", cr0), REG("cr2", cr2), REG("cr3", cr3), REG("cr4", cr4), REG("efer", efer),
	REG("xcr0", xcr0), REG("dr0", dr[0]), REG("dr1", dr[1]), REG("dr2", dr[2]),
	REG("dr3", dr[3]), REG("dr6", dr[6]), REG("dr7", dr[7]), REG("mxcsr", mxcsr),
	REG("fcw", fcw), REG("fsw", fsw),
	REG("es", seg[X86_ES].sel), REG("cs", seg[X86_CS].sel), REG("ss", seg[X86_SS].sel),
	REG("ds", seg[X86_DS].sel), REG("fs", seg[X86_FS].sel), REG("gs", seg[X86_GS].sel),
	REG("es_base", seg[X86_ES].base), REG("cs_base", seg[X86_CS].base),
	REG("ss_base", seg[X86_SS].base), REG("ds_base", seg[X86_DS].base),
	REG("fs_base", seg[X86_FS].base), REG("gs_base", seg[X86_GS].base),
	REG("ldtr", ldtr.sel), REG("tr", tr.sel),
	REG("gdtr_base", gdtr.base), REG("gdtr_limit", gdtr.limit),
	REG("idtr_base", idtr.base), REG("idtr_limit", idtr.limit),
	REG("kernel_gs_base", kernel_gs_base), REG("star", star), REG("lstar", lstar),
	REG("sfmask", sfmask), REG("insns", insns),
};
/* clang-format on */

static const struct reg *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(regs); i++)
		if (strcmp(name, regs[i].name) == 0)
			return &regs[i];
	return NULL;
}

const char *vm_register_name(unsigned index)
{
	if (index == ARRAY_LEN(regs))
		return "rflags";
	return index < ARRAY_LEN(regs) ? regs[index].name : NULL;
}

int vm_register_get(const struct x86_cpu *cpu, const char *name, uint64_t *value)
{
	const struct reg *r = find(name);

	*value = 0;
	if (strcmp(name, "rflags") == 0)
		*value = x86_rflags_read(cpu);
	else if (r)
		memcpy(value, (const char *)cpu + r->offset, r->bytes);
	else
		return -ENOENT;
	return 0;
}

int vm_register_set(struct x86_cpu *cpu, const char *name, uint64_t value)
{
	const struct reg *r = find(name);

	if (strcmp(name, "rflags") == 0)
		x86_rflags_write(cpu, value);
	else if (r && strcmp(name, "insns") != 0)
		memcpy((char *)cpu + r->offset, &value, r->bytes);
	else
		return -ENOENT;
	/* Whatever it was may decide how code is read and memory is mapped. */
	x86_mode_update(cpu);
	x86_tlb_flush_all(cpu);
	return 0;
}

int vm_register_list(struct x86_cpu *cpu, const char *list, struct error *err)
{
	while (*list) {
		char name[32], *end;
		size_t len = strcspn(list, "=,");

		snprintf(name, sizeof(name), "%.*s", (int)len, list);
		if (list[len] != '=')
			return error_set(err, -EINVAL, "registers: \"%s\" has no value; write %s=0",
					 name, name);
		list += len + 1;
		errno = 0;
		uint64_t v = strtoull(list, &end, 0);
		if (errno || end == list || (*end && *end != ','))
			return error_set(err, -EINVAL, "registers: the value of %s is no number",
					 name);
		if (vm_register_set(cpu, name, v) < 0)
			return error_set(err, -EINVAL, "registers: there is no \"%s\"", name);
		list = *end ? end + 1 : end;
	}
	return 0;
}
