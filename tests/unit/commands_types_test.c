/* Commands on sets, sorted sets and lists, with their answers. The answers were
 * compared with those of Redis 7.0; <> is a set of RESP3, () a pair of it. */
#include "support/steps.h"

#define WRONG_TYPE                                                             \
    "-WRONGTYPE Operation against a key holding the wrong kind of value"
#define NOT_INTEGER "-ERR value is not an integer or out of range"
#define NOT_POSITIVE "-ERR value is out of range, must be positive"
#define SYNTAX "-ERR syntax error"
#define TOO_LONG "-ERR string exceeds maximum allowed size (100 bytes)"
#define FORTY "0123456789012345678901234567890123456789"

/* clang-format off */

STEPS(sets_have_members,
    {"SADD s a b a", ":2", WRITES},
    {"SADD s a", ":0", READS},
    {"SADD s c d", ":2", WRITES},
    {"TYPE s", "+set", READS},
    {"SCARD s", ":4", READS},
    {"SMEMBERS s", "<$a $b $c $d>", READS},
    {"SISMEMBER s b", ":1", READS},
    {"SISMEMBER s x", ":0", READS},
    {"SMISMEMBER s x a", "[:0 :1]", READS},
    {"SREM s a x a", ":1", WRITES},
    {"SMEMBERS s", "<$d $b $c>", READS},
    {"SREM s x", ":0", READS},
    {"SREM s b c d", ":3", WRITES},
    {"EXISTS s", ":0", READS},
    {"SMEMBERS s", "<>", READS},
    {"SMISMEMBER s a", "[:0]", READS})

STEPS(members_leave_at_random,
    {"SPOP s", "nil", READS},
    {"SPOP s 2", "<>", READS},
    {"SADD s a", ":1", WRITES},
    {"SRANDMEMBER s", "$a", READS},
    {"SRANDMEMBER s -3", "[$a $a $a]", READS},
    {"SRANDMEMBER s 3", "[$a]", READS},
    {"SRANDMEMBER s 0", "[]", READS},
    {"SRANDMEMBER s 1 1", SYNTAX, READS},
    {"SPOP s -1", NOT_POSITIVE, READS},
    {"SPOP s 0", "<>", READS},
    {"SPOP s", "$a", WRITES},
    {"EXISTS s", ":0", READS},
    {"SADD s a b", ":2", WRITES},
    {"SPOP s 5", "<$a $b>", WRITES},
    {"EXISTS s", ":0", READS})

STEPS(sets_are_shown_by_pages,
    {"SADD s a b c", ":3", WRITES},
    {"SSCAN s 0", "[$0 [$a $b $c]]", READS},
    {"SSCAN s 0 MATCH [ab]", "[$0 [$a $b]]", READS},
    {"SSCAN s 2 COUNT 1", "[$1 [$b]]", READS},
    {"SSCAN s 0 COUNT 0", SYNTAX, READS},
    {"SSCAN s 0 FOO", SYNTAX, READS},
    {"SSCAN s x", "-ERR invalid cursor", READS},
    {"SSCAN none 0 FOO", "[$0 []]", READS})

STEPS(types_do_not_mix,
    {"SADD s a", ":1", WRITES},
    {"ZADD z 1 a", ":1", WRITES},
    {"RPUSH l a", ":1", WRITES},
    {"HSET h f v", ":1", WRITES},
    {"GET s", WRONG_TYPE, READS},
    {"SADD z a", WRONG_TYPE, READS},
    {"ZADD s 1 a", WRONG_TYPE, READS},
    {"ZSCORE l a", WRONG_TYPE, READS},
    {"LPUSH h a", WRONG_TYPE, READS},
    {"HGET l f", WRONG_TYPE, READS},
    {"APPEND z x", WRONG_TYPE, READS},
    {"SMEMBERS l", WRONG_TYPE, READS},
    {"TYPE z", "+zset", READS},
    {"TYPE l", "+list", READS},
    {"EXPIRE s 100", ":1", WRITES},
    {"SADD s b", ":1", WRITES},
    {"PTTL s", ":100000", READS},
    {"SET z x", "+OK", WRITES},
    {"SET s x", "+OK", WRITES},
    {"PTTL s", ":-1", READS},
    {"DEL l", ":1", WRITES})

STEPS(values_have_a_limit,
    {"SADD s " FORTY " x", ":2", WRITES},
    {"SADD s 1" FORTY, TOO_LONG, READS},
    {"ZADD z 1 " FORTY, ":1", WRITES},
    {"ZADD z 1 1" FORTY, TOO_LONG, READS},
    {"ZADD z 2 " FORTY, ":0", WRITES},
    {"RPUSH l " FORTY " " FORTY, ":2", WRITES},
    {"RPUSH l 1234", TOO_LONG, READS},
    {"LSET l 0 123456789012345678901234567890123456789012345", TOO_LONG,
        READS})

STEPS(sorted_sets_have_scores,
    {"ZADD z 1 a 2.5 b -inf c", ":3", WRITES},
    {"ZADD z 1 a", ":0", READS},
    {"ZADD z NX 5 a 3 d", ":1", WRITES},
    {"ZADD z XX CH 5 a 3 e", ":1", WRITES},
    {"ZADD z GT CH 4 a 4 d", ":1", WRITES},
    {"ZADD z LT CH 4 a 9 d", ":1", WRITES},
    {"ZADD z INCR 0.1 a", ",4.0999999999999996", WRITES},
    {"ZADD z NX INCR 1 a", "nil", READS},
    {"ZADD z 1 x 2 x", ":1", WRITES},
    {"ZSCORE z x", ",2", READS},
    {"ZREM z x x", ":1", WRITES},
    {"ZCARD z", ":4", READS},
    {"ZSCORE z c", ",-inf", READS},
    {"ZSCORE z x", "nil", READS},
    {"ZMSCORE z a x", "[,4.0999999999999996 nil]", READS},
    {"ZINCRBY z 2 b", ",4.5", WRITES},
    {"ZINCRBY z inf c", "-ERR resulting score is not a number (NaN)", READS},
    {"ZRANK z c", ":0", READS},
    {"ZREVRANK z c", ":3", READS},
    {"ZRANK z x", "nil", READS},
    {"ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not "
        "compatible", READS},
    {"ZADD z GT LT 1 a", "-ERR GT, LT, and/or NX options at the same time are "
        "not compatible", READS},
    {"ZADD z INCR 1 a 2 b", "-ERR INCR option supports a single "
        "increment-element pair", READS},
    {"ZADD z x a", "-ERR value is not a valid float", READS},
    {"ZADD z nan a", "-ERR value is not a valid float", READS},
    {"ZADD z NX 1", SYNTAX, READS})

STEPS(sorted_sets_have_ranges,
    {"ZADD z 1 a 2 b 2 c 3 d 4 e", ":5", WRITES},
    {"ZRANGE z 0 -1", "[$a $b $c $d $e]", READS},
    {"ZRANGE z 1 2 WITHSCORES", "[($b ,2) ($c ,2)]", READS},
    {"ZRANGE z 0 1 REV", "[$e $d]", READS},
    {"ZRANGE z 5 9", "[]", READS},
    {"ZRANGE z (1 3 BYSCORE", "[$b $c $d]", READS},
    {"ZRANGE z 3 (1 BYSCORE REV LIMIT 1 1", "[$c]", READS},
    {"ZRANGE z -inf +inf BYSCORE LIMIT 2 -1", "[$c $d $e]", READS},
    {"ZRANGE z 0 1 LIMIT 0 1", "-ERR syntax error, LIMIT is only supported in "
        "combination with either BYSCORE or BYLEX", READS},
    {"ZRANGE z - + BYLEX WITHSCORES", "-ERR syntax error, WITHSCORES not "
        "supported in combination with BYLEX", READS},
    {"ZRANGEBYSCORE z 2 (4", "[$b $c $d]", READS},
    {"ZREVRANGEBYSCORE z 2 1 WITHSCORES", "[($c ,2) ($b ,2) ($a ,1)]", READS},
    {"ZRANGEBYSCORE z x 1", "-ERR min or max is not a float", READS},
    {"ZREVRANGE z 0 0", "[$e]", READS},
    {"ZCOUNT z 2 3", ":3", READS},
    {"ZRANGEBYLEX z x +", "-ERR min or max not valid string range item",
        READS},
    {"ZREMRANGEBYRANK z 0 0", ":1", WRITES},
    {"ZREMRANGEBYSCORE z 2 (3", ":2", WRITES},
    {"ZREMRANGEBYSCORE z 2 (3", ":0", READS},
    {"ZPOPMAX z", "[$e ,4]", WRITES},
    {"ZPOPMIN z 5", "[($d ,3)]", WRITES},
    {"EXISTS z", ":0", READS},
    {"ZPOPMIN z", "[]", READS},
    {"ZRANGE z 0 -1 WITHSCORES", "[]", READS},
    {"ZADD y 0 a 0 b 0 c", ":3", WRITES},
    {"ZRANGEBYLEX y [b +", "[$b $c]", READS},
    {"ZRANGE y (c - BYLEX REV", "[$b $a]", READS},
    {"ZLEXCOUNT y - (c", ":2", READS},
    {"ZSCAN y 0 MATCH [ab]", "[$0 [$a $0 $b $0]]", READS},
    {"ZREMRANGEBYLEX y - +", ":3", WRITES},
    {"EXISTS y", ":0", READS})

STEPS(lists_have_two_ends,
    {"RPUSH l b c", ":2", WRITES},
    {"LPUSH l a z", ":4", WRITES},
    {"LRANGE l 0 -1", "[$z $a $b $c]", READS},
    {"LRANGE l -2 9", "[$b $c]", READS},
    {"LLEN l", ":4", READS},
    {"LINDEX l -1", "$c", READS},
    {"LINDEX l 9", "nil", READS},
    {"LPOP l", "$z", WRITES},
    {"RPOP l 2", "[$c $b]", WRITES},
    {"LPOP l 0", "[]", READS},
    {"LPOP l -1", NOT_POSITIVE, READS},
    {"LPOP l 9", "[$a]", WRITES},
    {"EXISTS l", ":0", READS},
    {"LPOP l", "nil", READS},
    {"LPOP l 1", "nil array", READS},
    {"LPUSHX l a", ":0", READS},
    {"RPUSHX l a", ":0", READS})

STEPS(lists_change_in_the_middle,
    {"RPUSH l a b a c a", ":5", WRITES},
    {"LREM l -1 a", ":1", WRITES},
    {"LRANGE l 0 -1", "[$a $b $a $c]", READS},
    {"LREM l 1 a", ":1", WRITES},
    {"LRANGE l 0 -1", "[$b $a $c]", READS},
    {"LREM l 0 x", ":0", READS},
    {"LSET l 1 x", "+OK", WRITES},
    {"LSET l 9 x", "-ERR index out of range", READS},
    {"LSET none 0 x", "-ERR no such key", READS},
    {"LPOS l x", ":1", READS},
    {"LPOS l y", "nil", READS},
    {"LPOS l x COUNT 0", "[:1]", READS},
    {"LPOS l x COUNT -1", "-ERR COUNT can't be negative", READS},
    {"LTRIM l 0 9", "+OK", READS},
    {"LTRIM l 1 1", "+OK", WRITES},
    {"LRANGE l 0 -1", "[$x]", READS},
    {"LTRIM l 5 9", "+OK", WRITES},
    {"EXISTS l", ":0", READS},
    {"LREM l x a", NOT_INTEGER, READS})

STEPS(hashes_have_more,
    {"HINCRBYFLOAT h f 10.5", "$10.5", WRITES},
    {"HINCRBYFLOAT h f 0.1", "$10.6", WRITES},
    {"HINCRBYFLOAT h f -10.6", "$0", WRITES},
    {"HINCRBYFLOAT h f inf", "-ERR value is NaN or Infinity", READS},
    {"HINCRBYFLOAT h f x", "-ERR value is not a valid float", READS},
    {"HSET h g text", ":1", WRITES},
    {"HINCRBYFLOAT h g 1", "-ERR hash value is not a float", READS},
    {"HSCAN h 0", "[$0 [$f $0 $g $text]]", READS},
    {"HSCAN h 0 MATCH g", "[$0 [$g $text]]", READS},
    {"HDEL h g", ":1", WRITES},
    {"HRANDFIELD h", "$f", READS},
    {"HRANDFIELD h 2", "[$f]", READS},
    {"HRANDFIELD h -2 WITHVALUES", "[($f $0) ($f $0)]", READS},
    {"HRANDFIELD none", "nil", READS},
    {"HRANDFIELD h 1 FOO", SYNTAX, READS})

/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS_CASE(sets_have_members),
        STEPS_CASE(members_leave_at_random),
        STEPS_CASE(sets_are_shown_by_pages),
        STEPS_CASE(types_do_not_mix),
        STEPS_CASE(values_have_a_limit),
        STEPS_CASE(sorted_sets_have_scores),
        STEPS_CASE(sorted_sets_have_ranges),
        STEPS_CASE(lists_have_two_ends),
        STEPS_CASE(lists_change_in_the_middle),
        STEPS_CASE(hashes_have_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
