/*
 * Guest memory in the interpreter: the inline TLB probe of isa/x86/cpu.h for each width and address
 * form, with mmu.h's slow path behind it; atomics on host atomics, or, when the host cannot do them
 * (misaligned across a page, device memory), abandoned to be run again with other CPUs stopped.
 */
#include <string.h>

#include "engine/atomic.h"
#include "engine/interpret/iop.h"

#define MMU(op)	  ((op)->c & 3u)
#define FLAGS(op) ((unsigned)(op)->c >> 2 & 0x1f)
#define SCALE(op) ((op)->c >> 7)

static inline uint64_t address_plain(struct x86_cpu *cpu, const struct iop *op)
{
	return *(const uint64_t *)SLOT(op->a) + (uint64_t)(int64_t)op->imm;
}

static inline uint64_t address_indexed(struct x86_cpu *cpu, const struct iop *op)
{
	return *(const uint64_t *)SLOT(op->a) + (*(const uint64_t *)SLOT(op->b) << SCALE(op)) +
	       (uint64_t)(int64_t)op->imm;
}

static inline const struct x86_tlb *tlb_of(struct x86_cpu *cpu, const struct iop *op)
{
	return &cpu->tlb[MMU(op)];
}

static inline bool tlb_hit(uint64_t tag, uint64_t lin, unsigned bytes)
{
	return LIKELY(((lin + bytes - 1) & ~PAGE_OFFSET_MASK) == tag);
}

static inline bool tlb_reads(const struct x86_tlb *t, uint64_t lin, unsigned bytes)
{
	return tlb_hit(t->entry[x86_tlb_index(lin)].tag_read, lin, bytes);
}

static inline bool tlb_writes(const struct x86_tlb *t, uint64_t lin, unsigned bytes)
{
	return tlb_hit(t->entry[x86_tlb_index(lin)].tag_write, lin, bytes);
}

static inline void *tlb_host(const struct x86_tlb *t, uint64_t lin)
{
	return (void *)(uintptr_t)(lin + t->entry[x86_tlb_index(lin)].addend);
}

/* The slow ways out of line; they go on with the next operation or abandon the block. */

/* Apart from load_slow: a local whose address is taken would keep NEXT there from being a jump, and
 * a loop of slow loads would grow the stack. */
static __attribute__((noinline)) bool load_slow_value(struct x86_cpu *cpu, const struct iop *op,
						      uint64_t lin, unsigned bytes, bool wide)
{
	union x86_vec v = {.u64 = {0}};

	if (!x86_mem_read(cpu, lin, &v, bytes, (enum x86_mmu_index)MMU(op), FLAGS(op)))
		return false;
	memcpy(SLOT(op->d), &v, wide ? 8 : bytes);
	return true;
}

static __attribute__((noinline)) const struct iop *
load_slow(struct x86_cpu *cpu, const struct iop *op, uint64_t lin, unsigned bytes, bool wide)
{
	if (!load_slow_value(cpu, op, lin, bytes, wide))
		return iop_abort(cpu, op);
	NEXT;
}

static __attribute__((noinline)) const struct iop *store_slow(struct x86_cpu *cpu,
							      const struct iop *op, uint64_t lin,
							      const void *value, unsigned bytes)
{
	if (!x86_mem_write(cpu, lin, value, bytes, (enum x86_mmu_index)MMU(op), FLAGS(op)))
		return iop_abort(cpu, op);
	NEXT;
}

/* The value of a store of a constant. */
static inline int64_t imm_value(const struct iop *op)
{
	return (int32_t)((uint32_t)op->d | (uint32_t)op->b << 16);
}

static __attribute__((noinline)) bool store_slow_value(struct x86_cpu *cpu, const struct iop *op,
						       uint64_t lin, unsigned bytes)
{
	int64_t value = imm_value(op);

	return x86_mem_write(cpu, lin, &value, bytes, (enum x86_mmu_index)MMU(op), FLAGS(op));
}

static __attribute__((noinline)) const struct iop *
store_slow_imm(struct x86_cpu *cpu, const struct iop *op, uint64_t lin, unsigned bytes)
{
	if (!store_slow_value(cpu, op, lin, bytes))
		return iop_abort(cpu, op);
	NEXT;
}

typedef volatile u16_any mem16;
typedef volatile u32_any mem32;
typedef volatile u64_any mem64;
typedef volatile uint8_t mem8;

#define LOAD(name, address, type, wide, is_wide)                                                   \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		uint64_t lin = address(cpu, op);                                                   \
		const struct x86_tlb *t = tlb_of(cpu, op);                                         \
		if (!tlb_reads(t, lin, sizeof(type)))                                              \
			return load_slow(cpu, op, lin, sizeof(type), is_wide);                     \
		*(wide *)SLOT(op->d) = *(const type *)tlb_host(t, lin);                            \
		NEXT;                                                                              \
	}
#define STORE(name, address, type)                                                                 \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		uint64_t lin = address(cpu, op);                                                   \
		const struct x86_tlb *t = tlb_of(cpu, op);                                         \
		if (!tlb_writes(t, lin, sizeof(type)))                                             \
			return store_slow(cpu, op, lin, SLOT(op->d), sizeof(type));                \
		*(type *)tlb_host(t, lin) = *(const type *)SLOT(op->d);                            \
		NEXT;                                                                              \
	}
#define STORE_IMM(name, type)                                                                      \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		uint64_t lin = address_plain(cpu, op);                                             \
		const struct x86_tlb *t = tlb_of(cpu, op);                                         \
		if (!tlb_writes(t, lin, sizeof(type)))                                             \
			return store_slow_imm(cpu, op, lin, sizeof(type));                         \
		*(type *)tlb_host(t, lin) = (type)imm_value(op);                                   \
		NEXT;                                                                              \
	}
/* Vector accesses: two or four 64-bit halves; alignment faults are the slow path's. */
#define LOAD_VEC(name, address, bytes)                                                             \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		uint64_t lin = address(cpu, op);                                                   \
		const struct x86_tlb *t = tlb_of(cpu, op);                                         \
		if (!tlb_reads(t, lin, bytes) || (FLAGS(op) && (lin & ((bytes)-1))))               \
			return load_slow(cpu, op, lin, bytes, false);                              \
		__builtin_memcpy(SLOT(op->d), tlb_host(t, lin), bytes);                            \
		NEXT;                                                                              \
	}
#define STORE_VEC(name, address, bytes)                                                            \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		uint64_t lin = address(cpu, op);                                                   \
		const struct x86_tlb *t = tlb_of(cpu, op);                                         \
		if (!tlb_writes(t, lin, bytes) || (FLAGS(op) && (lin & ((bytes)-1))))              \
			return store_slow(cpu, op, lin, SLOT(op->d), bytes);                       \
		__builtin_memcpy(tlb_host(t, lin), SLOT(op->d), bytes);                            \
		NEXT;                                                                              \
	}

LOAD(iop_load8, address_plain, mem8, uint8_t, false)
LOAD(iop_load16, address_plain, mem16, uint16_t, false)
LOAD(iop_load32, address_plain, mem32, uint64_t, true)
LOAD(iop_load64, address_plain, mem64, uint64_t, true)
LOAD(iop_load8_wide, address_plain, mem8, uint64_t, true)
LOAD(iop_load16_wide, address_plain, mem16, uint64_t, true)
LOAD(iop_load8_indexed, address_indexed, mem8, uint8_t, false)
LOAD(iop_load16_indexed, address_indexed, mem16, uint16_t, false)
LOAD(iop_load32_indexed, address_indexed, mem32, uint64_t, true)
LOAD(iop_load64_indexed, address_indexed, mem64, uint64_t, true)
LOAD(iop_load8_wide_indexed, address_indexed, mem8, uint64_t, true)
LOAD(iop_load16_wide_indexed, address_indexed, mem16, uint64_t, true)
LOAD_VEC(iop_load128, address_plain, 16)
LOAD_VEC(iop_load128_indexed, address_indexed, 16)
LOAD_VEC(iop_load256, address_plain, 32)
LOAD_VEC(iop_load256_indexed, address_indexed, 32)
STORE(iop_store8, address_plain, mem8)
STORE(iop_store16, address_plain, mem16)
STORE(iop_store32, address_plain, mem32)
STORE(iop_store64, address_plain, mem64)
STORE(iop_store8_indexed, address_indexed, mem8)
STORE(iop_store16_indexed, address_indexed, mem16)
STORE(iop_store32_indexed, address_indexed, mem32)
STORE(iop_store64_indexed, address_indexed, mem64)
STORE_VEC(iop_store128, address_plain, 16)
STORE_VEC(iop_store128_indexed, address_indexed, 16)
STORE_VEC(iop_store256, address_plain, 32)
STORE_VEC(iop_store256_indexed, address_indexed, 32)
STORE_IMM(iop_store8_imm, mem8)
STORE_IMM(iop_store16_imm, mem16)
STORE_IMM(iop_store32_imm, mem32)
STORE_IMM(iop_store64_imm, mem64)

IOP_FN(iop_load_checked)
{
	return load_slow(cpu, op, address_plain(cpu, op), op->b, op->b < 8);
}

IOP_FN(iop_store_checked)
{
	return store_slow(cpu, op, address_plain(cpu, op), SLOT(op->d), op->b);
}

iop_fn iop_find_load(enum ir_type t, bool indexed, bool wide)
{
	static const iop_fn narrow_fns[][2] = {
		[IR_I8] = {iop_load8, iop_load8_indexed},
		[IR_I16] = {iop_load16, iop_load16_indexed},
		[IR_I32] = {iop_load32, iop_load32_indexed},
		[IR_I64] = {iop_load64, iop_load64_indexed},
		[IR_V128] = {iop_load128, iop_load128_indexed},
		[IR_V256] = {iop_load256, iop_load256_indexed},
	};

	if (wide && t == IR_I8)
		return indexed ? iop_load8_wide_indexed : iop_load8_wide;
	if (wide && t == IR_I16)
		return indexed ? iop_load16_wide_indexed : iop_load16_wide;
	return narrow_fns[t][indexed];
}

iop_fn iop_find_store(enum ir_type t, bool indexed)
{
	static const iop_fn fns[][2] = {
		[IR_I8] = {iop_store8, iop_store8_indexed},
		[IR_I16] = {iop_store16, iop_store16_indexed},
		[IR_I32] = {iop_store32, iop_store32_indexed},
		[IR_I64] = {iop_store64, iop_store64_indexed},
		[IR_V128] = {iop_store128, iop_store128_indexed},
		[IR_V256] = {iop_store256, iop_store256_indexed},
	};

	return fns[t][indexed];
}

iop_fn iop_find_store_imm(enum ir_type t)
{
	static const iop_fn fns[] = {
		[IR_I8] = iop_store8_imm,
		[IR_I16] = iop_store16_imm,
		[IR_I32] = iop_store32_imm,
		[IR_I64] = iop_store64_imm,
	};

	return fns[t];
}

/* ---- atomics: the operands in registers, the old value as the result */

/* Apart from atomic for the same reason as load_slow_value. */
static __attribute__((noinline)) bool atomic_value(struct x86_cpu *cpu, const struct iop *op,
						   enum ir_op kind)
{
	enum ir_type t = (enum ir_type)(op->imm & 0xff);
	struct atomic a = {.op = kind,
			   .bytes = ir_type_bytes(t),
			   .lin = *(const uint64_t *)SLOT(op->a),
			   .mmu = (enum x86_mmu_index)MMU(op),
			   .flags = FLAGS(op)};
	uint64_t old;

	memcpy(&a.x, SLOT(op->b), a.bytes);
	memcpy(&a.y, SLOT((uint32_t)op->imm >> 16), a.bytes);
	if (!atomic_do(cpu, &a, &old))
		return false;
	memcpy(SLOT(op->d), &old, a.bytes == 4 ? 8 : a.bytes);
	return true;
}

static const struct iop *atomic(struct x86_cpu *cpu, const struct iop *op, enum ir_op kind)
{
	if (!atomic_value(cpu, op, kind))
		return iop_abort(cpu, op);
	NEXT;
}

static IOP_FN(iop_atomic_xchg)
{
	return atomic(cpu, op, IR_ATOMIC_XCHG);
}

static IOP_FN(iop_atomic_add)
{
	return atomic(cpu, op, IR_ATOMIC_ADD);
}

static IOP_FN(iop_atomic_and)
{
	return atomic(cpu, op, IR_ATOMIC_AND);
}

static IOP_FN(iop_atomic_or)
{
	return atomic(cpu, op, IR_ATOMIC_OR);
}

static IOP_FN(iop_atomic_xor)
{
	return atomic(cpu, op, IR_ATOMIC_XOR);
}

static IOP_FN(iop_atomic_cmpxchg)
{
	return atomic(cpu, op, IR_ATOMIC_CMPXCHG);
}

iop_fn iop_find_atomic(enum ir_op op)
{
	static const iop_fn fns[] = {
		iop_atomic_xchg, iop_atomic_add, iop_atomic_and,
		iop_atomic_or,	 iop_atomic_xor, iop_atomic_cmpxchg,
	};

	return fns[op - IR_ATOMIC_XCHG];
}

IOP_FN(iop_fence)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	NEXT;
}
