/* merge_test.c - Handing over is broken off, and begins again. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define FORKED_MS 6000 /* Guard, delay, agreement, and some to spare. */
#define WAIT_MS 20000
#define KEYS 60
#define ENOUGH 500 /* Partitions: half of those with keys. */

/* Two that were parted: one goes on, the other one hands over to it. */
struct two {
    struct cluster *c;
    unsigned first;
    unsigned fork;
};

static struct hf_node *fork_of(const struct two *two)
{
    return two->c->processes[two->fork].node;
}

static bool has_handed_over(struct cluster *c, void *user)
{
    struct hf_node_status status;
    hf_node_get_status(fork_of(user), &status);
    (void)c;
    return status.merge_done >= ENOUGH;
}

static void key_of(char key[24], unsigned i)
{
    (void)snprintf(key, 24, "late:%u", i);
}

/* They fork, meet, and are cut off again when half is handed over. */
static struct two start(void **state, uint64_t seed)
{
    struct cluster *c = story_start(state, 2, seed);
    struct two two = {.c = c, .first = cluster_node_of(c, cluster_view(c), 0)};
    two.fork = 1 - two.first;
    story_fill(c, KEYS);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        key_of(key, i);
        cluster_set(c, key, "before");
    }
    c->invariants.two_sides = true;
    cluster_cut(c, two.first, two.fork);
    cluster_run(c, FORKED_MS);
    cluster_heal(c);
    cluster_check(c, cluster_wait(c, WAIT_MS, has_handed_over, &two),
                  "the fork hands nothing over");
    cluster_cut(c, two.first, two.fork);
    return two;
}

static void end(const struct two *two)
{
    struct cluster *c = two->c;
    story_bring_together(c);
    story_expect_filled(c, KEYS);
}

/* For so long it has heard nobody to hand over to. */
static bool is_about_to_give_up(struct cluster *c, void *user)
{
    const struct hf_node *node = fork_of(user);
    (void)c;
    return node->now - node->merge_heard >= HF_MERGE_LOST_MS - 250;
}

static bool is_active(struct cluster *c, void *user)
{
    (void)c;
    return fork_of(user)->state == HF_STATE_ACTIVE;
}

static bool is_merging(struct cluster *c, void *user)
{
    (void)c;
    return fork_of(user)->state == HF_STATE_MERGING;
}

/* What it has handed over of the view that it takes up again is remembered over
 * there: what it acknowledges from then on is of a later one, though it hears
 * the others again before it can agree on that. */
static void who_takes_up_its_view_again_changes_nothing_in_it(void **state)
{
    unsigned again = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct two two = start(state, seed);
        struct cluster *c = two.c;
        cluster_check(c, cluster_wait(c, WAIT_MS, is_about_to_give_up, &two),
                      "it hears somebody");
        hf_epoch held = fork_of(&two)->view->epoch;
        struct request *requests[KEYS];
        for (unsigned i = 0; i < KEYS; i++) {
            char key[24];
            key_of(key, i);
            requests[i] = cluster_ask(c, two.fork, "SET", key, "after", NULL);
        }
        cluster_check(c, cluster_wait(c, WAIT_MS, is_active, &two),
                      "it waits for ever");
        cluster_heal(c);
        if (cluster_wait(c, HF_STUCK_MS, is_merging, &two)) {
            again += fork_of(&two)->view->epoch == held ? 1 : 0;
        }
        end(&two);
        for (unsigned i = 0; i < KEYS; i++) {
            char key[24];
            key_of(key, i);
            cluster_check(c, cluster_await(c, requests[i], WAIT_MS),
                          "a command is neither carried out nor refused");
            if (strcmp(cluster_answer(requests[i]), "OK") == 0) {
                cluster_expect(c, key, "after");
            }
            cluster_forget(requests[i]);
        }
        story_end(state);
    }
    assert_true(again > 0);
}

/* Of six, three go on by right, and three as a fork: by rank, of all. */
enum { THREE = 3, FIRST = THREE, SECOND, THIRD, SIX };

struct six {
    struct cluster *c;
    unsigned node[SIX];
    unsigned first; /* Of the fork. */
    unsigned second;
    unsigned third;
};

static struct hf_node *node_of(const struct six *six, unsigned node)
{
    return six->c->processes[node].node;
}

/* @other and the three that go on by right, both ways. */
static void cut_from_the_three(struct six *six, unsigned other, bool cut)
{
    for (unsigned i = 0; i < THREE; i++) {
        network_cut(&six->c->network, six->node[i], other, cut);
        network_cut(&six->c->network, other, six->node[i], cut);
    }
}

static bool is_with_the_three(struct cluster *c, void *user)
{
    const struct six *six = user;
    (void)c;
    return node_of(six, six->second)->state == HF_STATE_ACTIVE &&
           hf_lineage_of(node_of(six, six->second)->view) ==
               hf_lineage_of(node_of(six, six->node[0])->view);
}

static bool third_knows_the_last_view(struct cluster *c, void *user)
{
    const struct six *six = user;
    (void)c;
    return node_of(six, six->third)->view->epoch ==
           node_of(six, six->first)->view->epoch;
}

/* Partitions with something in them of which the first and the third had the
 * copies when they parted from the three, and @now has in the view of @node. */
static unsigned passed_on(const struct six *six, unsigned node,
                          hf_member_set now)
{
    const struct hf_view *view = node_of(six, node)->view;
    hf_member_set before = hf_member_set_of(FIRST) | hf_member_set_of(THIRD);
    const struct hf_view *parted = node_of(six, six->node[0])->view;
    const struct hf_node *third = node_of(six, six->third);
    unsigned count = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (hf_view_copies(parted, p) == before &&
            hf_view_copies(view, p) == now &&
            third->partitions[p].sessions.count > 0) {
            count++;
        }
    }
    return count;
}

/* The three others fork. The first of them is cut off, and forks again; so the
 * second gets copies of what only the third has then. The first gives way, and
 * is back in the fork, with no copy of that. */
static void pass_on_copies(struct six *six)
{
    struct cluster *c = six->c;
    story_fill_copies(c, false);
    for (unsigned i = FIRST; i < SIX; i++) {
        cut_from_the_three(six, six->node[i], true);
    }
    for (unsigned i = FIRST; i < SIX; i++) {
        cluster_check(c,
                      cluster_wait(c, WAIT_MS, story_has_forked, &six->node[i]),
                      "the others do not fork");
    }
    cluster_isolate(c, six->first);
    cluster_check(c, cluster_wait(c, WAIT_MS, story_is_of_two, &six->third),
                  "two of them do not go on");
    story_fill_copies(c, true);
    cluster_check(c, cluster_wait(c, WAIT_MS, story_is_of_one, &six->first),
                  "the first does not fork again");
    cluster_run(c, FORKED_MS);
    story_fill_copies(c, false);
    story_uncut(c, six->first, six->second);
    story_uncut(c, six->first, six->third);
    cluster_check(c, cluster_wait(c, WAIT_MS, story_is_of_three, &six->third),
                  "the first is not taken in");
    hf_member_set both = hf_member_set_of(SECOND) | hf_member_set_of(THIRD);
    cluster_check(c, passed_on(six, six->third, both) > 0,
                  "no copy was passed on");
}

/* The first does not hear the third, so it agrees with the second to go on
 * without it; but the second does not hear that this was decided. */
static void go_on_without_the_third(struct six *six)
{
    struct cluster *c = six->c;
    struct story_pair pair = {six->first, six->second};
    cluster_cut(c, six->first, six->third);
    cluster_check(c, cluster_wait(c, WAIT_MS, story_has_accepted, &pair),
                  "the second does not accept what the first proposes");
    cluster_cut(c, six->second, six->third);
    network_cut(&c->network, six->first, six->second, true);
    cluster_check(c, cluster_wait(c, WAIT_MS, story_is_of_two, &six->first),
                  "the first does not hear that it has accepted");
    network_cut(&c->network, six->second, six->first, true);
    cluster_check(c, story_is_of_three(c, &six->second),
                  "the second hears that it is decided");
}

/* The second and the third give way to the three, who wait for the first or the
 * third with what both had. So the second leaves that to the third, and drops
 * its copy; the third has still to hand over something else. */
static void leave_it_to_the_third(struct six *six)
{
    struct cluster *c = six->c;
    for (unsigned i = 0; i < THREE; i++) {
        cluster_clog(c, six->third, six->node[i], HF_CHANNEL_DATA);
    }
    story_uncut(c, six->second, six->third);
    cut_from_the_three(six, six->second, false);
    cut_from_the_three(six, six->third, false);
    cluster_check(c, cluster_wait(c, WAIT_MS, is_with_the_three, six),
                  "the second does not join the three");
    cluster_check(c, story_is_merging(c, &six->third),
                  "the third has handed over all");
}

/* Then the first goes on alone, by right, in a view that counts on the copy
 * that was dropped, and not on that of the third. That one hears so before it
 * has handed over all: it has to bring what was left to it all the same, for
 * nobody else has that. */
static void what_others_left_to_us_is_handed_over(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 21);
    options.node_count = SIX;
    options.faults.delay_us = 20000; /* So there is time between two steps. */
    options.policy = HF_POLICY_AVAILABLE;
    struct six six = {.c = story_start_with(state, &options)};
    struct cluster *c = six.c;
    story_by_rank(c, six.node, SIX);
    six.first = six.node[FIRST];
    six.second = six.node[SECOND];
    six.third = six.node[THIRD];
    story_fill(c, 4 * KEYS);
    c->invariants.two_sides = true;
    pass_on_copies(&six);
    go_on_without_the_third(&six);
    leave_it_to_the_third(&six);
    cluster_check(c, cluster_wait(c, WAIT_MS, story_is_of_one, &six.first),
                  "the first does not go on alone");
    cluster_check(c, passed_on(&six, six.first, hf_member_set_of(SECOND)) > 0,
                  "it does not count on the copy that was dropped");
    story_uncut(c, six.first, six.third);
    cluster_check(c, cluster_wait(c, WAIT_MS, third_knows_the_last_view, &six),
                  "the third hears nothing of that");
    cluster_check(c, story_is_merging(c, &six.third),
                  "the third has handed over all");
    story_fill_copies(c, true);
    story_bring_together(c);
    story_expect_filled(c, 4 * KEYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(who_takes_up_its_view_again_changes_nothing_in_it),
        STORY(what_others_left_to_us_is_handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
