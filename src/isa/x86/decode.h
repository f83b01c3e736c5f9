/*
 * The x86 decoder: rows of one table per opcode family, an index built from them, and the decoded
 * instruction. SDM vol. 2, chapter 2 (formats) and appendix A (operand codes).
 */
#ifndef ISA_X86_DECODE_H
#define ISA_X86_DECODE_H

#include "isa/x86/cpu.h"
#include "isa/x86/cpuid.h"
#include "isa/x86/mode.h"

struct lift;
struct x86_insn;

/*
 * One row: all the facts of one encoding.
 *
 * enc, tokens separated by blanks, in this order:
 *   prefix   NP (none of 66 F3 F2) | 66 | F3 | F2      mandatory prefix; absent = any
 *   W0|W1    REX.W (or VEX.W) must be 0 | 1; absent = any
 *   map      0F | 0F38 | 0F3A; absent = one-byte map. (VEX rows: "VEX.128" "VEX.256" "VEX.L*" first.)
 *   opcode   "BC"; "B8+r" (8 opcodes, register in low bits); "80+c" (16 opcodes, condition)
 *   modrm    /r | /0../7 | a second byte "D0" = exact modrm; "C0+i" = 8 modrm bytes (x87 ST(i))
 *   mod      mem | reg restricts modrm.mod
 *
 * ops: operand codes separated by commas, as in appendix A:
 *   Eb Ew Ed Ev Ey(4/8) Ez  register or memory     Gb Gw Gd Gv Gy Gz  register from modrm.reg
 *   Rv Ry Rd  register only (modrm.rm)             M Mb Mw Md Mq Mdq(16) Mp Ms Mv  memory only
 *   Ew/Rv style mixes: Mw_Rv (memory 16, register opsize)  Md_Rd...
 *   Ib Iw Id Iz Iv(imm64 with REX.W) Isb (sign-extended to opsize)  Jb Jz  relative  Ap  far pointer
 *   Ob Ov  moffs     Zb Zv Zy  register from opcode low bits     Sw  segment register from modrm.reg
 *   Cy Dy  control, debug register     Xb Xv Yb Yv  string operands (implicit DS:rSI, ES:rDI)
 *   Vx(16)  xmm from modrm.reg; Ux xmm from modrm.rm, register only; Wx xmm or 16-byte memory
 *   (16-byte aligned unless the row says X86_UNALIGNED); Wss Wsd  xmm or 4/8-byte memory; Wb Ww too
 *   Pq  mmx from modrm.reg; Nq mmx modrm.rm register only; Qq mmx or 8-byte memory; Qd (4-byte)
 *   ST0 STi  x87;  AL AX EAX RAX_v(opsize) CL DX XMM0 ES CS SS DS FS GS  fixed registers;
 *   1  the constant. Further sizes: t(10) dq(16) qq(32). VEX.vvvv: Hx By; Lx  vector register from the
 *   high half of an immediate byte. x is 32 bytes with VEX.L
 *
 * Of several rows that match, one that names a prefix (NP included) wins over one that does not, then
 * the more exact modrm. A row whose feature or mode is absent is as if it were not there. With F2 or F3
 * rows of that prefix are tried, then rows without a prefix token; 66 is then the operand size.
 */
struct x86_row {
	const char *enc;
	const char *ops;
	uint16_t feature;	/* enum x86_feat; absent from the model: #UD */
	uint16_t flags_read, flags_written, flags_undefined; /* X86_CF | ... */
	void (*lift)(struct lift *l, const struct x86_insn *i);
	const char *text;	/* mnemonic; "%c" is replaced by the condition; "cbw|cwde|cdqe" has one
				   word for each operand size */
	uint32_t attr;		/* X86_NO64 | ... */
	uint32_t arg;		/* for lift: an ALU operation, a vop, a helper... */
};

#define X86(...)                                                                                   \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define X86_ROWS_END                                                                               \
	{                                                                                          \
		.enc = NULL                                                                        \
	}

enum {
	X86_NO64 = 1 << 0,	/* #UD in 64-bit code */
	X86_ONLY64 = 1 << 1,	/* #UD outside 64-bit code */
	X86_DEF64 = 1 << 2,	/* operand size defaults to 64 in 64-bit code (66 gives 16) */
	X86_FORCE64 = 1 << 3,	/* operand size is 64 in 64-bit code whatever the prefixes */
	X86_LOCKABLE = 1 << 4,	/* LOCK allowed when the destination is memory; else #UD */
	X86_UNALIGNED = 1 << 5,	/* 16-byte memory operand need not be aligned */
	X86_REPPABLE = 1 << 6,	/* F3/F2 are repeat prefixes, not mandatory ones */
	X86_PRIV = 1 << 7,	/* CPL 0 or #GP(0) */
	X86_IS_X87 = 1 << 8,	/* #NM if CR0.EM|TS; #MF if an exception is pending, unless X86_NOWAIT */
	X86_NOWAIT = 1 << 9,
	X86_IS_MMX = 1 << 10,	/* #UD if EM, #NM if TS, #MF if pending; sets TOP 0, all tags valid */
	X86_IS_SSE = 1 << 11,	/* #UD if EM or not OSFXSR, #NM if TS */
	X86_FP_EXC = 1 << 12,	/* may raise SIMD floating-point exceptions (#XM, or #UD) */
	X86_ENDS = 1 << 13,	/* always ends the block (lift emits the terminal op itself) */
	X86_NOT_REAL = 1 << 14,	/* #UD in real and virtual-8086 mode */
	X86_ORACLE_NO = 1 << 15, /* cannot run at CPL 3 on the host: left out of the silicon oracle */
	X86_RESERVED_NOP = 1 << 16,
	X86_STARTS = 1 << 17,	/* must be the first of its block: reads time or touches devices */
	X86_ALIGNED = 1 << 18,	/* VEX: 16- and 32-byte memory operands must be aligned */
	X86_VSIB = 1 << 19,	/* the index of the memory operand is a vector register */
	X86_JUMPS = 1 << 20,	/* a near jump, call or return that is always taken */
};

enum x86_opnd_kind {
	X86_OPND_NONE, X86_OPND_GPR, X86_OPND_MEM, X86_OPND_IMM, X86_OPND_REL, X86_OPND_SEG,
	X86_OPND_CR, X86_OPND_DR, X86_OPND_VEC, X86_OPND_MMX, X86_OPND_ST, X86_OPND_FAR,
	X86_OPND_STRING, /* Xb..Yv */
};

struct x86_opnd {
	uint8_t kind;	/* enum x86_opnd_kind */
	uint8_t reg;	/* register number; for high bytes see high8. MEM: what the operand would
			   be as a register (X86_OPND_GPR, _VEC, _MMX; _MEM if never one). IMM: 1 if
			   its value is in imm2. STRING: X86_RSI or X86_RDI */
	uint8_t bytes;	/* operand size */
	bool high8;	/* AH, CH, DH, BH: reg is 0..3, byte 1 of it */
};

enum { X86_OPND_MAX = 4, X86_INSN_MAX = 15 };

struct x86_insn {
	const struct x86_row *row;
	int32_t pc_offset;	/* from the block's first PC; negative where a trace went backwards */
	uint8_t len;
	uint8_t opsize;		/* 2, 4, 8 */
	uint8_t addrsize;	/* 2, 4, 8 */
	uint8_t opcode, modrm;
	uint8_t cond;		/* for +c rows; also low bits for +r/+i rows */
	bool has_modrm, lock, rep, repne, opsize_prefix, rex_w, has_rex;
	uint8_t rex;
	uint8_t vex_l, vex_v;	/* VEX: vector length bit; vvvv, all four bits */
	bool has_vex;
	/* memory operand */
	uint8_t seg;		/* effective enum x86_seg_index, override applied */
	uint8_t seg_override;	/* X86_SEG_NONE if there was no prefix */
	uint8_t base, index;	/* gpr, or X86_GPR_NONE; base may be X86_GPR_RIP; VSIB: index is a
				   vector register */
	uint8_t scale;		/* 0..3 */
	int64_t disp;
	/* immediates; sign- or zero-extended as the operand code says */
	int64_t imm, imm2;	/* imm2: ENTER's second, far pointer's selector */
	struct x86_opnd op[X86_OPND_MAX];
	uint8_t op_count;
};
enum { X86_GPR_NONE = 0xff, X86_GPR_RIP = 0xfe };

/* Index over all rows of all families, built once per machine (x86_decoder_create). */
struct x86_decoder;
struct x86_decoder *x86_decoder_create(void);
void x86_decoder_destroy(struct x86_decoder *d);

enum x86_decode_result {
	X86_DECODE_OK,
	X86_DECODE_UD,	    /* invalid: raise #UD (insn->len is what was consumed) */
	X86_DECODE_TOO_LONG, /* over 15 bytes: #GP(0) */
	X86_DECODE_MORE,    /* ran out of the bytes given: fetch further (next page) */
};

/* Decode one instruction from bytes[0..avail) for the given mode. */
enum x86_decode_result x86_decode(const struct x86_decoder *d, const uint8_t *bytes, unsigned avail,
				  x86_mode_t mode, const struct x86_cpuid_model *model,
				  struct x86_insn *out);

/* Intel-syntax text of a decoded instruction, for --dump guest and explain. */
int x86_insn_print(const struct x86_insn *i, uint64_t pc, char *buf, size_t len);

/* All families, for the decoder, the oracle, the shadow test and the fuzzer. */
extern const struct x86_row *const x86_families[]; /* NULL-terminated */

#endif
