#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/effects.h"
#include "core/expiry.h"
#include "core/sessions.h"
#include "holdfast/error.h"

#define NOW 5000

struct fixture {
    struct hf_mem mem;
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    struct hf_buffer effects;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    hf_mem_init_system(&f.mem);
    assert_int_equal(hf_expiry_init(&f.expiry, &f.mem), 0);
    hf_sessions_init(&f.sessions, &f.mem, &f.expiry, 3);
    hf_buffer_init(&f.effects, &f.mem);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_sessions_clear(&f->sessions);
    hf_expiry_close(&f->expiry);
    hf_buffer_close(&f->effects);
    assert_int_equal(f->mem.used_bytes, 0);
    return 0;
}

static void put_one_of_each(struct hf_buffer *effects)
{
    hf_effects_put(effects, HF_SLICE_LITERAL("value"), 1234);
    hf_effects_field(effects, HF_SLICE_LITERAL("field"), HF_SLICE_LITERAL(""));
    hf_effects_unfield(effects, HF_SLICE_LITERAL("field"));
    hf_effects_expire(effects, HF_TTL_NONE);
    hf_effects_delete(effects);
    hf_effects_clear(effects, HF_DATABASE_ALL);
    hf_effects_fence(effects, 77);
}

static void effects_come_back_as_they_went(void **state)
{
    struct fixture *f = *state;
    struct hf_effect effect;
    put_one_of_each(&f->effects);
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f->effects));

    assert_true(hf_effects_next(&reader, &effect));
    assert_int_equal(effect.kind, HF_EFFECT_PUT);
    assert_int_equal(effect.ttl_ms, 1234);
    assert_true(hf_slice_equal(effect.value, HF_SLICE_LITERAL("value")));

    assert_true(hf_effects_next(&reader, &effect));
    assert_int_equal(effect.kind, HF_EFFECT_FIELD);
    assert_true(hf_slice_equal(effect.field, HF_SLICE_LITERAL("field")));
    assert_int_equal(effect.value.size, 0);

    assert_true(hf_effects_next(&reader, &effect));
    assert_int_equal(effect.kind, HF_EFFECT_UNFIELD);
    assert_true(hf_slice_equal(effect.field, HF_SLICE_LITERAL("field")));

    assert_true(hf_effects_next(&reader, &effect));
    assert_int_equal(effect.kind, HF_EFFECT_EXPIRE);
    assert_int_equal(effect.ttl_ms, HF_TTL_NONE);

    assert_true(hf_effects_next(&reader, &effect));
    assert_int_equal(effect.kind, HF_EFFECT_DELETE);
    assert_true(hf_effects_next(&reader, &effect));
    assert_int_equal(effect.kind, HF_EFFECT_CLEAR);

    assert_true(hf_effects_next(&reader, &effect));
    assert_int_equal(effect.kind, HF_EFFECT_FENCE);
    assert_int_equal(effect.ttl_ms, 77);
    assert_false(hf_effects_next(&reader, &effect));
    assert_false(reader.failed);
}

static size_t count_effects(const uint8_t *data, size_t size, bool *failed)
{
    struct hf_reader reader = hf_reader_of((struct hf_slice){data, size});
    struct hf_effect effect;
    size_t count = 0;
    while (hf_effects_next(&reader, &effect)) {
        count++;
    }
    *failed = reader.failed;
    return count;
}

static void effects_cut_inside_one_are_malformed(void **state)
{
    struct fixture *f = *state;
    put_one_of_each(&f->effects);
    size_t whole = 0; /* Cuts that fall between two effects. */
    for (size_t size = 0; size < f->effects.size; size++) {
        uint8_t *cut = malloc(size == 0 ? 1 : size);
        assert_non_null(cut);
        memcpy(cut, f->effects.data, size);
        bool failed;
        assert_true(count_effects(cut, size, &failed) < 7);
        whole += failed ? 0 : 1;
        free(cut);
    }
    assert_int_equal(whole, 7);
}

static void unknown_kinds_and_times_are_malformed(void **state)
{
    struct fixture *f = *state;
    bool failed;
    const uint8_t unknown[] = {0, HF_EFFECT_FENCE + 1, 255};
    for (size_t i = 0; i < sizeof(unknown); i++) {
        assert_int_equal(count_effects(&unknown[i], 1, &failed), 0);
        assert_true(failed);
    }
    hf_effects_fence(&f->effects, HF_TTL_NONE);
    assert_int_equal(count_effects(f->effects.data, f->effects.size, &failed),
                     0);
    assert_true(failed);
    const int64_t times[] = {0, -2, INT64_MIN};
    for (size_t i = 0; i < HF_ARRAY_COUNT(times); i++) {
        hf_buffer_clear(&f->effects);
        hf_effects_expire(&f->effects, times[i]);
        assert_int_equal(
            count_effects(f->effects.data, f->effects.size, &failed), 0);
        assert_true(failed);
    }
}

static struct hf_session *apply(struct fixture *f, struct hf_slice key)
{
    uint32_t hash = hf_sessions_hash(key);
    struct hf_version version = {1, 1};
    int rv = hf_sessions_apply(&f->sessions, key, hash, version,
                               hf_buffer_slice(&f->effects), NOW);
    assert_int_equal(rv, 0);
    hf_buffer_clear(&f->effects);
    return hf_sessions_find_entry(&f->sessions, key, hash);
}

static void a_string_is_made_again_with_its_time_left(void **state)
{
    struct fixture *f = *state;
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), 700);
    struct hf_session *original = apply(f, HF_SLICE_LITERAL("a"));

    hf_effects_of_session(&f->effects, original, NOW + 100);
    struct hf_session *copy = apply(f, HF_SLICE_LITERAL("b"));

    assert_int_equal(hf_session_type(copy), HF_SESSION_STRING);
    assert_true(hf_slice_equal(hf_session_value(copy), HF_SLICE_LITERAL("v")));
    assert_int_equal(hf_session_deadline(copy), NOW + 600);
}

static void a_hash_is_made_again_over_whatever_was_there(void **state)
{
    struct fixture *f = *state;
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("x"), HF_SLICE_LITERAL("1"));
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("y"), HF_SLICE_LITERAL("2"));
    struct hf_session *original = apply(f, HF_SLICE_LITERAL("a"));
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("in the way"), 50);
    (void)apply(f, HF_SLICE_LITERAL("b"));

    hf_effects_of_session(&f->effects, original, NOW);
    struct hf_session *copy = apply(f, HF_SLICE_LITERAL("b"));

    struct hf_slice value;
    assert_int_equal(hf_session_type(copy), HF_SESSION_HASH);
    assert_int_equal(hf_session_field_count(copy), 2);
    assert_true(hf_session_field(copy, HF_SLICE_LITERAL("y"), &value));
    assert_true(hf_slice_equal(value, HF_SLICE_LITERAL("2")));
    assert_int_equal(hf_session_deadline(copy), HF_NEVER);
}

static void a_fence_is_made_again_over_whatever_was_there(void **state)
{
    struct fixture *f = *state;
    hf_effects_fence(&f->effects, 700);
    struct hf_session *original = apply(f, HF_SLICE_LITERAL("a"));
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("in the way"), 50);
    (void)apply(f, HF_SLICE_LITERAL("b"));

    hf_effects_of_session(&f->effects, original, NOW + 100);
    struct hf_session *copy = apply(f, HF_SLICE_LITERAL("b"));

    assert_int_equal(hf_session_type(copy), HF_SESSION_FENCE);
    assert_int_equal(hf_session_deadline(copy), NOW + 600);
}

/* A peer that wants to write there, or to change its lifetime, is wrong. */
static void a_fence_is_only_lifted_or_replaced(void **state)
{
    struct fixture *f = *state;
    struct hf_slice key = HF_SLICE_LITERAL("a");
    hf_effects_fence(&f->effects, 700);
    (void)apply(f, key);
    for (unsigned i = 0; i < 3; i++) {
        if (i == 0) {
            hf_effects_field(&f->effects, key, key);
        } else if (i == 1) {
            hf_effects_unfield(&f->effects, key);
        } else {
            hf_effects_expire(&f->effects, 5);
        }
        assert_int_equal(hf_sessions_apply(&f->sessions, key,
                                           hf_sessions_hash(key),
                                           (struct hf_version){1, 2},
                                           hf_buffer_slice(&f->effects), NOW),
                         HF_EPROTO);
        hf_buffer_clear(&f->effects);
    }
    hf_effects_delete(&f->effects);
    assert_null(apply(f, key));
}

static void an_expired_session_travels_with_the_shortest_life(void **state)
{
    struct fixture *f = *state;
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("x"), HF_SLICE_LITERAL("1"));
    hf_effects_expire(&f->effects, 10);
    struct hf_session *original = apply(f, HF_SLICE_LITERAL("a"));

    hf_effects_of_session(&f->effects, original, NOW + 10);
    struct hf_session *copy = apply(f, HF_SLICE_LITERAL("b"));

    assert_int_equal(hf_session_deadline(copy), NOW + 1);
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(effects_come_back_as_they_went),
        CASE(effects_cut_inside_one_are_malformed),
        CASE(unknown_kinds_and_times_are_malformed),
        CASE(a_string_is_made_again_with_its_time_left),
        CASE(a_hash_is_made_again_over_whatever_was_there),
        CASE(a_fence_is_made_again_over_whatever_was_there),
        CASE(a_fence_is_only_lifted_or_replaced),
        CASE(an_expired_session_travels_with_the_shortest_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
