#include "core/sessions.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/draft.h"
#include "core/effects.h"
#include "core/expiry.h"
#include "core/session.h"
#include "holdfast/error.h"

#define CAPACITY_MIN 8
#define HASH_BITS 32
#define ENTRY_SIZE (sizeof(struct hf_session *) + sizeof(uint8_t))

void hf_sessions_init(struct hf_sessions *sessions, struct hf_mem *mem,
                      struct hf_expiry *expiry, uint16_t partition)
{
    *sessions = (struct hf_sessions){
        .mem = mem, .expiry = expiry, .partition = partition};
    hf_heap_init(&sessions->fences, mem);
}

uint32_t hf_sessions_hash(struct hf_slice key)
{
    return (uint32_t)(hf_hash(key) >> HASH_BITS);
}

/* ---- The table ----------------------------------------------------------
 *
 * Within a run of neighbouring entries, those with a smaller hash come first.
 * Whoever's home is at the end of the array may lie at its start. */

/* The tag is taken from the end of the hash that the home does not use. */
static uint8_t tag_of(uint32_t hash)
{
    uint8_t tag = (uint8_t)hash;
    return tag == 0 ? 1 : tag;
}

static uint32_t home_of(uint32_t hash, uint32_t capacity)
{
    return (uint32_t)(((uint64_t)hash * capacity) >> HASH_BITS);
}

static uint32_t next_index(const struct hf_sessions *sessions, uint32_t index)
{
    return (index + 1) & (sessions->capacity - 1);
}

/* How far the entry at @index is from its home. */
static uint32_t distance_at(const struct hf_sessions *sessions, uint32_t index)
{
    uint32_t home = home_of(sessions->entries[index]->hash, sessions->capacity);
    return (index - home) & (sessions->capacity - 1);
}

/* Whether @index has an entry that lies before the start of its own home,
 * having gone round the end of the array. */
static bool entry_went_round(const struct hf_sessions *sessions, uint32_t index)
{
    return sessions->tags[index] != 0 &&
           home_of(sessions->entries[index]->hash, sessions->capacity) > index;
}

static bool find_index(const struct hf_sessions *sessions, struct hf_slice key,
                       uint32_t hash, uint32_t *index)
{
    if (sessions->capacity == 0) {
        return false;
    }
    uint8_t tag = tag_of(hash);
    uint32_t i = home_of(hash, sessions->capacity);
    for (; sessions->tags[i] != 0; i = next_index(sessions, i)) {
        if (sessions->tags[i] == tag && sessions->entries[i]->hash == hash &&
            hf_slice_equal(hf_session_key(sessions->entries[i]), key)) {
            *index = i;
            return true;
        }
    }
    return false;
}

struct hf_session *hf_sessions_find_entry(const struct hf_sessions *sessions,
                                          struct hf_slice key, uint32_t hash)
{
    uint32_t index;
    if (!find_index(sessions, key, hash, &index)) {
        return NULL;
    }
    return sessions->entries[index];
}

struct hf_session *hf_sessions_find(const struct hf_sessions *sessions,
                                    struct hf_slice key, uint32_t hash)
{
    struct hf_session *entry = hf_sessions_find_entry(sessions, key, hash);
    return entry != NULL && entry->type == HF_SESSION_FENCE ? NULL : entry;
}

bool hf_sessions_is_fenced(const struct hf_sessions *sessions,
                           struct hf_slice key, uint32_t hash, hf_time now)
{
    if (sessions->fences.count == 0) {
        return false;
    }
    const struct hf_session *entry =
        hf_sessions_find_entry(sessions, key, hash);
    return entry != NULL && entry->type == HF_SESSION_FENCE &&
           entry->deadline > now;
}

struct hf_session *hf_sessions_first_fence(const struct hf_sessions *sessions)
{
    struct hf_heap_item *item = hf_heap_peek(&sessions->fences);
    return item == NULL ? NULL : hf_session_of_fence_item(item);
}

/* Puts @session where the order wants it, moving the rest of the run on by
 * one. There must be a free place. */
static void table_insert(struct hf_sessions *sessions,
                         struct hf_session *session)
{
    uint32_t i = home_of(session->hash, sessions->capacity);
    for (uint32_t distance = 0; sessions->tags[i] != 0; distance++) {
        uint32_t other = distance_at(sessions, i);
        if (other < distance ||
            (other == distance && sessions->entries[i]->hash > session->hash)) {
            break;
        }
        i = next_index(sessions, i);
    }
    struct hf_session *moving = session;
    uint8_t tag = tag_of(session->hash);
    while (sessions->tags[i] != 0) {
        struct hf_session *entry = sessions->entries[i];
        uint8_t entry_tag = sessions->tags[i];
        sessions->entries[i] = moving;
        sessions->tags[i] = tag;
        moving = entry;
        tag = entry_tag;
        i = next_index(sessions, i);
    }
    sessions->entries[i] = moving;
    sessions->tags[i] = tag;
}

/* Moves the rest of the run back by one, as far as it is not at home. */
static void table_remove(struct hf_sessions *sessions, uint32_t index)
{
    uint32_t next = next_index(sessions, index);
    while (sessions->tags[next] != 0 && distance_at(sessions, next) > 0) {
        sessions->entries[index] = sessions->entries[next];
        sessions->tags[index] = sessions->tags[next];
        index = next;
        next = next_index(sessions, next);
    }
    sessions->entries[index] = NULL;
    sessions->tags[index] = 0;
}

/* Entries and tags are one piece of memory. */
static void table_free(struct hf_sessions *sessions,
                       struct hf_session **entries, uint32_t capacity)
{
    hf_mem_free(sessions->mem, entries, ENTRY_SIZE * (size_t)capacity);
    sessions->bytes -= ENTRY_SIZE * (size_t)capacity;
}

static bool table_resize(struct hf_sessions *sessions, uint32_t capacity)
{
    size_t size = ENTRY_SIZE * (size_t)capacity;
    struct hf_session **entries = hf_mem_alloc_zero(sessions->mem, size);
    if (entries == NULL) {
        return false;
    }
    struct hf_session **old = sessions->entries;
    uint32_t old_capacity = sessions->capacity;
    sessions->entries = entries;
    sessions->tags = (uint8_t *)(entries + capacity);
    sessions->capacity = capacity;
    sessions->bytes += size;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i] != NULL) {
            table_insert(sessions, old[i]);
        }
    }
    table_free(sessions, old, old_capacity);
    return true;
}

/* Sessions and fences. */
static uint32_t entry_count(const struct hf_sessions *sessions)
{
    return sessions->count + (uint32_t)sessions->fences.count;
}

/* Makes sure that one more entry fits. One place always stays free, so that
 * searching ends. */
static bool table_make_room(struct hf_sessions *sessions)
{
    uint32_t count = entry_count(sessions);
    if (count < sessions->capacity / 8 * 7) {
        return true;
    }
    uint32_t capacity =
        sessions->capacity == 0 ? CAPACITY_MIN : sessions->capacity * 2;
    return table_resize(sessions, capacity) || count + 1 < sessions->capacity;
}

static void table_give_back(struct hf_sessions *sessions)
{
    uint32_t count = entry_count(sessions);
    if (count == 0) {
        table_free(sessions, sessions->entries, sessions->capacity);
        sessions->entries = NULL;
        sessions->tags = NULL;
        sessions->capacity = 0;
    } else if (sessions->capacity > CAPACITY_MIN &&
               count < sessions->capacity / 8) {
        /* Half of it, or a quarter would do: growing again is not near. */
        (void)table_resize(sessions, sessions->capacity / 2);
    }
}

/* ---- Changing sessions -------------------------------------------------- */

static size_t heap_size(const struct hf_heap *heap)
{
    return heap->capacity * sizeof(struct hf_heap_item *);
}

/* A new fence in the heap of them. */
static int fence_add(struct hf_sessions *sessions, struct hf_session *fence,
                     hf_time deadline)
{
    size_t before = heap_size(&sessions->fences);
    int error =
        hf_heap_push(&sessions->fences, hf_session_fence_item(fence), deadline);
    sessions->bytes += heap_size(&sessions->fences) - before;
    sessions->fence_bytes += error == 0 ? hf_session_size(fence) : 0;
    return error;
}

static void fence_remove(struct hf_sessions *sessions, struct hf_session *fence)
{
    hf_heap_remove(&sessions->fences, hf_session_fence_item(fence));
    sessions->fence_bytes -= hf_session_size(fence);
    if (sessions->fences.count == 0) {
        sessions->bytes -= heap_size(&sessions->fences);
        hf_heap_close(&sessions->fences);
    }
}

/* Frees what is, or was just taken, out of the table. */
static void session_free(struct hf_sessions *sessions,
                         struct hf_session *session)
{
    if (session->type == HF_SESSION_FENCE) {
        fence_remove(sessions, session);
    } else {
        sessions->count--;
    }
    sessions->bytes -= hf_session_size(session);
    hf_session_destroy(sessions->mem, session);
}

void hf_sessions_clear(struct hf_sessions *sessions)
{
    for (uint32_t i = 0; i < sessions->capacity; i++) {
        if (sessions->entries[i] != NULL) {
            session_free(sessions, sessions->entries[i]);
        }
    }
    table_give_back(sessions);
    HF_ASSERT(sessions->bytes == 0);
}

/* Frees all sessions and leaves the fences. */
static void drop_sessions(struct hf_sessions *sessions)
{
    if (sessions->fences.count == 0) {
        hf_sessions_clear(sessions);
        return;
    }
    for (uint32_t i = 0; i < sessions->capacity; i++) {
        /* What moves here, or round the end, was not looked at yet, or is a
         * fence. */
        while (sessions->tags[i] != 0 &&
               sessions->entries[i]->type != HF_SESSION_FENCE) {
            struct hf_session *session = sessions->entries[i];
            table_remove(sessions, i);
            session_free(sessions, session);
        }
    }
    table_give_back(sessions);
}

static void session_drop(struct hf_sessions *sessions, uint32_t index)
{
    struct hf_session *session = sessions->entries[index];
    table_remove(sessions, index);
    session_free(sessions, session);
    table_give_back(sessions);
}

/* A later deadline keeps its place in the wheel: the wheel finds out. */
static void session_set_deadline(struct hf_sessions *sessions,
                                 struct hf_session *session, hf_time deadline)
{
    bool keeps_place = !hf_list_is_empty(&session->link) &&
                       deadline != HF_NEVER && deadline >= session->deadline;
    session->deadline = deadline;
    if (!keeps_place) {
        hf_expiry_file(sessions->expiry, session);
    }
}

/* Takes over the place of @old in the wheel. */
static void session_take_place(struct hf_session *session,
                               struct hf_session *old)
{
    session->deadline = old->deadline;
    if (!hf_list_is_empty(&old->link)) {
        hf_list_push_back(&old->link, &session->link);
        hf_list_remove(&old->link);
    }
}

static void session_write(struct hf_session *session,
                          const struct hf_draft *draft)
{
    if (draft->type == HF_SESSION_HASH) {
        hf_session_fields_write(session, draft->entries + draft->entry_first,
                                draft->entry_count - draft->entry_first);
    } else if (draft->type == HF_SESSION_STRING && draft->value.size > 0) {
        memcpy(hf_session_value_data(session), draft->value.data,
               draft->value.size);
    }
}

static size_t draft_value_size(const struct hf_draft *draft)
{
    if (draft->type == HF_SESSION_FENCE) {
        return 0;
    }
    if (draft->type == HF_SESSION_STRING) {
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
    uint32_t index;         /* Of the old one. */
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
    session->hash = change->hash;
    session->partition = sessions->partition;
    session->type = (uint8_t)draft->type;
    session->deadline = HF_NEVER;
    session->version = change->version;
    if ((change->old == NULL && !table_make_room(sessions)) ||
        (fence && fence_add(sessions, session, draft->deadline) != 0)) {
        hf_session_destroy(sessions->mem, session);
        return HF_ENOMEM;
    }
    session_write(session, draft);
    sessions->bytes += hf_session_size(session);
    sessions->count += fence ? 0 : 1;
    if (change->old == NULL) {
        table_insert(sessions, session);
    } else {
        sessions->entries[change->index] = session;
        session_take_place(session, change->old);
        session_free(sessions, change->old);
    }
    session_set_deadline(sessions, session, draft->deadline);
    return 0;
}

/* The value of a string that needs the same piece of memory. */
static void session_overwrite(struct hf_session *session,
                              const struct hf_draft *draft)
{
    session->value_size = (uint32_t)draft->value.size;
    session->type = HF_SESSION_STRING;
    session_write(session, draft);
}

static int change_to_draft(struct hf_sessions *sessions,
                           const struct change *change,
                           const struct hf_draft *draft)
{
    if (!draft->exists) {
        if (change->old != NULL) {
            session_drop(sessions, change->index);
        }
        return 0;
    }
    size_t size = draft_value_size(draft);
    if (size > HF_SESSION_VALUE_SIZE_MAX) {
        return HF_EPROTO;
    }
    bool in_place = change->old != NULL && draft->type == HF_SESSION_STRING &&
                    change->old->type != HF_SESSION_FENCE &&
                    hf_session_alloc_size(change->key.size, size) ==
                        hf_session_size(change->old);
    if (!in_place) {
        return session_replace(sessions, change, draft, size);
    }
    session_overwrite(change->old, draft);
    change->old->version = change->version;
    session_set_deadline(sessions, change->old, draft->deadline);
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
    if (session == NULL || session->type != HF_SESSION_HASH) {
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

static void fields_overwrite(struct hf_sessions *sessions,
                             struct hf_session *session,
                             struct hf_slice effects, hf_time now)
{
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    while (hf_effects_next(&reader, &effect)) {
        if (effect.kind == HF_EFFECT_EXPIRE) {
            session_set_deadline(sessions, session,
                                 hf_draft_deadline(effect.ttl_ms, now));
        } else if (effect.value.size > 0) {
            memcpy(field_place(session, effect.field, effect.value),
                   effect.value.data, effect.value.size);
        }
    }
}

static int apply_change(struct hf_sessions *sessions,
                        const struct change *change, struct hf_slice effects,
                        hf_time now)
{
    if (fields_fit_in_place(change->old, effects)) {
        fields_overwrite(sessions, change->old, effects, now);
        change->old->version = change->version;
        return 0;
    }
    struct hf_draft draft;
    int rv = hf_draft_init(&draft, sessions->mem, change->old, effects, now);
    if (rv != 0) {
        return rv;
    }
    if (draft.exists && !draft.value_changed) {
        session_set_deadline(sessions, change->old, draft.deadline);
        change->old->version = change->version;
    } else {
        rv = change_to_draft(sessions, change, &draft);
    }
    hf_draft_close(&draft);
    return rv;
}

/* Whether the effects are CLEAR and nothing else. */
static bool effects_are_clear(struct hf_slice effects)
{
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    return hf_effects_next(&reader, &effect) &&
           effect.kind == HF_EFFECT_CLEAR && hf_reader_left(&reader) == 0;
}

int hf_sessions_apply(struct hf_sessions *sessions, struct hf_slice key,
                      uint32_t hash, struct hf_version version,
                      struct hf_slice effects, hf_time now)
{
    if (effects.size == 0) {
        return 0;
    }
    if (key.size == 0 && effects_are_clear(effects)) {
        drop_sessions(sessions);
        return 0;
    }
    if (key.size > HF_KEY_BYTES_MAX) {
        return HF_EPROTO;
    }
    struct change change = {.key = key, .hash = hash, .version = version};
    if (find_index(sessions, key, hash, &change.index)) {
        change.old = sessions->entries[change.index];
    }
    return apply_change(sessions, &change, effects, now);
}

/* ---- Scanning ----------------------------------------------------------- */

struct scan {
    const struct hf_sessions *sessions;
    uint64_t position;
    uint32_t left;
    uint64_t next; /* Where to go on; HF_SESSIONS_END so far. */
    void (*visit)(void *user, const struct hf_session *session);
    void *user;
};

/* False when enough were visited. */
static bool scan_entry(struct scan *scan, const struct hf_session *session)
{
    if (session->hash < scan->position) {
        return true;
    }
    if (scan->left == 0 && session->hash > scan->position) {
        scan->next = session->hash;
        return false;
    }
    scan->position = session->hash; /* Its equals still belong to it. */
    scan->left -= scan->left > 0 ? 1 : 0;
    scan->visit(scan->user, session);
    return true;
}

static void scan_table(struct scan *scan)
{
    const struct hf_sessions *sessions = scan->sessions;
    uint32_t first = home_of((uint32_t)scan->position, sessions->capacity);
    for (uint32_t i = first; i < sessions->capacity; i++) {
        if (sessions->tags[i] != 0 && !entry_went_round(sessions, i) &&
            !scan_entry(scan, sessions->entries[i])) {
            return;
        }
    }
    /* The largest hashes may have gone round to the start. */
    for (uint32_t i = 0; entry_went_round(sessions, i); i++) {
        if (!scan_entry(scan, sessions->entries[i])) {
            return;
        }
    }
}

uint64_t hf_sessions_scan(
    const struct hf_sessions *sessions, uint64_t position, uint32_t count,
    void (*visit)(void *user, const struct hf_session *session), void *user)
{
    struct scan scan = {.sessions = sessions,
                        .position = position,
                        .left = count,
                        .next = HF_SESSIONS_END,
                        .visit = visit,
                        .user = user};
    if (sessions->capacity > 0 && position < HF_SESSIONS_END) {
        scan_table(&scan);
    }
    return scan.next;
}
