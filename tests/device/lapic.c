/* Local APIC: priorities, timer, IPIs and destinations, mode transitions, ExtINT. */
#include "test.h"

#include "device/lapic.h"
#include "fake.h"

struct cpu {
	unsigned intr, nmi, init, sipi, sipi_vector;
};

struct board {
	struct fake f;
	struct lapic_bus bus;
	struct lapic lapic[4];
	struct cpu cpu[4];
	unsigned eois, eoi_vector;
	int pic_vector;
};

static void request(void *opaque, enum lapic_signal s, unsigned value)
{
	struct cpu *c = opaque;

	switch (s) {
	case LAPIC_SIGNAL_INTR:
		c->intr = value;
		break;
	case LAPIC_SIGNAL_NMI:
		c->nmi++;
		break;
	case LAPIC_SIGNAL_INIT:
		c->init++;
		break;
	case LAPIC_SIGNAL_SIPI:
		c->sipi++;
		c->sipi_vector = value;
		break;
	}
}

static const struct lapic_cpu_ops cpu_ops = {request};

static void on_eoi(void *opaque, unsigned vector)
{
	struct board *b = opaque;

	b->eois++;
	b->eoi_vector = vector;
}

static int on_pic_ack(void *opaque)
{
	struct board *b = opaque;

	lapic_lint(&b->lapic[0], 0, 0);
	return b->pic_vector;
}

static void board_init(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	b->bus.eoi = on_eoi;
	b->bus.eoi_opaque = b;
	b->bus.pic_ack = on_pic_ack;
	b->bus.pic_opaque = b;
	for (unsigned i = 0; i < 4; i++) {
		lapic_init(&b->lapic[i], &b->bus, i, i == 0, &cpu_ops, &b->cpu[i], &b->f.clock,
			   &b->f.timerq);
		lapic_write(&b->lapic[i], LAPIC_SVR, 0x1ff);
	}
}

static void priorities(void **state)
{
	struct board b;
	struct lapic *l = &b.lapic[0];

	(void)state;
	board_init(&b);
	assert_int_equal(lapic_read(l, LAPIC_VERSION), 0x60015);
	assert_int_equal(lapic_ack(l), -1);
	assert_true(lapic_bus_deliver(&b.bus, 0, false, LAPIC_FIXED, 0x41, false));
	assert_true(lapic_bus_deliver(&b.bus, 0, false, LAPIC_FIXED, 0x52, true));
	assert_int_equal(b.cpu[0].intr, 1);
	assert_int_equal(b.cpu[1].intr, 0);
	assert_int_equal(lapic_read(l, LAPIC_IRR + 0x20), 1 << 0x12 | 1 << 1);
	lapic_write(l, LAPIC_TPR, 0x50);
	assert_int_equal(b.cpu[0].intr, 0);
	lapic_cr8_set(l, 4);
	assert_int_equal(b.cpu[0].intr, 1);
	assert_int_equal(lapic_read(l, LAPIC_TPR), 0x40);
	assert_int_equal(lapic_ack(l), 0x52);
	assert_int_equal(lapic_read(l, LAPIC_PPR), 0x50);
	assert_int_equal(b.cpu[0].intr, 0);
	/* same class as the one in service: waits */
	lapic_bus_deliver(&b.bus, 0, false, LAPIC_FIXED, 0x5f, false);
	assert_int_equal(b.cpu[0].intr, 0);
	lapic_write(l, LAPIC_EOI, 0);
	assert_int_equal(b.eois, 1);
	assert_int_equal(b.eoi_vector, 0x52);
	assert_int_equal(lapic_ack(l), 0x5f);
	lapic_write(l, LAPIC_EOI, 0);
	assert_int_equal(b.eois, 1);	      /* edge: no broadcast */
	assert_false(lapic_has_interrupt(l)); /* 0x41 is not above TPR class 4 */
	lapic_write(l, LAPIC_TPR, 0);
	assert_int_equal(lapic_ack(l), 0x41);
}

static void timer_one_shot(void **state)
{
	struct board b;
	struct lapic *l = &b.lapic[0];

	(void)state;
	board_init(&b);
	lapic_write(l, LAPIC_TIMER_DIVIDE, 0x3); /* by 16 */
	lapic_write(l, LAPIC_LVT_TIMER, 0x30);
	lapic_write(l, LAPIC_TIMER_INITIAL, 1000);
	assert_int_equal(lapic_read(l, LAPIC_TIMER_CURRENT), 1000);
	fake_advance(&b.f, 8000);
	assert_int_equal(lapic_read(l, LAPIC_TIMER_CURRENT), 500);
	lapic_write(l, LAPIC_TIMER_DIVIDE, 0xb); /* by 1: 500 left */
	fake_advance(&b.f, 499);
	assert_int_equal(b.cpu[0].intr, 0);
	fake_advance(&b.f, 1);
	assert_int_equal(lapic_ack(l), 0x30);
	lapic_write(l, LAPIC_EOI, 0);
	assert_int_equal(lapic_read(l, LAPIC_TIMER_CURRENT), 0);
	fake_advance(&b.f, 100000);
	assert_int_equal(lapic_ack(l), -1);
}

static void timer_periodic(void **state)
{
	struct board b;
	struct lapic *l = &b.lapic[0];

	(void)state;
	board_init(&b);
	lapic_write(l, LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(l, LAPIC_LVT_TIMER, 0x20030);
	lapic_write(l, LAPIC_TIMER_INITIAL, 100);
	for (unsigned i = 1; i <= 5; i++) {
		fake_advance(&b.f, 100);
		assert_int_equal(lapic_ack(l), 0x30);
		lapic_write(l, LAPIC_EOI, 0);
	}
	fake_advance(&b.f, 30);
	assert_int_equal(lapic_read(l, LAPIC_TIMER_CURRENT), 70);
	/* a run that comes late gives one interrupt and keeps the phase */
	b.f.now = 100000030;
	timerq_run(&b.f.timerq, b.f.now);
	assert_int_equal(timerq_next(&b.f.timerq), 100000100);
	lapic_write(l, LAPIC_LVT_TIMER, 0x30030); /* masked: goes on silently */
	assert_int_equal(lapic_ack(l), 0x30);
	lapic_write(l, LAPIC_EOI, 0);
	fake_advance(&b.f, 1000);
	assert_int_equal(lapic_ack(l), -1);
	lapic_write(l, LAPIC_TIMER_INITIAL, 0);
	assert_true(timerq_next(&b.f.timerq) == TIMER_NEVER);
}

static void timer_tsc_deadline(void **state)
{
	struct board b;
	struct lapic *l = &b.lapic[0];

	(void)state;
	board_init(&b);
	lapic_tsc_deadline_set(l, 5000, 0);
	assert_int_equal(lapic_tsc_deadline_get(l), 0);
	lapic_write(l, LAPIC_LVT_TIMER, 0x40031);
	b.f.now = 1000;
	lapic_tsc_deadline_set(l, 5000, 500); /* TSC is now + 500 */
	assert_int_equal(timerq_next(&b.f.timerq), 4500);
	assert_int_equal(lapic_tsc_deadline_get(l), 5000);
	lapic_write(l, LAPIC_TIMER_INITIAL, 7); /* ignored */
	assert_int_equal(lapic_read(l, LAPIC_TIMER_CURRENT), 0);
	fake_advance(&b.f, 3500);
	assert_int_equal(lapic_ack(l), 0x31);
	assert_int_equal(lapic_tsc_deadline_get(l), 0);
	lapic_write(l, LAPIC_EOI, 0);
	lapic_tsc_deadline_set(l, 1, 0); /* past: at once */
	assert_int_equal(lapic_ack(l), 0x31);
	lapic_tsc_deadline_set(l, UINT64_MAX, 0);
	lapic_tsc_deadline_set(l, 0, 0);
	assert_true(timerq_next(&b.f.timerq) == TIMER_NEVER);
}

static void ipis(void **state)
{
	struct board b;
	struct lapic *l = &b.lapic[0];

	(void)state;
	board_init(&b);
	/* INIT and startup to CPU 1 */
	lapic_write(l, LAPIC_ICR_HIGH, 1u << 24);
	lapic_write(l, LAPIC_ICR_LOW, 0xc500);
	lapic_write(l, LAPIC_ICR_LOW, 0x8500); /* de-assert: nothing */
	lapic_write(l, LAPIC_ICR_LOW, 0x0608);
	assert_int_equal(b.cpu[1].init, 1);
	assert_int_equal(b.cpu[1].sipi, 1);
	assert_int_equal(b.cpu[1].sipi_vector, 8);
	assert_int_equal(b.cpu[2].init + b.cpu[0].init, 0);
	assert_int_equal(lapic_read(&b.lapic[1], LAPIC_SVR), 0xff); /* INIT reset it */
	lapic_write(&b.lapic[1], LAPIC_SVR, 0x1ff);
	/* shorthands */
	lapic_write(l, LAPIC_ICR_LOW, 0xc4050);
	assert_int_equal(b.cpu[0].intr, 0);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(lapic_ack(&b.lapic[i]), 0x50);
	lapic_write(l, LAPIC_ICR_LOW, 0x44060);
	assert_int_equal(lapic_ack(l), 0x60);
	lapic_write(l, LAPIC_ICR_LOW, 0x84070);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(lapic_ack(&b.lapic[i]), 0x70);
	/* NMI to all by physical broadcast */
	lapic_write(l, LAPIC_ICR_HIGH, 0xff000000);
	lapic_write(l, LAPIC_ICR_LOW, 0x4400);
	assert_int_equal(b.cpu[0].nmi + b.cpu[3].nmi, 2);
	/* illegal vector: send error */
	lapic_write(l, LAPIC_ICR_LOW, 0x4005);
	lapic_write(l, LAPIC_ESR, 0);
	assert_int_equal(lapic_read(l, LAPIC_ESR), 0x20);
	lapic_write(l, LAPIC_ESR, 0);
	assert_int_equal(lapic_read(l, LAPIC_ESR), 0);
}

static void logical_destinations(void **state)
{
	struct board b;

	(void)state;
	board_init(&b);
	for (unsigned i = 0; i < 4; i++)
		lapic_write(&b.lapic[i], LAPIC_LDR, 1u << (24 + i));
	assert_true(lapic_bus_deliver8(&b.bus, 0x0a, true, LAPIC_FIXED, 0x40, false));
	assert_int_equal(b.cpu[0].intr + b.cpu[2].intr, 0);
	assert_int_equal(b.cpu[1].intr + b.cpu[3].intr, 2);
	/* cluster model: CPU 2 is member 0 of cluster 1 */
	for (unsigned i = 0; i < 4; i++) {
		lapic_write(&b.lapic[i], LAPIC_DFR, 0);
		lapic_write(&b.lapic[i], LAPIC_LDR, (i / 2 << 4 | 1u << (i & 1)) << 24);
	}
	assert_true(lapic_bus_deliver8(&b.bus, 0x11, true, LAPIC_FIXED, 0x41, false));
	assert_int_equal(lapic_ack(&b.lapic[2]), 0x41);
	assert_false(lapic_bus_deliver8(&b.bus, 0x21, true, LAPIC_FIXED, 0x41, false));
	/* lowest priority: CPU 0 is busy with a higher class */
	lapic_write(&b.lapic[0], LAPIC_TPR, 0x80);
	lapic_ack(&b.lapic[1]);
	lapic_write(&b.lapic[1], LAPIC_EOI, 0);
	assert_true(lapic_bus_deliver8(&b.bus, 0x03, true, LAPIC_LOWEST, 0x42, false));
	assert_int_equal(lapic_ack(&b.lapic[1]), 0x42);
	assert_true(lapic_bus_msi(&b.bus, 0xfee03000, 0x4045));
	assert_int_equal(b.cpu[3].intr, 1);
	assert_false(lapic_bus_msi(&b.bus, 0xfed03000, 0x4045));
}

static void x2apic(void **state)
{
	struct board b;
	struct lapic *l = &b.lapic[0];
	uint64_t v;

	(void)state;
	board_init(&b);
	assert_int_equal(lapic_base_get(l), 0xfee00900);
	assert_int_equal(lapic_page(l), 0xfee00000);
	assert_false(lapic_msr_read(l, 0x802, &v));
	assert_false(lapic_base_set(l, 0xfee00500)); /* x2APIC without enable */
	assert_false(lapic_base_set(l, 0xfee00901)); /* reserved */
	assert_true(lapic_base_set(l, 0xfee00d00));
	assert_true(lapic_base_set(&b.lapic[3], 0xfee00c00));
	assert_true(lapic_page(l) == ~0ull);
	assert_false(lapic_base_set(l, 0xfee00900)); /* no way back but through disabled */
	assert_true(lapic_msr_read(&b.lapic[3], 0x80d, &v));
	assert_int_equal(v, 8);
	assert_true(lapic_msr_write(l, 0x830, 3ull << 32 | 0x4077));
	assert_int_equal(lapic_ack(&b.lapic[3]), 0x77);
	assert_true(lapic_msr_write(l, 0x830, 8ull << 32 | 0x4878));
	assert_int_equal(b.lapic[3].irr[3] >> 24 & 1, 1);
	assert_true(lapic_msr_write(l, 0x83f, 0x99));
	assert_int_equal(lapic_ack(l), 0x99);
	assert_false(lapic_msr_write(l, 0x80b, 1));
	assert_true(lapic_msr_write(l, 0x80b, 0));
	assert_false(lapic_msr_write(l, 0x802, 0));
	assert_false(lapic_msr_read(l, 0x80b, &v));
	assert_false(lapic_msr_read(l, 0x80e, &v));
	assert_false(lapic_msr_read(l, 0x831, &v));
	assert_false(lapic_msr_write(l, 0x808, 0x100));
	assert_false(lapic_msr_write(l, 0x83f, 0x1099));
	assert_false(lapic_msr_write(l, 0x828, 1));
	assert_true(lapic_base_set(l, 0xfee00100));
	assert_false(lapic_base_set(l, 0xfee00d00));
	assert_true(lapic_base_set(l, 0xfee00900));
	assert_int_equal(lapic_read(l, LAPIC_SVR), 0xff);
}

static void extint_and_lint(void **state)
{
	struct board b;
	struct lapic *l = &b.lapic[0];

	(void)state;
	board_init(&b);
	lapic_lint(l, 0, 1);
	assert_int_equal(b.cpu[0].intr, 0); /* masked */
	lapic_virtual_wire(l);
	assert_int_equal(b.cpu[0].intr, 1);
	b.pic_vector = 0x28;
	assert_int_equal(lapic_ack(l), 0x28);
	assert_int_equal(b.cpu[0].intr, 0);
	lapic_lint(l, 1, 1);
	lapic_lint(l, 1, 1);
	assert_int_equal(b.cpu[0].nmi, 1);
	lapic_lint(l, 1, 0);
	/* a level-triggered fixed pin comes back after EOI while it is held */
	lapic_write(l, LAPIC_LVT_LINT1, 0x8044);
	lapic_lint(l, 1, 1);
	assert_int_equal(lapic_read(l, LAPIC_LVT_LINT1), 0xc044);
	assert_int_equal(lapic_ack(l), 0x44);
	lapic_write(l, LAPIC_EOI, 0);
	assert_int_equal(lapic_ack(l), 0x44);
	lapic_lint(l, 1, 0);
	lapic_write(l, LAPIC_EOI, 0);
	assert_int_equal(lapic_ack(l), -1);
	/* software disable masks every local vector, and keeps it so */
	lapic_write(l, LAPIC_SVR, 0xff);
	assert_int_equal(lapic_read(l, LAPIC_LVT_LINT0), 0x10700);
	lapic_write(l, LAPIC_LVT_LINT0, 0x700);
	assert_int_equal(lapic_read(l, LAPIC_LVT_LINT0), 0x10700);
	assert_false(lapic_bus_deliver(&b.bus, 0, false, LAPIC_FIXED, 0x41, false));
	/* globally disabled: LINT0 is the INTR pin */
	lapic_base_set(l, 0xfee00100);
	lapic_lint(l, 0, 1);
	assert_int_equal(b.cpu[0].intr, 1);
	assert_int_equal(lapic_ack(l), 0x28);
}

static void restore(void **state)
{
	static uint8_t buf[1024];
	struct board b;
	struct lapic *l = &b.lapic[0];

	(void)state;
	board_init(&b);
	lapic_write(l, LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(l, LAPIC_LVT_TIMER, 0x30);
	lapic_write(l, LAPIC_TIMER_INITIAL, 1000);
	assert_true(field_size(lapic_desc.fields) <= sizeof(buf));
	field_save(lapic_desc.fields, l, buf);
	lapic_desc.reset(l);
	assert_true(timerq_next(&b.f.timerq) == TIMER_NEVER);
	field_restore(lapic_desc.fields, l, buf);
	lapic_desc.after_restore(l);
	fake_advance(&b.f, 1000);
	assert_int_equal(lapic_ack(l), 0x30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priorities),	  cmocka_unit_test(timer_one_shot),
		cmocka_unit_test(timer_periodic), cmocka_unit_test(timer_tsc_deadline),
		cmocka_unit_test(ipis),		  cmocka_unit_test(logical_destinations),
		cmocka_unit_test(x2apic),	  cmocka_unit_test(extint_and_lint),
		cmocka_unit_test(restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
