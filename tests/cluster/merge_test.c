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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(who_takes_up_its_view_again_changes_nothing_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
