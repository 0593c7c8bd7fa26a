/* fence_test.c - Who logged out stays out, whatever comes late. */
#include <stdio.h>
#include <stdlib.h>

#include "core/node_state.h"
#include "support/story.h"

#define KEYS 60
#define DRAIN_MS 20000

static void key_of(unsigned i, char key[16])
{
    (void)snprintf(key, 16, "sess:%u", i);
}

/* KEYS people log in and out again. */
static void log_out_all(struct cluster *c)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        key_of(i, key);
        unsigned node = cluster_first_up(c);
        cluster_expect_reply(c, "OK", node, "SET", key, "in", NULL);
        cluster_expect_reply(c, "1", node, "DEL", key, NULL);
    }
}

/* Late saves of all of them store nothing, whichever node they come to. */
static void expect_all_out(struct cluster *c)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        key_of(i, key);
        for (unsigned n = 0; n < c->options.node_count; n++) {
            if (cluster_is_up(c, n)) {
                cluster_expect_reply(c, "(nil)", n, "SET", key, "late", NULL);
                cluster_expect_reply(c, "0", n, "HSET", key, "f", "v", NULL);
                cluster_expect_reply(c, "0", n, "EXPIRE", key, "60", NULL);
            }
        }
        cluster_expect(c, key, NULL);
    }
}

static size_t fences_held(struct cluster *c)
{
    size_t count = 0;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        for (unsigned p = 0; c->processes[i].running && p < HF_PARTITION_COUNT;
             p++) {
            const struct hf_sessions *sessions =
                hf_node_get_sessions(c->processes[i].node, (uint16_t)p);
            count += sessions == NULL ? 0 : sessions->fences.count;
        }
    }
    return count;
}

/* A settled cluster whose fences last for @lifetime_ms. */
static struct cluster *start_brief(void **state, unsigned node_count,
                                   uint64_t seed, int64_t lifetime_ms)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = node_count;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    for (unsigned i = 0; i < node_count; i++) {
        c->processes[i].config.fences.lifetime_ms = lifetime_ms;
        cluster_boot(c, i);
    }
    cluster_settle(c, CLUSTER_SETTLE_MS);
    return c;
}

static void a_late_save_stores_nothing_on_any_node(void **state)
{
    struct cluster *c = story_start(state, 3, 1);
    log_out_all(c);
    expect_all_out(c);
    cluster_check(c, fences_held(c) == 2 * KEYS, "not two copies of each");
    cluster_expect_reply(c, "0", 0, "DBSIZE", NULL);
    cluster_expect_reply(c, "[0 []]", 1, "SCAN", "0", "COUNT", "1000000", NULL);
    cluster_settle_and_check(c);
}

static void keys_without_a_prefix_are_used_again(void **state)
{
    struct cluster *c = story_start(state, 3, 2);
    cluster_expect_reply(c, "OK", 0, "SET", "PHPSESSID:1", "in", NULL);
    cluster_expect_reply(c, "1", 1, "DEL", "PHPSESSID:1", NULL);
    cluster_expect_reply(c, "OK", 2, "SET", "PHPSESSID:1", "again", NULL);
    cluster_expect(c, "PHPSESSID:1", "again");
    cluster_check(c, fences_held(c) == 0, "a fence nobody asked for");
}

static void fences_outlive_the_primary(void **state)
{
    for (unsigned victim = 0; victim < 3; victim++) {
        struct cluster *c = story_start(state, 3, 3 + victim);
        log_out_all(c);
        cluster_kill(c, victim);
        expect_all_out(c);
        cluster_settle_and_check(c);
        expect_all_out(c);
    }
}

/* Every copy there is in the end was filled by one that was filled. */
static void fences_are_filled_into_new_copies(void **state)
{
    struct cluster *c = story_start(state, 2, 6);
    log_out_all(c);
    for (unsigned i = 0; i < 4; i++) {
        cluster_restart(c, i % 2);
        cluster_settle_and_check(c);
    }
    expect_all_out(c);
    cluster_check(c, fences_held(c) == 2 * KEYS, "not two copies of each");
}

static bool is_drained(struct cluster *c, void *user)
{
    const unsigned *node = user;
    struct hf_node_status status;
    hf_node_get_status(c->processes[*node].node, &status);
    return status.drained;
}

static void fences_are_handed_over(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 7);
    options.node_count = 3;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    cluster_boot_first(c, 2);
    log_out_all(c);
    cluster_boot(c, 2); /* It takes its share. */
    cluster_settle_and_check(c);
    expect_all_out(c);
    for (unsigned node = 0; node < 2; node++) {
        hf_node_drain(c->processes[node].node);
        cluster_check(c, cluster_wait(c, DRAIN_MS, is_drained, &node),
                      "a leaving node hands over");
        hf_node_leave(c->processes[node].node);
        cluster_run(c, 1000);
        cluster_kill(c, node);
        cluster_settle_and_check(c);
        expect_all_out(c);
    }
}

/* To the millisecond for everybody, though the copies changed hands. */
static void a_fence_is_lifted_by_its_lifetime_everywhere_at_once(void **state)
{
    struct cluster *c = start_brief(state, 3, 8, 6000);
    cluster_expect_reply(c, "OK", 0, "SET", "sess:x", "in", NULL);
    cluster_expect_reply(c, "1", 0, "DEL", "sess:x", NULL);
    int64_t deleted_us = cluster_now_us(c);
    cluster_kill(c, cluster_primary_of(c, "sess:x"));
    cluster_run(c, 5900 - (cluster_now_us(c) - deleted_us) / 1000);
    for (unsigned i = 0; i < 3; i++) {
        if (cluster_is_up(c, i)) {
            cluster_expect_reply(c, "(nil)", i, "SET", "sess:x", "late", NULL);
        }
    }
    cluster_run(c, 6010 - (cluster_now_us(c) - deleted_us) / 1000);
    cluster_expect_reply(c, "OK", cluster_first_up(c), "SET", "sess:x", "new",
                         NULL);
    cluster_expect(c, "sess:x", "new");
    cluster_settle_and_check(c);
}

static void memory_of_fences_comes_back(void **state)
{
    struct cluster *c = start_brief(state, 3, 9, 3000);
    log_out_all(c);
    cluster_check(c, fences_held(c) == 2 * KEYS, "not two copies of each");
    cluster_run(c, 3000 + 1100);
    cluster_check(c, fences_held(c) == 0, "fences stand for too long");
    for (unsigned i = 0; i < 3; i++) {
        cluster_check(c,
                      hf_node_get_counters(c->processes[i].node)->expired == 0,
                      "a fence counts as a session");
    }
    cluster_settle_and_check(c);
}

static void an_expired_session_gives_way_to_a_new_login(void **state)
{
    struct cluster *c = story_start(state, 3, 10);
    cluster_expect_reply(c, "OK", 0, "SET", "sess:x", "in", "PX", "500", NULL);
    cluster_run(c, 501);
    cluster_expect_reply(c, "0", 1, "EXPIRE", "sess:x", "60", NULL);
    cluster_expect(c, "sess:x", NULL);
    cluster_expect_reply(c, "OK", 2, "SET", "sess:x", "again", NULL);
    cluster_expect(c, "sess:x", "again");
}

static void a_flush_spares_fences_and_makes_none(void **state)
{
    struct cluster *c = story_start(state, 3, 11);
    log_out_all(c);
    cluster_set(c, "sess:in", "in");
    cluster_expect_reply(c, "OK", 1, "FLUSHALL", NULL);
    cluster_expect(c, "sess:in", NULL);
    expect_all_out(c);
    cluster_expect_reply(c, "OK", 2, "SET", "sess:in", "again", NULL);
    cluster_settle_and_check(c);
}

/* The logout is on its way to the backup when the late save comes: that nothing
 * was stored may be said only once the logout cannot be lost any more. */
static void a_refusal_waits_for_the_logout_it_shows(void **state)
{
    struct cluster *c = story_start(state, 3, 12);
    cluster_set(c, "sess:x", "in");
    unsigned primary = cluster_primary_of(c, "sess:x");
    unsigned backup = cluster_backup_of(c, "sess:x");
    unsigned other = cluster_stranger_to(c, "sess:x");
    cluster_clog(c, primary, backup, HF_CHANNEL_DATA);
    struct request *logout = cluster_ask(c, primary, "DEL", "sess:x", NULL);
    cluster_run(c, 5);
    struct request *late = cluster_ask(c, other, "SET", "sess:x", "late", NULL);
    struct request *look = cluster_ask(c, other, "GET", "sess:x", NULL);
    cluster_run(c, 50);
    cluster_expect_answer(c, "(waiting)", logout);
    cluster_expect_answer(c, "(waiting)", late);
    cluster_expect_answer(c, "(waiting)", look);
    cluster_unclog(c, primary, backup, HF_CHANNEL_DATA);
    cluster_run(c, 50);
    cluster_expect_answer(c, "1", logout);
    cluster_expect_answer(c, "(nil)", late);
    cluster_expect_answer(c, "(nil)", look);
}

/* A partition full of fences gives up those that end first. */
static void too_many_fences_are_lifted_early_oldest_first(void **state)
{
    struct cluster *c = story_start(state, 3, 13);
    const unsigned count = 2000; /* Of one partition, by their tag. */
    char key[40];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "sess:{t}%u", i);
        cluster_expect_reply(c, "OK", 0, "SET", key, "in", NULL);
        cluster_expect_reply(c, "1", 0, "DEL", key, NULL);
        cluster_run(c, 1);
    }
    unsigned primary = cluster_primary_of(c, key);
    struct hf_node *node = c->processes[primary].node;
    const struct hf_sessions *sessions =
        hf_node_get_sessions(node, hf_partition_of_key(hf_slice_text(key)));
    uint64_t lifted = hf_node_get_counters(node)->fences_lifted_early;
    cluster_check(c, lifted > 0, "no bound");
    cluster_check(c, sessions->fence_bytes <= HF_FENCE_BYTES_MAX, "too many");
    cluster_check(c, sessions->fences.count + lifted == count, "some are lost");
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "sess:{t}%u", i);
        bool fenced = hf_sessions_is_fenced(
            sessions, hf_slice_text(key), hf_sessions_hash(hf_slice_text(key)),
            node->now);
        cluster_check(c, fenced == (i >= lifted), "not the oldest ones");
    }
    cluster_settle_and_check(c);
}

/* Clients that log in and out, at nodes that come and go. */
static void logouts_are_linearizable_through_restarts(void **state)
{
    struct cluster *c = story_start(state, 3, 14);
    struct workload_options options;
    workload_options_init(&options);
    options.cold_keys = 400;
    struct workload w;
    workload_start(&w, c, &options, 14);
    for (unsigned i = 0; i < 6; i++) {
        cluster_restart(c, i % 3);
        cluster_settle(c, CLUSTER_SETTLE_MS);
    }
    workload_end(&w);
    cluster_check(c, w.refused > 0, "no late save came");
    workload_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_late_save_stores_nothing_on_any_node),
        STORY(keys_without_a_prefix_are_used_again),
        STORY(fences_outlive_the_primary),
        STORY(fences_are_filled_into_new_copies),
        STORY(fences_are_handed_over),
        STORY(a_fence_is_lifted_by_its_lifetime_everywhere_at_once),
        STORY(memory_of_fences_comes_back),
        STORY(an_expired_session_gives_way_to_a_new_login),
        STORY(a_flush_spares_fences_and_makes_none),
        STORY(a_refusal_waits_for_the_logout_it_shows),
        STORY(too_many_fences_are_lifted_early_oldest_first),
        STORY(logouts_are_linearizable_through_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
