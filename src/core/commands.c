#include "core/commands.h"

#define TEXT_WRONG_TYPE                                                        \
    "WRONGTYPE Operation against a key holding the wrong kind of value"
#define TEXT_NO_MEMORY "OOM out of memory"

const struct hf_session *hf_apply_session(const struct hf_apply *apply)
{
    const struct hf_session *entry = apply->entry;
    return entry != NULL && hf_session_type(entry) == HF_SESSION_FENCE ? NULL
                                                                       : entry;
}

bool hf_apply_typed(struct hf_apply *apply, enum hf_session_type type,
                    const struct hf_session **session)
{
    *session = hf_apply_session(apply);
    if (*session != NULL && hf_session_type(*session) != type) {
        apply->reply = hf_reply_error(TEXT_WRONG_TYPE);
        return false;
    }
    return true;
}

int64_t hf_apply_time_left(const struct hf_apply *apply,
                           const struct hf_session *session)
{
    if (session == NULL || hf_session_deadline(session) == HF_NEVER) {
        return HF_TTL_NONE;
    }
    int64_t left = hf_session_deadline(session) - apply->now;
    return left > 0 ? left : 1;
}

bool hf_apply_integer(struct hf_apply *apply, struct hf_slice argument,
                      int64_t *value)
{
    if (!hf_slice_to_int64(argument, value)) {
        apply->reply = hf_reply_error(HF_TEXT_NOT_INTEGER);
        return false;
    }
    return true;
}

void hf_apply_delete(struct hf_apply *apply, const struct hf_command *command)
{
    if (hf_fence_rules_match(apply->fences, command->argv[1])) {
        hf_effects_fence(apply->effects, apply->fences->lifetime_ms);
    } else {
        hf_effects_delete(apply->effects);
    }
}

bool hf_apply_size_fits(struct hf_apply *apply, size_t size)
{
    if (size <= apply->value_bytes_max) {
        return true;
    }
    struct hf_buffer *text = apply->scratch;
    hf_buffer_clear(text);
    hf_buffer_append_text(text, "ERR string exceeds maximum allowed size (");
    hf_buffer_append_int64(text, (int64_t)apply->value_bytes_max);
    hf_buffer_append_text(text, " bytes)");
    apply->reply = (struct hf_reply){.kind = HF_REPLY_ERROR,
                                     .bytes = hf_buffer_slice(text)};
    return false;
}

bool hf_apply_add(int64_t a, int64_t b, int64_t *sum)
{
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b) {
        return false;
    }
    *sum = a + b;
    return true;
}

void hf_apply_refuse(struct hf_apply *apply, const struct hf_command *command,
                     const char *before, const char *after)
{
    struct hf_buffer *text = apply->scratch;
    hf_buffer_clear(text);
    hf_buffer_append_text(text, "ERR ");
    hf_buffer_append_text(text, before);
    hf_buffer_append_text(text, " '");
    for (const char *c = command->row->name; *c != '\0'; c++) {
        bool upper = *c >= 'A' && *c <= 'Z';
        hf_buffer_put_u8(text, (uint8_t)(upper ? *c - 'A' + 'a' : *c));
    }
    hf_buffer_append_text(text, "' ");
    hf_buffer_append_text(text, after);
    apply->reply = (struct hf_reply){.kind = HF_REPLY_ERROR,
                                     .bytes = hf_buffer_slice(text)};
}

void hf_apply_nested(struct hf_apply *apply)
{
    if (apply->scratch->failed) {
        apply->reply = hf_reply_error(TEXT_NO_MEMORY);
        return;
    }
    apply->reply = hf_reply_nested(apply->scratch);
}

void hf_apply_bulk_copy(struct hf_apply *apply, struct hf_slice bytes)
{
    hf_buffer_clear(apply->scratch);
    hf_buffer_append_slice(apply->scratch, bytes);
    if (apply->scratch->failed) {
        /* No effects without the reply that tells of them. */
        apply->effects->failed = true;
        apply->reply = hf_reply_error(TEXT_NO_MEMORY);
        return;
    }
    apply->reply = hf_reply_bulk(hf_buffer_slice(apply->scratch));
}
