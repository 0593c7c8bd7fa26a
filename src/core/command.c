#include "core/command.h"

#include <string.h>

#include "base/assert.h"
#include "base/mutation.h"
#include "core/commands.h"
#include "core/glob.h"
#include "core/placement.h"

#define W HF_COMMAND_WRITE
#define F HF_COMMAND_FAST
#define T HF_COMMAND_TIME

/* The first eight letters of a literal as a number that sorts like them; zeros
 * follow a shorter one. */
#define LETTER(name, i)                                                        \
    ((uint64_t)(uint8_t)(name)[(i) < sizeof(name) ? (i) : sizeof(name) - 1]    \
     << (56 - 8 * (i)))
#define NAME(name)                                                             \
    name, sizeof(name) - 1,                                                    \
        LETTER(name, 0) | LETTER(name, 1) | LETTER(name, 2) |                  \
            LETTER(name, 3) | LETTER(name, 4) | LETTER(name, 5) |              \
            LETTER(name, 6) | LETTER(name, 7)

#define CONNECTION(name, arity)                                                \
    {                                                                          \
        NAME(name), arity, F, HF_ROUTE_CONNECTION, HF_GATHER_NONE, 0, NULL,    \
            HF_FENCED_ERROR                                                    \
    }
#define KEY_FENCED(name, arity, flags, apply, fenced)                          \
    {                                                                          \
        NAME(name), arity, flags, HF_ROUTE_KEY, HF_GATHER_NONE, 0, apply,      \
            fenced                                                             \
    }
#define KEY(name, arity, flags, apply)                                         \
    KEY_FENCED(name, arity, flags, apply, HF_FENCED_ERROR)
#define KEYS(name, arity, flags, gather, step, apply)                          \
    {                                                                          \
        NAME(name), arity, flags, HF_ROUTE_KEYS, gather, step, apply,          \
            HF_FENCED_ERROR                                                    \
    }
#define PARTITIONS(name, arity, flags, gather, apply)                          \
    {                                                                          \
        NAME(name), arity, flags, HF_ROUTE_PARTITIONS, gather, 0, apply,       \
            HF_FENCED_ERROR                                                    \
    }
#define EVERYWHERE(name, arity, flags, gather, apply)                          \
    {                                                                          \
        NAME(name), arity, flags, HF_ROUTE_EVERYWHERE, gather, 0, apply,       \
            HF_FENCED_ERROR                                                    \
    }

/* In the order of strcmp: hf_command_find halves it. No two of them have the
 * same first eight letters. */
static const struct hf_command_row rows[] = {
    KEY("APPEND", 3, W | F, hf_apply_append),
    CONNECTION("AUTH", -2),
    CONNECTION("CLIENT", -2),
    CONNECTION("CLUSTER", -2),
    CONNECTION("COMMAND", -1),
    EVERYWHERE("DBSIZE", 1, F, HF_GATHER_SUM, hf_apply_dbsize),
    KEY("DECR", 2, W | F, hf_apply_decr),
    KEY("DECRBY", 3, W | F, hf_apply_decrby),
    KEYS("DEL", -2, W, HF_GATHER_SUM, 1, hf_apply_del),
    CONNECTION("ECHO", 2),
    KEYS("EXISTS", -2, F, HF_GATHER_SUM, 1, hf_apply_exists),
    KEY("EXPIRE", -3, W | F, hf_apply_expire),
    KEY("EXPIREAT", -3, W | F, hf_apply_expireat),
    KEY("EXPIRETIME", 2, F | T, hf_apply_expiretime),
    PARTITIONS("FLUSHALL", -1, W, HF_GATHER_OK, hf_apply_flush),
    PARTITIONS("FLUSHDB", -1, W, HF_GATHER_OK, hf_apply_flush),
    KEY("GET", 2, F, hf_apply_get),
    KEY("GETDEL", 2, W | F, hf_apply_getdel),
    KEY("GETEX", -2, W | F, hf_apply_getex),
    KEY_FENCED("GETSET", 3, W | F, hf_apply_getset, HF_FENCED_NIL),
    KEY("HDEL", -3, W | F, hf_apply_hdel),
    CONNECTION("HELLO", -1),
    KEY("HEXISTS", 3, F, hf_apply_hexists),
    KEY("HGET", 3, F, hf_apply_hget),
    KEY("HGETALL", 2, 0, hf_apply_hgetall),
    KEY("HINCRBY", 4, W | F, hf_apply_hincrby),
    KEY("HKEYS", 2, 0, hf_apply_hkeys),
    KEY("HLEN", 2, F, hf_apply_hlen),
    KEY("HMGET", -3, F, hf_apply_hmget),
    KEY_FENCED("HMSET", -4, W | F, hf_apply_hmset, HF_FENCED_OK),
    CONNECTION("HOLDFAST", -2),
    KEY_FENCED("HSET", -4, W | F, hf_apply_hset, HF_FENCED_ZERO),
    KEY_FENCED("HSETNX", 4, W | F, hf_apply_hsetnx, HF_FENCED_ZERO),
    KEY("HSTRLEN", 3, F, hf_apply_hstrlen),
    KEY("HVALS", 2, 0, hf_apply_hvals),
    KEY("INCR", 2, W | F, hf_apply_incr),
    KEY("INCRBY", 3, W | F, hf_apply_incrby),
    CONNECTION("INFO", -1),
    KEYS("MGET", -2, F, HF_GATHER_ARRAY, 1, hf_apply_mget),
    {NAME("MSET"), -3, W, HF_ROUTE_KEYS, HF_GATHER_OK, 2, hf_apply_mset,
     HF_FENCED_OK},
    KEY("PERSIST", 2, W | F, hf_apply_persist),
    KEY("PEXPIRE", -3, W | F, hf_apply_pexpire),
    KEY("PEXPIREAT", -3, W | F, hf_apply_pexpireat),
    KEY("PEXPIRETIME", 2, F | T, hf_apply_pexpiretime),
    CONNECTION("PING", -1),
    KEY_FENCED("PSETEX", 4, W, hf_apply_psetex, HF_FENCED_NIL),
    KEY("PTTL", 2, F | T, hf_apply_pttl),
    CONNECTION("QUIT", -1),
    CONNECTION("RESET", 1),
    {NAME("SCAN"), -2, 0, HF_ROUTE_SCAN, HF_GATHER_NONE, 0, NULL,
     HF_FENCED_ERROR},
    CONNECTION("SELECT", 2),
    KEY_FENCED("SET", -3, W, hf_apply_set, HF_FENCED_NIL),
    KEY_FENCED("SETEX", 4, W, hf_apply_setex, HF_FENCED_NIL),
    KEY_FENCED("SETNX", 3, W | F, hf_apply_setnx, HF_FENCED_ZERO),
    KEY("STRLEN", 2, F, hf_apply_strlen),
    KEYS("TOUCH", -2, F, HF_GATHER_SUM, 1, hf_apply_exists),
    KEY("TTL", 2, F | T, hf_apply_ttl),
    KEY("TYPE", 2, F, hf_apply_type),
    KEYS("UNLINK", -2, W | F, HF_GATHER_SUM, 1, hf_apply_del),
};

#undef W
#undef F
#undef NAME
#undef LETTER
#undef T

/* As NAME has it, of up to eight bytes. */
static uint64_t letters_of(struct hf_slice name)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    size_t size = name.size < 8 ? name.size : 8;
    uint64_t letters = 0;
    for (size_t i = 0; i < size; i++) {
        letters = letters << 8 | name.data[i];
    }
    letters <<= 8 * (8 - size) & 63;
    /* In each byte that is from 'a' to 'z', and only there, the highest bit of
     * one sum is set and that of the other is not. */
    uint64_t low = letters & each * 0x7f;
    uint64_t lower = (low + each * (0x80 - 'a')) &
                     ~(low + each * (0x7f - 'z')) & ~letters & each * 0x80;
    return letters ^ lower >> 2;
}

const struct hf_command_row *hf_command_find(struct hf_slice name)
{
    uint64_t letters = letters_of(name);
    const struct hf_command_row *row = rows;
    for (size_t left = HF_ARRAY_COUNT(rows);
         left > 1;) {           /* The last row that */
        size_t half = left / 2; /* is not behind. */
        row += row[half].letters <= letters ? half : 0;
        left -= half;
    }
    return row->name_size == name.size && row->letters == letters &&
                   (name.size <= 8 || hf_slice_equal_nocase(name, row->name))
               ? row
               : NULL;
}

const struct hf_command_row *hf_command_at(size_t index)
{
    return index < HF_ARRAY_COUNT(rows) ? &rows[index] : NULL;
}

size_t hf_command_index(const struct hf_command_row *row)
{
    HF_ASSERT(row >= rows && row < rows + HF_ARRAY_COUNT(rows));
    return (size_t)(row - rows);
}

bool hf_command_arity_fits(const struct hf_command_row *row, uint32_t argc)
{
    uint32_t wanted = (uint32_t)(row->arity < 0 ? -row->arity : row->arity);
    if (argc < wanted || (row->arity > 0 && argc != wanted)) {
        return false;
    }
    return row->key_step == 0 || (argc - 1) % row->key_step == 0;
}

/* An unsigned decimal number, as big as it gets. Redis reads it with strtoul,
 * for which -1 is the largest of them. */
static bool parse_cursor(struct hf_slice slice, uint64_t *cursor)
{
    uint64_t sum = 0;
    bool negative = slice.size > 1 && slice.data[0] == '-';
    for (size_t i = negative ? 1 : 0; i < slice.size; i++) {
        if (slice.data[i] < '0' || slice.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(slice.data[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *cursor = negative ? 0 - sum : sum;
    return slice.size > 0;
}

static bool scan_option(struct hf_scan_options *options, struct hf_slice name,
                        struct hf_slice value, struct hf_reply *error)
{
    if (hf_slice_equal_nocase(name, "count")) {
        if (!hf_slice_to_int64(value, &options->count)) {
            *error = hf_reply_error(HF_TEXT_NOT_INTEGER);
            return false;
        }
        if (options->count >= 1) {
            return true;
        }
    } else if (hf_slice_equal_nocase(name, "match")) {
        options->match = value.size > 0 ? value : HF_SLICE_LITERAL("");
        return true;
    } else if (hf_slice_equal_nocase(name, "type")) {
        bool string = hf_slice_equal_nocase(value, "string");
        bool hash = hf_slice_equal_nocase(value, "hash");
        options->type_unknown = !string && !hash;
        options->type = string ? HF_SESSION_STRING : HF_SESSION_HASH;
        return true;
    }
    *error = hf_reply_error(HF_TEXT_SYNTAX);
    return false;
}

size_t hf_command_copy_size(const struct hf_command *command)
{
    size_t size = command->argc * sizeof(struct hf_slice);
    for (uint32_t i = 0; i < command->argc; i++) {
        size += command->argv[i].size;
    }
    return size;
}

struct hf_command hf_command_copy(const struct hf_command *command, void *place)
{
    struct hf_slice *argv = place;
    uint8_t *bytes = (uint8_t *)(argv + command->argc);
    for (uint32_t i = 0; i < command->argc; i++) {
        argv[i] = (struct hf_slice){bytes, command->argv[i].size};
        if (argv[i].size > 0) {
            memcpy(bytes, command->argv[i].data, argv[i].size);
        }
        bytes += argv[i].size;
    }
    struct hf_command copy = *command;
    copy.argv = argv;
    return copy;
}

static struct hf_reply fenced_reply(const struct hf_command_row *row)
{
    switch (row->fenced) {
    case HF_FENCED_NIL:
        return hf_reply_nil();
    case HF_FENCED_ZERO:
        return hf_reply_integer(0);
    case HF_FENCED_OK:
        return hf_reply_ok();
    case HF_FENCED_ERROR:
        break;
    }
    return hf_reply_error("ERR the session was deleted");
}

void hf_command_locate(struct hf_command *command)
{
    command->partition = hf_partition_of_key(command->argv[1]);
    command->hash = hf_sessions_hash(command->argv[1]);
    command->located = true;
}

void hf_apply_find(struct hf_apply *apply, const struct hf_command *command)
{
    struct hf_slice key = command->argv[1];
    apply->hash = command->located ? command->hash : hf_sessions_hash(key);
    apply->entry = hf_sessions_find_entry(apply->sessions, key, apply->hash);
}

void hf_command_apply(struct hf_apply *apply, const struct hf_command *command)
{
    command->row->apply(apply, command);
    if (apply->effects->size > 0 && !apply->effects->failed &&
        apply->entry != NULL &&
        hf_session_type(apply->entry) == HF_SESSION_FENCE &&
        hf_session_deadline(apply->entry) > apply->now &&
        !HF_MUTATED(WRITE_LIFTS_FENCE)) {
        hf_buffer_clear(apply->effects);
        apply->reply = fenced_reply(command->row);
    }
}

bool hf_scan_parse(const struct hf_command *command,
                   struct hf_scan_options *options, struct hf_reply *error)
{
    *options = (struct hf_scan_options){.count = 10};
    if (!parse_cursor(command->argv[1], &options->cursor)) {
        *error = hf_reply_error("ERR invalid cursor");
        return false;
    }
    for (uint32_t i = 2; i < command->argc; i += 2) {
        if (i + 1 == command->argc) {
            *error = hf_reply_error(HF_TEXT_SYNTAX);
            return false;
        }
        if (!scan_option(options, command->argv[i], command->argv[i + 1],
                         error)) {
            return false;
        }
    }
    return true;
}

bool hf_scan_matches(const struct hf_scan_options *options,
                     const struct hf_session *session, hf_time now)
{
    if (options->type_unknown || hf_session_deadline(session) <= now ||
        hf_session_type(session) == HF_SESSION_FENCE) {
        return false;
    }
    if (options->type != 0 && hf_session_type(session) != options->type) {
        return false;
    }
    return options->match.data == NULL ||
           hf_glob_matches(options->match, hf_session_key(session));
}
