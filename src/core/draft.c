#include "core/draft.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mutation.h"
#include "core/effects.h"
#include "holdfast/error.h"

#define INDEX_CAPACITY_MIN 8

hf_time hf_draft_deadline(int64_t ttl_ms, hf_time now)
{
    if (ttl_ms == HF_TTL_NONE) {
        return HF_NEVER;
    }
    return ttl_ms > HF_DEADLINE_MAX - now ? HF_DEADLINE_MAX : now + ttl_ms;
}

/* How many entries the draft can come to hold. */
static bool entries_needed(const struct hf_session *session,
                           struct hf_slice effects, uint64_t *count)
{
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    bool fields = false;
    *count = 0;
    while (hf_effects_next(&reader, &effect)) {
        fields |=
            effect.kind == HF_EFFECT_FIELD || effect.kind == HF_EFFECT_UNFIELD;
        *count += effect.kind == HF_EFFECT_FIELD ? 1 : 0;
    }
    if (fields && session != NULL &&
        hf_session_type(session) == HF_SESSION_HASH) {
        *count += hf_session_field_count(session);
    }
    return !reader.failed;
}

/* One piece of memory for entries and index. */
static int draft_reserve(struct hf_draft *draft, uint64_t count)
{
    if (count == 0) {
        return 0;
    }
    if (count > HF_SESSION_VALUE_SIZE_MAX / HF_SESSION_FIELD_OVERHEAD) {
        return HF_EPROTO;
    }
    uint32_t capacity = INDEX_CAPACITY_MIN;
    while (capacity / 4 * 3 < count) {
        capacity *= 2;
    }
    size_t entries_size = sizeof(*draft->entries) * (size_t)count;
    size_t index_size = sizeof(*draft->index) * (size_t)capacity;
    uint8_t *piece = hf_mem_alloc(draft->mem, entries_size + index_size);
    if (piece == NULL) {
        return HF_ENOMEM;
    }
    draft->entries = (struct hf_session_entry *)(void *)piece;
    draft->index = (uint32_t *)(void *)(piece + entries_size);
    memset(draft->index, 0, index_size);
    draft->entry_capacity = (uint32_t)count;
    draft->index_capacity = capacity;
    draft->piece_size = entries_size + index_size;
    return 0;
}

/* The place in the index of @field, or the free place where it belongs. */
static uint32_t *index_find(struct hf_draft *draft, struct hf_slice field)
{
    uint32_t mask = draft->index_capacity - 1;
    for (uint32_t i = (uint32_t)hf_hash(field) & mask;; i = (i + 1) & mask) {
        uint32_t number = draft->index[i];
        if (number == 0 ||
            hf_slice_equal(draft->entries[number - 1].field, field)) {
            return &draft->index[i];
        }
    }
}

/* @number as the index has it. */
static bool entry_is_live(const struct hf_draft *draft, uint32_t number)
{
    return number > draft->entry_first && !draft->entries[number - 1].dropped;
}

static void draft_set_field(struct hf_draft *draft, struct hf_slice field,
                            struct hf_slice value)
{
    uint32_t *place = index_find(draft, field);
    if (entry_is_live(draft, *place)) {
        draft->entries[*place - 1].value = value;
        return;
    }
    /* A dropped field that comes back is first set again, so it goes last. */
    HF_ASSERT(draft->entry_count < draft->entry_capacity);
    draft->entries[draft->entry_count] =
        (struct hf_session_entry){.field = field, .value = value};
    draft->entry_count++;
    draft->entries_live++;
    *place = draft->entry_count;
}

static bool draft_drop_field(struct hf_draft *draft, struct hf_slice field)
{
    if (draft->index_capacity == 0) {
        return false;
    }
    uint32_t number = *index_find(draft, field);
    if (!entry_is_live(draft, number)) {
        return false;
    }
    draft->entries[number - 1].dropped = true;
    draft->entries_live--;
    return true;
}

static void draft_forget(struct hf_draft *draft)
{
    draft->exists = false;
    draft->deadline = HF_NEVER;
    draft->value_changed = true;
    draft->entries_live = 0;
    draft->entry_first = draft->entry_count;
}

static bool apply_field(struct hf_draft *draft, const struct hf_effect *effect)
{
    if (draft->exists && draft->type != HF_SESSION_HASH) {
        return false;
    }
    draft->exists = true;
    draft->type = HF_SESSION_HASH;
    draft->value_changed = true;
    draft_set_field(draft, effect->field, effect->value);
    return true;
}

static bool apply_unfield(struct hf_draft *draft,
                          const struct hf_effect *effect)
{
    if (!draft->exists || draft->type != HF_SESSION_HASH ||
        !draft_drop_field(draft, effect->field)) {
        return false;
    }
    draft->value_changed = true;
    if (draft->entries_live == 0) {
        draft_forget(draft);
    }
    return true;
}

static bool apply_effect(struct hf_draft *draft, const struct hf_effect *effect,
                         hf_time now)
{
    switch (effect->kind) {
    case HF_EFFECT_PUT:
        draft_forget(draft);
        draft->exists = true;
        draft->type = HF_SESSION_STRING;
        draft->value = effect->value;
        draft->deadline = hf_draft_deadline(effect->ttl_ms, now);
        return effect->value.size <= HF_SESSION_VALUE_SIZE_MAX;
    case HF_EFFECT_FIELD:
        return apply_field(draft, effect);
    case HF_EFFECT_UNFIELD:
        return apply_unfield(draft, effect);
    case HF_EFFECT_EXPIRE:
        draft->deadline = hf_draft_deadline(effect->ttl_ms, now);
        return draft->exists && draft->type != HF_SESSION_FENCE;
    case HF_EFFECT_FENCE:
        draft_forget(draft);
        draft->exists = !HF_MUTATED(NO_FENCE);
        draft->type = HF_SESSION_FENCE;
        draft->deadline = hf_draft_deadline(effect->ttl_ms, now);
        return true;
    case HF_EFFECT_DELETE:
        draft_forget(draft);
        return true;
    case HF_EFFECT_MEMBER:
    case HF_EFFECT_UNMEMBER:
    case HF_EFFECT_SCORE:
    case HF_EFFECT_UNSCORE:
    case HF_EFFECT_PUSH:
    case HF_EFFECT_POP:
    case HF_EFFECT_ITEM:
    case HF_EFFECT_UNITEM:
    case HF_EFFECT_CLEAR:
    case HF_EFFECT_TAKEN:
    case HF_EFFECT_SEEN:
    case HF_EFFECT_KEY:
        break;
    }
    return false;
}

static void draft_load(struct hf_draft *draft, const struct hf_session *session)
{
    if (session == NULL) {
        draft->deadline = HF_NEVER;
        return;
    }
    draft->exists = true;
    draft->type = hf_session_type(session);
    draft->deadline = hf_session_deadline(session);
    if (hf_session_type(session) == HF_SESSION_STRING) {
        draft->value = hf_session_value(session);
    } else if (hf_session_type(session) == HF_SESSION_HASH &&
               draft->entries != NULL) {
        size_t cursor = 0;
        struct hf_slice field;
        struct hf_slice value;
        while (hf_session_next_field(session, &cursor, &field, &value)) {
            draft_set_field(draft, field, value);
        }
    }
}

int hf_draft_init(struct hf_draft *draft, struct hf_mem *mem,
                  const struct hf_session *session, struct hf_slice effects,
                  hf_time now)
{
    uint64_t count;
    if (!entries_needed(session, effects, &count)) {
        return HF_EPROTO;
    }
    *draft = (struct hf_draft){.mem = mem};
    int rv = draft_reserve(draft, count);
    if (rv != 0) {
        return rv;
    }
    draft_load(draft, session);
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    while (hf_effects_next(&reader, &effect)) {
        if (!apply_effect(draft, &effect, now)) {
            hf_draft_close(draft);
            return HF_EPROTO;
        }
    }
    return 0;
}

void hf_draft_close(struct hf_draft *draft)
{
    hf_mem_free(draft->mem, draft->entries, draft->piece_size);
    draft->entries = NULL;
}
