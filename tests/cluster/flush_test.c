/* flush_test.c - FLUSHALL drops all there was, once, and nothing that came
 * after; and a key without a byte is a key, not a flush. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define BIG_BYTES 60000
#define BIG_COUNT 40
#define MANY_KEYS 6000

/* A session was just deleted, and no backup knows yet. FLUSHALL finds nothing
 * there to drop, and yet must not say OK before it is sure that no copy has the
 * session: its primary may die, and the session be back. */
static void a_flush_covers_what_is_being_deleted(void **state)
{
    struct cluster *c = story_start(state, 3, 8);
    cluster_set(c, "k", "v");
    unsigned primary = cluster_primary_of(c, "k");
    unsigned backup = cluster_backup_of(c, "k");
    unsigned other = cluster_stranger_to(c, "k");
    cluster_clog(c, primary, backup, HF_CHANNEL_DATA);
    struct request *unlink = cluster_ask(c, primary, "UNLINK", "k", NULL);
    cluster_run(c, 5);
    struct request *flush = cluster_ask(c, other, "FLUSHALL", NULL);
    cluster_run(c, 50);
    cluster_expect_answer(c, "(waiting)", unlink);
    cluster_expect_answer(c, "(waiting)", flush);

    cluster_kill(c, primary);
    cluster_check(c, cluster_await(c, flush, 2000), "no answer to FLUSHALL");
    cluster_expect_answer(c, "OK", flush);
    cluster_settle_and_check(c);
    cluster_expect(c, "k", NULL);
}

static void key_with_owners(struct cluster *c, unsigned primary,
                            unsigned backup, char key[16])
{
    unsigned number = 0;
    do {
        (void)snprintf(key, 16, "k:%u", number++);
    } while (cluster_primary_of(c, key) != primary ||
             cluster_backup_of(c, key) != backup);
}

static bool is_link_up(struct cluster *c, void *user)
{
    (void)user;
    return network_link_of(&c->network, 0, 1, HF_CHANNEL_DATA)->out.up;
}

/* The link breaks while FLUSHALL waits, so it is sent again, and arrives long
 * after it was carried out and answered. Who logged in meanwhile stays. */
static void a_flush_that_comes_again_spares_what_came_after(void **state)
{
    struct cluster *c = story_start(state, 3, 10);
    char key[16];
    key_with_owners(c, 1, 2, key);
    cluster_set(c, key, "before");
    c->network.redial_us_max = 60000;
    cluster_clog(c, 1, 2, HF_CHANNEL_DATA);
    struct request *flush = cluster_ask(c, 0, "FLUSHALL", NULL);
    cluster_run(c, 5);
    struct network_faults faults =
        network_link_of(&c->network, 0, 1, HF_CHANNEL_DATA)->path.faults;
    faults.delay_us = 60000; /* The second one is on its way for long. */
    network_set_faults(&c->network, 0, 1, &faults);
    network_break(&c->network, 0, 1, HF_CHANNEL_DATA);
    cluster_run(c, 2);
    cluster_check(c, cluster_wait(c, 1000, is_link_up, NULL),
                  "the link does not come up again");
    cluster_unclog(c, 1, 2, HF_CHANNEL_DATA);
    cluster_run(c, 10);
    cluster_expect_answer(c, "OK", flush);
    cluster_expect_reply(c, "OK", 1, "SET", key, "after", NULL);
    cluster_run(c, 600);
    cluster_expect(c, key, "after");
    cluster_settle_and_check(c);
}

/* One part of FLUSHALL is carried out, and somebody saw it, when a part of it
 * that is not yet acknowledged needs another view. Who logs in on an empty
 * cluster must not be flushed by the same FLUSHALL once more. */
static void a_flush_acts_once_though_the_view_changes(void **state)
{
    struct cluster *c = story_start(state, 3, 12);
    char seen[16], held[16];
    key_with_owners(c, 0, 1, seen);
    key_with_owners(c, 0, 2, held);
    cluster_set(c, seen, "before");
    cluster_set(c, held, "before");
    cluster_clog(c, 0, 2, HF_CHANNEL_DATA);
    struct request *flush = cluster_ask(c, 1, "FLUSHALL", NULL);
    cluster_run(c, 20);
    cluster_expect_answer(c, "(waiting)", flush);
    cluster_expect_reply(c, "(nil)", 0, "GET", seen, NULL);
    cluster_expect_reply(c, "OK", 0, "SET", seen, "after", NULL);
    cluster_expect_answer(c, "(waiting)", flush);

    cluster_kill(c, 2);
    cluster_check(c, cluster_await(c, flush, 2000), "no answer to FLUSHALL");
    cluster_expect_answer(c, "OK", flush);
    cluster_settle_and_check(c);
    cluster_expect(c, seen, "after");
    cluster_expect(c, held, NULL);
}

/* The same when the primary that carried it out dies: its heir knows. */
static void a_flush_acts_once_though_its_primary_dies(void **state)
{
    struct cluster *c = story_start(state, 3, 14);
    char seen[16], held[16];
    key_with_owners(c, 2, 1, seen);
    key_with_owners(c, 2, 0, held);
    cluster_set(c, seen, "before");
    cluster_set(c, held, "before");
    cluster_clog(c, 0, 2, HF_CHANNEL_DATA); /* Acknowledgements. */
    struct request *flush = cluster_ask(c, 1, "FLUSHALL", NULL);
    cluster_run(c, 20);
    cluster_expect_answer(c, "(waiting)", flush);
    cluster_expect_reply(c, "(nil)", 1, "GET", seen, NULL);
    cluster_expect_reply(c, "OK", 1, "SET", seen, "after", NULL);

    cluster_kill(c, 2);
    cluster_check(c, cluster_await(c, flush, 2000), "no answer to FLUSHALL");
    cluster_expect_answer(c, "OK", flush);
    cluster_settle_and_check(c);
    cluster_expect(c, seen, "after");
    cluster_expect(c, held, NULL);
}

/* So many bytes beside the empty key that filling a copy takes a while. */
static void fill_beside_the_empty_key(struct cluster *c)
{
    static char big[BIG_BYTES + 1];
    memset(big, 'x', BIG_BYTES);
    uint16_t partition = hf_partition_of_key(HF_SLICE_LITERAL(""));
    unsigned made = 0;
    for (unsigned i = 0; made < BIG_COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "a%u", i);
        if (hf_partition_of_key(hf_slice_text(key)) == partition) {
            cluster_set(c, key, big);
            made++;
        }
    }
}

static bool is_learning(const struct cluster *c, unsigned primary)
{
    const struct hf_node *node = c->processes[primary].node;
    uint16_t partition = hf_partition_of_key(HF_SLICE_LITERAL(""));
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        if (node->members[i].learning == (int)partition) {
            return true;
        }
    }
    return false;
}

/* The empty key is written while its partition is being filled. A learner that
 * took the write for a flush, or for one that concerns it though it does not
 * have the session yet, would refuse it for ever. */
static void the_empty_key_is_a_key_like_any(void **state)
{
    struct cluster *c = story_start(state, 2, 2);
    fill_beside_the_empty_key(c);
    cluster_expect_reply(c, "1", 0, "HSET", "", "f", "v", NULL);
    unsigned primary = cluster_primary_of(c, "");
    unsigned backup = cluster_backup_of(c, "");
    cluster_kill(c, backup);
    cluster_run(c, 500);
    cluster_boot(c, backup);
    int64_t until_us = cluster_now_us(c) + 5000000;
    while (!is_learning(c, primary) && cluster_now_us(c) < until_us) {
        cluster_step(c, until_us); /* It takes but a few. */
    }
    cluster_check(c, is_learning(c, primary), "the new copy is not filled");
    cluster_clog(c, backup, primary, HF_CHANNEL_DATA);
    cluster_run(c, 2);
    struct request *expire =
        cluster_ask(c, primary, "EXPIRE", "", "1000", NULL);
    cluster_run(c, 5);
    cluster_unclog(c, backup, primary, HF_CHANNEL_DATA);
    cluster_settle_and_check(c);
    cluster_expect_answer(c, "1", expire);
    cluster_check(c, c->processes[backup].node->counters.records_refused == 0,
                  "the learner refused a write");
    cluster_kill(c, primary);
    cluster_settle_and_check(c);
    cluster_expect_reply(c, "v", backup, "HGET", "", "f", NULL);
}

/* @words, a flush, drops more than half of MANY_KEYS, but nothing of it is
 * freed at once; @last: what there is to be freed. */
static void flush(struct cluster *c, const char *words, unsigned last[2])
{
    struct request *flush = cluster_ask(c, 0, words, NULL);
    while (strcmp(cluster_answer(flush), "(waiting)") == 0) {
        cluster_step(c, INT64_MAX);
    }
    cluster_expect_answer(c, "OK", flush);
    for (unsigned i = 0; i < 2; i++) {
        last[i] = cluster_discarding(c, i);
        cluster_check(c, last[i] > MANY_KEYS / 2, "it was freed at once");
    }
    cluster_forget(flush);
}

static void expect_small_steps(struct cluster *c, unsigned last[2])
{
    while (last[0] + last[1] > 0) {
        cluster_step(c, INT64_MAX);
        for (unsigned i = 0; i < 2; i++) {
            unsigned left = cluster_discarding(c, i);
            cluster_check(c, left <= last[i], "more is freed than there was");
            cluster_check(c, last[i] - left <= HF_DISCARD_SLOTS_MAX,
                          "too much in one step");
            last[i] = left;
        }
    }
    cluster_settle_and_check(c);
}

/* To free millions of sessions takes longer than a node may stand still. The
 * primary and its copies are empty at once, and free what there was in many
 * steps; also when what comes next is flushed before that has ended. */
static void a_flush_holds_up_nobody(void **state)
{
    struct cluster *c = story_start(state, 2, 16);
    unsigned last[2] = {0, 0};
    for (unsigned round = 0; round < 2; round++) {
        story_fill(c, MANY_KEYS);
        flush(c, "FLUSHALL", last);
        cluster_expect_reply(c, "0", 1, "DBSIZE", NULL);
    }
    expect_small_steps(c, last);
}

/* The same when each partition has sessions of another database, which stay. */
static void a_flush_of_one_database_holds_up_nobody(void **state)
{
    struct cluster *c = story_start(state, 2, 18);
    unsigned last[2] = {0, 0};
    for (unsigned i = 0; i < MANY_KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "\001k%u", i); /* Of database 1. */
        cluster_set(c, key, "v");
    }
    story_fill(c, MANY_KEYS);
    flush(c, "FLUSHDB", last);
    cluster_expect_reply(c, "0", 1, "DBSIZE", NULL);
    expect_small_steps(c, last);
    for (unsigned i = 0; i < 2; i++) {
        cluster_check(c, c->processes[i].node->counters.records_refused == 0,
                      "a copy refused a record");
    }
    cluster_expect(c, "\001k0", "v");
    cluster_expect(c, "\001k5999", "v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_flush_covers_what_is_being_deleted),
        STORY(a_flush_that_comes_again_spares_what_came_after),
        STORY(a_flush_acts_once_though_the_view_changes),
        STORY(a_flush_acts_once_though_its_primary_dies),
        STORY(the_empty_key_is_a_key_like_any),
        STORY(a_flush_holds_up_nobody),
        STORY(a_flush_of_one_database_holds_up_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
