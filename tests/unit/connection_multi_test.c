/* connection_multi_test.c - What a transaction of a client may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "support/wire_client.h"

#define MIB ((size_t)1 << 20)

static void open_wide(struct client *c, size_t *held)
{
    client_open(c);
    c->host.output_bytes_hard = 100 * MIB;
    c->host.multi_bytes = held;
}

/* The node answers a part with one value of @bytes. */
static void answer_part(struct client *c, size_t index, size_t bytes)
{
    struct hf_buffer value;
    struct hf_buffer tokens;
    hf_buffer_init(&value, &c->own);
    hf_buffer_init(&tokens, &c->own);
    uint8_t *room = hf_buffer_reserve(&value, bytes);
    assert_non_null(room);
    memset(room, 'v', bytes);
    hf_reply_put_array(&tokens, 1);
    hf_reply_put_bulk(&tokens, (struct hf_slice){room, bytes});
    struct hf_reply reply = hf_reply_nested(&tokens);
    hf_connection_reply(&c->connection, c->tags[index], &reply);
    hf_connection_resume(&c->connection);
    hf_buffer_close(&value);
    hf_buffer_close(&tokens);
}

/* EXEC of GET a and GET b, which are in different partitions, answered with
 * values of so many bytes. */
static void exec_two(struct client *c, size_t a, size_t b)
{
    c->count = 0;
    client_send(c, "MULTI\r\nGET a\r\nGET b\r\nEXEC\r\n");
    client_expect(c, "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
    assert_int_equal(c->count, 2);
    answer_part(c, 0, a);
    answer_part(c, 1, b);
}

static void expect_end(struct client *c, const char *end)
{
    struct hf_buffer *output = &c->connection.output;
    size_t size = strlen(end);
    assert_true(output->size >= size);
    assert_memory_equal(output->data + output->size - size, end, size);
    hf_buffer_clear(output);
}

static void all_parts_together_fit_one_answer(void **state)
{
    (void)state;
    struct client c;
    size_t held = 0;
    open_wide(&c, &held);
    exec_two(&c, 20 * MIB, 11 * MIB);
    expect_end(&c, "v\r\n");
    exec_two(&c, 20 * MIB, 20 * MIB);
    assert_true(c.connection.output.size > 20 * MIB);
    expect_end(&c, "v\r\n-ERR the answer would be larger than 32 MiB\r\n");
    exec_two(&c, 33 * MIB, 1);
    client_expect(&c, "*2\r\n-ERR the answer would be larger than 32 MiB\r\n"
                      "$1\r\nv\r\n");
    assert_int_equal(held, 0);
    client_close(&c);
}

static void what_it_holds_is_counted_for_all_connections(void **state)
{
    (void)state;
    struct client c;
    const size_t others = HF_CONNECTION_MULTI_BYTES_MAX;
    size_t held = others;
    open_wide(&c, &held);
    client_send(&c, "MULTI\r\nGET a\r\nGET b\r\nEXEC\r\n");
    answer_part(&c, 0, MIB);
    assert_in_range(held, others + MIB, others + 3 * MIB);
    held++; /* Another one has more than there may be. */
    answer_part(&c, 1, 1);
    expect_end(&c, "v\r\n-CLUSTERDOWN too many answers to transactions wait at "
                   "this node\r\n");
    assert_int_equal(held, others + 1);
    client_send(&c, "MULTI\r\nGET a\r\nGET b\r\nEXEC\r\n");
    held = others;
    answer_part(&c, 2, MIB);
    client_close(&c); /* In the middle. */
    assert_int_equal(held, others);
}

/* WATCH of @count keys of 8,000 bytes each. */
static void watch(struct client *c, size_t count)
{
    static char key[8001];
    struct hf_buffer sent;
    struct hf_buffer tokens;
    hf_buffer_init(&sent, &c->own);
    hf_buffer_init(&tokens, &c->own);
    memset(key, 'k', 8000);
    hf_buffer_append_format(&sent, "*%zu\r\n$5\r\nWATCH\r\n", count + 1);
    hf_reply_put_array(&tokens, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        hf_buffer_append_text(&sent, "$8000\r\n");
        hf_buffer_append_text(&sent, key);
        hf_buffer_append_text(&sent, "\r\n");
        hf_reply_put_bulk(&tokens, HF_SLICE_LITERAL("a state of 32 bytes, "
                                                    "as they are"));
    }
    size_t asked = c->count;
    hf_connection_receive(&c->connection, hf_buffer_slice(&sent));
    if (c->count > asked) {
        struct hf_reply reply = hf_reply_nested(&tokens);
        hf_connection_reply(&c->connection, c->tags[asked], &reply);
        hf_connection_resume(&c->connection);
    }
    hf_buffer_close(&sent);
    hf_buffer_close(&tokens);
}

static void watched_keys_take_8_mib(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    for (int i = 0; i < 10; i++) { /* 8,000,000 bytes, and their states. */
        watch(&c, 100);
        client_expect(&c, "+OK\r\n");
    }
    watch(&c, 100);
    client_expect(&c, "-ERR the watched keys would take more than 8 MiB\r\n");
    assert_int_equal(c.count, 10);
    client_send(&c, "UNWATCH\r\n");
    client_expect(&c, "+OK\r\n");
    watch(&c, 100);
    client_expect(&c, "+OK\r\n");
    client_close(&c);
}

/* Of those that the connection runs itself there may be a million. */
static void others_have_their_turn_while_answers_are_made(void **state)
{
    (void)state;
    struct client c;
    size_t held = 0;
    open_wide(&c, &held);
    client_send(&c, "MULTI\r\nPING 1\r\nGET a\r\nPING 2\r\nGET b\r\n"
                    "CLIENT SETNAME x\r\nEXEC\r\n");
    client_expect(&c, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
                      "+QUEUED\r\n+QUEUED\r\n");
    c.allowed = 0;
    answer_part(&c, 0, MIB);
    answer_part(&c, 1, 3);
    size_t parts = held;
    for (int i = 0; i < 4; i++) {
        assert_true(hf_connection_can_resume(&c.connection));
        c.allowed = 1;
        hf_connection_resume(&c.connection);
        assert_int_equal(c.allowed, 0);
        client_expect(&c, "");
        answer_part(&c, 0, 1); /* It has its answer: this is none. */
    }
    assert_true(held > parts + MIB); /* What is made of them is counted, too. */
    c.allowed = SIZE_MAX;
    hf_connection_resume(&c.connection);
    expect_end(&c, "v\r\n$1\r\n2\r\n$3\r\nvvv\r\n+OK\r\n");
    assert_string_equal(c.connection.name, "x");
    assert_int_equal(held, 0);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_parts_together_fit_one_answer),
        cmocka_unit_test(what_it_holds_is_counted_for_all_connections),
        cmocka_unit_test(watched_keys_take_8_mib),
        cmocka_unit_test(others_have_their_turn_while_answers_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
