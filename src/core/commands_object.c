/* What a session is like inside, and as bytes to be put elsewhere. */
#include <string.h>

#include "base/hash.h"
#include "core/commands.h"
#include "core/expiry.h"
#include "core/members.h"
#include "core/session.h"
#include "holdfast/error.h"

#define TEXT_NO_FREQ                                                           \
    "ERR An LFU maxmemory policy is not selected, access frequency not "       \
    "tracked. Please note that when switching between policies at runtime "    \
    "LRU and LFU data will take some time to adjust."
#define TEXT_DUMP_SUM "ERR DUMP payload version or checksum are wrong"
#define TEXT_DUMP_FORMAT "ERR Bad data format"

/* Up to here Redis stores a string with its header. */
#define EMBEDDED_BYTES_MAX 44
#define INTEGER_BYTES_MAX 20
/* Up to here it stores a hash as one piece. */
#define LISTPACK_COUNT_MAX 128
#define LISTPACK_BYTES_MAX 64
/* Up to here a set of integers. */
#define INTSET_COUNT_MAX 512

/* Behind the effects of a dump: its format, and a sum of all before. */
#define DUMP_VERSION 1
#define DUMP_SUM_BYTES 8
#define DUMP_FOOTER_BYTES (1 + DUMP_SUM_BYTES)

/* ---- OBJECT and MEMORY -------------------------------------------------- */

static bool hash_is_small(const struct hf_session *session)
{
    size_t cursor = 0;
    struct hf_slice field;
    struct hf_slice value;
    while (hf_session_next_field(session, &cursor, &field, &value)) {
        if (field.size > LISTPACK_BYTES_MAX ||
            value.size > LISTPACK_BYTES_MAX) {
            return false;
        }
    }
    return hf_session_field_count(session) <= LISTPACK_COUNT_MAX;
}

/* Whether all members of a set are whole numbers, and there are few. */
static bool set_is_of_integers(const struct hf_members *members)
{
    for (uint32_t i = 0; i < members->count; i++) {
        int64_t number;
        if (!hf_slice_to_int64(hf_members_at(members, i), &number)) {
            return false;
        }
    }
    return members->count <= INTSET_COUNT_MAX;
}

static bool members_are_small(const struct hf_members *members)
{
    for (uint32_t i = 0; i < members->count; i++) {
        if (hf_members_at(members, i).size > LISTPACK_BYTES_MAX) {
            return false;
        }
    }
    return members->count <= LISTPACK_COUNT_MAX;
}

/* What Redis would call it, had it been set at once. */
static const char *encoding_of(const struct hf_session *session)
{
    switch (hf_session_type(session)) {
    case HF_SESSION_HASH:
        return hash_is_small(session) ? "listpack" : "hashtable";
    case HF_SESSION_SET:
        return set_is_of_integers(hf_session_members(session)) ? "intset"
                                                               : "hashtable";
    case HF_SESSION_SORTED_SET:
        return members_are_small(hf_session_members(session)) ? "listpack"
                                                              : "skiplist";
    case HF_SESSION_LIST:
        return "quicklist";
    case HF_SESSION_STRING:
    case HF_SESSION_FENCE:
        break;
    }
    struct hf_slice value = hf_session_value(session);
    int64_t number;
    if (value.size <= INTEGER_BYTES_MAX && hf_slice_to_int64(value, &number)) {
        return "int";
    }
    return value.size <= EMBEDDED_BYTES_MAX ? "embstr" : "raw";
}

/* OBJECT key subcommand, after hf_command_encode_keys. */
void hf_apply_object(struct hf_apply *apply, const struct hf_command *command)
{
    const struct hf_session *session = hf_apply_session(apply);
    struct hf_slice what = command->argv[2];
    if (session == NULL) {
        apply->reply = hf_reply_nil();
    } else if (hf_slice_equal_nocase(what, "encoding")) {
        apply->reply = hf_reply_bulk(hf_slice_text(encoding_of(session)));
    } else if (hf_slice_equal_nocase(what, "refcount")) {
        apply->reply = hf_reply_integer(1);
    } else if (hf_slice_equal_nocase(what, "idletime")) {
        apply->reply = hf_reply_integer(0); /* Nothing is evicted. */
    } else {
        apply->reply = hf_reply_error(TEXT_NO_FREQ);
    }
}

/* MEMORY key USAGE [SAMPLES count]. */
void hf_apply_memory(struct hf_apply *apply, const struct hf_command *command)
{
    int64_t samples;
    if (command->argc != 3 &&
        (command->argc != 5 ||
         !hf_slice_equal_nocase(command->argv[3], "samples"))) {
        apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
        return;
    }
    if (command->argc == 5) {
        if (!hf_apply_integer(apply, command->argv[4], &samples)) {
            return;
        }
        if (samples < 0) {
            apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
            return;
        }
    }
    const struct hf_session *session = hf_apply_session(apply);
    apply->reply = session == NULL
                       ? hf_reply_nil()
                       : hf_reply_integer((int64_t)hf_session_held(session));
}

/* ---- DUMP and RESTORE --------------------------------------------------- */

void hf_apply_dump(struct hf_apply *apply, const struct hf_command *command)
{
    (void)command;
    const struct hf_session *session = hf_apply_session(apply);
    if (session == NULL) {
        apply->reply = hf_reply_nil();
        return;
    }
    struct hf_buffer *out = apply->scratch;
    hf_effects_of_session(out, session, apply->now);
    hf_buffer_put_u8(out, DUMP_VERSION);
    hf_buffer_put_u64(out, hf_hash(hf_buffer_slice(out)));
    apply->reply = hf_reply_bulk(hf_buffer_slice(out));
}

/* Takes the footer off. False when that is wrong. */
static bool dump_open(struct hf_slice *dump)
{
    if (dump->size < DUMP_FOOTER_BYTES) {
        return false;
    }
    struct hf_slice summed = {dump->data, dump->size - DUMP_SUM_BYTES};
    struct hf_reader reader = hf_reader_of(
        (struct hf_slice){dump->data + summed.size, DUMP_SUM_BYTES});
    dump->size -= DUMP_FOOTER_BYTES;
    return dump->data[dump->size] == DUMP_VERSION &&
           hf_reader_u64(&reader) == hf_hash(summed);
}

struct restore_options {
    bool replace;
    bool absolute;
};

static bool parse_restore(struct hf_apply *apply,
                          const struct hf_command *command,
                          struct restore_options *options)
{
    *options = (struct restore_options){.replace = false};
    for (uint32_t i = 4; i < command->argc; i++) {
        struct hf_slice option = command->argv[i];
        int64_t ignored;
        bool more = i + 1 < command->argc;
        if (hf_slice_equal_nocase(option, "replace")) {
            options->replace = true;
        } else if (hf_slice_equal_nocase(option, "absttl")) {
            options->absolute = true;
        } else if (more && hf_slice_equal_nocase(option, "idletime")) {
            if (!hf_apply_integer(apply, command->argv[++i], &ignored)) {
                return false;
            }
            if (ignored < 0) {
                apply->reply =
                    hf_reply_error("ERR Invalid IDLETIME value, must be >= 0");
                return false;
            }
        } else if (more && hf_slice_equal_nocase(option, "freq")) {
            if (!hf_apply_integer(apply, command->argv[++i], &ignored)) {
                return false;
            }
            if (ignored < 0 || ignored > 255) {
                apply->reply = hf_reply_error(
                    "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
        } else {
            apply->reply = hf_reply_error(HF_TEXT_SYNTAX);
            return false;
        }
    }
    return true;
}

/* Carries out @dump in a table of its own: whoever sent it may have made it up.
 * What comes out, to live for @ttl_ms, goes to apply->effects. */
static void restore(struct hf_apply *apply, struct hf_slice key,
                    struct hf_slice dump, int64_t ttl_ms, bool replaces)
{
    struct hf_mem *mem = apply->sessions->mem;
    struct hf_version version = {1, 1};
    struct hf_expiry expiry;
    struct hf_sessions alone;
    apply->effects->failed = hf_expiry_init(&expiry, mem) != 0;
    if (apply->effects->failed) {
        return;
    }
    hf_sessions_init(&alone, mem, &expiry, apply->sessions->partition);
    const struct hf_session *made = NULL;
    uint32_t hash = hf_sessions_hash(key);
    int error = hf_sessions_apply(&alone, key, hash, version, dump, apply->now);
    if (error == 0 && hf_sessions_find(&alone, key, hash) != NULL) {
        hf_effects_expire(apply->scratch, ttl_ms);
        error = hf_sessions_apply(&alone, key, hash, version,
                                  hf_buffer_slice(apply->scratch), apply->now);
        made = hf_sessions_find(&alone, key, hash);
    }
    if (error == HF_ENOMEM || apply->scratch->failed) {
        apply->effects->failed = true;
    } else if (error != 0 || made == NULL) {
        apply->reply = hf_reply_error(TEXT_DUMP_FORMAT);
    } else if (hf_apply_size_fits(apply, hf_session_value_bytes(made))) {
        hf_effects_of_session(apply->effects, made, apply->now);
        if (replaces) {
            hf_apply_notice(apply, HF_NOTICE_NEW); /* As Redis does. */
        }
        hf_apply_notice(apply, HF_NOTICE_RESTORE);
        apply->reply = hf_reply_ok();
    }
    hf_sessions_clear(&alone);
    hf_expiry_close(&expiry);
}

void hf_apply_restore(struct hf_apply *apply, const struct hf_command *command)
{
    struct restore_options options;
    const struct hf_session *old = hf_apply_session(apply);
    struct hf_slice dump = command->argv[3];
    int64_t ttl_ms;
    if (!parse_restore(apply, command, &options)) {
        return;
    }
    if (old != NULL && !options.replace) {
        apply->reply =
            hf_reply_error("BUSYKEY Target key name already exists.");
        return;
    }
    if (!hf_apply_integer(apply, command->argv[2], &ttl_ms)) {
        return;
    }
    if (ttl_ms < 0) {
        apply->reply = hf_reply_error("ERR Invalid TTL value, must be >= 0");
        return;
    }
    if (!dump_open(&dump)) {
        apply->reply = hf_reply_error(TEXT_DUMP_SUM);
        return;
    }
    bool over = options.absolute && ttl_ms > 0 && ttl_ms <= apply->wall_ms;
    if (over) {
        if (old != NULL) {
            hf_apply_delete(apply, command);
        }
        apply->reply = hf_reply_ok();
        return;
    }
    int64_t left = options.absolute ? ttl_ms - apply->wall_ms : ttl_ms;
    restore(apply, command->argv[1], dump, ttl_ms == 0 ? HF_TTL_NONE : left,
            old != NULL);
}
