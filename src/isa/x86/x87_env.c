/*
 * x87 control: FNINIT, FNCLEX, FLDCW, FWAIT, and the environment and state images in memory. SDM
 * vol. 1, 8.1.10 (figures 8-9 to 8-12); vol. 2: FNSTENV, FLDENV, FNSAVE, FRSTOR.
 */
#include <string.h>

#include "isa/x86/fpu.h"
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"
#include "isa/x86/x87.h"

enum {
	SAVE_MAX = 108,
	REGS_BYTES = 80,
	CHUNK = 32,
	TAG_VALID = 0,
	TAG_ZERO,
	TAG_SPECIAL,
	TAG_EMPTY
};

uint64_t x87_fninit(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	x86_fpu_init(p);
	x86_mode_update(p);
	return 0;
}

uint64_t x87_fnclex(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;

	cpu->fsw &= (uint16_t) ~(X87_B | X87_ES | X87_SF | X87_EXCEPTIONS);
	x86_mode_update(cpu);
	return 0;
}

static void set_fcw(struct x86_cpu *cpu, uint16_t v)
{
	cpu->fcw = (v & X87_FCW_BITS) | X87_FCW_ONE;
}

static bool all_masked(uint16_t fcw)
{
	return (fcw & X87_EXCEPTIONS) == X87_EXCEPTIONS;
}

uint64_t x87_fldcw(void *p, uint64_t value, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;
	uint16_t old = cpu->fcw;
	bool other_mode;

	set_fcw(cpu, (uint16_t)value);
	other_mode = all_masked(cpu->fcw) != all_masked(old);
	if (other_mode && !cpu->alone) /* what follows in the block was lifted for this one */
		cpu->exit_code = X86_EXIT_RESTART;
	/* or it unmasks an exception that was raised before */
	if (cpu->exit_code || x87_restart(cpu, cpu->fsw)) {
		cpu->fcw = old;
		return 0;
	}
	x87_finish(cpu);
	if (other_mode)
		x86_mode_update(cpu);
	return 0;
}

uint64_t x87_fwait(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;
	uint64_t trap = X86_CR0_MP | X86_CR0_TS;

	if ((cpu->cr0 & trap) == trap)
		x86_fault_raise(cpu, X86_FAULT_NM);
	else if (cpu->fsw & X87_ES)
		x86_fault_raise(cpu, X86_FAULT_MF);
	return 0;
}

/* ---- memory, in pieces that one access can do */

static unsigned mem_flags(unsigned how)
{
	return how & X87_ENV_STACK ? X86_MEM_STACK : 0;
}

static bool image_read(struct x86_cpu *cpu, uint64_t lin, uint8_t *b, unsigned bytes, unsigned how)
{
	for (unsigned at = 0; at < bytes; at += CHUNK) {
		unsigned n = bytes - at < CHUNK ? bytes - at : CHUNK;

		/* a piece of an image has no alignment of its own */
		if (!x86_mem_read(cpu, lin + at, b + at, n, x86_mode_mmu(cpu->mode),
				  mem_flags(how) | (bytes > CHUNK ? X86_MEM_NOAC : 0)))
			return false;
	}
	return true;
}

static bool image_write(struct x86_cpu *cpu, uint64_t lin, const uint8_t *b, unsigned bytes,
			unsigned how)
{
	if (!x86_mem_check_write(cpu, lin, bytes, x86_mode_mmu(cpu->mode), mem_flags(how)))
		return false;
	for (unsigned at = 0; at < bytes; at += CHUNK) {
		unsigned n = bytes - at < CHUNK ? bytes - at : CHUNK;

		if (!x86_mem_write(cpu, lin + at, b + at, n, x86_mode_mmu(cpu->mode),
				   mem_flags(how) | X86_MEM_NOAC))
			return false;
	}
	return true;
}

/* ---- the environment */

static unsigned tag_of(const struct x86_fpr *r)
{
	unsigned exp = r->sexp & 0x7fff;

	if (exp == 0 && r->mant == 0)
		return TAG_ZERO;
	return exp == 0 || exp == 0x7fff || !(r->mant >> 63) ? TAG_SPECIAL : TAG_VALID;
}

static uint16_t tag_word(const struct x86_cpu *cpu)
{
	unsigned tags = 0;

	for (unsigned i = 0; i < 8; i++)
		tags |= (cpu->ftag >> i & 1 ? tag_of(&cpu->fpr[i]) : TAG_EMPTY) << 2 * i;
	return (uint16_t)tags;
}

static void set_tag_word(struct x86_cpu *cpu, uint16_t tags)
{
	cpu->ftag = 0;
	for (unsigned i = 0; i < 8; i++) {
		if ((tags >> 2 * i & 3) != TAG_EMPTY)
			cpu->ftag |= (uint8_t)(1u << i);
	}
}

static bool real_format(const struct x86_cpu *cpu)
{
	return !(cpu->mode & X86_MODE_PE) || (cpu->mode & X86_MODE_VM);
}

/* Seven fields, 2 or 4 bytes each. Of 32-bit ones that hold only 16 bits the upper half is ones. */
static void env_pack(const struct x86_cpu *cpu, uint8_t *b, unsigned how)
{
	uint32_t f[7] = {cpu->fcw | 0xffff0000, cpu->fsw | 0xffff0000, tag_word(cpu) | 0xffff0000};

	if (real_format(cpu)) {
		uint32_t ip = (uint32_t)(cpu->fip + ((uint32_t)cpu->fcs << 4));
		uint32_t dp = (uint32_t)(cpu->fdp + ((uint32_t)cpu->fds << 4));

		f[3] = (ip & 0xffff) | 0xffff0000;
		f[4] = ip >> 16 << 12 | cpu->fop;
		f[5] = (dp & 0xffff) | 0xffff0000;
		f[6] = dp >> 16 << 12;
	} else {
		f[3] = (uint32_t)cpu->fip;
		f[4] = cpu->fcs | (uint32_t)cpu->fop << 16;
		f[5] = (uint32_t)cpu->fdp;
		f[6] = cpu->fds | 0xffff0000;
	}
	for (unsigned i = 0; i < 7; i++) {
		if (how & X87_ENV_WIDE)
			store_le32(b + 4 * i, f[i]);
		else
			store_le16(b + 2 * i, (uint16_t)f[i]);
	}
}

/* Pointers of the real-mode formats come back as linear addresses with selector 0. */
static void env_pointers(struct x86_cpu *cpu, const uint32_t *f, unsigned how)
{
	if (real_format(cpu)) {
		cpu->fip = (f[3] & 0xffff) | (f[4] >> 12 & 0xffff) << 16;
		cpu->fdp = (f[5] & 0xffff) | (f[6] >> 12 & 0xffff) << 16;
		cpu->fop = f[4] & 0x7ff;
		cpu->fcs = cpu->fds = 0;
		return;
	}
	cpu->fip = f[3];
	cpu->fcs = (uint16_t)f[4];
	cpu->fdp = f[5];
	cpu->fds = (uint16_t)f[6];
	cpu->fop = how & X87_ENV_WIDE ? f[4] >> 16 & 0x7ff : 0;
}

static void env_unpack(struct x86_cpu *cpu, const uint8_t *b, unsigned how)
{
	uint32_t f[7];

	for (unsigned i = 0; i < 7; i++)
		f[i] = how & X87_ENV_WIDE ? load_le32(b + 4 * i) : load_le16(b + 2 * i);
	set_fcw(cpu, (uint16_t)f[0]);
	cpu->fsw = (uint16_t)f[1];
	x87_summarize(cpu);
	set_tag_word(cpu, (uint16_t)f[2]);
	env_pointers(cpu, f, how);
}

uint64_t x87_fnstenv(void *p, uint64_t lin, uint64_t how, uint64_t c)
{
	struct x86_cpu *cpu = p;
	uint8_t b[SAVE_MAX];

	env_pack(cpu, b, (unsigned)how);
	if (!image_write(cpu, lin, b, x87_env_bytes((unsigned)how), (unsigned)how))
		return 0;
	cpu->fcw |= X87_EXCEPTIONS;
	x87_summarize(cpu);
	x86_mode_update(cpu);
	return 0;
}

uint64_t x87_fldenv(void *p, uint64_t lin, uint64_t how, uint64_t c)
{
	struct x86_cpu *cpu = p;
	uint8_t b[SAVE_MAX];

	if (!image_read(cpu, lin, b, x87_env_bytes((unsigned)how), (unsigned)how))
		return 0;
	env_unpack(cpu, b, (unsigned)how);
	x86_mode_update(cpu);
	return 0;
}

uint64_t x87_fnsave(void *p, uint64_t lin, uint64_t how, uint64_t c)
{
	struct x86_cpu *cpu = p;
	uint8_t b[SAVE_MAX], *regs = b + x87_env_bytes((unsigned)how);

	env_pack(cpu, b, (unsigned)how);
	for (unsigned i = 0; i < 8; i++) {
		store_le64(regs + 10 * i, x87_st(cpu, i)->mant);
		store_le16(regs + 10 * i + 8, x87_st(cpu, i)->sexp);
	}
	if (image_write(cpu, lin, b, x87_save_bytes((unsigned)how), (unsigned)how))
		x87_fninit(cpu, 0, 0, 0);
	return 0;
}

uint64_t x87_frstor(void *p, uint64_t lin, uint64_t how, uint64_t c)
{
	struct x86_cpu *cpu = p;
	uint8_t b[SAVE_MAX];
	const uint8_t *regs = b + x87_env_bytes((unsigned)how);

	if (!image_read(cpu, lin, b, x87_save_bytes((unsigned)how), (unsigned)how))
		return 0;
	env_unpack(cpu, b, (unsigned)how);
	for (unsigned i = 0; i < 8; i++) {
		x87_st(cpu, i)->mant = load_le64(regs + 10 * i);
		x87_st(cpu, i)->sexp = load_le16(regs + 10 * i + 8);
	}
	x86_mode_update(cpu);
	return 0;
}
