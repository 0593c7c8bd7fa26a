/* adopt_test.c - A lineage takes up what another one had of a partition, as a
 * whole, where it has nothing of its own. It has not seen what it had itself
 * before and lost: when that comes back with a third, it is news. */
#include <stdio.h>
#include <string.h>

#include "core/node_state.h"
#include "support/story.h"

#define KEYS 120
#define SIDES_MS 6000 /* Guard, delay, agreement, and some to spare. */
#define BUMPS 3

static void cut_off(struct cluster *c, unsigned side, bool cut)
{
    for (unsigned a = 0; a < c->options.node_count; a++) {
        for (unsigned b = 0; b < a; b++) {
            if (((side >> a) & 1) != ((side >> b) & 1)) {
                network_cut(&c->network, a, b, cut);
                network_cut(&c->network, b, a, cut);
            }
        }
    }
}

static void set_all(struct cluster *c, unsigned node, const char *kind,
                    bool done[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "%s:%u", kind, i);
        const char *answer = cluster_command(c, node, "SET", key, "v", NULL);
        done[i] = strcmp(answer, "OK") == 0;
    }
}

static void expect_those(struct cluster *c, const char *kind,
                         const bool done[KEYS])
{
    unsigned expected = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "%s:%u", kind, i);
        expected += done[i] ? 1 : 0;
        cluster_check(
            c,
            !done[i] ||
                strcmp(cluster_command(c, i % 4, "GET", key, NULL), "v") == 0,
            "what one side wrote is lost");
    }
    cluster_check(c, expected > 0, "nothing could be written");
}

static bool has_joined(struct cluster *c, void *user)
{
    const struct hf_node *node = c->processes[*(unsigned *)user].node;
    return node->state == HF_STATE_ACTIVE && node->merge_deferred > 0 &&
           node->view->member_count >= 3;
}

struct written {
    bool old[KEYS], one[KEYS], zero[KEYS]; /* What each has written. */
};

/* The first goes on alone; the others go on without it, change what is on the
 * second, and lose that one, which goes on alone, too. The first joins the two
 * that are left, with what it has of partitions that they keep for the second.
 */
static struct cluster *fork_twice(void **state, uint64_t seed, unsigned node[4],
                                  struct written *written)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = 4;
    options.policy = HF_POLICY_AVAILABLE;
    struct cluster *c = story_start_with(state, &options);
    set_all(c, node[0], "old", written->old);
    story_fill_copies(c, false);
    c->invariants.two_sides = true;

    cut_off(c, 1u << node[0], true);
    cluster_run(c, SIDES_MS);
    set_all(c, node[1], "one", written->one);
    for (unsigned i = 0; i < 4; i++) {
        set_all(c, node[0], "zero", written->zero);
    }
    for (unsigned i = 0; i < BUMPS; i++) { /* Views of higher numbers. */
        cluster_pause(c, node[3]);
        cluster_run(c, 3000);
        cluster_resume(c, node[3]);
        cluster_run(c, 2000);
    }
    cut_off(c, 1u << node[1], true);
    cluster_run(c, SIDES_MS);
    cut_off(c, 1u << node[0], false);
    cluster_cut(c, node[0], node[1]);
    cluster_check(c, cluster_wait(c, 20000, has_joined, &node[0]),
                  "it does not join with what it keeps aside");
    return c;
}

/* They give node 1 up, and serve what node 0 has instead. Then node 1 comes
 * back with what the three had written: they have not seen that. */
static void what_was_given_up_for_another_copy_is_news(void **state)
{
    for (uint64_t seed = 300; seed < 303; seed++) {
        struct written written;
        unsigned node[] = {0, 1, 2, 3};
        struct cluster *c = fork_twice(state, seed, node, &written);
        cluster_check(c, hf_node_takeover(c->processes[2].node) == NULL,
                      "a takeover is refused");
        cluster_run(c, SIDES_MS);

        story_fill_copies(c, true);
        cluster_heal(c);
        cluster_settle(c, 2 * CLUSTER_SETTLE_MS);
        c->invariants.two_sides = false;
        cluster_settle_and_check(c);
        expect_those(c, "old", written.old);
        expect_those(c, "zero", written.zero);
        expect_those(c, "one", written.one);
        story_end(state);
    }
}

/* Nodes 0 and 3 know that node 1 is dead, and node 2 that they do. Until then
 * the ticks of node 0 nominate nobody, and only node 2 proposes. */
static bool two_know(struct cluster *c, void *user)
{
    (void)user;
    struct hf_node *heir = c->processes[0].node;
    struct hf_node *other = c->processes[3].node;
    const struct hf_node *proposer = c->processes[2].node;
    heir->nominated_at = heir->now;
    heir->need_since = 0;
    other->need_since = 0;
    bool known = heir->dead != 0 && other->dead != 0;
    for (uint8_t i = 0; i < proposer->view->member_count; i++) {
        const struct hf_peer *peer = proposer->members[i].peer;
        if (peer != NULL && peer->has_beat && !peer->lost) {
            known = known && !peer->beat.others;
        }
    }
    return known;
}

/* The same, and node 2 has a view without node 1. */
static bool is_decided(struct cluster *c, void *user)
{
    (void)two_know(c, user);
    return c->processes[2].node->view->member_count == 3;
}

/* Node 1 has died: node 0 is the one with what it had, and says so before a
 * view begins it empty. */
static void an_heir_says_so_in_time(void **state)
{
    for (uint64_t seed = 300; seed < 303; seed++) {
        struct written written;
        unsigned node[] = {0, 1, 2, 3};
        struct cluster *c = fork_twice(state, seed, node, &written);
        cluster_kill(c, 1);
        cluster_heal(c);
        cluster_cut(c, 1, 2);
        cluster_check(c, cluster_wait(c, 5000, two_know, NULL),
                      "a death stays unknown");
        cluster_heal(c);
        cluster_check(c, cluster_wait(c, 5000, is_decided, NULL),
                      "no view without who died");
        const struct hf_view *view = c->processes[2].node->view;
        for (unsigned i = 0; i < KEYS; i++) {
            char key[24];
            (void)snprintf(key, sizeof(key), "zero:%u", i);
            uint16_t p = hf_partition_of_key(hf_slice_text(key));
            cluster_check(c, !written.zero[i] || !view->acting[p].empty,
                          "what the heir has begins empty");
        }
        cluster_boot(c, 1);
        story_fill_copies(c, true);
        story_bring_together(c);
        expect_those(c, "zero", written.zero);
        story_end(state);
    }
}

/* By their ids, the highest first. */
static void order_by_id(struct cluster *c, unsigned node[4])
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned before = 0;
        for (unsigned k = 0; k < 4; k++) {
            before +=
                c->processes[k].config.self.id > c->processes[i].config.self.id
                    ? 1
                    : 0;
        }
        node[before] = i;
    }
}

static bool looks_for_a_cluster(struct cluster *c, void *user)
{
    return c->processes[*(unsigned *)user].node->state == HF_STATE_STARTING;
}

static bool is_drained(struct cluster *c, void *user)
{
    struct hf_node_status status;
    hf_node_get_status(c->processes[*(unsigned *)user].node, &status);
    return status.drained;
}

/* Of what @node wrote, only that it keeps aside counts from now on. */
static void keep_those_aside(struct cluster *c, unsigned node, bool zero[KEYS])
{
    for (unsigned i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "zero:%u", i);
        uint16_t p = hf_partition_of_key(hf_slice_text(key));
        zero[i] =
            zero[i] && c->processes[node].node->partitions[p].merge.deferred;
    }
}

/* The first is to leave, and is cut off for a moment in which all others die.
 * It has no copy that its view counts on, so it looks for a cluster anew. Those
 * who start again take it in, or it them, though it is to leave: only it has
 * what it keeps aside. When it has handed that over it leaves. */
static void who_starts_over_hands_over_what_it_keeps_aside(void **state)
{
    for (uint64_t seed = 310; seed < 316; seed++) {
        unsigned node[4];
        struct written written;
        struct cluster_options options;
        cluster_options_init(&options, seed);
        options.node_count = 4;
        options.boot_none = true;
        struct cluster *c = story_create(state, &options);
        order_by_id(c, node);
        story_end(state);
        if (seed % 2 == 0) { /* It starts the cluster, and others join. */
            unsigned highest = node[0];
            node[0] = node[3];
            node[3] = highest;
        }
        c = fork_twice(state, seed, node, &written);
        unsigned leaver = node[0];
        keep_those_aside(c, leaver, written.zero);
        hf_node_drain(c->processes[leaver].node);
        cluster_run(c, 300);
        cluster_isolate(c, leaver);
        cluster_run(c, HF_LEASE_MS + 200);
        for (unsigned i = 1; i < 4; i++) {
            cluster_kill(c, node[i]);
        }
        story_fill_copies(c, true);
        cluster_heal(c);
        cluster_check(c, cluster_wait(c, 2000, looks_for_a_cluster, &leaver),
                      "it does not look for a cluster");
        cluster_boot(c, node[2]);
        cluster_boot(c, node[3]);
        cluster_check(c, cluster_wait(c, 20000, is_drained, &leaver),
                      "nobody takes over what it keeps aside");
        hf_node_leave(c->processes[leaver].node);
        cluster_run(c, 3000);
        cluster_kill(c, leaver);
        cluster_boot(c, leaver);
        cluster_boot(c, node[1]);
        c->invariants.two_sides = false;
        cluster_settle_and_check(c);
        expect_those(c, "zero", written.zero);
        story_end(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_was_given_up_for_another_copy_is_news),
        STORY(an_heir_says_so_in_time),
        STORY(who_starts_over_hands_over_what_it_keeps_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
