/* operator.c - The operator of a simulated cluster, who looks at all of it.
 *
 * A takeover is ordered where the protocol promises no progress without one (a
 * bug that keeps a safe set from going on must stay a failure), and where it is
 * not needed and must be refused. */
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

/* Whether @node knows that this member is dead, and is right. What that one had
 * sent may have arrived since. */
static bool knows_dead(const struct cluster *c, const struct hf_node *node,
                       uint8_t member)
{
    return (node->dead & hf_member_set_of(member)) != 0 &&
           cluster_node_of(c, node->view, member) == CLUSTER_NODES_MAX;
}

/* Whether those that @node heard of lately, who hear it as well and in time,
 * are a safe set with it. */
static bool hears_safe_set(const struct cluster *c, const struct hf_node *node)
{
    hf_member_set heard = hf_member_set_of(node->self);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_member *member = &node->members[i];
        if (i != node->self && member->unheard_since == 0 &&
            member->late_since == 0 && !knows_dead(c, node, i) &&
            node->now - member->heard < HF_SUSPECT_MS / 2) {
            heard |= hf_member_set_of(i);
        }
    }
    hf_member_set voters = hf_view_voters(node->view);
    return hf_view_is_safe(voters, node->fresh, heard & voters & ~node->fresh);
}

void operator_err(struct run *run)
{
    struct cluster *c = run->c;
    uint64_t draw = hf_rng_below(&run->errors, 10000);
    unsigned at = (unsigned)hf_rng_below(&run->errors, c->options.node_count);
    if (draw >= run->plan.order_rate || !cluster_is_up(c, at)) {
        return;
    }
    struct hf_node *node = c->processes[at].node;
    if (node->state != HF_STATE_ACTIVE || node->view->absent != 0 ||
        !hears_safe_set(c, node)) {
        return;
    }
    trace_add(&c->trace, cluster_now_us(c), "%u ! takeover, without need",
              at + 1);
    run->orders++;
    if (hf_node_takeover(node) == NULL) {
        cluster_fail(c,
                     "n%u is to take over though it hears a safe set, and does "
                     "not refuse",
                     at + 1);
    }
}
