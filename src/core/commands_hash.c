#include "base/number.h"
#include "core/commands.h"

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
    struct hf_names seen;
    if (command->argc % 2 == 1) {
        hf_apply_refuse(apply, command, "wrong number of arguments for",
                        "command");
        return -1;
    }
    if (!hf_apply_typed(apply, HF_SESSION_HASH, &session) ||
        !hf_names_init(&seen, apply, command, command->argc / 2)) {
        return -1;
    }
    int64_t added = 0;
    size_t size = session == NULL ? 0 : hf_session_value_bytes(session);
    for (uint32_t i = 2; i < command->argc; i += 2) {
        struct hf_slice field = command->argv[i];
        struct hf_slice value = command->argv[i + 1];
        struct hf_slice old;
        bool again = hf_names_met(&seen, i) != 0;
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
    hf_apply_notice(apply, HF_NOTICE_HSET);
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
        hf_apply_notice(apply, HF_NOTICE_HSET);
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
    struct hf_names seen;
    if (!hf_apply_typed(apply, HF_SESSION_HASH, &session) ||
        !hf_names_init(&seen, apply, command, command->argc)) {
        return;
    }
    int64_t dropped = 0;
    for (uint32_t i = 2; i < command->argc; i++) {
        struct hf_slice value;
        if (field_of(session, command->argv[i], &value) &&
            hf_names_met(&seen, i) == 0) {
            hf_effects_unfield(apply->effects, command->argv[i]);
            dropped++;
        }
    }
    if (dropped > 0) {
        hf_apply_notice_removal(apply, HF_NOTICE_HDEL,
                                dropped == field_count(session));
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

/* Effects of setting @field, which was @old or NULL, to the text in scratch.
 * False: refused, or no memory. */
static bool set_to_scratch(struct hf_apply *apply,
                           const struct hf_session *session,
                           struct hf_slice field, const struct hf_slice *old)
{
    struct hf_slice text = hf_buffer_slice(apply->scratch);
    size_t size = session == NULL ? 0 : hf_session_value_bytes(session);
    if (apply->scratch->failed) {
        apply->effects->failed = true;
        return false;
    }
    if (!hf_apply_size_fits(apply, size_with(size, field, text, old))) {
        return false;
    }
    hf_effects_field(apply->effects, field, text);
    return true;
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
    if (set_to_scratch(apply, session, field, exists ? &old : NULL)) {
        hf_apply_notice(apply, HF_NOTICE_HINCRBY);
        apply->reply = hf_reply_integer(value);
    }
}

void hf_apply_hincrbyfloat(struct hf_apply *apply,
                           const struct hf_command *command)
{
    const struct hf_session *session;
    long double delta;
    long double value = 0;
    if (!hf_slice_to_long_double(command->argv[3], &delta)) {
        apply->reply = hf_reply_error(HF_TEXT_NOT_FLOAT);
        return;
    }
    if (!hf_long_double_is_finite(delta)) {
        apply->reply = hf_reply_error("ERR value is NaN or Infinity");
        return;
    }
    if (!hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        return;
    }
    struct hf_slice field = command->argv[2];
    struct hf_slice old;
    bool exists = field_of(session, field, &old);
    if (exists && !hf_slice_to_long_double(old, &value)) {
        apply->reply = hf_reply_error("ERR hash value is not a float");
        return;
    }
    value += delta;
    if (!hf_long_double_is_finite(value)) {
        apply->reply =
            hf_reply_error("ERR increment would produce NaN or Infinity");
        return;
    }
    hf_buffer_append_long_double(apply->scratch, value);
    if (set_to_scratch(apply, session, field, exists ? &old : NULL)) {
        hf_apply_notice(apply, HF_NOTICE_HINCRBYFLOAT);
        apply->reply = hf_reply_bulk(hf_buffer_slice(apply->scratch));
    }
}

/* ---- Some of many ------------------------------------------------------- */

/* Fields have no numbers to go on by, so all are one page. */
void hf_apply_hscan(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session;
    struct hf_page_options options;
    if (!hf_apply_page(apply, command, HF_SESSION_HASH, &options) ||
        !hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        return;
    }
    uint32_t count = 0;
    size_t cursor = 0;
    struct hf_slice field;
    struct hf_slice value;
    while (session != NULL &&
           hf_session_next_field(session, &cursor, &field, &value)) {
        count += hf_page_has(&options, field) ? 2 : 0;
    }
    hf_apply_put_page(apply, 0, count);
    cursor = 0;
    while (session != NULL &&
           hf_session_next_field(session, &cursor, &field, &value)) {
        if (hf_page_has(&options, field)) {
            hf_reply_put_bulk(apply->scratch, field);
            hf_reply_put_bulk(apply->scratch, value);
        }
    }
    hf_apply_nested(apply);
}

static void field_at(const struct hf_session *session, uint64_t number,
                     struct hf_slice *field, struct hf_slice *value)
{
    size_t cursor = 0;
    *field = (struct hf_slice){NULL, 0};
    *value = (struct hf_slice){NULL, 0};
    for (uint64_t i = 0; i <= number; i++) {
        (void)hf_session_next_field(session, &cursor, field, value);
    }
}

static void put_field(struct hf_buffer *scratch, struct hf_slice field,
                      struct hf_slice value, bool values)
{
    if (values) {
        hf_reply_put_pair(scratch);
    }
    hf_reply_put_bulk(scratch, field);
    if (values) {
        hf_reply_put_bulk(scratch, value);
    }
}

static void put_field_count(struct hf_buffer *scratch, uint32_t count,
                            bool values)
{
    if (values) {
        hf_reply_put_pairs(scratch, count);
    } else {
        hf_reply_put_array(scratch, count);
    }
}

static void random_repeated(struct hf_apply *apply,
                            const struct hf_session *session, int64_t count,
                            bool values)
{
    uint32_t bound = hf_session_field_count(session);
    put_field_count(apply->scratch, (uint32_t)count, values);
    for (int64_t i = 0; i < count; i++) {
        struct hf_slice field;
        struct hf_slice value;
        field_at(session, hf_rng_below(apply->rng, bound), &field, &value);
        put_field(apply->scratch, field, value, values);
        if (hf_apply_is_too_large(apply)) {
            return;
        }
    }
    hf_apply_nested(apply);
}

/* Each with the same chance, in the order of the fields. */
static void random_distinct(struct hf_apply *apply,
                            const struct hf_session *session, uint32_t count,
                            bool values)
{
    uint32_t left = hf_session_field_count(session);
    count = count < left ? count : left;
    put_field_count(apply->scratch, count, values);
    size_t cursor = 0;
    struct hf_slice field;
    struct hf_slice value;
    while (count > 0 &&
           hf_session_next_field(session, &cursor, &field, &value)) {
        if (hf_rng_below(apply->rng, left--) < count) {
            put_field(apply->scratch, field, value, values);
            count--;
        }
    }
    hf_apply_nested(apply);
}

void hf_apply_hrandfield(struct hf_apply *apply,
                         const struct hf_command *command)
{
    const struct hf_session *session;
    int64_t count = 0;
    bool values = command->argc == 4;
    if (command->argc >= 3 &&
        !hf_apply_count_either_way(apply, command->argv[2], &count)) {
        return;
    }
    if (command->argc > 4 ||
        (values && !hf_slice_equal_nocase(command->argv[3], "withvalues"))) {
        apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
        return;
    }
    if (!hf_apply_typed(apply, HF_SESSION_HASH, &session)) {
        return;
    }
    if (command->argc == 2) {
        struct hf_slice field;
        struct hf_slice value;
        if (session != NULL) {
            uint32_t bound = hf_session_field_count(session);
            field_at(session, hf_rng_below(apply->rng, bound), &field, &value);
            apply->reply = hf_reply_bulk(field);
        }
    } else if (session == NULL || count == 0) {
        hf_reply_put_array(apply->scratch, 0);
        hf_apply_nested(apply);
    } else if (count < 0) {
        random_repeated(apply, session, -count, values);
    } else {
        uint32_t most = hf_session_field_count(session);
        random_distinct(apply, session, count < most ? (uint32_t)count : most,
                        values);
    }
}
