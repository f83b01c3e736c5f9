/*
 * REP MOVS CMPS STOS LODS SCAS (SDM vol. 1, 7.3.9.2). Elements that lie in plain RAM are handled a
 * page run at a time through host pointers, everything else one by one through x86_mem_*.
 *
 * Registers follow every run, so a fault in the middle leaves them exact; the flags of CMPS and
 * SCAS are set only when the instruction ends, as the manual asks. One call goes on until what is
 * left is a multiple of STRING_CHUNK, wherever it began, so that a restart in the middle does not
 * change how often the instruction counts; it handles one element while single-stepping.
 */
#include <string.h>

#include "isa/x86/lift.h"
#include "isa/x86/mmu.h"
#include "isa/x86/segment.h"
#include "isa/x86/string.h"

enum { STRING_CHUNK = 4096 };

struct string {
	struct x86_cpu *cpu;
	unsigned bytes, addr_bytes;
	uint64_t addr_mask;
	enum x86_seg_index seg;
	bool repne, down;
	bool slow; /* every access needs its own checks */

	bool stop; /* the condition ended the repetition */
	uint64_t a, b;
};

/* One of the two operands at its current element. */
struct side {
	unsigned reg;
	enum x86_seg_index seg;
	enum x86_access access;
	uint64_t lin;
	uint8_t *host; /* NULL: element by element */
	bool code;     /* in a page that holds code, at gpa: see x86_mem_direct_code */
	uint64_t gpa;
};

static uint64_t elem_load(const uint8_t *p, unsigned bytes)
{
	switch (bytes) {
	case 1:
		return *p;
	case 2:
		return load_le16(p);
	case 4:
		return load_le32(p);
	default:
		return load_le64(p);
	}
}

static void elem_store(uint8_t *p, uint64_t v, unsigned bytes)
{
	switch (bytes) {
	case 1:
		*p = (uint8_t)v;
		break;
	case 2:
		store_le16(p, (uint16_t)v);
		break;
	case 4:
		store_le32(p, (uint32_t)v);
		break;
	default:
		store_le64(p, v);
		break;
	}
}

static uint64_t reg_merge(uint64_t old, uint64_t v, unsigned bytes)
{
	return bytes == 4 ? (uint32_t)v
			  : (old & ~bits_mask(bytes * 8)) | (v & bits_mask(bytes * 8));
}

static void reg_move(struct string *s, unsigned reg, uint64_t delta)
{
	uint64_t *r = &s->cpu->gpr[reg];

	*r = reg_merge(*r, *r + delta, s->addr_bytes);
}

static void side_advance(struct string *s, const struct side *d, uint64_t n)
{
	reg_move(s, d->reg, s->down ? -(n * s->bytes) : n * s->bytes);
}

static bool seg_is_flat(const struct string *s, enum x86_seg_index seg)
{
	return (s->cpu->mode & X86_MODE_CODE64) || ((s->cpu->mode & X86_MODE_FLAT) && seg < X86_FS);
}

static bool side_linear(const struct string *s, const struct side *d, uint64_t off, unsigned bytes,
			uint64_t *lin)
{
	if (!seg_is_flat(s, d->seg))
		return x86_seg_linear(s->cpu, d->seg, off, bytes, d->access, lin);
	*lin = off + (d->seg >= X86_FS ? s->cpu->seg[d->seg].base : 0);
	return true;
}

/* Do n elements fit the segment, the first at off? No fault is left behind. */
static bool run_in_segment(const struct string *s, const struct side *d, uint64_t off, uint64_t n)
{
	struct x86_fault fault = s->cpu->fault;
	uint32_t exit_code = s->cpu->exit_code;
	uint64_t lin;

	if (s->down)
		off -= (n - 1) * s->bytes;
	if (side_linear(s, d, off, (unsigned)(n * s->bytes), &lin))
		return true;
	s->cpu->fault = fault;
	s->cpu->exit_code = exit_code;
	return false;
}

/* How many elements fit. (Dividing takes as long as copying a hundred bytes.) */
static uint64_t elements(const struct string *s, uint64_t bytes)
{
	return bytes >> __builtin_ctz(s->bytes);
}

/* Elements from lin on, in the direction of travel, that stay in its page and do not wrap. */
static uint64_t run_limit(const struct string *s, uint64_t off, uint64_t lin, uint64_t page_run)
{
	uint64_t n, wrap;

	if (page_run < s->bytes || s->addr_mask - off < s->bytes - 1)
		return 0;
	if (s->down) {
		n = elements(s, lin & PAGE_OFFSET_MASK);
		wrap = elements(s, off);
		return (n < wrap ? n : wrap) + 1;
	}
	n = elements(s, page_run);
	wrap = elements(s, s->addr_mask - off - (s->bytes - 1)); /* and one more */
	return n <= wrap ? n : wrap + 1;
}

/* Find the current element of d and lower *n to how many can be had through d->host. False: fault.
 */
static bool side_open(const struct string *s, struct side *d, uint64_t *n)
{
	uint64_t off = s->cpu->gpr[d->reg] & s->addr_mask, run = 0, limit;

	d->host = NULL;
	if (!side_linear(s, d, off, s->bytes, &d->lin))
		return false;
	if (s->slow)
		return true;
	d->host = x86_mem_direct(s->cpu, d->lin, d->access, x86_mode_mmu(s->cpu->mode), &run);
	if (!d->host && d->access == X86_WRITE) {
		d->host = x86_mem_direct_code(s->cpu, d->lin, x86_mode_mmu(s->cpu->mode), &d->gpa);
		d->code = d->host;
		run = PAGE_BYTES - (d->lin & PAGE_OFFSET_MASK);
	}
	if (!d->host)
		return true;
	limit = run_limit(s, off, d->lin, run);
	if (limit < *n)
		*n = limit;
	if (*n == 0 || !run_in_segment(s, d, off, *n))
		d->host = NULL;
	return true;
}

static unsigned side_flags(const struct side *d)
{
	return d->seg == X86_SS ? X86_MEM_STACK : 0;
}

static bool side_read(const struct string *s, const struct side *d, uint64_t *v)
{
	*v = 0;
	return x86_mem_read(s->cpu, d->lin, v, s->bytes, x86_mode_mmu(s->cpu->mode), side_flags(d));
}

static bool side_write(const struct string *s, const struct side *d, uint64_t v)
{
	return x86_mem_write(s->cpu, d->lin, &v, s->bytes, x86_mode_mmu(s->cpu->mode),
			     side_flags(d));
}

static struct side side_source(const struct string *s)
{
	return (struct side){.reg = X86_RSI, .seg = s->seg, .access = X86_READ};
}

static struct side side_dest(enum x86_access access)
{
	return (struct side){.reg = X86_RDI, .seg = X86_ES, .access = access};
}

/* Lowest byte of a run of n elements whose first is at p. */
static uint8_t *run_base(const struct string *s, uint8_t *p, uint64_t n)
{
	return s->down ? p - (n - 1) * s->bytes : p;
}

static void run_stored(const struct string *s, const struct side *d, uint64_t n)
{
	uint64_t lowest = s->down ? d->gpa - (n - 1) * s->bytes : d->gpa;

	if (d->code)
		x86_mem_stored(s->cpu, lowest, n * s->bytes);
}

/* Copies element by element in the direction of travel; only an overlap ahead can tell. */
static void run_copy(const struct string *s, uint8_t *dst, uint8_t *src, uint64_t n)
{
	uintptr_t d = (uintptr_t)dst, p = (uintptr_t)src, len = n * s->bytes;
	bool ahead = s->down ? d < p && p - d < len : d > p && d - p < len;

	if (!ahead) {
		memmove(run_base(s, dst, n), run_base(s, src, n), len);
		return;
	}
	for (; n; n--) {
		elem_store(dst, elem_load(src, s->bytes), s->bytes);
		dst = s->down ? dst - s->bytes : dst + s->bytes;
		src = s->down ? src - s->bytes : src + s->bytes;
	}
}

/* Steps: handle up to n elements, move the index registers; how many, or 0 after a fault. */

static uint64_t step_movs(struct string *s, uint64_t n)
{
	struct side src = side_source(s), dst = side_dest(X86_WRITE);
	uint64_t v;

	if (!side_open(s, &src, &n) || !side_open(s, &dst, &n))
		return 0;
	if (src.host && dst.host) {
		run_copy(s, dst.host, src.host, n);
		run_stored(s, &dst, n);
	} else {
		n = 1;
		if (!side_read(s, &src, &v) || !side_write(s, &dst, v))
			return 0;
	}
	side_advance(s, &src, n);
	side_advance(s, &dst, n);
	return n;
}

static void run_fill(const struct string *s, uint8_t *p, uint64_t v, uint64_t n)
{
	uint64_t all = (v & 0xff) * 0x0101010101010101ull & bits_mask(s->bytes * 8);

	p = run_base(s, p, n);
	if (v == all) {
		memset(p, (int)(v & 0xff), n * s->bytes);
		return;
	}
	for (; n; n--, p += s->bytes)
		elem_store(p, v, s->bytes);
}

static uint64_t accumulator(const struct string *s)
{
	return s->cpu->gpr[X86_RAX] & bits_mask(s->bytes * 8);
}

static uint64_t step_stos(struct string *s, uint64_t n)
{
	struct side dst = side_dest(X86_WRITE);

	if (!side_open(s, &dst, &n))
		return 0;
	if (dst.host) {
		run_fill(s, dst.host, accumulator(s), n);
		run_stored(s, &dst, n);
	} else {
		n = 1;
		if (!side_write(s, &dst, accumulator(s)))
			return 0;
	}
	side_advance(s, &dst, n);
	return n;
}

static uint64_t step_lods(struct string *s, uint64_t n)
{
	struct side src = side_source(s);
	uint64_t v, *rax = &s->cpu->gpr[X86_RAX];

	if (!side_open(s, &src, &n))
		return 0;
	if (src.host) {
		v = elem_load(s->down ? run_base(s, src.host, n) : src.host + (n - 1) * s->bytes,
			      s->bytes);
	} else {
		n = 1;
		if (!side_read(s, &src, &v))
			return 0;
	}
	*rax = reg_merge(*rax, v, s->bytes);
	side_advance(s, &src, n);
	return n;
}

/* Note operands; does their comparison end the repetition? */
static bool compare(struct string *s, uint64_t a, uint64_t b)
{
	s->a = a;
	s->b = b;
	s->stop = (a == b) == s->repne;
	return s->stop;
}

static uint64_t step_cmps(struct string *s, uint64_t n)
{
	struct side x = side_source(s), y = side_dest(X86_READ);
	uint64_t a, b, k = 1;

	if (!side_open(s, &x, &n) || !side_open(s, &y, &n))
		return 0;
	if (x.host && y.host) {
		for (k = 0; k < n && !s->stop; k++) {
			uint64_t at = k * s->bytes;

			compare(s, elem_load(s->down ? x.host - at : x.host + at, s->bytes),
				elem_load(s->down ? y.host - at : y.host + at, s->bytes));
		}
	} else {
		if (!side_read(s, &x, &a) || !side_read(s, &y, &b))
			return 0;
		compare(s, a, b);
	}
	side_advance(s, &x, k);
	side_advance(s, &y, k);
	return k;
}

static uint64_t step_scas(struct string *s, uint64_t n)
{
	struct side y = side_dest(X86_READ);
	uint64_t b, k = 1;

	if (!side_open(s, &y, &n))
		return 0;
	if (y.host) {
		for (k = 0; k < n && !s->stop; k++) {
			uint64_t at = k * s->bytes;

			compare(s, accumulator(s),
				elem_load(s->down ? y.host - at : y.host + at, s->bytes));
		}
	} else {
		if (!side_read(s, &y, &b))
			return 0;
		compare(s, accumulator(s), b);
	}
	side_advance(s, &y, k);
	return k;
}

static struct string string_make(struct x86_cpu *cpu, uint64_t arg)
{
	struct string s = {.cpu = cpu, .bytes = arg & 0xf, .addr_bytes = arg >> 4 & 0xf};

	s.addr_mask = bits_mask(s.addr_bytes * 8);
	s.seg = (enum x86_seg_index)(arg >> 8 & 0xf);
	s.repne = arg >> 12 & 1;
	s.down = cpu->rflags & X86_DF;
	s.slow = cpu->mode & (X86_MODE_AC | X86_MODE_BREAK);
	return s;
}

static uint64_t string_run(struct x86_cpu *cpu, uint64_t arg, bool compares,
			   uint64_t (*step)(struct string *s, uint64_t n))
{
	struct string s = string_make(cpu, arg);
	uint64_t left = cpu->gpr[X86_RCX] & s.addr_mask, todo, n;

	if (!left)
		return 1;
	todo = cpu->mode & X86_MODE_TF ? 1 : (left - 1) % STRING_CHUNK + 1;
	for (left -= todo; todo && !s.stop; todo -= n) {
		n = step(&s, todo);
		if (!n)
			return 0;
		reg_move(&s, X86_RCX, -n);
	}
	if ((left || todo) && !s.stop)
		return 0;
	if (compares) {
		unsigned log2 = s.bytes == 8 ? 3 : s.bytes >> 1;

		cpu->cc_kind = IR_FLAGS_KEY(IR_FLAGS_SUB, log2);
		cpu->cc_a = s.a;
		cpu->cc_b = s.b;
	}
	return 1;
}

static uint64_t x86_rep_movs(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return string_run(cpu, a, false, step_movs);
}

static uint64_t x86_rep_cmps(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return string_run(cpu, a, true, step_cmps);
}

static uint64_t x86_rep_stos(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return string_run(cpu, a, false, step_stos);
}

static uint64_t x86_rep_lods(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return string_run(cpu, a, false, step_lods);
}

static uint64_t x86_rep_scas(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return string_run(cpu, a, true, step_scas);
}

#define STRING_FLAGS (IR_HELPER_FAULTS | IR_HELPER_MEMORY)
#define ST_CX	     X86_ST_GPR(X86_RCX)
#define ST_SI	     X86_ST_GPR(X86_RSI)
#define ST_DI	     X86_ST_GPR(X86_RDI)
#define ST_AX	     X86_ST_GPR(X86_RAX)
#define ST_ALL_READ  (X86_ST_RFLAGS | X86_ST_SEGS | X86_ST_SYS | ST_CX)

/* clang-format off */
const struct ir_helper x86_helpers_string[] = {
	[X86_STRING_MOVS] = {"rep_movs", x86_rep_movs, 1, IR_I64, STRING_FLAGS, ST_ALL_READ | ST_SI | ST_DI, ST_CX | ST_SI | ST_DI},
	[X86_STRING_CMPS] = {"rep_cmps", x86_rep_cmps, 1, IR_I64, STRING_FLAGS, ST_ALL_READ | ST_SI | ST_DI | X86_ST_FLAGS, ST_CX | ST_SI | ST_DI | X86_ST_FLAGS},
	[X86_STRING_STOS] = {"rep_stos", x86_rep_stos, 1, IR_I64, STRING_FLAGS, ST_ALL_READ | ST_DI | ST_AX, ST_CX | ST_DI},
	[X86_STRING_LODS] = {"rep_lods", x86_rep_lods, 1, IR_I64, STRING_FLAGS, ST_ALL_READ | ST_SI | ST_AX, ST_CX | ST_SI | ST_AX},
	[X86_STRING_SCAS] = {"rep_scas", x86_rep_scas, 1, IR_I64, STRING_FLAGS, ST_ALL_READ | ST_DI | ST_AX | X86_ST_FLAGS, ST_CX | ST_DI | X86_ST_FLAGS},
	{NULL},
};
/* clang-format on */
