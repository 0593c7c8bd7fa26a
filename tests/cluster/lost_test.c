/* lost_test.c - All copies of a partition are dead: it starts with nothing. An
 * older copy that somebody still has does not stand in for them. */
#include <stdio.h>

#include "core/node_state.h"
#include "support/story.h"

#define WAIT_MS 30000

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(an_old_copy_does_not_come_back_for_a_lost_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
