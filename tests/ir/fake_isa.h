/* A small made-up ISA for IR tests: sixteen 64-bit registers, two vectors, lazy flags, and helpers
 * of every kind. State offsets: r0..r15 from 0, w0 and w1 (32 bytes) from 256, flags at 384. */
#ifndef TESTS_IR_FAKE_ISA_H
#define TESTS_IR_FAKE_ISA_H

#include "ir/ir.h"

enum {
	FAKE_R = 0,
	FAKE_W = 256,
	FAKE_CC = 384,
	FAKE_RIP = 416,
	FAKE_BYTES = 424,
	FAKE_GROUP_W = 1 << 16,
	FAKE_GROUP_FLAGS = 1 << 17,
	FAKE_GROUP_RIP = 1 << 18,
};

#define FAKE_REG(n)                                                                                \
	{                                                                                          \
		"r" #n, FAKE_R + 8 * n, 8, 1ull << n                                               \
	}

static const struct ir_state_reg fake_regs[] = {
	FAKE_REG(0),
	FAKE_REG(1),
	FAKE_REG(2),
	FAKE_REG(3),
	FAKE_REG(4),
	FAKE_REG(5),
	FAKE_REG(6),
	FAKE_REG(7),
	FAKE_REG(8),
	FAKE_REG(9),
	FAKE_REG(10),
	FAKE_REG(11),
	FAKE_REG(12),
	FAKE_REG(13),
	FAKE_REG(14),
	FAKE_REG(15),
	{"w0", FAKE_W, 32, FAKE_GROUP_W},
	{"w1", FAKE_W + 32, 32, FAKE_GROUP_W},
	{"cc_a", FAKE_CC, 8, FAKE_GROUP_FLAGS},
	{"cc_b", FAKE_CC + 8, 8, FAKE_GROUP_FLAGS},
	{"cc_c", FAKE_CC + 16, 8, FAKE_GROUP_FLAGS},
	{"cc_kind", FAKE_CC + 24, 4, FAKE_GROUP_FLAGS},
	{"rip", FAKE_RIP, 8, FAKE_GROUP_RIP},
	{NULL},
};

/* No test calls them. */
static const struct ir_helper fake_helpers[] = {
	{"pure", NULL, 2, IR_I64, IR_HELPER_PURE, 0, 0},
	{"pure_reads_r1", NULL, 0, IR_I64, IR_HELPER_PURE, 1 << 1, 0},
	{"faults", NULL, 1, IR_VOID, IR_HELPER_FAULTS, 0, 0},
	{"memory", NULL, 2, IR_I32, IR_HELPER_MEMORY, 0, 0},
	{"reads_r1", NULL, 0, IR_VOID, 0, 1 << 1, 0},
	{"writes_r1", NULL, 1, IR_VOID, 0, 0, 1 << 1},
	{"reads_flags", NULL, 0, IR_I64, 0, FAKE_GROUP_FLAGS, 0},
	{"writes_flags", NULL, 0, IR_VOID, 0, 0, FAKE_GROUP_FLAGS},
	{"sets_pc", NULL, 1, IR_VOID, IR_HELPER_SETS_PC, 0, FAKE_GROUP_RIP},
	{NULL},
};

static const struct ir_helper *const fake_families[] = {fake_helpers, NULL};

static const struct ir_isa fake_isa = {
	.name = "fake",
	.regs = fake_regs,
	.helper_families = fake_families,
	.rip_offset = FAKE_RIP,
	.cc_a_offset = FAKE_CC,
	.cc_b_offset = FAKE_CC + 8,
	.cc_c_offset = FAKE_CC + 16,
	.cc_kind_offset = FAKE_CC + 24,
	.flags_group = FAKE_GROUP_FLAGS,
};

#endif
