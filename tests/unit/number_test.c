#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"

static void assert_double(const char *text, bool is_one, double value)
{
    double read = -77;
    assert_int_equal(hf_slice_to_double(hf_slice_text(text), &read), is_one);
    assert_true(!is_one || read == value);
}

static void reads_what_redis_reads(void **state)
{
    (void)state;
    assert_double("1.5", true, 1.5);
    assert_double("-3", true, -3);
    assert_double("1e5", true, 1e5);
    assert_double("0x10", true, 16);
    assert_double("", false, 0);
    assert_double(" 1", false, 0);
    assert_double("1 ", false, 0);
    assert_double("1.5x", false, 0);
    assert_double("nan", false, 0);
    assert_double("1e400", false, 0);
    assert_double("1e-400", false, 0);
    double read;
    assert_true(hf_slice_to_double(HF_SLICE_LITERAL("-inf"), &read));
    assert_true(read < -1e308);
    assert_false(hf_slice_to_double(HF_SLICE_LITERAL("1\0"), &read));
}

static void a_text_may_be_too_long(void **state)
{
    (void)state;
    static uint8_t zeros[HF_NUMBER_TEXT_MAX + 1];
    memset(zeros, '0', sizeof(zeros));
    double read;
    assert_true(hf_slice_to_double((struct hf_slice){zeros, HF_NUMBER_TEXT_MAX},
                                   &read));
    assert_false(hf_slice_to_double(
        (struct hf_slice){zeros, HF_NUMBER_TEXT_MAX + 1}, &read));
}

static void bounds_take_more(void **state)
{
    (void)state;
    double read;
    assert_true(hf_slice_to_bound(HF_SLICE_LITERAL(""), &read));
    assert_true(read == 0);
    assert_true(hf_slice_to_bound(HF_SLICE_LITERAL(" 2"), &read));
    assert_true(read == 2);
    assert_true(hf_slice_to_bound(HF_SLICE_LITERAL("1e400"), &read));
    assert_true(read > 1e308);
    assert_false(hf_slice_to_bound(HF_SLICE_LITERAL("nan"), &read));
    assert_false(hf_slice_to_bound(HF_SLICE_LITERAL("2x"), &read));
}

static void assert_text(double value, const char *wanted)
{
    char text[HF_DOUBLE_TEXT_BYTES];
    struct hf_slice digits = hf_double_text(value, text);
    assert_true(hf_slice_equal(digits, hf_slice_text(wanted)));
}

static void writes_all_digits(void **state)
{
    (void)state;
    assert_text(0.1, "0.10000000000000001");
    assert_text(3, "3");
    assert_text(1e300, "1.0000000000000001e+300");
    assert_text(-5e-324, "-4.9406564584124654e-324");
    assert_text(1e17, "1e+17");
}

static void writes_long_doubles_for_people(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_buffer out;
    hf_buffer_init(&out, &mem);
    static const struct {
        const char *text;
        const char *wanted;
    } rows[] = {{"10.50", "10.5"}, {"3.0", "3"},    {"-0", "0"},
                {"100", "100"},    {"5e3", "5000"}, {"-0.25", "-0.25"}};
    for (size_t i = 0; i < HF_ARRAY_COUNT(rows); i++) {
        long double value;
        assert_true(
            hf_slice_to_long_double(hf_slice_text(rows[i].text), &value));
        hf_buffer_clear(&out);
        hf_buffer_append_long_double(&out, value);
        assert_true(hf_slice_equal(hf_buffer_slice(&out),
                                   hf_slice_text(rows[i].wanted)));
    }
    hf_buffer_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_redis_reads),
        cmocka_unit_test(a_text_may_be_too_long),
        cmocka_unit_test(bounds_take_more),
        cmocka_unit_test(writes_all_digits),
        cmocka_unit_test(writes_long_doubles_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
