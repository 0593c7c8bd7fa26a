/* Every command as a client would type it, with its answer. The answers were
 * compared with those of Redis 7.0.
 *
 *   "+OK" ":1" "$text" "nil" "-ERR text"   simple replies
 *   "[$a nil]" "{$field $value}"           nested ones
 *
 * A step also says whether the command has effects: what changes nothing must
 * not be replicated. "WAIT ms" lets time pass. In a command, '' is an empty
 * argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/command.h"
#include "core/expiry.h"
#include "support/failing_mem.h"

#define ARGUMENTS_MAX 32
#define VALUE_BYTES_MAX 100
#define NOW 5000000
#define WALL_MS INT64_C(1700000000000) /* The Unix time at NOW. */

#define WRONG_TYPE                                                             \
    "-WRONGTYPE Operation against a key holding the wrong kind of value"
#define NOT_INTEGER "-ERR value is not an integer or out of range"
#define SYNTAX "-ERR syntax error"
#define OVERFLOW "-ERR increment or decrement would overflow"
#define TOO_LONG "-ERR string exceeds maximum allowed size (100 bytes)"
#define TEN_BYTES "0123456789"
#define NINETY_BYTES                                                           \
    TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES      \
        TEN_BYTES TEN_BYTES

enum { READS, WRITES };

struct step {
    const char *command;
    const char *reply;
    int effects;
};

struct fixture {
    struct failing_mem failing;
    struct hf_expiry expiry;
    struct hf_sessions sessions;
    struct hf_buffer effects;
    struct hf_buffer scratch;
    struct hf_buffer tokens;
    struct hf_buffer text;
    hf_time now;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    f = (struct fixture){.now = NOW};
    failing_mem_init(&f.failing);
    assert_int_equal(hf_expiry_init(&f.expiry, &f.failing.mem, NOW), 0);
    hf_sessions_init(&f.sessions, &f.failing.mem, &f.expiry, 0);
    hf_buffer_init(&f.effects, &f.failing.mem);
    hf_buffer_init(&f.scratch, &f.failing.mem);
    hf_buffer_init(&f.tokens, &f.failing.mem);
    hf_buffer_init(&f.text, &f.failing.mem);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    hf_sessions_clear(&f->sessions);
    hf_expiry_close(&f->expiry);
    hf_buffer_close(&f->effects);
    hf_buffer_close(&f->scratch);
    hf_buffer_close(&f->tokens);
    hf_buffer_close(&f->text);
    failing_mem_close(&f->failing);
    return 0;
}

static uint32_t split(const char *line, struct hf_slice *argv)
{
    uint32_t argc = 0;
    while (*line != '\0') {
        size_t size = strcspn(line, " ");
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc] = (struct hf_slice){(const uint8_t *)line, size};
        if (size == 2 && memcmp(line, "''", 2) == 0) {
            argv[argc].size = 0;
        }
        argc++;
        line += size;
        line += *line == ' ' ? 1 : 0;
    }
    return argc;
}

static void write_value(struct hf_buffer *text, struct hf_reader *reader);

static void write_values(struct hf_buffer *text, struct hf_reader *reader,
                         uint64_t count, const char *brackets)
{
    hf_buffer_append(text, &brackets[0], 1);
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) {
            hf_buffer_append_text(text, " ");
        }
        write_value(text, reader);
    }
    hf_buffer_append(text, &brackets[1], 1);
}

static void write_value(struct hf_buffer *text, struct hf_reader *reader)
{
    struct hf_token token;
    assert_true(hf_token_next(reader, &token));
    switch (token.kind) {
    case HF_TOKEN_NIL:
        hf_buffer_append_text(text, "nil");
        break;
    case HF_TOKEN_STATUS:
        hf_buffer_append_text(text, "+");
        break;
    case HF_TOKEN_ERROR:
        hf_buffer_append_text(text, "-");
        break;
    case HF_TOKEN_BULK:
        hf_buffer_append_text(text, "$");
        break;
    case HF_TOKEN_INTEGER:
        hf_buffer_append_text(text, ":");
        hf_buffer_append_int64(text, token.integer);
        break;
    case HF_TOKEN_ARRAY:
        write_values(text, reader, token.count, "[]");
        break;
    case HF_TOKEN_MAP:
        write_values(text, reader, 2 * (uint64_t)token.count, "{}");
        break;
    case HF_TOKEN_NIL_ARRAY:
    case HF_TOKEN_VERBATIM:
    case HF_TOKEN_SET:
        fail_msg("no command replies this");
    }
    hf_buffer_append_slice(text, token.bytes);
}

/* Applies the effects as a node would, before the reply is looked at: a reply
 * that borrows from the old session is then found by the sanitizers. */
static void apply_effects(struct fixture *f, const struct hf_command *command)
{
    struct hf_slice key = {NULL, 0};
    if (command->row->route != HF_ROUTE_EVERYWHERE) {
        key = command->argv[1];
    }
    int rv = hf_sessions_apply(&f->sessions, key, hf_sessions_hash(key),
                               (struct hf_version){1, 1},
                               hf_buffer_slice(&f->effects), f->now);
    assert_int_equal(rv, 0);
}

/* No apply function ever sees an expired session. */
static void drop_expired(struct fixture *f, const struct hf_command *command)
{
    if (command->row->route == HF_ROUTE_EVERYWHERE) {
        return;
    }
    struct hf_slice key = command->argv[1];
    uint32_t hash = hf_sessions_hash(key);
    struct hf_session *session = hf_sessions_find(&f->sessions, key, hash);
    if (session != NULL && hf_session_deadline(session) <= f->now) {
        hf_effects_delete(&f->effects);
        apply_effects(f, command);
        hf_buffer_clear(&f->effects);
    }
}

static struct hf_apply start_apply(struct fixture *f)
{
    hf_buffer_clear(&f->effects);
    hf_buffer_clear(&f->scratch);
    return (struct hf_apply){.sessions = &f->sessions,
                             .now = f->now,
                             .wall_ms = WALL_MS + f->now - NOW,
                             .value_bytes_max = VALUE_BYTES_MAX,
                             .effects = &f->effects,
                             .scratch = &f->scratch};
}

/* Runs a command on one key, or everywhere; the reply is then in f->text. */
static void run(struct fixture *f, const char *line, int *effects)
{
    struct hf_slice argv[ARGUMENTS_MAX];
    struct hf_command command = {.argc = split(line, argv), .argv = argv};
    command.row = hf_command_find(argv[0]);
    assert_non_null(command.row);
    assert_true(hf_command_arity_fits(command.row, command.argc));
    struct hf_apply apply = start_apply(f);
    drop_expired(f, &command);
    command.row->apply(&apply, &command);
    assert_false(f->effects.failed);
    *effects = f->effects.size > 0 ? WRITES : READS;
    if (*effects == WRITES) {
        assert_true((command.row->flags & HF_COMMAND_WRITE) != 0);
        apply_effects(f, &command);
    }
    hf_buffer_clear(&f->tokens);
    hf_buffer_clear(&f->text);
    hf_reply_encode(&apply.reply, &f->tokens);
    struct hf_reader reader = hf_reader_of(hf_buffer_slice(&f->tokens));
    write_value(&f->text, &reader);
    assert_int_equal(hf_reader_left(&reader), 0);
    hf_buffer_put_u8(&f->text, 0);
}

static void run_steps(struct fixture *f, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int effects;
        if (strncmp(steps[i].command, "WAIT ", 5) == 0) {
            f->now += strtol(steps[i].command + 5, NULL, 10);
            continue;
        }
        run(f, steps[i].command, &effects);
        if (strcmp((const char *)f->text.data, steps[i].reply) != 0 ||
            effects != steps[i].effects) {
            fail_msg("step %u, %s: replied %s%s", (unsigned)i, steps[i].command,
                     (const char *)f->text.data,
                     effects == WRITES ? ", with effects" : "");
        }
    }
}

#define STEPS(name, ...)                                                       \
    static void name(void **state)                                             \
    {                                                                          \
        static const struct step steps[] = {__VA_ARGS__};                      \
        run_steps(*state, steps, HF_ARRAY_COUNT(steps));                       \
    }

/* clang-format off */

STEPS(get_and_set,
    {"GET k", "nil", READS},
    {"SET k v", "+OK", WRITES},
    {"get k", "$v", READS},
    {"SET k ''", "+OK", WRITES},
    {"GET k", "$", READS},
    {"HSET h f v", ":1", WRITES},
    {"GET h", WRONG_TYPE, READS},
    {"SET h v", "+OK", WRITES},
    {"TYPE h", "+string", READS})

STEPS(set_has_conditions,
    {"SET k 1 XX", "nil", READS},
    {"SET k 1 NX", "+OK", WRITES},
    {"SET k 2 nx", "nil", READS},
    {"SET k 2 xx", "+OK", WRITES},
    {"SET k 3 NX GET", "$2", READS},
    {"SET k 4 XX GET", "$2", WRITES},
    {"SET k 5 GET", "$4", WRITES},
    {"GET k", "$5", READS},
    {"SET new 1 GET", "nil", WRITES},
    {"SET missing 1 XX GET", "nil", READS},
    {"HSET h f v", ":1", WRITES},
    {"SET h 1 GET", WRONG_TYPE, READS},
    {"SET h 1 NX GET", WRONG_TYPE, READS},
    {"SET h 1 NX", "nil", READS},
    {"SET k 1 NX XX", SYNTAX, READS},
    {"SET k 1 XX NX", SYNTAX, READS},
    {"SET k 1 PERSIST", SYNTAX, READS},
    {"SET k 1 FOO", SYNTAX, READS})

STEPS(set_has_a_time_to_live,
    {"SET k v EX 10", "+OK", WRITES},
    {"PTTL k", ":10000", READS},
    {"SET k v px 1500 NX", "nil", READS},
    {"SET k v XX px 1500", "+OK", WRITES},
    {"PTTL k", ":1500", READS},
    {"SET k w KEEPTTL", "+OK", WRITES},
    {"WAIT 100", "", READS},
    {"PTTL k", ":1400", READS},
    {"SET k v", "+OK", WRITES},
    {"PTTL k", ":-1", READS},
    {"SET k v KEEPTTL", "+OK", WRITES},
    {"PTTL k", ":-1", READS},
    {"SET k v EXAT 1700000010", "+OK", WRITES},
    {"PTTL k", ":9900", READS},
    {"SET k v PXAT 1700000000350", "+OK", WRITES},
    {"PTTL k", ":250", READS},
    {"WAIT 250", "", READS},
    {"GET k", "nil", READS},
    {"SET k v EX 5 EX 6", "+OK", WRITES},
    {"TTL k", ":6", READS})

STEPS(set_refuses_wrong_times,
    {"SET k v EX", SYNTAX, READS},
    {"SET k v EX 1 PX 1", SYNTAX, READS},
    {"SET k v EX 1 KEEPTTL", SYNTAX, READS},
    {"SET k v KEEPTTL EX 1", SYNTAX, READS},
    {"SET k v EX x", NOT_INTEGER, READS},
    {"SET k v EX ''", NOT_INTEGER, READS},
    {"SET k v EX 0", "-ERR invalid expire time in 'set' command", READS},
    {"SET k v PX -1", "-ERR invalid expire time in 'set' command", READS},
    {"SET k v EXAT 0", "-ERR invalid expire time in 'set' command", READS},
    {"SET k v EX 9223372036854775", "-ERR invalid expire time in 'set' command",
     READS},
    {"SET k v PX 9223372036854775807",
     "-ERR invalid expire time in 'set' command", READS},
    {"SET k v PXAT 9223372036854775807", "+OK", WRITES},
    {"GET k", "$v", READS})

STEPS(a_time_in_the_past_deletes,
    {"SET k v EXAT 1000", "+OK", READS},
    {"EXISTS k", ":0", READS},
    {"SET k v", "+OK", WRITES},
    {"SET k w PXAT 1000 GET", "$v", WRITES},
    {"EXISTS k", ":0", READS})

STEPS(setex_and_psetex,
    {"SETEX k 10 v", "+OK", WRITES},
    {"TTL k", ":10", READS},
    {"PSETEX k 10 v", "+OK", WRITES},
    {"PTTL k", ":10", READS},
    {"SETEX k 0 v", "-ERR invalid expire time in 'setex' command", READS},
    {"SETEX k x v", NOT_INTEGER, READS},
    {"PSETEX k -1 v", "-ERR invalid expire time in 'psetex' command", READS},
    {"HSET h f v", ":1", WRITES},
    {"SETEX h 1 v", "+OK", WRITES})

STEPS(setnx_getset_and_getdel,
    {"SETNX k 1", ":1", WRITES},
    {"SETNX k 2", ":0", READS},
    {"EXPIRE k 10", ":1", WRITES},
    {"GETSET k 3", "$1", WRITES},
    {"TTL k", ":-1", READS},
    {"GETSET new 1", "nil", WRITES},
    {"GETDEL k", "$3", WRITES},
    {"GETDEL k", "nil", READS},
    {"HSET h f v", ":1", WRITES},
    {"SETNX h 1", ":0", READS},
    {"GETSET h 1", WRONG_TYPE, READS},
    {"GETDEL h", WRONG_TYPE, READS})

STEPS(getex,
    {"GETEX k EX 10", "nil", READS},
    {"SET k v", "+OK", WRITES},
    {"GETEX k", "$v", READS},
    {"GETEX k PERSIST", "$v", READS},
    {"GETEX k EX 10", "$v", WRITES},
    {"TTL k", ":10", READS},
    {"GETEX k PX 700", "$v", WRITES},
    {"PTTL k", ":700", READS},
    {"GETEX k EXAT 1700000020", "$v", WRITES},
    {"TTL k", ":20", READS},
    {"GETEX k persist", "$v", WRITES},
    {"TTL k", ":-1", READS},
    {"GETEX k EX 0", "-ERR invalid expire time in 'getex' command", READS},
    {"GETEX k EX x", NOT_INTEGER, READS},
    {"GETEX k PERSIST EX 1", SYNTAX, READS},
    {"GETEX k EX 1 PERSIST", SYNTAX, READS},
    {"GETEX k NX", SYNTAX, READS},
    {"GETEX k KEEPTTL", SYNTAX, READS},
    {"GETEX k EX", SYNTAX, READS},
    {"GETEX k PXAT 1", "$v", WRITES},
    {"GET k", "nil", READS},
    {"HSET h f v", ":1", WRITES},
    {"GETEX h EX 10", WRONG_TYPE, READS})

STEPS(strlen_and_append,
    {"STRLEN k", ":0", READS},
    {"APPEND k ''", ":0", WRITES},
    {"EXISTS k", ":1", READS},
    {"APPEND k ''", ":0", READS},
    {"APPEND k abc", ":3", WRITES},
    {"EXPIRE k 10", ":1", WRITES},
    {"APPEND k de", ":5", WRITES},
    {"TTL k", ":10", READS},
    {"GET k", "$abcde", READS},
    {"STRLEN k", ":5", READS},
    {"SET k " NINETY_BYTES, "+OK", WRITES},
    {"APPEND k " TEN_BYTES "x", TOO_LONG, READS},
    {"APPEND k " TEN_BYTES, ":100", WRITES},
    {"APPEND k x", TOO_LONG, READS},
    {"HSET h f v", ":1", WRITES},
    {"STRLEN h", WRONG_TYPE, READS},
    {"APPEND h x", WRONG_TYPE, READS})

STEPS(counters,
    {"INCR k", ":1", WRITES},
    {"INCRBY k 10", ":11", WRITES},
    {"EXPIRE k 10", ":1", WRITES},
    {"DECR k", ":10", WRITES},
    {"DECRBY k 15", ":-5", WRITES},
    {"TTL k", ":10", READS},
    {"GET k", "$-5", READS},
    {"DECRBY new -3", ":3", WRITES},
    {"INCRBY k x", NOT_INTEGER, READS},
    {"INCRBY k 1.5", NOT_INTEGER, READS},
    {"DECRBY k 9223372036854775808", NOT_INTEGER, READS},
    {"DECRBY k -9223372036854775808", "-ERR decrement would overflow", READS},
    {"SET k 9223372036854775807", "+OK", WRITES},
    {"INCR k", OVERFLOW, READS},
    {"DECRBY k -1", OVERFLOW, READS},
    {"SET k -9223372036854775808", "+OK", WRITES},
    {"DECR k", OVERFLOW, READS},
    {"INCRBY k -1", OVERFLOW, READS},
    {"SET k text", "+OK", WRITES},
    {"INCR k", NOT_INTEGER, READS},
    {"SET k 01", "+OK", WRITES},
    {"INCR k", NOT_INTEGER, READS},
    {"HSET h f v", ":1", WRITES},
    {"INCR h", WRONG_TYPE, READS})

STEPS(many_keys_one_at_a_time,
    {"MSET k v", "+OK", WRITES},
    {"MGET k", "$v", READS},
    {"MGET missing", "nil", READS},
    {"HSET h f v", ":1", WRITES},
    {"MGET h", "nil", READS},
    {"EXISTS h", ":1", READS},
    {"TOUCH h", ":1", READS},
    {"TOUCH missing", ":0", READS},
    {"DEL h", ":1", WRITES},
    {"DEL h", ":0", READS},
    {"UNLINK k", ":1", WRITES},
    {"UNLINK k", ":0", READS},
    {"EXISTS k", ":0", READS},
    {"SETEX k 10 v", "+OK", WRITES},
    {"MSET k w", "+OK", WRITES},
    {"TTL k", ":-1", READS})

STEPS(times_left,
    {"TTL k", ":-2", READS},
    {"PTTL k", ":-2", READS},
    {"EXPIRETIME k", ":-2", READS},
    {"PEXPIRETIME k", ":-2", READS},
    {"SET k v", "+OK", WRITES},
    {"TTL k", ":-1", READS},
    {"PTTL k", ":-1", READS},
    {"EXPIRETIME k", ":-1", READS},
    {"PEXPIRETIME k", ":-1", READS},
    {"SET k v PX 1499", "+OK", WRITES},
    {"TTL k", ":1", READS},
    {"EXPIRETIME k", ":1700000001", READS},
    {"PEXPIRETIME k", ":1700000001499", READS},
    {"SET k v PX 1500", "+OK", WRITES},
    {"TTL k", ":2", READS},
    {"WAIT 1001", "", READS},
    {"TTL k", ":0", READS},
    {"PTTL k", ":499", READS},
    {"WAIT 499", "", READS},
    {"TTL k", ":-2", READS})

STEPS(expire_and_persist,
    {"EXPIRE k 10", ":0", READS},
    {"PERSIST k", ":0", READS},
    {"SET k v", "+OK", WRITES},
    {"PERSIST k", ":0", READS},
    {"EXPIRE k 10", ":1", WRITES},
    {"PTTL k", ":10000", READS},
    {"PEXPIRE k 300", ":1", WRITES},
    {"PTTL k", ":300", READS},
    {"EXPIREAT k 1700000100", ":1", WRITES},
    {"PTTL k", ":100000", READS},
    {"PEXPIREAT k 1700000000007", ":1", WRITES},
    {"PTTL k", ":7", READS},
    {"PERSIST k", ":1", WRITES},
    {"TTL k", ":-1", READS},
    {"HSET h f v", ":1", WRITES},
    {"EXPIRE h 1", ":1", WRITES},
    {"WAIT 1000", "", READS},
    {"HGET h f", "nil", READS})

STEPS(expiring_at_once_deletes,
    {"SET a v", "+OK", WRITES},
    {"EXPIRE a 0", ":1", WRITES},
    {"EXISTS a", ":0", READS},
    {"SET a v", "+OK", WRITES},
    {"PEXPIRE a -5", ":1", WRITES},
    {"EXISTS a", ":0", READS},
    {"SET a v", "+OK", WRITES},
    {"EXPIREAT a 1000", ":1", WRITES},
    {"EXISTS a", ":0", READS},
    {"SET a v", "+OK", WRITES},
    {"PEXPIREAT a -9223372036854775808", ":1", WRITES},
    {"EXISTS a", ":0", READS},
    {"EXPIRE a 0", ":0", READS})

STEPS(expire_has_conditions,
    {"SET k v", "+OK", WRITES},
    {"EXPIRE k 10 XX", ":0", READS},
    {"EXPIRE k 10 GT", ":0", READS},
    {"EXPIRE k 10 lt", ":1", WRITES},
    {"EXPIRE k 20 NX", ":0", READS},
    {"EXPIRE k 10 GT", ":0", READS},
    {"EXPIRE k 11 GT", ":1", WRITES},
    {"EXPIRE k 11 LT", ":0", READS},
    {"EXPIRE k 5 XX LT", ":1", WRITES},
    {"EXPIRE k 7 XX", ":1", WRITES},
    {"EXPIRE k -1 GT", ":0", READS},
    {"PERSIST k", ":1", WRITES},
    {"EXPIRE k 9 XX LT", ":0", READS},
    {"EXPIRE k 9 NX", ":1", WRITES},
    {"EXPIRE k 9 NX XX",
     "-ERR NX and XX, GT or LT options at the same time are not compatible",
     READS},
    {"EXPIRE k 9 LT NX",
     "-ERR NX and XX, GT or LT options at the same time are not compatible",
     READS},
    {"EXPIRE k 9 GT LT",
     "-ERR GT and LT options at the same time are not compatible", READS},
    {"EXPIRE k 9 foo", "-ERR Unsupported option foo", READS})

STEPS(expire_refuses_wrong_times,
    {"SET k v", "+OK", WRITES},
    {"EXPIRE k x", NOT_INTEGER, READS},
    {"EXPIRE k 9223372036854775807",
     "-ERR invalid expire time in 'expire' command", READS},
    {"EXPIRE k -9223372036854775808",
     "-ERR invalid expire time in 'expire' command", READS},
    {"PEXPIRE k 9223372036854775807",
     "-ERR invalid expire time in 'pexpire' command", READS},
    {"EXPIREAT k 9223372036854775807",
     "-ERR invalid expire time in 'expireat' command", READS},
    {"EXPIRE missing 9223372036854775807",
     "-ERR invalid expire time in 'expire' command", READS},
    {"PEXPIREAT k 9223372036854775807", ":1", WRITES},
    {"GET k", "$v", READS})

STEPS(types,
    {"TYPE k", "+none", READS},
    {"SET k v", "+OK", WRITES},
    {"TYPE k", "+string", READS},
    {"HSET h f v", ":1", WRITES},
    {"TYPE h", "+hash", READS})

STEPS(hashes_are_set,
    {"HSET h a 1 b 2", ":2", WRITES},
    {"HSET h a 3 c 4 c 5", ":1", WRITES},
    {"HGETALL h", "{$a $3 $b $2 $c $5}", READS},
    {"HMSET h d 6 '' ''", "+OK", WRITES},
    {"HGET h ''", "$", READS},
    {"HLEN h", ":5", READS},
    {"HSETNX h a 7", ":0", READS},
    {"HSETNX h e 7", ":1", WRITES},
    {"HSETNX n f v", ":1", WRITES},
    {"HSET h a 1 b", "-ERR wrong number of arguments for 'hset' command",
     READS},
    {"HMSET h a 1 b", "-ERR wrong number of arguments for 'hmset' command",
     READS},
    {"EXPIRE h 10", ":1", WRITES},
    {"HSET h a 9", ":0", WRITES},
    {"TTL h", ":10", READS})

STEPS(hashes_are_read,
    {"HGET h a", "nil", READS},
    {"HMGET h a b", "[nil nil]", READS},
    {"HGETALL h", "{}", READS},
    {"HKEYS h", "[]", READS},
    {"HVALS h", "[]", READS},
    {"HLEN h", ":0", READS},
    {"HEXISTS h a", ":0", READS},
    {"HSTRLEN h a", ":0", READS},
    {"HSET h a one b ''", ":2", WRITES},
    {"HGET h a", "$one", READS},
    {"HGET h x", "nil", READS},
    {"HMGET h b x a a", "[$ nil $one $one]", READS},
    {"HGETALL h", "{$a $one $b $}", READS},
    {"HKEYS h", "[$a $b]", READS},
    {"HVALS h", "[$one $]", READS},
    {"HLEN h", ":2", READS},
    {"HEXISTS h b", ":1", READS},
    {"HEXISTS h x", ":0", READS},
    {"HSTRLEN h a", ":3", READS},
    {"HSTRLEN h x", ":0", READS})

STEPS(fields_are_deleted,
    {"HDEL h a", ":0", READS},
    {"HSET h a 1 b 2 c 3", ":3", WRITES},
    {"HDEL h x", ":0", READS},
    {"HDEL h a x a", ":1", WRITES},
    {"HKEYS h", "[$b $c]", READS},
    {"HDEL h b c", ":2", WRITES},
    {"EXISTS h", ":0", READS})

STEPS(fields_count,
    {"HINCRBY h n 5", ":5", WRITES},
    {"HINCRBY h n -7", ":-2", WRITES},
    {"HGET h n", "$-2", READS},
    {"HINCRBY h n x", NOT_INTEGER, READS},
    {"HSET h t text max 9223372036854775807", ":2", WRITES},
    {"HINCRBY h t 1", "-ERR hash value is not an integer", READS},
    {"HINCRBY h max 1", OVERFLOW, READS},
    {"HINCRBY h max -7", ":9223372036854775800", WRITES})

/* A field costs 8 bytes besides its name and value. */
STEPS(hashes_have_a_largest_size,
    {"HSET h f " NINETY_BYTES, ":1", WRITES},
    {"HSET h g x", TOO_LONG, READS},
    {"HSETNX h g x", TOO_LONG, READS},
    {"HMSET h g x", TOO_LONG, READS},
    {"HINCRBY h g 1", TOO_LONG, READS},
    {"HSET h f x" NINETY_BYTES, ":0", WRITES},
    {"HSET h f xx" NINETY_BYTES, TOO_LONG, READS},
    {"HSET h f small g x", ":1", WRITES},
    {"HGETALL h", "{$f $small $g $x}", READS},
    {"HSET new f " NINETY_BYTES TEN_BYTES, TOO_LONG, READS},
    {"EXISTS new", ":0", READS})

STEPS(hash_commands_want_hashes,
    {"SET k v", "+OK", WRITES},
    {"HSET k f v", WRONG_TYPE, READS},
    {"HMSET k f v", WRONG_TYPE, READS},
    {"HSETNX k f v", WRONG_TYPE, READS},
    {"HGET k f", WRONG_TYPE, READS},
    {"HMGET k f", WRONG_TYPE, READS},
    {"HGETALL k", WRONG_TYPE, READS},
    {"HDEL k f", WRONG_TYPE, READS},
    {"HEXISTS k f", WRONG_TYPE, READS},
    {"HLEN k", WRONG_TYPE, READS},
    {"HKEYS k", WRONG_TYPE, READS},
    {"HVALS k", WRONG_TYPE, READS},
    {"HINCRBY k f 1", WRONG_TYPE, READS},
    {"HSTRLEN k f", WRONG_TYPE, READS},
    {"HSET k f v g", "-ERR wrong number of arguments for 'hset' command",
     READS})

STEPS(everything_is_counted_and_flushed,
    {"DBSIZE", ":0", READS},
    {"FLUSHALL", "+OK", READS},
    {"SET a 1", "+OK", WRITES},
    {"SET b 1", "+OK", WRITES},
    {"DBSIZE", ":2", READS},
    {"FLUSHALL now", SYNTAX, READS},
    {"FLUSHDB ASYNC SYNC", SYNTAX, READS},
    {"FLUSHALL async", "+OK", WRITES},
    {"DBSIZE", ":0", READS},
    {"SET a 1", "+OK", WRITES},
    {"FLUSHDB SYNC", "+OK", WRITES},
    {"EXISTS a", ":0", READS})

/* clang-format on */

/* Runs @line with ever later allocations failing, until it works. */
static void fail_each_allocation(struct fixture *f, const char *line)
{
    struct hf_slice argv[ARGUMENTS_MAX];
    struct hf_command command = {.argc = split(line, argv), .argv = argv};
    command.row = hf_command_find(argv[0]);
    for (uint64_t nth = 1;; nth++) {
        struct hf_apply apply = start_apply(f);
        hf_buffer_close(&f->effects);
        hf_buffer_close(&f->scratch);
        failing_mem_fail_nth(&f->failing, nth);
        command.row->apply(&apply, &command);
        bool failed = f->failing.failed;
        failing_mem_fail_nth(&f->failing, 0);
        if (!failed) {
            break;
        }
        if (f->effects.failed) {
            continue; /* The node answers then. */
        }
        assert_int_equal(f->effects.size, 0);
        assert_int_equal(apply.reply.kind, HF_REPLY_ERROR);
    }
}

static void without_memory_no_command_lies(void **state)
{
    struct fixture *f = *state;
    int effects;
    run(f, "SET k " NINETY_BYTES, &effects);
    run(f, "SET n 1", &effects);
    run(f, "HSET h a 1 b 2", &effects);
    const char *lines[] = {
        "SET k v GET",   "GETDEL k",    "GETEX k EX 10", "GETSET k v",
        "APPEND k x",    "INCR n",      "HSET h c 3",    "HDEL h a",
        "HGETALL h",     "HMGET h a b", "HKEYS h",       "HVALS h",
        "HINCRBY h a 1", "EXPIRE k 10", "DEL k",
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(lines); i++) {
        fail_each_allocation(f, lines[i]);
    }
}

int main(void)
{
#define CASE(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(get_and_set),
        CASE(set_has_conditions),
        CASE(set_has_a_time_to_live),
        CASE(set_refuses_wrong_times),
        CASE(a_time_in_the_past_deletes),
        CASE(setex_and_psetex),
        CASE(setnx_getset_and_getdel),
        CASE(getex),
        CASE(strlen_and_append),
        CASE(counters),
        CASE(many_keys_one_at_a_time),
        CASE(times_left),
        CASE(expire_and_persist),
        CASE(expiring_at_once_deletes),
        CASE(expire_has_conditions),
        CASE(expire_refuses_wrong_times),
        CASE(types),
        CASE(hashes_are_set),
        CASE(hashes_are_read),
        CASE(fields_are_deleted),
        CASE(fields_count),
        CASE(hashes_have_a_largest_size),
        CASE(hash_commands_want_hashes),
        CASE(everything_is_counted_and_flushed),
        CASE(without_memory_no_command_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
