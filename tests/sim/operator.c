/* operator.c - The operator of a simulated cluster, who looks at all of it.
 *
 * A takeover is ordered only where the protocol promises no progress without
 * one: a bug that keeps a safe set from going on must stay a failure. */
#include "core/node_state.h"
#include "sim/run.h"

#define TAKEOVER_MS 10000

/* Whether those who run are a safe set of @view, with every death that any of
 * them knows in time. */
static bool are_safe(const struct cluster *c, const struct hf_view *view)
{
    hf_member_set live = 0;
    hf_member_set fresh = 0;
    for (uint8_t i = 0; i < view->member_count; i++) {
        unsigned at = cluster_node_of(c, view, i);
        if (at == CLUSTER_NODES_MAX) {
            continue;
        }
        const struct hf_node *node = c->processes[at].node;
        live |= hf_member_set_of(i);
        if (node->state == HF_STATE_ACTIVE &&
            node->view->epoch == view->epoch) {
            fresh |= node->fresh;
        }
    }
    hf_member_set voters = hf_view_voters(view);
    return hf_view_is_safe(voters, fresh, live & voters & ~fresh);
}

bool operator_act(struct run *run)
{
    struct cluster *c = run->c;
    const struct hf_view *newest = cluster_view(c);
    if (plan_has_sides(&run->plan) || newest == NULL || are_safe(c, newest)) {
        return false;
    }
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        if (!cluster_is_up(c, i) || hf_node_get_view(process->node) == NULL ||
            process->node->view->epoch != newest->epoch) {
            continue;
        }
        const char *refused = hf_node_takeover(process->node);
        trace_add(&c->trace, cluster_now_us(c), "%u ! takeover: %s", i + 1,
                  refused == NULL ? "ordered" : refused);
        if (refused == NULL) {
            run->takeovers++;
            cluster_run(c, TAKEOVER_MS);
            return true;
        }
    }
    return false;
}
