/*
 * Port input and output: IN, OUT, INS, OUTS. SDM vol. 2; vol. 1, chapter 18. A repeated string runs
 * a bounded number of elements (see string.c), then leaves the block with RIP still at it, so that
 * interrupts get in; each element is complete before the next begins.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/segment.h"

enum { STRING_RUN = 1024 }; /* elements between two looks at interrupts */

/* I/O breakpoints (CR4.DE, R/W = 2) report after the instruction. */
static void break_check(struct x86_cpu *cpu, uint16_t port, unsigned bytes)
{
	static const uint8_t lens[4] = {1, 2, 8, 4};
	uint64_t dr7 = cpu->dr[7];

	if (!(cpu->mode & X86_MODE_BREAK) || !(cpu->cr4 & X86_CR4_DE))
		return;
	for (unsigned k = 0; k < 4; k++) {
		unsigned len = lens[dr7 >> (18 + 4 * k) & 3];
		uint64_t at = cpu->dr[k] & ~(uint64_t)(len - 1);

		if ((dr7 >> (2 * k) & 3) && (dr7 >> (16 + 4 * k) & 3) == 2 && at < port + bytes &&
		    port < at + len)
			cpu->pending_db |= BIT(k);
	}
}

static uint64_t port_read(struct x86_cpu *cpu, uint16_t port, unsigned bytes)
{
	cpu->counter[COUNTER_PIO_READS]++;
	break_check(cpu, port, bytes);
	return space_io_read(cpu->ports, port, bytes);
}

static void port_write(struct x86_cpu *cpu, uint16_t port, uint64_t v, unsigned bytes)
{
	cpu->counter[COUNTER_PIO_WRITES]++;
	break_check(cpu, port, bytes);
	space_io_write(cpu->ports, port, v, bytes);
}

static uint64_t helper_in(void *opaque, uint64_t port, uint64_t bytes, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	(void)c;
	if (!x86_io_allowed(cpu, (uint16_t)port, (unsigned)bytes))
		return 0;
	return port_read(cpu, (uint16_t)port, (unsigned)bytes);
}

static uint64_t helper_out(void *opaque, uint64_t port, uint64_t bytes, uint64_t v)
{
	struct x86_cpu *cpu = opaque;

	if (x86_io_allowed(cpu, (uint16_t)port, (unsigned)bytes))
		port_write(cpu, (uint16_t)port, v & bits_mask((unsigned)bytes * 8),
			   (unsigned)bytes);
	return 0;
}

/* ---- strings */

/* What the lifter packs into one word for the helpers. */
struct string {
	unsigned bytes, addr_bytes, seg, len;
	bool rep;
};

static uint64_t string_pack(const struct x86_insn *i, unsigned bytes)
{
	return bytes | (uint64_t)i->addrsize << 8 | (uint64_t)i->seg << 16 |
	       (uint64_t)(i->rep || i->repne) << 24 | (uint64_t)i->len << 32;
}

static struct string string_unpack(uint64_t v)
{
	return (struct string){v & 0xff, v >> 8 & 0xff, v >> 16 & 0xff, v >> 32 & 0xff,
			       v >> 24 & 1};
}

/* Add to a register at address size. */
static void reg_add(struct x86_cpu *cpu, unsigned reg, unsigned addr_bytes, int64_t delta)
{
	uint64_t v = cpu->gpr[reg] + (uint64_t)delta;

	if (addr_bytes == 2)
		v = (cpu->gpr[reg] & ~0xffffull) | (v & 0xffff);
	else if (addr_bytes == 4)
		v = (uint32_t)v;
	cpu->gpr[reg] = v;
}

/* One element each; false: fault recorded, nothing done. */
static bool ins_one(struct x86_cpu *cpu, const struct string *s, uint16_t port)
{
	uint64_t off = cpu->gpr[X86_RDI] & bits_mask(s->addr_bytes * 8), lin, v;
	enum x86_mmu_index mmu = x86_mode_mmu(cpu->mode);

	/* A device is read only when the store will succeed. */
	if (!x86_seg_linear(cpu, X86_ES, off, s->bytes, X86_WRITE, &lin) ||
	    !x86_mem_check_write(cpu, lin, s->bytes, mmu, 0))
		return false;
	v = port_read(cpu, port, s->bytes);
	return x86_mem_write(cpu, lin, &v, s->bytes, mmu, 0);
}

static bool outs_one(struct x86_cpu *cpu, const struct string *s, uint16_t port)
{
	uint64_t off = cpu->gpr[X86_RSI] & bits_mask(s->addr_bytes * 8), lin, v = 0;
	unsigned flags = s->seg == X86_SS ? X86_MEM_STACK : 0;

	if (!x86_seg_linear(cpu, (enum x86_seg_index)s->seg, off, s->bytes, X86_READ, &lin) ||
	    !x86_mem_read(cpu, lin, &v, s->bytes, x86_mode_mmu(cpu->mode), flags))
		return false;
	port_write(cpu, port, v, s->bytes);
	return true;
}

static void string_run(struct x86_cpu *cpu, const struct string *s, bool in, uint64_t next)
{
	bool (*one)(struct x86_cpu *, const struct string *, uint16_t) = in ? ins_one : outs_one;
	int64_t step = cpu->rflags & X86_DF ? -(int64_t)s->bytes : (int64_t)s->bytes;
	uint64_t mask = bits_mask(s->addr_bytes * 8);
	uint64_t count = s->rep ? cpu->gpr[X86_RCX] & mask : 1;
	uint64_t run = (count - 1) % STRING_RUN + 1;
	uint16_t port = (uint16_t)cpu->gpr[X86_RDX];

	if (cpu->mode & (X86_MODE_TF | X86_MODE_BREAK))
		run = 1;
	if (count && !x86_io_allowed(cpu, port, s->bytes))
		return;
	while (count && run--) {
		if (!one(cpu, s, port))
			return;
		reg_add(cpu, in ? X86_RDI : X86_RSI, s->addr_bytes, step);
		if (s->rep)
			reg_add(cpu, X86_RCX, s->addr_bytes, -1);
		count--;
	}
	cpu->rip = count ? next - s->len : next;
	if (!x86_code64(cpu))
		cpu->rip = (uint32_t)cpu->rip;
}

static uint64_t helper_ins(void *opaque, uint64_t what, uint64_t next, uint64_t c)
{
	struct string s = string_unpack(what);

	(void)c;
	string_run(opaque, &s, true, next);
	return 0;
}

static uint64_t helper_outs(void *opaque, uint64_t what, uint64_t next, uint64_t c)
{
	struct string s = string_unpack(what);

	(void)c;
	string_run(opaque, &s, false, next);
	return 0;
}

enum { H_IN, H_OUT, H_INS, H_OUTS, H_COUNT };

#define PORT   (IR_HELPER_FAULTS | IR_HELPER_MEMORY)
#define STRING (PORT | IR_HELPER_SETS_PC)

/* clang-format off */
const struct ir_helper x86_helpers_io[] = {
	[H_IN] = {"in", (void *)helper_in, 2, IR_I64, PORT, X86_ST_ALL, X86_ST_SYS},
	[H_OUT] = {"out", (void *)helper_out, 3, IR_VOID, PORT, X86_ST_ALL, X86_ST_SYS},
	[H_INS] = {"ins", (void *)helper_ins, 2, IR_VOID, STRING, X86_ST_ALL, X86_ST_GPRS | X86_ST_RIP | X86_ST_SYS},
	[H_OUTS] = {"outs", (void *)helper_outs, 2, IR_VOID, STRING, X86_ST_ALL, X86_ST_GPRS | X86_ST_RIP | X86_ST_SYS},
	[H_COUNT] = {.name = NULL},
};
/* clang-format on */

/* A read may make the device ask for an interrupt, or ask no more. */
static void lift_in(struct lift *l, const struct x86_insn *i)
{
	unsigned bytes = i->op[0].bytes;
	ir_ref v = lift_call(l, &x86_helpers_io[H_IN], lift_read_zext(l, i, 1, IR_I64),
			     lift_imm(l, IR_I64, bytes), IR_NONE);

	lift_write(l, i, 0, ir_trunc(l->b, ir_int_type(bytes), v));
	lift_end_next(l, i);
}

/* A write may reset, power off or remap the machine: look around after it. */
static void lift_out(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, &x86_helpers_io[H_OUT], lift_read_zext(l, i, 0, IR_I64),
		  lift_imm(l, IR_I64, i->op[1].bytes), lift_read_zext(l, i, 1, IR_I64));
	lift_end_next(l, i);
}

/* INS, OUTS: arg is the helper. */
static void lift_string(struct lift *l, const struct x86_insn *i)
{
	unsigned bytes = i->op[i->row->arg == H_INS ? 0 : 1].bytes;

	lift_call_end(l, &x86_helpers_io[i->row->arg], lift_imm(l, IR_I64, string_pack(i, bytes)),
		      lift_next_pc(l, i), IR_NONE);
}

#define IO  (X86_ORACLE_NO | X86_STARTS | X86_ENDS)
#define STR (IO | X86_REPPABLE)

/* clang-format off */
const struct x86_row x86_rows_io[] = {
	X86("E4", "AL, Ib", X86_FEAT_BASE, 0, 0, 0, lift_in, "in", IO),
	X86("E5", "RAX_z, Ib", X86_FEAT_BASE, 0, 0, 0, lift_in, "in", IO),
	X86("EC", "AL, DX", X86_FEAT_BASE, 0, 0, 0, lift_in, "in", IO),
	X86("ED", "RAX_z, DX", X86_FEAT_BASE, 0, 0, 0, lift_in, "in", IO),
	X86("E6", "Ib, AL", X86_FEAT_BASE, 0, 0, 0, lift_out, "out", IO),
	X86("E7", "Ib, RAX_z", X86_FEAT_BASE, 0, 0, 0, lift_out, "out", IO),
	X86("EE", "DX, AL", X86_FEAT_BASE, 0, 0, 0, lift_out, "out", IO),
	X86("EF", "DX, RAX_z", X86_FEAT_BASE, 0, 0, 0, lift_out, "out", IO),
	X86("6C", "Yb, DX", X86_FEAT_BASE, 0, 0, 0, lift_string, "ins", STR, H_INS),
	X86("6D", "Yz, DX", X86_FEAT_BASE, 0, 0, 0, lift_string, "ins", STR, H_INS),
	X86("6E", "DX, Xb", X86_FEAT_BASE, 0, 0, 0, lift_string, "outs", STR, H_OUTS),
	X86("6F", "DX, Xz", X86_FEAT_BASE, 0, 0, 0, lift_string, "outs", STR, H_OUTS),
	X86_ROWS_END,
};
