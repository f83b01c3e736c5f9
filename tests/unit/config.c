/* Configuration: every mistake is found before anything is built, and its message names it. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doppel/doppel.h"

static char image[] = "/tmp/doppel-test-XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(image);

	if (fd < 0 || write(fd, "j", 1) != 1)
		return -1;
	return close(fd);
}

static int teardown(void **state)
{
	return unlink(image);
}

static void expect(const struct doppel_config *cfg, int code, const char *words)
{
	struct doppel_vm *vm = (struct doppel_vm *)&vm;
	struct doppel_error err = {{0}};
	int r = doppel_create(&vm, cfg, &err);

	assert_int_equal(r, code);
	if (r == 0) {
		doppel_destroy(vm);
		return;
	}
	assert_null(vm);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	assert_int_equal(doppel_create(&vm, cfg, NULL), code); /* nobody has to listen */
}

static struct doppel_config good(void)
{
	struct doppel_config cfg;

	doppel_config_default(&cfg);
	cfg.kernel = image;
	cfg.memory_bytes = 1 << 20;
	return cfg;
}

#define EXPECT(member, value, code, words)                                                         \
	do {                                                                                       \
		struct doppel_config cfg = good();                                                 \
		cfg.member = value;                                                                \
		expect(&cfg, code, words);                                                         \
	} while (0)

static void numbers(void **state)
{
	EXPECT(cpus, 0, 0, "");
	EXPECT(cpus, 64, 0, "");
	EXPECT(cpus, 65, -EINVAL, "1 to 64");
	EXPECT(memory_bytes, 0, 0, "");
	EXPECT(memory_bytes, 4096, -EINVAL, "too few");
	EXPECT(memory_bytes, (1 << 20) + 1, -EINVAL, "4 KiB");
	EXPECT(memory_bytes, 1ull << 50, -ENOMEM, "this host has");
	EXPECT(clock, (enum doppel_clock)7, -EINVAL, "clock");
}

static void words(void **state)
{
	EXPECT(engine, "interpret", 0, "");
	EXPECT(engine, NULL, 0, "");
	EXPECT(engine, "interprte", -EINVAL, "did you mean \"interpret\"");
	EXPECT(engine, "", -EINVAL, "engine");
	EXPECT(machine, "cp", -EINVAL, "did you mean \"pc\"");
	EXPECT(trace, "uart,irq", 0, "");
	EXPECT(trace, "all", 0, "");
	EXPECT(trace, "uart,irk", -EINVAL, "did you mean \"irq\"");
	EXPECT(trace, "completely-different", -EINVAL, "there is no \"completely-different\"");
	EXPECT(dump, "guest,ir", 0, "");
	EXPECT(dump, "guest,ir,opt,host:ffffffff81000000", 0, "");
	EXPECT(dump, "host:0x7c00", 0, "");
	EXPECT(dump, "host:", -EINVAL, "not an address");
	EXPECT(dump, "host:7c0x", -EINVAL, "not an address");
	EXPECT(dump, "host:-1", -EINVAL, "not an address");
	EXPECT(dump, "host:10000000000000000", -EINVAL, "not an address");
	EXPECT(dump, ":7c00", -EINVAL, "nothing to dump");
	EXPECT(dump, "guest:7c00,ir", -EINVAL, "not an address");
	EXPECT(dump, "gest", -EINVAL, "did you mean \"guest\"");
	EXPECT(disable_passes, "all", 0, "");
	EXPECT(disable_passes, "no-such-pass", -EINVAL, "no-such-pass");
	EXPECT(cpu, "x86-64-v2,-aes", 0, "");
	EXPECT(cpu, "x86-64-v9", -EINVAL, "x86-64-v3");
	EXPECT(cpu, "max,+aess", -EINVAL, "aes");
}

static void stress(void **state)
{
	EXPECT(stress, "one-insn,tiny-cache,no-chain,random-regs,no-trace,translate-all", 0, "");
	EXPECT(stress, "random-regs=0x1234,hot=50", 0, "");
	EXPECT(stress, "hot", -EINVAL, "needs a number: hot=1");
	EXPECT(stress, "hot=0", -EINVAL, "must be 1 to");
	EXPECT(stress, "hot=5000000000", -EINVAL, "must be 1 to");
	EXPECT(stress, "hot=-1", -EINVAL, "not a number");
	EXPECT(stress, "hot=", -EINVAL, "not a number");
	EXPECT(stress, "random-regs=x", -EINVAL, "not a number");
	EXPECT(stress, "no-chain=1", -EINVAL, "takes no value");
	EXPECT(stress, "no-chian", -EINVAL, "did you mean \"no-chain\"");
	EXPECT(stress, "hott=1", -EINVAL, "did you mean \"hot\"");
}

static void code_cache(void **state)
{
	EXPECT(code_cache_bytes, 1 << 20, 0, "");
	EXPECT(code_cache_bytes, (1 << 20) - 1, -EINVAL, "code-cache");
	EXPECT(code_cache_bytes, 1ull << 30, 0, "");
	EXPECT(code_cache_bytes, (1ull << 30) + 1, -EINVAL, "1024K to 1024M for 1 CPUs");
}

static void files(void **state)
{
	char empty[] = "/tmp/doppel-test-XXXXXX", big[] = "/tmp/doppel-test-XXXXXX";
	int fd = mkstemp(empty), fd2 = mkstemp(big);

	assert_int_equal(ftruncate(fd2, (1 << 20) + 1), 0);
	close(fd);
	close(fd2);
	EXPECT(kernel, NULL, -EINVAL, "kernel");
	EXPECT(kernel, "/nonexistent/bzImage", -ENOENT,
	       "kernel /nonexistent/bzImage: no such file");
	EXPECT(kernel, "/tmp", -EISDIR, "is a directory");
	EXPECT(kernel, "/dev/null", -EINVAL, "not a regular file");
	EXPECT(kernel, empty, -ENODATA, "empty");
	EXPECT(kernel, big, -EFBIG, "do not fit");
	EXPECT(initrd, image, 0, "");
	EXPECT(initrd, "/nonexistent/initrd", -ENOENT, "initrd /nonexistent/initrd");
	EXPECT(initrd, empty, -ENODATA, "initrd");
	if (geteuid() != 0) {
		chmod(empty, 0);
		EXPECT(kernel, empty, -EACCES, "ermission");
	}
	unlink(empty);
	unlink(big);
}

static void names(void **state)
{
	static const char *const kinds[] = {"machine", "engine", "cpu",	 "feature",
					    "trace",   "pass",	 "dump", "stress"};
	const char *text;

	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		unsigned n = 0;

		while (doppel_name(kinds[k], n, &text)) {
			/* every name is its own nearest */
			assert_string_equal(
				doppel_nearest(kinds[k], doppel_name(kinds[k], n, NULL)),
				doppel_name(kinds[k], n, NULL));
			assert_non_null(text);
			n++;
		}
		assert_true(n > 0);
		assert_null(doppel_name(kinds[k], n + 1, NULL));
	}
	assert_null(doppel_name("nonsense", 0, NULL));
	assert_null(doppel_nearest("trace", "completely-different"));
}

static void distances(void **state)
{
	assert_int_equal(doppel_distance("", ""), 0);
	assert_int_equal(doppel_distance("abc", "abc"), 0);
	assert_int_equal(doppel_distance("abc", ""), 3);
	assert_int_equal(doppel_distance("abc", "abd"), 1);
	assert_int_equal(doppel_distance("abc", "bac"), 1);
	assert_int_equal(doppel_distance("kernel", "kernle"), 1);
	assert_int_equal(doppel_distance("kitten", "sitting"), 3);
	char many[200];
	memset(many, 'a', sizeof(many));
	many[199] = 0;
	assert_true(doppel_distance(many, "a") >= 64);
}

static void engines(void **state)
{
	struct doppel_engine_info e;
	unsigned n = 0, chosen = 0;

	for (; doppel_engine_info(n, &e); n++) {
		assert_true(e.name[0] && e.why[0]);
		chosen += e.chosen_by_auto;
	}
	assert_true(n > 0);
	assert_int_equal(chosen, 1);
	assert_false(doppel_engine_info(n + 5, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),   cmocka_unit_test(words),	   cmocka_unit_test(files),
		cmocka_unit_test(stress),    cmocka_unit_test(code_cache), cmocka_unit_test(names),
		cmocka_unit_test(distances), cmocka_unit_test(engines),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
