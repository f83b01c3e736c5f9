/* Debug exit and debug console. */
#include "test.h"

#include "device/debug_port.h"
#include "fake.h"

static void ports(void **state)
{
	struct fake f;
	struct debug_exit e;
	struct debug_console c;

	(void)state;
	fake_init(&f);
	debug_exit_init(&e, fake_call_value, &f);
	debug_console_init(&c, fake_sink(&f));
	debug_exit_io_ops.write(&e, 1, 7, 1);
	assert_int_equal(f.calls, 0);
	debug_exit_io_ops.write(&e, 0, 0x12345678, 4);
	assert_int_equal(f.value, 0x12345678);
	assert_int_equal(f.calls, 1);
	assert_int_equal(debug_console_io_ops.read(&c, 0, 1), 0xe9);
	debug_console_io_ops.write(&c, 0, 'x', 1);
	assert_int_equal(f.byte_count, 1);
	assert_int_equal(f.bytes[0], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ports)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
