/*
 * The silicon oracle: random user-level blocks run natively and in an engine, and must leave the
 * same registers, flags, memory and fault. What its files share. How it works: docs/oracle.md.
 */
#ifndef TESTS_ORACLE_ORACLE_H
#define TESTS_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "host/host.h"
#include "isa/x86/decode_rows.h"

/* Linear addresses, the same natively and in the engine. */
enum {
	DATA_BASE = 0x10000000,
	DATA_RW_PAGES = 4, /* then one read-only page, a hole, a page, a hole */
	DATA_READONLY = DATA_BASE + 0x4000,
	DATA_HOLE = DATA_BASE + 0x5000,
	DATA_ISLAND = DATA_BASE + 0x6000,
	DATA_PAGES = 7, /* the hole at 5 is kept as bytes nobody can see */
	DATA_BYTES = DATA_PAGES * 0x1000,
	CODE_BASE = 0x20000000,
	CODE_BYTES = 0x2000,
	GS_BASE = DATA_BASE + 0x1800, /* in 64-bit code */
};

enum { CASE_INSNS_MAX = 8, CASE_BYTES_MAX = 160, CODE_FILL = 0xf4 /* HLT: a fault where it is */ };

/* Selectors of Linux for its programs. */
enum { SEL_USER64 = 0x33, SEL_USER32 = 0x23, SEL_USER_DATA = 0x2b };

/* 16-bit code has segments of its own in the LDT: 64 KiB of code at CODE_BASE, and of data and
 * stack at DATA_BASE. */
enum { SEL_CODE16 = 0x07, SEL_DATA16 = 0x0f };

/* Flags that are compared; RF in particular is not. */
#define FLAGS_COMPARED (X86_ARITH_FLAGS | X86_TF | X86_DF | X86_IOPL | X86_NT | X86_AC | X86_ID)

enum { END_ENDLESS = -1 }; /* in `vector`: the block did not come to an end */

/* Everything a user-level program can see of its CPU, and how the block ended. */
struct oracle_state {
	uint64_t gpr[16], rip, rflags;
	uint16_t fcw, fsw, fop;
	uint8_t ftag; /* abridged, by physical register */
	uint64_t fip, fdp;
	uint32_t mxcsr;
	struct {
		uint64_t mant;
		uint16_t sexp;
	} st[8]; /* by stack order: ST(0) first */
	uint64_t vec[16][4]; /* upper halves 0 where there is no AVX */
	int vector; /* not in a start state */
	uint32_t error;
	uint64_t cr2;
};

/* Where one instruction of a case is, and what is undefined once it has run. */
struct case_insn {
	uint8_t at, len;
	const struct x86_row *row;
	uint32_t undefined; /* flags and UNDEFINED_X87, after it */
};

struct oracle_case {
	uint64_t seed, number;
	bool code64, code16; /* neither: 32-bit code */
	uint32_t code_at;    /* linear address */
	uint8_t bytes[CASE_BYTES_MAX];
	unsigned len, insns;
	struct case_insn insn[CASE_INSNS_MAX];
	struct oracle_state start;
};

/* RIP at the start of the block. */
static inline uint32_t case_pc(const struct oracle_case *c)
{
	return c->code_at - (c->code16 ? (uint32_t)CODE_BASE : 0);
}

struct outcome {
	struct oracle_state end;
	uint8_t data[DATA_BYTES];
};

/* ---- random.c: numbers that find bugs. The stream is the caller's. */
uint64_t random_next(uint64_t *r);
uint64_t random_edge(uint64_t *r, unsigned bytes);
bool random_chance(uint64_t *r, unsigned percent);
uint64_t random_pointer(uint64_t *r); /* into or about the data pages */
/* data: what DS and SS add to an address. */
void random_state(uint64_t *r, bool code64, uint32_t data, bool avx, struct oracle_state *s);
void random_memory(uint64_t *r, uint8_t data[DATA_BYTES]);
void random_vector(uint64_t *r, uint64_t v[2]);

/* ---- generate.c */
struct generator {
	const struct x86_decoder *decoder;
	const struct x86_cpuid_model *model;
	const struct x86_enc **enc; /* those that may be drawn */
	unsigned count;
	unsigned max_insns;
	int bits; /* 16, 32 or 64; 0: all of them */
};
/* name: only rows of that mnemonic in the last place of a block, or NULL. False: there are none. */
bool generator_init(struct generator *g, const struct x86_decoder *d,
		    const struct x86_cpuid_model *model, const char *name);
void generator_case(const struct generator *g, uint64_t seed, uint64_t number,
		    struct oracle_case *c);
x86_mode_t case_mode(const struct oracle_case *c);
/* Recompute the facts of each instruction from the bytes; after a shrink. */
void case_annotate(const struct generator *g, struct oracle_case *c);

/* ---- exclude.c: rows that cannot be compared, why; and what to overlook. */
const char *exclude_row(const struct x86_row *r);
const char *exclude_insn(const struct x86_insn *i);
/* What may not be read in a block after it, beside flags_undefined; and what of that it reads. */
/* A saved image has undefined fields: no instruction may follow. */
bool exclude_more(const struct x86_row *r);
#define UNDEFINED_X87 (1u << 31) /* condition codes in FSW */
uint32_t exclude_undefined(const struct x86_row *r);
uint32_t exclude_reads(const struct x86_row *r);
/* Reason why this outcome says nothing, or NULL. What may differ is made equal in engine. */
const char *exclude_outcome(const struct oracle_case *c, const struct outcome *native,
			    struct outcome *engine);
void exclude_list(FILE *f, const struct x86_decoder *d);

/* ---- native.c: the host CPU. One per process. */
bool native_setup(const char **why);
/* What of AVX the host has, and lets its programs use. */
bool native_has_avx(void);
void native_run(const struct oracle_case *c, const uint8_t data[DATA_BYTES], struct outcome *out);

/* ---- machine.c: an engine */
struct machine;
struct engine;
struct engine_config;
/* with: all but the decoder, which is its own. */
struct machine *machine_create(const struct engine *e, const struct engine_config *with);
void machine_destroy(struct machine *m);
void machine_run(struct machine *m, const struct oracle_case *c, const uint8_t data[DATA_BYTES],
		 struct outcome *out);
const struct x86_decoder *machine_decoder(const struct machine *m);
const struct x86_cpuid_model *machine_model(const struct machine *m);
/* The IR of the case's first block, before and after passes. */
void machine_print_ir(struct machine *m, const struct oracle_case *c, uint64_t disabled, FILE *f);

/* ---- engine.c */
/* False, with a message, if the words are wrong. */
bool oracle_stress(const char *list, struct engine_config *cfg);
/* The host code of the case's first block, if the engine makes some. */
void machine_print_host(const struct engine *e, const struct engine_config *with,
			const struct oracle_case *c, const uint8_t data[DATA_BYTES], FILE *f);

/* ---- compare.c */
bool outcome_equal(const struct oracle_case *c, const struct outcome *native,
		   const struct outcome *engine);
/* One short word for each thing that differs: "rax flags mem". */
void outcome_summary(const struct oracle_case *c, const struct outcome *native,
		     const struct outcome *engine, char *buf, size_t len);
void case_print(const struct oracle_case *c, const struct x86_decoder *d, FILE *f);
void outcome_print(const struct oracle_case *c, const uint8_t data[DATA_BYTES],
		   const struct outcome *native, const struct outcome *engine, FILE *f);

#endif
