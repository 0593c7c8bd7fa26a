#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/types.h"
#include "bench/histogram.h"

#define VALUES 20000

static struct histogram histogram;

static int clear(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void nothing_has_no_percentiles(void **state)
{
    (void)state;
    assert_int_equal(histogram_permille(&histogram, 500), 0);
    assert_int_equal(histogram_permille(&histogram, 1000), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t value = 1; value <= 100; value++) {
        histogram_add(&histogram, value);
    }
    assert_int_equal(histogram_permille(&histogram, 10), 1);
    assert_int_equal(histogram_permille(&histogram, 500), 50);
    assert_int_equal(histogram_permille(&histogram, 990), 99);
    assert_int_equal(histogram_permille(&histogram, 999), 100);
}

static void a_percentile_is_never_below_and_hardly_above(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    static const unsigned permilles[] = {1, 500, 900, 990, 999, 1000};
    struct hf_rng rng;
    hf_rng_init(&rng, 1);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = hf_rng_next(&rng) >> hf_rng_below(&rng, 60);
        histogram_add(&histogram, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), compare);
    for (size_t i = 0; i < HF_ARRAY_COUNT(permilles); i++) {
        uint64_t truth = values[VALUES / 1000 * permilles[i] - 1];
        uint64_t said = histogram_permille(&histogram, permilles[i]);
        assert_true(said >= truth);
        assert_true(said - truth <= truth / HISTOGRAM_STEPS);
    }
    assert_int_equal(histogram.max, values[VALUES - 1]);
}

static void extremes_have_a_place(void **state)
{
    (void)state;
    histogram_add(&histogram, 0);
    assert_int_equal(histogram_permille(&histogram, 1000), 0);
    histogram_add(&histogram, UINT64_MAX);
    assert_true(histogram_permille(&histogram, 1000) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_has_no_percentiles, clear),
        cmocka_unit_test_setup(small_values_are_exact, clear),
        cmocka_unit_test_setup(a_percentile_is_never_below_and_hardly_above,
                               clear),
        cmocka_unit_test_setup(extremes_have_a_place, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
