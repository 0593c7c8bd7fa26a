/* A node that was killed comes back at its address, empty. Nothing it knew
 * counts any more, and being fast must not make it win. */
#include <stdio.h>

#include "support/story.h"

#define KEYS 40

/* Supervisors restart at once: the new process may be there before anyone
 * noticed that the old one died. */
static void a_node_restarted_at_once_loses_nothing(void **state)
{
    for (unsigned victim = 0; victim < 3; victim++) {
        struct cluster *c = story_start(state, 3, 1 + victim);
        story_fill(c, KEYS);
        cluster_restart(c, victim);
        for (unsigned i = 0; i < KEYS; i++) {
            char key[16];
            (void)snprintf(key, sizeof(key), "fill:%u", i);
            struct request *get = cluster_ask(c, i % 3, "GET", key, NULL);
            cluster_await(c, get, 2000);
            cluster_check(c, get->kind != HF_REPLY_NIL,
                          "a session is missing after a restart");
        }
        cluster_settle_and_check(c);
        story_expect_filled(c, KEYS);
    }
}

/* Dead for a while, from a blink to longer than any timeout. */
static void a_node_restarted_later_loses_nothing(void **state)
{
    const int64_t away_ms[] = {1, 5, 50, 300, 900, 1300, 5000};
    for (unsigned i = 0; i < HF_ARRAY_COUNT(away_ms); i++) {
        struct cluster *c = story_start(state, 3, 10 + i);
        struct workload_options options;
        workload_options_init(&options);
        struct workload w;
        workload_start(&w, c, &options, i);
        cluster_run(c, 300);
        cluster_kill(c, i % 3);
        cluster_run(c, away_ms[i]);
        cluster_boot(c, i % 3);
        cluster_settle(c, CLUSTER_SETTLE_MS);
        workload_end(&w);
        workload_close(&w);
    }
}

/* Every node once, then again, each after the one before is back. */
static void restarting_one_after_the_other_loses_nothing(void **state)
{
    struct cluster *c = story_start(state, 3, 4);
    story_fill(c, KEYS);
    struct workload_options options;
    workload_options_init(&options);
    struct workload w;
    workload_start(&w, c, &options, 4);
    for (unsigned i = 0; i < 9; i++) {
        cluster_restart(c, i % 3);
        cluster_settle(c, CLUSTER_SETTLE_MS);
    }
    workload_end(&w);
    story_expect_filled(c, KEYS);
    workload_close(&w);
}

/* A process that cannot stay up must not hurt the two that can. */
static void a_node_that_keeps_dying_does_no_harm(void **state)
{
    struct cluster *c = story_start(state, 3, 5);
    story_fill(c, KEYS);
    struct hf_rng rng;
    hf_rng_init(&rng, 5);
    for (unsigned i = 0; i < 40; i++) {
        cluster_restart(c, 1);
        cluster_run(c, (int64_t)hf_rng_below(&rng, 400));
    }
    cluster_kill(c, 1);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

/* A cluster of two: the survivor alone has everything while the other is
 * filled again. */
static void one_of_two_is_restarted(void **state)
{
    for (unsigned victim = 0; victim < 2; victim++) {
        struct cluster *c = story_start(state, 2, 6 + victim);
        story_fill(c, KEYS);
        cluster_restart(c, victim);
        cluster_settle_and_check(c);
        story_expect_filled(c, KEYS);
        cluster_kill(c, 1 - victim);
        cluster_settle_and_check(c);
        story_expect_filled(c, KEYS);
    }
}

static bool is_member(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_peer_info *info = &c->processes[*node].config.self;
    const struct hf_view *view = cluster_view(c);
    return view != NULL &&
           hf_view_find(view, info->id, info->incarnation) != HF_MEMBER_NONE;
}

/* What a process said just before it died may arrive after its successor made
 * itself known. It must not pass for the news that the successor is dead. */
static void a_late_word_of_a_dead_process_does_no_harm(void **state)
{
    for (unsigned node = 0; node < 3; node++) {
        struct cluster *c = story_start(state, 3, 8 + node);
        story_fill(c, KEYS);
        unsigned other = (node + 1) % 3;
        network_break(&c->network, node, other, HF_CHANNEL_DATA);
        cluster_clog(c, node, other, HF_CHANNEL_DATA);
        cluster_run(c, 350); /* It dials, and its HELLO is held up. */
        const struct hf_peer_info dead = c->processes[node].config.self;
        cluster_restart(c, node);
        cluster_run(c, 700); /* The new process has made itself known. */
        cluster_unclog(c, node, other, HF_CHANNEL_DATA);
        cluster_check(c, cluster_wait(c, 3000, is_member, &node),
                      "the new process is not taken in");
        for (unsigned i = 0; i < 200; i++) {
            cluster_run(c, 1);
            cluster_check(c, is_member(c, &node),
                          "a live process was taken for dead");
        }
        const struct process *hears = &c->processes[other];
        cluster_check(c, !hf_node_takes(hears->node, &dead, process_now(hears)),
                      "a greeting of the dead process is taken");
        cluster_settle_and_check(c);
        story_expect_filled(c, KEYS);
    }
}

/* The same, and by its clock the dead process is the later one. Its greetings
 * are all that is heard of it, some when a link of the other one has just
 * ended. */
static void a_late_word_of_a_later_clock_does_no_harm(void **state)
{
    unsigned node = 1;
    for (uint64_t seed = 18; seed < 21; seed++) {
        struct cluster *c = story_start(state, 2, seed);
        story_fill(c, KEYS);
        cluster_kill(c, node);
        cluster_run(c, 1000);
        struct network_faults faults = c->options.faults;
        faults.late_hello = 10000;
        faults.late_us_max = 12000000;
        network_set_faults_all(&c->network, &faults);
        cluster_cut(c, 0, 1);
        c->processes[node].clock.wall_ms += 60000;
        cluster_boot(c, node);
        cluster_run(c, 2500); /* It dials, and starts no cluster yet. */
        network_set_faults_all(&c->network, &c->options.faults);
        cluster_heal(c);
        c->processes[node].clock.wall_ms -= 60000;
        cluster_restart(c, node);
        cluster_settle_and_check(c);
        for (unsigned i = 0; i < 12000; i++) {
            if (i % 300 == 0) {
                network_break(&c->network, node, 0, HF_CHANNEL_CONTROL);
            }
            cluster_run(c, 1);
            cluster_check(c, is_member(c, &node),
                          "a live process was taken for dead");
        }
        cluster_settle_and_check(c);
        story_expect_filled(c, KEYS);
        story_end(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_node_restarted_at_once_loses_nothing),
        STORY(a_node_restarted_later_loses_nothing),
        STORY(restarting_one_after_the_other_loses_nothing),
        STORY(a_node_that_keeps_dying_does_no_harm),
        STORY(one_of_two_is_restarted),
        STORY(a_late_word_of_a_dead_process_does_no_harm),
        STORY(a_late_word_of_a_later_clock_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
