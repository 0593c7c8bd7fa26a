#include "core/sessions.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/draft.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "core/rework.h"
#include "core/session.h"
#include "core/sessions_totals.h"
#include "holdfast/error.h"

#define HASH_BITS 32

void hf_sessions_init(struct hf_sessions *sessions, struct hf_mem *mem,
                      struct hf_expiry *expiry, uint16_t partition)
{
    *sessions = (struct hf_sessions){
        .mem = mem, .expiry = expiry, .partition = partition};
    hf_heap_init(&sessions->fences, mem);
}

uint32_t hf_sessions_hash(struct hf_slice key)
{
    uint32_t hash = (uint32_t)(hf_hash(key) >> HASH_BITS);
    return hash == 0 ? 1 : hash; /* 0 is a free slot. */
}

void hf_sessions_expect(const struct hf_sessions *sessions, uint32_t hash)
{
    hf_table_expect(&sessions->table, hash);
}

void hf_sessions_expect_entry(const struct hf_sessions *sessions, uint32_t hash)
{
    hf_table_expect_entry(&sessions->table, hash);
}

struct hf_session *hf_sessions_find_entry(const struct hf_sessions *sessions,
                                          struct hf_slice key, uint32_t hash)
{
    uint32_t slot = hf_table_find(&sessions->table, key, hash);
    return slot == HF_TABLE_NONE ? NULL : sessions->table.entries[slot];
}

struct hf_session *hf_sessions_find(const struct hf_sessions *sessions,
                                    struct hf_slice key, uint32_t hash)
{
    struct hf_session *entry = hf_sessions_find_entry(sessions, key, hash);
    return entry != NULL && hf_session_type(entry) == HF_SESSION_FENCE ? NULL
                                                                       : entry;
}

bool hf_sessions_is_fenced(const struct hf_sessions *sessions,
                           struct hf_slice key, uint32_t hash, hf_time now)
{
    if (sessions->fences.count == 0) {
        return false;
    }
    const struct hf_session *entry =
        hf_sessions_find_entry(sessions, key, hash);
    return entry != NULL && hf_session_type(entry) == HF_SESSION_FENCE &&
           hf_session_deadline(entry) > now;
}

struct hf_session *hf_sessions_first_fence(const struct hf_sessions *sessions)
{
    struct hf_heap_item *item = hf_heap_peek(&sessions->fences);
    return item == NULL ? NULL : hf_session_of_fence_item(item);
}

/* ---- Changing sessions -------------------------------------------------- */

/* A new fence in the heap of them. */
static int fence_add(struct hf_sessions *sessions, struct hf_session *fence,
                     hf_time deadline)
{
    size_t before = hf_sessions_fence_places(sessions);
    int error =
        hf_heap_push(&sessions->fences, hf_session_fence_item(fence), deadline);
    hf_sessions_hold(sessions, hf_sessions_fence_places(sessions), before);
    if (error == 0) {
        hf_sessions_hold_fence(sessions, hf_session_size(fence));
    }
    return error;
}

static void fences_give_back(struct hf_sessions *sessions)
{
    if (sessions->fences.count == 0) {
        hf_sessions_hold(sessions, 0, hf_sessions_fence_places(sessions));
        hf_heap_close(&sessions->fences);
    }
}

static void fence_remove(struct hf_sessions *sessions, struct hf_session *fence)
{
    hf_heap_remove(&sessions->fences, hf_session_fence_item(fence));
    hf_sessions_drop_fence(sessions, hf_session_size(fence));
    fences_give_back(sessions);
}

/* Frees what is, or was just taken, out of the table. */
static void session_free(struct hf_sessions *sessions,
                         struct hf_session *session)
{
    if (hf_session_type(session) == HF_SESSION_FENCE) {
        fence_remove(sessions, session);
    } else {
        hf_sessions_uncount_one(sessions, hf_session_key(session));
    }
    hf_sessions_hold(sessions, 0, hf_session_held(session));
    hf_session_destroy(sessions->mem, session);
}

/* Both keep `bytes` true. */
static bool table_make_room(struct hf_sessions *sessions, uint32_t hash)
{
    size_t before = hf_table_bytes(&sessions->table);
    bool room = hf_table_make_room(&sessions->table, sessions->mem, hash);
    hf_sessions_hold(sessions, hf_table_bytes(&sessions->table), before);
    return room;
}

static void table_give_back(struct hf_sessions *sessions)
{
    size_t before = hf_table_bytes(&sessions->table);
    hf_table_give_back(&sessions->table, sessions->mem);
    hf_sessions_hold(sessions, hf_table_bytes(&sessions->table), before);
}

bool hf_sessions_clear_step(struct hf_sessions *sessions, uint32_t *slot,
                            uint32_t slots_max)
{
    struct hf_table *table = &sessions->table;
    for (; *slot < table->capacity; (*slot)++) {
        if (slots_max-- == 0) {
            return false;
        }
        if (table->entries[*slot] != NULL) {
            session_free(sessions, table->entries[*slot]);
        }
    }
    table->count = 0;
    table_give_back(sessions);
    HF_ASSERT(sessions->bytes == 0);
    return true;
}

void hf_sessions_clear(struct hf_sessions *sessions)
{
    uint32_t slot = 0;
    (void)hf_sessions_clear_step(sessions, &slot, UINT32_MAX);
}

static void session_drop(struct hf_sessions *sessions, uint32_t slot)
{
    struct hf_session *session = sessions->table.entries[slot];
    hf_table_remove(&sessions->table, slot);
    session_free(sessions, session);
}

/* Frees all sessions of @database, or of all of clients, and leaves the
 * fences. */
static void drop_sessions(struct hf_sessions *sessions, uint8_t database)
{
    uint32_t meant = hf_sessions_count_of(sessions, database);
    if (sessions->fences.count == 0 && meant == sessions->count) {
        hf_sessions_clear(sessions);
        return;
    }
    /* From the end: who moves then stays. */
    for (uint32_t i = sessions->table.capacity; meant > 0 && i-- > 0;) {
        struct hf_session *entry = sessions->table.entries[i];
        if (entry != NULL && hf_session_is_of(entry, database)) {
            session_drop(sessions, i);
            meant--;
        }
    }
    table_give_back(sessions);
}

static void expect_due(struct hf_sessions *sessions, hf_time deadline)
{
    if (sessions->expiry != NULL) {
        hf_expiry_expect(sessions->expiry, sessions, deadline);
    }
}

/* One that is later than before is found out when the earlier one has come. */
static void session_set_deadline(struct hf_sessions *sessions, uint32_t slot,
                                 hf_time deadline, uint16_t slack_ms)
{
    struct hf_session *session = sessions->table.entries[slot];
    bool earlier = deadline < hf_session_deadline(session);
    hf_session_set_deadline(session, deadline, slack_ms);
    if (earlier) {
        hf_table_due_at(&sessions->table, slot, deadline);
        expect_due(sessions, deadline);
    }
}

static void session_write(struct hf_session *session,
                          const struct hf_draft *draft)
{
    if (draft->type == HF_SESSION_HASH) {
        hf_session_fields_write(session, draft->entries + draft->entry_first,
                                draft->entry_count - draft->entry_first);
    } else if (draft->type != HF_SESSION_FENCE && draft->value.size > 0) {
        memcpy(hf_session_value_data(session), draft->value.data,
               draft->value.size);
    }
}

static size_t draft_value_size(const struct hf_draft *draft)
{
    if (draft->type == HF_SESSION_FENCE) {
        return 0;
    }
    if (draft->type != HF_SESSION_HASH) {
        return draft->value.size;
    }
    return hf_session_fields_size(draft->entries + draft->entry_first,
                                  draft->entry_count - draft->entry_first);
}

/* What a change is about, so that it is found only once. */
struct change {
    struct hf_slice key;
    uint32_t hash;
    struct hf_version version;
    struct hf_session *old; /* NULL: there is none. */
    uint32_t slot;          /* Of the old one. */
};

/* Makes the session anew. The old one goes last, the draft may borrow from
 * it. */
static int session_replace(struct hf_sessions *sessions,
                           const struct change *change,
                           const struct hf_draft *draft, size_t value_size)
{
    bool fence = draft->type == HF_SESSION_FENCE;
    struct hf_session *session =
        fence ? hf_session_create_fence(sessions->mem, change->key)
              : hf_session_create(sessions->mem, change->key, value_size);
    if (session == NULL) {
        return HF_ENOMEM;
    }
    hf_session_set_deadline(session, draft->deadline, 0);
    hf_session_set_version(session, change->version);
    if ((change->old == NULL && !table_make_room(sessions, change->hash)) ||
        (fence && fence_add(sessions, session, draft->deadline) != 0)) {
        hf_session_destroy(sessions->mem, session);
        return HF_ENOMEM;
    }
    hf_session_set_type(session, draft->type);
    session_write(session, draft);
    hf_sessions_hold(sessions, hf_session_held(session), 0);
    if (!fence) {
        hf_sessions_count_one(sessions, change->key);
    }
    if (change->old == NULL) {
        (void)hf_table_insert(&sessions->table, session, change->hash);
    } else {
        sessions->table.entries[change->slot] = session;
        hf_table_due_at(&sessions->table, change->slot, draft->deadline);
        session_free(sessions, change->old);
    }
    expect_due(sessions, draft->deadline);
    return 0;
}

/* The value of a string that needs the same piece of memory. */
static void session_overwrite(struct hf_session *session,
                              const struct hf_draft *draft)
{
    hf_session_set_value_size(session, draft->value.size);
    hf_session_set_type(session, HF_SESSION_STRING);
    session_write(session, draft);
}

static int change_to_draft(struct hf_sessions *sessions,
                           const struct change *change,
                           const struct hf_draft *draft)
{
    if (!draft->exists) {
        if (change->old != NULL) {
            session_drop(sessions, change->slot);
            table_give_back(sessions);
        }
        return 0;
    }
    size_t size = draft_value_size(draft);
    if (size > HF_SESSION_VALUE_SIZE_MAX) {
        return HF_EPROTO;
    }
    bool in_place = change->old != NULL && draft->type == HF_SESSION_STRING &&
                    hf_session_type(change->old) != HF_SESSION_FENCE &&
                    !hf_structure_has(hf_session_type(change->old)) &&
                    hf_session_alloc_size(change->key.size, size) ==
                        hf_session_size(change->old);
    if (!in_place) {
        return session_replace(sessions, change, draft, size);
    }
    session_overwrite(change->old, draft);
    hf_session_set_version(change->old, change->version);
    session_set_deadline(sessions, change->slot, draft->deadline, 0);
    return 0;
}

/* Where the value of @field may be overwritten by @value in place. */
static uint8_t *field_place(struct hf_session *session, struct hf_slice field,
                            struct hf_slice value)
{
    struct hf_slice old;
    if (!hf_session_field(session, field, &old) || old.size != value.size) {
        return NULL;
    }
    uint8_t *data = hf_session_value_data(session);
    return data + (old.data - data);
}

/* Whether all effects overwrite fields by values of equal size. */
static bool fields_fit_in_place(struct hf_session *session,
                                struct hf_slice effects)
{
    if (session == NULL || hf_session_type(session) != HF_SESSION_HASH) {
        return false;
    }
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    while (hf_effects_next(&reader, &effect)) {
        if (effect.kind == HF_EFFECT_EXPIRE) {
            continue;
        }
        if (effect.kind != HF_EFFECT_FIELD ||
            field_place(session, effect.field, effect.value) == NULL) {
            return false;
        }
    }
    return !reader.failed;
}

static void fields_overwrite(struct hf_sessions *sessions, uint32_t slot,
                             struct hf_slice effects, hf_time now)
{
    struct hf_session *session = sessions->table.entries[slot];
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    while (hf_effects_next(&reader, &effect)) {
        if (effect.kind == HF_EFFECT_EXPIRE) {
            session_set_deadline(sessions, slot,
                                 hf_draft_deadline(effect.ttl_ms, now), 0);
        } else if (effect.value.size > 0) {
            memcpy(field_place(session, effect.field, effect.value),
                   effect.value.data, effect.value.size);
        }
    }
}

/* What most writes are, one new string or one new deadline, needs no draft to
 * be worked out. False when it is something else. */
static bool apply_simple(struct hf_sessions *sessions,
                         const struct change *change, struct hf_slice effects,
                         hf_time now, int *rv)
{
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    if (!hf_effects_next(&reader, &effect) || hf_reader_left(&reader) > 0) {
        return false;
    }
    hf_time deadline = hf_draft_deadline(effect.ttl_ms, now);
    if (effect.kind == HF_EFFECT_PUT) {
        struct hf_draft draft = {.exists = true,
                                 .type = HF_SESSION_STRING,
                                 .deadline = deadline,
                                 .value = effect.value};
        *rv = change_to_draft(sessions, change, &draft);
        return true;
    }
    if (effect.kind == HF_EFFECT_EXPIRE && change->old != NULL &&
        hf_session_type(change->old) != HF_SESSION_FENCE) {
        session_set_deadline(sessions, change->slot, deadline, 0);
        hf_session_set_version(change->old, change->version);
        *rv = 0;
        return true;
    }
    return false;
}

/* ---- Changing members and elements -------------------------------------- */

static int rework_anew(struct hf_sessions *sessions,
                       const struct change *change,
                       const struct hf_rework *rework, hf_time now)
{
    struct hf_structure structure;
    if (!hf_structure_create(&structure, sessions->mem, rework->type)) {
        return HF_ENOMEM;
    }
    const void *pointer = structure.any;
    struct hf_draft draft = {
        .type = rework->type,
        .deadline = HF_NEVER,
        .value = {(const uint8_t *)&pointer, sizeof(pointer)}};
    int error = hf_rework_apply(rework, &structure, NULL, now, &draft.deadline);
    draft.exists = hf_structure_count(&structure) > 0;
    if (error == 0) {
        error = change_to_draft(sessions, change, &draft);
    }
    if (error != 0 || !draft.exists) {
        hf_structure_destroy(&structure);
    }
    return error;
}

static int rework_in_place(struct hf_sessions *sessions,
                           const struct change *change,
                           const struct hf_rework *rework, hf_time now)
{
    struct hf_structure structure = hf_session_structure(change->old);
    struct hf_journal journal;
    bool noted = rework->count > 1;
    hf_journal_init(&journal, sessions->mem);
    hf_time before = hf_session_deadline(change->old);
    hf_time deadline = before;
    size_t held = hf_structure_held(&structure);
    int error = hf_rework_apply(rework, &structure, noted ? &journal : NULL,
                                now, &deadline);
    if (noted && error == 0) {
        hf_structure_commit(&structure, &journal);
    } else if (noted) {
        hf_structure_undo(&structure, &journal);
    }
    hf_sessions_hold(sessions, hf_structure_held(&structure), held);
    hf_journal_close(&journal);
    if (error != 0) {
        return error;
    }
    if (hf_structure_count(&structure) == 0) {
        session_drop(sessions, change->slot);
        table_give_back(sessions);
        return 0;
    }
    hf_session_set_version(change->old, change->version);
    if (deadline != before) {
        session_set_deadline(sessions, change->slot, deadline, 0);
    }
    return 0;
}

static int apply_rework(struct hf_sessions *sessions,
                        const struct change *change,
                        const struct hf_rework *rework, hf_time now)
{
    if (!rework->fits) {
        return HF_EPROTO;
    }
    if (rework->anew || change->old == NULL) {
        return rework_anew(sessions, change, rework, now);
    }
    return hf_session_type(change->old) == rework->type
               ? rework_in_place(sessions, change, rework, now)
               : HF_EPROTO;
}

static int apply_change(struct hf_sessions *sessions,
                        const struct change *change, struct hf_slice effects,
                        hf_time now)
{
    int done;
    if (apply_simple(sessions, change, effects, now, &done)) {
        return done;
    }
    if (fields_fit_in_place(change->old, effects)) {
        fields_overwrite(sessions, change->slot, effects, now);
        hf_session_set_version(change->old, change->version);
        return 0;
    }
    struct hf_rework rework = hf_rework_read(effects);
    if (rework.type != 0) {
        return apply_rework(sessions, change, &rework, now);
    }
    effects = rework.effects;
    struct hf_draft draft;
    int rv = hf_draft_init(&draft, sessions->mem, change->old, effects, now);
    if (rv != 0) {
        return rv;
    }
    if (draft.exists && !draft.value_changed) {
        session_set_deadline(sessions, change->slot, draft.deadline, 0);
        hf_session_set_version(change->old, change->version);
    } else {
        rv = change_to_draft(sessions, change, &draft);
    }
    hf_draft_close(&draft);
    return rv;
}

int hf_sessions_apply(struct hf_sessions *sessions, struct hf_slice key,
                      uint32_t hash, struct hf_version version,
                      struct hf_slice effects, hf_time now)
{
    if (effects.size == 0) {
        return 0;
    }
    uint8_t database;
    if (key.size == 0 && hf_effects_are_clear(effects, &database)) {
        drop_sessions(sessions, database);
        return 0;
    }
    if (key.size > HF_KEY_BYTES_MAX ||
        (version.sequence & ~HF_SEQUENCE_TAKEN) > HF_SEQUENCE_MAX) {
        return HF_EPROTO;
    }
    struct change change = {.key = key, .hash = hash, .version = version};
    change.slot = hf_table_find(&sessions->table, key, hash);
    if (change.slot != HF_TABLE_NONE) {
        change.old = sessions->table.entries[change.slot];
    }
    return apply_change(sessions, &change, effects, now);
}

/* ---- Several at once ---------------------------------------------------- */

/* Room for whom there was nothing of before: they are in the table already, and
 * not counted yet. False: as it was. */
static bool insert_new(struct hf_sessions *sessions,
                       const struct hf_table *added)
{
    for (uint32_t i = 0; i < added->capacity; i++) {
        struct hf_session *entry = added->entries[i];
        uint32_t hash = added->hashes[i];
        if (entry == NULL ||
            hf_table_find(&sessions->table, hf_session_key(entry), hash) !=
                HF_TABLE_NONE) {
            continue;
        }
        if (!table_make_room(sessions, hash)) {
            return false;
        }
        (void)hf_table_insert(&sessions->table, entry, hash);
    }
    return true;
}

static void remove_new(struct hf_sessions *sessions,
                       const struct hf_table *added)
{
    for (uint32_t i = 0; i < added->capacity; i++) {
        struct hf_session *entry = added->entries[i];
        uint32_t slot = entry == NULL ? HF_TABLE_NONE
                                      : hf_table_find(&sessions->table,
                                                      hf_session_key(entry),
                                                      added->hashes[i]);
        if (slot != HF_TABLE_NONE && sessions->table.entries[slot] == entry) {
            hf_table_remove(&sessions->table, slot);
        }
    }
    table_give_back(sessions);
}

static bool make_room_for_all(struct hf_sessions *sessions,
                              const struct hf_sessions *after)
{
    size_t before = hf_sessions_fence_places(sessions);
    int error = hf_heap_reserve(&sessions->fences, after->fences.count);
    hf_sessions_hold(sessions, hf_sessions_fence_places(sessions), before);
    if (error != 0 || !insert_new(sessions, &after->table)) {
        remove_new(sessions, &after->table);
        fences_give_back(sessions);
        return false;
    }
    return true;
}

/* Puts @entry, which left its own table, where room was made for it. */
static void settle(struct hf_sessions *sessions, struct hf_session *entry,
                   uint32_t hash)
{
    uint32_t slot =
        hf_table_find(&sessions->table, hf_session_key(entry), hash);
    struct hf_session *old = sessions->table.entries[slot];
    sessions->table.entries[slot] = entry;
    hf_time deadline = hf_session_deadline(entry);
    hf_table_due_at(&sessions->table, slot, deadline);
    hf_sessions_hold(sessions, hf_session_held(entry), 0);
    if (hf_session_type(entry) == HF_SESSION_FENCE) {
        int error = fence_add(sessions, entry, deadline);
        HF_ASSERT(error == 0); /* Reserved. */
    } else {
        hf_sessions_count_one(sessions, hf_session_key(entry));
    }
    if (old != entry) {
        session_free(sessions, old);
    }
    expect_due(sessions, deadline);
}

/* Takes what is in @slot of @sessions out, without freeing it. */
static struct hf_session *take_out(struct hf_sessions *sessions, uint32_t slot)
{
    struct hf_session *entry = sessions->table.entries[slot];
    hf_table_remove(&sessions->table, slot);
    hf_sessions_hold(sessions, 0, hf_session_held(entry));
    if (hf_session_type(entry) == HF_SESSION_FENCE) {
        fence_remove(sessions, entry);
    } else {
        hf_sessions_uncount_one(sessions, hf_session_key(entry));
    }
    return entry;
}

/* Whom @touched names and @after has: fences only, or all. */
static void settle_all(struct hf_sessions *sessions, struct hf_sessions *after,
                       const struct hf_table *touched, bool fences,
                       struct hf_version version)
{
    for (uint32_t i = 0; i < touched->capacity; i++) {
        struct hf_session *mark = touched->entries[i];
        if (mark == NULL) {
            continue;
        }
        uint32_t slot = hf_table_find(&after->table, hf_session_key(mark),
                                      touched->hashes[i]);
        if (slot != HF_TABLE_NONE &&
            (!fences ||
             hf_session_type(after->table.entries[slot]) == HF_SESSION_FENCE)) {
            struct hf_session *entry = take_out(after, slot);
            hf_session_set_version(entry, version);
            hf_session_set_version(mark, version); /* Done with. */
            settle(sessions, entry, touched->hashes[i]);
        }
    }
}

/* The others. */
static void drop_all(struct hf_sessions *sessions,
                     const struct hf_table *touched, struct hf_version version)
{
    for (uint32_t i = 0; i < touched->capacity; i++) {
        const struct hf_session *mark = touched->entries[i];
        if (mark == NULL ||
            hf_session_version(mark).sequence == version.sequence) {
            continue;
        }
        uint32_t slot = hf_table_find(&sessions->table, hf_session_key(mark),
                                      touched->hashes[i]);
        if (slot != HF_TABLE_NONE) {
            session_drop(sessions, slot);
        }
    }
}

int hf_sessions_replace(struct hf_sessions *sessions,
                        struct hf_sessions *touched, struct hf_sessions *after,
                        struct hf_version version)
{
    HF_ASSERT(version.sequence > 0);
    if (!make_room_for_all(sessions, after)) {
        return HF_ENOMEM;
    }
    /* Fences first: their room is there while there is any. */
    settle_all(sessions, after, &touched->table, true, version);
    settle_all(sessions, after, &touched->table, false, version);
    drop_all(sessions, &touched->table, version);
    table_give_back(after);
    HF_ASSERT(after->bytes == 0);
    hf_sessions_clear(touched);
    table_give_back(sessions);
    return 0;
}

void hf_sessions_touch(struct hf_sessions *sessions, struct hf_slice key,
                       uint32_t hash, hf_time deadline, uint16_t slack_ms)
{
    uint32_t slot = hf_table_find(&sessions->table, key, hash);
    HF_ASSERT(slot != HF_TABLE_NONE);
    HF_ASSERT(hf_session_deadline(sessions->table.entries[slot]) != HF_NEVER);
    session_set_deadline(sessions, slot, deadline, slack_ms);
}
