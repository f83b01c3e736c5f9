/* doppel_explain: every stage is there, and the run's outcome is right. */
#include "test.h"

#include <errno.h>

#include "doppel/doppel.h"

static char text[65536];
static const char *engine;

static void expect(const char *bytes, size_t len, unsigned mode, const char *regs,
		   const char *words)
{
	struct doppel_error err = {{0}};
	int n = doppel_explain((const uint8_t *)bytes, len, mode, engine, regs, text, sizeof(text),
			       &err);

	if (n < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n, strlen(text));
	if (!strstr(text, words))
		fail_msg("\"%s\" is not in:\n%s", words, text);
	assert_non_null(strstr(text, "decoded"));
	assert_non_null(strstr(text, "lifted"));
	assert_non_null(strstr(text, "optimized"));
	assert_non_null(strstr(text, "run by "));
}

#define EXPECT(bytes, mode, regs, words) expect(bytes, sizeof(bytes) - 1, mode, regs, words)

static void stages_of_one(void)
{
	EXPECT("\x48\x01\xd8", 64, "rax=1,rbx=2", "rax          1 -> 3");
	EXPECT("\x48\x01\xd8", 64, "rax=1,rbx=2", "add rax, rbx");
	EXPECT("\x01\xd8", 16, "rax=0xffff,rbx=1", "ZF");
	EXPECT("\x50", 32, "rax=0x11223344", "44 33 22 11");
	EXPECT("\x50", 32, "", "rsp          8000 -> 7ffc");
	EXPECT("\xf4", 64, "", "halts");
	EXPECT("\x0f\x0b", 64, "", "triple fault");
	EXPECT("\x06", 64, "", "#UD");
	EXPECT("\x66\x0f\xef\xc0", 64, "", "pxor");
}

/* Under every engine that works here. */
static void stages(void **state)
{
	struct doppel_engine_info e;

	for (unsigned i = 0; doppel_engine_info(i, &e); i++) {
		engine = e.name;
		if (e.works && strcmp(e.name, "lockstep") != 0) /* it takes one engine */
			stages_of_one();
	}
	engine = NULL;
	EXPECT("\x90", 64, "", "run by ");
}

static void errors(void **state)
{
	struct doppel_error err;

	assert_int_equal(doppel_explain((const uint8_t *)"\x90", 1, 8, NULL, NULL, text, 10, &err),
			 -EINVAL);
	assert_int_equal(doppel_explain((const uint8_t *)"\x90", 0, 64, NULL, NULL, text, 10, &err),
			 -EINVAL);
	assert_int_equal(doppel_explain((const uint8_t *)"\x48", 1, 64, NULL, NULL, text, 10, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "more"));
	assert_int_equal(
		doppel_explain((const uint8_t *)"\x90", 1, 64, NULL, "rax", text, 10, &err),
		-EINVAL);
	assert_int_equal(
		doppel_explain((const uint8_t *)"\x90", 1, 64, NULL, "rax=z", text, 10, &err),
		-EINVAL);
	assert_int_equal(
		doppel_explain((const uint8_t *)"\x90", 1, 64, NULL, "ray=1", text, 10, &err),
		-EINVAL);
	assert_int_equal(
		doppel_explain((const uint8_t *)"\x90", 1, 64, "intrepret", NULL, text, 10, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, "did you mean"));
	/* a short buffer gets a beginning, and the length that would have been needed */
	assert_true(doppel_explain((const uint8_t *)"\x90", 1, 64, NULL, NULL, text, 10, &err) >
		    10);
	assert_true(strlen(text) < 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(stages), cmocka_unit_test(errors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
