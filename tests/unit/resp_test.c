/* resp_test.c - The RESP parser and writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/failing_mem.h"
#include "wire/resp.h"

static const struct hf_resp_limits generous = {
    .argument_count_max = 1000,
    .bulk_bytes_max = 100000,
    .command_bytes_max = 1000000,
    .inline_bytes_max = 200,
};

/* A parser that is fed piece by piece and writes down what it finds, one line
 * per command: "(GET)(key)", "!ERR ..." or "!out of memory". */
struct feed {
    struct hf_mem mem;
    struct hf_resp_command parser;
    const struct hf_resp_limits *limits;
    struct hf_buffer trace;
    size_t offset; /* Of the first byte that belongs to no command yet. */
    bool refused;
};

#define PLAIN_ARGUMENTS 8

static void feed_open(struct feed *feed, const struct hf_resp_limits *limits)
{
    memset(feed, 0, sizeof(*feed));
    hf_mem_init_system(&feed->mem);
    hf_resp_command_init(&feed->parser, &feed->mem);
    hf_buffer_init(&feed->trace, &feed->mem);
    feed->limits = limits;
}

static void feed_close(struct feed *feed)
{
    hf_resp_command_close(&feed->parser);
    hf_buffer_close(&feed->trace);
    assert_int_equal(feed->mem.used_bytes, 0);
}

static void feed_note(struct feed *feed, enum hf_resp_status status)
{
    const struct hf_resp_command *parser = &feed->parser;
    if (status == HF_RESP_ERROR) {
        hf_buffer_append_text(&feed->trace, "!");
        hf_buffer_append_text(&feed->trace, parser->error_text == NULL
                                                ? "out of memory"
                                                : parser->error_text);
        feed->refused = true;
        return;
    }
    for (uint32_t i = 0; i < parser->argc; i++) {
        hf_buffer_append_text(&feed->trace, "(");
        hf_buffer_append_slice(&feed->trace, parser->argv[i]);
        hf_buffer_append_text(&feed->trace, ")");
    }
    hf_buffer_append_text(&feed->trace, "\n");
    feed->offset += parser->consumed;
}

/* Parses @input up to @size. Each look is at a fresh copy that ends where its
 * allocation ends, so that a read beyond it does not go unnoticed. */
static void feed_up_to(struct feed *feed, struct hf_slice input, size_t size)
{
    while (!feed->refused && feed->offset < size) {
        size_t left = size - feed->offset;
        uint8_t *copy = malloc(left);
        assert_non_null(copy);
        memcpy(copy, input.data + feed->offset, left);
        struct hf_slice rest = {copy, left};
        struct hf_slice argv[PLAIN_ARGUMENTS];
        uint32_t argc = 0;
        size_t plain = hf_resp_parse_plain(rest, feed->limits, argv,
                                           PLAIN_ARGUMENTS, &argc);
        enum hf_resp_status status =
            hf_resp_parse(&feed->parser, rest, feed->limits);
        if (plain > 0) { /* It knows less, but nothing else. */
            assert_int_equal(status, HF_RESP_OK);
            assert_int_equal(feed->parser.consumed, plain);
            assert_int_equal(feed->parser.argc, argc);
            for (uint32_t i = 0; i < argc; i++) {
                assert_true(hf_slice_equal(feed->parser.argv[i], argv[i]));
            }
        }
        if (status == HF_RESP_PARTIAL) {
            free(copy);
            assert_true(feed->parser.wanted > left);
            return;
        }
        if (status == HF_RESP_OK) {
            assert_in_range(feed->parser.consumed, 1, left);
        }
        feed_note(feed, status);
        free(copy);
    }
}

static void assert_trace(const struct feed *feed, const char *expected)
{
    assert_int_equal(feed->trace.size, strlen(expected));
    if (feed->trace.size > 0) {
        assert_memory_equal(feed->trace.data, expected, feed->trace.size);
    }
}

static void assert_parsed_by(const struct hf_resp_limits *limits,
                             const char *input, const char *expected)
{
    struct feed feed;
    feed_open(&feed, limits);
    feed_up_to(&feed, hf_slice_text(input), strlen(input));
    assert_trace(&feed, expected);
    feed_close(&feed);

    feed_open(&feed, limits);
    for (size_t size = 1; size <= strlen(input); size++) {
        feed_up_to(&feed, hf_slice_text(input), size);
    }
    assert_trace(&feed, expected);
    feed_close(&feed);
}

static void assert_parsed(const char *input, const char *expected)
{
    assert_parsed_by(&generous, input, expected);
}

static const char pipeline[] =
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\n\r\n$1\r\r\n"
    "*0\r\n"
    "PING  \"a\\x20b\" 'c d'\r\n"
    "\r\n"
    "*-1\r\n"
    "*2\r\n$0\r\n\r\n$12\r\n0123456789ab\r\n"
    "get k\n"
    "*1\r\n$4\r\nQUIT\r\n";
static const char pipeline_trace[] = "(SET)(k)(\r\n$1\r)\n"
                                     "\n"
                                     "(PING)(a b)(c d)\n"
                                     "\n"
                                     "\n"
                                     "()(0123456789ab)\n"
                                     "(get)(k)\n"
                                     "(QUIT)\n";

static void finds_the_commands_of_a_pipeline(void **state)
{
    (void)state;
    assert_parsed(pipeline, pipeline_trace);
}

static void finds_the_same_when_split_at_any_byte(void **state)
{
    (void)state;
    struct hf_slice input = HF_SLICE_LITERAL(pipeline);
    for (size_t cut = 1; cut < input.size; cut++) {
        struct feed feed;
        feed_open(&feed, &generous);
        feed_up_to(&feed, input, cut);
        feed_up_to(&feed, input, input.size);
        assert_trace(&feed, pipeline_trace);
        feed_close(&feed);
    }
}

static void finds_nothing_else_when_truncated_at_any_byte(void **state)
{
    (void)state;
    struct hf_slice input = HF_SLICE_LITERAL(pipeline);
    for (size_t cut = 0; cut < input.size; cut++) {
        struct feed feed;
        feed_open(&feed, &generous);
        feed_up_to(&feed, input, cut);
        assert_false(feed.refused);
        assert_true(feed.trace.size < strlen(pipeline_trace));
        if (feed.trace.size > 0) {
            assert_memory_equal(feed.trace.data, pipeline_trace,
                                feed.trace.size);
        }
        feed_close(&feed);
    }
}

static void waits_for_exactly_the_bytes_of_an_announced_argument(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_resp_command parser;
    hf_resp_command_init(&parser, &mem);
    struct hf_slice start = HF_SLICE_LITERAL("*1\r\n$50000\r\n01234");
    assert_int_equal(hf_resp_parse(&parser, start, &generous), HF_RESP_PARTIAL);
    assert_int_equal(parser.wanted, start.size - 5 + 50000 + 2);
    assert_int_equal(mem.used_bytes, 0); /* Announcing costs us nothing. */
    hf_resp_command_close(&parser);
}

/* Arguments that were complete are overwritten before the rest comes: when
 * they were read again, the command would not parse. */
static void does_not_read_again_what_it_has_seen(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_resp_command parser;
    hf_resp_command_init(&parser, &mem);
    char bytes[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    struct hf_slice all = {(const uint8_t *)bytes, sizeof(bytes) - 1};
    struct hf_slice part = {all.data, all.size - 4};
    assert_int_equal(hf_resp_parse(&parser, part, &generous), HF_RESP_PARTIAL);
    memset(bytes + 1, 'x', strlen("3\r\n$3\r\nSET\r\n$1\r\nk\r\n"));
    assert_int_equal(hf_resp_parse(&parser, all, &generous), HF_RESP_OK);
    assert_int_equal(parser.argc, 3);
    assert_true(hf_slice_equal(parser.argv[2], HF_SLICE_LITERAL("v")));

    char line[] = "ECHO 1\n";
    assert_int_equal(hf_resp_parse(&parser,
                                   (struct hf_slice){(uint8_t *)line, 5},
                                   &generous),
                     HF_RESP_PARTIAL);
    line[4] = '\n';
    assert_int_equal(hf_resp_parse(&parser,
                                   (struct hf_slice){(uint8_t *)line, 7},
                                   &generous),
                     HF_RESP_OK);
    assert_int_equal(parser.consumed, 7);
    hf_resp_command_close(&parser);
    assert_int_equal(mem.used_bytes, 0);
}

static void reads_inline_words_and_quotes_as_redis_does(void **state)
{
    (void)state;
    assert_parsed("  PING \t x \r\n", "(PING)(x)\n");
    assert_parsed("PING\rx\n", "(PING)(x)\n");
    assert_parsed("\t \r\n", "\n");
    assert_parsed("\"\"\n", "()\n");
    assert_parsed("E \"a b\\x41\\n\\r\\t\\b\\a\\q\\\"\\\\\" \r\n",
                  "(E)(a bA\n\r\t\b\aq\"\\)\n");
    assert_parsed("E 'a\\'b\\n' ''\r\n", "(E)(a'b\\n)()\n");
    assert_parsed("E \"\\x4\" \"\\xzz\" \"\\xFf\"\n", "(E)(x4)(xzz)(\xff)\n");
    assert_parsed("E a\"b c\" a'b'\n", "(E)(ab c)(ab)\n");
    assert_parsed("E a\vb\fc \v d\n", "(E)(a\vb\fc)(d)\n");
    assert_parsed("$3\r\n", "($3)\n");
}

#define PROTOCOL "!ERR Protocol error: "
#define UNBALANCED PROTOCOL "unbalanced quotes in request"

static void refuses_unbalanced_quotes(void **state)
{
    (void)state;
    assert_parsed("E \"a\r\n", UNBALANCED);
    assert_parsed("E 'a\r\n", UNBALANCED);
    assert_parsed("E \"a\"b\r\n", UNBALANCED);
    assert_parsed("E 'a'b\r\n", UNBALANCED);
    assert_parsed("E a'b c'd\r\n", UNBALANCED);
    assert_parsed("E 'a\"\r\n", UNBALANCED);
    assert_parsed("E \"a\\\"\r\n", UNBALANCED);
    assert_parsed("E \"a\\\nPING\n", UNBALANCED);
}

static void refuses_malformed_counts(void **state)
{
    (void)state;
    const char *const inputs[] = {"*x\r\n",
                                  "*\r\n",
                                  "* 1\r\n",
                                  "*1 \r\n",
                                  "*-\r\n",
                                  "*+1\r\n",
                                  "*01\r\n",
                                  "*-0\r\n",
                                  "*1\nx$\r\n",
                                  "*1.5\r\n",
                                  "*99999999999999999999\r\n"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(inputs); i++) {
        assert_parsed(inputs[i], PROTOCOL "invalid multibulk length");
    }
}

static void refuses_malformed_lengths(void **state)
{
    (void)state;
    const char *const inputs[] = {
        "*1\r\n$x\r\n",  "*1\r\n$\r\n",
        "*1\r\n$-1\r\n", "*1\r\n$+1\r\n",
        "*1\r\n$01\r\n", "*2\r\n$1\r\na\r\n$99999999999999999999\r\n"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(inputs); i++) {
        assert_parsed(inputs[i], PROTOCOL "invalid bulk length");
    }
}

static void refuses_arguments_that_are_not_bulk_strings(void **state)
{
    (void)state;
    assert_parsed("*1\r\nx3\r\n", PROTOCOL "expected '$', got 'x'");
    assert_parsed("*1\r\n*1\r\n", PROTOCOL "expected '$', got '*'");
    assert_parsed("*1\r\n\r\n", PROTOCOL "expected '$', got ' '");
    assert_parsed("*1\r\n\n", PROTOCOL "expected '$', got ' '");
    assert_parsed("*1\r\n\x01", PROTOCOL "expected '$', got '?'");
    assert_parsed("*2\r\n$1\r\nabcd\r\n", PROTOCOL "expected '$', got 'd'");
}

static void skips_line_ends_without_comparing_them(void **state)
{
    (void)state;
    assert_parsed("*1\rx$4\ryPINGzz*1\r\n$1\r\na\r\n", "(PING)\n(a)\n");
}

#define TOO_LONG                                                               \
    PROTOCOL "invalid bulk length (at most 10 bytes: setting max-value)"
#define TOO_LONG_IN_ALL                                                        \
    PROTOCOL "invalid bulk length (at most, for a whole command, 36 bytes: "   \
             "setting max-value)"

static void refuses_what_is_over_a_limit_once_announced(void **state)
{
    (void)state;
    static const struct hf_resp_limits tight = {
        .argument_count_max = 3,
        .bulk_bytes_max = 10,
        .command_bytes_max = 36,
        .inline_bytes_max = 12,
    };
    assert_parsed_by(&tight, "*4\r\n", PROTOCOL "invalid multibulk length");
    assert_parsed_by(&tight, "*1\r\n$11\r\n", TOO_LONG);
    assert_parsed_by(&tight, "*1\r\n$10\r\n0123456789\r\n", "(0123456789)\n");
    assert_parsed_by(&tight,
                     "*3\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n$1\r\n",
                     TOO_LONG_IN_ALL);
    assert_parsed_by(&tight,
                     "*3\r\n$9\r\n012345678\r\n$3\r\n012\r\n"
                     "$2\r\n01\r\n",
                     "(012345678)(012)(01)\n");
    assert_parsed_by(&tight,
                     "*3\r\n$9\r\n012345678\r\n$3\r\n012\r\n"
                     "$3\r\n",
                     TOO_LONG_IN_ALL);
    assert_parsed_by(&tight, "a b c \n", "(a)(b)(c)\n");
    assert_parsed_by(&tight, "a b c d\n", PROTOCOL "invalid multibulk length");
    assert_parsed_by(&tight, "01234567890\n", TOO_LONG);
    assert_parsed_by(&tight, "a 567890123\n", "(a)(567890123)\n");
    assert_parsed_by(&tight, "a 56789 1234\n", "(a)(56789)(1234)\n");
    assert_parsed_by(&tight, "a 56789 12345\n",
                     PROTOCOL "too big inline request");
    assert_parsed_by(&tight, "             ",
                     PROTOCOL "too big inline request");
}

static void refuses_lines_of_digits_without_end(void **state)
{
    (void)state;
    char digits[HF_RESP_LENGTH_BYTES_MAX + 1];
    memset(digits, '1', sizeof(digits) - 1);
    digits[sizeof(digits) - 1] = '\0';
    char input[100] = "*";
    strcat(input, digits);
    assert_parsed(input, PROTOCOL "too big mbulk count string");
    strcpy(input, "*1\r\n$");
    strcat(input, digits);
    assert_parsed(input, PROTOCOL "too big bulk count string");
}

static void says_when_it_is_out_of_memory(void **state)
{
    (void)state;
    const char *const inputs[] = {
        "*9\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n"
        "$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n",
        "1 2 3 4 5 6 7 8 9\n"};
    const uint64_t allocations[] = {4, 5};
    for (size_t i = 0; i < HF_ARRAY_COUNT(inputs); i++) {
        for (uint64_t nth = 1; nth <= allocations[i] + 1; nth++) {
            struct failing_mem failing;
            failing_mem_init(&failing);
            failing_mem_fail_nth(&failing, nth);
            struct hf_resp_command parser;
            hf_resp_command_init(&parser, &failing.mem);
            enum hf_resp_status status =
                hf_resp_parse(&parser, hf_slice_text(inputs[i]), &generous);
            if (nth <= allocations[i]) {
                assert_int_equal(status, HF_RESP_ERROR);
                assert_null(parser.error_text);
            } else {
                assert_int_equal(status, HF_RESP_OK);
                assert_int_equal(parser.argc, 9);
            }
            hf_resp_command_close(&parser);
            failing_mem_close(&failing);
        }
    }
}

static void gives_the_room_for_many_arguments_back(void **state)
{
    (void)state;
    struct feed feed;
    feed_open(&feed, &generous);
    struct hf_buffer input;
    hf_buffer_init(&input, &feed.mem);
    hf_buffer_append_text(&input, "*1000\r\n");
    for (int i = 0; i < 1000; i++) {
        hf_buffer_append_text(&input, "$1\r\nx\r\n");
    }
    hf_buffer_append_text(&input, "*1\r\n$1\r\nx\r\n");
    feed_up_to(&feed, hf_buffer_slice(&input), input.size);
    assert_int_equal(feed.parser.argc, 1);
    assert_true(feed.parser.capacity < 1000);
    hf_buffer_close(&input);
    feed_close(&feed);
}

/* What @reply looks like in @version. */
static void assert_written(const struct hf_reply *reply, int version,
                           const char *expected)
{
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_buffer out;
    hf_buffer_init(&out, &mem);
    hf_buffer_append_text(&out, "before");
    hf_resp_write(&out, reply, version);
    hf_buffer_append(&out, "", 1);
    assert_false(out.failed);
    assert_memory_equal(out.data, "before", 6);
    assert_string_equal((const char *)out.data + 6, expected);
    hf_buffer_close(&out);
}

static void assert_same_in_both(struct hf_reply reply, const char *expected)
{
    assert_written(&reply, 2, expected);
    assert_written(&reply, 3, expected);
}

static void writes_plain_replies(void **state)
{
    (void)state;
    assert_same_in_both(hf_reply_ok(), "+OK\r\n");
    assert_same_in_both(hf_reply_integer(INT64_MIN),
                        ":-9223372036854775808\r\n");
    assert_same_in_both(hf_reply_integer(7), ":7\r\n");
    assert_same_in_both(hf_reply_bulk(hf_slice_text("a\r\nb")),
                        "$4\r\na\r\nb\r\n");
    assert_same_in_both(hf_reply_bulk((struct hf_slice){NULL, 0}),
                        "$0\r\n\r\n");
    assert_same_in_both(hf_reply_error("ERR no"), "-ERR no\r\n");
    struct hf_reply nil = hf_reply_nil();
    assert_written(&nil, 2, "$-1\r\n");
    assert_written(&nil, 3, "_\r\n");
}

static void writes_no_line_end_inside_of_errors_and_statuses(void **state)
{
    (void)state;
    assert_same_in_both(hf_reply_error("ERR a\r\n+OK\nb\r"),
                        "-ERR a  +OK b \r\n");
    assert_same_in_both((struct hf_reply){.kind = HF_REPLY_STATUS,
                                          .bytes = hf_slice_text("a\r\nb")},
                        "+a  b\r\n");
}

static void writes_nested_replies_in_both_versions(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_buffer tokens;
    hf_buffer_init(&tokens, &mem);
    hf_reply_put_array(&tokens, 7);
    hf_reply_put_nil(&tokens);
    hf_reply_put_nil_array(&tokens);
    hf_reply_put_map(&tokens, 1);
    hf_reply_put_bulk(&tokens, HF_SLICE_LITERAL("k"));
    hf_reply_put_integer(&tokens, -5);
    hf_reply_put_set(&tokens, 1);
    hf_reply_put_verbatim(&tokens, HF_SLICE_LITERAL("a\r\nb"));
    hf_reply_put_status(&tokens, HF_SLICE_LITERAL("s\nt"));
    hf_reply_put_error(&tokens, HF_SLICE_LITERAL("ERR\r"));
    hf_reply_put_array(&tokens, 0);
    struct hf_reply reply = hf_reply_nested(&tokens);
    assert_written(&reply, 2,
                   "*7\r\n$-1\r\n*-1\r\n*2\r\n$1\r\nk\r\n:-5\r\n"
                   "*1\r\n$4\r\na\r\nb\r\n+s t\r\n-ERR \r\n*0\r\n");
    assert_written(&reply, 3,
                   "*7\r\n_\r\n_\r\n%1\r\n$1\r\nk\r\n:-5\r\n"
                   "~1\r\n=8\r\ntxt:a\r\nb\r\n+s t\r\n-ERR \r\n*0\r\n");
    hf_buffer_close(&tokens);
}

static void writes_nothing_when_tokens_are_not_one_value(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_buffer tokens;
    hf_buffer_init(&tokens, &mem);
    hf_reply_put_array(&tokens, 2);
    hf_reply_put_integer(&tokens, 1);
    size_t incomplete = tokens.size;
    hf_reply_put_integer(&tokens, 2);
    size_t whole = tokens.size;
    hf_reply_put_integer(&tokens, 3);
    for (size_t size = 0; size <= tokens.size; size++) {
        struct hf_buffer out;
        hf_buffer_init(&out, &mem);
        hf_buffer_append_text(&out, "+OK\r\n");
        struct hf_reply reply = {.kind = HF_REPLY_NESTED,
                                 .bytes = {tokens.data, size}};
        hf_resp_write(&out, &reply, 2);
        assert_int_equal(out.failed, size != whole);
        assert_int_equal(out.size, size == whole ? 5 + 12 : 5);
        hf_buffer_close(&out);
    }
    assert_true(incomplete < whole);
    hf_buffer_close(&tokens);
    assert_int_equal(mem.used_bytes, 0);
}

static void writes_all_of_a_reply_or_nothing(void **state)
{
    (void)state;
    uint8_t large[1000] = {0};
    struct hf_slice bytes = {large, sizeof(large)};
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_buffer tokens;
    hf_buffer_init(&tokens, &mem);
    hf_reply_put_verbatim(&tokens, bytes);
    const struct hf_reply replies[] = {hf_reply_bulk(bytes),
                                       hf_reply_nested(&tokens)};
    for (size_t i = 0; i < HF_ARRAY_COUNT(replies); i++) {
        struct failing_mem failing;
        failing_mem_init(&failing);
        failing_mem_fail_nth(&failing, i + 1);
        struct hf_buffer out;
        hf_buffer_init(&out, &failing.mem);
        hf_resp_write(&out, &replies[i], 3);
        assert_true(out.failed);
        assert_int_equal(out.size, 0);
        hf_buffer_close(&out);
        failing_mem_close(&failing);
    }
    hf_buffer_close(&tokens);
}

/* An ordinary command must not need the long way: then it would be slow. */
static void finds_plain_commands_at_first_sight(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        size_t bytes;
    } cases[] = {
        {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", 20},
        {"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", 19},
        {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$3", 20},
        {"*2\r\n$3\r\nGET\r\n$10\r\n0123456789\r\n", 30},
        {"*2\r\n$3\r\nGET\r\n$1\r\nk\r", 0},
        {"*2\r\n$3\r\nGET\r\n$01\r\nk\r\n", 0},
        {"*2\r\n$3\r\nGET\r\n$-1\r\n", 0},
        {"*9\r\n$1\r\n1\r\n", 0},
        {"*0\r\n", 0},
        {"GET k\r\n", 0},
        {"", 0},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(cases); i++) {
        struct hf_slice argv[PLAIN_ARGUMENTS];
        uint32_t argc = 0;
        assert_int_equal(hf_resp_parse_plain(hf_slice_text(cases[i].input),
                                             &generous, argv, PLAIN_ARGUMENTS,
                                             &argc),
                         cases[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_commands_of_a_pipeline),
        cmocka_unit_test(finds_the_same_when_split_at_any_byte),
        cmocka_unit_test(finds_nothing_else_when_truncated_at_any_byte),
        cmocka_unit_test(waits_for_exactly_the_bytes_of_an_announced_argument),
        cmocka_unit_test(does_not_read_again_what_it_has_seen),
        cmocka_unit_test(reads_inline_words_and_quotes_as_redis_does),
        cmocka_unit_test(refuses_unbalanced_quotes),
        cmocka_unit_test(refuses_malformed_counts),
        cmocka_unit_test(refuses_malformed_lengths),
        cmocka_unit_test(refuses_arguments_that_are_not_bulk_strings),
        cmocka_unit_test(skips_line_ends_without_comparing_them),
        cmocka_unit_test(refuses_what_is_over_a_limit_once_announced),
        cmocka_unit_test(refuses_lines_of_digits_without_end),
        cmocka_unit_test(finds_plain_commands_at_first_sight),
        cmocka_unit_test(says_when_it_is_out_of_memory),
        cmocka_unit_test(gives_the_room_for_many_arguments_back),
        cmocka_unit_test(writes_plain_replies),
        cmocka_unit_test(writes_no_line_end_inside_of_errors_and_statuses),
        cmocka_unit_test(writes_nested_replies_in_both_versions),
        cmocka_unit_test(writes_nothing_when_tokens_are_not_one_value),
        cmocka_unit_test(writes_all_of_a_reply_or_nothing),
    };
    return cmocka_run_group_tests_name("resp", tests, NULL, NULL);
}
