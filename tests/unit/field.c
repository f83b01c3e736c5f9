/* Field tables: save, restore, compare and hash see exactly the listed fields. */
#include "test.h"

#include "base/field.h"

struct thing {
	uint32_t a;
	uint32_t unlisted;
	uint16_t list[4];
};

static const struct field thing_fields[] = {
	FIELD(struct thing, a),
	FIELD_ARRAY(struct thing, list),
	FIELD_END,
};

static void round_trip(void **state)
{
	struct thing x = {7, 8, {1, 2, 3, 4}}, y = {0, 99, {0}};
	unsigned char buf[64];

	(void)state;
	assert_int_equal(field_size(thing_fields), 12);
	field_save(thing_fields, &x, buf);
	field_restore(thing_fields, &y, buf);
	assert_null(field_compare(thing_fields, &x, &y));
	assert_int_equal(y.unlisted, 99);
	assert_true(field_hash(thing_fields, &x, 1) == field_hash(thing_fields, &y, 1));
	y.list[3] = 5;
	assert_string_equal(field_compare(thing_fields, &x, &y)->name, "list");
	assert_true(field_hash(thing_fields, &x, 1) != field_hash(thing_fields, &y, 1));
	field_reset(thing_fields, &y);
	assert_int_equal(y.list[3], 0);
	assert_int_equal(y.unlisted, 99);
}

static void dump_shows_all_and_fits(void **state)
{
	const struct thing x = {7, 8, {1, 2, 3, 0x44}};
	char text[64];
	int n = field_dump(thing_fields, &x, text, sizeof(text));

	(void)state;
	assert_string_equal(text, "a = 0x7\nlist = 0x1 0x2 0x3 0x44\n");
	assert_int_equal(field_dump(thing_fields, &x, text, 4), n);
	assert_string_equal(text, "a =");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(dump_shows_all_and_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
