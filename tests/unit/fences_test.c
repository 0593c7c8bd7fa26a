/* What a deleted session leaves behind, as its clients see it. */
#include <string.h>

#include "support/steps.h"

#define SYNTAX "-ERR syntax error"
#define DELETED "-ERR the session was deleted"

/* clang-format off */

STEPS(a_deleted_session_is_fenced,
    {"SET sess:a v", "+OK", WRITES},
    {"DEL sess:a", ":1", WRITES},
    {"DEL sess:a", ":0", READS},
    {"SET sess:a w", "nil", READS},
    {"SET sess:a w NX", "nil", READS},
    {"SET sess:a w XX", "nil", READS},
    {"SET sess:a w GET EX 10", "nil", READS},
    {"SET sess:a w KEEPTTL", "nil", READS},
    {"SET sess:a w EX 0", "-ERR invalid expire time in 'set' command", READS},
    {"SET sess:a w now", SYNTAX, READS},
    {"SETEX sess:a 10 w", "nil", READS},
    {"PSETEX sess:a 10 w", "nil", READS},
    {"SETNX sess:a w", ":0", READS},
    {"GETSET sess:a w", "nil", READS},
    {"GETDEL sess:a", "nil", READS},
    {"GETEX sess:a EX 10", "nil", READS},
    {"MSET sess:a w", "+OK", READS},
    {"APPEND sess:a w", DELETED, READS},
    {"INCR sess:a", DELETED, READS},
    {"DECR sess:a", DELETED, READS},
    {"INCRBY sess:a 2", DELETED, READS},
    {"DECRBY sess:a 2", DELETED, READS},
    {"HSET sess:a f v", ":0", READS},
    {"HSETNX sess:a f v", ":0", READS},
    {"HMSET sess:a f v", "+OK", READS},
    {"HINCRBY sess:a f 1", DELETED, READS},
    {"HDEL sess:a f", ":0", READS},
    {"EXPIRE sess:a 10", ":0", READS},
    {"PEXPIRE sess:a 10", ":0", READS},
    {"EXPIREAT sess:a 2000000000", ":0", READS},
    {"PEXPIREAT sess:a 2000000000000", ":0", READS},
    {"PERSIST sess:a", ":0", READS},
    {"GET sess:a", "nil", READS})

STEPS(a_deleted_session_is_fenced_against_all_types,
    {"SADD sess:a m", ":1", WRITES},
    {"DEL sess:a", ":1", WRITES},
    {"SADD sess:a m", ":0", READS},
    {"ZADD sess:a 1 m", ":0", READS},
    {"ZINCRBY sess:a 1 m", DELETED, READS},
    {"LPUSH sess:a e", ":0", READS},
    {"RPUSH sess:a e", ":0", READS},
    {"LPUSHX sess:a e", ":0", READS},
    {"RPUSHX sess:a e", ":0", READS},
    {"SETRANGE sess:a 1 v", DELETED, READS},
    {"SETBIT sess:a 1 1", DELETED, READS},
    {"INCRBYFLOAT sess:a 1", DELETED, READS},
    {"HINCRBYFLOAT sess:a f 1", DELETED, READS},
    {"TYPE sess:a", "+none", READS})

STEPS(a_fence_does_not_show,
    {"HSET sess:a f v", ":1", WRITES},
    {"UNLINK sess:a", ":1", WRITES},
    {"SET b v", "+OK", WRITES},
    {"EXISTS sess:a", ":0", READS},
    {"TOUCH sess:a", ":0", READS},
    {"TYPE sess:a", "+none", READS},
    {"TTL sess:a", ":-2", READS},
    {"PEXPIRETIME sess:a", ":-2", READS},
    {"STRLEN sess:a", ":0", READS},
    {"HGETALL sess:a", "{}", READS},
    {"DBSIZE", ":1", READS})

STEPS(whatever_deletes_a_session_fences_it,
    {"SET sess:a v", "+OK", WRITES},
    {"GETDEL sess:a", "$v", WRITES},
    {"SET sess:a w", "nil", READS},
    {"SET sess:b v", "+OK", WRITES},
    {"EXPIRE sess:b 0", ":1", WRITES},
    {"SET sess:b w", "nil", READS},
    {"SET sess:c v", "+OK", WRITES},
    {"PEXPIREAT sess:c 1", ":1", WRITES},
    {"SET sess:c w", "nil", READS},
    {"SET sess:d v", "+OK", WRITES},
    {"SET sess:d w EXAT 1", "+OK", WRITES},
    {"SET sess:d w", "nil", READS},
    {"SET sess:e v", "+OK", WRITES},
    {"GETEX sess:e PXAT 1", "$v", WRITES},
    {"SET sess:e w", "nil", READS})

STEPS(nobody_logged_out_so_nothing_is_fenced,
    {"DEL sess:a", ":0", READS},
    {"SET sess:a v", "+OK", WRITES},
    {"HSET sess:b f v", ":1", WRITES},
    {"HDEL sess:b f", ":1", WRITES},
    {"HSET sess:b f v", ":1", WRITES},
    {"SET sess:c v PX 100", "+OK", WRITES},
    {"WAIT 100", "", READS},
    {"EXPIRE sess:c 10", ":0", READS},
    {"SET sess:c v", "+OK", WRITES},
    {"SET other v", "+OK", WRITES},
    {"DEL other", ":1", WRITES},
    {"SET other v", "+OK", WRITES},
    {"SET ses v", "+OK", WRITES},
    {"DEL ses", ":1", WRITES},
    {"SET ses v", "+OK", WRITES})

STEPS(a_fence_is_lifted_by_its_lifetime,
    {"SET sess:a v", "+OK", WRITES},
    {"DEL sess:a", ":1", WRITES},
    {"WAIT 599999", "", READS},
    {"SET sess:a w", "nil", READS},
    {"WAIT 1", "", READS},
    {"SET sess:a w", "+OK", WRITES})

STEPS(a_flush_leaves_fences_and_makes_none,
    {"SET sess:a v", "+OK", WRITES},
    {"SET sess:b v", "+OK", WRITES},
    {"DEL sess:a", ":1", WRITES},
    {"FLUSHALL", "+OK", WRITES},
    {"FLUSHALL", "+OK", READS},
    {"SET sess:a w", "nil", READS},
    {"SET sess:b w", "+OK", WRITES})

/* clang-format on */

static bool matches(const struct hf_fence_rules *rules, const char *key)
{
    return hf_fence_rules_match(rules, hf_slice_text(key));
}

static void prefixes_say_what_is_fenced(void **state)
{
    (void)state;
    struct hf_fence_rules rules;
    hf_fence_rules_init(&rules);
    assert_false(matches(&rules, "sess:1"));
    assert_false(matches(&rules, ""));
    assert_true(hf_fence_rules_add(&rules, hf_slice_text("sess:")));
    assert_true(hf_fence_rules_add(&rules, hf_slice_text("app2:")));
    assert_true(matches(&rules, "sess:1"));
    assert_true(matches(&rules, "app2:"));
    assert_false(matches(&rules, "app2"));
    assert_false(matches(&rules, "xsess:1"));
}

static void prefixes_have_bounds(void **state)
{
    (void)state;
    char text[HF_FENCE_PREFIX_BYTES_MAX + 2];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct hf_fence_rules rules;
    hf_fence_rules_init(&rules);
    assert_false(hf_fence_rules_add(&rules, hf_slice_text("")));
    assert_false(hf_fence_rules_add(&rules, hf_slice_text(text)));
    for (size_t i = 0; i < HF_FENCE_PREFIXES_MAX; i++) {
        assert_true(hf_fence_rules_add(&rules, hf_slice_text(text + 1)));
    }
    assert_false(hf_fence_rules_add(&rules, hf_slice_text("y")));
    assert_int_equal(rules.prefix_count, HF_FENCE_PREFIXES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_say_what_is_fenced),
        cmocka_unit_test(prefixes_have_bounds),
        STEPS_CASE(a_deleted_session_is_fenced),
        STEPS_CASE(a_deleted_session_is_fenced_against_all_types),
        STEPS_CASE(a_fence_does_not_show),
        STEPS_CASE(whatever_deletes_a_session_fences_it),
        STEPS_CASE(nobody_logged_out_so_nothing_is_fenced),
        STEPS_CASE(a_fence_is_lifted_by_its_lifetime),
        STEPS_CASE(a_flush_leaves_fences_and_makes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
