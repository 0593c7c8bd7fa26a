/* late_test.c - Heartbeats of a pair arrive, but later than a lease lasts. */
#include <stdio.h>

#include "core/node_state.h"
#include "support/story.h"

#define KEYS 50
#define SERVED_MS 6000

/* Heartbeats between @a and @b take @ms; what they send beside them does not.
 * 0: as before. */
static void delay(struct cluster *c, unsigned a, unsigned b, int64_t ms)
{
    struct network_faults faults = c->options.faults;
    faults.delay_us += ms * SCHEDULE_US_PER_MS;
    faults.jitter_us += ms / 2 * SCHEDULE_US_PER_MS;
    network_link_of(&c->network, a, b, HF_CHANNEL_CONTROL)->path.faults =
        faults;
    network_link_of(&c->network, b, a, HF_CHANNEL_CONTROL)->path.faults =
        faults;
}

static void expect_served(struct cluster *c, unsigned asked)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "fill:%u", i);
        cluster_expect_reply(c, "0", asked, "SETNX", key, "other", NULL);
    }
}

static void two_are_late(void **state, unsigned nodes, int64_t ms)
{
    struct cluster *c = story_start(state, nodes, 41 + (uint64_t)ms);
    unsigned first = cluster_node_of(c, cluster_view(c), 0);
    unsigned second = cluster_node_of(c, cluster_view(c), 1);
    story_fill(c, KEYS);
    delay(c, first, second, ms);
    cluster_run(c, SERVED_MS);
    unsigned members = 0;
    for (unsigned round = 0; round < 10; round++) {
        expect_served(c, first);
        members = cluster_view(c)->member_count;
        cluster_check(c, members == nodes - 1, "one of them is left out");
        cluster_run(c, 2000); /* It stays so. */
    }
    delay(c, first, second, 0);
    cluster_settle_and_check(c);
    cluster_check(c, cluster_view(c)->member_count == nodes, "it comes back");
    story_expect_filled(c, KEYS);
    story_end(state);
}

/* The primary of what both have could not serve it. Like a pair whose link is
 * cut, they cost the cluster one of them. */
static void of_two_who_answer_too_late_one_goes(void **state)
{
    two_are_late(state, 3, 600);
    two_are_late(state, 3, 1500);
    two_are_late(state, 3, 5000);
    two_are_late(state, 4, 1000);
}

static void of_two_nodes_the_first_goes_on(void **state)
{
    two_are_late(state, 2, 600);
}

/* What is slow, but not too late, costs nobody. */
static void who_answers_in_time_stays(void **state)
{
    struct cluster *c = story_start(state, 3, 42);
    story_fill(c, KEYS);
    hf_epoch epoch = cluster_view(c)->epoch;
    delay(c, 0, 1, 250);
    cluster_run(c, 20000);
    expect_served(c, 2);
    cluster_check(c, cluster_view(c)->epoch == epoch, "nobody is left out");
}

static bool is_without_dead(struct cluster *c, void *user)
{
    unsigned dead = *(const unsigned *)user;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_node *node = c->processes[i].node;
        if (i != dead &&
            node->view->member_count != c->options.node_count - 1) {
            return false;
        }
    }
    return true;
}

/* The one of rank @dies does, where heartbeats of the one of rank @slow with
 * those of the ranks @others, a set, take as long as leases bear. */
static void agree_over_slow_links(void **state, unsigned nodes, unsigned slow,
                                  unsigned others, uint8_t dies)
{
    struct cluster *c = story_start(state, nodes, 48 + 10 * slow + dies);
    const struct hf_view *view = cluster_view(c);
    unsigned dead = cluster_node_of(c, view, dies);
    unsigned asked = cluster_node_of(c, view, dies == 0 ? 1 : 0);
    story_fill(c, KEYS);
    for (uint8_t i = 0; i < nodes; i++) {
        if ((others >> i & 1) != 0 && i != slow) {
            delay(c, cluster_node_of(c, view, (uint8_t)slow),
                  cluster_node_of(c, view, i), 290);
        }
    }
    cluster_run(c, 3000);
    cluster_kill(c, dead);
    cluster_check(c, cluster_wait(c, 4000, is_without_dead, &dead),
                  "they do not agree");
    cluster_run(c, SERVED_MS); /* New copies take ballots as well. */
    expect_served(c, asked);
    cluster_heal(c);
    for (unsigned i = 0; i < nodes * nodes; i++) {
        if (i / nodes != i % nodes) {
            delay(c, i / nodes, i % nodes, 0);
        }
    }
    cluster_restart(c, dead);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
    story_end(state);
}

/* What is not too late for leases is not too late for ballots: each of their
 * two halves takes as long as a heartbeat and its echo, up to 870 ms here, and
 * nobody who has promised bids higher meanwhile. */
static void who_answers_in_time_can_agree(void **state)
{
    enum { ALL = 0x1f };
    for (uint8_t slow = 0; slow < 3; slow++) {
        for (uint8_t dies = 0; dies < 3; dies++) {
            if (dies != slow) {
                agree_over_slow_links(state, 3, slow, 7, dies);
                agree_over_slow_links(state, 5, slow, ALL, dies);
            }
        }
    }
}

/* The first two hear of each other's ballots from the others long before the
 * PREPARE comes: one of them waits for it. */
static void two_far_from_each_other_can_agree(void **state)
{
    for (uint8_t dies = 2; dies < 5; dies++) {
        agree_over_slow_links(state, 5, 0, 1 << 1 | 1 << 2, dies);
        agree_over_slow_links(state, 5, 0, 1 << 1, dies);
    }
}

/* It is like a cut that ends before anybody goes on by himself. */
static void two_who_were_late_for_a_while_go_on(void **state)
{
    struct cluster *c = story_start(state, 2, 43);
    story_fill(c, KEYS);
    hf_epoch epoch = cluster_view(c)->epoch;
    delay(c, 0, 1, 650);
    cluster_run(c, 2200);
    delay(c, 0, 1, 0);
    cluster_run(c, 1000);
    expect_served(c, 0);
    cluster_run(c, 5000);
    cluster_check(c, cluster_view(c)->epoch == epoch, "nobody is left out");
    story_expect_filled(c, KEYS);
    story_end(state);
}

/* Every node stands still most of the time, each at another one: what they
 * answer is late by what each of them missed itself. */
static void who_stands_still_accuses_nobody(void **state)
{
    enum { NODES = 3, AWAKE_MS = 20, PERIOD_MS = 640, STEP_MS = 5 };
    struct cluster *c = story_start(state, NODES, 44);
    story_fill(c, KEYS);
    for (unsigned ms = 0; ms < 10 * PERIOD_MS; ms += STEP_MS) {
        for (unsigned i = 0; i < NODES; i++) {
            unsigned at = (ms + i * (PERIOD_MS / NODES)) % PERIOD_MS;
            bool sleeps = at >= AWAKE_MS;
            if (sleeps && cluster_is_up(c, i)) {
                cluster_pause(c, i);
            } else if (!sleeps && !cluster_is_up(c, i)) {
                cluster_resume(c, i);
            }
        }
        cluster_run(c, STEP_MS);
    }
    cluster_heal(c);
    cluster_settle_and_check(c);
    for (unsigned i = 0; i < NODES; i++) {
        const struct hf_node *node = c->processes[i].node;
        cluster_check(c, hf_node_get_counters(node)->suspicions == 0,
                      "nobody is suspected");
    }
    story_expect_filled(c, KEYS);
    story_end(state);
}

/* A stands still, C dies, B stands still, and A reads again: it heard of that
 * death too late to go on alone, or as half, and has to wait for B. It numbers
 * no ballots meanwhile, for B could hear of none, and would propose less. What
 * either gave back of the other, when it reads again, was old because they
 * stood still. */
static void two_who_stood_still_in_turn_agree_at_once(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 45);
    options.node_count = 3;
    options.faults.delay_us = 20000;
    struct cluster *c = story_start_with(state, &options);
    story_fill(c, KEYS);
    const struct hf_view *view = cluster_view(c);
    unsigned a = cluster_node_of(c, view, 0);
    unsigned b = cluster_node_of(c, view, 1);
    unsigned dies = cluster_node_of(c, view, 2);
    const struct hf_node *first = c->processes[a].node;
    const struct hf_node *second = c->processes[b].node;
    cluster_pause(c, a);
    cluster_run(c, 200);
    cluster_kill(c, dies);
    cluster_run(c, 100);
    cluster_pause(c, b);
    cluster_run(c, 1500);
    cluster_resume(c, a);
    cluster_run(c, 1100); /* By now it suspects B. */
    hf_epoch promised = first->promised;
    cluster_check(c, promised > first->view->epoch, "A proposes to B");
    cluster_run(c, 800);
    cluster_check(c, first->promised == promised, "no ballots in vain");
    cluster_run(c, HF_FORK_DELAY_MS + HF_STUCK_MS);
    cluster_check(c, hf_node_is_cut_off(first), "it is cut off by now");
    cluster_check(c, first->promised == promised, "no forks in vain");
    cluster_resume(c, b);
    for (unsigned ms = 0; ms < 300; ms++) {
        cluster_run(c, 1);
        cluster_check(
            c, hf_node_only_late(first) == 0 && hf_node_only_late(second) == 0,
            "nobody answers late");
    }
    cluster_check(
        c, first->view->member_count == 2 && second->view->member_count == 2,
        "they go on");
    cluster_restart(c, dies);
    cluster_settle_and_check(c);
    story_expect_filled(c, KEYS);
}

/* What others gave back when it stood still is late by its own pause: nobody
 * takes longer to answer for that. */
static void what_was_sent_before_a_pause_is_not_late(void **state)
{
    struct cluster *c = story_start(state, 3, 47);
    cluster_pause(c, 0);
    cluster_run(c, HF_LEASE_MS + 200);
    cluster_resume(c, 0);
    const struct hf_node *node = c->processes[0].node;
    for (unsigned i = 0; i < 50; i++) {
        cluster_run(c, 10);
        for (uint8_t k = 0; k < node->view->member_count; k++) {
            cluster_check(c, node->members[k].late_since == 0,
                          "who stood still takes others for late");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(of_two_who_answer_too_late_one_goes),
        STORY(of_two_nodes_the_first_goes_on),
        STORY(who_answers_in_time_stays),
        STORY(who_answers_in_time_can_agree),
        STORY(two_far_from_each_other_can_agree),
        STORY(two_who_were_late_for_a_while_go_on),
        STORY(who_stands_still_accuses_nobody),
        STORY(two_who_stood_still_in_turn_agree_at_once),
        STORY(what_was_sent_before_a_pause_is_not_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
