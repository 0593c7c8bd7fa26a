#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

/* The numbers that the authors' own programs give. A simulation is replayed
 * from its seed, so they may never change. */
static void the_numbers_are_those_of_xoshiro(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        11520u,
        0u,
        1509978240u,
        1215971899390074240u,
        1216172134540287360u,
        607988272756665600u,
        16172922978634559625u,
        8476171486693032832u,
        10595114339597558777u,
        2904607092377533576u,
    };
    struct hf_rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < HF_ARRAY_COUNT(expected); i++) {
        assert_true(hf_rng_next(&rng) == expected[i]);
    }
}

static void the_seed_is_spread_by_splitmix(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        6457827717110365317u,
        3203168211198807973u,
        9817491932198370423u,
        4593380528125082431u,
    };
    struct hf_rng rng;
    hf_rng_init(&rng, 1234567);
    assert_memory_equal(rng.state, expected, sizeof(expected));
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct hf_rng a;
    struct hf_rng b;
    struct hf_rng other;
    hf_rng_init(&a, 7);
    hf_rng_init(&b, 7);
    hf_rng_init(&other, 8);
    unsigned same = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t number = hf_rng_next(&a);
        assert_true(number == hf_rng_next(&b));
        same += number == hf_rng_next(&other) ? 1 : 0;
    }
    assert_int_equal(same, 0);
}

static void below_gives_every_number_below_and_no_other(void **state)
{
    (void)state;
    struct hf_rng rng;
    hf_rng_init(&rng, 3);
    for (uint64_t bound = 1; bound <= 20; bound++) {
        unsigned counts[20] = {0};
        for (unsigned i = 0; i < 20000; i++) {
            uint64_t number = hf_rng_below(&rng, bound);
            assert_true(number < bound);
            counts[number]++;
        }
        for (uint64_t number = 0; number < bound; number++) {
            /* Never so far off by chance: more than six deviations. */
            uint64_t mean = 20000 / bound;
            assert_in_range(counts[number], mean - mean / 4, mean + mean / 4);
        }
    }
    assert_true(hf_rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void a_chance_is_as_good_as_it_says(void **state)
{
    (void)state;
    struct hf_rng rng;
    hf_rng_init(&rng, 4);
    unsigned thirds = 0;
    for (unsigned i = 0; i < 30000; i++) {
        assert_false(hf_rng_chance(&rng, 0, 5));
        assert_true(hf_rng_chance(&rng, 5, 5));
        thirds += hf_rng_chance(&rng, 1, 3) ? 1 : 0;
    }
    assert_in_range(thirds, 9500, 10500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_those_of_xoshiro),
        cmocka_unit_test(the_seed_is_spread_by_splitmix),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(below_gives_every_number_below_and_no_other),
        cmocka_unit_test(a_chance_is_as_good_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
