#include "core/commands.h"

#define OPTION_SHOWN_BYTES_MAX 128

void hf_apply_del(struct hf_apply *apply, const struct hf_command *command)
{
    bool exists = hf_apply_session(apply) != NULL;
    if (exists) {
        hf_apply_delete(apply, command);
    }
    apply->reply = hf_reply_integer(exists ? 1 : 0);
}

void hf_apply_exists(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    bool exists = hf_apply_session(apply) != NULL;
    apply->reply = hf_reply_integer(exists ? 1 : 0);
}

void hf_apply_type(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session = hf_apply_session(apply);
    const char *name = session == NULL
                           ? "none"
                           : hf_session_type_name(hf_session_type(session));
    apply->reply = (struct hf_reply){.kind = HF_REPLY_STATUS,
                                     .bytes = hf_slice_text(name)};
}

/* ---- When does it end? -------------------------------------------------- */

static void reply_time_left(struct hf_apply *apply,
                            const struct hf_command *command,
                            struct hf_time_unit unit)
{
    (void)command;
    const struct hf_session *session = hf_apply_session(apply);
    if (session == NULL) {
        apply->reply = hf_reply_integer(-2);
        return;
    }
    int64_t time_ms = hf_apply_time_left(apply, session);
    if (time_ms == HF_TTL_NONE) {
        apply->reply = hf_reply_integer(-1);
        return;
    }
    if (unit.absolute && !hf_apply_add(time_ms, apply->wall_ms, &time_ms)) {
        time_ms = INT64_MAX;
    }
    if (unit.seconds) {
        time_ms = time_ms / 1000 + (time_ms % 1000 >= 500 ? 1 : 0);
    }
    apply->reply = hf_reply_integer(time_ms);
}

void hf_apply_ttl(struct hf_apply *apply, const struct hf_command *command)
{
    reply_time_left(apply, command, (struct hf_time_unit){.seconds = true});
}

void hf_apply_pttl(struct hf_apply *apply, const struct hf_command *command)
{
    reply_time_left(apply, command, (struct hf_time_unit){.seconds = false});
}

void hf_apply_expiretime(struct hf_apply *apply,
                         const struct hf_command *command)
{
    reply_time_left(apply, command,
                    (struct hf_time_unit){.seconds = true, .absolute = true});
}

void hf_apply_pexpiretime(struct hf_apply *apply,
                          const struct hf_command *command)
{
    reply_time_left(apply, command, (struct hf_time_unit){.absolute = true});
}

/* ---- It shall end then -------------------------------------------------- */

struct expire_options {
    bool if_none;    /* NX: has no time to live. */
    bool if_some;    /* XX */
    bool if_greater; /* GT */
    bool if_less;    /* LT */
};

static void refuse_option(struct hf_apply *apply, struct hf_slice option)
{
    struct hf_buffer *text = apply->scratch;
    hf_buffer_append_text(text, "ERR Unsupported option ");
    for (size_t i = 0; i < option.size && i < OPTION_SHOWN_BYTES_MAX; i++) {
        uint8_t byte = option.data[i];
        hf_buffer_put_u8(text, byte < ' ' ? ' ' : byte);
    }
    apply->reply = (struct hf_reply){.kind = HF_REPLY_ERROR,
                                     .bytes = hf_buffer_slice(text)};
}

static bool parse_expire_options(struct hf_apply *apply,
                                 const struct hf_command *command,
                                 struct expire_options *options)
{
    *options = (struct expire_options){.if_none = false};
    for (uint32_t i = 3; i < command->argc; i++) {
        struct hf_slice option = command->argv[i];
        if (hf_slice_equal_nocase(option, "nx")) {
            options->if_none = true;
        } else if (hf_slice_equal_nocase(option, "xx")) {
            options->if_some = true;
        } else if (hf_slice_equal_nocase(option, "gt")) {
            options->if_greater = true;
        } else if (hf_slice_equal_nocase(option, "lt")) {
            options->if_less = true;
        } else {
            refuse_option(apply, option);
            return false;
        }
    }
    if (options->if_none &&
        (options->if_some || options->if_greater || options->if_less)) {
        apply->reply = hf_reply_error("ERR NX and XX, GT or LT options at the "
                                      "same time are not compatible");
        return false;
    }
    if (options->if_greater && options->if_less) {
        apply->reply = hf_reply_error("ERR GT and LT options at the same time "
                                      "are not compatible");
        return false;
    }
    return true;
}

/* Reads the time of argv[2] as time left: 0 for now and anything before.
 * False: the error is the reply. */
static bool parse_expire_time(struct hf_apply *apply,
                              const struct hf_command *command,
                              struct hf_time_unit unit, int64_t *ttl_ms)
{
    int64_t value;
    if (!hf_apply_integer(apply, command->argv[2], &value)) {
        return false;
    }
    int64_t scale = unit.seconds ? 1000 : 1;
    bool fits = value <= INT64_MAX / scale && value >= INT64_MIN / scale;
    int64_t when = fits ? value * scale : 0;
    if (!fits ||
        (!unit.absolute && !hf_apply_add(when, apply->wall_ms, &when))) {
        hf_apply_refuse(apply, command, "invalid expire time in", "command");
        return false;
    }
    *ttl_ms = when > apply->wall_ms ? when - apply->wall_ms : 0;
    return true;
}

/* No time to live counts as an endless one. */
static bool expire_wanted(const struct expire_options *options,
                          int64_t old_ttl_ms, int64_t ttl_ms)
{
    bool endless = old_ttl_ms == HF_TTL_NONE;
    if ((options->if_none && !endless) || (options->if_some && endless)) {
        return false;
    }
    if (options->if_greater && (endless || ttl_ms <= old_ttl_ms)) {
        return false;
    }
    return !options->if_less || endless || ttl_ms < old_ttl_ms;
}

static void expire(struct hf_apply *apply, const struct hf_command *command,
                   struct hf_time_unit unit)
{
    struct expire_options options;
    int64_t ttl_ms;
    if (!parse_expire_options(apply, command, &options) ||
        !parse_expire_time(apply, command, unit, &ttl_ms)) {
        return;
    }
    const struct hf_session *session = hf_apply_session(apply);
    if (session == NULL ||
        !expire_wanted(&options, hf_apply_time_left(apply, session), ttl_ms)) {
        apply->reply = hf_reply_integer(0);
        return;
    }
    if (ttl_ms == 0) {
        hf_apply_delete(apply, command);
    } else {
        hf_effects_expire(apply->effects, ttl_ms);
        hf_apply_notice(apply, HF_NOTICE_EXPIRE);
    }
    apply->reply = hf_reply_integer(1);
}

void hf_apply_expire(struct hf_apply *apply, const struct hf_command *command)
{
    expire(apply, command, (struct hf_time_unit){.seconds = true});
}

void hf_apply_pexpire(struct hf_apply *apply, const struct hf_command *command)
{
    expire(apply, command, (struct hf_time_unit){.seconds = false});
}

void hf_apply_expireat(struct hf_apply *apply, const struct hf_command *command)
{
    expire(apply, command,
           (struct hf_time_unit){.seconds = true, .absolute = true});
}

void hf_apply_pexpireat(struct hf_apply *apply,
                        const struct hf_command *command)
{
    expire(apply, command, (struct hf_time_unit){.absolute = true});
}

void hf_apply_persist(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session = hf_apply_session(apply);
    bool had_ttl = hf_apply_time_left(apply, session) != HF_TTL_NONE;
    if (had_ttl) {
        hf_effects_expire(apply->effects, HF_TTL_NONE);
        hf_apply_notice(apply, HF_NOTICE_PERSIST);
    }
    apply->reply = hf_reply_integer(had_ttl ? 1 : 0);
}

/* ---- All sessions of a partition ---------------------------------------- */

void hf_apply_dbsize(struct hf_apply *apply, const struct hf_command *command)
{
    apply->reply = hf_reply_integer(apply->sessions->counts[command->database]);
}

/* @count: how many sessions there are to drop. */
static void flush(struct hf_apply *apply, const struct hf_command *command,
                  uint8_t database, uint32_t count)
{
    if (command->argc > 2 ||
        (command->argc == 2 &&
         !hf_slice_equal_nocase(command->argv[1], "async") &&
         !hf_slice_equal_nocase(command->argv[1], "sync"))) {
        apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
        return;
    }
    if (count > 0) {
        hf_effects_clear(apply->effects, database);
    }
    apply->reply = hf_reply_ok();
}

void hf_apply_flushdb(struct hf_apply *apply, const struct hf_command *command)
{
    flush(apply, command, command->database,
          apply->sessions->counts[command->database]);
}

void hf_apply_flushall(struct hf_apply *apply, const struct hf_command *command)
{
    flush(apply, command, HF_DATABASE_ALL,
          hf_sessions_of_clients(apply->sessions));
}
