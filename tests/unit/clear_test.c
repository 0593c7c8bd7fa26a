#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "core/effects.h"
#include "core/expiry.h"
#include "core/key.h"
#include "core/sessions.h"
#include "support/failing_mem.h"

/* Getting rid of all sessions of a table without a long pause. */

#define NOW 1000
#define COUNT 700

struct fixture {
    struct failing_mem failing;
    struct hf_mem system; /* For what the test itself needs. */
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    struct hf_buffer effects;
    size_t used_bytes; /* Of failing, before there was any session. */
};

static struct fixture f;

static int open_fixture(void **state)
{
    (void)state;
    failing_mem_init(&f.failing);
    hf_mem_init_system(&f.system);
    assert_int_equal(hf_expiry_init(&f.expiry, &f.failing.mem), 0);
    hf_sessions_init(&f.sessions, &f.failing.mem, &f.expiry, 7);
    hf_buffer_init(&f.effects, &f.system);
    f.used_bytes = f.failing.mem.used_bytes;
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    hf_sessions_clear(&f.sessions);
    assert_int_equal(f.failing.mem.used_bytes, f.used_bytes);
    hf_expiry_close(&f.expiry);
    hf_buffer_close(&f.effects);
    failing_mem_close(&f.failing);
    return 0;
}

static void apply(struct hf_slice key)
{
    struct hf_version version = {2, 5};
    assert_int_equal(hf_sessions_apply(&f.sessions, key, hf_sessions_hash(key),
                                       version, hf_buffer_slice(&f.effects),
                                       NOW),
                     0);
    hf_buffer_clear(&f.effects);
}

static struct hf_slice key_of(unsigned number)
{
    static char text[16];
    (void)snprintf(text, sizeof(text), "key %u", number);
    return hf_slice_text(text);
}

static void put(struct hf_slice key)
{
    hf_effects_put(&f.effects, HF_SLICE_LITERAL("value"), HF_TTL_NONE);
    apply(key);
}

static bool is_fenced(struct hf_slice key)
{
    return hf_sessions_is_fenced(&f.sessions, key, hf_sessions_hash(key), NOW);
}

static bool is_there(struct hf_slice key)
{
    return hf_sessions_find(&f.sessions, key, hf_sessions_hash(key)) != NULL;
}

static bool gets_fence(unsigned number)
{
    return number % 7 == 3;
}

static void clearing_may_take_many_steps(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        put(key_of(i));
    }
    uint32_t slot = 0;
    uint32_t steps = 1;
    uint32_t before = f.sessions.count;
    while (!hf_sessions_clear_step(&f.sessions, &slot, 10)) {
        assert_int_equal(slot, 10 * steps);
        assert_true(before - f.sessions.count <= 10);
        before = f.sessions.count;
        steps++;
    }
    assert_true(steps >= 10);
    assert_int_equal(f.sessions.count, 0);
    assert_int_equal(f.sessions.bytes, 0);
    put(HF_SLICE_LITERAL("it is as good as new"));
    assert_int_equal(f.sessions.count, 1);
}

static void check_fill(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(is_there(key_of(i)), !gets_fence(i));
        assert_int_equal(is_fenced(key_of(i)), gets_fence(i));
    }
    assert_int_equal(f.sessions.bytes + f.used_bytes, f.failing.mem.used_bytes);
}

/* Sessions that are taken away to be freed later are no longer there, and
 * fences are where they were. Without memory nothing happens. */
static void what_is_taken_leaves_the_fences(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        put(key_of(i));
        if (gets_fence(i)) {
            hf_effects_fence(&f.effects, 1000 + i);
            apply(key_of(i));
        }
    }
    struct hf_sessions taken;
    uint64_t nth = 1;
    failing_mem_fail_from(&f.failing, nth);
    while (!hf_sessions_take(&f.sessions, HF_DATABASE_ALL, &taken)) {
        check_fill();
        failing_mem_fail_from(&f.failing, ++nth);
    }
    assert_in_range(nth, 2, 20);
    failing_mem_fail_from(&f.failing, 0);

    assert_int_equal(f.sessions.count, 0);
    assert_int_equal(taken.count, COUNT - COUNT / 7);
    assert_int_equal(taken.bytes + f.sessions.bytes + f.used_bytes,
                     f.failing.mem.used_bytes);
    hf_sessions_clear(&taken);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_false(is_there(key_of(i)));
        assert_int_equal(is_fenced(key_of(i)), gets_fence(i));
    }
    put(HF_SLICE_LITERAL("it is as good as new"));
}

static void without_fences_nothing_is_needed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        put(key_of(i));
    }
    struct hf_sessions taken;
    failing_mem_fail_from(&f.failing, 1);
    assert_true(hf_sessions_take(&f.sessions, HF_DATABASE_ALL, &taken));
    failing_mem_fail_from(&f.failing, 0);
    assert_int_equal(f.sessions.bytes, 0);
    assert_int_equal(taken.count, COUNT);
    hf_sessions_clear(&taken);
}

/* Of database 1 when @other, else of 0. */
static struct hf_slice key_in(unsigned number, bool other)
{
    static uint8_t inner[17];
    return hf_key_encode(other ? 1 : 0, key_of(number), inner);
}

static void check_databases(bool first, bool other)
{
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(is_there(key_in(i, false)), first && !gets_fence(i));
        assert_int_equal(is_there(key_in(i, true)), other);
        assert_int_equal(is_fenced(key_in(i, false)), gets_fence(i));
    }
    assert_int_equal(f.sessions.count, f.sessions.table.count - COUNT / 7);
    assert_int_equal(f.sessions.counts[0], first ? COUNT - COUNT / 7 : 0);
    assert_int_equal(f.sessions.counts[1], other ? COUNT : 0);
}

/* Others stay as they are, with fences, and those taken are found no more.
 * Without memory nothing happens. */
static void what_is_of_another_database_is_not_taken(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        put(key_in(i, false));
        put(key_in(i, true));
        if (gets_fence(i)) {
            hf_effects_fence(&f.effects, 1000 + i);
            apply(key_in(i, false));
        }
    }
    struct hf_sessions taken;
    uint64_t nth = 1;
    failing_mem_fail_from(&f.failing, nth);
    while (!hf_sessions_take(&f.sessions, 0, &taken)) {
        check_databases(true, true);
        failing_mem_fail_from(&f.failing, ++nth);
    }
    assert_in_range(nth, 2, 20);
    failing_mem_fail_from(&f.failing, 0);

    check_databases(false, true);
    assert_int_equal(taken.count, COUNT - COUNT / 7);
    assert_int_equal(taken.counts[0], taken.count);
    assert_int_equal(taken.bytes + f.sessions.bytes + f.used_bytes,
                     f.failing.mem.used_bytes);
    hf_sessions_clear(&taken);
    check_databases(false, true);
    put(HF_SLICE_LITERAL("it is as good as new"));
    assert_true(hf_sessions_take(&f.sessions, 1, &taken));
    assert_int_equal(taken.count, COUNT);
    hf_sessions_clear(&taken);
    assert_int_equal(f.sessions.count, 1);
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(clearing_may_take_many_steps),
        CASE(what_is_taken_leaves_the_fences),
        CASE(without_fences_nothing_is_needed),
        CASE(what_is_of_another_database_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
