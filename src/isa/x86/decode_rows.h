/*
 * Decode rows parsed into a form the decoder can match without touching strings, and the index
 * over them. Private to decode*.c and its tests.
 */
#ifndef ISA_X86_DECODE_ROWS_H
#define ISA_X86_DECODE_ROWS_H

#include "base/bits.h"
#include "isa/x86/decode.h"

enum x86_enc_prefix {
	X86_PREFIX_ANY, /* the row does not care; 66 means operand size */
	X86_PREFIX_NP,
	X86_PREFIX_66,
	X86_PREFIX_F3,
	X86_PREFIX_F2,
};

enum x86_enc_map { X86_MAP_1, X86_MAP_0F, X86_MAP_0F38, X86_MAP_0F3A, X86_MAP_COUNT };

enum x86_enc_modrm {
	X86_MODRM_NONE,
	X86_MODRM_R,	 /* /r */
	X86_MODRM_DIGIT, /* /0../7 */
	X86_MODRM_I,	 /* "C0+i": eight modrm bytes */
	X86_MODRM_EXACT, /* one modrm byte */
};

enum x86_enc_mod { X86_MOD_ANY, X86_MOD_MEM, X86_MOD_REG };
enum x86_enc_w { X86_W_ANY, X86_W_0, X86_W_1 };
enum x86_enc_vex { X86_VEX_NONE, X86_VEX_128, X86_VEX_256, X86_VEX_L_ANY };

/* Where an operand comes from. */
enum x86_opnd_src {
	X86_SRC_RM,	/* modrm.rm: register of `kind`, or memory */
	X86_SRC_REG,	/* modrm.reg */
	X86_SRC_OPCODE, /* low bits of the opcode */
	X86_SRC_VVVV,
	X86_SRC_IS4,	/* high half of an immediate byte */
	X86_SRC_IMM,	/* zero-extended */
	X86_SRC_IMM_SX, /* sign-extended to the operand size */
	X86_SRC_REL,
	X86_SRC_FAR,
	X86_SRC_MOFFS,
	X86_SRC_STRING,
	X86_SRC_FIXED, /* register `reg` of `kind` */
	X86_SRC_STI,
	X86_SRC_ONE,
};

/* Operand sizes: 0..32 are bytes. */
enum x86_opnd_size {
	X86_SIZE_V = 64, /* operand size */
	X86_SIZE_Y,	 /* 8 with operand size 8, else 4 */
	X86_SIZE_Z,	 /* 2 with operand size 2, else 4 */
	X86_SIZE_P,	 /* far pointer: operand size + 2 */
	X86_SIZE_S,	 /* descriptor-table register: 6, in 64-bit code 10 */
	X86_SIZE_X,	 /* vector: 16, with VEX.L 32 */
	X86_SIZE_CR,	 /* 4, in 64-bit code 8 */
};

struct x86_opnd_code {
	uint8_t src;	  /* enum x86_opnd_src */
	uint8_t kind;	  /* enum x86_opnd_kind, when it is a register */
	uint8_t size;	  /* bytes, or enum x86_opnd_size */
	uint8_t mem_size; /* the same, when it is memory */
	uint8_t reg;
};

struct x86_enc {
	const struct x86_row *row;
	uint32_t attr; /* the row's */
	uint8_t prefix, w, vex, map;
	uint8_t opcode, opcode_span; /* span: 1; 8 for +r; 16 for +c */
	uint8_t modrm_kind, modrm;   /* modrm: digit, or the (first) byte */
	uint8_t mod;
	bool mod_ignored; /* CR and DR moves: modrm.mod is taken as 3 */
	bool uses_vvvv;
	uint8_t rank; /* the higher matches first */
	uint8_t op_count;
	struct x86_opnd_code op[X86_OPND_MAX];
};

/* What, beside opcode and map, chooses the row, in one word. */
enum {
	X86_KEY_MODRM = 0xff,
	X86_KEY_MOD_REG = 1 << 8,      /* modrm.mod is 3 */
	X86_KEY_W = 1 << 9,
	X86_KEY_L = 1 << 10,
	X86_KEY_CODE64 = 1 << 11,
	X86_KEY_VVVV = 1 << 12,	       /* VEX.vvvv names a register */
	X86_KEY_REX_B = 1 << 13,
	X86_KEY_PREFIX_SHIFT = 14,     /* enum x86_enc_prefix, never ANY */
	X86_KEY_PREFIX = 7 << X86_KEY_PREFIX_SHIFT,
};

/* Parse a row's enc and ops. False with a message if it breaks the grammar of decode.h. */
bool x86_enc_parse(const struct x86_row *row, struct x86_enc *out, const char **why);

enum { X86_SLOT_COUNT = 2 * X86_MAP_COUNT * 256 };

/* A slot is one opcode of one map, legacy or VEX. */
static inline unsigned x86_slot(bool vex, unsigned map, unsigned opcode)
{
	return ((unsigned)vex * X86_MAP_COUNT + map) * 256 + opcode;
}

/* A row that may match in a slot. */
struct x86_candidate {
	uint32_t key, key_mask; /* the instruction's X86_KEY_ bits in key_mask must be key */
	uint16_t enc; /* number into enc */
	uint16_t feature;
};

struct x86_decode_slot {
	uint32_t first; /* into list; up to the next slot's */
	bool has_modrm;
};

struct x86_decoder {
	struct x86_enc *enc;
	unsigned enc_count;
	struct x86_candidate *list; /* slot after slot, best rank first */
	struct x86_decode_slot slot[X86_SLOT_COUNT + 1];
};

/* Bytes of an instruction as they are consumed. Once status is not OK, reads give 0. */
struct x86_cursor {
	const uint8_t *bytes;
	unsigned pos, avail;
	unsigned limit; /* reads up to here need no checks: avail or 15; 0 once status is not OK */
	enum x86_decode_result status;
	x86_mode_t mode;
};
/* Reads past the limit. */
uint64_t x86_cursor_fail(struct x86_cursor *c);

/* n bytes, 0 to 8, zero-extended */
static inline uint64_t x86_cursor_take(struct x86_cursor *c, unsigned n)
{
	const uint8_t *p = c->bytes + c->pos;
	uint64_t v = 0;

	if (UNLIKELY(c->pos + n > c->limit))
		return n ? x86_cursor_fail(c) : 0;
	if (LIKELY(c->pos + 8 <= c->avail))
		v = *(const u64_any *)p & bits_mask(8 * n);
	else
		for (unsigned k = 0; k < n; k++)
			v |= (uint64_t)p[k] << (8 * k);
	c->pos += n;
	return v;
}

/* decode_operands.c: the memory operand after modrm; then the operands of the row's codes and the
 * immediates. False: #UD. out has everything of the prefixes and opcode. */
bool x86_decode_memory(struct x86_cursor *c, bool vsib, struct x86_insn *out);
bool x86_decode_operands(struct x86_cursor *c, const struct x86_enc *e, struct x86_insn *out);

#endif
