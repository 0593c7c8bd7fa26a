/* budget.c - How many deaths a cluster is promised to survive.
 *
 * B backups: any B faults that destroy copies, before repair. Faults that
 * destroy nothing (silence of all kinds) may overlap with them. So a node may
 * die as long as every partition that it holds has another copy, on a process
 * that runs, in the newest view there is. A view that is just being agreed on
 * may leave out copies of silent nodes, and those that are called slow: then
 * what it leaves out does not count either, and a nominated learner may become
 * the only copy. Whoever looks from outside sees all of that.
 *
 * And so that the cluster can go on, which is judged after healing, those who
 * are left must be a safe set, or what the policy wants instead.
 *
 * Where there are several sides, all that holds on each of them: only those
 * who are in the very same view then count as other copies, or as the rest. */
#include <string.h>

#include "core/node_state.h"
#include "sim/run.h"

static unsigned node_of_incarnation(const struct cluster *c,
                                    hf_incarnation incarnation)
{
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (c->processes[i].running &&
            c->processes[i].config.self.incarnation == incarnation) {
            return i;
        }
    }
    return CLUSTER_NODES_MAX;
}

/* The view by which @node holds sessions, also while it hands them over; NULL:
 * it has none. */
static const struct hf_view *view_of(const struct cluster *c, unsigned node)
{
    const struct process *process = &c->processes[node];
    if (!process->running || (process->node->state != HF_STATE_ACTIVE &&
                              process->node->state != HF_STATE_MERGING)) {
        return NULL;
    }
    return process->node->view;
}

static bool is_in(const struct cluster *c, unsigned node, hf_epoch epoch)
{
    const struct hf_view *view = view_of(c, node);
    return view != NULL && view->epoch == epoch;
}

/* The nodes, as a bit each, that run and are members @set of @view. */
static uint64_t nodes_of(const struct hf_view *view,
                         const unsigned where[HF_MEMBERS_MAX],
                         hf_member_set set)
{
    uint64_t nodes = 0;
    for (uint8_t i = 0; i < view->member_count; i++) {
        if ((set & hf_member_set_of(i)) != 0 && where[i] < CLUSTER_NODES_MAX) {
            nodes |= UINT64_C(1) << where[i];
        }
    }
    return nodes;
}

/* Nodes that some ballot under way leaves out. */
static uint64_t left_out(const struct cluster *c)
{
    uint64_t nodes = 0;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_node *node = c->processes[i].node;
        if (!c->processes[i].running || node->state != HF_STATE_ACTIVE) {
            continue;
        }
        hf_member_set out = node->ballot.active ? node->ballot.excluded : 0;
        if (node->promised > node->view->epoch) {
            out |= node->promised_without;
        }
        for (uint8_t m = 0; out != 0 && m < node->view->member_count; m++) {
            unsigned at =
                node_of_incarnation(c, node->view->members[m].incarnation);
            if ((out & hf_member_set_of(m)) != 0 && at < CLUSTER_NODES_MAX) {
                nodes |= UINT64_C(1) << at;
            }
        }
    }
    return nodes;
}

/* Learners of @partition that a view after @view may make its copies. */
static hf_member_set nominees_of(const struct cluster *c,
                                 const struct hf_view *view, uint16_t partition)
{
    hf_member_set set = 0;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_node *node = c->processes[i].node;
        if (!is_in(c, i, view->epoch)) {
            continue;
        }
        for (size_t k = 0; k < node->nomination_count; k++) {
            if (node->nominations[k].partition == partition) {
                set |= hf_member_set_of(node->nominations[k].member);
            }
        }
    }
    return set;
}

/* Of the copies of @partition and its @nominees, those that a view after @view
 * certainly leaves: all, or, when there are more than wanted, the primary and
 * the wanted ones. A ballot is decided with the votes of those that die just
 * after: so whom it drops is no other copy, though it has all at this moment.
 */
static hf_member_set kept_of(const struct hf_view *view,
                             const struct hf_owners *target, uint16_t partition,
                             hf_member_set nominees)
{
    hf_member_set set = hf_view_copies(view, partition) | nominees;
    hf_member_set kept = hf_member_set_of(view->acting[partition].members[0]);
    for (uint8_t i = 0; i < target->count; i++) {
        kept |= set & hf_member_set_of(target->members[i]);
    }
    return hf_member_set_count(set) > target->count ? kept : set;
}

/* By whom the members of @view are called slow, as they say now or were heard
 * to say last. */
static void slowness_of(const struct cluster *c, const struct hf_view *view,
                        hf_member_set by[HF_MEMBERS_MAX])
{
    memset(by, 0, HF_MEMBERS_MAX * sizeof(*by));
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_node *node = c->processes[i].node;
        if (!is_in(c, i, view->epoch) || node->state != HF_STATE_ACTIVE) {
            continue;
        }
        by[node->self] |= hf_node_slow_members(node);
        for (size_t k = 0; k < node->peer_count; k++) {
            const struct hf_peer *peer = &node->peers[k];
            if (peer->member != HF_MEMBER_NONE && peer->has_beat &&
                peer->beat.epoch == view->epoch &&
                peer->beat.state == HF_STATE_ACTIVE) {
                by[peer->member] |= peer->beat.slow;
            }
        }
    }
}

/* Whether several say that @primary does not get through: then it may be the
 * one that a view drops. */
static bool is_slow(const hf_member_set by[HF_MEMBERS_MAX], uint8_t primary)
{
    unsigned count = 0;
    for (uint8_t i = 0; i < HF_MEMBERS_MAX; i++) {
        count += i != primary && (by[i] & hf_member_set_of(primary)) != 0;
    }
    return count > 1;
}

/* Of those that are @kept, the ones that no view drops as slow, for which the
 * vote of a primary that dies just after is enough. */
static hf_member_set prompt_of(hf_member_set kept, uint8_t primary,
                               const hf_member_set by[HF_MEMBERS_MAX])
{
    hf_member_set self = hf_member_set_of(primary);
    kept &= ~by[primary] | self;
    return is_slow(by, primary) ? kept & ~self : kept;
}

/* Whether somebody who is in @view heard @node lately, or may do so now. */
static bool is_heard(const struct run *run, const struct hf_view *view,
                     unsigned node)
{
    const struct cluster *c = run->c;
    const struct hf_peer_info *info = &c->processes[node].config.self;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        if (i == node || !is_in(c, i, view->epoch)) {
            continue;
        }
        const struct process *process = &c->processes[i];
        const struct hf_peer *peer =
            hf_node_peer_find(process->node, info->id, info->incarnation);
        if (!run->links[node][i].cut ||
            (peer != NULL &&
             peer->heard + HF_LEASE_MS > process_now(process))) {
            return true;
        }
    }
    return false;
}

/* Whether every partition that @victim holds by @view has another copy among
 * nodes that are not in @out, now and in the view that comes after. Of those
 * that are away one is taken back when it was just heard, though it may be dead
 * by then, and the others are no copies any more. */
static bool view_spares(const struct run *run, const struct hf_view *view,
                        unsigned victim, uint64_t out)
{
    const struct cluster *c = run->c;
    unsigned where[HF_MEMBERS_MAX];
    struct hf_owners targets[HF_PARTITION_COUNT];
    hf_member_set by[HF_MEMBERS_MAX];
    bool returns = view->absent != 0 && is_heard(run, view, victim);
    for (uint8_t i = 0; i < view->member_count; i++) {
        where[i] = node_of_incarnation(c, view->members[i].incarnation);
    }
    hf_view_targets(view, targets);
    slowness_of(c, view, by);
    uint64_t dying = UINT64_C(1) << victim;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        hf_member_set nominees = nominees_of(c, view, p);
        uint64_t copies = nodes_of(view, where, hf_view_copies(view, p));
        uint64_t learnt = nodes_of(view, where, nominees);
        hf_member_set stay = prompt_of(kept_of(view, &targets[p], p, nominees),
                                       view->acting[p].members[0], by);
        uint64_t kept = nodes_of(view, where, stay);
        if (returns && (hf_view_copies(view, p) & ~view->absent) == 0) {
            kept &= dying;
        }
        if (((copies | learnt) & dying) != 0 &&
            ((copies & ~dying & ~out) == 0 || (kept & ~dying & ~out) == 0)) {
            return false;
        }
    }
    return true;
}

/* Whether those who are left may decide to go on. Nothing can ever replace the
 * vote of a process that died unproven: what it did last nobody knows. */
static bool rest_goes_on(const struct run *run, const struct hf_view *view,
                         unsigned victim, bool proven)
{
    const struct cluster *c = run->c;
    hf_member_set rest = 0;
    hf_member_set fresh = 0;
    for (uint8_t i = 0; i < view->member_count; i++) {
        unsigned at = node_of_incarnation(c, view->members[i].incarnation);
        if (at == victim && proven) {
            fresh |= hf_member_set_of(i);
        }
        if (at == victim || at >= CLUSTER_NODES_MAX ||
            (plan_has_sides(&run->plan) && !is_in(c, at, view->epoch))) {
            continue;
        }
        const struct hf_node *node = c->processes[at].node;
        rest |= hf_member_set_of(i);
        if (node->state == HF_STATE_ACTIVE &&
            node->view->epoch == view->epoch) {
            fresh |= node->fresh;
        }
    }
    hf_member_set voters = hf_view_voters(view);
    switch (run->plan.policy) {
    case POLICY_TAKEOVER:
    case POLICY_AVAILABLE:
        return (rest & voters & ~fresh) != 0;
    case POLICY_HALF:
        return hf_view_is_half(voters, fresh, rest & voters & ~fresh);
    default:
        return hf_view_is_safe(voters, fresh, rest & voters & ~fresh);
    }
}

static bool is_voter(const struct cluster *c, const struct hf_view *view,
                     unsigned node)
{
    const struct hf_peer_info *self = &c->processes[node].config.self;
    uint8_t member = hf_view_find(view, self->id, self->incarnation);
    return member != HF_MEMBER_NONE &&
           (view->absent & hf_member_set_of(member)) == 0;
}

/* The newest view that is known to anybody but @victim, who is in it or was
 * left out of it. */
static const struct hf_view *known_without(const struct cluster *c,
                                           unsigned victim)
{
    const struct hf_view *newest = NULL;
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct process *process = &c->processes[i];
        if (i == victim || !process->running ||
            process->node->state == HF_STATE_STARTING) {
            continue;
        }
        const struct hf_view *view = process->node->view;
        if (newest == NULL || cluster_is_newer(view, newest)) {
            newest = view;
        }
    }
    return newest;
}

/* Whether those who are left may go on by what they know. A view that one node
 * decides alone, because nobody else has a vote, may give votes to those it
 * takes in: to members that were kept as absent, say. Until one of them hears
 * of it they know of an earlier view, in which they have none; and somebody
 * whom they do not know of might have been taken in with them. So they wait,
 * and when the one that decided dies, then for ever. Who has a vote in both
 * views is not affected: it accepted the later one, and decides it again. */
static bool heirs_go_on(const struct run *run, unsigned victim, bool proven)
{
    const struct hf_view *known = known_without(run->c, victim);
    return known == NULL || !is_voter(run->c, known, victim) ||
           rest_goes_on(run, known, victim, proven);
}

/* Members that leave stop being copies soon, also when that leaves fewer than
 * wanted. */
static uint64_t leaving_few(const struct cluster *c, const struct hf_view *view)
{
    uint64_t nodes = 0;
    unsigned staying = 0;
    for (uint8_t i = 0; i < view->member_count; i++) {
        unsigned at = node_of_incarnation(c, view->members[i].incarnation);
        if (at < CLUSTER_NODES_MAX &&
            c->processes[at].node->leaving != HF_LEAVING_NO) {
            nodes |= UINT64_C(1) << at;
        } else {
            staying++;
        }
    }
    return staying <= view->backups ? nodes : 0;
}

static bool view_allows(const struct run *run, const struct hf_view *view,
                        unsigned node, bool proven, uint64_t out)
{
    const struct cluster *c = run->c;
    return view_spares(run, view, node, out | leaving_few(c, view)) &&
           (!is_voter(c, view, node) || rest_goes_on(run, view, node, proven));
}

/* Whether each side allows it. What a node kept aside of its own side, or has
 * while it waits to be taken back by the view that counts on it, nobody else
 * may have; all others may have gone over to a view that says nothing of it. */
static bool sides_allow(const struct run *run, unsigned node, uint64_t out)
{
    const struct cluster *c = run->c;
    const struct process *process = &c->processes[node];
    bool outside = process->running && (process->node->state == HF_STATE_OUT ||
                                        process->node->merge_deferred > 0);
    if (outside && hf_node_is_kept(process->node)) {
        return false;
    }
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_view *view = view_of(c, i);
        if (view == NULL) {
            continue;
        }
        uint64_t apart = 0;
        for (unsigned k = 0; k < c->options.node_count; k++) {
            bool is_apart =
                c->processes[k].running && !is_in(c, k, view->epoch);
            apart |= is_apart ? UINT64_C(1) << k : 0;
        }
        if (!view_allows(run, view, node, false, out | apart)) {
            return false;
        }
    }
    return true;
}

bool budget_allows_death(const struct run *run, unsigned node, bool proven)
{
    const struct cluster *c = run->c;
    const struct hf_view *newest = cluster_view(c);
    if (newest == NULL) {
        return false;
    }
    uint64_t out = left_out(c);
    if (!view_allows(run, newest, node, proven, out) ||
        !heirs_go_on(run, node, proven) ||
        (plan_has_sides(&run->plan) && !sides_allow(run, node, out))) {
        return false;
    }
    for (unsigned i = 0; i < c->options.node_count; i++) {
        const struct hf_node *other = c->processes[i].node;
        if (!c->processes[i].running) {
            continue;
        }
        const struct hf_view *next[] = {
            other->accepted_ballot != 0 ? other->accepted : NULL,
            other->ballot.active && other->ballot.accepting ? other->proposal
                                                            : NULL};
        for (unsigned k = 0; k < HF_ARRAY_COUNT(next); k++) {
            if (next[k] != NULL && next[k]->epoch > newest->epoch &&
                !view_allows(run, next[k], node, false, out)) {
                return false;
            }
        }
    }
    return true;
}
