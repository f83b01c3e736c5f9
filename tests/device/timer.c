/* Timers fire in deadline order, once, and a run ends whatever they re-arm. */
#include "test.h"

#include "fake.h"

static char order[16];
static unsigned fired;
static struct timerq *rearm_queue;

struct named {
	struct timer t;
	char name;
	bool rearm;
};

static void fire(void *opaque, uint64_t now_ns)
{
	struct named *n = opaque;

	if (fired < sizeof(order) - 1)
		order[fired++] = n->name;
	order[fired] = 0;
	if (n->rearm)
		timer_set(rearm_queue, &n->t, now_ns);
}

static void named_init(struct named *n, char name)
{
	timer_init(&n->t, fire, n);
	n->name = name;
	n->rearm = false;
	fired = 0;
	order[0] = 0;
}

static void fires_in_order(void **state)
{
	struct fake f;
	struct named a, b, c, d;

	(void)state;
	fake_init(&f);
	named_init(&a, 'a'), named_init(&b, 'b'), named_init(&c, 'c'), named_init(&d, 'd');
	assert_true(timerq_next(&f.timerq) == TIMER_NEVER);
	timer_set(&f.timerq, &c.t, 30);
	assert_int_equal(f.kicks, 1);
	timer_set(&f.timerq, &a.t, 10);
	assert_int_equal(f.kicks, 2);
	timer_set(&f.timerq, &b.t, 30); /* same deadline as c: after it */
	timer_set(&f.timerq, &d.t, 20);
	assert_int_equal(f.kicks, 2);
	timer_cancel(&f.timerq, &d.t);
	assert_false(d.t.armed);
	assert_int_equal(timerq_next(&f.timerq), 10);
	timerq_run(&f.timerq, 29);
	assert_string_equal(order, "a");
	timerq_run(&f.timerq, 30);
	assert_string_equal(order, "acb");
	assert_true(timerq_next(&f.timerq) == TIMER_NEVER);
}

static void moves(void **state)
{
	struct fake f;
	struct named a, b;

	(void)state;
	fake_init(&f);
	named_init(&a, 'a'), named_init(&b, 'b');
	timer_set(&f.timerq, &a.t, 10);
	timer_set(&f.timerq, &b.t, 20);
	timer_set(&f.timerq, &a.t, 25);
	timerq_run(&f.timerq, 100);
	assert_string_equal(order, "ba");
	timer_set(&f.timerq, &a.t, 5);
	timer_set(&f.timerq, &a.t, TIMER_NEVER);
	assert_true(timerq_next(&f.timerq) == TIMER_NEVER);
}

static void run_ends(void **state)
{
	struct fake f;
	struct named a;

	(void)state;
	fake_init(&f);
	named_init(&a, 'a');
	a.rearm = true;
	rearm_queue = &f.timerq;
	timer_set(&f.timerq, &a.t, 10);
	timerq_run(&f.timerq, 50);
	assert_string_equal(order, "a");
	assert_int_equal(timerq_next(&f.timerq), 50);
	timerq_run(&f.timerq, 50);
	assert_string_equal(order, "aa");
}

static void tick_arithmetic(void **state)
{
	static const uint64_t hz[] = {32768, 1193182, 3579545, 100000000, 1000000000};
	uint64_t ticks = 1;

	(void)state;
	assert_int_equal(clock_ns_to_ticks(1000000000, 1193182), 1193182);
	assert_int_equal(clock_ns_to_ticks(999999999, 1193182), 1193181);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 40; k++, ticks = (ticks * 3 + k) & 0xffffffffffff) {
			uint64_t ns = clock_ticks_to_ns(ticks, hz[i]);
			if (ns == UINT64_MAX)
				continue;
			assert_int_equal(clock_ns_to_ticks(ns, hz[i]), ticks);
			if (ns)
				assert_true(clock_ns_to_ticks(ns - 1, hz[i]) < ticks || !ticks);
		}
	assert_true(clock_ticks_to_ns(UINT64_MAX, 1000) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_in_order),
		cmocka_unit_test(moves),
		cmocka_unit_test(run_ends),
		cmocka_unit_test(tick_arithmetic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
