/* "FIRST,key=value,flag" of the options that add devices. */
#include "test.h"

#include "vm/keys.h"

static struct error err;

static void parse(struct keys *k, const char *spec, bool first)
{
	assert_int_equal(keys_parse(k, "disk", spec, first, &err), 0);
}

static void first_and_pairs(void **state)
{
	struct keys k;

	parse(&k, "a=b.img,format=raw,overlay,forward=1,forward=2", true);
	assert_string_equal(k.first, "a=b.img");
	assert_string_equal(keys_text(&k, "format"), "raw");
	assert_string_equal(keys_text(&k, "overlay"), "");
	assert_string_equal(keys_next(&k, "forward", 0), "1");
	assert_string_equal(keys_next(&k, "forward", 1), "2");
	assert_null(keys_next(&k, "forward", 2));
	assert_null(keys_text(&k, "readonly"));
	assert_int_equal(keys_done(&k, &err), 0);
	keys_clear(&k);
	parse(&k, "", false);
	assert_int_equal(k.pairs, 0);
	keys_clear(&k);
	parse(&k, "", true);
	assert_string_equal(k.first, "");
	keys_clear(&k);
}

static void double_commas(void **state)
{
	struct keys k;

	parse(&k, "a,,b,,,name=x,,", true);
	assert_string_equal(k.first, "a,b,");
	assert_string_equal(keys_text(&k, "name"), "x,");
	keys_clear(&k);
}

static void numbers(void **state)
{
	uint64_t n = 7;
	struct keys k;

	parse(&k, "a=12,b=4K,c=0x10,d=99,e=-1,f=1T,g=,h=18446744073709551616", false);
	assert_int_equal(keys_number(&k, "a", 0, 100, &n, &err), 0);
	assert_int_equal(n, 12);
	assert_int_equal(keys_size(&k, "b", 0, 1 << 20, &n, &err), 0);
	assert_int_equal(n, 4096);
	assert_int_equal(keys_number(&k, "c", 0, 100, &n, &err), 0);
	assert_int_equal(n, 16);
	assert_int_equal(keys_number(&k, "z", 0, 100, &n, &err), 0);
	assert_int_equal(n, 16); /* not there: left alone */
	assert_int_not_equal(keys_number(&k, "d", 0, 98, &n, &err), 0);
	assert_string_equal(err.text,
			    "disk a=12,b=4K,c=0x10,d=99,e=-1,f=1T,g=,h=18446744073709551616: "
			    "d=99 is out of range: 0 to 98");
	assert_int_not_equal(keys_number(&k, "e", 0, 98, &n, &err), 0);
	assert_int_not_equal(keys_number(&k, "b", 0, 5000, &n, &err), 0); /* no suffixes here */
	assert_int_not_equal(keys_size(&k, "f", 0, 5000, &n, &err), 0);
	assert_int_not_equal(keys_size(&k, "g", 0, 5000, &n, &err), 0);
	assert_int_not_equal(keys_size(&k, "h", 0, UINT64_MAX, &n, &err), 0);
	keys_clear(&k);
}

static void words_and_flags(void **state)
{
	static const char *const words[] = {"virtio", "ide", NULL};
	struct keys k;
	unsigned w = 9;
	bool on = false;

	parse(&k, "bus=ide,ro=no,x=usb,overlay,y=maybe", false);
	assert_int_equal(keys_word(&k, "bus", words, &w, &err), 0);
	assert_int_equal(w, 1);
	assert_int_not_equal(keys_word(&k, "x", words, &w, &err), 0);
	assert_non_null(strstr(err.text, "x=usb: must be virtio or ide"));
	assert_int_equal(keys_flag(&k, "overlay", &on, &err), 0);
	assert_true(on);
	assert_int_equal(keys_flag(&k, "ro", &on, &err), 0);
	assert_false(on);
	assert_int_not_equal(keys_flag(&k, "y", &on, &err), 0);
	assert_int_equal(keys_done(&k, &err), 0);
	keys_clear(&k);
}

static void wrong(void **state)
{
	struct keys k;

	parse(&k, "img,formt=raw", true);
	assert_null(keys_text(&k, "format"));
	assert_null(keys_text(&k, "overlay"));
	assert_int_not_equal(keys_done(&k, &err), 0);
	assert_string_equal(err.text,
			    "disk img,formt=raw: unknown key formt; did you mean format?");
	keys_clear(&k);
	assert_int_not_equal(keys_parse(&k, "disk", "img,=x", true, &err), 0);
	keys_clear(&k);
	assert_int_not_equal(keys_parse(&k, "disk", "a,b,", false, &err), 0);
	keys_clear(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_and_pairs), cmocka_unit_test(double_commas),
		cmocka_unit_test(numbers),	   cmocka_unit_test(words_and_flags),
		cmocka_unit_test(wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
