/* What a copy answers without its primary, and when it does not. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

struct places {
    unsigned primary;
    unsigned backup;
    unsigned third;
};

static struct places places_of(struct cluster *c, const char *key)
{
    return (struct places){cluster_primary_of(c, key),
                           cluster_backup_of(c, key),
                           cluster_stranger_to(c, key)};
}

static struct hf_node *node_of(struct cluster *c, unsigned node)
{
    return c->processes[node].node;
}

static uint64_t copy_reads(struct cluster *c, unsigned node)
{
    return hf_node_get_counters(node_of(c, node))->copy_reads;
}

/* Messages about data that all nodes sent so far. */
static uint64_t messages_sent(struct cluster *c)
{
    uint64_t sum = 0;
    for (unsigned a = 0; a < c->options.node_count; a++) {
        for (unsigned b = 0; b < c->options.node_count; b++) {
            for (unsigned i = 0; i < NETWORK_MESSAGE_TYPES; i++) {
                sum += c->network.links[a][b][HF_CHANNEL_DATA].messages[i];
            }
        }
    }
    return sum;
}

/* Of a string, a hash, several keys, and of what is not there. */
static void a_copy_answers_reads_without_a_message(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    struct places at = places_of(c, "{cart}");
    cluster_expect_reply(c, "OK", 0, "MSET", "{cart}:1", "1 apple", "{cart}:2",
                         "2 pears", NULL);
    cluster_expect_reply(c, "1", 0, "HSET", "{cart}:3", "f", "v", NULL);
    cluster_run(c, 10);
    uint64_t messages = messages_sent(c);
    uint64_t reads = copy_reads(c, at.backup);
    cluster_expect_reply(c, "1 apple", at.backup, "GET", "{cart}:1", NULL);
    cluster_expect_reply(c, "v", at.backup, "HGET", "{cart}:3", "f", NULL);
    cluster_expect_reply(c, "[1 apple 2 pears (nil)]", at.backup, "MGET",
                         "{cart}:1", "{cart}:2", "{cart}:4", NULL);
    cluster_expect_reply(c, "(nil)", at.backup, "GET", "{cart}:4", NULL);
    cluster_check(c, messages_sent(c) == messages, "a message was sent");
    cluster_check(c, copy_reads(c, at.backup) - reads == 6, "not six reads");
    cluster_expect_reply(c, "1 apple", at.third, "GET", "{cart}:1", NULL);
    cluster_check(c, messages_sent(c) - messages == 2, "not two messages");
    cluster_check(c, copy_reads(c, at.third) == 0, "it has no copy");
}

/* The record is there, but for all that the copy knows, another one lacks it.
 */
static void a_copy_shows_no_write_that_others_may_lack(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 2);
    options.backups = 2;
    struct cluster *c = story_start_with(state, &options);
    cluster_set(c, "{cart}:7", "1 apple");
    cluster_set(c, "{cart}:8", "1 pear");
    cluster_run(c, 10);
    unsigned primary = cluster_primary_of(c, "{cart}");
    unsigned near = (primary + 1) % 3;
    unsigned far = (primary + 2) % 3;
    cluster_clog(c, primary, far, HF_CHANNEL_DATA);
    struct request *set =
        cluster_ask(c, primary, "SET", "{cart}:7", "2 apples", NULL);
    struct request *del = cluster_ask(c, primary, "DEL", "{cart}:8", NULL);
    cluster_run(c, 10);
    struct request *read = cluster_ask(c, near, "GET", "{cart}:7", NULL);
    struct request *nil = cluster_ask(c, near, "GET", "{cart}:8", NULL);
    struct request *old = cluster_ask(c, far, "GET", "{cart}:7", NULL);
    cluster_run(c, 100);
    cluster_expect_answer(c, "(waiting)", set);
    cluster_expect_answer(c, "(waiting)", del);
    cluster_expect_answer(c, "(waiting)", read);
    cluster_expect_answer(c, "(waiting)", nil);
    cluster_expect_answer(c, "1 apple", old);
    cluster_unclog(c, primary, far, HF_CHANNEL_DATA);
    cluster_run(c, 50);
    cluster_expect_answer(c, "OK", set);
    cluster_expect_answer(c, "2 apples", read);
    cluster_expect_answer(c, "(nil)", nil);
}

/* Two commands at once on one connection: the second is about the first. */
static void a_read_does_not_overtake_a_write_asked_before(void **state)
{
    struct cluster *c = story_start(state, 3, 3);
    struct places at = places_of(c, "{cart}");
    cluster_set(c, "{cart}:7", "1 apple");
    cluster_set(c, "{cart}:8", "1 pear");
    cluster_run(c, 10);
    cluster_ask(c, at.backup, "SET", "{cart}:7", "2 apples", NULL);
    struct request *after_set =
        cluster_ask(c, at.backup, "GET", "{cart}:7", NULL);
    struct request *other = cluster_ask(c, at.backup, "GET", "{cart}:8", NULL);
    cluster_run(c, 50);
    cluster_expect_answer(c, "1 pear", other);
    cluster_expect_answer(c, "2 apples", after_set);
    cluster_ask(c, at.backup, "FLUSHALL", NULL);
    struct request *after_flush =
        cluster_ask(c, at.backup, "GET", "{cart}:8", NULL);
    cluster_run(c, 50);
    cluster_expect_answer(c, "(nil)", after_flush);
}

/* The others go on without it, and it cannot know. */
static void a_copy_that_is_cut_off_stops_in_time(void **state)
{
    struct cluster *c = story_start(state, 3, 4);
    struct places at = places_of(c, "{cart}");
    cluster_set(c, "{cart}:7", "old");
    cluster_run(c, 10);
    cluster_isolate(c, at.backup);
    for (unsigned i = 0; i < 30; i++) {
        struct request *read =
            cluster_ask(c, at.backup, "GET", "{cart}:7", NULL);
        cluster_run(c, 100);
        bool answered = strcmp(cluster_answer(read), "old") == 0;
        cluster_check(c, answered || i >= 8, "not for as long as a lease");
        cluster_check(c, !answered || i <= 10, "longer than a lease");
        cluster_forget(read);
    }
    cluster_expect_reply(c, "OK", at.primary, "SET", "{cart}:7", "new", NULL);
    cluster_check(
        c,
        strncmp(cluster_command(c, at.backup, "GET", "{cart}:7", NULL),
                "(error) CLUSTERDOWN ", 20) == 0,
        "it answers what is old");
    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_expect(c, "{cart}:7", "new");
}

static void run_until_accepted(struct cluster *c, unsigned node)
{
    const struct hf_node *at = node_of(c, node);
    int64_t until_us = cluster_now_us(c) + 5000 * SCHEDULE_US_PER_MS;
    while (at->accepted_ballot <= at->view->epoch) {
        if (c->failed || !cluster_step(c, until_us)) {
            cluster_check(c, false, "no view drops it");
            return;
        }
    }
}

/* A view drops it, for it is slow, and keeps it as a member. It agreed, but
 * does not hear that all did, and its lease goes on. */
static void a_copy_that_is_dropped_stops_at_its_promise(void **state)
{
    struct cluster *c = story_start(state, 3, 5);
    struct places at = places_of(c, "{cart}");
    cluster_check(c, cluster_node_of(c, cluster_view(c), 0) != at.backup,
                  "it would propose the view");
    cluster_set(c, "{cart}:7", "old");
    cluster_run(c, 10);
    cluster_clog(c, at.backup, at.primary, HF_CHANNEL_DATA);
    cluster_ask(c, at.primary, "SET", "{cart}:8", "held up", NULL);
    run_until_accepted(c, at.backup);
    cluster_clog(c, at.primary, at.backup, HF_CHANNEL_CONTROL);
    cluster_clog(c, at.third, at.backup, HF_CHANNEL_CONTROL);
    cluster_run(c, 20);
    cluster_expect_reply(c, "OK", at.primary, "SET", "{cart}:7", "new", NULL);
    struct request *read = cluster_ask(c, at.backup, "GET", "{cart}:7", NULL);
    cluster_run(c, 20);
    cluster_expect_answer(c, "(waiting)", read);
    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_expect(c, "{cart}:7", "new");
}

/* Its clock says that the time is over, and it does not know that the client
 * asked for more. Only the primary knows how much is left. */
static void a_copy_leaves_the_time_to_the_primary(void **state)
{
    struct cluster *c = story_start(state, 3, 6);
    struct places at = places_of(c, "{cart}");
    cluster_expect_reply(c, "OK", at.primary, "SET", "{cart}:7", "1 apple",
                         "PX", "300", NULL);
    cluster_run(c, 10);
    cluster_clog(c, at.primary, at.backup, HF_CHANNEL_DATA);
    struct request *more =
        cluster_ask(c, at.primary, "PEXPIRE", "{cart}:7", "60000", NULL);
    cluster_run(c, 350);
    struct request *read = cluster_ask(c, at.backup, "GET", "{cart}:7", NULL);
    struct request *left = cluster_ask(c, at.backup, "TTL", "{cart}:7", NULL);
    cluster_run(c, 10);
    cluster_expect_answer(c, "(waiting)", read);
    cluster_expect_answer(c, "(waiting)", left);
    cluster_unclog(c, at.primary, at.backup, HF_CHANNEL_DATA);
    cluster_run(c, 50);
    cluster_expect_answer(c, "1", more);
    cluster_expect_answer(c, "1 apple", read);
    cluster_expect_answer(c, "60", left);
}

/* How often a message of @type was sent about data. */
static uint64_t sent_of(struct cluster *c, enum hf_message_type type)
{
    uint64_t sum = 0;
    for (unsigned a = 0; a < c->options.node_count; a++) {
        for (unsigned b = 0; b < c->options.node_count; b++) {
            sum += c->network.links[a][b][HF_CHANNEL_DATA].messages[type];
        }
    }
    return sum;
}

/* What one SET asked of @node costs, in messages and in one-way trips. */
static void expect_cost(struct cluster *c, unsigned node, unsigned messages,
                        unsigned results, unsigned trips)
{
    uint64_t messages_before = messages_sent(c);
    uint64_t results_before = sent_of(c, HF_MESSAGE_RESULT);
    struct request *set = cluster_ask(c, node, "SET", "{cart}:7", "x", NULL);
    cluster_run(c, 100);
    cluster_expect_answer(c, "OK", set);
    int64_t took_us = set->ended_us - set->started_us;
    cluster_check(c, messages_sent(c) - messages_before == messages,
                  "it takes other messages");
    cluster_check(c, sent_of(c, HF_MESSAGE_RESULT) - results_before == results,
                  "it takes other results");
    cluster_check(c, (took_us + 2000) / 10000 == trips, "other trips");
}

static struct cluster *start_far_apart(void **state, unsigned backups,
                                       uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.backups = backups;
    options.faults = (struct network_faults){.delay_us = 10000};
    struct cluster *c = story_start_with(state, &options);
    cluster_run(c, 100); /* What the last view began has ended. */
    return c;
}

/* Asked of the backup it takes a forward, the record with its answer in it,
 * the acknowledgement and the commit: answered after two trips of four. */
static void a_write_asked_of_its_backup_takes_one_round_trip(void **state)
{
    struct cluster *c = start_far_apart(state, 1, 7);
    struct places at = places_of(c, "{cart}");
    expect_cost(c, at.primary, 3, 0, 2);
    expect_cost(c, at.backup, 4, 0, 2);
    expect_cost(c, at.third, 5, 1, 4);
    uint64_t reads = copy_reads(c, at.backup);
    cluster_expect_reply(c, "OK", at.backup, "SET", "{cart}:7", "y", NULL);
    cluster_expect_reply(c, "y", at.backup, "GET", "{cart}:7", NULL);
    cluster_check(c, copy_reads(c, at.backup) == reads + 1,
                  "it does not know that the write is everywhere");
}

/* Of two backups neither knows of the other before the primary does. */
static void one_of_two_backups_waits_for_the_commit(void **state)
{
    struct cluster *c = start_far_apart(state, 2, 8);
    unsigned primary = cluster_primary_of(c, "{cart}");
    unsigned near = (primary + 1) % 3;
    unsigned far = (primary + 2) % 3;
    expect_cost(c, near, 7, 0, 4);
    cluster_clog(c, primary, far, HF_CHANNEL_DATA);
    struct request *set = cluster_ask(c, near, "SET", "{cart}:7", "y", NULL);
    cluster_run(c, 200);
    cluster_expect_answer(c, "(waiting)", set);
    cluster_unclog(c, primary, far, HF_CHANNEL_DATA);
    cluster_run(c, 100);
    cluster_expect_answer(c, "OK", set);
}

/* A partition, and who of the three learns it, when both others are its only
 * copies and nothing is acknowledged without the learner. */
static bool find_counted_learner(struct cluster *c, uint16_t *partition)
{
    const struct hf_node *node = node_of(c, 0);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_partition *at = &node->partitions[p];
        for (uint8_t i = 0; i < at->copy_count; i++) {
            if (at->synced && node->view->acting[p].count == 2 &&
                (at->copies[i].state == HF_COPY_LEARNT ||
                 at->copies[i].state == HF_COPY_NOMINATED)) {
                *partition = p;
                return true;
            }
        }
    }
    return false;
}

/* A learner that the primary waits for may be all that is left of both, so the
 * one backup may not answer without it. */
static void a_backup_does_not_answer_while_a_learner_counts(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 9);
    options.boot_none = true;
    options.one_seed = true;
    struct cluster *c = story_create(state, &options);
    cluster_boot_first(c, 2);
    cluster_boot(c, 2);
    uint16_t partition = 0;
    int64_t until_us = cluster_now_us(c) + 20000 * SCHEDULE_US_PER_MS;
    while (!find_counted_learner(c, &partition) && cluster_step(c, until_us)) {
    }
    cluster_clog(c, 2, 0, HF_CHANNEL_DATA);
    char key[16];
    unsigned number = 0;
    do {
        (void)snprintf(key, sizeof(key), "k:%u", number++);
    } while (hf_partition_of_key(hf_slice_text(key)) != partition);
    struct request *set = cluster_ask(c, 1, "SET", key, "x", NULL);
    cluster_run(c, 50);
    cluster_expect_answer(c, "(waiting)", set);
    cluster_unclog(c, 2, 0, HF_CHANNEL_DATA);
    cluster_run(c, 50);
    cluster_expect_answer(c, "OK", set);
    cluster_settle_and_check(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_copy_answers_reads_without_a_message),
        STORY(a_copy_shows_no_write_that_others_may_lack),
        STORY(a_read_does_not_overtake_a_write_asked_before),
        STORY(a_copy_that_is_cut_off_stops_in_time),
        STORY(a_copy_that_is_dropped_stops_at_its_promise),
        STORY(a_copy_leaves_the_time_to_the_primary),
        STORY(a_write_asked_of_its_backup_takes_one_round_trip),
        STORY(one_of_two_backups_waits_for_the_commit),
        STORY(a_backup_does_not_answer_while_a_learner_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
