/*
 * Code generation for one block or trace, from IR to host code, in one pass over the operations
 * with the uses counted before (analyze.c). See docs/architecture.md for the picture.
 *
 * - A value is in a host register, in a spill slot, in its guest register's place in the CPU
 *   struct ("home"), or a constant. A `get` of a pinned guest register is an alias of the pin.
 * - Values whose bits are another's (zext of what is zero-extended already, trunc) have it as
 *   their representative `rep` and cost nothing.
 * - `put` of a pinned register aims to be free: the operation that makes the value is told to
 *   make it in the pin (`hint`).
 * - put_flags is pending until someone may look: exits, calls, and the slow paths of memory
 *   accesses store it, out of the way of the hot path.
 */
#ifndef ENGINE_TRANSLATE_X64_GEN_H
#define ENGINE_TRANSLATE_X64_GEN_H

#include "base/bits.h"
#include "base/error.h"
#include "engine/translate/x64/asm.h"
#include "engine/translate/x64/frame.h"
#include "host/host.h"
#include "ir/ir.h"
#include "isa/x86/mode.h"
#include "isa/x86/regs.h"

enum {
	VAL_ALIAS = 1 << 0,  /* reg is a pinned register: not the value's own */
	VAL_SPILLED = 1 << 1,
	VAL_HOME = 1 << 2,   /* in guest state at `home` too */
	VAL_ZX = 1 << 3,     /* bits above the type are 0 in the register */
	VAL_FUSED = 1 << 4,  /* compare: emitted at its only user */
	VAL_FOLDED = 1 << 5, /* address arithmetic: emitted as part of the access */
	VAL_VEC = 1 << 6,    /* lives in a vector register */
	VAL_VEC_LOAD = 1 << 7, /* an integer load whose only user wants it in a vector register */
	VAL_NO_CARRY = 1 << 9, /* packed flags of which nobody wants CF and OF */
	VAL_VEX = 1 << 8,    /* 128 bits, made with 0 in the register's upper half: its zext too */
};

struct val {
	uint8_t reg;	 /* host register, or X64_NO_REG */
	uint8_t hint;	 /* pin to make the value in, or X64_NO_REG */
	uint16_t flags;
	ir_ref rep;
	uint16_t last;	 /* index of the last operation that needs it, cold paths included */
	uint16_t real;	 /* ... but for pending flags */
	uint16_t uses;
	uint16_t slot;
	uint32_t home;
	ir_ref next;	 /* in state_list */
};

/* Flags that guest state does not show yet. */
struct pending {
	bool active;
	bool stored[4]; /* cc_a, cc_b, cc_c, cc_kind are in place */
	uint32_t key;
	ir_ref arg[3];
};

/* Where an operand is, for code that is emitted later. */
struct place {
	uint8_t kind; /* PLACE_* */
	uint8_t reg;
	uint8_t target; /* 0..3: cc_a, cc_b, cc_c, cc_kind */
	int32_t disp;
	uint64_t imm;
};
enum { PLACE_REG, PLACE_MEM, PLACE_CONST };

struct flush { /* stores that make the pending flags visible */
	unsigned count;
	struct place place[4];
};

/* The x87's pointers that guest state does not show yet. */
struct x87_note {
	bool active;
	uint8_t seg;	/* of the last memory operand, or X87_WHAT_SEG_NONE: fds is in place */
	uint16_t fop;
	int32_t offset; /* of the instruction, from the page's start */
};
enum { X87_UNTOUCHED, X87_LIVE, X87_IN_MEMORY }; /* a block's x87 instructions are done where */

/* What a probe of the TLB looks up. */
struct gen_range {
	int32_t lo, hi; /* from the address: the first byte, the byte whose page is compared */
	unsigned align, mmu;
	bool write;
};

/* Code out of the way, emitted after the block's last operation. */
struct cold {
	uint8_t kind; /* COLD_* */
	uint8_t reg;	  /* linear address */
	uint8_t reg2;	  /* value */
	uint8_t rmw;	  /* host address for the write to come: 0 after a slow read; or X64_NO_REG */
	bool vec, vex;
	bool is_const;	  /* store: value is imm */
	bool alone;	  /* load, store: first probe for this access only, at `address` */
	int32_t zero;	  /* ... having cleared this slot of frame.group, a displacement or 0 */
	uint16_t distances; /* access: registers that gen.distance_of speaks of behind it */
	struct x64_mem address;
	int32_t imm;
	struct place place; /* COLD_STORE after a read of the same place: linear address */
	enum ir_type type;
	bool site;	  /* load, store: first have thunks.fill look for `range`, at `linear` */
	uint8_t linear;
	uint8_t addend;	  /* ... the result's register */
	struct gen_range range;
	int32_t entry;	  /* ... displacement of the entry of cpu->site */
	uint8_t *found;	  /* ... where it goes on */
	uint8_t *from[3]; /* jumps that lead here */
	uint8_t *back;	  /* where it goes on */
	uint16_t index;	  /* IR operation */
	int16_t guest;	  /* number of its instruction */
	uint32_t access;
	uint32_t unretired;
	int64_t delta;	  /* exit */
	uint16_t link;
	int32_t offset;	  /* of the guest instruction, from the page's start */
	uint8_t len;
	struct flush flush;
	struct x87_note note;
};
enum { COLD_LOAD, COLD_STORE, COLD_STORE_AGAIN, COLD_ATOMIC, COLD_EXIT, COLD_LINK, COLD_POLL,
       COLD_BUDGET, COLD_VEC, COLD_INDIRECT, COLD_DIVIDE, COLD_X87, COLD_X87_ACCESS, COLD_X87_FLDCW,
       COLD_COND };

/* Places in the emitted code, as offsets from its start. */
struct gen_link {
	uint32_t jump;	 /* displacement to patch */
	uint32_t stub;	 /* what it leads to while not linked */
	uint32_t place;	 /* return address of the stub's call: frame.place */
	uint32_t expect; /* cross-page: the immediate that holds the page number expected, or 0 */
	int32_t target;	 /* guest offset from the page's start */
};
struct gen_fault {
	uint32_t place;	 /* frame.place when the operation aborts */
	int32_t offset;	 /* its instruction, from the page's start */
	uint16_t index;	 /* instructions of the block before it */
	uint8_t len;
};

enum { GEN_JUMP_BITS = 14, GEN_JUMP_SIZE = 1 << GEN_JUMP_BITS };
/* cpu->jump_table: where a RIP's code is. The index tells the low bits of RIP from the others, so
 * that the tag has room for a mode beside all 64 bits: an address that is not canonical is no
 * other's. An entry that a flush emptied keeps its code, for jumps_again. What is not in its place may
 * be in the second one. */
struct gen_jump {
	uint64_t tag;
	const uint8_t *code;
};
enum { GEN_JUMP_MODES = 4 };
struct gen_jumps {
	struct gen_jump entry[GEN_JUMP_SIZE];
	struct { /* modes last in use, by their MMU index, and their tags; ~0: none */
		x86_mode_t mode;
		uint32_t tag;
	} mode[GEN_JUMP_MODES];
};
static inline unsigned gen_jump_mode(x86_mode_t mode)
{
	return mode >> X86_MODE_MMU_SHIFT & (GEN_JUMP_MODES - 1);
}
static inline unsigned gen_jump_index(uint64_t rip)
{
	return (unsigned)((rip ^ rip >> PAGE_BITS) & (GEN_JUMP_SIZE - 1));
}
static inline unsigned gen_jump_second(unsigned index)
{
	return index ^ GEN_JUMP_SIZE / 2;
}
_Static_assert(GEN_JUMP_BITS > PAGE_BITS, "page and index are all of RIP");
/* mode_tag: gen_source.tag */
static inline uint64_t gen_jump_tag(uint64_t rip, uint64_t mode_tag)
{
	return align_down(rip, PAGE_BYTES) + mode_tag;
}

enum { GEN_COLD_MAX = 2048, GEN_LINKS_MAX = 512, GEN_FAULTS_MAX = 4096, GEN_RELATIVE_MAX = 8192 };

/* Accesses that share a probe. lo, hi: from the address of the first access. */
struct gen_group {
	uint16_t first; /* IR operation */
	uint16_t members;
	int32_t lo, hi;
	uint8_t mmu;
	int32_t slot; /* displacement of the distance to host memory */
	bool write, apart;
	unsigned align; /* mask of the first access's address */
};
enum { GEN_GROUPS_MAX = 512 };

/* A page of the code: at, from the start of the page that the code begins in, by linear addresses. */
struct gen_page {
	int32_t at;
	uint64_t gpa;
};
enum { GEN_PAGES_MAX = 4, GEN_NO_PAGE = 0x7fffffff /* no page has this number */ };
/* The physical address of what is at an offset from the first page's start; ~0: in none of them. */
static inline uint64_t gen_page_gpa(const struct gen_page *page, unsigned count, int32_t offset)
{
	for (unsigned k = 0; k < count; k++)
		if ((uint32_t)offset - (uint32_t)page[k].at < PAGE_BYTES)
			return page[k].gpa + (uint32_t)(offset - page[k].at);
	return ~0ull;
}

/* What is to be compiled, and where it came from. */
struct gen_source {
	const struct ir_block *b;
	x86_mode_t mode;
	uint64_t gpa;	   /* of its first byte */
	const struct gen_page *page; /* all it is from; that of gpa comes first */
	unsigned page_count;
	uint64_t tag;	   /* of the mode in the jump table, below PAGE_BYTES; or no jumps */
	bool loop;	   /* a round of a loop, or several */
	/* Bits by gen_mark: instructions that are better without a site; first ones of groups that are
	 * better taken apart. */
	const uint64_t *wanderers, *apart;
	uint32_t cc_kind; /* what guest flags mostly are at its start; only speed depends on it */
	uint32_t crossing; /* bit k: the instruction k bytes before the page's end goes on behind it */
};

/* An access with an entry of cpu->site of its own. */
struct gen_site {
	uint16_t index;
	bool group;   /* serves a group */
	uint64_t gpa; /* of its instruction */
};
enum { GEN_SITES_MAX = 64, GEN_MARKS = 4096 };
static inline unsigned gen_mark(uint64_t gpa)
{
	return (unsigned)((gpa ^ gpa >> 12) % GEN_MARKS);
}
static inline bool gen_marked(const uint64_t *marks, uint64_t gpa)
{
	return marks[gen_mark(gpa) / 64] >> gen_mark(gpa) % 64 & 1;
}

struct gen {
	/* fixed */
	struct pins pins;
	struct thunks thunks;
	struct host_cpu cpu; /* what may be used of the host */
	unsigned vec_bytes;
	bool no_chain;
	bool sites_always; /* a stress option: not in loops only */
	uint32_t site_next[2 * X86_MMU_COUNT];

	/* the block at hand */
	struct x64_asm a;
	const struct gen_source *src;
	const struct ir_block *b;
	uint8_t *start;
	int32_t page_offset; /* of the block's first byte */
	unsigned index;	     /* operation being emitted */
	int guest;	     /* current instruction's number */
	int32_t guest_offset;
	uint8_t guest_len;
	bool uses_vec;
	uint8_t x87;	     /* X87_* */
	unsigned x87_last;   /* last operation that wants it in the host's */
	struct x87_note x87_note;
	bool failed;	     /* too large for some table: compile less */

	ir_ref owner[16], vec_owner[16]; /* of temporaries */
	uint32_t locked, vec_locked;
	ir_ref slot_owner[FRAME_INT_SLOTS], vec_slot_owner[FRAME_VEC_SLOTS];
	ir_ref state_list[32]; /* values that alias or have their home in guest GPR 0-15, vector 16-31 */
	struct pending pending;
	const uint8_t *flags_at; /* host flags are those of flags_val up to here */
	ir_ref flags_val;
	const uint8_t *packed_at; /* the same for the operation packed_val, whose result is flags */
	ir_ref packed_val;
	/* a read-modify-write in progress: host address of its memory, 0 after a slow read */
	ir_ref rmw_address;
	uint8_t rmw_reg;
	enum ir_type rmw_type;

	struct gen_group group[GEN_GROUPS_MAX];
	unsigned group_count;
	uint16_t group_of[IR_BLOCK_MAX]; /* number + 1 of an access's group, or 0 */
	/* ... whose distance to host memory is still in this temporary, or 0; nobody's otherwise. 0 there
	 * means none, as in the slot. */
	uint16_t distance_of[16];

	/* The last address that was computed: a pinned register and a constant, if base is a register. */
	struct {
		uint8_t reg, base;
		int32_t disp;
	} address;

	struct gen_site site[GEN_SITES_MAX];
	unsigned site_count;

	struct cold cold[GEN_COLD_MAX];
	unsigned cold_count, cold_done; /* cold_done: of operations before this one */
	struct gen_link link[GEN_LINKS_MAX];
	unsigned link_count;
	struct gen_fault fault[GEN_FAULTS_MAX];
	unsigned fault_count;
	uint32_t relative[GEN_RELATIVE_MAX]; /* see struct x64_asm; how many: a.relative_count */
	size_t hot_bytes; /* what follows is cold */
	struct val val[IR_BLOCK_MAX];
};

/* Compile src into the buffer [at, end), to be moved from there (x64_move). Returns the bytes used, 0
 * if it does not fit the buffer or a table. Links, faults, sites, `relative` and hot_bytes are left in g. */
size_t gen_compile(struct gen *g, const struct gen_source *src, uint8_t *at, uint8_t *end);

/* ---- analyze.c */
void gen_analyze(struct gen *g);
bool gen_is_sync_point(const struct ir_insn *i);
/* Of 128-bit results (vec_ops.c): made in a pinned register, do they leave its upper half alone? Can
 * they be made with the upper half 0? */
bool gen_keeps_upper(const struct gen *g, const struct ir_insn *i);
bool gen_can_clear_upper(const struct gen *g, const struct ir_insn *i);
/* A vector operation whose result is packed flags. */
bool gen_makes_flags(const struct ir_insn *i);
/* Compare i asks for bits of such a result, *of: the condition. */
bool gen_asks_flags(const struct gen *g, const struct ir_insn *i, ir_ref *of, enum x64_cc *cc);

/* ---- x87.c */
void gen_x87_analyze(struct gen *g);
/* Emit call i as an x87 instruction of the host, if it is one of those. */
bool gen_x87(struct gen *g, const struct ir_insn *i, ir_ref v);
/* The x87 to where the block wants it, after what may have taken it away. */
void gen_x87_ensure(struct gen *g);
/* The status word to memory, if it is not there. */
void gen_x87_status(struct gen *g);
/* Pending pointers to guest state: now; in cold code. */
void gen_x87_flush(struct gen *g);
void gen_cold_x87_note(struct gen *g, const struct x87_note *n);
void gen_cold_x87(struct gen *g, const struct cold *c);
void gen_cold_x87_access(struct gen *g, const struct cold *c);

/* ---- divide.c */
/* A call of a helper that divides, which gen_divide emits; temporaries are free, arguments in place. */
bool gen_is_divide(const struct gen *g, const struct ir_insn *i);
void gen_divide(struct gen *g, const struct ir_insn *i);

/* ---- group.c */
void gen_group_accesses(struct gen *g);

/* ---- alloc.c: values to registers. Registers handed out stay locked until gen_end_op. `vec` chooses
 * the bank; masks have a bit per host register of it. */
static inline ir_ref gen_rep(const struct gen *g, ir_ref v)
{
	return g->val[v].rep;
}
static inline uint32_t gen_bit(unsigned reg)
{
	return reg < 32 ? 1u << reg : 0;
}
/* Bytes of a vector register that v needs. */
static inline unsigned gen_vec_bytes(const struct gen *g, ir_ref v)
{
	return g->b->insn[v].type == IR_V256 || (g->val[v].flags & VAL_VEX) ? 32 : 16;
}
void gen_reset(struct gen *g);
/* The register that holds v, loaded if need be. */
unsigned gen_use(struct gen *g, ir_ref v);
unsigned gen_use_vec(struct gen *g, ir_ref v);
/* A temporary for the duration of this operation. */
unsigned gen_temp(struct gen *g);
unsigned gen_temp_vec(struct gen *g);
/* A certain temporary, emptied and locked. */
void gen_take(struct gen *g, unsigned reg);
void gen_take_vec(struct gen *g, unsigned reg);
void gen_release(struct gen *g, unsigned reg); /* a temporary is not needed any more */
/* A register for the result v: the pin it is to end in, or a temporary, perhaps that of an operand
 * that dies here. Never one in `keep`: what is still read after the result begins to be written. */
unsigned gen_def(struct gen *g, ir_ref v, uint32_t keep);
unsigned gen_def_vec(struct gen *g, ir_ref v, uint32_t keep);
/* The same, holding a's value already. */
unsigned gen_def_copy(struct gen *g, ir_ref v, ir_ref a, uint32_t keep);
unsigned gen_def_copy_vec(struct gen *g, ir_ref v, ir_ref a, uint32_t keep);
/* Is this operation the last to use v, for pending flags too? */
bool gen_dies(const struct gen *g, ir_ref v);
/* v is in temporary reg (locked, without owner) from now on. */
void gen_bind(struct gen *g, ir_ref v, unsigned reg);
void gen_bind_vec(struct gen *g, ir_ref v, unsigned reg);
/* Constant value? Its bits above the type are 0. */
bool gen_const(const struct gen *g, ir_ref v, uint64_t *out);
/* The same, as an immediate that is sign-extended from 32 bits to the type. */
bool gen_const32(const struct gen *g, ir_ref v, int32_t *out);
/* Before guest state [offset, +bytes) is overwritten: save the values that stand for it. */
void gen_state_written(struct gen *g, uint32_t offset, unsigned bytes);
/* v now equals guest register state at offset: in pin `reg`, or in memory only (X64_NO_REG). */
void gen_state_equals(struct gen *g, ir_ref v, uint32_t offset, unsigned reg);
/* Unlock all; free what the operation was the last to use. */
void gen_end_op(struct gen *g);
/* Values in temporaries that live on go to memory: before calls into C. */
void gen_spill_temps(struct gen *g);
struct place gen_place(struct gen *g, ir_ref v);
/* The host address kept for a read-modify-write is not good any more, or its register is wanted. */
void gen_rmw_cancel(struct gen *g);
/* Guest register number of a state offset: 0-15, 16-31 (vectors), or -1. */
int gen_state_reg(uint32_t offset);
static inline unsigned gen_pin(const struct gen *g, int state_reg)
{
	return state_reg < 0 ? X64_NO_REG
	       : state_reg < 16 ? g->pins.gpr[state_reg]
				: g->pins.vec[state_reg - 16];
}

/* ---- flags.c */
void gen_put_flags(struct gen *g, ir_ref f);
void gen_flags_retire(struct gen *g, ir_ref v); /* v's register is wanted: store it in place */
bool gen_flags_hold(const struct gen *g, ir_ref v);
void gen_flags_snapshot(struct gen *g, struct flush *f);
void gen_flags_store(struct gen *g, const struct flush *f);
void gen_flags_flush(struct gen *g);
/* Emit what makes host flags say whether compare or condition v holds; the condition code. */
enum x64_cc gen_test(struct gen *g, ir_ref v);
void emit_compare(struct gen *g, const struct ir_insn *i, ir_ref v);
/* The host's flags, which it made as it does flags of this kind, packed into RAX, for v; what v leaves out
 * is 0. t: what gen_pack_temp gave before. */
unsigned gen_pack_temp(struct gen *g, unsigned kind, ir_ref v);
void gen_pack_host(struct gen *g, unsigned kind, unsigned t);
void emit_pack_flags(struct gen *g, const struct ir_insn *i, ir_ref v);
/* Called by generated code: packed flags of frame.access, arg. */
uint64_t gen_eval_tuple(void *cpu, uint64_t a, uint64_t b, uint64_t c);

/* ---- guess.c */
/* Condition v, of flags in guest state; v, which packs them. */
void gen_guess(struct gen *g, const struct ir_insn *i, ir_ref v);
void gen_guess_packed(struct gen *g, ir_ref v);
void gen_cold_cond(struct gen *g, const struct cold *c);
/* Called by generated code: condition frame.access of guest flags to frame.value; or all flags. */
enum { GEN_ALL_FLAGS = 16 };
void gen_cond_state(struct x86_cpu *cpu);

/* ---- rules: one per IR operation */
typedef void (*gen_rule)(struct gen *g, const struct ir_insn *i, ir_ref v);
extern const gen_rule gen_rules[IR_OP_COUNT];

void emit_binary(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_shift(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_mul(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_mul_high(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_unary(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_count(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_select(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_extend(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_pc(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_get(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_put(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_load(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_store(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_atomic(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_fence(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_vop(struct gen *g, const struct ir_insn *i, ir_ref v);
/* Load 4, 8 or 16 bytes; the rest of the whole register becomes 0. */
void gen_load_vex(struct gen *g, unsigned bytes, unsigned reg, struct x64_mem m);
/* Moves of 4, 8 (memory only), 16 or 32 bytes. With AVX about, those that need not keep the upper half
 * of a pinned register are VEX-encoded: legacy SSE instructions beside 256-bit ones cost a hundred
 * times their worth on some processors. */
void gen_movv_rr(struct gen *g, unsigned bytes, unsigned dst, unsigned src);
void gen_movv_rm(struct gen *g, unsigned bytes, unsigned dst, struct x64_mem m);
void gen_movv_mr(struct gen *g, unsigned bytes, struct x64_mem m, unsigned src);
void emit_get_vec(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_put_vec(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_extend_vec(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_call(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_exit_if(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_exit_unless(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_exit_moved(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_exit(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_exit_indirect(struct gen *g, const struct ir_insn *i, ir_ref v);
void emit_exit_state(struct gen *g, const struct ir_insn *i, ir_ref v);

/* Address of an access (folded arithmetic included) in a register. *temp: it is a temporary of this
 * operation, which may be changed. */
unsigned gen_address(struct gen *g, const struct ir_insn *i, bool *temp);
void gen_call(struct gen *g, uint8_t *thunk, bool may_abort);
void gen_vec_ensure(struct gen *g); /* guest vectors into host registers after a call */
/* Where it is, for C code that may ask. */
void gen_helper_place(struct gen *g);
/* ---- mem.c */
/* An entry's place in its table, from a linear address: shift right, and mask. */
enum {
	GEN_TLB_ENTRY_BITS = 5,
	GEN_TLB_SHIFT = PAGE_BITS - GEN_TLB_ENTRY_BITS,
	GEN_TLB_MASK = (X86_TLB_SIZE - 1) << GEN_TLB_ENTRY_BITS,
};
_Static_assert(sizeof(struct x86_tlb_entry) == 1 << GEN_TLB_ENTRY_BITS, "entries are found by shifts");
/* What access i looks up. */
struct gen_range gen_range_of(const struct ir_insn *i, bool write);
/* Compare the TLB entry for linear address ra; leaves where in the table the entry is in t1,
 * clobbers t2. Returns the jump taken on a miss. */
uint8_t *gen_probe(struct gen *g, const struct gen_range *r, unsigned ra, unsigned t1, unsigned t2);
/* The distance to host memory of the entry there. */
struct x64_mem gen_addend(unsigned mmu, unsigned t1);
/* Cold code of access i at ra, to which `from` leads. */
struct cold *gen_cold_access(struct gen *g, unsigned kind, const struct ir_insn *i, unsigned ra,
			     uint8_t *from);
/* Is the value read by load i written back to the same place by its instruction, by the way that keeps
 * its host address for it? */
bool gen_is_rmw(const struct gen *g, const struct ir_insn *i);
/* Cold code of an access may have made distances wrong. */
void gen_cold_distances(struct gen *g, const struct cold *c);
/* Cold code of a load or store: fill its site; try alone. Each falls through if it fails. */
void gen_cold_site(struct gen *g, const struct cold *c);
void gen_cold_alone(struct gen *g, const struct cold *c);
struct cold *gen_cold(struct gen *g, unsigned kind);
void gen_cold_emit(struct gen *g);
/* Physical address of the instruction at an offset from the first page's start. */
static inline uint64_t gen_insn_gpa(const struct gen *g, int32_t offset)
{
	return gen_page_gpa(g->src->page, g->src->page_count, offset);
}
void gen_fault_here(struct gen *g, unsigned index, int32_t offset, unsigned len);
void gen_prologue(struct gen *g);
/* RIP is in RAX: the address of its entry in the jump table to RCX, its page to RDX. */
void gen_jump_entry(struct x64_asm *a);
/* RIP, in RAX, is the target: find its block in the jump table or leave. */
void gen_emit_jump(struct gen *g);

#endif
