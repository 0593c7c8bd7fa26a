#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/effects.h"
#include "core/expiry.h"
#include "core/sessions.h"
#include "holdfast/error.h"
#include "support/failing_mem.h"

#define NOW 1000000

struct fixture {
    struct failing_mem failing;
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    struct hf_buffer effects;
    hf_time now;
    uint32_t due_count;
    bool keep;                            /* Do not delete what is due. */
    void (*meanwhile)(struct fixture *f); /* Do this instead. */
};

static int open_fixture(void **state)
{
    static struct fixture f;
    f = (struct fixture){.now = NOW};
    failing_mem_init(&f.failing);
    assert_int_equal(hf_expiry_init(&f.expiry, &f.failing.mem), 0);
    hf_sessions_init(&f.sessions, &f.failing.mem, &f.expiry, 0);
    hf_buffer_init(&f.effects, &f.failing.mem);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_sessions_clear(&f->sessions);
    hf_expiry_close(&f->expiry);
    hf_buffer_close(&f->effects);
    failing_mem_close(&f->failing);
    return 0;
}

static void apply(struct fixture *f, struct hf_slice key)
{
    assert_int_equal(hf_sessions_apply(&f->sessions, key, hf_sessions_hash(key),
                                       (struct hf_version){1, 1},
                                       hf_buffer_slice(&f->effects), f->now),
                     0);
    hf_buffer_clear(&f->effects);
}

static void put(struct fixture *f, const char *key, int64_t ttl_ms)
{
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), ttl_ms);
    apply(f, hf_slice_text(key));
}

static void expire(struct fixture *f, const char *key, int64_t ttl_ms)
{
    hf_effects_expire(&f->effects, ttl_ms);
    apply(f, hf_slice_text(key));
}

static bool has(struct fixture *f, const char *key)
{
    struct hf_slice slice = hf_slice_text(key);
    return hf_sessions_find(&f->sessions, slice, hf_sessions_hash(slice)) !=
           NULL;
}

static void on_due(void *user, struct hf_sessions *sessions,
                   struct hf_session *session)
{
    struct fixture *f = user;
    assert_ptr_equal(sessions, &f->sessions);
    assert_true(hf_session_deadline(session) <= f->now);
    f->due_count++;
    if (f->meanwhile != NULL) {
        f->meanwhile(f);
        return;
    }
    if (!f->keep) {
        hf_effects_delete(&f->effects);
        apply(f, hf_session_key(session));
    }
}

static bool run(struct fixture *f, hf_time now, uint32_t visits_max)
{
    f->now = now;
    return hf_expiry_run(&f->expiry, now, visits_max, on_due, f);
}

static void a_session_is_due_at_its_deadline_and_not_before(void **state)
{
    struct fixture *f = *state;
    put(f, "k", 1000);
    for (hf_time now = NOW; now < NOW + 1000; now += 10) {
        assert_false(run(f, now, 100));
        assert_true(has(f, "k"));
    }
    assert_false(run(f, NOW + 1000, 100));
    assert_false(has(f, "k"));
    assert_int_equal(f->due_count, 1);
}

static void no_deadline_is_never_due(void **state)
{
    struct fixture *f = *state;
    put(f, "k", HF_TTL_NONE);
    put(f, "taken back", 500);
    expire(f, "taken back", HF_TTL_NONE);
    put(f, "endless", INT64_MAX);
    assert_false(run(f, NOW + ((hf_time)1 << 40), 100));
    assert_int_equal(f->due_count, 0);
    assert_int_equal(f->sessions.count, 3);
}

static void a_later_deadline_counts(void **state)
{
    struct fixture *f = *state;
    put(f, "k", 1000);
    expire(f, "k", 5000);
    (void)run(f, NOW + 4999, 100);
    assert_true(has(f, "k"));
    (void)run(f, NOW + 5000, 100);
    assert_false(has(f, "k"));
}

static void an_earlier_deadline_counts(void **state)
{
    struct fixture *f = *state;
    put(f, "k", 3600000);
    expire(f, "k", 1000);
    (void)run(f, NOW + 1000, 100);
    assert_false(has(f, "k"));
}

static void a_rewritten_session_keeps_being_watched(void **state)
{
    struct fixture *f = *state;
    put(f, "k", 1000);
    hf_effects_put(&f->effects,
                   HF_SLICE_LITERAL("a much longer value that "
                                    "needs another place"),
                   2000);
    apply(f, HF_SLICE_LITERAL("k"));
    (void)run(f, NOW + 1999, 100);
    assert_true(has(f, "k"));
    (void)run(f, NOW + 2000, 100);
    assert_false(has(f, "k"));
}

static void a_far_deadline_is_met(void **state)
{
    struct fixture *f = *state;
    hf_time day_ms = 86400000;
    put(f, "k", day_ms);
    for (hf_time now = NOW; now < NOW + day_ms; now += 100000) {
        assert_false(run(f, now, 100));
    }
    assert_true(has(f, "k"));
    (void)run(f, NOW + day_ms, 100);
    assert_false(has(f, "k"));
}

static void who_cannot_go_yet_is_asked_again_a_second_later(void **state)
{
    struct fixture *f = *state;
    f->keep = true;
    put(f, "k", 1000);
    hf_time first = NOW + 1000;
    (void)run(f, first, 100);
    assert_int_equal(f->due_count, 1);
    (void)run(f, first + 900, 100);
    assert_int_equal(f->due_count, 1);
    (void)run(f, first + 1000, 100);
    assert_int_equal(f->due_count, 2);
}

static void work_is_done_in_pieces(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 25; i++) {
        const char key[] = {(char)('a' + i), '\0'};
        put(f, key, 1000 + i * 50);
    }
    hf_time now = NOW + 10000;
    uint32_t before = 0;
    while (run(f, now, 5)) {
        assert_true(f->due_count > before);
        assert_true(f->due_count - before < 5 + HF_TABLE_GROUP);
        before = f->due_count;
    }
    assert_true(before > 0);
    assert_int_equal(f->due_count, 25);
    assert_int_equal(f->sessions.count, 0);
}

/* Like a machine that slept: everything due is found, nothing else. */
static void a_long_pause_loses_nobody(void **state)
{
    struct fixture *f = *state;
    put(f, "soon", 1000);
    put(f, "in an hour", 3600000);
    put(f, "in a month", INT64_C(30) * 86400000);
    hf_time now = NOW + INT64_C(7) * 86400000;
    while (run(f, now, 2)) {
    }
    assert_int_equal(f->due_count, 2);
    assert_true(has(f, "in a month"));
    (void)run(f, NOW + INT64_C(30) * 86400000, 100);
    assert_false(has(f, "in a month"));
}

static void a_deadline_already_past_is_found(void **state)
{
    struct fixture *f = *state;
    (void)run(f, NOW + 60000, 100);
    f->now = NOW; /* An apply with an old clock. */
    put(f, "k", 1);
    (void)run(f, NOW + 60000, 100);
    assert_false(has(f, "k"));
}

static void number_text(uint32_t number, char text[8])
{
    for (int i = 0; i < 6; i++) {
        text[i] = (char)('0' + number % 10);
        number /= 10;
    }
    text[6] = '\0';
}

static void put_numbers(struct fixture *f, uint32_t from, uint32_t to,
                        int64_t ttl_ms)
{
    char text[8];
    for (uint32_t i = from; i < to; i++) {
        number_text(i, text);
        put(f, text, ttl_ms);
    }
}

/* Everybody at once, in pieces; the table shrinks under the run. */
static void a_crowd_goes_in_bounded_pieces(void **state)
{
    struct fixture *f = *state;
    put_numbers(f, 0, 5000, 1000);
    put_numbers(f, 5000, 5300, 1001);
    uint32_t before = 0;
    while (run(f, NOW + 1000, 100)) {
        assert_true(f->due_count - before < 100 + HF_TABLE_GROUP);
        before = f->due_count;
    }
    assert_int_equal(f->due_count, 5000);
    assert_int_equal(f->sessions.count, 300);
    assert_false(run(f, NOW + 1000, 100));
    assert_int_equal(f->due_count, 5000);
    while (run(f, NOW + 1001, 100)) {
    }
    assert_int_equal(f->sessions.count, 0);
}

/* A set is freed member by member: a few large ones are as much as a crowd. */
static void large_sets_go_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    for (unsigned set = 0; set < 3; set++) {
        char text[8];
        number_text(set, text);
        for (uint32_t i = 0; i < 10000; i++) {
            char member[8];
            number_text(i, member);
            hf_effects_member(&f->effects, hf_slice_text(member));
        }
        hf_effects_expire(&f->effects, 1000);
        apply(f, hf_slice_text(text));
    }
    for (uint32_t run_number = 1; run_number <= 3; run_number++) {
        (void)run(f, NOW + 1000, 50);
        assert_int_equal(f->due_count, run_number);
        assert_int_equal(f->sessions.count, 3 - run_number);
    }
    assert_false(run(f, NOW + 1000, 50));
}

/* A touch costs nothing, and is found out when the old deadline comes. */
static void whoever_was_touched_is_due_at_the_new_deadline(void **state)
{
    struct fixture *f = *state;
    char text[8];
    put_numbers(f, 0, 1000, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        number_text(i, text);
        expire(f, text, 2000 + i);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        while (run(f, NOW + 1999 + i, 50)) {
        }
        assert_int_equal(f->due_count, i);
    }
}

static void clear_all(struct fixture *f)
{
    hf_sessions_clear(&f->sessions);
}

static void the_table_may_be_cleared_meanwhile(void **state)
{
    struct fixture *f = *state;
    put_numbers(f, 0, 500, 1000);
    f->meanwhile = clear_all;
    assert_false(run(f, NOW + 1000, 100));
    assert_int_equal(f->due_count, 1);
    f->meanwhile = NULL;
    put(f, "k", 10);
    assert_false(run(f, NOW + 1010, 100));
    assert_int_equal(f->due_count, 2);
}

static void put_more(struct fixture *f)
{
    put_numbers(f, 1000 * f->due_count, 1000 * f->due_count + 300, 500);
    f->meanwhile = f->due_count < 5 ? put_more : NULL;
}

/* The table grows under the run, several times; nobody is forgotten. */
static void the_table_may_grow_meanwhile(void **state)
{
    struct fixture *f = *state;
    put_numbers(f, 0, 100, 1000);
    f->meanwhile = put_more;
    while (run(f, NOW + 1000, 1000)) {
    }
    /* Those five that were not deleted are asked again. */
    while (run(f, NOW + 2000, 1000)) {
    }
    assert_int_equal(f->sessions.count, 0);
    assert_true(f->due_count >= 5 + 100 + 5 * 300);
}

static void without_memory_there_is_no_expiry(void **state)
{
    struct fixture *f = *state;
    struct hf_expiry expiry;
    failing_mem_fail_nth(&f->failing, 1);
    assert_int_equal(hf_expiry_init(&expiry, &f->failing.mem), HF_ENOMEM);
    failing_mem_fail_nth(&f->failing, 0);
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(a_session_is_due_at_its_deadline_and_not_before),
        CASE(no_deadline_is_never_due),
        CASE(a_later_deadline_counts),
        CASE(an_earlier_deadline_counts),
        CASE(a_rewritten_session_keeps_being_watched),
        CASE(a_far_deadline_is_met),
        CASE(who_cannot_go_yet_is_asked_again_a_second_later),
        CASE(work_is_done_in_pieces),
        CASE(a_long_pause_loses_nobody),
        CASE(a_deadline_already_past_is_found),
        CASE(a_crowd_goes_in_bounded_pieces),
        CASE(large_sets_go_one_at_a_time),
        CASE(whoever_was_touched_is_due_at_the_new_deadline),
        CASE(the_table_may_be_cleared_meanwhile),
        CASE(the_table_may_grow_meanwhile),
        CASE(without_memory_there_is_no_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
