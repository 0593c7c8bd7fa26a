#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "core/operations.h"
#include "holdfast/error.h"
#include "support/failing_mem.h"

#define MODEL_MAX 4000
#define ORIGIN_COUNT 3
#define PARTITION_COUNT 4

/* What is remembered, oldest first. */
struct remembered {
    struct hf_operation_id id;
    uint16_t partition;
    uint64_t sequence;
    char reply[24];
};

struct fixture {
    struct failing_mem failing;
    struct hf_operations operations;
    struct hf_rng rng;
    struct remembered model[MODEL_MAX];
    size_t count;
    uint64_t next[ORIGIN_COUNT];
    uint64_t over[ORIGIN_COUNT]; /* Numbers below this have ended. */
};

static int open_fixture(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    failing_mem_init(&f.failing);
    hf_operations_init(&f.operations, &f.failing.mem);
    hf_rng_init(&f.rng, 1);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_operations_close(&f->operations);
    assert_int_equal(f->failing.mem.used_bytes, 0);
    failing_mem_close(&f->failing);
    return 0;
}

static struct hf_operation_id id_of(uint64_t origin, uint64_t number)
{
    return (struct hf_operation_id){origin + 1000, number};
}

static bool same_id(struct hf_operation_id a, struct hf_operation_id b)
{
    return a.origin == b.origin && a.number == b.number;
}

static void expect_same(const struct hf_operation *operation,
                        const struct remembered *expected)
{
    assert_non_null(operation);
    assert_true(same_id(operation->id, expected->id));
    assert_int_equal(operation->partition, expected->partition);
    assert_true(operation->sequence == expected->sequence);
    assert_true(
        hf_slice_equal(operation->reply, hf_slice_text(expected->reply)));
}

static void expect_model(const struct fixture *f)
{
    assert_int_equal(f->operations.count, f->count);
    for (size_t i = 0; i < f->count; i++) {
        const struct hf_operation *operation =
            hf_operations_find(&f->operations, f->model[i].id);
        expect_same(operation, &f->model[i]);
    }
    for (uint64_t origin = 0; origin < ORIGIN_COUNT; origin++) {
        struct hf_operation_id id = id_of(origin, f->next[origin]);
        assert_null(hf_operations_find(&f->operations, id));
    }
}

/* Forgets the one at @index, the dumb way. */
static void model_forget(struct fixture *f, size_t index)
{
    f->count--;
    memmove(&f->model[index], &f->model[index + 1],
            (f->count - index) * sizeof(f->model[0]));
}

static void add_new(struct fixture *f)
{
    if (f->count == MODEL_MAX) {
        return;
    }
    uint64_t origin = hf_rng_below(&f->rng, ORIGIN_COUNT);
    struct remembered *entry = &f->model[f->count++];
    entry->id = id_of(origin, f->next[origin]++);
    entry->partition = (uint16_t)hf_rng_below(&f->rng, PARTITION_COUNT);
    entry->sequence = hf_rng_next(&f->rng);
    (void)snprintf(entry->reply, sizeof(entry->reply), "%.*s",
                   (int)hf_rng_below(&f->rng, 20), "answer answer answer");
    assert_int_equal(hf_operations_add(&f->operations, entry->id,
                                       entry->partition, entry->sequence,
                                       hf_slice_text(entry->reply)),
                     0);
}

static void add_again(struct fixture *f)
{
    if (f->count > 0) {
        const struct remembered *entry =
            &f->model[hf_rng_below(&f->rng, f->count)];
        assert_int_equal(hf_operations_add(&f->operations, entry->id, 99, 99,
                                           HF_SLICE_LITERAL("another")),
                         0);
    }
}

static bool is_over(void *user, struct hf_operation_id id)
{
    const struct fixture *f = user;
    return id.number < f->over[id.origin - 1000];
}

static void forget_oldest(struct fixture *f)
{
    for (uint64_t origin = 0; origin < ORIGIN_COUNT; origin++) {
        uint64_t open = f->next[origin] - f->over[origin];
        f->over[origin] += hf_rng_below(&f->rng, open + 1);
    }
    uint32_t visits = (uint32_t)hf_rng_below(&f->rng, 200);
    hf_operations_forget(&f->operations, visits, is_over, f);
    while (visits > 0 && f->count > 0 && is_over(f, f->model[0].id)) {
        model_forget(f, 0);
        visits--;
    }
}

static void forget_partition(struct fixture *f)
{
    uint16_t partition = (uint16_t)hf_rng_below(&f->rng, PARTITION_COUNT);
    hf_operations_forget_partition(&f->operations, partition);
    for (size_t i = f->count; i > 0; i--) {
        if (f->model[i - 1].partition == partition) {
            model_forget(f, i - 1);
        }
    }
}

static void a_table_does_as_a_dumb_one_does(void **state)
{
    struct fixture *f = *state;
    size_t most = 0;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t dice = hf_rng_below(&f->rng, 1000);
        if (dice < 900) {
            add_new(f);
        } else if (dice < 990) {
            add_again(f);
        } else if (dice < 997) {
            forget_oldest(f);
        } else {
            forget_partition(f);
        }
        if (round % 50 == 0) {
            expect_model(f);
        }
        most = f->count > most ? f->count : most;
    }
    assert_true(most > 256);
}

static void an_empty_table_knows_nothing(void **state)
{
    struct fixture *f = *state;
    assert_null(hf_operations_find(&f->operations, id_of(0, 1)));
    hf_operations_forget(&f->operations, 100, is_over, f);
    hf_operations_forget_partition(&f->operations, 0);
    assert_int_equal(f->operations.count, 0);
}

static void origin_and_number_both_tell_operations_apart(void **state)
{
    struct fixture *f = *state;
    for (uint64_t origin = 0; origin < 2; origin++) {
        for (uint64_t number = 1; number <= 2; number++) {
            assert_int_equal(
                hf_operations_add(&f->operations, id_of(origin, number), 0,
                                  origin * 10 + number, HF_SLICE_LITERAL("")),
                0);
        }
    }
    for (uint64_t origin = 0; origin < 2; origin++) {
        for (uint64_t number = 1; number <= 2; number++) {
            const struct hf_operation *operation =
                hf_operations_find(&f->operations, id_of(origin, number));
            assert_non_null(operation);
            assert_true(operation->sequence == origin * 10 + number);
        }
    }
}

static void an_answer_has_bytes_of_its_own(void **state)
{
    struct fixture *f = *state;
    char reply[] = "OK";
    assert_int_equal(hf_operations_add(&f->operations, id_of(0, 1), 3, 4,
                                       hf_slice_text(reply)),
                     0);
    reply[0] = 'K';
    const struct hf_operation *operation =
        hf_operations_find(&f->operations, id_of(0, 1));
    assert_true(hf_slice_equal(operation->reply, HF_SLICE_LITERAL("OK")));
}

static void forgetting_stops_at_one_that_is_not_over(void **state)
{
    struct fixture *f = *state;
    static const uint64_t numbers[] = {1, 2, 9, 3};
    for (size_t i = 0; i < HF_ARRAY_COUNT(numbers); i++) {
        assert_int_equal(hf_operations_add(&f->operations, id_of(0, numbers[i]),
                                           0, 0, HF_SLICE_LITERAL("")),
                         0);
    }
    f->over[0] = 5;
    hf_operations_forget(&f->operations, 1, is_over, f);
    assert_int_equal(f->operations.count, 3);
    hf_operations_forget(&f->operations, 100, is_over, f);
    assert_int_equal(f->operations.count, 2);
    assert_non_null(hf_operations_find(&f->operations, id_of(0, 9)));
    assert_non_null(hf_operations_find(&f->operations, id_of(0, 3)));
}

static void what_cannot_be_remembered_is_said(void **state)
{
    struct fixture *f = *state;
    size_t refused = 0;
    for (uint64_t number = 0; number < 300; number++) {
        for (uint64_t nth = 1;; nth++) {
            failing_mem_fail_from(&f->failing, nth);
            int error = hf_operations_add(&f->operations, id_of(0, number), 0,
                                          number, HF_SLICE_LITERAL("answer"));
            bool known =
                hf_operations_find(&f->operations, id_of(0, number)) != NULL;
            assert_int_equal(known, error == 0);
            if (error == 0) {
                break;
            }
            assert_int_equal(error, HF_ENOMEM);
            refused++;
        }
    }
    failing_mem_fail_nth(&f->failing, 0);
    assert_true(refused >= 300);
    assert_int_equal(f->operations.count, 300);
    for (uint64_t number = 0; number < 300; number++) {
        const struct hf_operation *operation =
            hf_operations_find(&f->operations, id_of(0, number));
        assert_non_null(operation);
        assert_true(operation->sequence == number);
    }
}

/* Without memory for a larger table, a full one goes on, only slower. */
static void a_table_too_small_for_what_it_holds_still_works(void **state)
{
    struct fixture *f = *state;
    for (uint64_t number = 0; number < 64; number++) {
        assert_int_equal(hf_operations_add(&f->operations, id_of(0, number), 0,
                                           number, HF_SLICE_LITERAL("")),
                         0);
    }
    for (uint64_t number = 64; number < 200; number++) {
        failing_mem_fail_nth(&f->failing, 1); /* That is the larger table. */
        assert_int_equal(hf_operations_add(&f->operations, id_of(0, number), 0,
                                           number, HF_SLICE_LITERAL("")),
                         0);
        assert_true(f->failing.failed);
    }
    failing_mem_fail_nth(&f->failing, 0);
    assert_int_equal(f->operations.count, 200);
    assert_true(hf_operations_find(&f->operations, id_of(0, 150)) != NULL);
    assert_int_equal(hf_operations_add(&f->operations, id_of(0, 200), 0, 0,
                                       HF_SLICE_LITERAL("")),
                     0);
    for (uint64_t number = 0; number <= 200; number++) {
        assert_non_null(hf_operations_find(&f->operations, id_of(0, number)));
    }
}

static void a_closed_table_is_empty_and_usable(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(hf_operations_add(&f->operations, id_of(0, 1), 0, 0,
                                       HF_SLICE_LITERAL("x")),
                     0);
    hf_operations_close(&f->operations);
    assert_int_equal(f->failing.piece_count, 0);
    assert_null(hf_operations_find(&f->operations, id_of(0, 1)));
    assert_int_equal(hf_operations_add(&f->operations, id_of(0, 1), 0, 0,
                                       HF_SLICE_LITERAL("x")),
                     0);
    assert_non_null(hf_operations_find(&f->operations, id_of(0, 1)));
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(a_table_does_as_a_dumb_one_does),
        CASE(an_empty_table_knows_nothing),
        CASE(origin_and_number_both_tell_operations_apart),
        CASE(an_answer_has_bytes_of_its_own),
        CASE(forgetting_stops_at_one_that_is_not_over),
        CASE(what_cannot_be_remembered_is_said),
        CASE(a_table_too_small_for_what_it_holds_still_works),
        CASE(a_closed_table_is_empty_and_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
