/* lost_test.c - All copies of a partition are dead: it starts with nothing. An
 * older copy that somebody still has does not stand in for them. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define WAIT_MS 30000
#define KEYS 200
#define FORKED_MS 6000

struct pair {
    unsigned back; /* Was cut off, and comes back with an old copy. */
    unsigned kept; /* Has the only new one. */
};

static bool is_alone(struct cluster *c, void *user)
{
    const struct pair *pair = user;
    return c->processes[pair->kept].node->view->member_count == 3;
}

static bool is_back(struct cluster *c, void *user)
{
    const struct pair *pair = user;
    const struct hf_node *back = c->processes[pair->back].node;
    const struct hf_node *kept = c->processes[pair->kept].node;
    return back->state == HF_STATE_ACTIVE && back->view->member_count == 4 &&
           back->view->epoch == kept->view->epoch;
}

static void heal_around(struct cluster *c, unsigned node)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (i != node) {
            network_cut(&c->network, node, i, false);
            network_cut(&c->network, i, node, false);
        }
    }
}

static bool are_linked(struct cluster *c, void *user)
{
    const struct pair *pair = user;
    struct network *net = &c->network;
    return network_link_of(net, pair->kept, pair->back, HF_CHANNEL_DATA)
               ->out.up &&
           network_link_of(net, pair->back, pair->kept, HF_CHANNEL_DATA)
               ->out.up;
}

/* A logout was acknowledged by the only copy that was left. It dies before the
 * former primary, that came back, was filled anew. What that one has is from
 * before the logout: it is to say that all is lost, not to log in again whoever
 * has logged out. */
static void an_old_copy_does_not_come_back_for_a_lost_one(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 11);
    options.node_count = 4;
    struct cluster *c = story_start_with(state, &options);
    char key[16];
    cluster_key_on(c, 1, key);
    struct pair pair = {1, cluster_backup_of(c, key)};
    cluster_set(c, key, "old");
    cluster_isolate(c, pair.back);
    for (unsigned i = 0; i < 4; i++) {
        if (i != pair.back && i != pair.kept) {
            cluster_clog(c, i, pair.kept, HF_CHANNEL_DATA); /* No new copy. */
        }
    }
    cluster_check(c, cluster_wait(c, WAIT_MS, is_alone, &pair),
                  "the others do not go on");
    cluster_expect_reply(c, "1", pair.kept, "UNLINK", key, NULL);
    heal_around(c, pair.back);
    /* A session that lost something would have to be dialled once more. */
    network_break(&c->network, pair.kept, pair.back, HF_CHANNEL_DATA);
    network_break(&c->network, pair.back, pair.kept, HF_CHANNEL_DATA);
    cluster_run(c, 5);
    cluster_check(c, cluster_wait(c, WAIT_MS, are_linked, &pair), "no session");
    cluster_clog(c, pair.kept, pair.back, HF_CHANNEL_DATA);
    cluster_check(c, cluster_wait(c, WAIT_MS, is_back, &pair),
                  "the former primary does not come back");
    cluster_kill(c, pair.kept);
    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_expect(c, key, NULL);
    const struct hf_node_counters *counters =
        hf_node_get_counters(c->processes[pair.back].node);
    cluster_check(c, counters->partitions_lost > 0,
                  "a lost partition is not said to be lost");
}

static const struct hf_node_counters *counters_of(struct cluster *c,
                                                  unsigned node)
{
    return hf_node_get_counters(c->processes[node].node);
}

/* Two of three die at once, with one backup: what only these two had is lost.
 * How many sessions that were is what they said last. */
static void sessions_lost_by_two_deaths_are_counted(void **state)
{
    struct cluster *c = story_start(state, 3, 12);
    story_fill(c, KEYS);
    cluster_run(c, 500); /* Heartbeats tell how many there are. */
    cluster_kill(c, 1);
    cluster_kill(c, 2);
    cluster_settle(c, CLUSTER_SETTLE_MS);
    uint64_t left = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "fill:%u", i);
        left += strcmp(cluster_command(c, 0, "GET", key, NULL), "(nil)") != 0;
    }
    const struct hf_node_counters *counters = counters_of(c, 0);
    uint64_t lost = KEYS - left;
    cluster_check(c, left > 0 && lost > 0, "some are lost and some are left");
    cluster_check(c, counters->partitions_lost > 200, "lost partitions");
    cluster_check(c,
                  counters->sessions_lost + KEYS / 10 > lost &&
                      counters->sessions_lost < lost + KEYS / 10,
                  "about as many sessions are said to be lost as are");
    struct hf_node_status status;
    hf_node_get_status(c->processes[0].node, &status);
    cluster_check(c, status.sessions_lost == counters->sessions_lost,
                  "the status tells what is lost");
    /* Who joins later hears of it. */
    cluster_boot(c, 1);
    cluster_settle_and_check(c);
    cluster_run(c, 500);
    hf_node_get_status(c->processes[1].node, &status);
    cluster_check(c, status.sessions_lost == counters->sessions_lost,
                  "the status of another node tells what is lost");
    cluster_check(c, counters_of(c, 1)->sessions_lost == 0,
                  "a loss is counted once");
}

/* One death with one backup loses nothing, and nothing is said to be lost. */
static void one_death_counts_no_loss(void **state)
{
    struct cluster *c = story_start(state, 3, 13);
    story_fill(c, KEYS);
    cluster_kill(c, 1);
    cluster_settle_and_check(c);
    cluster_boot(c, 1);
    cluster_settle_and_check(c);
    for (unsigned node = 0; node < 3; node++) {
        cluster_check(c,
                      counters_of(c, node)->partitions_lost == 0 &&
                          counters_of(c, node)->sessions_lost == 0,
                      "nothing was lost");
    }
    story_expect_filled(c, KEYS);
}

static uint64_t sum_degraded(struct cluster *c, bool alone)
{
    uint64_t sum = 0;
    for (unsigned node = 0; node < c->options.node_count; node++) {
        if (cluster_is_up(c, node)) {
            sum += alone ? counters_of(c, node)->writes_alone
                         : counters_of(c, node)->writes_degraded;
        }
    }
    return sum;
}

/* With two backups, one backup is less than was asked for; two are not. */
static void writes_with_fewer_copies_than_wanted_are_counted(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 14);
    options.backups = 2;
    struct cluster *c = story_start_with(state, &options);
    uint64_t before = sum_degraded(c, false);
    story_fill(c, KEYS);
    cluster_check(c, sum_degraded(c, false) == before, "all copies were there");
    cluster_kill(c, 2);
    cluster_settle_and_check(c);
    before = sum_degraded(c, false);
    uint64_t alone = sum_degraded(c, true);
    story_fill(c, KEYS);
    cluster_run(c, 10); /* The primary counts when it hears from the backup. */
    cluster_check(c, sum_degraded(c, false) == before + KEYS,
                  "each write had one backup of two");
    cluster_check(c, sum_degraded(c, true) == alone, "none was alone");
    cluster_kill(c, 1);
    cluster_settle_and_check(c);
    story_fill(c, KEYS);
    cluster_check(c, counters_of(c, 0)->writes_alone >= KEYS,
                  "each write of the last one was alone");
}

/* What a merge notes about itself, for each partition, is no write: nobody
 * asked for it, and nobody loses it. */
static void a_merge_alone_is_counted_as_no_write(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 15);
    options.node_count = 2;
    options.policy = HF_POLICY_HALF;
    struct cluster *c = story_start_with(state, &options);
    c->invariants.two_sides = true;
    cluster_isolate(c, 1);
    cluster_run(c, FORKED_MS);
    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_check(c, counters_of(c, 0)->forks + counters_of(c, 1)->forks > 0,
                  "there was a fork");
    cluster_check(c, sum_degraded(c, false) == 0, "nobody wrote anything");
}

struct side {
    unsigned primary;
    unsigned members; /* Of its side. */
};

static bool goes_on_without_the_rest(struct cluster *c, void *user)
{
    const struct side *side = user;
    const struct hf_node *node = c->processes[side->primary].node;
    return node->view->member_count == side->members;
}

/* With two backups: one is cut off, and before there is another copy the
 * primary dies; or the other way round. The backup that is left has all that
 * was acknowledged, also what was written between the two. */
static void two_backups_outlive_a_death_beside_a_cut(void **state)
{
    for (unsigned death_first = 0; death_first < 2; death_first++) {
        struct cluster_options options;
        cluster_options_init(&options, 22);
        options.node_count = 5;
        options.backups = 2;
        struct cluster *c = story_start_with(state, &options);
        story_fill(c, KEYS);
        const char *key = "fill:0";
        const struct hf_view *view = cluster_view(c);
        const struct hf_acting *acting =
            &view->acting[hf_partition_of_key(hf_slice_text(key))];
        unsigned backup = cluster_node_of(c, view, acting->members[1]);
        struct side side = {cluster_node_of(c, view, acting->members[2]), 4};
        unsigned primary = cluster_primary_of(c, key);
        if (death_first) {
            cluster_kill(c, primary);
        } else {
            cluster_isolate(c, backup);
        }
        cluster_check(c,
                      cluster_wait(c, WAIT_MS, goes_on_without_the_rest, &side),
                      "four of five go on");
        cluster_set(c, key, "written between");
        if (death_first) {
            cluster_isolate(c, backup);
        } else {
            cluster_kill(c, primary);
        }
        side.members = 3;
        cluster_check(c,
                      cluster_wait(c, WAIT_MS, goes_on_without_the_rest, &side),
                      "three of five go on");
        struct request *get = cluster_ask(c, side.primary, "GET", key, NULL);
        cluster_run(c, 100);
        cluster_expect_answer(c, "written between", get);
        cluster_heal(c);
        cluster_settle_and_check(c);
        cluster_expect(c, key, "written between");
        cluster_set(c, key, "value 0");
        story_expect_filled(c, KEYS);
    }
}

/* With two backups: a cut has both on its other side, and then, before there
 * are new ones, the primary dies. What they have counts for nothing, though it
 * is all that was acknowledged: that is given up (PROTOCOL.md), counted, and no
 * copy comes back in part. */
static void dropped_copies_do_not_stand_in_for_a_dead_primary(void **state)
{
    struct cluster_options options;
    cluster_options_init(&options, 21);
    options.node_count = 5;
    options.backups = 2;
    struct cluster *c = story_start_with(state, &options);
    story_fill(c, KEYS);
    cluster_run(c, 500); /* Heartbeats tell how many there are. */
    const char *key = "fill:0";
    const struct hf_view *view = cluster_view(c);
    uint16_t p = hf_partition_of_key(hf_slice_text(key));
    unsigned a = cluster_node_of(c, view, view->acting[p].members[1]);
    unsigned b = cluster_node_of(c, view, view->acting[p].members[2]);
    struct side side = {cluster_primary_of(c, key), 3};
    for (unsigned i = 0; i < 5; i++) {
        if (i != a && i != b) {
            cluster_cut(c, i, a);
            cluster_cut(c, i, b);
        }
    }
    cluster_check(c, cluster_wait(c, WAIT_MS, goes_on_without_the_rest, &side),
                  "three of five do not go on");
    cluster_kill(c, side.primary);
    cluster_run(c, 5000);
    cluster_heal(c);
    cluster_settle_and_check(c);
    cluster_expect(c, key, NULL);
    uint64_t partitions = 0;
    uint64_t sessions = 0;
    for (unsigned i = 0; i < 5; i++) {
        if (cluster_is_up(c, i)) {
            partitions += counters_of(c, i)->partitions_lost;
            sessions += counters_of(c, i)->sessions_lost;
        }
    }
    cluster_check(c, partitions > 0 && sessions > 0, "the loss is counted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(sessions_lost_by_two_deaths_are_counted),
        STORY(one_death_counts_no_loss),
        STORY(writes_with_fewer_copies_than_wanted_are_counted),
        STORY(an_old_copy_does_not_come_back_for_a_lost_one),
        STORY(a_merge_alone_is_counted_as_no_write),
        STORY(two_backups_outlive_a_death_beside_a_cut),
        STORY(dropped_copies_do_not_stand_in_for_a_dead_primary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
