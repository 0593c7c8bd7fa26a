/* votes_test.c - Whose votes a new view does without: what those had granted
 * who died may still hold. */
#include "core/node_state.h"
#include "support/story.h"

#define SILENCE_MS 3000

static bool is_of_one(struct cluster *c, void *user)
{
    const unsigned *node = user;
    const struct hf_view *view = c->processes[*node].node->view;
    return hf_member_set_count(hf_view_voters(view)) == 1;
}

static bool serves_anything(const struct cluster *c, unsigned node)
{
    const struct process *process = &c->processes[node];
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (hf_node_serves(process->node, p, process_now(process))) {
            return true;
        }
    }
    return false;
}

/* A and X do not hear each other, D hears both. D dies when A has just waited
 * for what it granted to X itself: A could go on alone, but X still has what D
 * granted, and does not know of its death. */
static void what_the_dead_granted_is_waited_for(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster_options options;
        cluster_options_init(&options, seed);
        options.policy = HF_POLICY_MAJORITY;
        struct cluster *c = story_start_with(state, &options);
        story_fill(c, 20);
        const struct hf_view *view = cluster_view(c);
        unsigned a = cluster_node_of(c, view, 0);
        unsigned d = cluster_node_of(c, view, 1);
        unsigned x = cluster_node_of(c, view, 2);
        cluster_cut(c, a, x);
        cluster_run(c, HF_GUARD_MS - 50 * (int64_t)(seed - 1));
        cluster_check(c, serves_anything(c, x), "X serves nothing any more");
        cluster_cut(c, d, x);
        cluster_kill(c, d);
        cluster_check(c, cluster_wait(c, SILENCE_MS, is_of_one, &a),
                      "A does not go on");
        cluster_check(c, !serves_anything(c, x),
                      "A goes on beside X, who has grants of D");
        cluster_heal(c);
        cluster_settle(c, CLUSTER_SETTLE_MS);
        story_end(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(what_the_dead_granted_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
