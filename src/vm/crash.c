/*
 * The report of a triple fault: what the CPU held and the code it was at, disassembled with
 * Capstone, which reads any bytes and owes nothing to the decoder that may be at fault.
 */
#include "vm/vm.h"

#include <capstone/capstone.h>
#include <stdio.h>

#include "isa/x86/mmu.h"

enum { CODE_BYTES = 32, CODE_INSNS = 6 };

/* Code bytes at linear address lin as far as they are mapped to RAM. */
static size_t read_code(struct x86_cpu *cpu, uint64_t lin, uint8_t *buf, size_t len)
{
	size_t n = 0;
	uint64_t gpa;

	while (n < len && x86_mmu_probe(cpu, lin + n, &gpa) &&
	       space_read(cpu->space, gpa, buf + n, 1))
		n++;
	return n;
}

static cs_mode code_mode(const struct x86_cpu *cpu)
{
	if (x86_code64(cpu))
		return CS_MODE_64;
	return cpu->seg[X86_CS].attr & X86_SEG_DB ? CS_MODE_32 : CS_MODE_16;
}

static int print_bytes(const uint8_t *code, size_t n, char *buf, size_t len)
{
	int at = snprintf(buf, len, "code:");

	for (size_t i = 0; i < n && (size_t)at < len; i++)
		at += snprintf(buf + at, len - (size_t)at, " %02x", code[i]);
	if ((size_t)at < len)
		at += snprintf(buf + at, len - (size_t)at, n ? "\n" : " not mapped\n");
	return at;
}

static void print_insns(const struct x86_cpu *cpu, const uint8_t *code, size_t n, char *buf,
			size_t len)
{
	csh handle;
	cs_insn *insn;
	int at = 0;

	if (len == 0 || cs_open(CS_ARCH_X86, code_mode(cpu), &handle) != CS_ERR_OK)
		return;
	size_t count = cs_disasm(handle, code, n, cpu->rip, CODE_INSNS, &insn);
	for (size_t i = 0; i < count && (size_t)at < len; i++)
		at += snprintf(buf + at, len - (size_t)at, "  %016llx  %s %s\n",
			       (unsigned long long)insn[i].address, insn[i].mnemonic,
			       insn[i].op_str);
	if (count)
		cs_free(insn, count);
	cs_close(&handle);
}

void vm_crash_text(struct x86_cpu *cpu, char *buf, size_t len)
{
	uint8_t code[CODE_BYTES];
	uint64_t base = x86_code64(cpu) ? 0 : cpu->seg[X86_CS].base;
	size_t n = read_code(cpu, base + cpu->rip, code, sizeof(code));
	size_t at = (size_t)snprintf(buf, len, "triple fault on CPU %u\n", cpu->index);

	at += (size_t)x86_cpu_dump(cpu, buf + at, len - at);
	if (at < len)
		at += (size_t)print_bytes(code, n, buf + at, len - at);
	if (at < len)
		print_insns(cpu, code, n, buf + at, len - at);
}
