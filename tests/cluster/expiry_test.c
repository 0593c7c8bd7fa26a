/* Sessions that run out are gone for everybody, at once and for good. */
#include <stdio.h>
#include <stdlib.h>

#include "support/story.h"

#define KEYS 50

static uint32_t sessions_held(struct cluster *c)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        for (unsigned p = 0; c->processes[i].running && p < HF_PARTITION_COUNT;
             p++) {
            const struct hf_sessions *sessions =
                hf_node_get_sessions(c->processes[i].node, (uint16_t)p);
            count += sessions == NULL ? 0 : sessions->count;
        }
    }
    return count;
}

/* Sets KEYS sessions that live for @ttl_ms. */
static void fill_for(struct cluster *c, const char *ttl_ms)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "brief:%u", i);
        cluster_expect_reply(c, "OK", i % 3, "SET", key, "x", "PX", ttl_ms,
                             NULL);
    }
}

static void expect_gone(struct cluster *c)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "brief:%u", i);
        cluster_expect(c, key, NULL);
    }
}

static void an_expired_session_is_nil_on_all_nodes_at_once(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    for (unsigned i = 0; i < KEYS; i++) {
        cluster_expect_reply(c, "OK", i % 3, "SET", "brief", "x", "PX", "500",
                             NULL);
        int64_t set_us = cluster_now_us(c);
        cluster_run(c, 480);
        cluster_expect(c, "brief", "x");
        cluster_run(c, 500 - (cluster_now_us(c) - set_us) / 1000 + 1);
        cluster_expect(c, "brief", NULL);
        cluster_expect_reply(c, "-2", i % 3, "PTTL", "brief", NULL);
    }
}

/* Nobody reads them, and yet their memory comes back, on all copies. */
static void expired_sessions_are_reclaimed_within_a_second(void **state)
{
    struct cluster *c = story_start(state, 3, 2);
    fill_for(c, "3000");
    cluster_check(c, sessions_held(c) == 2 * KEYS, "not two copies of each");
    cluster_run(c, 3000 + 1100);
    cluster_check(c, sessions_held(c) == 0, "expired sessions are still held");
    cluster_expect_reply(c, "0", 0, "DBSIZE", NULL);
    cluster_settle_and_check(c);
}

/* The heir has a copy that was not told of the end. */
static void an_expired_session_does_not_come_back_after_a_failover(void **state)
{
    for (unsigned victim = 0; victim < 3; victim++) {
        struct cluster *c = story_start(state, 3, 3 + victim);
        fill_for(c, "1000");
        cluster_run(c, 995); /* The last ones end just around the kill. */
        cluster_kill(c, victim);
        cluster_run(c, 100);
        expect_gone(c);
        cluster_settle_and_check(c);
        expect_gone(c);
        cluster_check(c, sessions_held(c) == 0, "expired sessions are held");
    }
}

/* Time left, as everybody sees it, is neither lost nor won by a failover or a
 * hand-off. */
static void time_to_live_survives_a_failover(void **state)
{
    struct cluster *c = story_start(state, 3, 6);
    cluster_expect_reply(c, "OK", 0, "SET", "cart:7", "x", "PX", "60000", NULL);
    cluster_expect_reply(c, "1", 0, "HSET", "cart:8", "f", "x", NULL);
    cluster_expect_reply(c, "1", 0, "PEXPIRE", "cart:8", "60000", NULL);
    int64_t set_us = cluster_now_us(c);
    const unsigned victims[] = {cluster_primary_of(c, "cart:7"),
                                cluster_backup_of(c, "cart:7")};
    for (unsigned i = 0; i < 2; i++) {
        cluster_run(c, 2000);
        cluster_kill(c, victims[i]);
        cluster_settle_and_check(c);
        cluster_boot(c, victims[i]);
        cluster_settle_and_check(c);
        const char *keys[] = {"cart:7", "cart:8"};
        for (unsigned k = 0; k < 2; k++) {
            int64_t left_ms =
                strtoll(cluster_command(c, 0, "PTTL", keys[k], NULL), NULL, 10);
            int64_t wanted_ms = 60000 - (cluster_now_us(c) - set_us) / 1000;
            cluster_check(c, left_ms >= wanted_ms - 5, "time was lost");
            int64_t grace_ms = k == 1 ? c->processes[0].config.touch_delay_ms
                                      : 0; /* Of a touch. */
            cluster_check(c, left_ms <= wanted_ms + 500 + grace_ms,
                          "time was won");
        }
    }
}

static void a_session_without_a_deadline_keeps_none(void **state)
{
    struct cluster *c = story_start(state, 3, 7);
    cluster_expect_reply(c, "OK", 0, "SET", "cart:7", "x", "PX", "2000", NULL);
    cluster_expect_reply(c, "1", 1, "PERSIST", "cart:7", NULL);
    cluster_kill(c, cluster_primary_of(c, "cart:7"));
    cluster_settle_and_check(c);
    cluster_run(c, 3000);
    cluster_expect(c, "cart:7", "x");
    cluster_expect_reply(c, "-1", cluster_first_up(c), "TTL", "cart:7", NULL);
}

/* A shopper who keeps clicking keeps the session, whoever serves it. */
static void touching_keeps_a_session_alive(void **state)
{
    struct cluster *c = story_start(state, 3, 8);
    cluster_expect_reply(c, "OK", 0, "SET", "cart:7", "x", "PX", "1000", NULL);
    for (unsigned i = 0; i < 10; i++) {
        cluster_run(c, 700);
        if (i == 5) {
            cluster_kill(c, cluster_primary_of(c, "cart:7"));
        }
        cluster_expect_reply(c, "1", cluster_first_up(c), "PEXPIRE", "cart:7",
                             "1000", NULL);
    }
    cluster_expect(c, "cart:7", "x");
    cluster_run(c, 1001);
    cluster_expect(c, "cart:7", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(an_expired_session_is_nil_on_all_nodes_at_once),
        STORY(expired_sessions_are_reclaimed_within_a_second),
        STORY(an_expired_session_does_not_come_back_after_a_failover),
        STORY(time_to_live_survives_a_failover),
        STORY(a_session_without_a_deadline_keeps_none),
        STORY(touching_keeps_a_session_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
