#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "holdfast/error.h"

static const int errors[] = {
#define ERROR_VALUE(name, value, text) name,
    HF_ERROR_MAP(ERROR_VALUE)
#undef ERROR_VALUE
};

#define ERROR_COUNT (sizeof(errors) / sizeof(errors[0]))

static void success_is_no_error(void **state)
{
    (void)state;
    assert_string_equal(hf_strerror(0), "no error");
}

static void every_error_has_its_own_number_and_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ERROR_COUNT; i++) {
        const char *text = hf_strerror(errors[i]);
        assert_true(errors[i] < 0);
        assert_true(strlen(text) > 0);
        assert_string_not_equal(text, "unknown error");
        assert_string_not_equal(text, hf_strerror(0));
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(errors[i], errors[k]);
            assert_string_not_equal(text, hf_strerror(errors[k]));
        }
    }
    assert_string_equal(hf_strerror(HF_ENOMEM), "out of memory");
}

static void a_number_that_is_no_error_is_unknown(void **state)
{
    (void)state;
    const int unknown[] = {1, -1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_string_equal(hf_strerror(unknown[i]), "unknown error");
    }
}

/* Programs that were compiled against an older header know these numbers. */
static void numbers_never_change(void **state)
{
    (void)state;
    assert_int_equal(HF_ENOMEM, -1);
    assert_int_equal(HF_EINVAL, -2);
    assert_int_equal(HF_EIO, -3);
    assert_int_equal(HF_EINUSE, -4);
    assert_int_equal(HF_EPROTO, -5);
    assert_int_equal(HF_ELIMIT, -6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_no_error),
        cmocka_unit_test(every_error_has_its_own_number_and_text),
        cmocka_unit_test(a_number_that_is_no_error_is_unknown),
        cmocka_unit_test(numbers_never_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
