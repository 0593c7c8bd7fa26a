/* What is done only when the value is what the client saw; parts of strings;
 * dumps. */
#include <string.h>

#include "base/hash.h"
#include "support/steps.h"

#define SYNTAX "-ERR syntax error"
#define TYPE                                                                   \
    "-WRONGTYPE Operation against a key holding the wrong kind of value"
#define DIGEST "-ERR must be exactly 16 hexadecimal characters"
#define NOT_STRING                                                             \
    "-ERR Key should be of string type if conditions are specified"
#define HELLO "9555e8555c62dcfd" /* XXH3 of "hello". */

/* clang-format off */

STEPS(set_compares_before_it_stores,
    {"SET k v IFEQ w", "nil", READS},
    {"SET k v IFDEQ " HELLO, "nil", READS},
    {"EXISTS k", ":0", READS},
    {"SET k hello IFNE w", "+OK", WRITES},
    {"SET k v IFNE hello", "nil", READS},
    {"SET k v IFEQ other", "nil", READS},
    {"SET k v IFEQ other GET", "$hello", READS},
    {"SET k v IFEQ hello GET EX 10", "$hello", WRITES},
    {"TTL k", ":10", READS},
    {"SET k hello KEEPTTL ifeq v", "+OK", WRITES},
    {"TTL k", ":10", READS},
    {"SET k w IFDNE " HELLO, "nil", READS},
    {"SET k w IFDEQ 0000000000000000", "nil", READS},
    {"SET k w IFDEQ 9555E8555C62DCFD", "+OK", WRITES},
    {"SET k hello IFDNE " HELLO, "+OK", WRITES},
    {"SET n 1 IFDNE " HELLO, "+OK", WRITES},
    {"SET k w IFDEQ 123", DIGEST, READS},
    {"SET k w IFDNE " HELLO "0", DIGEST, READS},
    {"SET k w IFEQ", SYNTAX, READS},
    {"SET k w IFEQ a IFNE b", SYNTAX, READS},
    {"SET k w NX IFEQ a", SYNTAX, READS},
    {"SET k w IFEQ a XX", SYNTAX, READS},
    {"GETEX k IFEQ hello", SYNTAX, READS},
    {"HSET h f v", ":1", WRITES},
    {"SET h v IFEQ a", TYPE, READS},
    {"SET h v IFNE a", TYPE, READS},
    {"GET k", "$hello", READS})

STEPS(delex_compares_before_it_deletes,
    {"DELEX k", ":0", READS},
    {"DELEX k IFEQ v", ":0", READS},
    {"DELEX k NOPE v", ":0", READS},
    {"SET k hello", "+OK", WRITES},
    {"DELEX k IFEQ v", ":0", READS},
    {"DELEX k IFNE hello", ":0", READS},
    {"DELEX k IFDNE " HELLO, ":0", READS},
    {"DELEX k IFDEQ zzzzzzzzzzzzzzzz", ":0", READS},
    {"DELEX k IFDEQ 12", DIGEST, READS},
    {"DELEX k NOPE v",
     "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE", READS},
    {"DELEX k IFEQ",
     "-ERR wrong number of arguments for 'delex' command", READS},
    {"DELEX k IFDEQ " HELLO, ":1", WRITES},
    {"SET k 0123", "+OK", WRITES},
    {"DELEX k IFEQ 123", ":0", READS},
    {"DELEX k IFNE 123", ":1", WRITES},
    {"HSET h f v", ":1", WRITES},
    {"DELEX h IFEQ v", NOT_STRING, READS},
    {"DELEX h", ":1", WRITES})

STEPS(delifeq_lets_go_of_ones_own_lock,
    {"DELIFEQ lock me", ":0", READS},
    {"SET lock me", "+OK", WRITES},
    {"DELIFEQ lock you", ":0", READS},
    {"DELIFEQ lock me", ":1", WRITES},
    {"HSET h f v", ":1", WRITES},
    {"DELIFEQ h v", TYPE, READS})

STEPS(a_digest_is_sixteen_digits,
    {"DIGEST k", "nil", READS},
    {"SET k hello", "+OK", WRITES},
    {"DIGEST k", "$" HELLO, READS},
    {"SET k ''", "+OK", WRITES},
    {"DIGEST k", "$2d06800538d394c2", READS},
    {"SET k v8", "+OK", WRITES},
    {"DIGEST k", "$0cc76dbb41381419", READS},
    {"HSET h f v", ":1", WRITES},
    {"DIGEST h", TYPE, READS})

STEPS(what_compares_may_be_fenced,
    {"SET sess:a v", "+OK", WRITES},
    {"DELEX sess:a IFEQ v", ":1", WRITES},
    {"SET sess:a v IFNE w", "nil", READS},
    {"SET sess:b v", "+OK", WRITES},
    {"DELIFEQ sess:b v", ":1", WRITES},
    {"SET sess:b v", "nil", READS})

STEPS(parts_of_strings_change_only_when_they_differ,
    {"SETRANGE k 0 ''", ":0", READS},
    {"SETRANGE k 1 b", ":2", WRITES},
    {"SETRANGE k 0 ''", ":2", READS},
    {"SETRANGE k 99 xx", "-ERR string exceeds maximum allowed size (100 bytes)",
     READS},
    {"SETBIT k 800 1", "-ERR string exceeds maximum allowed size (100 bytes)",
     READS},
    {"SETBIT b 7 1", ":0", WRITES},
    {"SETBIT b 7 1", ":1", READS},
    {"SETBIT b 0 0", ":0", READS},
    {"SETBIT b 8 0", ":0", WRITES},
    {"STRLEN b", ":2", READS},
    {"SET t 1 PX 5000", "+OK", WRITES},
    {"INCRBYFLOAT t 0.5", "$1.5", WRITES},
    {"SETRANGE t 0 2", ":3", WRITES},
    {"PTTL t", ":5000", READS})

/* clang-format on */

static struct hf_reply ask(struct steps *f, struct hf_slice *argv,
                           uint32_t argc, struct hf_apply *apply)
{
    struct hf_command command = {
        .row = hf_command_find(argv[0]), .argc = argc, .argv = argv};
    *apply = steps_apply(f);
    hf_apply_find(apply, &command);
    hf_command_apply(apply, &command);
    return apply->reply;
}

/* Restores @dump to @key, for @ttl. */
static struct hf_reply restore(struct steps *f, const char *key,
                               struct hf_slice dump, const char *ttl,
                               const char *option)
{
    struct hf_slice argv[] = {HF_SLICE_LITERAL("RESTORE"), hf_slice_text(key),
                              hf_slice_text(ttl), dump,
                              hf_slice_text(option == NULL ? "" : option)};
    struct hf_apply apply;
    struct hf_reply reply = ask(f, argv, option == NULL ? 4 : 5, &apply);
    struct hf_version version = {1, 1};
    assert_false(f->effects.failed);
    assert_int_equal(hf_sessions_apply(&f->sessions, argv[1], apply.hash,
                                       version, hf_buffer_slice(&f->effects),
                                       f->now),
                     0);
    hf_buffer_clear(&f->effects);
    return reply;
}

static struct hf_slice dump(struct steps *f, const char *key, uint8_t *place,
                            size_t room)
{
    struct hf_slice argv[] = {HF_SLICE_LITERAL("DUMP"), hf_slice_text(key)};
    struct hf_apply apply;
    struct hf_reply reply = ask(f, argv, 2, &apply);
    assert_int_equal(reply.kind, HF_REPLY_BULK);
    assert_in_range(reply.bytes.size, 1, room);
    memcpy(place, reply.bytes.data, reply.bytes.size);
    return (struct hf_slice){place, reply.bytes.size};
}

static void expect(struct steps *f, const char *line, const char *wanted)
{
    int effects;
    steps_ask(f, line, &effects);
    hf_buffer_put_u8(&f->text, 0);
    assert_string_equal((const char *)f->text.data, wanted);
}

static void expect_error(struct hf_reply reply, const char *text)
{
    assert_int_equal(reply.kind, HF_REPLY_ERROR);
    assert_true(hf_slice_equal(reply.bytes, hf_slice_text(text)));
}

static void a_dump_makes_an_equal_session(void **state)
{
    struct steps *f = *state;
    uint8_t place[256];
    expect(f, "HSET h f v g w", ":2");
    expect(f, "PEXPIRE h 5000", ":1");
    struct hf_slice bytes = dump(f, "h", place, sizeof(place));
    assert_int_equal(restore(f, "copy", bytes, "0", NULL).kind,
                     HF_REPLY_STATUS);
    expect(f, "HGETALL copy", "{$f $v $g $w}");
    expect(f, "PTTL copy", ":-1");
    expect_error(restore(f, "copy", bytes, "7000", NULL),
                 "BUSYKEY Target key name already exists.");
    assert_int_equal(restore(f, "copy", bytes, "7000", "REPLACE").kind,
                     HF_REPLY_STATUS);
    expect(f, "PTTL copy", ":7000");
    expect(f, "SET s text PX 100", "+OK");
    bytes = dump(f, "s", place, sizeof(place));
    assert_int_equal(restore(f, "copy", bytes, "0", "replace").kind,
                     HF_REPLY_STATUS);
    expect(f, "GET copy", "$text");
    expect(f, "PTTL copy", ":-1");
}

/* Whoever sends a dump can compute its sum. */
static void a_dump_is_not_believed(void **state)
{
    struct steps *f = *state;
    uint8_t place[256];
    expect(f, "SET s text", "+OK");
    struct hf_slice bytes = dump(f, "s", place, sizeof(place));
    for (size_t i = 0; i < bytes.size; i++) {
        place[i] ^= 1;
        expect_error(restore(f, "copy", bytes, "0", NULL),
                     "ERR DUMP payload version or checksum are wrong");
        place[i] ^= 1;
        expect_error(restore(f, "copy", (struct hf_slice){place, i}, "0", NULL),
                     "ERR DUMP payload version or checksum are wrong");
    }
    struct hf_buffer forged;
    hf_buffer_init(&forged, f->sessions.mem);
    for (unsigned kind = 0; kind < 256; kind++) {
        if (kind == HF_EFFECT_PUT) {
            continue;
        }
        hf_buffer_clear(&forged);
        hf_buffer_append_slice(&forged,
                               (struct hf_slice){place, bytes.size - 9});
        forged.data[0] = (uint8_t)kind;
        hf_buffer_put_u8(&forged, 1);
        hf_buffer_put_u64(&forged, hf_hash(hf_buffer_slice(&forged)));
        expect_error(restore(f, "copy", hf_buffer_slice(&forged), "0", NULL),
                     "ERR Bad data format");
    }
    hf_buffer_close(&forged);
    expect(f, "EXISTS copy", ":0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS_CASE(set_compares_before_it_stores),
        STEPS_CASE(delex_compares_before_it_deletes),
        STEPS_CASE(delifeq_lets_go_of_ones_own_lock),
        STEPS_CASE(a_digest_is_sixteen_digits),
        STEPS_CASE(what_compares_may_be_fenced),
        STEPS_CASE(parts_of_strings_change_only_when_they_differ),
        cmocka_unit_test_setup_teardown(a_dump_makes_an_equal_session,
                                        steps_open, steps_close),
        cmocka_unit_test_setup_teardown(a_dump_is_not_believed, steps_open,
                                        steps_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
