/*
 * The builder: appends operations, folding as it goes (fold.c). A block that outgrows its storage
 * is marked and keeps taking calls without writing; what they return is then only a ref that is
 * safe to pass on.
 */
#include "ir/ir.h"

#include "base/bits.h"
#include "ir/pass/folder_add.h"

void ir_block_init(struct ir_block *b, const struct ir_isa *isa, struct ir_insn *storage,
		   uint32_t cap)
{
	*b = (struct ir_block){.isa = isa, .insn = storage, .cap = cap};
}

/* Append n, folded if the block has a folder; without one only what folds at once is folded. */
static inline ir_ref add(struct ir_block *b, enum ir_op op, struct ir_insn *n)
{
	ir_ref r;

	if (LIKELY(b->folder))
		return ir_folder_add(b, op, n);
	r = ir_fold(b, op, n);
	return r != IR_NONE ? r : ir_block_append(b, n, false);
}

static inline struct ir_insn make(enum ir_op op, enum ir_type t, ir_ref x, ir_ref y, ir_ref z,
				  int64_t imm)
{
	struct ir_insn n;

	ir_insn_set(&n, ir_insn_head(op, t, x, y), z, (uint64_t)imm);
	return n;
}

/* Append n, which may leave the block. */
static inline ir_ref add_observer(struct ir_block *b, enum ir_op op, const struct ir_insn *n)
{
	return b->folder ? ir_folder_observer(b, op, n) : ir_block_append(b, n, true);
}

bool ir_is_const(const struct ir_block *b, ir_ref r, uint64_t *v)
{
	if (b->insn[r].op != IR_CONST)
		return false;
	*v = (uint64_t)b->insn[r].imm;
	return true;
}

ir_ref ir_const(struct ir_block *b, enum ir_type t, uint64_t v)
{
	struct ir_insn n = make(IR_CONST, t, IR_NONE, IR_NONE, IR_NONE,
				(int64_t)(v & bits_mask(ir_type_bits(t))));

	return add(b, IR_CONST, &n);
}

ir_ref ir_get(struct ir_block *b, enum ir_type t, uint32_t offset)
{
	struct ir_insn n = make(IR_GET, t, IR_NONE, IR_NONE, IR_NONE, offset);

	return add(b, IR_GET, &n);
}

void ir_put(struct ir_block *b, uint32_t offset, ir_ref v)
{
	struct ir_insn n = make(IR_PUT, ir_type_of(b, v), v, IR_NONE, IR_NONE, offset);

	add(b, IR_PUT, &n);
}

ir_ref ir_get_flags(struct ir_block *b)
{
	struct ir_insn n = make(IR_GET_FLAGS, IR_FLAGS, IR_NONE, IR_NONE, IR_NONE, 0);

	return add(b, IR_GET_FLAGS, &n);
}

void ir_put_flags(struct ir_block *b, ir_ref f)
{
	struct ir_insn n = make(IR_PUT_FLAGS, IR_FLAGS, f, IR_NONE, IR_NONE, 0);

	add(b, IR_PUT_FLAGS, &n);
}

ir_ref ir_pc(struct ir_block *b, int64_t delta)
{
	struct ir_insn n = make(IR_PC, IR_I64, IR_NONE, IR_NONE, IR_NONE, delta);

	return add(b, IR_PC, &n);
}

ir_ref ir_bin(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y)
{
	struct ir_insn n = make(op, ir_type_of(b, x), x, y, IR_NONE, 0);

	return add(b, op, &n);
}

ir_ref ir_bin_imm(struct ir_block *b, enum ir_op op, ir_ref x, uint64_t imm)
{
	uint32_t before = b->count;
	ir_ref c = ir_const(b, ir_type_of(b, x), imm);
	struct ir_insn n = make(op, ir_type_of(b, x), x, c, IR_NONE, 0);
	ir_ref r = ir_fold(b, op, &n);

	/* Take the constant back if folding left nothing that names it. */
	if (r != c && (r != IR_NONE || n.op == IR_CONST))
		b->count = before;
	if (r == IR_NONE && b->folder && (b->folder->what & IR_DOES_FOLD_VALUES))
		r = ir_values_find(&b->folder->values, b, &n);
	return r != IR_NONE ? r : ir_block_append(b, &n, false);
}

ir_ref ir_un(struct ir_block *b, enum ir_op op, ir_ref x)
{
	struct ir_insn n = make(op, ir_type_of(b, x), x, IR_NONE, IR_NONE, 0);

	return add(b, op, &n);
}

ir_ref ir_cmp(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y)
{
	struct ir_insn n = make(op, IR_I8, x, y, IR_NONE, ir_type_of(b, x));

	return add(b, op, &n);
}

ir_ref ir_select(struct ir_block *b, ir_ref cond, ir_ref x, ir_ref y)
{
	struct ir_insn n = make(IR_SELECT, ir_type_of(b, x), cond, x, y, 0);

	return add(b, IR_SELECT, &n);
}

ir_ref ir_zext(struct ir_block *b, enum ir_type t, ir_ref x)
{
	struct ir_insn n = make(IR_ZEXT, t, x, IR_NONE, IR_NONE, 0);

	return add(b, IR_ZEXT, &n);
}

ir_ref ir_sext(struct ir_block *b, enum ir_type t, ir_ref x)
{
	struct ir_insn n = make(IR_SEXT, t, x, IR_NONE, IR_NONE, 0);

	return add(b, IR_SEXT, &n);
}

ir_ref ir_trunc(struct ir_block *b, enum ir_type t, ir_ref x)
{
	struct ir_insn n = make(IR_TRUNC, t, x, IR_NONE, IR_NONE, 0);

	return add(b, IR_TRUNC, &n);
}

ir_ref ir_make_flags(struct ir_block *b, enum ir_flags_kind k, enum ir_type t, ir_ref x, ir_ref y,
		     ir_ref z)
{
	struct ir_insn n =
		make(IR_MAKE_FLAGS, IR_FLAGS, x, y, z, IR_FLAGS_KEY(k, ir_type_log2(t) & 3));

	return add(b, IR_MAKE_FLAGS, &n);
}

ir_ref ir_cond(struct ir_block *b, enum ir_cond c, ir_ref flags)
{
	struct ir_insn n = make(IR_COND, IR_I8, flags, IR_NONE, IR_NONE, c);

	return add(b, IR_COND, &n);
}

ir_ref ir_pack_flags(struct ir_block *b, ir_ref flags)
{
	struct ir_insn n = make(IR_PACK_FLAGS, IR_I64, flags, IR_NONE, IR_NONE, 0);

	return add(b, IR_PACK_FLAGS, &n);
}

static inline ir_ref memory(struct ir_block *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y,
			    ir_ref z, unsigned mmu, unsigned flags)
{
	struct ir_insn n;

	ir_insn_set(&n,
		    ir_insn_head(op, t, x, y) | (flags & 0xff) << 16 | (uint64_t)(mmu & 0xff) << 24,
		    z, 0);
	return add_observer(b, op, &n);
}

ir_ref ir_load(struct ir_block *b, enum ir_type t, ir_ref addr, unsigned mmu, unsigned flags)
{
	return memory(b, IR_LOAD, t, addr, IR_NONE, IR_NONE, mmu, flags);
}

void ir_store(struct ir_block *b, ir_ref addr, ir_ref v, unsigned mmu, unsigned flags)
{
	memory(b, IR_STORE, ir_type_of(b, v), addr, v, IR_NONE, mmu, flags);
}

ir_ref ir_atomic(struct ir_block *b, enum ir_op op, ir_ref addr, ir_ref x, ir_ref y, unsigned mmu,
		 unsigned flags)
{
	return memory(b, op, ir_type_of(b, x), addr, x, y, mmu, flags);
}

void ir_fence(struct ir_block *b)
{
	struct ir_insn n = make(IR_FENCE, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 0);

	ir_block_append(b, &n, true);
}

ir_ref ir_vop(struct ir_block *b, unsigned vop, unsigned imm8, ir_ref x, ir_ref y, ir_ref z)
{
	bool twin = vop_table[vop].twin && ir_type_of(b, x) == IR_V256;
	enum ir_type t = twin ? IR_V256 : (enum ir_type)vop_table[vop].result;
	struct ir_insn n = make(IR_VOP, t, x, y, z, vop | (int64_t)(imm8 & 0xff) << 16);

	return add(b, IR_VOP, &n);
}

ir_ref ir_call(struct ir_block *b, const struct ir_helper *h, ir_ref x, ir_ref y, ir_ref z)
{
	struct ir_insn n = make(IR_CALL, (enum ir_type)h->result, x, y, z, (int64_t)(uintptr_t)h);

	return add(b, IR_CALL, &n);
}

void ir_guest(struct ir_block *b, int32_t offset, unsigned len)
{
	struct ir_insn n;

	ir_insn_set(&n,
		    ir_insn_head(IR_GUEST, IR_VOID, IR_NONE, IR_NONE) | (uint64_t)(len & 0xff)
										<< 16,
		    IR_NONE, (uint64_t)(int64_t)offset);
	ir_block_append(b, &n, true);
	if (b->overflow)
		return;
	b->guest_count++;
	ir_block_grow(b, offset, len);
}

void ir_exit_if(struct ir_block *b, ir_ref cond, int64_t delta)
{
	struct ir_insn n = make(IR_EXIT_IF, IR_VOID, cond, IR_NONE, IR_NONE, delta);

	add_observer(b, IR_EXIT_IF, &n);
}

void ir_exit_unless(struct ir_block *b, ir_ref pc, int64_t delta)
{
	struct ir_insn n = make(IR_EXIT_UNLESS, IR_VOID, pc, IR_NONE, IR_NONE, delta);

	add_observer(b, IR_EXIT_UNLESS, &n);
}

void ir_exit_moved(struct ir_block *b, int64_t delta)
{
	struct ir_insn n = make(IR_EXIT_MOVED, IR_VOID, IR_NONE, IR_NONE, IR_NONE, delta);

	add_observer(b, IR_EXIT_MOVED, &n);
}

void ir_exit(struct ir_block *b, int64_t delta)
{
	struct ir_insn n = make(IR_EXIT, IR_VOID, IR_NONE, IR_NONE, IR_NONE, delta);

	add_observer(b, IR_EXIT, &n);
}

void ir_exit_indirect(struct ir_block *b, ir_ref pc)
{
	struct ir_insn n = make(IR_EXIT_INDIRECT, IR_VOID, pc, IR_NONE, IR_NONE, 0);

	add_observer(b, IR_EXIT_INDIRECT, &n);
}

void ir_exit_state(struct ir_block *b)
{
	struct ir_insn n = make(IR_EXIT_STATE, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 0);

	add_observer(b, IR_EXIT_STATE, &n);
}
