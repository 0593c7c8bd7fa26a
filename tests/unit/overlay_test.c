/* overlay_test.c - Several sessions change at once, or none does. Random
 * changes, each made twice: by way of an overlay, and one by one in a table
 * beside it. With memory that fails, nothing may have changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "core/key.h"
#include "core/overlay.h"
#include "core/placement.h"
#include "core/transaction.h"
#include "holdfast/error.h"
#include "support/failing_mem.h"

#define KEYS 12
#define ROUNDS 4000
#define NOW 1000
#define KEY_BYTES 16

struct fixture {
    struct failing_mem failing;
    struct hf_mem system;
    struct hf_expiry expiry;
    struct hf_expiry expiry_beside;
    struct hf_sessions sessions;
    struct hf_sessions beside;
    struct hf_buffer effects; /* Of the unit. */
    struct hf_buffer part;
    struct hf_rng rng;
    char keys[KEYS][KEY_BYTES];
    uint64_t sequence;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    failing_mem_init(&f.failing);
    hf_mem_init_system(&f.system);
    assert_int_equal(hf_expiry_init(&f.expiry, &f.system), 0);
    assert_int_equal(hf_expiry_init(&f.expiry_beside, &f.system), 0);
    for (unsigned i = 0; i < KEYS; i++) {
        (void)snprintf(f.keys[i], KEY_BYTES, "{tag}%u", i);
    }
    uint16_t p = hf_partition_of_key(hf_slice_text(f.keys[0]));
    hf_sessions_init(&f.sessions, &f.failing.mem, &f.expiry, p);
    hf_sessions_init(&f.beside, &f.system, &f.expiry_beside, p);
    hf_buffer_init(&f.effects, &f.system);
    hf_buffer_init(&f.part, &f.system);
    hf_rng_init(&f.rng, 7);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_sessions_clear(&f->sessions);
    hf_sessions_clear(&f->beside);
    hf_buffer_close(&f->effects);
    hf_buffer_close(&f->part);
    hf_expiry_close(&f->expiry);
    hf_expiry_close(&f->expiry_beside);
    assert_int_equal(f->system.used_bytes, 0);
    failing_mem_close(&f->failing);
    return 0;
}

static bool same_session(const struct hf_session *a, const struct hf_session *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    if (hf_session_type(a) != hf_session_type(b) ||
        hf_session_deadline(a) != hf_session_deadline(b) ||
        hf_session_deadline_told(a) != hf_session_deadline_told(b) ||
        hf_session_version(a).sequence != hf_session_version(b).sequence) {
        return false;
    }
    struct hf_mem mem;
    struct hf_buffer left, right;
    hf_mem_init_system(&mem);
    hf_buffer_init(&left, &mem);
    hf_buffer_init(&right, &mem);
    hf_effects_of_session(&left, a, NOW);
    hf_effects_of_session(&right, b, NOW);
    bool same = hf_slice_equal(hf_buffer_slice(&left), hf_buffer_slice(&right));
    hf_buffer_close(&left);
    hf_buffer_close(&right);
    return same;
}

static void expect_same(struct fixture *f)
{
    assert_int_equal(f->sessions.count, f->beside.count);
    assert_int_equal(f->sessions.fences.count, f->beside.fences.count);
    assert_int_equal(f->sessions.fence_bytes, f->beside.fence_bytes);
    assert_int_equal(f->sessions.bytes, f->failing.mem.used_bytes);
    for (unsigned i = 0; i < KEYS; i++) {
        struct hf_slice key = hf_slice_text(f->keys[i]);
        uint32_t hash = hf_sessions_hash(key);
        assert_true(
            same_session(hf_sessions_find_entry(&f->sessions, key, hash),
                         hf_sessions_find_entry(&f->beside, key, hash)));
    }
}

/* Effects that fit @session. */
static void draw_effects(struct fixture *f, const struct hf_session *session)
{
    bool hash = session != NULL && hf_session_type(session) == HF_SESSION_HASH;
    bool some = session != NULL && hf_session_type(session) != HF_SESSION_FENCE;
    char text[KEY_BYTES];
    (void)snprintf(text, sizeof(text), "%u",
                   (unsigned)hf_rng_below(&f->rng, 100000));
    int64_t ttl = 1 + (int64_t)hf_rng_below(&f->rng, 100);
    hf_buffer_clear(&f->part);
    switch (hf_rng_below(&f->rng, 6)) {
    case 0:
        hf_effects_put(&f->part, hf_slice_text(text),
                       ttl > 50 ? HF_TTL_NONE : ttl);
        break;
    case 1:
        hf_effects_fence(&f->part, ttl);
        break;
    case 2:
        hf_effects_delete(&f->part);
        break;
    case 3:
        if (some) {
            hf_effects_expire(&f->part, ttl);
            break;
        } /* fall through */
    default:
        if (session != NULL && !hash) {
            hf_effects_delete(&f->part);
        }
        hf_effects_field(&f->part, (struct hf_slice){(uint8_t *)text, 1},
                         hf_slice_text(text));
        break;
    }
}

/* Makes a unit in f->effects, and carries it out one by one beside. */
static void draw_unit(struct fixture *f, unsigned count)
{
    struct hf_version version = {1, ++f->sequence};
    hf_buffer_clear(&f->effects);
    for (unsigned i = 0; i < count; i++) {
        struct hf_slice key =
            hf_slice_text(f->keys[hf_rng_below(&f->rng, KEYS)]);
        uint32_t hash = hf_sessions_hash(key);
        draw_effects(f, hf_sessions_find_entry(&f->beside, key, hash));
        hf_effects_key(&f->effects, key);
        hf_buffer_append_slice(&f->effects, hf_buffer_slice(&f->part));
        assert_int_equal(hf_sessions_apply(&f->beside, key, hash, version,
                                           hf_buffer_slice(&f->part), NOW),
                         0);
    }
}

static int apply_unit(struct fixture *f)
{
    struct hf_overlay overlay;
    struct hf_version version = {1, f->sequence};
    hf_overlay_init(&overlay, &f->sessions);
    int error = hf_overlay_apply_unit(&overlay, version,
                                      hf_buffer_slice(&f->effects), NOW);
    if (error == 0) {
        error = hf_overlay_commit(&overlay, version);
    }
    hf_overlay_close(&overlay);
    return error;
}

static void units_do_what_their_effects_do(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        draw_unit(f, 1 + (unsigned)hf_rng_below(&f->rng, 6));
        assert_int_equal(apply_unit(f), 0);
        expect_same(f);
    }
}

static uint64_t fingerprint(const struct fixture *f)
{
    uint64_t sum = f->sessions.count;
    for (unsigned i = 0; i < KEYS; i++) {
        struct hf_slice key = hf_slice_text(f->keys[i]);
        const struct hf_session *entry =
            hf_sessions_find_entry(&f->sessions, key, hf_sessions_hash(key));
        if (entry != NULL) {
            sum = sum * 31 + hf_session_version(entry).sequence * 7 +
                  (uint64_t)hf_session_deadline(entry);
        }
    }
    return sum;
}

/* Each request for memory fails once, and each time it is as if the unit had
 * never come. */
static void without_memory_nothing_changes(void **state)
{
    struct fixture *f = *state;
    unsigned failures = 0;
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        draw_unit(f, 2 + (unsigned)hf_rng_below(&f->rng, 5));
        uint64_t before = fingerprint(f);
        for (uint64_t nth = 1;; nth++) {
            failing_mem_fail_from(&f->failing, nth);
            int error = apply_unit(f);
            bool failed = f->failing.failed;
            failing_mem_fail_nth(&f->failing, 0);
            if (error == 0) {
                break;
            }
            assert_true(failed);
            assert_int_equal(error, HF_ENOMEM);
            assert_int_equal(fingerprint(f), before);
            assert_int_equal(f->sessions.bytes, f->failing.mem.used_bytes);
            failures++;
        }
        expect_same(f);
    }
    assert_true(failures > ROUNDS / 10);
}

static void expect_refused(struct fixture *f)
{
    uint64_t before = fingerprint(f);
    f->sequence++;
    assert_int_equal(apply_unit(f), HF_EPROTO);
    assert_int_equal(fingerprint(f), before);
}

static void what_does_not_fit_is_refused_as_a_whole(void **state)
{
    struct fixture *f = *state;
    struct hf_slice a = hf_slice_text(f->keys[0]);
    hf_effects_key(&f->effects, a);
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), HF_TTL_NONE);
    struct hf_slice good = hf_buffer_slice(&f->effects);
    size_t size = good.size;

    hf_effects_key(&f->effects, HF_SLICE_LITERAL("of another partition"));
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), HF_TTL_NONE);
    expect_refused(f);
    f->effects.size = size;
    hf_effects_key(&f->effects, hf_slice_text(f->keys[1]));
    hf_effects_expire(&f->effects, 5); /* Of what is not there. */
    expect_refused(f);
    f->effects.size = size;
    hf_effects_key(&f->effects, hf_slice_text(f->keys[1])); /* Nothing. */
    expect_refused(f);
    f->effects.size = size;
    hf_effects_key(&f->effects, hf_slice_text(f->keys[1]));
    hf_effects_clear(&f->effects, HF_DATABASE_ALL);
    expect_refused(f);
    f->effects.size = size;
    hf_buffer_put_u8(&f->effects, 200);
    expect_refused(f);
    for (size_t cut = 1; cut < size; cut++) {
        f->effects.size = cut;
        expect_refused(f);
    }
    assert_int_equal(f->sessions.count, 0);
    f->effects.size = size;
    f->sequence++;
    assert_int_equal(apply_unit(f), 0);
    assert_int_equal(f->sessions.count, 1);
}

/* What the primary knows of a touch is not lost when another command of the
 * unit changes the session. */
static void a_touched_deadline_is_kept(void **state)
{
    struct fixture *f = *state;
    struct hf_slice key = hf_slice_text(f->keys[0]);
    uint32_t hash = hf_sessions_hash(key);
    struct hf_overlay overlay;
    struct hf_version version = {1, 1};
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), 500);
    assert_int_equal(hf_sessions_apply(&f->sessions, key, hash, version,
                                       hf_buffer_slice(&f->effects), NOW),
                     0);
    hf_sessions_touch(&f->sessions, key, hash, NOW + 400, 96);
    hf_overlay_init(&overlay, &f->sessions);
    hf_buffer_clear(&f->effects);
    hf_effects_expire(&f->effects, 450);
    assert_int_equal(hf_overlay_apply(&overlay, key, hash, version,
                                      hf_buffer_slice(&f->effects), NOW),
                     0);
    const struct hf_session *now = hf_overlay_find(&overlay, key, hash);
    assert_int_equal(hf_session_deadline(now), NOW + 450);
    const struct hf_session *under = hf_sessions_find(&f->sessions, key, hash);
    assert_int_equal(hf_session_deadline(under), NOW + 400);
    assert_int_equal(hf_session_deadline_told(under), NOW + 496);
    hf_overlay_close(&overlay);
}

static void states_of_keys_tell_changes_apart(void **state)
{
    struct fixture *f = *state;
    struct hf_slice key = hf_slice_text(f->keys[0]);
    uint32_t hash = hf_sessions_hash(key);
    struct hf_buffer *state_now = &f->part;
    struct hf_buffer first;
    hf_buffer_init(&first, &f->system);
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), 500);
    assert_int_equal(hf_sessions_apply(&f->sessions, key, hash,
                                       (struct hf_version){1, 1},
                                       hf_buffer_slice(&f->effects), NOW),
                     0);
    const struct hf_session *entry = hf_sessions_find(&f->sessions, key, hash);
    hf_transaction_state(&first, 5, 0, entry);
    hf_transaction_state(state_now, 5, 9, entry); /* Others were removed. */
    assert_true(
        hf_slice_equal(hf_buffer_slice(&first), hf_buffer_slice(state_now)));
    hf_sessions_touch(&f->sessions, key, hash, NOW + 499, 100);
    hf_buffer_clear(state_now);
    hf_transaction_state(state_now, 5, 0, entry);
    assert_false(
        hf_slice_equal(hf_buffer_slice(&first), hf_buffer_slice(state_now)));
    hf_buffer_clear(state_now);
    hf_transaction_state(state_now, 6, 0, entry);
    assert_false(
        hf_slice_equal(hf_buffer_slice(&first), hf_buffer_slice(state_now)));
    hf_buffer_clear(&first);
    hf_buffer_clear(state_now);
    hf_transaction_state(&first, 5, 7, NULL);
    hf_transaction_state(state_now, 5, 8, NULL); /* Made and removed. */
    assert_false(
        hf_slice_equal(hf_buffer_slice(&first), hf_buffer_slice(state_now)));
    hf_buffer_close(&first);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(units_do_what_their_effects_do),
        TEST(without_memory_nothing_changes),
        TEST(what_does_not_fit_is_refused_as_a_whole),
        TEST(a_touched_deadline_is_kept),
        TEST(states_of_keys_tell_changes_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
