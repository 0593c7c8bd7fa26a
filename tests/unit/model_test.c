#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/model.h"

#define KEY 7

/* A history, written as one operation per line. */

static void did(struct model *model, enum model_kind kind, int64_t value,
                int64_t started, int64_t ended)
{
    const struct model_operation operation = {
        .key = KEY,
        .kind = kind,
        .value = value,
        .started = started,
        .ended = ended,
    };
    model_add(model, &operation);
}

static void assert_verdict(struct model *model, bool linearizable)
{
    struct model_verdict verdict;
    model_check(model, &verdict);
    if (!verdict.linearizable) {
        assert_int_equal(verdict.key, KEY);
        assert_true(verdict.text[0] != '\0');
    }
    model_close(model);
    assert_int_equal(verdict.linearizable, linearizable);
}

static void an_empty_history_is_fine(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    assert_verdict(&m, true);
}

static void a_read_after_a_write_must_see_it(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_READ, 1, 30, 40);
    assert_verdict(&m, true);

    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_READ, MODEL_NIL, 30, 40);
    assert_verdict(&m, false);
}

static void a_read_during_a_write_may_see_either(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_WRITE, 2, 30, 60);
    did(&m, MODEL_READ, 1, 40, 50);
    assert_verdict(&m, true);

    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_WRITE, 2, 30, 60);
    did(&m, MODEL_READ, 2, 40, 50);
    assert_verdict(&m, true);
}

static void a_value_that_was_seen_must_not_vanish_again(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_WRITE, 2, 30, 90);
    did(&m, MODEL_READ, 2, 40, 50);
    did(&m, MODEL_READ, 1, 60, 70);
    assert_verdict(&m, false);
}

static void a_stale_read_is_found(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_WRITE, 2, 30, 40);
    did(&m, MODEL_READ, 1, 50, 60);
    assert_verdict(&m, false);
}

static void a_value_nobody_wrote_is_found(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_READ, 3, 50, 60);
    assert_verdict(&m, false);
}

static void a_value_read_before_it_was_written_is_found(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_READ, 1, 10, 20);
    did(&m, MODEL_WRITE, 1, 30, 40);
    assert_verdict(&m, false);

    model_init(&m);
    did(&m, MODEL_READ, 1, 10, 20);
    did(&m, MODEL_WRITE, 1, 30, MODEL_UNKNOWN);
    assert_verdict(&m, false);
}

static void a_write_of_unknown_outcome_may_have_happened_or_not(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_WRITE, 2, 30, MODEL_UNKNOWN);
    did(&m, MODEL_READ, 1, 50, 60);
    assert_verdict(&m, true);

    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_WRITE, 2, 30, MODEL_UNKNOWN);
    did(&m, MODEL_READ, 1, 50, 60);
    did(&m, MODEL_READ, 2, 70, 80);
    assert_verdict(&m, true);
}

static void a_write_of_unknown_outcome_happens_only_once(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 2, 30, MODEL_UNKNOWN);
    did(&m, MODEL_READ, 2, 50, 60);
    did(&m, MODEL_WRITE, 3, 70, 80);
    did(&m, MODEL_READ, 2, 90, 95);
    assert_verdict(&m, false);
}

static void a_deleted_session_must_not_come_back(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_DELETE, 0, 30, 40);
    did(&m, MODEL_READ, MODEL_NIL, 50, 60);
    assert_verdict(&m, true);

    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_DELETE, 0, 30, 40);
    did(&m, MODEL_READ, 1, 50, 60);
    assert_verdict(&m, false);
}

static void a_deletion_of_unknown_outcome_happens_at_most_once(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_DELETE, 0, 5, MODEL_UNKNOWN);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_READ, 1, 22, 24);
    did(&m, MODEL_READ, MODEL_NIL, 30, 40);
    assert_verdict(&m, true);

    model_init(&m);
    did(&m, MODEL_DELETE, 0, 5, MODEL_UNKNOWN);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_READ, MODEL_NIL, 30, 40);
    did(&m, MODEL_WRITE, 2, 50, 60);
    did(&m, MODEL_READ, MODEL_NIL, 70, 80);
    assert_verdict(&m, false);
}

/* Histories of a key that is fenced once it was deleted. */
static void fenced(struct model *model, enum model_kind kind, int64_t value,
                   int64_t started, int64_t ended)
{
    did(model, kind, value, started, ended);
    model->operations[model->count - 1].fenced = true;
}

static void a_write_after_a_logout_must_be_refused(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    fenced(&m, MODEL_WRITE, 1, 10, 20);
    fenced(&m, MODEL_DELETE, 0, 30, 40);
    fenced(&m, MODEL_READ, MODEL_NIL, 42, 45);
    fenced(&m, MODEL_REFUSED, 2, 50, 60);
    assert_verdict(&m, true);

    model_init(&m);
    fenced(&m, MODEL_WRITE, 1, 10, 20);
    fenced(&m, MODEL_DELETE, 0, 30, 40);
    fenced(&m, MODEL_WRITE, 2, 50, 60);
    assert_verdict(&m, false);

    model_init(&m);
    fenced(&m, MODEL_WRITE, 1, 10, 20);
    fenced(&m, MODEL_DELETE, 0, 30, 40);
    fenced(&m, MODEL_WRITE, 2, 35, 60); /* Began before it ended. */
    assert_verdict(&m, true);
}

static void only_a_logout_refuses_writes(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    fenced(&m, MODEL_WRITE, 1, 10, 20);
    fenced(&m, MODEL_REFUSED, 2, 50, 60);
    assert_verdict(&m, false);

    model_init(&m);
    fenced(&m, MODEL_DELETE, 0, 10, 20); /* Nobody was in. */
    fenced(&m, MODEL_REFUSED, 2, 50, 60);
    assert_verdict(&m, false);

    model_init(&m);
    fenced(&m, MODEL_DELETE, 0, 10, 20);
    fenced(&m, MODEL_WRITE, 2, 50, 60);
    assert_verdict(&m, true);
}

static void what_is_refused_stays_refused(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    fenced(&m, MODEL_WRITE, 1, 10, 20);
    fenced(&m, MODEL_DELETE, 0, 15, MODEL_UNKNOWN);
    fenced(&m, MODEL_REFUSED, 2, 30, 40);
    assert_verdict(&m, true);

    model_init(&m);
    fenced(&m, MODEL_WRITE, 1, 10, 20);
    fenced(&m, MODEL_DELETE, 0, 15, MODEL_UNKNOWN);
    fenced(&m, MODEL_REFUSED, 2, 30, 40);
    fenced(&m, MODEL_READ, 1, 50, 60);
    assert_verdict(&m, false);
}

/* Somebody may have logged in, so that the deletion was a logout. */
static void a_login_of_unknown_outcome_may_have_been_logged_out(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    fenced(&m, MODEL_WRITE, 1, 10, MODEL_UNKNOWN);
    fenced(&m, MODEL_DELETE, 0, 30, 40);
    fenced(&m, MODEL_REFUSED, 2, 50, 60);
    assert_verdict(&m, true);

    model_init(&m);
    fenced(&m, MODEL_DELETE, 0, 30, 40);
    fenced(&m, MODEL_WRITE, 1, 45, MODEL_UNKNOWN);
    fenced(&m, MODEL_REFUSED, 2, 50, 60);
    assert_verdict(&m, false);
}

static void a_value_expires_in_its_time_and_not_before(void **state)
{
    (void)state;
    struct model m;
    const struct {
        int64_t read;
        int64_t at;
        bool linearizable;
    } cases[] = {
        {1, 90, true},          {MODEL_NIL, 90, false}, {1, 110, true},
        {MODEL_NIL, 110, true}, {1, 130, false},        {MODEL_NIL, 130, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        model_init(&m);
        did(&m, MODEL_WRITE, 1, 10, 20);
        did(&m, MODEL_EXPIRE, 1, 100, 120);
        did(&m, MODEL_READ, cases[i].read, cases[i].at, cases[i].at + 5);
        assert_verdict(&m, cases[i].linearizable);
    }
    /* What replaced it does not expire with it. */
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_EXPIRE, 1, 100, 120);
    did(&m, MODEL_WRITE, 2, 50, 60);
    did(&m, MODEL_READ, 2, 130, 140);
    assert_verdict(&m, true);

    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_EXPIRE, 1, 100, 120);
    did(&m, MODEL_READ, MODEL_NIL, 105, 106);
    did(&m, MODEL_READ, 1, 110, 111);
    assert_verdict(&m, false);
}

/* What RENAME does to its first key: only while it is what was moved. */
static void what_is_taken_must_be_there(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_TAKE, 1, 30, 60);
    did(&m, MODEL_READ, 1, 35, 40);
    did(&m, MODEL_READ, MODEL_NIL, 50, 55);
    did(&m, MODEL_WRITE, 2, 52, 80);
    did(&m, MODEL_READ, 2, 90, 95);
    assert_verdict(&m, true);

    model_init(&m); /* A change is dropped with it. */
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_TAKE, 1, 30, 60);
    did(&m, MODEL_WRITE, 2, 40, 50);
    did(&m, MODEL_READ, MODEL_NIL, 70, 80);
    assert_verdict(&m, false);

    model_init(&m); /* It is there twice. */
    did(&m, MODEL_WRITE, 1, 10, 20);
    did(&m, MODEL_TAKE, 1, 30, 60);
    did(&m, MODEL_READ, 1, 70, 80);
    assert_verdict(&m, false);

    model_init(&m); /* It was never there. */
    did(&m, MODEL_DELETE, 0, 10, 20);
    did(&m, MODEL_TAKE, 1, 30, 60);
    assert_verdict(&m, false);

    model_init(&m); /* Taken, so it was written, though nobody heard so. */
    did(&m, MODEL_WRITE, 1, 10, MODEL_UNKNOWN);
    did(&m, MODEL_TAKE, 1, 30, 60);
    assert_verdict(&m, true);
}

static void increments_count_once(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_ADD, 1, 10, 20);
    did(&m, MODEL_ADD, 3, 30, 50);
    did(&m, MODEL_ADD, 2, 30, 50);
    did(&m, MODEL_READ, 3, 60, 70);
    assert_verdict(&m, true);

    model_init(&m); /* Done twice. */
    did(&m, MODEL_ADD, 1, 10, 20);
    did(&m, MODEL_ADD, 3, 30, 50);
    assert_verdict(&m, false);

    model_init(&m); /* Lost. */
    did(&m, MODEL_ADD, 1, 10, 20);
    did(&m, MODEL_ADD, 1, 30, 50);
    assert_verdict(&m, false);
}

static void an_increment_of_unknown_outcome_counts_at_most_once(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    did(&m, MODEL_ADD, 0, 5, MODEL_UNKNOWN);
    did(&m, MODEL_ADD, 2, 10, 20);
    assert_verdict(&m, true);

    model_init(&m);
    did(&m, MODEL_ADD, 0, 5, MODEL_UNKNOWN);
    did(&m, MODEL_ADD, 3, 10, 20);
    assert_verdict(&m, false);
}

static void keys_are_judged_apart(void **state)
{
    (void)state;
    struct model m;
    model_init(&m);
    struct model_operation other = {.key = KEY + 1,
                                    .kind = MODEL_WRITE,
                                    .value = 1,
                                    .started = 1,
                                    .ended = 2};
    model_add(&m, &other);
    did(&m, MODEL_READ, MODEL_NIL, 10, 20);
    assert_verdict(&m, true);
}

#define CLIENTS 8
#define TURNS 6000

/* What a single honest server would have answered to clients whose messages
 * take a random time: the model must agree with all of it, and with none of
 * it once one answer is changed. */
static void honest_run(struct model *m, uint64_t seed)
{
    struct hf_rng rng;
    hf_rng_init(&rng, seed);
    struct model_operation under_way[CLIENTS] = {0};
    int64_t free_at[CLIENTS] = {0};
    int64_t value = MODEL_NIL;
    int64_t written = 0;
    for (int64_t now = 1; now < TURNS; now++) {
        /* A client takes effect now, began earlier and ends later. */
        size_t i = (size_t)hf_rng_below(&rng, CLIENTS);
        if (free_at[i] >= now) {
            continue;
        }
        int64_t since = now - free_at[i];
        struct model_operation *o = &under_way[i];
        *o = (struct model_operation){.key = KEY};
        o->started = now - (int64_t)hf_rng_below(&rng, (uint64_t)since);
        o->ended = now + (int64_t)hf_rng_below(&rng, 20);
        free_at[i] = o->ended;
        o->kind = (enum model_kind)hf_rng_below(&rng, 3);
        if (o->kind == MODEL_WRITE) {
            value = ++written;
        } else if (o->kind == MODEL_DELETE) {
            value = MODEL_NIL;
        }
        o->value = value;
        if (o->kind != MODEL_READ && hf_rng_chance(&rng, 1, 50)) {
            o->ended = MODEL_UNKNOWN;
        }
        model_add(m, o);
    }
}

static void honest_histories_pass_and_changed_ones_do_not(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct model m;
        model_init(&m);
        honest_run(&m, seed);
        assert_true(m.count > 500);
        struct model_verdict verdict;
        model_check(&m, &verdict);
        assert_true(verdict.linearizable);
        /* A read in the middle sees what was written long before. */
        size_t at = m.count / 2;
        while (m.operations[at].kind != MODEL_READ) {
            at++;
        }
        m.operations[at].value = 1;
        assert_verdict(&m, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_history_is_fine),
        cmocka_unit_test(a_read_after_a_write_must_see_it),
        cmocka_unit_test(a_read_during_a_write_may_see_either),
        cmocka_unit_test(a_value_that_was_seen_must_not_vanish_again),
        cmocka_unit_test(a_stale_read_is_found),
        cmocka_unit_test(a_value_nobody_wrote_is_found),
        cmocka_unit_test(a_value_read_before_it_was_written_is_found),
        cmocka_unit_test(a_write_of_unknown_outcome_may_have_happened_or_not),
        cmocka_unit_test(a_write_of_unknown_outcome_happens_only_once),
        cmocka_unit_test(a_deleted_session_must_not_come_back),
        cmocka_unit_test(a_deletion_of_unknown_outcome_happens_at_most_once),
        cmocka_unit_test(a_write_after_a_logout_must_be_refused),
        cmocka_unit_test(only_a_logout_refuses_writes),
        cmocka_unit_test(what_is_refused_stays_refused),
        cmocka_unit_test(a_login_of_unknown_outcome_may_have_been_logged_out),
        cmocka_unit_test(a_value_expires_in_its_time_and_not_before),
        cmocka_unit_test(what_is_taken_must_be_there),
        cmocka_unit_test(increments_count_once),
        cmocka_unit_test(an_increment_of_unknown_outcome_counts_at_most_once),
        cmocka_unit_test(keys_are_judged_apart),
        cmocka_unit_test(honest_histories_pass_and_changed_ones_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
