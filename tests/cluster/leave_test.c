/* leave_test.c - A node that leaves hands over first. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "core/node_state.h"
#include "support/story.h"
#include "support/workload.h"

#define KEYS 200
#define DRAIN_MS 20000

#define STORY(name)                                                            \
    cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

static struct hf_node *node_of(struct cluster *c, unsigned node)
{
    return c->processes[node].node;
}

struct leaver {
    struct cluster *c;
    unsigned node;
};

static bool is_drained(struct cluster *c, void *user)
{
    const struct leaver *leaver = user;
    struct hf_node_status status;
    hf_node_get_status(node_of(c, leaver->node), &status);
    return status.drained;
}

static bool has_left(struct cluster *c, void *user)
{
    const struct leaver *leaver = user;
    struct hf_node_status status;
    hf_node_get_status(node_of(c, leaver->node), &status);
    return status.state == HF_STATE_LEFT;
}

static void leave(struct cluster *c, unsigned node)
{
    struct leaver leaver = {c, node};
    hf_node_drain(node_of(c, node));
    cluster_check(c, cluster_wait(c, DRAIN_MS, is_drained, &leaver),
                  "others take over what a leaving node held");
    hf_node_leave(node_of(c, node));
    cluster_check(c, cluster_wait(c, DRAIN_MS, has_left, &leaver),
                  "the cluster goes on without a node that is ready to leave");
    cluster_kill(c, node);
}

/* One after the other leaves and comes back, whoever proposes views among
 * them, while clients of all nodes go on. No session is lost, and no copy is
 * missing at any time: nothing is ever acknowledged by one node alone. */
static void every_node_leaves_and_comes_back(void **state)
{
    struct cluster *c = story_start(state, 3, 31);
    story_fill(c, KEYS);
    struct workload_options options;
    workload_options_init(&options);
    struct workload w;
    workload_start(&w, c, &options, 31);
    for (unsigned node = 0; node < 3; node++) {
        leave(c, node);
        cluster_restart(c, node);
        cluster_settle(c, CLUSTER_SETTLE_MS);
    }
    workload_end(&w);
    story_expect_filled(c, KEYS);
    for (unsigned node = 0; node < 3; node++) {
        cluster_check(c,
                      hf_node_get_counters(node_of(c, node))->writes_alone == 0,
                      "a copy is never missing while nodes leave");
    }
    workload_close(&w);
}

/* Two become one, by the one that proposes views leaving. */
static void one_of_two_leaves(void **state)
{
    struct cluster *c = story_start(state, 2, 32);
    story_fill(c, KEYS);
    leave(c, cluster_node_of(c, cluster_view(c), 0));
    cluster_settle(c, CLUSTER_SETTLE_MS);
    story_expect_filled(c, KEYS);
}

static bool is_out(struct cluster *c, void *user)
{
    const struct leaver *leaver = user;
    struct hf_node_status status;
    hf_node_get_status(node_of(c, leaver->node), &status);
    return status.state != HF_STATE_ACTIVE;
}

/* The view without the leaving node is agreed, and the other does not hear of
 * it. It could not go on alone if the leaving one were gone. */
static void who_leaves_waits_until_the_others_know(void **state)
{
    struct cluster *c = story_start(state, 2, 37);
    story_fill(c, KEYS);
    struct leaver leaver = {c, cluster_node_of(c, cluster_view(c), 0)};
    unsigned other = 1 - leaver.node;
    hf_node_drain(node_of(c, leaver.node));
    cluster_check(c, cluster_wait(c, DRAIN_MS, is_drained, &leaver),
                  "the other takes over");
    hf_node_leave(node_of(c, leaver.node));
    int64_t until_us = cluster_now_us(c) + DRAIN_MS * SCHEDULE_US_PER_MS;
    while (!is_out(c, &leaver) && cluster_step(c, until_us)) {
    } /* The news is still on its way then. */
    cluster_cut_one_way(c, leaver.node, other);
    cluster_run(c, 400);
    cluster_check(c, !has_left(c, &leaver),
                  "a node stays until the others know that it has left");
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, DRAIN_MS, has_left, &leaver),
                  "it leaves when they know");
    cluster_kill(c, leaver.node);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    story_expect_filled(c, KEYS);
}

/* A leaving node dies before it is drained: like any other death. */
static void a_node_may_die_while_it_leaves(void **state)
{
    struct cluster *c = story_start(state, 3, 33);
    story_fill(c, KEYS);
    hf_node_drain(node_of(c, 1));
    cluster_run(c, 200);
    cluster_kill(c, 1);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

static bool is_abandoned(struct cluster *c, void *user)
{
    const struct leaver *leaver = user;
    struct hf_node_status status;
    hf_node_get_status(node_of(c, leaver->node), &status);
    return status.abandoned;
}

/* @node sleeps, while the others agree on a view without it, of which it does
 * not hear. */
static void sleep_through_a_view(struct cluster *c, unsigned node)
{
    hf_epoch epoch = cluster_view(c)->epoch;
    cluster_isolate(c, node);
    cluster_pause(c, node);
    while (!c->failed && cluster_view(c)->epoch == epoch) {
        cluster_run(c, 100);
    }
    cluster_run(c, 3000);
}

/* It wakes up and is told to stop when the others, who went on without it, have
 * ended. Nobody is left who could take over, and it may not go on. */
static void who_wakes_up_alone_stops_soon(void **state)
{
    struct cluster *c = story_start(state, 3, 34);
    struct leaver leaver = {c, 0};
    sleep_through_a_view(c, leaver.node);
    cluster_kill(c, 1);
    cluster_kill(c, 2);
    cluster_heal(c);
    hf_node_drain(node_of(c, leaver.node));
    cluster_check(c, cluster_wait(c, 4000, is_abandoned, &leaver),
                  "it waits for nobody");
}

static bool is_drained_or_abandoned(struct cluster *c, void *user)
{
    return is_drained(c, user) || is_abandoned(c, user);
}

/* The same, but somebody lives who joined while it slept, and counts on what
 * only it has. */
static void who_wakes_up_hands_over_to_a_stranger(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 35);
    options.node_count = 4;
    options.backups = 0;
    struct cluster *c = story_start_with(state, &options);
    struct leaver leaver = {c, 0};
    char key[16];
    cluster_kill(c, 3);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    cluster_key_on(c, leaver.node, key);
    cluster_set(c, key, "only here");
    sleep_through_a_view(c, leaver.node);
    cluster_boot(c, 3);
    cluster_run(c, 5000);
    cluster_kill(c, 1);
    cluster_run(c, 3000);
    cluster_kill(c, 2);
    cluster_run(c, 3000);
    cluster_heal(c);
    hf_node_drain(node_of(c, leaver.node));
    (void)cluster_wait(c, DRAIN_MS, is_drained_or_abandoned, &leaver);
    cluster_check(c, !is_abandoned(c, &leaver), "it waits for who lives");
    leave(c, leaver.node);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    cluster_expect(c, key, "only here");
}

static bool looks_for_a_cluster(struct cluster *c, void *user)
{
    const struct leaver *leaver = user;
    struct hf_node_status status;
    hf_node_get_status(node_of(c, leaver->node), &status);
    return status.state == HF_STATE_STARTING;
}

/* It is cut off when it has handed over all, and is ready. The others go on
 * without it, take in a fourth, and leave. It only sees that they have ended,
 * so it looks for a cluster anew, and nobody takes in who is about to leave. */
static void who_looks_anew_while_it_leaves_is_gone(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 40);
    options.node_count = 4;
    options.boot_none = true;
    struct cluster *c = story_create(state, &options);
    struct leaver leaver = {c, 2};
    unsigned heir = 3;
    cluster_boot_first(c, 3);
    story_fill(c, KEYS);
    hf_node_drain(node_of(c, leaver.node));
    cluster_check(c, cluster_wait(c, DRAIN_MS, is_drained, &leaver),
                  "others take over what a leaving node held");
    cluster_isolate(c, leaver.node);
    hf_node_leave(node_of(c, leaver.node));
    cluster_run(c, 5000);
    cluster_boot(c, heir);
    cluster_run(c, 5000);
    leave(c, 0);
    leave(c, 1);
    cluster_heal(c);
    cluster_cut(c, leaver.node, heir);
    cluster_check(c, cluster_wait(c, 5000, looks_for_a_cluster, &leaver),
                  "all that it was in a view with are dead");
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, DRAIN_MS, has_left, &leaver),
                  "it has left when it hears who goes on without it");
    cluster_kill(c, leaver.node);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    story_expect_filled(c, KEYS);
}

/* Whether the other one has promised to decide on a view in which the leaver
 * leaves, and that has yet to hear so. */
static bool has_promised_to_take_over(struct cluster *c, void *user)
{
    const struct leaver *leaver = user;
    const struct hf_node *node = node_of(c, leaver->node);
    const struct hf_node *heir = node_of(c, 1 - leaver->node);
    return node->ballot.active && !node->ballot.accepting &&
           heir->promised == node->ballot.number;
}

/* Of two one leaves, which proposes views. It is about to drop its copies of
 * all that the other one is primary of. */
static struct leaver start_to_drop(void **state,
                                   struct cluster_options *options)
{
    options->node_count = 2;
    options->faults.delay_us = 20000;
    struct cluster *c = story_start_with(state, options);
    story_fill(c, KEYS);
    struct leaver leaver = {c, cluster_node_of(c, cluster_view(c), 0)};
    hf_node_drain(node_of(c, leaver.node));
    cluster_check(c,
                  cluster_wait(c, DRAIN_MS, has_promised_to_take_over, &leaver),
                  "nobody takes over");
    return leaver;
}

/* The heir has promised, and dies before it is asked to accept that it alone
 * has something. It never did, so the leaver must not go on to that view: it
 * has everything. */
static void what_an_heir_never_took_over_is_kept(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 38);
    options.policy = HF_POLICY_MAJORITY;
    struct leaver leaver = start_to_drop(state, &options);
    cluster_kill(leaver.c, 1 - leaver.node);
    cluster_settle(leaver.c, CLUSTER_SETTLE_MS);
    story_expect_filled(leaver.c, KEYS);
}

/* The same, but the host of the heir is lost, so nobody knows that it died. The
 * leaver goes on as a fork of what they were both in. */
static void a_fork_keeps_what_an_heir_never_took_over(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 39);
    options.policy = HF_POLICY_AVAILABLE;
    struct leaver leaver = start_to_drop(state, &options);
    leaver.c->invariants.two_sides = true;
    cluster_lose(leaver.c, 1 - leaver.node);
    cluster_settle(leaver.c, CLUSTER_SETTLE_MS);
    story_expect_filled(leaver.c, KEYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(every_node_leaves_and_comes_back),
        STORY(one_of_two_leaves),
        STORY(who_leaves_waits_until_the_others_know),
        STORY(a_node_may_die_while_it_leaves),
        STORY(who_wakes_up_alone_stops_soon),
        STORY(who_wakes_up_hands_over_to_a_stranger),
        STORY(who_looks_anew_while_it_leaves_is_gone),
        STORY(what_an_heir_never_took_over_is_kept),
        STORY(a_fork_keeps_what_an_heir_never_took_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
