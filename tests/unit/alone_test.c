/* alone_test.c - Commands on a node without others: the short way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/node_state.h"
#include "support/lone_node.h"

static struct hf_mem mem;
static struct lone_node lone; /* Too large for a stack. */

static int open_lone(void **state)
{
    (void)state;
    struct hf_node_config config;
    lone_node_config(&config);
    hf_mem_init_system(&mem);
    assert_int_equal(lone_node_open(&lone, &config, &mem), 0);
    lone_node_start(&lone);
    return 0;
}

static int close_lone(void **state)
{
    (void)state;
    lone_node_close(&lone);
    assert_int_equal(mem.used_bytes, 0);
    return 0;
}

static void expect(const char *line, const char *answer)
{
    assert_string_equal(lone_node_ask(&lone, line), answer);
}

/* Nothing is kept of it but the session. */
static void a_write_without_copies_leaves_nothing_behind(void **state)
{
    (void)state;
    const struct hf_node *node = lone.node;
    const struct hf_partition *partition =
        &node->partitions[hf_partition_of_key(HF_SLICE_LITERAL("k"))];
    uint64_t next = node->request_next;
    expect("SET k v", "OK");
    expect("APPEND k w", "2");
    expect("GET k", "vw");
    expect("DEL k", "1");
    expect("GET k", "(nil)");
    assert_int_equal(node->request_next, next);
    assert_int_equal(node->operations.count, 0);
    assert_int_equal(partition->log.count, 0);
    assert_int_equal(partition->version.sequence, 3);
    assert_int_equal(partition->base.sequence, 3);
    assert_int_equal(partition->committed, 3);
    assert_int_equal(node->counters.writes, 3);
    assert_int_equal(node->counters.writes_alone, 3);
}

static void what_is_expected_is_located(void **state)
{
    (void)state;
    const struct hf_slice get[] = {HF_SLICE_LITERAL("GET"),
                                   HF_SLICE_LITERAL("k")};
    const struct hf_slice more[] = {HF_SLICE_LITERAL("MGET"),
                                    HF_SLICE_LITERAL("k")};
    struct hf_command commands[] = {
        {.row = hf_command_find(get[0]), .argc = 2, .argv = get},
        {.row = NULL, .argc = 1, .argv = get},
        {.row = hf_command_find(get[0]), .argc = 1, .argv = get},
        {.row = hf_command_find(more[0]), .argc = 2, .argv = more},
    };
    expect("SET k v", "OK");
    hf_node_expect(lone.node, commands, HF_ARRAY_COUNT(commands));
    assert_true(commands[0].located);
    assert_int_equal(commands[0].partition, hf_partition_of_key(get[1]));
    assert_int_equal(commands[0].hash, hf_sessions_hash(get[1]));
    for (size_t i = 1; i < HF_ARRAY_COUNT(commands); i++) {
        assert_false(commands[i].located);
    }
}

/* What was noted is used later: it has to be right, and only where it is
 * looked for. */
static void messages_that_are_expected_are_located(void **state)
{
    (void)state;
    const struct hf_slice get[] = {HF_SLICE_LITERAL("GET"),
                                   HF_SLICE_LITERAL("k")};
    struct hf_message messages[HF_EXPECT_MAX + 1] = {
        {.type = HF_MESSAGE_FORWARD},
        {.type = HF_MESSAGE_RECORD},
        {.type = HF_MESSAGE_RECORD},
        {.type = HF_MESSAGE_ACK},
    };
    messages[0].forward.command = (struct hf_command){
        .row = hf_command_find(get[0]), .argc = 2, .argv = get};
    for (size_t i = 1; i < 3; i++) {
        messages[i].record.record.kind =
            i == 1 ? HF_RECORD_PAIRED : HF_RECORD_SYNCED;
        messages[i].record.record.key = get[1];
    }
    messages[HF_EXPECT_MAX] = messages[1];
    hf_node_expect_messages(lone.node, messages, HF_ARRAY_COUNT(messages));
    assert_true(messages[0].forward.command.located);
    assert_int_equal(messages[0].forward.command.partition,
                     hf_partition_of_key(get[1]));
    assert_int_equal(messages[0].forward.command.hash,
                     hf_sessions_hash(get[1]));
    assert_int_equal(messages[1].record.record.hash, hf_sessions_hash(get[1]));
    assert_int_equal(messages[2].record.record.hash, 0);
    assert_int_equal(messages[HF_EXPECT_MAX].record.record.hash, 0);
}

int main(void)
{
#define LONE(name) cmocka_unit_test_setup_teardown(name, open_lone, close_lone)
    const struct CMUnitTest tests[] = {
        LONE(a_write_without_copies_leaves_nothing_behind),
        LONE(what_is_expected_is_located),
        LONE(messages_that_are_expected_are_located),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
