/* The interpreter's own duties on a tiny flat machine: exact budgets, faults in the middle of a
 * block, self-modifying code, and the flag and address fusions of its lowering. */
#include "test.h"

#include "box.h"
#include "engine_choice.h"

enum { RAM_BYTES = 1 << 20, CODE = 0x1000 };

static int setup(void **state)
{
	struct box *b = box_create(RAM_BYTES, "max", engine_choice(), NULL);

	assert_non_null(b);
	box_enter_flat(b, CODE, 0x8000);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	box_destroy(*state);
	return 0;
}

static enum engine_exit run(struct box *b, const char *code, size_t len, uint64_t insns)
{
	box_put(b, CODE, code, len);
	return box_run(b, insns);
}

#define RUN(b, code, insns) run(b, code, sizeof(code) - 1, insns)

static void budget_is_exact(void **state)
{
	struct box *b = *state;

	/* inc eax x 8 (40); jmp back */
	assert_int_equal(RUN(b, "\x40\x40\x40\x40\x40\x40\x40\x40\xeb\xf6", 1000),
			 ENGINE_EXIT_BUDGET);
	assert_int_equal(b->cpu->insns, 1000);
	assert_int_equal(b->cpu->gpr[X86_RAX], 1000 / 9 * 8 + 1000 % 9);
	assert_int_equal(b->cpu->rip, CODE + 1000 % 9);
}

static void flags_fuse_with_results(void **state)
{
	struct box *b = *state;

	/* mov eax,5; mov ecx,7; sub eax,ecx; sbb edx,edx; add ecx,eax; lea ebx,[eax+ecx*4+3];
	 * cmp eax,-2; sete dl */
	RUN(b,
	    "\xb8\x05\0\0\0\xb9\x07\0\0\0\x29\xc8\x19\xd2\x01\xc1\x8d\x5c\x88\x03\x83\xf8\xfe\x0f"
	    "\x94\xc2",
	    8);
	assert_int_equal((uint32_t)b->cpu->gpr[X86_RAX], 0xfffffffe);
	assert_int_equal(b->cpu->gpr[X86_RCX], 5);
	assert_int_equal((uint32_t)b->cpu->gpr[X86_RDX], 0xffffff01);
	assert_int_equal((uint32_t)b->cpu->gpr[X86_RBX], (uint32_t)(-2 + 20 + 3));
	assert_int_equal(x86_rflags_read(b->cpu) & X86_ARITH_FLAGS, X86_ZF | X86_PF);
}

/* The operands of a TEST live as long as its flags are being made. */
static void flags_keep_operands(void **state)
{
	struct box *b = *state;

	/* test [ebx],bl */
	b->cpu->gpr[X86_RBX] = 0x2001;
	b->ram[0x2001] = 0xff;
	RUN(b, "\x84\x1b", 1);
	assert_int_equal(x86_rflags_read(b->cpu) & X86_ARITH_FLAGS, 0);
}

static void memory_forms(void **state)
{
	struct box *b = *state;

	/* mov ebx,0x2000; mov ecx,3; mov dword [ebx+ecx*8+4],0x11223344; movzx eax,byte [ebx+0x1d];
	 * add [ebx+0x1c],ecx; xchg eax,ecx; movsx edx,word [ebx+0x1c]; push ecx; pop esi */
	RUN(b,
	    "\xbb\0\x20\0\0\xb9\x03\0\0\0\xc7\x44\xcb\x04\x44\x33\x22\x11\x0f\xb6\x43\x1d\x01\x4b"
	    "\x1c\x91"
	    "\x0f\xbf\x53\x1c\x51\x5e",
	    9);
	assert_int_equal(load_le32(b->ram + 0x201c), 0x11223347);
	assert_int_equal(b->cpu->gpr[X86_RAX], 3);
	assert_int_equal(b->cpu->gpr[X86_RCX], 0x33);
	assert_int_equal(b->cpu->gpr[X86_RDX], 0x3347);
	assert_int_equal(b->cpu->gpr[X86_RSI], 0x33);
	assert_int_equal(b->cpu->gpr[X86_RSP], 0x8000);
}

static void code_that_changes_itself(void **state)
{
	struct box *b = *state;
	uint32_t edx = (uint32_t)b->cpu->gpr[X86_RDX];

	/* mov byte [CODE+8],0x42 (inc edx); inc eax at +7, +8; jmp $-2 */
	RUN(b, "\xc6\x05\x08\x10\0\0\x42\x40\x40\xeb\xfe", 3);
	assert_int_equal(b->cpu->gpr[X86_RAX], 1);
	assert_int_equal((uint32_t)b->cpu->gpr[X86_RDX], edx + 1);
	assert_int_equal(b->cpu->rip, CODE + 9);
	assert_true(b->cpu->counter[COUNTER_SELF_MODIFY] >= 1);
}

/* Stores beside the code, in its page: no block is lost to them, and none to the many. */
static void data_beside_code(void **state)
{
	struct box *b = *state;

	/* mov ecx,2000; mov [CODE+0x800],ecx; inc eax; dec ecx; jnz -9; jmp $ */
	RUN(b, "\xb9\xd0\x07\0\0\x89\x0d\0\x18\0\0\x40\x49\x75\xf6\xeb\xfe", 8002);
	assert_int_equal(b->cpu->gpr[X86_RAX], 2000);
	assert_int_equal(load_le32(b->ram + CODE + 0x800), 1);
	assert_int_equal(b->cpu->counter[COUNTER_SELF_MODIFY], 0);
	assert_int_equal(b->cpu->counter[COUNTER_BLOCKS_DROPPED], 0);
}

/* Written code is run as it is then, though several addresses lead to its page by indirect jumps.
 */
static void written_code_behind_jumps(void **state)
{
	enum { DIRECTORY = 0x4000, ROUTINE = 0x10000, AGAIN = 1 << 22, BIG = 0x83, MOVED = 0x400 };
	struct box *b = *state;
	uint32_t ebx = (uint32_t)b->cpu->gpr[X86_RBX];

	for (unsigned i = 0; i < 2; i++) /* the first 4 MiB twice */
		b->ram[DIRECTORY + i * 4] = BIG;
	b->cpu->cr3 = DIRECTORY;
	b->cpu->cr4 |= X86_CR4_PSE;
	b->cpu->cr0 |= X86_CR0_PG;
	x86_mode_update(b->cpu);
	b->cpu->gpr[X86_RSI] = ROUTINE;
	b->cpu->gpr[X86_RDI] = ROUTINE + AGAIN;
	memcpy(b->ram + ROUTINE, "\x43\xc3", 2); /* inc ebx; ret */
	memcpy(b->ram + ROUTINE + MOVED, "\x43\xc3", 2);
	/* mov ecx,10; call esi; call edi; dec ecx; jnz -7; mov byte [esi],0x4b (dec ebx); call esi;
	 * call edi; jmp $ */
	RUN(b, "\xb9\x0a\0\0\0\xff\xd6\xff\xd7\x49\x75\xf9\xc6\x06\x4b\xff\xd6\xff\xd7\xeb\xfe",
	    1 + 10 * 8 + 1 + 6);
	assert_int_equal((uint32_t)b->cpu->gpr[X86_RBX], ebx + 20 - 2);
	assert_int_equal(b->cpu->rip, CODE + 19);
	/* and where only one does */
	b->cpu->rip = CODE;
	b->cpu->gpr[X86_RSI] = b->cpu->gpr[X86_RDI] = ROUTINE + MOVED;
	box_run(b, 1 + 10 * 8 + 1 + 6);
	assert_int_equal((uint32_t)b->cpu->gpr[X86_RBX], ebx + 2 * (20 - 2));
}

/* The interrupt that waits for STI is seen where the jump in its shadow leads. */
static void jumps_in_the_shadow(void **state)
{
	static const struct {
		char code[12];
		unsigned len, to;
	} row[] = {
		{"\xfb\xeb\x01\x90\xfa\xeb\xfe", 7, 4},	       /* sti; jmp +1; nop; cli; jmp $ */
		{"\xfb\xe8\x01\0\0\0\x90\xfa\xeb\xfe", 10, 7}, /* call */
		{"\x68\x08\x10\0\0\xfb\xc3\x90\xfa\xeb\xfe", 11, 8}, /* push; sti; ret */
	};
	struct box *b = *state;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		for (unsigned times = 0; times < 3; times++) {
			b->cpu->rip = CODE;
			b->acked_rip = 0;
			x86_request(b->cpu, X86_REQ_INTR);
			run(b, row[i].code, row[i].len, 5);
			assert_int_equal(b->acked_rip, CODE + row[i].to);
			assert_false(b->cpu->rflags & X86_IF);
		}
}

/* A page of code is filled with something else: at once, and what is run then is what is there. */
static void fill_over_code(void **state)
{
	struct box *b = *state;
	uint32_t ebx = (uint32_t)b->cpu->gpr[X86_RBX];

	b->ram[0x10000] = 0xc3;
	/* mov eax,0x10000; call eax; mov ecx,0x1000; mov edi,eax; mov al,0x43 (inc ebx); rep stosb;
	 * mov eax,0x10000; mov byte [eax+2],0xc3; call eax; jmp $ */
	RUN(b,
	    "\xb8\0\0\x01\0\xff\xd0\xb9\0\x10\0\0\x89\xc7\xb0\x43\xf3\xaa"
	    "\xb8\0\0\x01\0\xc6\x40\x02\xc3\xff\xd0\xeb\xfe",
	    20);
	assert_int_equal((uint32_t)b->cpu->gpr[X86_RBX], ebx + 2);
	assert_int_equal(b->cpu->gpr[X86_RDI], 0x11000);
	assert_int_equal(b->cpu->rip, CODE + 29);
	assert_in_range(b->cpu->counter[COUNTER_SELF_MODIFY], 1, 3);
}

/* A device fills a row of pages that hold code: what is in others stays. */
static void only_written_pages_are_dropped(void **state)
{
	enum { FIRST = 0x10000, PAGES = 150, WRITTEN = 100 };
	static const uint8_t next_page[] = {0xe9, 0xfb, 0x0f, 0, 0}; /* jmp +0x1000 */
	static const uint8_t data[WRITTEN * PAGE_BYTES];
	struct box *b = *state;
	uint64_t lifted;

	b->cpu->rip = FIRST;
	for (unsigned i = 0; i < PAGES; i++)
		memcpy(b->ram + FIRST + i * PAGE_BYTES, next_page, sizeof(next_page));
	assert_int_equal(box_run(b, PAGES), ENGINE_EXIT_BUDGET);
	lifted = b->cpu->counter[COUNTER_BLOCKS_LIFTED];
	assert_true(space_write(&b->space, FIRST, data, sizeof(data)));
	b->cpu->rip = FIRST + WRITTEN * PAGE_BYTES;
	box_run(b, PAGES - WRITTEN);
	assert_int_equal(b->cpu->counter[COUNTER_BLOCKS_LIFTED], lifted);
}

/* A repeated instruction that stops half-way leaves the block in its middle: what follows has not
 * been carried out and does not count. */
static void middle_exits_give_back(void **state)
{
	struct box *b = *state;

	/* mov ecx,10000; mov edi,0x10000; rep stosb; nop x 4; jmp $ */
	RUN(b, "\xb9\x10\x27\0\0\xbf\0\0\x01\0\xf3\xaa\x90\x90\x90\x90\xeb\xfe", 7);
	assert_int_equal(b->cpu->insns, 7);
	assert_int_equal(b->cpu->gpr[X86_RCX], 0);
	assert_in_range(b->cpu->rip, CODE + 12, CODE + 16);
	assert_int_equal(b->ram[0x10000 + 9999], b->cpu->gpr[X86_RAX] & 0xff);
	/* 4096 elements a round: two rounds more than one instruction */
	assert_int_equal(b->cpu->rip, CODE + 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(budget_is_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(flags_fuse_with_results, setup, teardown),
		cmocka_unit_test_setup_teardown(flags_keep_operands, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(code_that_changes_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(data_beside_code, setup, teardown),
		cmocka_unit_test_setup_teardown(written_code_behind_jumps, setup, teardown),
		cmocka_unit_test_setup_teardown(jumps_in_the_shadow, setup, teardown),
		cmocka_unit_test_setup_teardown(fill_over_code, setup, teardown),
		cmocka_unit_test_setup_teardown(only_written_pages_are_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(middle_exits_give_back, setup, teardown),
	};

	if (!engine_choice())
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
