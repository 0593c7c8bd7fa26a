/* Commands on many keys, and on all keys, asked of any node. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/node_state.h"
#include "core/placement.h"
#include "support/story.h"

#define KEYS 200
#define TAGGED 600 /* With one each, a page is one partition. */

static void multi_key_commands_span_owners(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    for (unsigned node = 0; node < 3; node++) {
        cluster_expect_reply(c, "OK", node, "MSET", "a", "1", "b", "2", "c",
                             "3", "d", "4", "e", "5", "f", "6", NULL);
        cluster_expect_reply(c, "[1 2 (nil) 3 4 5 6]", (node + 1) % 3, "MGET",
                             "a", "b", "nobody", "c", "d", "e", "f", NULL);
        cluster_expect_reply(c, "5", (node + 2) % 3, "EXISTS", "a", "b", "a",
                             "nobody", "c", "d", NULL);
        cluster_expect_reply(c, "6", node, "DEL", "a", "b", "c", "d", "e", "f",
                             "nobody", NULL);
        cluster_expect_reply(c, "[(nil) (nil)]", (node + 1) % 3, "MGET", "a",
                             "f", NULL);
    }
    cluster_settle_and_check(c);
}

/* Keys in the order they are named: the last value wins. */
static void the_same_key_twice_in_one_command(void **state)
{
    struct cluster *c = story_start(state, 3, 2);
    cluster_expect_reply(c, "OK", 0, "MSET", "a", "1", "a", "2", NULL);
    cluster_expect_reply(c, "[2 2]", 1, "MGET", "a", "a", NULL);
    cluster_expect_reply(c, "1", 2, "DEL", "a", "a", NULL);
}

static void dbsize_and_flushall_reach_everything(void **state)
{
    struct cluster *c = story_start(state, 3, 3);
    for (unsigned node = 0; node < 3; node++) {
        story_fill(c, KEYS);
        cluster_expect_reply(c, "200", node, "DBSIZE", NULL);
        cluster_expect_reply(c, "OK", (node + 1) % 3,
                             node == 1 ? "FLUSHDB" : "FLUSHALL", NULL);
        for (unsigned other = 0; other < 3; other++) {
            cluster_expect_reply(c, "0", other, "DBSIZE", NULL);
        }
    }
    cluster_expect(c, "fill:0", NULL);
    cluster_settle_and_check(c);
}

/* Counts the keys of one answer "[cursor [key key ...]]" into @seen. */
static unsigned long scan_count(struct cluster *c, const char *answer,
                                unsigned keys, unsigned seen[])
{
    char *rest;
    cluster_check(c, answer[0] == '[', answer);
    unsigned long cursor = strtoul(answer + 1, &rest, 10);
    for (const char *at = rest; (at = strstr(at, "fill:")) != NULL; at++) {
        unsigned long key = strtoul(at + strlen("fill:"), NULL, 10);
        cluster_check(c, key < keys, answer);
        seen[key]++;
    }
    return cursor;
}

/* A scan may go on at another node: cursors mean the same everywhere. */
static void scan_covers_the_cluster(void **state)
{
    struct cluster *c = story_start(state, 3, 4);
    story_fill(c, KEYS);
    cluster_set(c, "other:1", "x");
    unsigned seen[KEYS] = {0};
    unsigned long cursor = 0;
    unsigned rounds = 0;
    do {
        char text[32];
        (void)snprintf(text, sizeof(text), "%lu", cursor);
        cursor =
            scan_count(c,
                       cluster_command(c, rounds % 3, "SCAN", text, "MATCH",
                                       "fill:*", "COUNT", "20", NULL),
                       KEYS, seen);
        rounds++;
        cluster_check(c, rounds < 5000, "the scan never ends");
    } while (cursor != 0 && !c->failed);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_check(c, seen[i] == 1, "a key was not seen exactly once");
    }
}

/* All sessions are in one partition: a page is a part of it, and the next one,
 * asked of another node, goes on there. */
static void scan_covers_a_partition_page_by_page(void **state)
{
    struct cluster *c = story_start(state, 3, 8);
    for (unsigned i = 0; i < TAGGED; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "{tag}fill:%u", i);
        cluster_set(c, key, "x");
    }
    cluster_run(c, 500); /* Heartbeats say how many there are. */
    unsigned seen[TAGGED] = {0};
    unsigned long cursor = 0;
    unsigned rounds = 0;
    unsigned pages = 0;
    do {
        char text[32];
        (void)snprintf(text, sizeof(text), "%lu", cursor);
        const char *answer =
            cluster_command(c, rounds % 3, "SCAN", text, "COUNT", "1", NULL);
        pages += strstr(answer, "fill:") != NULL;
        cursor = scan_count(c, answer, TAGGED, seen);
        rounds++;
        cluster_check(c, rounds < 5000, "the scan never ends");
    } while (cursor != 0 && !c->failed);
    for (unsigned i = 0; i < TAGGED; i++) {
        cluster_check(c, seen[i] == 1, "a key was not seen exactly once");
    }
    cluster_check(c, pages > TAGGED / 2, "the partition came at once");
}

/* Half of it on one view, half on the next. */
static void scan_survives_the_death_of_a_node(void **state)
{
    struct cluster *c = story_start(state, 3, 5);
    story_fill(c, KEYS);
    unsigned seen[KEYS] = {0};
    unsigned long cursor = 0;
    unsigned rounds = 0;
    do {
        char text[32];
        (void)snprintf(text, sizeof(text), "%lu", cursor);
        cursor = scan_count(
            c, cluster_command(c, 0, "SCAN", text, "COUNT", "10", NULL), KEYS,
            seen);
        if (++rounds == 5) {
            cluster_kill(c, 1);
        }
        cluster_check(c, rounds < 5000, "the scan never ends");
    } while (cursor != 0 && !c->failed);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_check(c, seen[i] >= 1, "a key was not seen");
    }
}

/* Scatter and gather in the gap waits for the parts of the dead node too. */
static void gathered_commands_are_held_in_the_gap(void **state)
{
    struct cluster *c = story_start(state, 3, 6);
    story_fill(c, KEYS);
    cluster_kill(c, 2);
    struct request *size = cluster_ask(c, 0, "DBSIZE", NULL);
    struct request *many =
        cluster_ask(c, 1, "EXISTS", "fill:1", "fill:2", "fill:3", "fill:4",
                    "fill:5", "fill:6", "fill:7", "fill:8", NULL);
    struct request *keys = cluster_ask(c, 1, "KEYS", "*", NULL);
    cluster_run(c, 100);
    cluster_expect_answer(c, "200", size);
    cluster_expect_answer(c, "8", many);
    unsigned seen[KEYS] = {0};
    (void)scan_count(c, cluster_answer(keys), KEYS, seen);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_check(c, seen[i] == 1, "a key was not seen exactly once");
    }
}

/* Its node has a command that the owner of the session does not have yet. The
 * client is told, and nobody else notices. */
static void an_older_owner_says_that_it_does_not_know(void **state)
{
    struct cluster *c = story_start(state, 3, 11);
    unsigned owner = cluster_primary_of(c, "k");
    unsigned asked = cluster_stranger_to(c, "k");
    struct hf_node *node = c->processes[asked].node;
    unsigned backup = cluster_backup_of(c, "k");
    cluster_clog(c, owner, backup, HF_CHANNEL_DATA);
    struct request *request = cluster_ask(c, asked, "INCR", "k", NULL);
    cluster_run(c, 5);
    const struct hf_slice argv[] = {HF_SLICE_LITERAL("later"),
                                    HF_SLICE_LITERAL("k")};
    uint16_t partition = hf_partition_of_key(argv[1]);
    struct hf_message message = {
        .type = HF_MESSAGE_FORWARD,
        .forward = {.epoch = node->view->epoch,
                    .number = node->request_next - 1,
                    .partition = partition,
                    .partition_end = (uint16_t)(partition + 1),
                    .command = {.argc = 2, .argv = argv},
                    .unknown = HF_SLICE_LITERAL("LATER")}};
    process_on_message(&c->processes[owner], node->config.self.id,
                       node->config.self.incarnation, &message);
    cluster_check(c, cluster_await(c, request, 100), "no answer");
    cluster_expect_answer(c,
                          "(error) ERR unknown command 'LATER' on the node "
                          "that owns the session",
                          request);
    cluster_unclog(c, owner, backup, HF_CHANNEL_DATA);
    cluster_settle_and_check(c);
}

/* What one part refuses, the whole does. */
static void an_error_of_a_part_is_the_answer(void **state)
{
    struct cluster *c = story_start(state, 3, 7);
    story_fill(c, 4);
    cluster_isolate(c, 0);
    cluster_run(c, 1500);
    const char *answer = cluster_command(c, 0, "DBSIZE", NULL);
    cluster_check(c, strncmp(answer, "(error) CLUSTERDOWN ", 20) == 0, answer);
    answer = cluster_command(c, 0, "MGET", "fill:0", "fill:1", "fill:2", NULL);
    cluster_check(c, strncmp(answer, "(error) CLUSTERDOWN ", 20) == 0, answer);
    answer = cluster_command(c, 0, "SCAN", "0", NULL);
    cluster_check(c, strncmp(answer, "(error) CLUSTERDOWN ", 20) == 0, answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(multi_key_commands_span_owners),
        STORY(the_same_key_twice_in_one_command),
        STORY(dbsize_and_flushall_reach_everything),
        STORY(scan_covers_the_cluster),
        STORY(scan_covers_a_partition_page_by_page),
        STORY(scan_survives_the_death_of_a_node),
        STORY(an_older_owner_says_that_it_does_not_know),
        STORY(gathered_commands_are_held_in_the_gap),
        STORY(an_error_of_a_part_is_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
