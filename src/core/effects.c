#include "core/effects.h"

#include <math.h>
#include <string.h>

#include "base/mutation.h"
#include "core/deque.h"
#include "core/key.h"
#include "core/members.h"
#include "core/sessions.h"

void hf_effects_put(struct hf_buffer *effects, struct hf_slice value,
                    int64_t ttl_ms)
{
    hf_buffer_put_u8(effects, HF_EFFECT_PUT);
    hf_buffer_put_u64(effects, (uint64_t)ttl_ms);
    hf_buffer_put_slice(effects, value);
}

void hf_effects_field(struct hf_buffer *effects, struct hf_slice field,
                      struct hf_slice value)
{
    hf_buffer_put_u8(effects, HF_EFFECT_FIELD);
    hf_buffer_put_slice(effects, field);
    hf_buffer_put_slice(effects, value);
}

void hf_effects_unfield(struct hf_buffer *effects, struct hf_slice field)
{
    hf_buffer_put_u8(effects, HF_EFFECT_UNFIELD);
    hf_buffer_put_slice(effects, field);
}

static void put_member(struct hf_buffer *effects, enum hf_effect_kind kind,
                       struct hf_slice member)
{
    hf_buffer_put_u8(effects, (uint8_t)kind);
    hf_buffer_put_slice(effects, member);
}

void hf_effects_member(struct hf_buffer *effects, struct hf_slice member)
{
    put_member(effects, HF_EFFECT_MEMBER, member);
}

void hf_effects_unmember(struct hf_buffer *effects, struct hf_slice member)
{
    put_member(effects, HF_EFFECT_UNMEMBER, member);
}

void hf_effects_score(struct hf_buffer *effects, struct hf_slice member,
                      double score)
{
    uint64_t bits;
    memcpy(&bits, &score, sizeof(bits));
    put_member(effects, HF_EFFECT_SCORE, member);
    hf_buffer_put_u64(effects, bits);
}

void hf_effects_unscore(struct hf_buffer *effects, struct hf_slice member)
{
    put_member(effects, HF_EFFECT_UNSCORE, member);
}

void hf_effects_push(struct hf_buffer *effects, bool left,
                     struct hf_slice element)
{
    hf_buffer_put_u8(effects, HF_EFFECT_PUSH);
    hf_buffer_put_u8(effects, left ? 1 : 0);
    hf_buffer_put_slice(effects, element);
}

void hf_effects_pop(struct hf_buffer *effects, bool left, uint32_t count)
{
    hf_buffer_put_u8(effects, HF_EFFECT_POP);
    hf_buffer_put_u8(effects, left ? 1 : 0);
    hf_buffer_put_u32(effects, count);
}

void hf_effects_item(struct hf_buffer *effects, uint32_t place,
                     struct hf_slice element)
{
    hf_buffer_put_u8(effects, HF_EFFECT_ITEM);
    hf_buffer_put_u32(effects, place);
    hf_buffer_put_slice(effects, element);
}

void hf_effects_unitem(struct hf_buffer *effects, bool left, uint32_t count,
                       struct hf_slice element)
{
    hf_buffer_put_u8(effects, HF_EFFECT_UNITEM);
    hf_buffer_put_u8(effects, left ? 1 : 0);
    hf_buffer_put_u32(effects, count);
    hf_buffer_put_slice(effects, element);
}

void hf_effects_expire(struct hf_buffer *effects, int64_t ttl_ms)
{
    hf_buffer_put_u8(effects, HF_EFFECT_EXPIRE);
    hf_buffer_put_u64(effects, (uint64_t)ttl_ms);
}

void hf_effects_delete(struct hf_buffer *effects)
{
    hf_buffer_put_u8(effects, HF_EFFECT_DELETE);
}

void hf_effects_clear(struct hf_buffer *effects, uint8_t database)
{
    hf_buffer_put_u8(effects, HF_EFFECT_CLEAR);
    hf_buffer_put_u8(effects, database);
}

void hf_effects_fence(struct hf_buffer *effects, int64_t ttl_ms)
{
    hf_buffer_put_u8(effects, HF_EFFECT_FENCE);
    hf_buffer_put_u64(effects, (uint64_t)ttl_ms);
}

void hf_effects_taken(struct hf_buffer *effects, struct hf_version version)
{
    hf_buffer_put_u8(effects, HF_EFFECT_TAKEN);
    hf_buffer_put_u64(effects, version.epoch);
    hf_buffer_put_u64(effects, version.sequence);
}

void hf_effects_seen(struct hf_buffer *effects,
                     const struct hf_knowledge *knowledge)
{
    hf_buffer_put_u8(effects, HF_EFFECT_SEEN);
    hf_knowledge_put_seen(effects, knowledge);
}

void hf_effects_key(struct hf_buffer *effects, struct hf_slice key)
{
    hf_buffer_put_u8(effects, HF_EFFECT_KEY);
    hf_buffer_put_slice(effects, key);
}

static int64_t reader_ttl(struct hf_reader *reader)
{
    int64_t ttl_ms = (int64_t)hf_reader_u64(reader);
    if (ttl_ms <= 0 && ttl_ms != HF_TTL_NONE) {
        reader->failed = true;
    }
    return ttl_ms;
}

static double reader_score(struct hf_reader *reader)
{
    uint64_t bits = hf_reader_u64(reader);
    double score;
    memcpy(&score, &bits, sizeof(score));
    if (isnan(score)) {
        reader->failed = true;
    }
    return score;
}

static bool reader_left(struct hf_reader *reader)
{
    uint8_t left = hf_reader_u8(reader);
    reader->failed |= left > 1;
    return left == 1;
}

/* What is in an effect on members or elements. */
static void read_structured(struct hf_reader *reader, struct hf_effect *effect)
{
    enum hf_effect_kind kind = effect->kind;
    if (kind == HF_EFFECT_PUSH || kind == HF_EFFECT_POP ||
        kind == HF_EFFECT_UNITEM) {
        effect->left = reader_left(reader);
    }
    if (kind == HF_EFFECT_POP || kind == HF_EFFECT_UNITEM ||
        kind == HF_EFFECT_ITEM) {
        effect->count = hf_reader_u32(reader);
    }
    if (kind == HF_EFFECT_PUSH || kind == HF_EFFECT_UNITEM ||
        kind == HF_EFFECT_ITEM) {
        effect->value = hf_reader_slice(reader);
    } else if (kind != HF_EFFECT_POP) {
        effect->field = hf_reader_slice(reader);
    }
    if (kind == HF_EFFECT_SCORE) {
        effect->score = reader_score(reader);
    }
}

bool hf_effects_next(struct hf_reader *reader, struct hf_effect *effect)
{
    if (reader->failed || hf_reader_left(reader) == 0) {
        return false;
    }
    uint8_t kind = hf_reader_u8(reader);
    *effect = (struct hf_effect){.kind = (enum hf_effect_kind)kind};
    switch (kind) {
    case HF_EFFECT_PUT:
        effect->ttl_ms = reader_ttl(reader);
        effect->value = hf_reader_slice(reader);
        break;
    case HF_EFFECT_FIELD:
        effect->field = hf_reader_slice(reader);
        effect->value = hf_reader_slice(reader);
        break;
    case HF_EFFECT_UNFIELD:
        effect->field = hf_reader_slice(reader);
        break;
    case HF_EFFECT_EXPIRE:
        effect->ttl_ms = reader_ttl(reader);
        break;
    case HF_EFFECT_FENCE:
        effect->ttl_ms = reader_ttl(reader);
        reader->failed |= effect->ttl_ms == HF_TTL_NONE;
        break;
    case HF_EFFECT_DELETE:
        break;
    case HF_EFFECT_CLEAR:
        effect->database = hf_reader_u8(reader);
        reader->failed |= effect->database >= HF_DATABASE_COUNT &&
                          effect->database != HF_DATABASE_ALL;
        break;
    case HF_EFFECT_MEMBER:
    case HF_EFFECT_UNMEMBER:
    case HF_EFFECT_SCORE:
    case HF_EFFECT_UNSCORE:
    case HF_EFFECT_PUSH:
    case HF_EFFECT_POP:
    case HF_EFFECT_ITEM:
    case HF_EFFECT_UNITEM:
        read_structured(reader, effect);
        break;
    case HF_EFFECT_TAKEN:
    case HF_EFFECT_SEEN:
    case HF_EFFECT_KEY:
    default:
        reader->failed = true;
        break;
    }
    return !reader->failed;
}

/* An expired session that still travels gets the shortest life there is: only
 * the primary's delete ends it. */
static int64_t ttl_left(const struct hf_session *session, hf_time now)
{
    hf_time deadline = HF_MUTATED(FILLED_WITHOUT_GRACE)
                           ? hf_session_deadline(session)
                           : hf_session_deadline_told(session);
    if (deadline == HF_NEVER) {
        return HF_TTL_NONE;
    }
    return deadline > now ? deadline - now : 1;
}

bool hf_effects_of_partition(struct hf_slice effects)
{
    return effects.size > 0 && (effects.data[0] == HF_EFFECT_CLEAR ||
                                effects.data[0] == HF_EFFECT_SEEN);
}

bool hf_effects_are_clear(struct hf_slice effects, uint8_t *database)
{
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    if (!hf_effects_next(&reader, &effect) || effect.kind != HF_EFFECT_CLEAR ||
        hf_reader_left(&reader) > 0) {
        return false;
    }
    *database = effect.database;
    return true;
}

bool hf_effects_of_unit(struct hf_slice effects)
{
    return effects.size > 0 && effects.data[0] == HF_EFFECT_KEY;
}

/* A reader at the end, or before an effect of any kind. */
static bool at_key(const struct hf_reader *reader)
{
    return hf_reader_left(reader) == 0 ||
           reader->data[reader->offset] == HF_EFFECT_KEY;
}

bool hf_effects_next_key(struct hf_reader *reader, struct hf_slice *key,
                         struct hf_slice *effects)
{
    if (reader->failed || hf_reader_left(reader) == 0) {
        return false;
    }
    if (hf_reader_u8(reader) != HF_EFFECT_KEY) {
        reader->failed = true;
        return false;
    }
    *key = hf_reader_slice(reader);
    struct hf_reader rest = *reader;
    struct hf_effect effect;
    while (!at_key(&rest) && hf_effects_next(&rest, &effect)) {
    }
    reader->failed = rest.failed;
    *effects =
        hf_reader_bytes(reader, hf_reader_left(reader) - hf_reader_left(&rest));
    return !reader->failed;
}

bool hf_effects_take_version(struct hf_slice *effects,
                             struct hf_version *version)
{
    struct hf_reader reader = hf_reader_of(*effects);
    if (hf_reader_u8(&reader) != HF_EFFECT_TAKEN) {
        return false;
    }
    struct hf_version taken = {.epoch = hf_reader_u64(&reader)};
    taken.sequence = hf_reader_u64(&reader);
    if (reader.failed || !hf_version_is_taken(taken)) {
        return false; /* And nobody knows such effects. */
    }
    *version = taken;
    *effects = hf_reader_bytes(&reader, hf_reader_left(&reader));
    return true;
}

bool hf_effects_read_seen(struct hf_slice effects, struct hf_reader *reader)
{
    *reader = hf_reader_of(effects);
    return hf_reader_u8(reader) == HF_EFFECT_SEEN;
}

static void put_fields(struct hf_buffer *effects,
                       const struct hf_session *session)
{
    size_t cursor = 0;
    struct hf_slice field;
    struct hf_slice value;
    while (hf_session_next_field(session, &cursor, &field, &value)) {
        hf_effects_field(effects, field, value);
    }
}

/* By their numbers, so that they get the same ones. */
static void put_members(struct hf_buffer *effects,
                        const struct hf_members *members)
{
    for (uint32_t i = 0; i < members->count; i++) {
        uint32_t at =
            HF_MUTATED(MEMBERS_BACKWARDS) ? members->count - 1 - i : i;
        struct hf_slice member = hf_members_at(members, at);
        if (members->scored) {
            hf_effects_score(effects, member, hf_members_score(members, at));
        } else {
            hf_effects_member(effects, member);
        }
    }
}

static void put_elements(struct hf_buffer *effects,
                         const struct hf_deque *deque)
{
    for (uint32_t i = 0; i < deque->count; i++) {
        hf_effects_push(effects, false, hf_deque_at(deque, i));
    }
}

void hf_effects_of_session(struct hf_buffer *effects,
                           const struct hf_session *session, hf_time now)
{
    int64_t ttl_ms = ttl_left(session, now);
    enum hf_session_type type = hf_session_type(session);
    if (type == HF_SESSION_FENCE) {
        hf_effects_fence(effects, ttl_ms);
        return;
    }
    if (type == HF_SESSION_STRING) {
        hf_effects_put(effects, hf_session_value(session), ttl_ms);
        return;
    }
    /* All others add to what is there, so drop that first. */
    hf_effects_delete(effects);
    if (type == HF_SESSION_HASH) {
        put_fields(effects, session);
    } else if (type == HF_SESSION_LIST) {
        put_elements(effects, hf_session_list(session));
    } else {
        put_members(effects, hf_session_members(session));
    }
    if (ttl_ms != HF_TTL_NONE) {
        hf_effects_expire(effects, ttl_ms);
    }
}
