/* Random changes of a table, each also made to a model so simple that it
 * cannot be wrong: an array of keys, each with an array of fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rng.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "core/sessions.h"
#include "support/failing_mem.h"

#define KEYS 150
#define FIELDS 60
#define TEXT_BYTES_MAX 90

struct model_text {
    size_t size;
    uint8_t bytes[TEXT_BYTES_MAX];
};

struct model_field {
    uint32_t name;
    struct model_text value;
};

struct model_session {
    bool exists;
    bool is_hash;
    bool is_fence;
    struct model_text value;
    struct model_field fields[FIELDS]; /* In order. */
    uint32_t field_count;
    hf_time deadline;
    uint64_t sequence;
};

struct fixture {
    struct failing_mem failing;
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    struct hf_mem system;
    struct hf_buffer effects;
    struct hf_rng rng;
    hf_time now;
    uint64_t sequence;
    size_t used_bytes;
    uint32_t seen[KEYS];
    struct model_session model[KEYS];
};

static int open_fixture(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    failing_mem_init(&f.failing);
    hf_mem_init_system(&f.system);
    assert_int_equal(hf_expiry_init(&f.expiry, &f.failing.mem), 0);
    hf_sessions_init(&f.sessions, &f.failing.mem, &f.expiry, 1);
    hf_buffer_init(&f.effects, &f.system);
    f.used_bytes = f.failing.mem.used_bytes;
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_sessions_clear(&f->sessions);
    assert_int_equal(f->failing.mem.used_bytes, f->used_bytes);
    hf_expiry_close(&f->expiry);
    failing_mem_close(&f->failing);
    hf_buffer_close(&f->effects);
    return 0;
}

static uint32_t below(struct fixture *f, uint32_t bound)
{
    return (uint32_t)hf_rng_below(&f->rng, bound);
}

static struct hf_slice slice_of(const struct model_text *text)
{
    return (struct hf_slice){text->bytes, text->size};
}

static struct hf_slice number_slice(const uint32_t *number)
{
    return (struct hf_slice){(const uint8_t *)number, sizeof(*number)};
}

/* Few hashes, some at the very end: long runs, and a long tail. */
static uint32_t hash_of(uint32_t key)
{
    switch (key % 4) {
    case 0:
        return UINT32_MAX - key % 3;
    case 1:
        return key % 8 * 0x11111111 + 1;
    default:
        return hf_sessions_hash(number_slice(&key));
    }
}

static struct model_text random_text(struct fixture *f)
{
    struct model_text text = {.size = below(f, TEXT_BYTES_MAX)};
    memset(text.bytes, 'a' + (int)below(f, 26), text.size);
    return text;
}

/* Mostly the sizes that stay in place. */
static struct model_text random_value(struct fixture *f,
                                      const struct model_text *old)
{
    struct model_text text = random_text(f);
    if (below(f, 2) == 0) {
        text.size = old->size;
        memset(text.bytes, 'A' + (int)below(f, 26), text.size);
    }
    return text;
}

static struct model_field *model_find(struct model_session *model,
                                      uint32_t name)
{
    for (uint32_t i = 0; i < model->field_count; i++) {
        if (model->fields[i].name == name) {
            return &model->fields[i];
        }
    }
    return NULL;
}

static void model_delete(struct model_session *model)
{
    model->exists = false;
    model->is_fence = false;
    model->field_count = 0;
    model->deadline = HF_NEVER;
}

static int64_t random_ttl(struct fixture *f)
{
    return below(f, 2) == 0 ? HF_TTL_NONE : 1 + below(f, 100000);
}

static void do_put(struct fixture *f, struct model_session *model)
{
    int64_t ttl_ms = random_ttl(f);
    struct model_text value = random_value(f, &model->value);
    hf_effects_put(&f->effects, slice_of(&value), ttl_ms);
    model_delete(model);
    model->exists = true;
    model->is_hash = false;
    model->value = value;
    model->deadline = ttl_ms == HF_TTL_NONE ? HF_NEVER : f->now + ttl_ms;
}

static void do_delete(struct fixture *f, struct model_session *model)
{
    hf_effects_delete(&f->effects);
    model_delete(model);
}

static void do_fence(struct fixture *f, struct model_session *model)
{
    int64_t ttl_ms = 1 + below(f, 100000);
    hf_effects_fence(&f->effects, ttl_ms);
    model_delete(model);
    model->exists = true;
    model->is_fence = true;
    model->deadline = f->now + ttl_ms;
}

static void do_field(struct fixture *f, struct model_session *model)
{
    if (model->exists && (model->is_fence || !model->is_hash)) {
        do_delete(f, model);
    }
    if (!model->exists) {
        model->exists = true;
        model->is_hash = true;
        model->deadline = HF_NEVER;
    }
    uint32_t name = below(f, FIELDS);
    struct model_field *field = model_find(model, name);
    if (field == NULL) {
        field = &model->fields[model->field_count++];
        *field = (struct model_field){.name = name};
    }
    field->value = random_value(f, &field->value);
    hf_effects_field(&f->effects, number_slice(&name), slice_of(&field->value));
}

static void do_unfield(struct fixture *f, struct model_session *model)
{
    if (!model->exists || model->is_fence || !model->is_hash) {
        return;
    }
    uint32_t at = below(f, model->field_count);
    hf_effects_unfield(&f->effects, number_slice(&model->fields[at].name));
    model->field_count--;
    memmove(&model->fields[at], &model->fields[at + 1],
            sizeof(model->fields[0]) * (model->field_count - at));
    if (model->field_count == 0) {
        model_delete(model);
    }
}

static void do_expire(struct fixture *f, struct model_session *model)
{
    if (model->exists && !model->is_fence) {
        int64_t ttl_ms = random_ttl(f);
        hf_effects_expire(&f->effects, ttl_ms);
        model->deadline = ttl_ms == HF_TTL_NONE ? HF_NEVER : f->now + ttl_ms;
    }
}

static void do_anything(struct fixture *f, struct model_session *model)
{
    switch (below(f, 13)) {
    case 0:
    case 1:
        do_put(f, model);
        break;
    case 2:
        do_delete(f, model);
        break;
    case 3:
        do_expire(f, model);
        break;
    case 4:
    case 5:
        do_unfield(f, model);
        break;
    case 6:
        do_fence(f, model);
        break;
    default:
        do_field(f, model);
        break;
    }
}

static void check_fields(const struct hf_session *session,
                         struct model_session *model)
{
    size_t cursor = 0;
    struct hf_slice name;
    struct hf_slice value;
    assert_int_equal(hf_session_field_count(session), model->field_count);
    for (uint32_t i = 0; i < model->field_count; i++) {
        struct model_field *field = &model->fields[i];
        assert_true(hf_session_next_field(session, &cursor, &name, &value));
        assert_true(hf_slice_equal(name, number_slice(&field->name)));
        assert_true(hf_slice_equal(value, slice_of(&field->value)));
    }
    assert_false(hf_session_next_field(session, &cursor, &name, &value));
    for (uint32_t i = 0; i < FIELDS; i++) {
        struct model_field *field = model_find(model, i);
        bool found = hf_session_field(session, number_slice(&i), &value);
        assert_int_equal(found, field != NULL);
        assert_true(!found || hf_slice_equal(value, slice_of(&field->value)));
    }
}

static void check_key(struct fixture *f, uint32_t key)
{
    struct model_session *model = &f->model[key];
    struct hf_session *session =
        hf_sessions_find_entry(&f->sessions, number_slice(&key), hash_of(key));
    assert_int_equal(session != NULL, model->exists);
    assert_ptr_equal(
        hf_sessions_find(&f->sessions, number_slice(&key), hash_of(key)),
        model->is_fence ? NULL : session);
    assert_int_equal(hf_sessions_is_fenced(&f->sessions, number_slice(&key),
                                           hash_of(key), f->now),
                     model->is_fence && model->deadline > f->now);
    if (session == NULL) {
        return;
    }
    assert_true(hf_slice_equal(hf_session_key(session), number_slice(&key)));
    assert_int_equal(hf_session_version(session).sequence, model->sequence);
    assert_true(hf_session_deadline(session) == model->deadline);
    if (model->is_fence) {
        assert_int_equal(hf_session_type(session), HF_SESSION_FENCE);
        return;
    }
    assert_int_equal(hf_session_type(session),
                     model->is_hash ? HF_SESSION_HASH : HF_SESSION_STRING);
    if (model->is_hash) {
        check_fields(session, model);
    } else {
        assert_true(
            hf_slice_equal(hf_session_value(session), slice_of(&model->value)));
    }
}

static void on_scanned(void *user, const struct hf_session *session)
{
    struct fixture *f = user;
    uint32_t key;
    memcpy(&key, hf_session_key(session).data, sizeof(key));
    f->seen[key]++;
}

static void check_everything(struct fixture *f)
{
    uint32_t count = 0;
    uint32_t fences = 0;
    hf_time first = HF_NEVER;
    uint64_t position = 0;
    memset(f->seen, 0, sizeof(f->seen));
    while (position != HF_SESSIONS_END) {
        position = hf_sessions_scan(&f->sessions, position, 1 + below(f, 9),
                                    on_scanned, f);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        check_key(f, key);
        assert_int_equal(f->seen[key], f->model[key].exists);
        if (f->model[key].is_fence) {
            fences++;
            first =
                f->model[key].deadline < first ? f->model[key].deadline : first;
        } else {
            count += f->model[key].exists ? 1 : 0;
        }
    }
    assert_int_equal(f->sessions.count, count);
    assert_int_equal(f->sessions.fences.count, fences);
    assert_int_equal(f->sessions.fence_bytes > 0, fences > 0);
    struct hf_session *fence = hf_sessions_first_fence(&f->sessions);
    assert_int_equal(fence != NULL, fences > 0);
    assert_true(fence == NULL || hf_session_deadline(fence) == first);
}

/* Hashes ascend, between its home and its slot everybody has company, the last
 * slot is free, and no group is due later than somebody in it. */
static void check_table(struct fixture *f)
{
    const struct hf_table *table = &f->sessions.table;
    uint32_t taken = 0;
    uint32_t last = 0;
    uint32_t free_at = 0; /* One past the last free slot. */
    for (uint32_t i = 0; i < table->capacity; i++) {
        uint32_t hash = table->hashes[i];
        assert_int_equal(table->entries[i] == NULL, hash == 0);
        if (hash == 0) {
            free_at = i + 1;
            continue;
        }
        uint64_t home = ((uint64_t)hash * table->homes) >> 32;
        hf_time deadline = hf_session_deadline(table->entries[i]);
        assert_true(home <= i && home >= free_at && hash >= last);
        assert_true(table->due[i / HF_TABLE_GROUP] <= deadline);
        last = hash;
        taken++;
    }
    assert_int_equal(taken, table->count);
    assert_true(table->capacity == 0 || free_at == table->capacity);
    assert_int_equal(taken, f->sessions.count + f->sessions.fences.count);
    uint32_t counts[HF_DATABASE_OWN + 1] = {0};
    for (uint32_t key = 0; key < KEYS; key++) {
        if (f->model[key].exists && !f->model[key].is_fence) {
            counts[hf_key_database(number_slice(&key))]++;
        }
    }
    assert_memory_equal(f->sessions.counts, counts, sizeof(counts));
}

static int apply(struct fixture *f, struct hf_slice key, uint32_t hash)
{
    struct hf_version version = {1, f->sequence};
    return hf_sessions_apply(&f->sessions, key, hash, version,
                             hf_buffer_slice(&f->effects), f->now);
}

/* Now and then there is no memory; then the same is tried again. */
static void change_one(struct fixture *f)
{
    uint32_t key = below(f, KEYS);
    uint32_t effect_count = below(f, 4) == 0 ? below(f, 30) : 1;
    hf_buffer_clear(&f->effects);
    for (uint32_t i = 0; i < effect_count; i++) {
        do_anything(f, &f->model[key]);
    }
    f->sequence++;
    if (f->effects.size > 0) {
        f->model[key].sequence = f->sequence;
    }
    failing_mem_fail_from(&f->failing, below(f, 4));
    while (apply(f, number_slice(&key), hash_of(key)) != 0) {
        assert_true(f->failing.failed);
        failing_mem_fail_from(&f->failing, 0);
    }
    failing_mem_fail_from(&f->failing, 0);
    check_key(f, key);
    check_table(f);
    assert_int_equal(f->sessions.bytes + f->used_bytes,
                     f->failing.mem.used_bytes);
}

/* Brings the table down to a few sessions, so that it shrinks. */
static void delete_most(struct fixture *f)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        if (below(f, 20) > 0) {
            hf_buffer_clear(&f->effects);
            do_delete(f, &f->model[key]);
            assert_int_equal(apply(f, number_slice(&key), hash_of(key)), 0);
        }
    }
}

/* Drops all sessions of one database, or of all that are not our own, but no
 * fences. The first byte of a key is a database, or is none. */
static void clear(struct fixture *f)
{
    uint8_t one = (uint8_t)below(f, HF_DATABASE_COUNT);
    uint8_t database = below(f, 3) == 0 ? one : HF_DATABASE_ALL;
    hf_buffer_clear(&f->effects);
    hf_effects_clear(&f->effects, database);
    assert_int_equal(apply(f, (struct hf_slice){NULL, 0}, 0), 0);
    for (uint32_t key = 0; key < KEYS; key++) {
        uint8_t its = hf_key_database(number_slice(&key));
        bool meant = database == HF_DATABASE_ALL ? its != HF_DATABASE_OWN
                                                 : its == database;
        if (!f->model[key].is_fence && meant) {
            model_delete(&f->model[key]);
        }
    }
}

/* The primary deletes what the wheel finds due. */
static void on_due(void *user, struct hf_sessions *sessions,
                   struct hf_session *session)
{
    struct fixture *f = user;
    assert_ptr_equal(sessions, &f->sessions);
    uint32_t key;
    memcpy(&key, hf_session_key(session).data, sizeof(key));
    assert_true(f->model[key].exists && f->model[key].deadline <= f->now);
    hf_buffer_clear(&f->effects);
    do_delete(f, &f->model[key]);
    assert_int_equal(apply(f, number_slice(&key), hash_of(key)), 0);
}

static void let_time_pass(struct fixture *f)
{
    f->now += below(f, 2000);
    while (hf_expiry_run(&f->expiry, f->now, 10, on_due, f)) {
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        assert_true(!f->model[key].exists || f->model[key].deadline > f->now);
    }
}

static void run_seed(struct fixture *f, uint64_t seed)
{
    print_message("seed %u\n", (unsigned)seed);
    hf_rng_init(&f->rng, seed);
    for (uint32_t step = 0; step < 20000; step++) {
        change_one(f);
        if (step % 50 == 0) {
            let_time_pass(f);
        }
        if (step % 500 == 499) {
            check_everything(f);
        }
        if (step % 3000 == 2999) {
            delete_most(f);
            check_everything(f);
        }
        if (step % 2000 == 1999) {
            clear(f);
            check_everything(f);
        }
    }
    clear(f);
    check_everything(f);
}

static void the_table_does_what_the_model_does(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run_seed(*state, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_table_does_what_the_model_does,
                                        open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
