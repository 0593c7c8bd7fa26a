/* commands_unit.c - Commands about several keys that change together. Each is
 * carried out as part of a unit, and looks its keys up there. */
#include "core/commands.h"
#include "core/transaction.h"
#include "core/transfers.h"
#include "core/units.h"

static const char no_key_text[] = "ERR no such key";

static bool is_session(const struct hf_session *entry)
{
    return entry != NULL && hf_session_type(entry) != HF_SESSION_FENCE;
}

static bool is_fenced(const struct hf_apply *apply,
                      const struct hf_session *entry)
{
    return entry != NULL && hf_session_type(entry) == HF_SESSION_FENCE &&
           hf_session_deadline(entry) > apply->now;
}

static const struct hf_session *find(struct hf_apply *apply,
                                     struct hf_slice key)
{
    return hf_unit_find(apply->unit, key, hf_sessions_hash(key), true);
}

static void change(struct hf_apply *apply, struct hf_slice key)
{
    hf_unit_change(apply->unit, key, hf_sessions_hash(key),
                   hf_buffer_slice(apply->effects));
    hf_buffer_clear(apply->effects);
}

/* Effects that make @session under another key, with the time it has left. */
static void effects_of_copy(struct hf_apply *apply,
                            const struct hf_session *session)
{
    hf_effects_of_session(apply->effects, session, apply->now);
    int64_t left = hf_apply_time_left(apply, session);
    if (left != HF_TTL_NONE) {
        hf_effects_expire(apply->effects, left);
    }
}

/* Makes a copy of @from, a session, under @to. False: the error is the reply.
 */
static bool copy(struct hf_apply *apply, const struct hf_session *from,
                 struct hf_slice to, const struct hf_session *there)
{
    if (is_fenced(apply, there)) {
        apply->reply = hf_reply_error(HF_FENCED_TEXT);
        return false;
    }
    effects_of_copy(apply, from);
    if (apply->effects->failed) {
        return false; /* The unit fails. */
    }
    change(apply, to);
    hf_unit_note(apply->unit, HF_NOTICE_NEW, to); /* Even if one was there. */
    return true;
}

/* RENAME, and if @only_new RENAMENX. */
static void rename_key(struct hf_apply *apply, const struct hf_command *command,
                       bool only_new)
{
    struct hf_slice old = command->argv[1];
    struct hf_slice new = command->argv[2];
    const struct hf_session *session = find(apply, old);
    if (!is_session(session)) {
        apply->reply = hf_reply_error(no_key_text);
        return;
    }
    apply->reply = only_new ? hf_reply_integer(0) : hf_reply_ok();
    const struct hf_session *there = find(apply, new);
    if (hf_slice_equal(old, new) || (only_new && is_session(there)) ||
        !copy(apply, session, new, there)) {
        return;
    }
    hf_apply_delete(apply, command);
    change(apply, old);
    hf_unit_note(apply->unit, HF_NOTICE_RENAME_FROM, old);
    hf_unit_note(apply->unit, HF_NOTICE_RENAME_TO, new);
    if (only_new) {
        apply->reply = hf_reply_integer(1);
    }
}

void hf_apply_rename(struct hf_apply *apply, const struct hf_command *command)
{
    rename_key(apply, command, false);
}

void hf_apply_renamenx(struct hf_apply *apply, const struct hf_command *command)
{
    rename_key(apply, command, true);
}

/* COPY's options. False leaves an error in @error. */
static bool copy_options(const struct hf_command *command, bool *replace,
                         struct hf_reply *error)
{
    *replace = false;
    for (uint32_t i = 3; i < command->argc; i++) {
        if (!hf_slice_equal_nocase(command->argv[i], "replace")) {
            *error = hf_reply_error(HF_TEXT_SYNTAX);
            return false;
        }
        *replace = true;
    }
    return true;
}

void hf_apply_copy(struct hf_apply *apply, const struct hf_command *command)
{
    bool replace;
    if (!copy_options(command, &replace, &apply->reply)) {
        return;
    }
    if (hf_slice_equal(command->argv[1], command->argv[2])) {
        apply->reply =
            hf_reply_error("ERR source and destination objects are the same");
        return;
    }
    const struct hf_session *session = find(apply, command->argv[1]);
    const struct hf_session *there = find(apply, command->argv[2]);
    apply->reply = hf_reply_integer(0);
    if (!is_session(session)) {
        hf_unit_note(apply->unit, HF_NOTICE_KEYMISS, command->argv[1]);
    } else if ((replace || !is_session(there)) &&
               copy(apply, session, command->argv[2], there)) {
        hf_unit_note(apply->unit, HF_NOTICE_COPY_TO, command->argv[2]);
        apply->reply = hf_reply_integer(1);
    }
}

void hf_apply_msetnx(struct hf_apply *apply, const struct hf_command *command)
{
    apply->reply = hf_reply_integer(0);
    for (uint32_t i = 1; i < command->argc; i += 2) {
        const struct hf_session *entry = find(apply, command->argv[i]);
        if (is_session(entry) || is_fenced(apply, entry)) {
            return;
        }
    }
    for (uint32_t i = 1; i < command->argc; i += 2) {
        hf_effects_put(apply->effects, command->argv[i + 1], HF_TTL_NONE);
        if (apply->effects->failed) {
            return;
        }
        change(apply, command->argv[i]);
        hf_unit_note(apply->unit, HF_NOTICE_NEW, command->argv[i]);
        hf_unit_note(apply->unit, HF_NOTICE_SET, command->argv[i]);
    }
    apply->reply = hf_reply_integer(1);
}

enum hf_transfer_kind hf_transfer_kind(const struct hf_command *command,
                                       struct hf_reply *error)
{
    bool replace = false;
    if (command->row->apply == hf_apply_rename) {
        return HF_TRANSFER_RENAME;
    }
    if (command->row->apply == hf_apply_renamenx) {
        return HF_TRANSFER_RENAMENX;
    }
    if (command->row->apply == hf_apply_msetnx) {
        return HF_TRANSFER_MSETNX;
    }
    if (command->row->apply != hf_apply_copy) {
        return HF_TRANSFER_NONE;
    }
    if (!copy_options(command, &replace, error)) {
        return HF_TRANSFER_REFUSED;
    }
    return replace ? HF_TRANSFER_COPY_REPLACE : HF_TRANSFER_COPY;
}

/* Of a transaction, which is not run by an apply function. */
void hf_apply_exec(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    apply->reply = hf_reply_error("ERR EXEC without MULTI");
}

/* What WATCH notes of a key, to be compared by EXEC. */
void hf_apply_watch(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    hf_transaction_state(apply->scratch, apply->epoch, apply->last_delete,
                         apply->entry);
    apply->reply = hf_reply_bulk(hf_buffer_slice(apply->scratch));
}
