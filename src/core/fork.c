/* fork.c - Going on without a safe set: when, and by whose order.
 *
 * After a cut one side may be a safe set and goes on at once. The others serve
 * nothing from the end of their leases on. Whether they go on nevertheless, as
 * a fork with a lineage of its own, is the policy of the cluster, or the order
 * of an operator:
 *
 *   majority    never
 *   half        when they are exactly half, as each of two nodes is
 *   available   always
 *
 * They wait first, so that a pause or a short cut does not make two of one. A
 * fork is decided by the same ballot as any view, among all that hear each
 * other. */
#include "core/node_state.h"

bool hf_node_may_fork(const struct hf_node *node, enum hf_fork fork,
                      hf_member_set dead, hf_member_set rest)
{
    hf_member_set all = hf_view_voters(node->view);
    if (fork == HF_FORK_TAKEOVER) {
        return rest != 0 && (rest & ~all) == 0;
    }
    if (fork == HF_FORK_NO) {
        return false;
    }
    switch ((enum hf_partition_policy)node->view->policy) {
    case HF_POLICY_HALF:
        return hf_view_is_half(all, dead, rest);
    case HF_POLICY_AVAILABLE:
        return rest != 0 && (rest & ~all) == 0;
    case HF_POLICY_MAJORITY:
        break;
    }
    return false;
}

void hf_node_watch_safety(struct hf_node *node, hf_member_set live)
{
    if (hf_view_is_safe(hf_view_voters(node->view), node->fresh, live)) {
        node->unsafe_since = 0;
    } else if (node->unsafe_since == 0) {
        node->unsafe_since = node->now;
    }
}

bool hf_node_is_cut_off(const struct hf_node *node)
{
    /* Those that fell silent were suspected before the guard was over. */
    hf_time wait = HF_GUARD_MS - HF_SUSPECT_MS + HF_FORK_DELAY_MS;
    return node->unsafe_since != 0 && node->now - node->unsafe_since >= wait;
}

enum hf_fork hf_node_fork_due(const struct hf_node *node, hf_member_set live)
{
    if (node->unsafe_since == 0) {
        return HF_FORK_NO;
    }
    if (node->now < node->takeover_until) {
        return HF_FORK_TAKEOVER;
    }
    bool due = hf_node_is_cut_off(node) &&
               hf_node_may_fork(node, HF_FORK_POLICY, node->dead, live);
    return due ? HF_FORK_POLICY : HF_FORK_NO;
}

const char *hf_node_takeover(struct hf_node *node)
{
    switch (node->state) {
    case HF_STATE_ACTIVE:
        break;
    case HF_STATE_MERGING:
        return "this node hands over its sessions to another part of the "
               "cluster, which goes on";
    default:
        return "this node is no member of a cluster";
    }
    hf_member_set live = hf_view_voters(node->view) & ~hf_node_suspects(node);
    if (hf_view_is_safe(hf_view_voters(node->view), node->fresh, live)) {
        return "it is not needed, this node and those it hears go on "
               "by themselves";
    }
    node->takeover_until = node->now + HF_TAKEOVER_ORDER_MS;
    hf_log(&node->config.log, HF_LOG_WARNING,
           "takeover: going on without %u members that are not heard, by "
           "order",
           hf_member_set_count(hf_view_voters(node->view) & ~live));
    return NULL;
}
