/* Every command with its answer. The answers were compared with those of Redis
 * 7.0. */
#include "support/steps.h"

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
static void fail_each_allocation(struct steps *f, const char *line)
{
    struct hf_slice argv[STEPS_ARGUMENTS_MAX];
    struct hf_command command = {.argc = steps_split(line, argv), .argv = argv};
    command.row = hf_command_find(argv[0]);
    for (uint64_t nth = 1;; nth++) {
        struct hf_apply apply = steps_apply(f);
        hf_buffer_close(&f->effects);
        hf_buffer_close(&f->scratch);
        failing_mem_fail_nth(&f->failing, nth);
        hf_apply_find(&apply, &command);
        hf_command_apply(&apply, &command);
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
    struct steps *f = *state;
    int effects;
    steps_ask(f, "SET k " NINETY_BYTES, &effects);
    steps_ask(f, "SET n 1", &effects);
    steps_ask(f, "HSET h a 1 b 2", &effects);
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
    const struct CMUnitTest tests[] = {
        STEPS_CASE(get_and_set),
        STEPS_CASE(set_has_conditions),
        STEPS_CASE(set_has_a_time_to_live),
        STEPS_CASE(set_refuses_wrong_times),
        STEPS_CASE(a_time_in_the_past_deletes),
        STEPS_CASE(setex_and_psetex),
        STEPS_CASE(setnx_getset_and_getdel),
        STEPS_CASE(getex),
        STEPS_CASE(strlen_and_append),
        STEPS_CASE(counters),
        STEPS_CASE(many_keys_one_at_a_time),
        STEPS_CASE(times_left),
        STEPS_CASE(expire_and_persist),
        STEPS_CASE(expiring_at_once_deletes),
        STEPS_CASE(expire_has_conditions),
        STEPS_CASE(expire_refuses_wrong_times),
        STEPS_CASE(types),
        STEPS_CASE(hashes_are_set),
        STEPS_CASE(hashes_are_read),
        STEPS_CASE(fields_are_deleted),
        STEPS_CASE(fields_count),
        STEPS_CASE(hashes_have_a_largest_size),
        STEPS_CASE(hash_commands_want_hashes),
        STEPS_CASE(everything_is_counted_and_flushed),
        STEPS_CASE(without_memory_no_command_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
