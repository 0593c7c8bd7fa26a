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

/* How fast copies are filled: hardly at all, or as usual. */
static void fill_copies(struct cluster *c, bool fast)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        size_t rate = fast ? c->processes[i].config.learn_bytes_per_second : 1;
        c->processes[i].node->config.learn_bytes_per_second = rate;
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

/* Node 0 goes on alone; the others go on without it, change what is on node 1,
 * and lose that one, which goes on alone, too. Node 0 joins the two that are
 * left, with what it has of partitions that they keep for node 1. They give
 * that one up, and serve what node 0 has instead. Then node 1 comes back with
 * what the three had written: they have not seen that. */
static void what_was_given_up_for_another_copy_is_news(void **state)
{
    for (uint64_t seed = 300; seed < 303; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, seed);
        options.node_count = 4;
        options.policy = HF_POLICY_AVAILABLE;
        struct cluster *c = story_start_with(state, &options);
        bool old[KEYS], one[KEYS], zero[KEYS];
        set_all(c, 0, "old", old);
        fill_copies(c, false);
        c->invariants.two_sides = true;

        cut_off(c, 0x1, true);
        cluster_run(c, SIDES_MS);
        set_all(c, 1, "one", one);
        for (unsigned i = 0; i < 4; i++) {
            set_all(c, 0, "zero", zero);
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
        cluster_check(c, hf_node_takeover(c->processes[2].node) == NULL,
                      "a takeover is refused");
        cluster_run(c, SIDES_MS);

        fill_copies(c, true);
        cluster_heal(c);
        cluster_settle(c, 2 * CLUSTER_SETTLE_MS);
        c->invariants.two_sides = false;
        cluster_settle_and_check(c);
        expect_those(c, "old", old);
        expect_those(c, "zero", zero);
        expect_those(c, "one", one);
        story_end(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_was_given_up_for_another_copy_is_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
