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
    (void)user;
    const struct hf_node *node = c->processes[0].node;
    return node->state == HF_STATE_ACTIVE && node->merge_deferred > 0 &&
           node->view->member_count >= 3;
}

struct written {
    bool old[KEYS], one[KEYS], zero[KEYS]; /* What each has written. */
};

/* Node 0 goes on alone; the others go on without it, change what is on node 1,
 * and lose that one, which goes on alone, too. Node 0 joins the two that are
 * left, with what it has of partitions that they keep for node 1. */
static struct cluster *fork_twice(void **state, uint64_t seed,
                                  struct written *written)
{
    struct cluster_options options;
    cluster_options_init(&options, seed);
    options.node_count = 4;
    options.policy = HF_POLICY_AVAILABLE;
    struct cluster *c = story_start_with(state, &options);
    set_all(c, 0, "old", written->old);
    story_fill_copies(c, false);
    c->invariants.two_sides = true;

    cut_off(c, 0x1, true);
    cluster_run(c, SIDES_MS);
    set_all(c, 1, "one", written->one);
    for (unsigned i = 0; i < 4; i++) {
        set_all(c, 0, "zero", written->zero);
    }
    for (unsigned i = 0; i < BUMPS; i++) { /* Views of higher numbers. */
        cluster_pause(c, 3);
        cluster_run(c, 3000);
        cluster_resume(c, 3);
        cluster_run(c, 2000);
    }
    cut_off(c, 0x2, true);
    cluster_run(c, SIDES_MS);
    cut_off(c, 0x1, false);
    cluster_cut(c, 0, 1);
    cluster_check(c, cluster_wait(c, 20000, has_joined, NULL),
                  "it does not join with what it keeps aside");
    return c;
}

/* They give node 1 up, and serve what node 0 has instead. Then node 1 comes
 * back with what the three had written: they have not seen that. */
static void what_was_given_up_for_another_copy_is_news(void **state)
{
    for (uint64_t seed = 300; seed < 303; seed++) {
        struct written written;
        struct cluster *c = fork_twice(state, seed, &written);
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
        struct cluster *c = fork_twice(state, seed, &written);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_was_given_up_for_another_copy_is_news),
        STORY(an_heir_says_so_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
