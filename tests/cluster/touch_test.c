/* A session that is used stays, however its deadline travels. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define TTL_MS 20000 /* Of which a 20th is the default of touch_delay_ms. */
#define GRACE_MS 1000

static struct hf_node *node_of(struct cluster *c, unsigned node)
{
    return c->processes[node].node;
}

static uint64_t touches_of(struct cluster *c, unsigned node)
{
    return hf_node_get_counters(node_of(c, node))->touches;
}

static uint64_t writes_of(struct cluster *c, unsigned node)
{
    return hf_node_get_counters(node_of(c, node))->writes;
}

static void touch(struct cluster *c, unsigned node, const char *key)
{
    char ttl[16];
    (void)snprintf(ttl, sizeof(ttl), "%d", TTL_MS);
    cluster_expect_reply(c, "1", node, "PEXPIRE", key, ttl, NULL);
}

/* Twenty in a second: one record a second is what copies get. */
static void touches_close_together_are_one_record(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    unsigned primary = cluster_primary_of(c, "cart");
    cluster_expect_reply(c, "OK", 0, "SET", "cart", "x", "EX", "10", NULL);
    uint64_t writes = writes_of(c, primary);
    for (unsigned i = 0; i < 60; i++) {
        touch(c, i % 3, "cart");
        cluster_expect_reply(c, "20", i % 3, "TTL", "cart", NULL);
        cluster_run(c, 50);
    }
    cluster_check(c, writes_of(c, primary) - writes <= 4, "too many records");
    cluster_check(c, touches_of(c, primary) >= 56, "too few touches");
    cluster_expect_reply(c, "x", 0, "GETEX", "cart", "PX", "20000", NULL);
    cluster_settle_and_check(c);
}

/* What shortens a life, ends it or makes it last for ever is told. */
static void what_does_not_only_extend_is_replicated(void **state)
{
    struct cluster *c = story_start(state, 3, 2);
    unsigned primary = cluster_primary_of(c, "cart");
    cluster_set(c, "cart", "x");
    touch(c, 0, "cart");
    uint64_t writes = writes_of(c, primary);
    cluster_expect_reply(c, "1", 0, "PEXPIRE", "cart", "10000", NULL);
    cluster_expect_reply(c, "1", 0, "PERSIST", "cart", NULL);
    touch(c, 0, "cart");
    cluster_expect_reply(c, "1", 0, "PEXPIRE", "cart", "40000", NULL);
    cluster_check(c, writes_of(c, primary) - writes == 4, "not four records");
    cluster_check(c, touches_of(c, primary) == 0, "a touch was not told");
}

static void without_a_delay_each_is_replicated(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 3);
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < 3; i++) {
        c->processes[i].config.touch_delay_ms = 0;
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    cluster_set(c, "cart", "x");
    unsigned primary = cluster_primary_of(c, "cart");
    uint64_t writes = writes_of(c, primary);
    for (unsigned i = 0; i < 10; i++) {
        touch(c, i % 3, "cart");
    }
    cluster_check(c, writes_of(c, primary) - writes == 10, "not ten records");
}

/* The deadline on a copy when it is its own, and it is asked at @primary. */
static void expect_end(struct cluster *c, int64_t touched_us)
{
    int64_t earliest_us = touched_us + TTL_MS * SCHEDULE_US_PER_MS;
    cluster_run(c, (earliest_us - cluster_now_us(c)) / 1000 - 20);
    cluster_expect(c, "cart", "x");
    cluster_run(c, GRACE_MS + 300);
    cluster_expect(c, "cart", NULL);
}

/* The heir was not told of the last touches, only of enough. */
static void an_heir_ends_no_session_before_its_time(void **state)
{
    for (unsigned gap_ms = 0; gap_ms < 1000; gap_ms += 90) {
        struct cluster *c = story_start(state, 3, 4 + gap_ms);
        cluster_set(c, "cart", "x");
        touch(c, 0, "cart");
        int64_t touched_us = cluster_now_us(c);
        for (unsigned ms = 0; ms < gap_ms; ms += 30) {
            cluster_run(c, 30);
            touched_us = cluster_now_us(c); /* Not earlier than this. */
            touch(c, ms % 3, "cart");
        }
        cluster_kill(c, cluster_primary_of(c, "cart"));
        cluster_settle(c, CLUSTER_SETTLE_MS);
        expect_end(c, touched_us);
        story_end(state);
    }
}

/* Nothing was left to be told when the one that was filled takes over, while
 * the session is touched all the time. */
static void a_hand_off_ends_no_session_before_its_time(void **state)
{
    for (unsigned seed = 20; seed < 28; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, seed);
        options.boot_none = true;
        options.one_seed = true;
        struct cluster *c = story_create(state, &options);
        cluster_boot_first(c, 1);
        cluster_set(c, "cart", "x");
        cluster_boot(c, 1);
        int64_t touched_us = 0;
        for (unsigned i = 0; i < 1000 && !cluster_is_settled(c); i++) {
            cluster_run(c, 30);
            touched_us = cluster_now_us(c);
            touch(c, 0, "cart");
        }
        cluster_kill(c, 0);
        cluster_settle(c, CLUSTER_SETTLE_MS);
        expect_end(c, touched_us);
        story_end(state);
    }
}

/* Its end comes at the same time for readers everywhere, though copies would
 * keep it longer. */
static void a_touched_session_ends_at_once_everywhere(void **state)
{
    struct cluster *c = story_start(state, 3, 6);
    for (unsigned i = 0; i < 10; i++) {
        cluster_set(c, "cart", "x");
        touch(c, i % 3, "cart");
        int64_t touched_us = cluster_now_us(c);
        cluster_run(c, TTL_MS - 20);
        cluster_expect(c, "cart", "x");
        cluster_run(c, TTL_MS - (cluster_now_us(c) - touched_us) / 1000 + 1);
        cluster_expect(c, "cart", NULL);
    }
}

/* A session of the next story, and the end of the life promised last. */
struct kept {
    char key[16];
    int64_t ttl_ms;
    int64_t until_us;
};

#define KEPT 6

static void keep(struct cluster *c, struct kept *kept, struct hf_rng *rng)
{
    unsigned node = (unsigned)hf_rng_below(rng, 3);
    char ttl[16];
    (void)snprintf(ttl, sizeof(ttl), "%d", (int)kept->ttl_ms);
    if (!cluster_is_up(c, node)) {
        return;
    }
    int64_t started_us = cluster_now_us(c);
    bool lives = started_us < kept->until_us;
    const char *answer =
        lives
            ? cluster_command(c, node, "PEXPIRE", kept->key, ttl, NULL)
            : cluster_command(c, node, "SET", kept->key, "x", "PX", ttl, NULL);
    bool done = strcmp(answer, lives ? "1" : "OK") == 0;
    cluster_check(c, done || cluster_now_us(c) >= kept->until_us,
                  "it ended too early");
    if (done) {
        kept->until_us = started_us + (kept->ttl_ms - 1) * SCHEDULE_US_PER_MS;
    }
}

/* Touches at random, while primaries die. */
static void no_session_ends_early_however_often_primaries_die(void **state)
{
    for (unsigned seed = 1; seed <= 30; seed++) {
        struct hf_rng rng;
        struct cluster_options options;
        cluster_options_init(&options, seed);
        hf_rng_init(&rng, seed);
        struct cluster *c = story_start_with(state, &options);
        struct kept kept[KEPT] = {{.until_us = 0}};
        for (unsigned i = 0; i < KEPT; i++) {
            (void)snprintf(kept[i].key, sizeof(kept[i].key), "kept:%u", i);
            kept[i].ttl_ms = 1000 + 500 * (int64_t)i;
        }
        for (unsigned round = 0; round < 4; round++) {
            for (unsigned i = 0; i < 40; i++) {
                keep(c, &kept[hf_rng_below(&rng, KEPT)], &rng);
                cluster_run(c, (int64_t)hf_rng_below(&rng, 30));
            }
            unsigned victim = cluster_primary_of(c, kept[round].key);
            cluster_kill(c, victim);
            for (unsigned i = 0; i < 200; i++) { /* Until all have ended. */
                unsigned k = i % KEPT;
                const char *answer = cluster_command(c, cluster_first_up(c),
                                                     "GET", kept[k].key, NULL);
                cluster_check(c,
                              strcmp(answer, "x") == 0 ||
                                  cluster_now_us(c) >= kept[k].until_us,
                              "it ended too early");
                cluster_run(c, 15);
            }
            cluster_boot(c, victim);
            cluster_settle(c, CLUSTER_SETTLE_MS);
        }
        story_end(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(touches_close_together_are_one_record),
        STORY(what_does_not_only_extend_is_replicated),
        STORY(without_a_delay_each_is_replicated),
        STORY(an_heir_ends_no_session_before_its_time),
        STORY(a_hand_off_ends_no_session_before_its_time),
        STORY(no_session_ends_early_however_often_primaries_die),
        STORY(a_touched_session_ends_at_once_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
