/*
 * What a translator records of a hot loop while the machine changes under it: the loop calls a
 * function in another page, and at one of its rounds, tried one after the other, tells a device to
 * lie over that page for a round. The device gives another function.
 */
#include "test.h"

#include <string.h>

#include "box.h"

enum { RAM = 64 << 10, LOOP = 0x2000, FUNCTION = 0x3000, ROUNDS = 60, EACH = 6, PORT = 0x90 };

struct rig {
	struct box *box;
	struct io_region *over;
	unsigned round, at;
};

/* inc eax; ret */
static const uint8_t function[] = {0x40, 0xc3};

static const uint8_t other[] = {0x48, 0xc3}; /* dec eax; ret */

static uint64_t over_read(void *opaque, uint64_t offset, unsigned bytes)
{
	uint64_t v = 0;

	(void)opaque;
	if (offset < sizeof(other))
		memcpy(&v, other + offset, bytes < sizeof(other) ? 1 : sizeof(other));
	return v;
}

static void over_write(void *opaque, uint64_t offset, uint64_t v, unsigned bytes)
{
	(void)opaque, (void)offset, (void)v, (void)bytes;
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned bytes)
{
	(void)opaque, (void)offset, (void)bytes;
	return 0;
}

/* Over the page from round `at` to the end of the next. */
static void port_write(void *opaque, uint64_t offset, uint64_t v, unsigned bytes)
{
	struct rig *r = opaque;
	unsigned round = r->round++;

	(void)offset, (void)v, (void)bytes;
	if (round == r->at || round == r->at + 1) {
		space_io_place(&r->box->space, r->over, FUNCTION, round == r->at);
		x86_request(r->box->cpu, X86_REQ_FLUSH_TLB);
	}
}

static void run_with(const char *engine, unsigned at, unsigned hot)
{
	/* call FUNCTION; out PORT, al; dec ecx; jnz back; jmp to itself */
	static const uint8_t loop[] = {0xe8, 0xfb, 0x0f, 0,    0,    0xe6,
				       PORT, 0x49, 0x75, 0xf6, 0xeb, 0xfe};
	static const struct io_ops over = {over_read, over_write, 1};
	static const struct io_ops port = {port_read, port_write, 1};
	struct engine_config cfg = {.hot_threshold = hot};
	struct rig r = {.at = at};

	r.box = box_create(RAM, "x86-64-v2", engine_find(engine), &cfg);
	assert_non_null(r.box);
	assert_int_equal(space_map_io(&r.box->space, "over", FUNCTION, PAGE_BYTES, &over, &r), 0);
	r.over = space_find_io(&r.box->space, "over");
	space_io_place(&r.box->space, r.over, FUNCTION, false);
	assert_int_equal(space_map_io(&r.box->ports, "port", PORT, 1, &port, &r), 0);
	box_put(r.box, LOOP, loop, sizeof(loop));
	box_put(r.box, FUNCTION, function, sizeof(function));
	box_enter_flat(r.box, LOOP, LOOP);
	r.box->cpu->gpr[X86_RCX] = ROUNDS;
	r.box->cpu->gpr[X86_RAX] = 0;
	box_run(r.box, ROUNDS * EACH + EACH);
	assert_int_equal(r.round, ROUNDS);
	assert_int_equal(r.box->cpu->gpr[X86_RAX], at < ROUNDS - 1 ? ROUNDS - 2 : ROUNDS);
	assert_int_equal(r.box->cpu->gpr[X86_RCX], 0);
	box_destroy(r.box);
}

static void page_is_taken_away(void **state)
{
	struct engine_info info;

	(void)state;
	engine_find("translate")->probe(&info);
	if (!info.works)
		skip();
	for (unsigned hot = 1; hot <= 24; hot += 23)
		for (unsigned at = 0; at < ROUNDS; at++)
			run_with("translate", at, hot);
}

static void interpreted(void **state)
{
	(void)state;
	for (unsigned at = 0; at < ROUNDS; at++)
		run_with("interpret", at, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(page_is_taken_away),
					   cmocka_unit_test(interpreted)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
