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
 * Whoever goes on keeps members that are away as absent when they have the only
 * copies of something. These are given up by an order, too: then even a safe
 * set forks, so that what they bring back is merged and not dropped. So is what
 * is awaited of somebody outside.
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
    return HF_MUTATED(FORK_AGAINST_POLICY) && rest != 0;
}

/* Members that gave way to another lineage, and promise nothing meanwhile. */
static hf_member_set giving_way(const struct hf_node *node)
{
    hf_member_set set = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_peer *peer = node->members[i].peer;
        if (peer != NULL && peer->has_beat &&
            peer->beat.state == HF_STATE_MERGING) {
            set |= hf_member_set_of(i);
        }
    }
    return set;
}

void hf_node_watch_safety(struct hf_node *node, hf_member_set live)
{
    live &= ~giving_way(node);
    if (hf_view_is_safe(hf_view_voters(node->view), hf_node_voteless(node),
                        live)) {
        node->unsafe_since = 0;
    } else if (node->unsafe_since == 0) {
        node->unsafe_since = node->now;
    }
}

/* Those that fell silent were suspected before the guard was over. */
#define FORK_WAIT_MS (HF_GUARD_MS - HF_SUSPECT_MS + HF_FORK_DELAY_MS)

bool hf_node_is_cut_off(const struct hf_node *node)
{
    return node->unsafe_since != 0 &&
           (node->now - node->unsafe_since >= FORK_WAIT_MS ||
            HF_MUTATED(FORK_AT_ONCE));
}

/* Whether the policy lets @live go on: others of them may have seen in time who
 * died. Alone there are none, and what we did not see so does not count. */
static bool policy_allows(const struct hf_node *node, hf_member_set live)
{
    bool alone = live == hf_member_set_of(node->self);
    hf_member_set dead = alone && !HF_MUTATED(BALLOTS_IN_VAIN)
                             ? hf_node_voteless(node)
                             : node->dead;
    return hf_node_may_fork(node, HF_FORK_POLICY, dead, live);
}

bool hf_node_takeover_due(const struct hf_node *node)
{
    return node->now < node->takeover_until &&
           node->takeover_lineage == hf_lineage_of(node->view) &&
           (node->unsafe_since != 0 || node->view->absent != 0 ||
            node->view_awaited > 0);
}

enum hf_fork hf_node_fork_due(const struct hf_node *node, hf_member_set live)
{
    if (hf_node_takeover_due(node)) {
        return HF_FORK_TAKEOVER;
    }
    bool due = hf_node_is_cut_off(node) && policy_allows(node, live);
    return due ? HF_FORK_POLICY : HF_FORK_NO;
}

void hf_node_tell_safety(const struct hf_node *node,
                         struct hf_node_status *status)
{
    hf_member_set live = hf_view_voters(node->view) & ~hf_node_suspects(node);
    status->no_takeover = hf_node_takeover_refusal(node);
    status->deciding = node->promised > node->view->epoch;
    if (node->unsafe_since == 0) {
        return;
    }
    hf_time wait = node->unsafe_since + FORK_WAIT_MS - node->now;
    status->unsafe_ms = node->now - node->unsafe_since;
    status->fork_in_ms = wait > 0 ? wait : 0;
    status->fork_allowed = policy_allows(node, live);
}

const char *hf_node_takeover_refusal(const struct hf_node *node)
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
    if (hf_view_is_safe(hf_view_voters(node->view), hf_node_voteless(node),
                        live) &&
        node->view->absent == 0 && node->view_awaited == 0 &&
        node->merge_awaited == 0 && !HF_MUTATED(TAKEOVER_WITHOUT_NEED)) {
        return "it is not needed, this node and those it hears go on by "
               "themselves, and no session is unavailable because its copies "
               "are elsewhere";
    }
    return NULL;
}

const char *hf_node_takeover(struct hf_node *node)
{
    const char *refusal = hf_node_takeover_refusal(node);
    if (refusal != NULL) {
        return refusal;
    }
    hf_member_set live = hf_view_voters(node->view) & ~hf_node_suspects(node);
    unsigned gone = hf_member_set_count(hf_view_all(node->view) & ~live);
    hf_node_merge_give_up(node);
    node->takeover_until = node->now + HF_TAKEOVER_ORDER_MS;
    node->takeover_lineage = hf_lineage_of(node->view);
    hf_log(&node->config.log, HF_LOG_WARNING,
           "takeover: going on without %u member%s that %s not heard, by order",
           gone, HF_PLURAL(gone), gone == 1 ? "is" : "are");
    return NULL;
}
