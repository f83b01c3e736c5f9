/*
 * Traces: the IR of small ones, and where they end. What they do is compared with the interpreter
 * in tests/unit/trace.c.
 */
#include "test.h"

#include "isa/x86/lift.h"
#include "synth.h"

static struct ir_insn storage[IR_BLOCK_MAX];
static struct x86_decoder *decoder;
static struct x86_cpuid_model all;
static uint8_t page[PAGE_BYTES];
static struct ir_block block;
static struct x86_trace_page pages[2]; /* [0] is `page` */
static struct x86_trace trace;

static void lift_as(const char *code, unsigned len, unsigned start, const int32_t *path,
		    unsigned path_len, x86_mode_t mode, unsigned max_guest)
{
	memset(page, 0x90, sizeof(page));
	memcpy(page + 0x100, code, len);
	pages[0] = (struct x86_trace_page){.bytes = page};
	trace = (struct x86_trace){.page = pages,
				   .page_count = 1,
				   .start = start,
				   .path = path,
				   .path_len = path_len};
	ir_block_init(&block, &x86_isa, storage, IR_BLOCK_MAX);
	assert_int_equal(x86_lift_trace(decoder, &trace, mode, &all, max_guest, &block),
			 X86_DECODE_OK);
}

/* What lift_as left at 0x100, through so many of the pages. */
static void lift_pages(unsigned count, const int32_t *path, unsigned path_len, unsigned max_guest)
{
	trace = (struct x86_trace){.page = pages,
				   .page_count = count,
				   .start = 0x100,
				   .path = path,
				   .path_len = path_len};
	ir_block_init(&block, &x86_isa, storage, IR_BLOCK_MAX);
	assert_int_equal(x86_lift_trace(decoder, &trace, synth_code64, &all, max_guest, &block),
			 X86_DECODE_OK);
}

/* Code stands at 0x100 among NOPs. */
#define LIFT(code, start, path, max)                                                               \
	lift_as(code, sizeof(code) - 1, start, path, ARRAY_LEN(path), synth_code64, max)

/* The marks and exits of the block in one line: what a trace adds. */
static const char *shape(void)
{
	static char text[4096];
	static char line[1 << 16];
	size_t n = 0;
	char msg[200];

	if (ir_verify(&block, msg, sizeof(msg)))
		fail_msg("%s", msg);
	ir_print(&block, line, sizeof(line));
	text[0] = 0;
	for (char *l = strtok(line, "\n"); l; l = strtok(NULL, "\n"))
		if (strstr(l, "guest") || strstr(l, "exit"))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s; ", l);
	for (char *v = text; (v = strstr(v, " v")); v++) /* values are not the point */
		memmove(v + 2, v + 2 + strspn(v + 2, "0123456789"),
			strlen(v + 2 + strspn(v + 2, "0123456789")) + 1);
	return text;
}

static void expect_bytes(unsigned lo, unsigned hi, unsigned used)
{
	assert_int_equal(pages[0].lo, lo);
	assert_int_equal(pages[0].hi, hi);
	assert_int_equal(trace.used, used);
}

/* inc eax; jmp +2; (2 bytes); dec ecx; jne back to the inc; nop */
#define LOOP "\xff\xc0\xeb\x02\xcc\xcc\xff\xc9\x75\xf6\x90"

static void loops(void **state)
{
	static const int32_t once[] = {0x106, 0x100}, twice[] = {0x106, 0x100, 0x106, 0x100},
			      out[] = {0x106, 0x10a}, middle[] = {0x100, 0x106};

	(void)state;
	LIFT(LOOP, 0x100, once, 64);
	assert_string_equal(shape(), "guest +0, 2; guest +2, 2; guest +6, 2; guest +8, 2; "
				     "exit_if v, +10; exit +0; ");
	expect_bytes(0x100, 0x10a, 2);
	LIFT(LOOP, 0x100, twice, 64);
	assert_int_equal(block.guest_count, 8);
	assert_int_equal(block.insn[block.count - 1].imm, 0);
	expect_bytes(0x100, 0x10a, 4);
	LIFT(LOOP, 0x100, out, 5);
	assert_string_equal(shape(), "guest +0, 2; guest +2, 2; guest +6, 2; guest +8, 2; "
				     "exit_if v, +0; guest +10, 1; exit +11; ");
	expect_bytes(0x100, 0x10b, 2);
	/* from the middle: it falls into its start with no path left */
	LIFT(LOOP, 0x106, middle, 64);
	assert_string_equal(shape(), "guest +0, 2; guest +2, 2; exit_if v, +4; guest -6, 2; "
				     "guest -4, 2; exit +0; ");
	expect_bytes(0x100, 0x10a, 2);
}

/* The whole text of a loop over its condition: an exit against the branch. */
static void conditional_text(void **state)
{
	static const int32_t path[] = {0x100};
	char text[1024];

	(void)state;
	LIFT("\x85\xc0\x74\xfc", 0x100, path, 64); /* test eax, eax; je back */
	ir_print(&block, text, sizeof(text));
	assert_string_equal(text, "guest +0, 2\n"
				  "v1 = get.i32 rax\n"
				  "v2 = get.i32 rax\n"
				  "v3 = and.i32 v1, v2\n"
				  "f4 = flags.logic.i32 v3\n"
				  "put_flags f4\n"
				  "guest +2, 2\n"
				  "f7 = get_flags\n"
				  "v8 = cond.e f7\n"
				  "v9 = const.i8 1\n"
				  "v10 = cond.ne f7\n"
				  "exit_if v10, +4\n"
				  "exit +0\n");
}

/* call +3; nop; ret-target...: call 0x108; inc eax; nop; | 0x108: dec eax; ret */
static void calls_and_returns(void **state)
{
	static const char code[] = "\xe8\x03\0\0\0\xff\xc0\x90\xff\xc8\xc3";
	static const int32_t path[] = {0x108, 0x105}, wrong[] = {0x107}, no_return[] = {0x108};

	(void)state;
	lift_as(code, 11, 0x100, path, 2, synth_code64, 4);
	assert_string_equal(shape(), "guest +0, 5; guest +8, 2; guest +10, 1; exit_unless v, +5; "
				     "guest +5, 2; exit +7; ");
	expect_bytes(0x100, 0x10b, 2);
	lift_as(code, 11, 0x100, wrong, 1, synth_code64, 64);
	assert_string_equal(shape(), "guest +0, 5; exit +8; ");
	expect_bytes(0x100, 0x105, 0);
	lift_as(code, 11, 0x100, no_return, 1, synth_code64, 64);
	assert_string_equal(shape(), "guest +0, 5; guest +8, 2; guest +10, 1; exit_indirect v; ");
}

static void traces_end(void **state)
{
	static const int32_t here[] = {0x102, 0x104}, far_away[] = {0x1000}, none[] = {0xffff};
	static const int32_t to_end[] = {0xffe};

	(void)state;
	/* in al, 80h must start its block */
	LIFT("\xeb\x00\xe4\x80", 0x100, here, 64);
	assert_string_equal(shape(), "guest +0, 2; exit +2; ");
	LIFT("\xeb\x00\x90\x90", 0x100, here, 2);
	assert_string_equal(shape(), "guest +0, 2; guest +2, 1; exit +3; ");
	/* no page offset */
	LIFT("\xe9\xfb\x0e\0\0", 0x100, far_away, 64);
	assert_string_equal(shape(), "guest +0, 5; exit +3840; ");
	LIFT("\xc3", 0x100, none, 64);
	assert_string_equal(shape(), "guest +0, 1; exit_indirect v; ");
	/* the end of the page, and an instruction across it */
	LIFT("\xe9\xf9\x0e\0\0", 0x100, to_end, 64);
	assert_string_equal(shape(), "guest +0, 5; guest +3838, 1; guest +3839, 1; exit +3840; ");
	expect_bytes(0x100, 0x1000, 1);
	page[0xfff] = 0xe9;
	ir_block_init(&block, &x86_isa, storage, IR_BLOCK_MAX);
	x86_lift_trace(decoder, &trace, synth_code64, &all, 64, &block);
	assert_string_equal(shape(), "guest +0, 5; guest +3838, 1; exit +3839; ");
	trace.start = 0xfff;
	ir_block_init(&block, &x86_isa, storage, IR_BLOCK_MAX);
	assert_int_equal(x86_lift_trace(decoder, &trace, synth_code64, &all, 64, &block),
			 X86_DECODE_MORE);
	/* single steps */
	lift_as("\xc3", 1, 0x100, here, 2, synth_code64 | X86_MODE_TF, 64);
	assert_string_equal(shape(), "guest +0, 1; exit_indirect v; ");
}

/* Through another page, there and back, forward and backward, and on behind a page's end. */
static void through_pages(void **state)
{
	static const int32_t there[] = {0x1008, 0x105}, back[] = {-0xff8, 0x105}, on[] = {0xffb};
	static uint8_t other[PAGE_BYTES];

	(void)state;
	memcpy(other, "\x90\x90\x90\x90\x90\x90\x90\x90\xff\xc8\xc3", 11);
	pages[1] = (struct x86_trace_page){.at = 0x1000, .bytes = other};
	LIFT("\xe8\x03\x0f\0\0\xff\xc0\x90", 0x100, there, 5);
	assert_string_equal(shape(), "guest +0, 5; exit +3848; "); /* a page it does not know */
	lift_pages(2, there, 2, 5);
	assert_string_equal(shape(), "guest +0, 5; exit_moved +3848; guest +3848, 2; "
				     "guest +3850, 1; exit_unless v, +5; guest +5, 2; guest +7, 1; "
				     "exit +8; ");
	expect_bytes(0x100, 0x108, 2);
	assert_int_equal(pages[1].lo, 8);
	assert_int_equal(pages[1].hi, 11);
	pages[1].at = -0x1000;
	memcpy(page + 0x101, "\x03\xef\xff\xff", 4);
	lift_pages(2, back, 2, 5);
	assert_string_equal(shape(), "guest +0, 5; exit_moved -4344; guest -4344, 2; "
				     "guest -4342, 1; exit_unless v, +5; guest +5, 2; guest +7, 1; "
				     "exit +8; ");
	pages[1].at = 0x1000;
	LIFT("\xe9\xf6\x0e\0\0", 0x100, on, 64);
	lift_pages(2, on, 1, 8);
	assert_string_equal(shape(), "guest +0, 5; guest +3835, 1; guest +3836, 1; guest +3837, 1; "
				     "guest +3838, 1; guest +3839, 1; exit_moved +3840; "
				     "guest +3840, 1; guest +3841, 1; exit +3842; ");
	page[0xfff] = 0xe9; /* an instruction across: the trace ends before it */
	lift_pages(2, on, 1, 64);
	assert_string_equal(shape(), "guest +0, 5; guest +3835, 1; guest +3836, 1; guest +3837, 1; "
				     "guest +3838, 1; exit +3839; ");
}

/* A near jump with 16-bit operand size is indirect outside 64-bit code. */
static void jumps_of_16_bits(void **state)
{
	static const int32_t path[] = {0x100};

	(void)state;
	lift_as("\x66\xeb\xfd", 3, 0x100, path, 1, synth_code32, 64);
	assert_string_equal(shape(), "guest +0, 3; exit_unless v, +0; exit +0; ");
	lift_as("\x66\xeb\xfd", 3, 0x100, path, 0, synth_code32, 64);
	assert_string_equal(shape(), "guest +0, 3; exit_indirect v; ");
}

/* As long as a trace may be. */
static void long_traces(void **state)
{
	static int32_t path[300];

	(void)state;
	for (unsigned k = 0; k < 300; k++)
		path[k] = 0x100;
	LIFT("\xff\x03\x75\xfc", 0x100, path, 1000); /* inc dword [rbx]; jne back */
	assert_int_equal(block.guest_count, IR_BLOCK_GUEST_MAX);
	assert_int_equal(trace.used, IR_BLOCK_GUEST_MAX / 2);
	shape();
}

static int setup(void **state)
{
	(void)state;
	memset(all.features, 0xff, sizeof(all.features));
	decoder = x86_decoder_create();
	return decoder == NULL;
}

static int teardown(void **state)
{
	(void)state;
	x86_decoder_destroy(decoder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loops),
		cmocka_unit_test(conditional_text),
		cmocka_unit_test(calls_and_returns),
		cmocka_unit_test(traces_end),
		cmocka_unit_test(through_pages),
		cmocka_unit_test(jumps_of_16_bits),
		cmocka_unit_test(long_traces),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
