#include "core/effects.h"

#include "base/mutation.h"
#include "core/key.h"
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

static int64_t reader_ttl(struct hf_reader *reader)
{
    int64_t ttl_ms = (int64_t)hf_reader_u64(reader);
    if (ttl_ms <= 0 && ttl_ms != HF_TTL_NONE) {
        reader->failed = true;
    }
    return ttl_ms;
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
    case HF_EFFECT_TAKEN:
    case HF_EFFECT_SEEN:
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

void hf_effects_of_session(struct hf_buffer *effects,
                           const struct hf_session *session, hf_time now)
{
    int64_t ttl_ms = ttl_left(session, now);
    if (hf_session_type(session) == HF_SESSION_FENCE) {
        hf_effects_fence(effects, ttl_ms);
        return;
    }
    if (hf_session_type(session) == HF_SESSION_STRING) {
        hf_effects_put(effects, hf_session_value(session), ttl_ms);
        return;
    }
    /* Fields add to what is there, so drop that first. */
    hf_effects_delete(effects);
    size_t cursor = 0;
    struct hf_slice field;
    struct hf_slice value;
    while (hf_session_next_field(session, &cursor, &field, &value)) {
        hf_effects_field(effects, field, value);
    }
    if (ttl_ms != HF_TTL_NONE) {
        hf_effects_expire(effects, ttl_ms);
    }
}
