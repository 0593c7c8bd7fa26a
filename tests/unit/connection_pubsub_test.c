/* connection_pubsub_test.c - A connection as subscriber. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "support/failing_mem.h"
#include "support/wire_client.h"

#define SUBSCRIBED_A "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
#define HELLO3                                                                 \
    "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n"    \
    "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:42\r\n$4\r\nmode\r\n$10\r\n"            \
    "standalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"

static void a_subscription_waits_for_older_answers(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "GET x\r\nSUBSCRIBE a\r\nPING\r\n");
    client_expect_asked(&c, "GET x\n");
    client_expect(&c, "");
    assert_int_equal(c.connection.subscriber.count, 0);
    assert_false(hf_connection_can_resume(&c.connection));
    assert_false(hf_connection_wants_input(&c.connection));
    client_answer(&c, 0, "v");
    client_expect(&c, "$1\r\nv\r\n");
    assert_true(hf_connection_can_resume(&c.connection));
    hf_connection_resume(&c.connection);
    client_expect(&c, SUBSCRIBED_A "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    client_close(&c);
}

static void a_subscription_waits_for_other_nodes(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    c.unheard = true;
    client_send(&c, "PING\r\nSUBSCRIBE a\r\nPING\r\n");
    client_expect(&c, "+PONG\r\n");
    assert_int_equal(c.connection.subscriber.count, 0);
    assert_false(hf_connection_wants_input(&c.connection));
    c.unheard = false;
    hf_connection_listened(&c.connection);
    hf_connection_resume(&c.connection);
    client_expect(&c, SUBSCRIBED_A "*2\r\n$4\r\npong\r\n$0\r\n\r\n");

    c.unheard = true; /* To unsubscribe needs nobody. */
    client_send(&c, "UNSUBSCRIBE a\r\n");
    client_expect(&c, "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    client_close(&c);
}

static void in_small_pieces_it_is_the_same(void **state)
{
    (void)state;
    static const char text[] = "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n";
    struct client c;
    client_open(&c);
    c.unheard = true;
    for (size_t i = 0; text[i] != '\0'; i++) {
        char piece[] = {text[i], '\0'};
        client_send(&c, piece);
    }
    client_expect(&c, "");
    c.unheard = false;
    hf_connection_listened(&c.connection);
    hf_connection_resume(&c.connection);
    client_expect(&c, SUBSCRIBED_A);
    client_close(&c);
}

static void pushes_come_between_answers(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "HELLO 3\r\nSUBSCRIBE a\r\nGET x\r\nGET y\r\n");
    client_expect(&c, HELLO3 ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    client_answer(&c, 1, "second");
    hf_connection_push_bytes(&c.connection, HF_SLICE_LITERAL(">1\r\n:7\r\n"));
    client_answer(&c, 0, "first");
    client_expect(&c, ">1\r\n:7\r\n$5\r\nfirst\r\n$6\r\nsecond\r\n");
    client_close(&c);
}

static void only_a_few_commands_are_left_in_resp2(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "SUBSCRIBE a\r\n");
    client_expect(&c, SUBSCRIBED_A);
    client_send(&c, "GET x\r\n");
    client_expect_asked(&c, "");
    client_expect(&c, "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / "
                      "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                      "this context\r\n");
    client_send(&c, "RESET\r\nGET x\r\n");
    client_expect(&c, "+RESET\r\n");
    client_expect_asked(&c, "GET x\n");
    assert_int_equal(c.subscriptions.topics.count, 0);
    client_answer(&c, 0, "v");
    client_expect(&c, "$1\r\nv\r\n");
    client_close(&c);
}

static void push_message(struct client *c)
{
    struct hf_buffer tokens;
    hf_buffer_init(&tokens, &c->own);
    hf_reply_put_push(&tokens, 1);
    hf_reply_put_nil(&tokens);
    struct hf_reply reply = hf_reply_nested(&tokens);
    hf_connection_push(&c->connection, &reply);
    hf_buffer_close(&tokens);
}

/* It is the client that changes its version, when it reads the answer. */
static void pushes_are_of_the_version_in_force_where_they_come(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "HELLO 3\r\nSUBSCRIBE a\r\n");
    hf_buffer_clear(&c.connection.output);
    client_send(&c, "GET k\r\nHELLO 2\r\nPING\r\n");
    push_message(&c);
    client_expect(&c, ">1\r\n_\r\n");
    client_answer(&c, 0, "v");
    push_message(&c);
    hf_buffer_append(&c.connection.output, "", 1);
    const char *text = (const char *)c.connection.output.data;
    assert_memory_equal(text, "$1\r\nv\r\n*14\r\n", 12);
    assert_non_null(strstr(text, "$4\r\npong\r\n$0\r\n\r\n*1\r\n$-1\r\n"));
    hf_buffer_clear(&c.connection.output);
    client_send(&c, "UNSUBSCRIBE\r\nGET k\r\nHELLO 3\r\nGET k\r\n");
    hf_buffer_clear(&c.connection.output);
    push_message(&c);
    client_expect(&c, "*1\r\n$-1\r\n");
    client_answer(&c, 2, "late");
    client_expect(&c, "");
    client_answer(&c, 1, "v");
    push_message(&c);
    hf_buffer_append(&c.connection.output, "", 1);
    text = (const char *)c.connection.output.data;
    assert_memory_equal(text, "$1\r\nv\r\n%7\r\n", 11);
    assert_non_null(strstr(text, "$4\r\nlate\r\n>1\r\n_\r\n"));
    client_close(&c);
}

static void counts_are_those_of_redis(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "SSUBSCRIBE s\r\nPSUBSCRIBE p\r\nSUBSCRIBE a a\r\n");
    client_expect(&c, "*3\r\n$10\r\nssubscribe\r\n$1\r\ns\r\n:1\r\n"
                      "*3\r\n$10\r\npsubscribe\r\n$1\r\np\r\n:1\r\n"
                      "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:2\r\n"
                      "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:2\r\n");
    client_send(&c, "UNSUBSCRIBE\r\nUNSUBSCRIBE\r\nPUNSUBSCRIBE x p\r\n");
    client_expect(&c, "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n"
                      "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n"
                      "*3\r\n$12\r\npunsubscribe\r\n$1\r\nx\r\n:1\r\n"
                      "*3\r\n$12\r\npunsubscribe\r\n$1\r\np\r\n:0\r\n");
    client_send(&c, "SUNSUBSCRIBE\r\nSUNSUBSCRIBE\r\n");
    client_expect(&c, "*3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n"
                      "*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n");
    client_close(&c);
}

static void what_is_wrong_with_pubsub_is_said(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "PUBSUB foo\r\nPUBSUB NUMPAT x\r\nPUBSUB CHANNELS a b\r\n"
                    "PUBSUB\r\n");
    client_expect(
        &c, "-ERR unknown subcommand 'foo'. Try PUBSUB HELP.\r\n"
            "-ERR wrong number of arguments for 'pubsub|numpat' command\r\n"
            "-ERR unknown subcommand or wrong number of arguments for "
            "'CHANNELS'. Try PUBSUB HELP.\r\n"
            "-ERR wrong number of arguments for 'pubsub' command\r\n");
    client_expect_asked(&c, "");
    client_send(&c, "PUBSUB NUMSUB\r\nPUBLISH a b\r\n");
    client_expect_asked(&c, "PUBSUB NUMSUB\nPUBLISH a b\n");
    client_close(&c);
}

static void no_memory_ends_the_connection_or_refuses(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 30; nth++) {
        struct failing_mem failing;
        failing_mem_init(&failing);
        struct client c;
        client_open_with(&c, &failing.mem);
        failing_mem_fail_nth(&failing, nth);
        client_send(&c, "SUBSCRIBE a b\r\nPSUBSCRIBE c\r\nUNSUBSCRIBE\r\n");
        failing_mem_fail_nth(&failing, 0);
        client_close(&c);
        failing_mem_close(&failing);
    }
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_subscription_waits_for_older_answers),
        TEST(a_subscription_waits_for_other_nodes),
        TEST(in_small_pieces_it_is_the_same),
        TEST(pushes_come_between_answers),
        TEST(pushes_are_of_the_version_in_force_where_they_come),
        TEST(only_a_few_commands_are_left_in_resp2),
        TEST(counts_are_those_of_redis),
        TEST(what_is_wrong_with_pubsub_is_said),
        TEST(no_memory_ends_the_connection_or_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
