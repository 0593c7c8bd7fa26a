/* connection_test.c - Order, bounds and closing of a client connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/failing_mem.h"
#include "support/wire_client.h"

#define UNKNOWN_FOO "-ERR unknown command 'FOO', with args beginning with: \r\n"
#define HELLO3                                                                 \
    "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n"    \
    "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:42\r\n$4\r\nmode\r\n$10\r\n"            \
    "standalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"

static void hands_the_other_commands_to_the_node(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\nMGET a b\r\n");
    client_expect_asked(&c, "set k v\nMGET a b\n");
    client_expect(&c, "");
    client_answer(&c, 0, "x");
    client_expect(&c, "$1\r\nx\r\n");
    client_answer(&c, 1, "y");
    client_expect(&c, "$1\r\ny\r\n");
    client_close(&c);
}

static void keys_are_of_the_selected_database(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "SELECT 1\r\nGET a\r\nMSET a b c d\r\nPING\r\n");
    client_send(&c, "SELECT 0\r\nGET a\r\nGET \1\r\nSELECT 15\r\nGET a\r\n"
                    "SELECT 16\r\nGET b\r\nOBJECT FREQ k\r\nRESET\r\n"
                    "GET b\r\nMEMORY USAGE k SAMPLES 1\r\n");
    static const char asked[] = "GET \1a\nMSET \1a b \1c d\nGET a\n"
                                "GET \0\1\nGET \017a\nGET \017b\n"
                                "OBJECT \017k FREQ\nGET b\n"
                                "MEMORY k USAGE SAMPLES 1\n";
    assert_int_equal(c.asked.size, sizeof(asked) - 1);
    assert_memory_equal(c.asked.data, asked, sizeof(asked) - 1);
    client_close(&c);
}

static void accepts_answers_before_the_request_returns(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    c.at_once = true;
    client_send(&c, "GET a\r\nPING\r\nGET b\r\nGET c\r\n");
    client_expect(&c, "$1\r\na\r\n+PONG\r\n$1\r\nb\r\n$1\r\nc\r\n");
    client_close(&c);
}

static void
keeps_the_order_of_commands_whatever_the_order_of_answers(void **state)
{
    (void)state;
    static const size_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const char *const answers[] = {"a", "b", "c"};
    for (size_t i = 0; i < HF_ARRAY_COUNT(orders); i++) {
        struct client c;
        client_open(&c);
        client_send(&c, "GET a\r\nPING\r\nGET b\r\nFOO\r\nGET c\r\n");
        for (size_t j = 0; j < 3; j++) {
            client_answer(&c, orders[i][j], answers[orders[i][j]]);
        }
        client_expect(&c, "$1\r\na\r\n+PONG\r\n$1\r\nb\r\n" UNKNOWN_FOO
                          "$1\r\nc\r\n");
        client_close(&c);
    }
}

/* Every order of many answers, by a walk with a step that has no common
 * divisor with their number; the ring of slots grows and goes round. */
static void keeps_the_order_of_deep_pipelines(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    for (int round = 0; round < 3; round++) {
        c.count = 0;
        struct hf_buffer expected;
        hf_buffer_init(&expected, c.mem);
        for (int i = 0; i < 997; i++) {
            client_send(&c, "GET k\r\n");
            hf_buffer_append_format(&expected, "$4\r\n%04d\r\n", i);
        }
        for (size_t i = 0, at = 0; i < 997; i++, at = (at + 89) % 997) {
            char text[5] = {
                (char)('0' + at / 1000), (char)('0' + at / 100 % 10),
                (char)('0' + at / 10 % 10), (char)('0' + at % 10), '\0'};
            client_answer(&c, at, text);
        }
        hf_buffer_append(&expected, "", 1);
        client_expect(&c, (const char *)expected.data);
        hf_buffer_close(&expected);
    }
    client_close(&c);
}

/* One that always waits for some answer: those before it leave no memory. */
static void keeps_no_room_of_answers_that_went(void **state)
{
    (void)state;
    struct client c;
    static char text[1001];
    static char expected[2 * sizeof(text) + 20];
    client_open(&c);
    memset(text, 'x', sizeof(text) - 1);
    snprintf(expected, sizeof(expected), "$1000\r\n%s\r\n$1000\r\n%s\r\n", text,
             text);
    client_send(&c, "GET k\r\n");
    for (size_t i = 0; i < 2000; i += 2) {
        client_send(&c, "GET k\r\nGET k\r\n");
        client_answer(&c, i + 1, text);
        client_answer(&c, i, text);
        client_expect(&c, expected);
    }
    assert_true(c.connection.held.capacity <= (size_t)256 << 10);
    client_close(&c);
}

static void ignores_answers_nobody_waits_for(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    struct hf_reply reply = hf_reply_ok();
    hf_connection_reply(&c.connection, 0, &reply);
    hf_connection_reply(&c.connection, 1, &reply);
    hf_connection_reply(&c.connection, UINT64_MAX, &reply);
    client_expect(&c, "");
    client_send(&c, "GET a\r\nGET b\r\nPING\r\n");
    client_answer(&c, 1, "b");
    client_answer(&c, 1, "B");
    hf_connection_reply(&c.connection, c.tags[1] + 1, &reply);
    hf_connection_reply(&c.connection, c.tags[1] + 2, &reply);
    client_answer(&c, 0, "a");
    client_answer(&c, 0, "A");
    client_expect(&c, "$1\r\na\r\n$1\r\nb\r\n+PONG\r\n");
    client_close(&c);
}

static void answers_in_the_version_each_command_came_in(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "GET a\r\nHELLO 3\r\nGET b\r\nRESET\r\nGET c\r\n");
    struct hf_reply nil = hf_reply_nil();
    for (size_t i = 3; i-- > 0;) {
        hf_connection_reply(&c.connection, c.tags[i], &nil);
    }
    client_expect(&c, "$-1\r\n" HELLO3 "_\r\n+RESET\r\n$-1\r\n");
    client_close(&c);
}

static void closes_after_quit_and_what_came_before_it(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "GET a\r\nQUIT\r\nGET b\r\nPING\r\n");
    client_send(&c, "PING\r\n");
    assert_true(c.connection.closing);
    assert_false(hf_connection_wants_input(&c.connection));
    assert_false(hf_connection_can_resume(&c.connection));
    assert_false(hf_connection_is_done(&c.connection));
    client_expect_asked(&c, "GET a\n");
    client_answer(&c, 0, "a");
    assert_false(hf_connection_is_done(&c.connection));
    client_expect(&c, "$1\r\na\r\n+OK\r\n");
    assert_true(hf_connection_is_done(&c.connection));
    assert_false(c.connection.broken);
    client_close(&c);
}

#define PROTOCOL "-ERR Protocol error: "

static void closes_after_a_protocol_error(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"*x\r\nPING\r\n", PROTOCOL "invalid multibulk length\r\n"},
        {"*65537\r\n", PROTOCOL "invalid multibulk length\r\n"},
        {"*1\r\nPING\r\n", PROTOCOL "expected '$', got 'P'\r\n"},
        {"*1\r\n\r\nPING\r\n", PROTOCOL "expected '$', got ' '\r\n"},
        {"*2\r\n$3\r\nGET\r\n$100001\r\n",
         PROTOCOL "invalid bulk length (at most 100000 bytes: setting "
                  "max-value)\r\n"},
        {"PING \"a\r\nPING\r\n", PROTOCOL "unbalanced quotes in request\r\n"},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(exchanges); i++) {
        struct client c;
        client_open(&c);
        client_send(&c, "GET a\r\n");
        client_send(&c, exchanges[i].sent);
        client_send(&c, "PING\r\n");
        assert_true(c.connection.closing);
        client_expect(&c, "");
        client_answer(&c, 0, "a");
        char expected[200] = "$1\r\na\r\n";
        strcat(expected, exchanges[i].expected);
        client_expect(&c, expected);
        assert_true(hf_connection_is_done(&c.connection));
        client_close(&c);
    }
}

/* A browser can be made to send this by any web page. */
static void breaks_when_it_is_taken_for_a_web_server(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "POST / HTTP/1.1\r\nSET k v\r\n");
    assert_true(hf_connection_is_done(&c.connection));
    assert_int_equal(c.count, 0);
    client_close(&c);
}

static const char mixed[] =
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\r\n\r\n"
    "HELLO 3 SETNAME me\r\nGET \"a b\"\r\n*1\r\n$4\r\nPING\r\n"
    "*1\r\n$7\r\nCLIENT\x01\r\n\r\n*0\r\nCLIENT GETNAME\nMGET a b c\r\n"
    "COMMAND INFO GET\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\nRESET\r\nGET q\r\n"
    "*1\r\n$-1\r\n";

/* Sends @input in pieces cut at @cut, or byte by byte when it is 0, and leaves
 * the output in @out and the commands in @asked. */
static void run_mixed(struct hf_slice input, size_t cut, struct hf_buffer *out)
{
    struct client c;
    client_open(&c);
    c.at_once = true;
    size_t step = cut == 0 ? 1 : cut;
    for (size_t at = 0; at < input.size; at += step) {
        size_t size = input.size - at;
        if (cut == 0 || at == 0) {
            size = step < size ? step : size;
        }
        uint8_t *copy = malloc(size); /* So that ASan sees its end. */
        assert_non_null(copy);
        memcpy(copy, input.data + at, size);
        hf_connection_receive(&c.connection, (struct hf_slice){copy, size});
        free(copy);
        if (cut != 0 && at > 0) {
            break;
        }
    }
    hf_buffer_append_slice(out, hf_buffer_slice(&c.asked));
    hf_buffer_append_slice(out, hf_buffer_slice(&c.connection.output));
    hf_buffer_append_int64(out, c.connection.closing);
    client_close(&c);
}

static void does_the_same_when_input_is_split_at_any_byte(void **state)
{
    (void)state;
    struct hf_mem mem;
    hf_mem_init_system(&mem);
    struct hf_buffer whole;
    struct hf_buffer split;
    hf_buffer_init(&whole, &mem);
    hf_buffer_init(&split, &mem);
    struct hf_slice input = HF_SLICE_LITERAL(mixed);
    run_mixed(input, input.size, &whole);
    for (size_t cut = 0; cut < input.size; cut++) {
        hf_buffer_clear(&split);
        run_mixed(input, cut, &split);
        assert_int_equal(split.size, whole.size);
        assert_memory_equal(split.data, whole.data, whole.size);
    }
    hf_buffer_close(&whole);
    hf_buffer_close(&split);
    assert_int_equal(mem.used_bytes, 0);
}

static void does_a_part_of_it_when_input_is_truncated(void **state)
{
    (void)state;
    struct hf_slice input = HF_SLICE_LITERAL(mixed);
    size_t last = 0;
    for (size_t size = 0; size <= input.size; size++) {
        struct client c;
        client_open(&c);
        c.at_once = true;
        hf_connection_receive(&c.connection,
                              (struct hf_slice){input.data, size});
        assert_false(c.connection.broken);
        assert_true(c.connection.output.size >= last);
        last = c.connection.output.size;
        client_close(&c);
    }
}

static void takes_no_more_commands_than_may_be_pending(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    struct hf_buffer input;
    hf_buffer_init(&input, c.mem);
    for (int i = 0; i < HF_CONNECTION_PENDING_MAX + 10; i++) {
        hf_buffer_append_text(&input, "GET k\r\n");
    }
    hf_buffer_append_text(&input, "PING\r\nGET");
    hf_connection_receive(&c.connection, hf_buffer_slice(&input));
    hf_buffer_close(&input);
    assert_int_equal(c.count, HF_CONNECTION_PENDING_MAX);
    assert_false(hf_connection_wants_input(&c.connection));
    assert_false(hf_connection_can_resume(&c.connection));
    hf_connection_resume(&c.connection);
    assert_int_equal(c.count, HF_CONNECTION_PENDING_MAX);

    client_answer(&c, 7, "not the oldest");
    assert_false(hf_connection_can_resume(&c.connection));
    for (size_t i = 0; i < 5; i++) {
        client_answer(&c, i, "v");
    }
    assert_true(hf_connection_can_resume(&c.connection));
    hf_connection_resume(&c.connection);
    assert_int_equal(c.count, HF_CONNECTION_PENDING_MAX + 5);
    assert_false(hf_connection_wants_input(&c.connection));

    for (size_t i = 5; i < HF_CONNECTION_PENDING_MAX + 5; i++) {
        client_answer(&c, i, "v");
    }
    hf_connection_resume(&c.connection);
    assert_int_equal(c.count, HF_CONNECTION_PENDING_MAX + 10);
    assert_true(hf_connection_wants_input(&c.connection));
    assert_false(hf_connection_can_resume(&c.connection)); /* "GET". */
    client_send(&c, " k\r\n");
    assert_int_equal(c.count, HF_CONNECTION_PENDING_MAX + 11);
    assert_false(c.connection.broken);
    client_close(&c);
}

static void takes_no_commands_while_too_much_output_waits(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    c.host.output_bytes_soft = 20;
    client_send(&c, "PING\r\nPING\r\nPING\r\nPING\r\nPING\r\n");
    assert_false(hf_connection_wants_input(&c.connection));
    assert_false(hf_connection_can_resume(&c.connection));
    client_expect(&c, "+PONG\r\n+PONG\r\n+PONG\r\n");
    assert_true(hf_connection_can_resume(&c.connection));
    hf_connection_resume(&c.connection);
    client_expect(&c, "+PONG\r\n+PONG\r\n");
    assert_true(hf_connection_wants_input(&c.connection));

    client_send(&c, "GET a\r\nGET b\r\nGET c\r\nGET d\r\n");
    client_answer(&c, 1, "12345678901234567890");
    assert_false(hf_connection_wants_input(&c.connection)); /* Held. */
    client_send(&c, "PING\r\n");
    client_answer(&c, 0, "");
    client_expect(&c, "$0\r\n\r\n$20\r\n12345678901234567890\r\n");
    assert_true(hf_connection_can_resume(&c.connection));
    client_close(&c);
}

static void breaks_when_far_too_much_output_waits(void **state)
{
    (void)state;
    for (size_t first = 0; first < 2; first++) {
        struct client c;
        client_open(&c);
        c.host.output_bytes_soft = 20;
        c.host.output_bytes_hard = 30;
        client_send(&c, "GET a\r\nGET b\r\n");
        client_answer(&c, first, "12345678901234567890");
        assert_false(c.connection.broken);
        client_answer(&c, 1 - first, "");
        assert_true(c.connection.broken);
        assert_true(hf_connection_is_done(&c.connection));
        client_send(&c, "GET c\r\n");
        assert_int_equal(c.count, 2);
        client_close(&c);
    }
}

static void takes_a_large_argument_in_pieces(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    char piece[1001];
    memset(piece, 'x', 1000);
    piece[1000] = '\0';
    client_send(&c, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n");
    for (int i = 0; i < 100; i++) {
        client_send(&c, piece);
        assert_int_equal(c.count, 0);
    }
    client_send(&c, "\r");
    assert_int_equal(c.count, 0);
    client_send(&c, "\n");
    assert_int_equal(c.count, 1);
    assert_int_equal(c.asked.size, strlen("SET k \n") + 100000);
    client_close(&c);
}

/* Small ones that come after it are parsed without that room. */
static void keeps_no_room_of_a_huge_command(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "*3001\r\n$3\r\nDEL\r\n");
    for (int i = 0; i < 3000; i++) {
        client_send(&c, "$1\r\nk\r\n");
    }
    assert_int_equal(c.count, 1);
    client_answer(&c, 0, "1");
    hf_buffer_close(&c.asked);
    assert_in_range(c.mem->used_bytes, 0, 8192);
    client_close(&c);
}

static void keeps_little_memory_when_idle(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "PING\r\n");
    assert_in_range(c.mem->used_bytes, 1, 1024);
    client_send(&c, "COMMAND\r\n");
    for (int i = 0; i < 1000; i++) {
        client_send(&c, "GET k\r\n");
    }
    client_send(&c, "*2\r\n$4\r\nECHO\r\n$90000\r\n");
    for (size_t i = c.count; i-- > 0;) {
        client_answer(&c, i, "v");
    }
    char argument[1001];
    memset(argument, 'x', 1000);
    argument[1000] = '\0';
    for (int i = 0; i < 90; i++) {
        client_send(&c, argument);
    }
    client_send(&c, "\r\n");
    hf_buffer_clear(&c.connection.output);
    hf_buffer_trim(&c.connection.output, 0);
    assert_int_equal(c.connection.held.size, 0);
    hf_buffer_trim(&c.connection.held, 0);
    hf_buffer_close(&c.asked);
    assert_in_range(c.mem->used_bytes, 0, 8192);
    client_close(&c);
}

static void breaks_when_out_of_memory_and_leaks_nothing(void **state)
{
    (void)state;
    uint64_t nth = 1;
    bool was_broken = true;
    while (was_broken) {
        struct failing_mem failing;
        failing_mem_init(&failing);
        struct client c;
        client_open_with(&c, &failing.mem);
        hf_buffer_reserve(&c.asked, 1000);
        failing_mem_fail_nth(&failing, nth++);
        client_send(&c, "GET a\r\nGET b\r\nPING\r\nGET c\r\nCOMM");
        client_send(&c, "AND\r\nINFO\r\nCLIENT HELP\r\n");
        for (size_t i = c.count; i-- > 0;) {
            client_answer(&c, i, "v");
        }
        was_broken = c.connection.broken;
        assert_int_equal(was_broken, failing.failed);
        assert_int_equal(was_broken, hf_connection_is_done(&c.connection));
        client_close(&c);
        failing_mem_close(&failing);
    }
    assert_in_range(nth, 10, 100);
}

#define GET(key) "*2\r\n$3\r\nGET\r\n$1\r\n" key "\r\n"

/* The rest waits here, and nothing more is read meanwhile. */
static void runs_as_many_commands_as_the_host_allows(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    c.at_once = true;
    c.allowed = 2;
    client_send(&c, GET("a") GET("b") GET("c") "PING\r\n" GET("d"));
    client_expect_asked(&c, "GET a\nGET b\n");
    assert_true(hf_connection_can_resume(&c.connection));
    assert_false(hf_connection_is_quiet(&c.connection));
    c.allowed = 0;
    hf_connection_resume(&c.connection);
    client_expect_asked(&c, "");
    c.allowed = 2;
    hf_connection_resume(&c.connection);
    client_expect_asked(&c, "GET c\n");
    c.allowed = SIZE_MAX;
    client_send(&c, GET("e"));
    client_expect_asked(&c, "GET d\nGET e\n");
    client_expect(&c, "$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n+PONG\r\n"
                      "$1\r\nd\r\n$1\r\ne\r\n");
    assert_true(hf_connection_is_quiet(&c.connection));
    client_close(&c);
}

static void says_what_came_together(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, GET("a"));
    assert_int_equal(c.expected.size, 0);
    client_send(&c, GET("a") GET("b") "*1\r\n$3\r\nFOO\r\n" GET("c") "*2\r\n");
    hf_buffer_append(&c.expected, "", 1);
    assert_string_equal((const char *)c.expected.data, "GET GET FOO GET\n");
    client_expect_asked(&c, "GET a\nGET a\nGET b\nGET c\n");
    client_send(&c, "$3\r\nGET\r\n$1\r\nd\r\n");
    client_expect_asked(&c, "GET d\n");
    client_close(&c);
}

static void batch_add(struct hf_connection_batch *batch, struct client *c,
                      const char *text)
{
    batch->connections[batch->count] = &c->connection;
    batch->bytes[batch->count++] = hf_slice_text(text);
}

/* Looks at all first; the test may do something in between. */
static void batch_receive(struct hf_connection_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        hf_connection_batch_receive(batch, i);
    }
}

static void looks_at_what_several_clients_sent(void **state)
{
    (void)state;
    struct client c[4];
    struct hf_connection_batch batch = {.count = 0};
    for (size_t i = 0; i < HF_ARRAY_COUNT(c); i++) {
        client_open(&c[i]);
        c[i].connection.host = &c[0].host;
    }
    c[0].at_once = true;
    batch_add(&batch, &c[0], GET("a"));
    batch_add(&batch, &c[1], "*2\r\n$3\r\nGET\r\n$1\r\n");
    batch_add(&batch, &c[2], GET("b") GET("c"));
    batch_add(&batch, &c[3], "*1\r\n$3\r\nFOO\r\n");
    hf_connection_batch_look(&batch);
    client_expect_asked(&c[0], "");
    batch_receive(&batch);
    client_expect_asked(&c[0], "GET a\nGET b\nGET c\n");
    client_send(&c[1], "d\r\n");
    client_expect_asked(&c[0], "GET d\n");
    hf_buffer_append(&c[0].expected, "", 1);
    assert_string_equal((const char *)c[0].expected.data,
                        "GET - - FOO\nGET GET\n");
    client_expect(&c[0], "$1\r\na\r\n");
    client_expect(&c[1], "$1\r\nd\r\n");
    client_expect(&c[2], "$1\r\nb\r\n$1\r\nc\r\n");
    client_expect(&c[3], UNKNOWN_FOO);
    for (size_t i = 0; i < HF_ARRAY_COUNT(c); i++) {
        client_close(&c[i]);
    }
}

/* Between the look at a command and its turn, much may happen. */
static void what_was_looked_at_comes_in_its_order(void **state)
{
    (void)state;
    struct client c;
    struct hf_connection_batch batch = {.count = 0};
    client_open(&c);
    c.at_once = true;
    batch_add(&batch, &c, GET("a"));
    batch_add(&batch, &c, GET("b"));
    batch_add(&batch, &c, "*1\r\n$4\r\nQUIT\r\n");
    batch_add(&batch, &c, GET("c"));
    hf_connection_batch_look(&batch);
    c.allowed = 0;
    hf_connection_batch_receive(&batch, 0);
    client_expect_asked(&c, "");
    c.allowed = SIZE_MAX;
    hf_connection_batch_receive(&batch, 1);
    client_expect_asked(&c, "GET a\nGET b\n");
    hf_connection_batch_receive(&batch, 2);
    hf_connection_batch_receive(&batch, 3);
    client_expect_asked(&c, "");
    client_expect(&c, "$1\r\na\r\n$1\r\nb\r\n+OK\r\n");
    client_close(&c);
}

/* What was looked at ahead is not run when the one before it ends that. */
static void what_comes_after_the_end_is_not_run(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    c.at_once = true;
    client_send(&c, GET("a") "*1\r\n$4\r\nQUIT\r\n" GET("b"));
    client_expect_asked(&c, "GET a\n");
    client_expect(&c, "$1\r\na\r\n+OK\r\n");
    assert_true(hf_connection_is_done(&c.connection));
    client_close(&c);

    client_open(&c);
    client_send(&c, GET("a") "*1\r\n$-5\r\n" GET("b"));
    client_expect_asked(&c, "GET a\n");
    assert_true(c.connection.closing);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_the_other_commands_to_the_node),
        cmocka_unit_test(keys_are_of_the_selected_database),
        cmocka_unit_test(accepts_answers_before_the_request_returns),
        cmocka_unit_test(
            keeps_the_order_of_commands_whatever_the_order_of_answers),
        cmocka_unit_test(keeps_the_order_of_deep_pipelines),
        cmocka_unit_test(keeps_no_room_of_answers_that_went),
        cmocka_unit_test(ignores_answers_nobody_waits_for),
        cmocka_unit_test(answers_in_the_version_each_command_came_in),
        cmocka_unit_test(closes_after_quit_and_what_came_before_it),
        cmocka_unit_test(closes_after_a_protocol_error),
        cmocka_unit_test(breaks_when_it_is_taken_for_a_web_server),
        cmocka_unit_test(does_the_same_when_input_is_split_at_any_byte),
        cmocka_unit_test(does_a_part_of_it_when_input_is_truncated),
        cmocka_unit_test(takes_no_more_commands_than_may_be_pending),
        cmocka_unit_test(takes_no_commands_while_too_much_output_waits),
        cmocka_unit_test(breaks_when_far_too_much_output_waits),
        cmocka_unit_test(takes_a_large_argument_in_pieces),
        cmocka_unit_test(keeps_no_room_of_a_huge_command),
        cmocka_unit_test(keeps_little_memory_when_idle),
        cmocka_unit_test(breaks_when_out_of_memory_and_leaks_nothing),
        cmocka_unit_test(runs_as_many_commands_as_the_host_allows),
        cmocka_unit_test(says_what_came_together),
        cmocka_unit_test(looks_at_what_several_clients_sent),
        cmocka_unit_test(what_was_looked_at_comes_in_its_order),
        cmocka_unit_test(what_comes_after_the_end_is_not_run),
    };
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
