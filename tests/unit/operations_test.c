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
    bool local;
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
    assert_int_equal(operation->local, expected->local);
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

static int add_local(struct hf_operations *operations,
                     struct hf_operation_id id, uint16_t partition,
                     uint64_t shows, const char *reply)
{
    return hf_operations_add_local(operations, id, partition, shows,
                                   hf_slice_text(reply));
}

static int add(struct hf_operations *operations, struct hf_operation_id id,
               uint16_t partition, uint64_t sequence, const char *reply)
{
    return hf_operations_add(operations, id, partition, sequence,
                             hf_slice_text(reply));
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
    entry->local = hf_rng_chance(&f->rng, 1, 3);
    (void)snprintf(entry->reply, sizeof(entry->reply), "%.*s",
                   (int)hf_rng_below(&f->rng, 20), "answer answer answer");
    assert_int_equal((entry->local ? add_local : add)(
                         &f->operations, entry->id, entry->partition,
                         entry->sequence, entry->reply),
                     0);
}

/* Only one without effects gives way, to one with effects, and is then the
 * newest of its origin. */
static void add_again(struct fixture *f)
{
    if (f->count == 0) {
        return;
    }
    size_t index = hf_rng_below(&f->rng, f->count);
    struct remembered entry = f->model[index];
    assert_int_equal(add_local(&f->operations, entry.id, 99, 99, "another"), 0);
    if (hf_rng_chance(&f->rng, 1, 2)) {
        assert_int_equal(add(&f->operations, entry.id, 3, 98, "effects"), 0);
        if (entry.local) {
            model_forget(f, index);
            f->model[f->count++] =
                (struct remembered){entry.id, 3, 98, false, "effects"};
        }
    }
}

static void remove_any(struct fixture *f)
{
    hf_operations_remove(&f->operations, id_of(0, f->next[0]));
    if (f->count > 0) {
        size_t index = hf_rng_below(&f->rng, f->count);
        hf_operations_remove(&f->operations, f->model[index].id);
        model_forget(f, index);
    }
}

static bool is_over(void *user, struct hf_operation_id id)
{
    const struct fixture *f = user;
    return id.number < f->over[id.origin - 1000];
}

/* Drops from the model what the table forgot of @origin, which must be its
 * oldest; returns how many. What was left though it is over: to @left. */
static uint32_t model_follow(struct fixture *f, uint64_t origin, uint32_t *left)
{
    uint32_t gone = 0;
    bool kept = false, blocked = false;
    for (size_t i = 0; i < f->count;) {
        struct hf_operation_id id = f->model[i].id;
        if (id.origin != origin + 1000) {
            i++;
            continue;
        }
        blocked = blocked || !is_over(f, id);
        if (hf_operations_find(&f->operations, id) == NULL) {
            assert_false(kept || blocked);
            model_forget(f, i);
            gone++;
            continue;
        }
        kept = true;
        *left += blocked ? 0 : 1;
        i++;
    }
    return gone;
}

static void forget_oldest(struct fixture *f)
{
    for (uint64_t origin = 0; origin < ORIGIN_COUNT; origin++) {
        uint64_t open = f->next[origin] - f->over[origin];
        f->over[origin] += hf_rng_below(&f->rng, open + 1);
    }
    uint32_t visits = (uint32_t)hf_rng_below(&f->rng, 200);
    hf_operations_forget(&f->operations, visits, is_over, f);
    uint32_t gone = 0, left = 0;
    for (uint64_t origin = 0; origin < ORIGIN_COUNT; origin++) {
        gone += model_follow(f, origin, &left);
    }
    assert_true(gone <= visits);
    assert_true(gone == visits || left == 0);
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
        } else if (dice < 980) {
            add_again(f);
        } else if (dice < 990) {
            remove_any(f);
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

/* One that does not answer, or is slow, is nothing to the others. */
static void an_origin_that_is_not_over_blocks_only_itself(void **state)
{
    struct fixture *f = *state;
    for (uint64_t number = 1; number <= 10; number++) {
        for (uint64_t origin = 0; origin < ORIGIN_COUNT; origin++) {
            assert_int_equal(
                add(&f->operations, id_of(origin, number), 0, number, ""), 0);
        }
    }
    f->over[1] = 100;
    f->over[2] = 4;
    hf_operations_forget(&f->operations, 1000, is_over, f);
    assert_int_equal(f->operations.count, 10 + 0 + 7);
    for (uint64_t number = 1; number <= 10; number++) {
        assert_non_null(hf_operations_find(&f->operations, id_of(0, number)));
        assert_null(hf_operations_find(&f->operations, id_of(1, number)));
    }
    assert_null(hf_operations_find(&f->operations, id_of(2, 3)));
    assert_non_null(hf_operations_find(&f->operations, id_of(2, 4)));
    assert_int_equal(add(&f->operations, id_of(1, 101), 0, 1, ""), 0);
    assert_non_null(hf_operations_find(&f->operations, id_of(1, 101)));
}

/* Known only to the primary, until the same operation comes as a record of
 * another primary that saw something else. */
static void what_had_no_effect_gives_way_to_what_had(void **state)
{
    struct fixture *f = *state;
    struct hf_operation_id id = id_of(0, 1);
    assert_int_equal(add_local(&f->operations, id, 1, 5, "none"), 0);
    assert_int_equal(add_local(&f->operations, id, 2, 6, "none again"), 0);
    expect_same(hf_operations_find(&f->operations, id),
                &(struct remembered){id, 1, 5, true, "none"});
    failing_mem_fail_nth(&f->failing, 1);
    assert_int_equal(add(&f->operations, id, 3, 7, "some"), HF_ENOMEM);
    expect_same(hf_operations_find(&f->operations, id),
                &(struct remembered){id, 1, 5, true, "none"});
    failing_mem_fail_nth(&f->failing, 0);
    assert_int_equal(add(&f->operations, id, 3, 7, "some"), 0);
    assert_int_equal(add(&f->operations, id, 1, 8, "more"), 0);
    assert_int_equal(add_local(&f->operations, id, 1, 9, "none"), 0);
    assert_int_equal(f->operations.count, 1);
    hf_operations_forget_partition(&f->operations, 1);
    expect_same(hf_operations_find(&f->operations, id),
                &(struct remembered){id, 3, 7, false, "some"});
    hf_operations_forget_partition(&f->operations, 3);
    assert_null(hf_operations_find(&f->operations, id));
}

static void what_was_removed_is_unknown_and_can_come_again(void **state)
{
    struct fixture *f = *state;
    hf_operations_remove(&f->operations, id_of(0, 1)); /* No table yet. */
    for (uint64_t number = 1; number <= 3; number++) {
        assert_int_equal(add(&f->operations, id_of(0, number), 2, number, "x"),
                         0);
    }
    hf_operations_remove(&f->operations, id_of(1, 2));
    hf_operations_remove(&f->operations, id_of(0, 9));
    assert_int_equal(f->operations.count, 3);
    hf_operations_remove(&f->operations, id_of(0, 2));
    assert_int_equal(f->operations.count, 2);
    assert_null(hf_operations_find(&f->operations, id_of(0, 2)));
    assert_non_null(hf_operations_find(&f->operations, id_of(0, 1)));
    assert_non_null(hf_operations_find(&f->operations, id_of(0, 3)));
    assert_int_equal(add(&f->operations, id_of(0, 2), 2, 20, "y"), 0);
    expect_same(hf_operations_find(&f->operations, id_of(0, 2)),
                &(struct remembered){id_of(0, 2), 2, 20, false, "y"});
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
        CASE(an_origin_that_is_not_over_blocks_only_itself),
        CASE(what_had_no_effect_gives_way_to_what_had),
        CASE(what_was_removed_is_unknown_and_can_come_again),
        CASE(what_cannot_be_remembered_is_said),
        CASE(a_table_too_small_for_what_it_holds_still_works),
        CASE(a_closed_table_is_empty_and_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
