#include "core/commands.h"

#include <string.h>

#include "base/hash.h"

/* Which arguments were met before, so that a field that is named twice counts
 * once. A hash index, because a client may name very many. */
struct seen {
    const struct hf_slice *argv;
    uint32_t *index; /* In scratch: number of the argument, 0 is free. */
    uint32_t capacity;
};

/* Makes room for @count names. False, with effects failed, without memory. */
static bool seen_init(struct seen *seen, struct hf_apply *apply,
                      const struct hf_command *command, uint32_t count)
{
    uint32_t capacity = 8;
    while (capacity / 2 < count) {
        capacity *= 2;
    }
    size_t size = sizeof(*seen->index) * (size_t)capacity;
    uint8_t *piece = hf_buffer_reserve(apply->scratch, size);
    if (piece == NULL) {
        apply->effects->failed = true;
        return false;
    }
    memset(piece, 0, size);
    *seen = (struct seen){.argv = command->argv,
                          .index = (uint32_t *)(void *)piece,
                          .capacity = capacity};
    return true;
}

/* Whether the name in argv[@number] was there before; now it was. */
static bool seen_before(struct seen *seen, uint32_t number)
{
    struct hf_slice name = seen->argv[number];
    uint32_t mask = seen->capacity - 1;
    uint32_t i = (uint32_t)hf_hash(name) & mask;
    for (; seen->index[i] != 0; i = (i + 1) & mask) {
        if (hf_slice_equal(seen->argv[seen->index[i]], name)) {
            return true;
        }
    }
    seen->index[i] = number;
    return false;
}

static bool field_of(const struct hf_session *session, struct hf_slice field,
                     struct hf_slice *value)
{
    return session != NULL && hf_session_field(session, field, value);
}

/* The size of a hash after one more field, or one changed. */
static size_t size_with(size_t size, struct hf_slice field,
                        struct hf_slice value, const struct hf_slice *old)
{
    if (old != NULL) {
        return size - old->size + value.size;
    }
    return size + HF_SESSION_FIELD_OVERHEAD + field.size + value.size;
}

/* HSET and HMSET. Returns how many fields are new, or -1 when refused. */
static int64_t set_fields(struct hf_apply *apply,
                          const struct hf_command *command)
{
    const struct hf_session *session;
    struct seen seen;
    if (command->argc % 2 == 1) {
        hf_apply_refuse(apply, command, "wrong number of arguments for",
                        "command");
        return -1;
    }
    if (!hf_apply_typed(apply, HF_SESSION_HASH, &session) ||
        !seen_init(&seen, apply, command, command->argc / 2)) {
        return -1;
    }
    int64_t added = 0;
    size_t size = session == NULL ? 0 : hf_session_value_bytes(session);
    for (uint32_t i = 2; i < command->argc; i += 2) {
        struct hf_slice field = command->argv[i];
        struct hf_slice value = command->argv[i + 1];
        struct hf_slice old;
        bool again = seen_before(&seen, i);
        bool exists = field_of(session, field, &old);
        added += again || exists ? 0 : 1;
        /* A field named twice is counted twice here: rare, and safe. */
        size = size_with(size, field, value, exists && !again ? &old : NULL);
        hf_effects_field(apply->effects, field, value);
    }
    if (!hf_apply_size_fits(apply, size)) {
        hf_buffer_clear(apply->effects);
        return -1;
    }
    return added;
}

void hf_apply_hset(struct hf_apply *apply, const struct hf_command *command)
{
    int64_t added = set_fields(apply, command);
    if (added >= 0) {
        apply->reply = hf_reply_integer(added);
    }
}

void hf_apply_hmset(struct hf_apply *apply, const struct hf_command *command)
{
    if (set_fields(apply, command) >= 0) {
        apply->reply = hf_reply_ok();
    }
}

void hf_apply_hsetnx(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    if (!hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        return;
    }
    struct hf_slice field = command->argv[2];
    struct hf_slice value = command->argv[3];
    struct hf_slice old;
    if (field_of(session, field, &old)) {
        apply->reply = hf_reply_integer(0);
        return;
    }
    size_t size = session == NULL ? 0 : hf_session_value_bytes(session);
    if (hf_apply_size_fits(apply, size_with(size, field, value, NULL))) {
        hf_effects_field(apply->effects, field, value);
        apply->reply = hf_reply_integer(1);
    }
}

void hf_apply_hget(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    struct hf_slice value;
    if (hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        apply->reply = field_of(session, command->argv[2], &value)
                           ? hf_reply_bulk(value)
                           : hf_reply_nil();
    }
}

void hf_apply_hmget(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    if (!hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        return;
    }
    hf_reply_put_array(apply->scratch, command->argc - 2);
    for (uint32_t i = 2; i < command->argc; i++) {
        struct hf_slice value;
        if (field_of(session, command->argv[i], &value)) {
            hf_reply_put_bulk(apply->scratch, value);
        } else {
            hf_reply_put_nil(apply->scratch);
        }
        if (apply->scratch->size > HF_REPLY_BYTES_MAX) {
            apply->reply = hf_reply_error(HF_REPLY_TOO_LARGE);
            return;
        }
    }
    hf_apply_nested(apply);
}

static uint32_t field_count(const struct hf_session *session)
{
    return session == NULL ? 0 : hf_session_field_count(session);
}

static void put_fields(struct hf_buffer *scratch,
                       const struct hf_session *session, bool names,
                       bool values)
{
    size_t cursor = 0;
    struct hf_slice field;
    struct hf_slice value;
    while (session != NULL &&
           hf_session_next_field(session, &cursor, &field, &value)) {
        if (names) {
            hf_reply_put_bulk(scratch, field);
        }
        if (values) {
            hf_reply_put_bulk(scratch, value);
        }
    }
}

void hf_apply_hgetall(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session;
    if (hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        hf_reply_put_map(apply->scratch, field_count(session));
        put_fields(apply->scratch, session, true, true);
        hf_apply_nested(apply);
    }
}

void hf_apply_hkeys(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session;
    if (hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        hf_reply_put_array(apply->scratch, field_count(session));
        put_fields(apply->scratch, session, true, false);
        hf_apply_nested(apply);
    }
}

void hf_apply_hvals(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session;
    if (hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        hf_reply_put_array(apply->scratch, field_count(session));
        put_fields(apply->scratch, session, false, true);
        hf_apply_nested(apply);
    }
}

void hf_apply_hdel(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    struct seen seen;
    if (!hf_apply_typed(apply, HF_SESSION_HASH, &session) ||
        !seen_init(&seen, apply, command, command->argc)) {
        return;
    }
    int64_t dropped = 0;
    for (uint32_t i = 2; i < command->argc; i++) {
        struct hf_slice value;
        if (field_of(session, command->argv[i], &value) &&
            !seen_before(&seen, i)) {
            hf_effects_unfield(apply->effects, command->argv[i]);
            dropped++;
        }
    }
    apply->reply = hf_reply_integer(dropped);
}

void hf_apply_hexists(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    struct hf_slice value;
    if (hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        bool exists = field_of(session, command->argv[2], &value);
        apply->reply = hf_reply_integer(exists ? 1 : 0);
    }
}

void hf_apply_hlen(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session;
    if (hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        apply->reply = hf_reply_integer(field_count(session));
    }
}

void hf_apply_hstrlen(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    struct hf_slice value = {NULL, 0};
    if (hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        bool exists = field_of(session, command->argv[2], &value);
        apply->reply = hf_reply_integer(exists ? (int64_t)value.size : 0);
    }
}

void hf_apply_hincrby(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    int64_t delta;
    if (!hf_apply_integer(apply, command->argv[3], &delta) ||
        !hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        return;
    }
    struct hf_slice field = command->argv[2];
    struct hf_slice old;
    int64_t value = 0;
    bool exists = field_of(session, field, &old);
    if (exists && !hf_slice_to_int64(old, &value)) {
        apply->reply = hf_reply_error("ERR hash value is not an integer");
        return;
    }
    if (!hf_apply_add(value, delta, &value)) {
        apply->reply = hf_reply_error(HF_TEXT_INCREMENT_OVERFLOW);
        return;
    }
    hf_buffer_append_int64(apply->scratch, value);
    if (apply->scratch->failed) {
        apply->effects->failed = true;
        return;
    }
    struct hf_slice text = hf_buffer_slice(apply->scratch);
    size_t size = session == NULL ? 0 : hf_session_value_bytes(session);
    size = size_with(size, field, text, exists ? &old : NULL);
    hf_effects_field(apply->effects, field, text);
    if (!hf_apply_size_fits(apply, size)) {
        hf_buffer_clear(apply->effects);
        return;
    }
    apply->reply = hf_reply_integer(value);
}
