#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "core/sessions.h"
#include "holdfast/error.h"
#include "support/failing_mem.h"

#define NOW 1000
#define KEY HF_SLICE_LITERAL("key")

struct fixture {
    struct failing_mem failing;
    struct hf_mem system; /* For what the test itself needs. */
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    struct hf_buffer effects;
    struct hf_buffer before;
    struct hf_buffer after;
    size_t used_bytes; /* Of failing, before there was any session. */
};

static int open_fixture(void **state)
{
    static struct fixture f;
    failing_mem_init(&f.failing);
    hf_mem_init_system(&f.system);
    assert_int_equal(hf_expiry_init(&f.expiry, &f.failing.mem), 0);
    hf_sessions_init(&f.sessions, &f.failing.mem, &f.expiry, 7);
    hf_buffer_init(&f.effects, &f.system);
    hf_buffer_init(&f.before, &f.system);
    hf_buffer_init(&f.after, &f.system);
    f.used_bytes = f.failing.mem.used_bytes;
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_sessions_clear(&f->sessions);
    assert_int_equal(f->sessions.bytes, 0);
    assert_int_equal(f->failing.mem.used_bytes, f->used_bytes);
    hf_expiry_close(&f->expiry);
    failing_mem_close(&f->failing);
    hf_buffer_close(&f->effects);
    hf_buffer_close(&f->before);
    hf_buffer_close(&f->after);
    return 0;
}

static int apply_hashed(struct fixture *f, struct hf_slice key, uint32_t hash)
{
    int rv =
        hf_sessions_apply(&f->sessions, key, hash, (struct hf_version){2, 5},
                          hf_buffer_slice(&f->effects), NOW);
    assert_int_equal(f->sessions.bytes + f->used_bytes,
                     f->failing.mem.used_bytes);
    return rv;
}

static int apply(struct fixture *f, struct hf_slice key)
{
    int rv = apply_hashed(f, key, hf_sessions_hash(key));
    hf_buffer_clear(&f->effects);
    return rv;
}

static struct hf_session *find(struct fixture *f, struct hf_slice key)
{
    return hf_sessions_find(&f->sessions, key, hf_sessions_hash(key));
}

static void put(struct fixture *f, struct hf_slice key, struct hf_slice value)
{
    hf_effects_put(&f->effects, value, HF_TTL_NONE);
    assert_int_equal(apply(f, key), 0);
}

static void drop(struct fixture *f, struct hf_slice key)
{
    hf_effects_delete(&f->effects);
    assert_int_equal(apply(f, key), 0);
}

static struct hf_slice number_key(uint32_t number, char text[16])
{
    size_t size = 0;
    do {
        text[size++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return (struct hf_slice){(const uint8_t *)text, size};
}

static void on_dumped(void *user, const struct hf_session *session)
{
    struct hf_buffer *buffer = user;
    hf_buffer_put_slice(buffer, hf_session_key(session));
    hf_buffer_put_u64(buffer, hf_session_version(session).epoch);
    hf_buffer_put_u64(buffer, hf_session_version(session).sequence);
    hf_buffer_put_u64(buffer, (uint64_t)hf_session_deadline(session));
    hf_effects_of_session(buffer, session, NOW);
}

/* All there is to see in the table, as bytes. */
static void dump(struct fixture *f, struct hf_buffer *buffer)
{
    hf_buffer_clear(buffer);
    assert_int_equal(
        hf_sessions_scan(&f->sessions, 0, UINT32_MAX, on_dumped, buffer),
        HF_SESSIONS_END);
    hf_buffer_put_u64(buffer, f->sessions.count);
    assert_false(buffer->failed);
}

static void assert_unchanged(struct fixture *f)
{
    dump(f, &f->after);
    assert_true(hf_slice_equal(hf_buffer_slice(&f->before),
                               hf_buffer_slice(&f->after)));
}

/* ---- One session -------------------------------------------------------- */

static void a_string_is_there_with_all_its_attributes(void **state)
{
    struct fixture *f = *state;
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("va\0lue"), 250);
    assert_int_equal(apply(f, KEY), 0);

    struct hf_session *session = find(f, KEY);
    assert_non_null(session);
    assert_true(hf_slice_equal(hf_session_key(session), KEY));
    assert_int_equal(hf_session_hash(session), hf_sessions_hash(KEY));
    assert_int_equal(hf_session_type(session), HF_SESSION_STRING);
    assert_int_equal(hf_session_version(session).epoch, 2);
    assert_int_equal(hf_session_version(session).sequence, 5);
    assert_int_equal(hf_session_deadline(session), NOW + 250);
    assert_int_equal(hf_session_value_bytes(session), 6);
    assert_true(
        hf_slice_equal(hf_session_value(session), HF_SLICE_LITERAL("va\0lue")));
    assert_null(find(f, HF_SLICE_LITERAL("other")));
}

static void empty_keys_and_values_are_fine(void **state)
{
    struct fixture *f = *state;
    struct hf_slice empty = {NULL, 0};
    put(f, empty, empty);
    assert_non_null(find(f, empty));
    assert_int_equal(hf_session_value(find(f, empty)).size, 0);
    drop(f, empty);
    assert_null(find(f, empty));
}

static void deadlines_do_not_overflow(void **state)
{
    struct fixture *f = *state;
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), INT64_MAX);
    assert_int_equal(apply(f, KEY), 0);
    assert_int_equal(hf_session_deadline(find(f, KEY)), HF_DEADLINE_MAX);
    hf_effects_expire(&f->effects, HF_TTL_NONE);
    assert_int_equal(apply(f, KEY), 0);
    assert_true(hf_session_deadline(find(f, KEY)) == HF_NEVER);
}

static void a_sequence_without_end_is_refused(void **state)
{
    struct fixture *f = *state;
    struct hf_slice key = KEY;
    hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), 250);
    for (uint64_t more = 0; more < 2; more++) {
        int error =
            hf_sessions_apply(&f->sessions, key, hf_sessions_hash(key),
                              (struct hf_version){2, HF_SEQUENCE_MAX + more},
                              hf_buffer_slice(&f->effects), NOW);
        assert_int_equal(error, more == 0 ? 0 : HF_EPROTO);
        assert_true(hf_session_version(find(f, KEY)).sequence ==
                    HF_SEQUENCE_MAX);
    }
    hf_buffer_clear(&f->effects);
}

static void put_forgets_the_deadline_and_field_keeps_it(void **state)
{
    struct fixture *f = *state;
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("a"), HF_SLICE_LITERAL("1"));
    hf_effects_expire(&f->effects, 10);
    assert_int_equal(apply(f, KEY), 0);
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("b"), HF_SLICE_LITERAL("2"));
    assert_int_equal(apply(f, KEY), 0);
    assert_int_equal(hf_session_deadline(find(f, KEY)), NOW + 10);
    put(f, KEY, HF_SLICE_LITERAL("v"));
    assert_true(hf_session_deadline(find(f, KEY)) == HF_NEVER);
}

/* What browsers do all day: the same session, about the same size. */
static void a_value_of_about_the_same_size_takes_no_memory(void **state)
{
    struct fixture *f = *state;
    put(f, KEY, HF_SLICE_LITERAL("0123456789"));
    failing_mem_fail_from(&f->failing, 1);
    put(f, KEY, HF_SLICE_LITERAL("9876543210"));
    hf_effects_expire(&f->effects, 77);
    assert_int_equal(apply(f, KEY), 0);
    assert_true(hf_slice_equal(hf_session_value(find(f, KEY)),
                               HF_SLICE_LITERAL("9876543210")));
    failing_mem_fail_from(&f->failing, 0);
}

static void a_field_of_the_same_size_takes_no_memory(void **state)
{
    struct fixture *f = *state;
    struct hf_slice value;
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("a"), HF_SLICE_LITERAL("1"));
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("b"), HF_SLICE_LITERAL("2"));
    assert_int_equal(apply(f, KEY), 0);
    failing_mem_fail_from(&f->failing, 1);
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("b"), HF_SLICE_LITERAL("3"));
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("a"), HF_SLICE_LITERAL("4"));
    hf_effects_expire(&f->effects, 5);
    assert_int_equal(apply(f, KEY), 0);
    failing_mem_fail_from(&f->failing, 0);
    assert_true(hf_session_field(find(f, KEY), HF_SLICE_LITERAL("a"), &value));
    assert_true(hf_slice_equal(value, HF_SLICE_LITERAL("4")));
    assert_int_equal(hf_session_deadline(find(f, KEY)), NOW + 5);
}

static void fields_keep_the_order_of_their_first_setting(void **state)
{
    struct fixture *f = *state;
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("c"), HF_SLICE_LITERAL("1"));
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("a"), HF_SLICE_LITERAL("2"));
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("b"), HF_SLICE_LITERAL("3"));
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("c"),
                     HF_SLICE_LITERAL("longer"));
    hf_effects_unfield(&f->effects, HF_SLICE_LITERAL("a"));
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("a"), HF_SLICE_LITERAL("4"));
    assert_int_equal(apply(f, KEY), 0);

    const char *expected[] = {"c", "longer", "b", "3", "a", "4"};
    struct hf_slice field;
    struct hf_slice value;
    size_t cursor = 0;
    for (size_t i = 0; i < 6; i += 2) {
        assert_true(
            hf_session_next_field(find(f, KEY), &cursor, &field, &value));
        assert_true(hf_slice_equal(field, hf_slice_text(expected[i])));
        assert_true(hf_slice_equal(value, hf_slice_text(expected[i + 1])));
    }
    assert_false(hf_session_next_field(find(f, KEY), &cursor, &field, &value));
    assert_int_equal(hf_session_value_bytes(find(f, KEY)),
                     3 * HF_SESSION_FIELD_OVERHEAD + 3 + 8);
}

static void the_last_field_takes_the_session_along(void **state)
{
    struct fixture *f = *state;
    hf_effects_field(&f->effects, HF_SLICE_LITERAL("a"), HF_SLICE_LITERAL("1"));
    hf_effects_expire(&f->effects, 9);
    assert_int_equal(apply(f, KEY), 0);
    hf_effects_unfield(&f->effects, HF_SLICE_LITERAL("a"));
    assert_int_equal(apply(f, KEY), 0);
    assert_null(find(f, KEY));
    assert_int_equal(f->sessions.count, 0);
}

/* Thirty thousand fields in one command must not take quadratic time; they are
 * found through the index inside the session. */
static void very_many_fields_are_found_again(void **state)
{
    struct fixture *f = *state;
    const uint32_t count = 30000;
    char text[16];
    struct hf_slice value;
    for (uint32_t i = 0; i < count; i++) {
        struct hf_slice name = number_key(i, text);
        hf_effects_field(&f->effects, name, name);
    }
    assert_int_equal(apply(f, KEY), 0);
    assert_int_equal(hf_session_field_count(find(f, KEY)), count);
    for (uint32_t i = 0; i < count; i++) {
        struct hf_slice name = number_key(i, text);
        assert_true(hf_session_field(find(f, KEY), name, &value));
        assert_true(hf_slice_equal(value, name));
    }
    assert_false(hf_session_field(find(f, KEY), HF_SLICE_LITERAL("x"), &value));
}

/* ---- Malformed and unfitting -------------------------------------------- */

static void expect_refused(struct fixture *f, struct hf_slice key)
{
    dump(f, &f->before);
    assert_int_equal(apply(f, key), HF_EPROTO);
    assert_unchanged(f);
}

static void effects_that_do_not_fit_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct hf_slice x = HF_SLICE_LITERAL("x");
    struct hf_slice missing = HF_SLICE_LITERAL("missing");
    put(f, KEY, HF_SLICE_LITERAL("v"));
    hf_effects_field(&f->effects, x, x);
    assert_int_equal(apply(f, HF_SLICE_LITERAL("hash")), 0);

    hf_effects_field(&f->effects, x, x);
    expect_refused(f, KEY);
    hf_effects_unfield(&f->effects, x);
    expect_refused(f, KEY);
    hf_effects_unfield(&f->effects, x);
    expect_refused(f, missing);
    hf_effects_expire(&f->effects, 10);
    expect_refused(f, missing);
    hf_effects_unfield(&f->effects, HF_SLICE_LITERAL("y"));
    expect_refused(f, HF_SLICE_LITERAL("hash"));
    hf_effects_put(&f->effects, x, 0);
    expect_refused(f, KEY);
    hf_effects_expire(&f->effects, -7);
    expect_refused(f, KEY);
    hf_effects_clear(&f->effects, HF_DATABASE_ALL);
    expect_refused(f, KEY);
    hf_effects_clear(&f->effects, HF_DATABASE_ALL);
    hf_effects_delete(&f->effects);
    expect_refused(f, (struct hf_slice){NULL, 0});

    /* A good start does not help. */
    hf_effects_delete(&f->effects);
    hf_effects_expire(&f->effects, 10);
    expect_refused(f, KEY);
    hf_effects_put(&f->effects, x, HF_TTL_NONE);
    hf_effects_field(&f->effects, x, x);
    expect_refused(f, KEY);
}

static void a_key_that_is_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[HF_KEY_BYTES_MAX + 1] = {0};
    hf_effects_put(&f->effects, KEY, HF_TTL_NONE);
    expect_refused(f, (struct hf_slice){bytes, sizeof(bytes)});
    put(f, (struct hf_slice){bytes, HF_KEY_BYTES_MAX}, KEY);
}

static void deleting_nothing_and_no_effects_are_fine(void **state)
{
    struct fixture *f = *state;
    drop(f, KEY);
    assert_int_equal(apply(f, KEY), 0);
    assert_int_equal(f->sessions.count, 0);
}

static void effects_cut_at_any_byte_are_harmless(void **state)
{
    struct fixture *f = *state;
    struct hf_buffer whole;
    hf_buffer_init(&whole, &f->system);
    hf_effects_put(&whole, HF_SLICE_LITERAL("a string"), 10);
    hf_effects_delete(&whole);
    hf_effects_field(&whole, HF_SLICE_LITERAL("a"), HF_SLICE_LITERAL("1"));
    hf_effects_field(&whole, HF_SLICE_LITERAL("b"), HF_SLICE_LITERAL("2"));
    hf_effects_unfield(&whole, HF_SLICE_LITERAL("a"));
    hf_effects_expire(&whole, 20);
    size_t applied = 0;
    for (size_t size = 0; size <= whole.size; size++) {
        hf_sessions_clear(&f->sessions);
        put(f, KEY, HF_SLICE_LITERAL("before"));
        dump(f, &f->before);
        uint8_t *cut = malloc(size == 0 ? 1 : size);
        assert_non_null(cut);
        memcpy(cut, whole.data, size);
        int rv = hf_sessions_apply(&f->sessions, KEY, hf_sessions_hash(KEY),
                                   (struct hf_version){9, 9},
                                   (struct hf_slice){cut, size}, NOW);
        free(cut);
        applied += rv == 0 ? 1 : 0;
        if (rv != 0) {
            assert_int_equal(rv, HF_EPROTO);
            assert_unchanged(f);
        }
    }
    assert_int_equal(applied, 7); /* Nothing, and after each effect. */
    hf_buffer_close(&whole);
}

static void changed_bytes_are_harmless(void **state)
{
    struct fixture *f = *state;
    struct hf_rng rng;
    hf_rng_init(&rng, 11);
    for (int i = 0; i < 20000; i++) {
        hf_effects_field(&f->effects, HF_SLICE_LITERAL("ab"),
                         HF_SLICE_LITERAL("12"));
        hf_effects_unfield(&f->effects, HF_SLICE_LITERAL("ab"));
        hf_effects_put(&f->effects, HF_SLICE_LITERAL("v"), 10);
        for (int j = 0; j < 3; j++) {
            uint64_t at = hf_rng_below(&rng, f->effects.size);
            f->effects.data[at] = (uint8_t)hf_rng_below(&rng, 8);
        }
        dump(f, &f->before);
        if (apply(f, KEY) != 0) {
            assert_unchanged(f);
        }
    }
}

/* ---- The table ---------------------------------------------------------- */

static void clear_drops_everything_at_once(void **state)
{
    struct fixture *f = *state;
    char text[16];
    for (uint32_t i = 0; i < 100; i++) {
        put(f, number_key(i, text), KEY);
    }
    hf_effects_clear(&f->effects, HF_DATABASE_ALL);
    assert_int_equal(apply(f, (struct hf_slice){NULL, 0}), 0);
    assert_int_equal(f->sessions.count, 0);
    assert_int_equal(f->sessions.bytes, 0);
    put(f, KEY, KEY);
    assert_non_null(find(f, KEY));
}

static void the_table_grows_and_shrinks_with_its_sessions(void **state)
{
    struct fixture *f = *state;
    char text[16];
    for (uint32_t i = 0; i < 5000; i++) {
        put(f, number_key(i, text), KEY);
        const struct hf_table *table = &f->sessions.table;
        assert_true(table->count <= table->homes - table->homes / 10);
        /* A sixth more at a time, but small tables double. */
        uint32_t homes_max = table->count < 500 ? table->count * 9 / 4 + 66
                                                : table->count * 4 / 3;
        assert_true(table->homes <= homes_max);
        assert_true(table->capacity <= table->homes + 100);
    }
    for (uint32_t i = 0; i < 4990; i++) {
        drop(f, number_key(i, text));
        assert_true(f->sessions.table.capacity <=
                    f->sessions.count * 9 / 4 + 100);
    }
    assert_true(f->sessions.table.capacity <= 100);
    for (uint32_t i = 4990; i < 5000; i++) {
        assert_non_null(find(f, number_key(i, text)));
        drop(f, number_key(i, text));
    }
    assert_int_equal(f->sessions.bytes, 0);
}

/* What a session takes over its key and value, which here are a few bytes: its
 * header, its slot, and what malloc(3) rounds up, on average over all sizes.
 * Its own 8 bytes come on top in a real allocator. */
static void sessions_are_small(void **state)
{
    struct fixture *f = *state;
    char text[16];
    const uint32_t count = 10000;
    size_t payload = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct hf_slice key = number_key(i, text);
        struct hf_slice value = {(const uint8_t *)"0123456789abcdef", i % 16};
        put(f, key, value);
        payload += key.size + value.size;
    }
    assert_true((f->sessions.bytes - payload) / count < 60);
}

/* Keys are told apart even when their hashes are equal, and hashes at the very
 * end have a tail behind the table, which grows. */
static void colliding_hashes_are_told_apart(void **state)
{
    struct fixture *f = *state;
    const uint32_t hashes[] = {1, UINT32_MAX, UINT32_MAX - 1, 0x80000000};
    char text[16];
    for (uint32_t i = 0; i < 24; i++) {
        hf_effects_put(&f->effects, number_key(i, text), HF_TTL_NONE);
        assert_int_equal(apply_hashed(f, number_key(i, text), hashes[i % 4]),
                         0);
        hf_buffer_clear(&f->effects);
    }
    for (uint32_t i = 0; i < 24; i++) {
        struct hf_slice key = number_key(i, text);
        struct hf_session *session =
            hf_sessions_find(&f->sessions, key, hashes[i % 4]);
        assert_non_null(session);
        assert_true(hf_slice_equal(hf_session_value(session), key));
        assert_null(hf_sessions_find(&f->sessions, key, hashes[(i + 1) % 4]));
    }
}

/* The worst there is: everybody wants the last slot. What is behind it grows
 * with them, by doubling, and goes when they do. */
static void hashes_at_the_end_have_room(void **state)
{
    struct fixture *f = *state;
    char text[16];
    const uint32_t count = 3000;
    uint32_t moves_before = f->sessions.table.moves;
    for (uint32_t i = 0; i < count; i++) {
        hf_effects_put(&f->effects, KEY, HF_TTL_NONE);
        assert_int_equal(apply_hashed(f, number_key(i, text), UINT32_MAX - 1),
                         0);
        hf_buffer_clear(&f->effects);
    }
    assert_true(f->sessions.table.moves - moves_before < 50);
    assert_true(f->sessions.table.capacity < 5 * count);
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(hf_sessions_find(&f->sessions, number_key(i, text),
                                         UINT32_MAX - 1));
        assert_null(
            hf_sessions_find(&f->sessions, number_key(i, text), UINT32_MAX));
    }
    for (uint32_t i = 0; i < count; i++) {
        hf_effects_delete(&f->effects);
        assert_int_equal(apply_hashed(f, number_key(i, text), UINT32_MAX - 1),
                         0);
        hf_buffer_clear(&f->effects);
    }
    assert_int_equal(f->sessions.bytes, 0);
}

/* Where several million sessions are on a node. Growing reads no session, so
 * the largest step is a small one: a sixth, and each is moved once. */
static void growing_is_cheap_at_any_size(void **state)
{
    struct fixture *f = *state;
    char text[16];
    uint64_t moved = 0;
    const uint32_t count = 20000;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t moves = f->sessions.table.moves;
        put(f, number_key(i, text), KEY);
        moved += f->sessions.table.moves != moves ? i : 0;
        assert_true(f->sessions.table.moves - moves <= 1);
    }
    assert_true(moved < 8 * count);
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(find(f, number_key(i, text)));
    }
}

/* ---- Scanning ----------------------------------------------------------- */

#define SCAN_KEYS 3000

struct seen {
    uint32_t times[SCAN_KEYS];
    uint32_t visits;
    uint32_t last_hash;
    const uint32_t *hashes; /* Of number n, hashes[n % 3]; NULL: real ones. */
};

static void on_scanned(void *user, const struct hf_session *session)
{
    struct seen *seen = user;
    struct hf_slice number = hf_session_value(session);
    uint32_t index;
    memcpy(&index, number.data, sizeof(index));
    seen->times[index]++;
    seen->visits++;
    uint32_t hash = seen->hashes != NULL ? seen->hashes[index % 3]
                                         : hf_session_hash(session);
    assert_true(hash >= seen->last_hash);
    seen->last_hash = hash;
}

static void put_number(struct fixture *f, uint32_t number)
{
    char text[16];
    put(f, number_key(number, text),
        (struct hf_slice){(const uint8_t *)&number, sizeof(number)});
}

/* Even keys stay. Odd ones come and go, so that the table grows to four times
 * its size and shrinks again while the scan is under way. */
static void a_scan_sees_whoever_stays_exactly_once(void **state)
{
    struct fixture *f = *state;
    static struct seen seen;
    char text[16];
    memset(&seen, 0, sizeof(seen));
    for (uint32_t i = 0; i < 600; i += 2) {
        put_number(f, i);
    }
    uint64_t position = 0;
    uint32_t pages = 0;
    uint32_t next_odd = 601;
    while (position != HF_SESSIONS_END) {
        uint32_t before = seen.visits;
        position =
            hf_sessions_scan(&f->sessions, position, 7, on_scanned, &seen);
        assert_true(seen.visits - before >= 7 || position == HF_SESSIONS_END);
        pages++;
        for (int i = 0; i < 40 && pages < 30 && next_odd < SCAN_KEYS; i++) {
            put_number(f, next_odd);
            next_odd += 2;
        }
        for (int i = 0; i < 100 && pages > 60 && next_odd > 601; i++) {
            next_odd -= 2;
            drop(f, number_key(next_odd, text));
        }
    }
    for (uint32_t i = 0; i < 600; i += 2) {
        assert_int_equal(seen.times[i], 1);
    }
    for (uint32_t i = 601; i < SCAN_KEYS; i += 2) {
        assert_true(seen.times[i] <= 1);
    }
}

static void equal_hashes_are_visited_together(void **state)
{
    struct fixture *f = *state;
    static struct seen seen;
    static const uint32_t hashes[] = {UINT32_MAX, 1, 500};
    memset(&seen, 0, sizeof(seen));
    seen.hashes = hashes;
    char text[16];
    for (uint32_t i = 0; i < 30; i++) {
        hf_effects_put(&f->effects,
                       (struct hf_slice){(const uint8_t *)&i, sizeof(i)},
                       HF_TTL_NONE);
        assert_int_equal(apply_hashed(f, number_key(i, text), hashes[i % 3]),
                         0);
        hf_buffer_clear(&f->effects);
    }
    uint64_t position = 0;
    for (uint32_t page = 1; page <= 3; page++) {
        position =
            hf_sessions_scan(&f->sessions, position, 1, on_scanned, &seen);
        assert_int_equal(seen.visits, 10 * page);
    }
    assert_true(position == HF_SESSIONS_END);
    assert_true(hf_sessions_scan(&f->sessions, HF_SESSIONS_END, 1, on_scanned,
                                 &seen) == HF_SESSIONS_END);
    assert_int_equal(seen.visits, 30);
}

/* ---- Out of memory ------------------------------------------------------ */

static void effects_of_round(struct fixture *f, uint32_t round)
{
    char text[16];
    struct hf_slice name = number_key(round, text);
    switch (round % 5) {
    case 0:
        hf_effects_put(&f->effects, name, 1000);
        break;
    case 1:
        hf_effects_delete(&f->effects);
        hf_effects_field(&f->effects, name, name);
        hf_effects_field(&f->effects, KEY, name);
        break;
    case 2:
        hf_effects_delete(&f->effects);
        hf_effects_put(&f->effects, HF_SLICE_LITERAL("a longer value"),
                       HF_TTL_NONE);
        hf_effects_expire(&f->effects, 5);
        break;
    case 3:
        hf_effects_delete(&f->effects);
        for (uint32_t i = 0; i < 50; i++) {
            hf_effects_field(&f->effects, number_key(i, text), KEY);
        }
        hf_effects_expire(&f->effects, 500);
        break;
    default:
        hf_effects_delete(&f->effects);
        break;
    }
}

/* Each change is tried with its first, second, ... allocation failing, until
 * it needs no more. Giving memory back is tried too, and never fails. */
static void without_memory_nothing_changes(void **state)
{
    struct fixture *f = *state;
    uint32_t failures = 0;
    char text[16];
    struct hf_rng rng;
    hf_rng_init(&rng, 3);
    for (uint32_t round = 0; round < 1000; round++) {
        struct hf_slice key =
            number_key((uint32_t)hf_rng_below(&rng, 100), text);
        effects_of_round(f, round);
        dump(f, &f->before);
        for (uint64_t nth = 1;; nth++) {
            failing_mem_fail_from(&f->failing, nth);
            int rv = apply_hashed(f, key, hf_sessions_hash(key));
            if (rv == 0) {
                break;
            }
            assert_int_equal(rv, HF_ENOMEM);
            assert_true(f->failing.failed);
            assert_unchanged(f);
            failures++;
        }
        failing_mem_fail_from(&f->failing, 0);
        hf_buffer_clear(&f->effects);
    }
    assert_true(failures > 500);
}

/* Without memory to grow, the table fills up as far as there is any place. */
static void a_table_that_cannot_grow_takes_what_fits(void **state)
{
    struct fixture *f = *state;
    char text[16];
    uint32_t count = 0;
    for (; count < 200; count++) {
        put(f, number_key(count, text), KEY);
    }
    uint32_t capacity = f->sessions.table.capacity;
    for (int rv = 0; rv == 0; count += rv == 0 ? 1 : 0) {
        hf_effects_put(&f->effects, KEY, HF_TTL_NONE);
        failing_mem_fail_from(&f->failing, 2); /* The session itself fits. */
        rv = apply(f, number_key(count, text));
        failing_mem_fail_from(&f->failing, 0);
    }
    assert_int_equal(f->sessions.table.capacity, capacity);
    assert_true(count > capacity * 8 / 10 && count < capacity);
    assert_null(find(f, HF_SLICE_LITERAL("nobody")));
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(find(f, number_key(i, text)));
    }
    put(f, number_key(count, text), KEY);
    assert_true(f->sessions.table.capacity > capacity);
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(a_string_is_there_with_all_its_attributes),
        CASE(empty_keys_and_values_are_fine),
        CASE(deadlines_do_not_overflow),
        CASE(a_sequence_without_end_is_refused),
        CASE(put_forgets_the_deadline_and_field_keeps_it),
        CASE(a_value_of_about_the_same_size_takes_no_memory),
        CASE(a_field_of_the_same_size_takes_no_memory),
        CASE(fields_keep_the_order_of_their_first_setting),
        CASE(the_last_field_takes_the_session_along),
        CASE(very_many_fields_are_found_again),
        CASE(effects_that_do_not_fit_change_nothing),
        CASE(a_key_that_is_too_long_is_refused),
        CASE(deleting_nothing_and_no_effects_are_fine),
        CASE(effects_cut_at_any_byte_are_harmless),
        CASE(changed_bytes_are_harmless),
        CASE(clear_drops_everything_at_once),
        CASE(the_table_grows_and_shrinks_with_its_sessions),
        CASE(sessions_are_small),
        CASE(colliding_hashes_are_told_apart),
        CASE(hashes_at_the_end_have_room),
        CASE(growing_is_cheap_at_any_size),
        CASE(a_scan_sees_whoever_stays_exactly_once),
        CASE(equal_hashes_are_visited_together),
        CASE(without_memory_nothing_changes),
        CASE(a_table_that_cannot_grow_takes_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
