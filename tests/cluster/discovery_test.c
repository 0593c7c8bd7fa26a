/* discovery_test.c - Who starts a cluster, and which one goes on when two
 * meet. A second one beside the first would answer for sessions it does not
 * have, or has as they once were. */
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define SILENCE_MS 3000
#define ALONE_MS 6000 /* Longer than anyone looks for a cluster. */

static bool is_out(struct cluster *c, void *user)
{
    const unsigned *node = user;
    return c->processes[*node].node->state == HF_STATE_OUT;
}

static void expect_no_answer(struct cluster *c, unsigned node, const char *key)
{
    const char *answer = cluster_command(c, node, "GET", key, NULL);
    cluster_check(c, strstr(answer, "CLUSTERDOWN") != NULL,
                  "an excluded node answers");
}

/* It was left out, heard so, and is cut off again at once: for all it knows the
 * others live and have logged out, or in, whom it remembers. It waits. */
static void an_excluded_node_starts_no_second_cluster(void **state)
{
    struct cluster *c = story_start(state, 3, 5);
    cluster_set(c, "k", "old");
    cluster_set(c, "gone", "logged in");
    unsigned x = cluster_primary_of(c, "k");
    unsigned other = (x + 1) % 3;
    cluster_isolate(c, x);
    cluster_run(c, SILENCE_MS);
    cluster_expect_reply(c, "OK", other, "SET", "k", "new", NULL);
    cluster_expect_reply(c, "1", other, "UNLINK", "gone", NULL);
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, SILENCE_MS, is_out, &x),
                  "the node does not hear that it was left out");
    cluster_isolate(c, x);
    cluster_run(c, ALONE_MS);
    expect_no_answer(c, x, "k");
    expect_no_answer(c, x, "gone");

    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_expect(c, "k", "new");
    cluster_expect(c, "gone", NULL);
}

/* But when all the others have died there is nobody to wait for, and a service
 * with no sessions is better than none. What it still has is not said to be
 * there: it may be old. */
static void an_excluded_node_starts_anew_when_all_others_are_dead(void **state)
{
    struct cluster *c = story_start(state, 3, 6);
    cluster_set(c, "k", "old");
    unsigned x = cluster_primary_of(c, "k");
    cluster_isolate(c, x);
    cluster_run(c, SILENCE_MS);
    cluster_expect_reply(c, "OK", (x + 1) % 3, "SET", "k", "new", NULL);
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, SILENCE_MS, is_out, &x),
                  "the node does not hear that it was left out");
    cluster_kill(c, (x + 1) % 3);
    cluster_kill(c, (x + 2) % 3);
    cluster_settle_and_check(c);
    cluster_expect(c, "k", NULL);
    cluster_set(c, "k", "newer");
    cluster_boot(c, (x + 1) % 3);
    cluster_settle_and_check(c);
    cluster_expect(c, "k", "newer");
}

/* Z joined after X was left out, and goes on alone when the others have died.
 * All that X heard of before are dead, but it was told where Z may be, or has
 * met it: a second cluster would serve beside that of Z. */
static void an_excluded_node_knows_that_others_may_have_joined(void **state)
{
    for (unsigned met = 0; met < 2; met++) {
        struct cluster_options options;
        cluster_options_init(&options, 7);
        options.node_count = 4;
        options.policy = HF_POLICY_MAJORITY;
        options.boot_none = true;
        struct cluster *c = story_create(state, &options);
        unsigned x = 2;
        unsigned z = 3;
        if (met != 0) {
            c->processes[x].config.seed_count = 3; /* All but Z. */
        }
        cluster_boot_first(c, 3);
        cluster_isolate(c, x);
        cluster_run(c, SILENCE_MS);
        cluster_heal(c);
        cluster_check(c, cluster_wait(c, SILENCE_MS, is_out, &x),
                      "the node does not hear that it was left out");
        cluster_isolate(c, x);
        if (met != 0) {
            network_cut(&c->network, x, z, false);
            network_cut(&c->network, z, x, false);
            cluster_cut(c, z, 0);
            cluster_cut(c, z, 1);
        }
        cluster_boot(c, z);
        cluster_run(c, 500);
        cluster_heal(c);
        cluster_isolate(c, x);
        cluster_run(c, 2 * SILENCE_MS);
        cluster_expect_reply(c, "OK", z, "SET", "k", "new", NULL);
        cluster_kill(c, 0);
        cluster_run(c, SILENCE_MS);
        cluster_kill(c, 1);
        cluster_run(c, SILENCE_MS);
        cluster_heal(c);
        cluster_cut(c, x, z);
        cluster_run(c, ALONE_MS);
        struct hf_node_status status;
        hf_node_get_status(c->processes[x].node, &status);
        cluster_check(c, status.state == HF_STATE_OUT, "it starts a cluster");
        cluster_check(
            c,
            status.waits_for != NULL &&
                strcmp(status.waits_for,
                       met != 0 ? "n4" : c->processes[z].config.self.host) == 0,
            "it does not say for whom it waits");
        cluster_heal(c);
        cluster_settle_and_check(c);
        cluster_expect(c, "k", "new");
        story_end(state);
    }
}

static bool are_out(struct cluster *c, void *user)
{
    unsigned *nodes = user;
    return is_out(c, &nodes[0]) && is_out(c, &nodes[1]);
}

static void expect_waits_for(struct cluster *c, unsigned node, unsigned other)
{
    struct hf_node_status status;
    hf_node_get_status(c->processes[node].node, &status);
    cluster_check(c, status.state == HF_STATE_OUT, "it starts a cluster");
    cluster_check(
        c,
        status.waits_for != NULL &&
            strcmp(status.waits_for, c->processes[other].config.self.name) == 0,
        "it does not say for whom it waits");
}

/* @nodes are kept as absent, and hear so. */
static void leave_out_copies(struct cluster *c, unsigned nodes[2])
{
    nodes[0] = cluster_primary_of(c, "k");
    nodes[1] = cluster_backup_of(c, "k");
    cluster_isolate(c, nodes[0]);
    cluster_isolate(c, nodes[1]);
    cluster_run(c, SILENCE_MS);
}

/* Two were kept as absent with the only copies of something, hear so, and then
 * all others die. Each may be taken in by somebody whom the other one does not
 * know of, and of both together none has a vote: so they wait, and say for
 * whom. When one of them has ended the other one serves what it has. */
static void two_that_are_kept_wait_for_each_other(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 9);
    options.node_count = 5;
    options.policy = HF_POLICY_MAJORITY;
    struct cluster *c = story_start_with(state, &options);
    unsigned nodes[2];
    cluster_set(c, "k", "v");
    leave_out_copies(c, nodes);
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, SILENCE_MS, are_out, nodes),
                  "they do not hear that they were left out");
    for (unsigned i = 0; i < 5; i++) {
        if (i != nodes[0] && i != nodes[1]) {
            cluster_kill(c, i);
        }
    }
    cluster_run(c, 2 * ALONE_MS);
    expect_waits_for(c, nodes[0], nodes[1]);
    expect_waits_for(c, nodes[1], nodes[0]);

    cluster_kill(c, nodes[1]);
    cluster_settle_and_check(c);
    cluster_expect(c, "k", "v");
}

/* The same when the last of the others takes them back, which needs no vote but
 * its own, and dies before anybody has heard of that. They cannot tell it from
 * a view with somebody else in it. */
static void two_that_were_taken_back_unheard_wait(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 9);
    options.node_count = 5;
    options.policy = HF_POLICY_MAJORITY;
    struct cluster *c = story_start_with(state, &options);
    unsigned nodes[2];
    cluster_set(c, "k", "v");
    unsigned last = cluster_stranger_to(c, "k");
    leave_out_copies(c, nodes);
    for (unsigned i = 0; i < 5; i++) {
        if (i != nodes[0] && i != nodes[1] && i != last) {
            cluster_kill(c, i);
            cluster_run(c, SILENCE_MS);
        }
    }
    cluster_check(c, story_is_of_one(c, &last), "somebody else has a vote");
    cluster_heal(c);
    int64_t until_us = cluster_now_us(c) + SILENCE_MS * SCHEDULE_US_PER_MS;
    while (story_is_of_one(c, &last) && cluster_step(c, until_us)) {
    }
    cluster_check(c, !story_is_of_one(c, &last), "it takes nobody back");
    cluster_isolate(c, last);
    cluster_run(c, HF_HEARTBEAT_MS);
    cluster_kill(c, last);
    cluster_heal(c);
    cluster_run(c, 2 * ALONE_MS);
    expect_waits_for(c, nodes[0], nodes[1]);
    expect_waits_for(c, nodes[1], nodes[0]);

    cluster_kill(c, nodes[1]);
    cluster_settle_and_check(c);
    cluster_expect(c, "k", "v");
}

/* Settled, and with clocks that agree on what year it is. */
static struct cluster *start(void **state, unsigned node_count, uint64_t seed)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = node_count;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    cluster_boot_first(c, node_count);
    return c;
}

/* Node 1 hangs; those that look for it in vain start a cluster. Then it goes
 * on. Until all are in one cluster again there are two that serve. */
static void meet(struct cluster *c)
{
    uint64_t cluster = c->processes[1].node->view->cluster;
    c->invariants.two_sides = true;
    cluster_run(c, ALONE_MS);
    cluster_check(c, c->processes[0].node->view->cluster != cluster,
                  "no other cluster was started");
    cluster_resume(c, 1);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    c->invariants.two_sides = false;
    cluster_settle_and_check(c);
    cluster_check(c, cluster_view(c)->cluster == cluster,
                  "the newer cluster goes on");
}

static void expect_nothing_dropped(struct cluster *c, unsigned node)
{
    const struct hf_node_counters *counters =
        hf_node_get_counters(c->processes[node].node);
    cluster_check(c, counters->merge_conflicts == 0,
                  "the cluster with the sessions gave them up");
}

/* Started again with its clock set back, a node passes for an older process of
 * its name by that. Nobody asks the clock: it is taken in at once. */
static void a_clock_set_back_keeps_nobody_out(void **state)
{
    struct cluster *c = start(state, 3, 90);
    cluster_set(c, "k", "acked");
    cluster_kill(c, 0);
    c->processes[0].clock.wall_ms -= 3600000;
    cluster_boot(c, 0);
    cluster_run(c, 2000);
    const struct hf_view *view = hf_node_get_view(c->processes[0].node);
    cluster_check(c, view != NULL && view->member_count == 3,
                  "it is not taken in");
    cluster_settle_and_check(c);
    cluster_expect(c, "k", "acked");
}

/* The only node with the sessions hangs, while another starts and finds nobody.
 * When they meet, the new, empty cluster gives way; whichever number each of
 * the two has drawn. */
static void of_two_clusters_the_older_goes_on(void **state)
{
    for (uint64_t seed = 70; seed < 78; seed++) {
        struct cluster *c = start(state, 2, seed);
        cluster_set(c, "k", "acked");
        cluster_kill(c, 0);
        cluster_run(c, 2000);
        cluster_pause(c, 1);
        cluster_boot(c, 0);
        meet(c);
        expect_nothing_dropped(c, 1);
        cluster_expect(c, "k", "acked");
    }
}

/* And also when the new one has more nodes. */
static void the_older_goes_on_though_it_is_smaller(void **state)
{
    struct cluster *c = start(state, 3, 77);
    cluster_set(c, "k", "acked");
    cluster_kill(c, 0);
    cluster_run(c, SILENCE_MS);
    cluster_kill(c, 2);
    cluster_run(c, SILENCE_MS);
    cluster_pause(c, 1);
    cluster_boot(c, 0);
    cluster_boot(c, 2);
    meet(c);
    expect_nothing_dropped(c, 1);
    cluster_expect(c, "k", "acked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(an_excluded_node_starts_no_second_cluster),
        STORY(an_excluded_node_starts_anew_when_all_others_are_dead),
        STORY(an_excluded_node_knows_that_others_may_have_joined),
        STORY(two_that_are_kept_wait_for_each_other),
        STORY(two_that_were_taken_back_unheard_wait),
        STORY(of_two_clusters_the_older_goes_on),
        STORY(the_older_goes_on_though_it_is_smaller),
        STORY(a_clock_set_back_keeps_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
