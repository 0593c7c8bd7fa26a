#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/explain.h"

#define NIL MODEL_NIL
#define UNKNOWN MODEL_UNKNOWN

/* One key, in the order of begins. */
struct line {
    enum model_kind kind;
    int64_t value;
    int64_t started;
    int64_t ended;
};

static struct explained explained(const struct line *lines, size_t count)
{
    struct model model;
    model_init(&model);
    for (size_t i = 0; i < count; i++) {
        const struct model_operation operation = {
            .kind = lines[i].kind,
            .value = lines[i].value,
            .started = lines[i].started,
            .ended = lines[i].ended,
        };
        model_add(&model, &operation);
    }
    struct model_verdict verdict;
    model_check(&model, &verdict);
    assert_false(verdict.linearizable);
    struct explained sum = {0};
    explain(model.operations, model.count, &sum);
    model_close(&model);
    return sum;
}

#define EXPLAINED(lines) explained(lines, sizeof(lines) / sizeof((lines)[0]))

static void assert_counts(struct explained sum, struct explained wanted)
{
    assert_int_equal(sum.lost, wanted.lost);
    assert_int_equal(sum.resurrected, wanted.resurrected);
    assert_int_equal(sum.stale, wanted.stale);
    assert_int_equal(sum.early, wanted.early);
    assert_int_equal(sum.late, wanted.late);
    assert_int_equal(sum.other, wanted.other);
}

static void a_write_that_is_never_seen_again_is_lost_once(void **state)
{
    (void)state;
    const struct line lines[] = {
        {MODEL_WRITE, 1, 10, 20}, {MODEL_WRITE, 2, 30, 40},
        {MODEL_READ, 2, 50, 60},  {MODEL_READ, 1, 70, 80},
        {MODEL_READ, 1, 90, 95},
    };
    assert_counts(EXPLAINED(lines), (struct explained){.lost = 1});
}

static void everything_gone_is_lost(void **state)
{
    (void)state;
    const struct line lines[] = {
        {MODEL_DELETE, NIL, 1, 5},
        {MODEL_WRITE, 1, 10, 20},
        {MODEL_READ, NIL, 30, 40},
    };
    assert_counts(EXPLAINED(lines), (struct explained){.lost = 1});
}

static void a_read_that_was_behind_is_stale(void **state)
{
    (void)state;
    const struct line lines[] = {
        {MODEL_WRITE, 1, 10, 20},
        {MODEL_WRITE, 2, 30, 40},
        {MODEL_READ, 1, 50, 60},
        {MODEL_READ, 2, 70, 80},
    };
    assert_counts(EXPLAINED(lines), (struct explained){.stale = 1});
}

static void a_deleted_session_that_comes_back_is_resurrected(void **state)
{
    (void)state;
    const struct line lines[] = {
        {MODEL_WRITE, 1, 10, 20},
        {MODEL_DELETE, NIL, 30, 40},
        {MODEL_READ, 1, 50, 60},
    };
    assert_counts(EXPLAINED(lines),
                  (struct explained){.lost = 1, .resurrected = 1});
}

static void a_write_that_was_shown_and_vanished_is_lost(void **state)
{
    (void)state;
    const struct line lines[] = {
        {MODEL_WRITE, 1, 10, 20},
        {MODEL_WRITE, 2, 30, UNKNOWN},
        {MODEL_READ, 2, 50, 60},
        {MODEL_READ, 1, 70, 80},
    };
    assert_counts(EXPLAINED(lines), (struct explained){.lost = 1});
}

static void expiry_may_be_early_or_late(void **state)
{
    (void)state;
    const struct line early[] = {
        {MODEL_WRITE, 1, 10, 20},
        {MODEL_READ, NIL, 50, 60},
        {MODEL_EXPIRE, 1, 100, 120},
    };
    assert_counts(EXPLAINED(early), (struct explained){.lost = 1, .early = 1});
    const struct line late[] = {
        {MODEL_WRITE, 1, 10, 20},
        {MODEL_EXPIRE, 1, 100, 120},
        {MODEL_READ, 1, 150, 160},
    };
    assert_counts(EXPLAINED(late), (struct explained){.late = 1});
}

static void each_missing_increment_is_lost(void **state)
{
    (void)state;
    const struct line lines[] = {
        {MODEL_ADD, 1, 10, 20},  {MODEL_ADD, 2, 30, 40}, {MODEL_ADD, 3, 50, 60},
        {MODEL_READ, 1, 70, 80}, {MODEL_ADD, 2, 90, 95},
    };
    assert_counts(EXPLAINED(lines), (struct explained){.lost = 2});
}

static void a_counter_read_behind_is_stale(void **state)
{
    (void)state;
    const struct line lines[] = {
        {MODEL_ADD, 1, 10, 20},
        {MODEL_ADD, 2, 30, 40},
        {MODEL_READ, 1, 50, 60},
        {MODEL_ADD, 3, 70, 80},
    };
    assert_counts(EXPLAINED(lines), (struct explained){.stale = 1});
}

static void what_fits_no_kind_is_other(void **state)
{
    (void)state;
    const struct line invented[] = {{MODEL_READ, 9, 10, 20}};
    assert_counts(EXPLAINED(invented), (struct explained){.other = 1});
    const struct line twice[] = {
        {MODEL_ADD, 1, 10, 20},
        {MODEL_ADD, 3, 30, 40},
    };
    assert_counts(EXPLAINED(twice), (struct explained){.other = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_is_never_seen_again_is_lost_once),
        cmocka_unit_test(everything_gone_is_lost),
        cmocka_unit_test(a_read_that_was_behind_is_stale),
        cmocka_unit_test(a_deleted_session_that_comes_back_is_resurrected),
        cmocka_unit_test(a_write_that_was_shown_and_vanished_is_lost),
        cmocka_unit_test(expiry_may_be_early_or_late),
        cmocka_unit_test(each_missing_increment_is_lost),
        cmocka_unit_test(a_counter_read_behind_is_stale),
        cmocka_unit_test(what_fits_no_kind_is_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
