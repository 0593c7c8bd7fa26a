/* follow.c - Which views to follow, and being out of all of them.
 *
 * Who hears of a view enters it, gives way to it, or has heard of something
 * later. Of which of two lineages goes on all nodes think the same (lineage.c);
 * who gives way with sessions that only it may have hands them over before it
 * joins (merge.c). */
#include <string.h>

#include "core/node_state.h"

bool hf_node_is_kept(const struct hf_node *node)
{
    return node->merge_deferred > 0 ||
           hf_view_find(node->view, node->config.self.id,
                        node->config.self.incarnation) != HF_MEMBER_NONE;
}

void hf_node_stay_out(struct hf_node *node, const struct hf_view *view)
{
    hf_visits_give_up(&node->visits, view, &node->config.self);
    hf_node_merge_adopt(node, view);
    *node->view = *view;
    node->state = HF_STATE_OUT;
    node->self = HF_MEMBER_NONE;
    node->dead = 0;
    node->fresh = 0;
    node->started_at = node->now; /* Looks for the cluster as if new. */
    node->deserted_since = 0;
    hf_node_lease_changed(node);
    hf_node_peers_attach(node);
    hf_node_route_held(node);
}

static void go_out(struct hf_node *node, const struct hf_view *view)
{
    hf_log(&node->config.log,
           node->leaving != HF_LEAVING_NO ? HF_LOG_INFO : HF_LOG_WARNING,
           "view %u goes on without this node: %s",
           (unsigned)(view->epoch >> 32),
           node->leaving != HF_LEAVING_NO ? "it has left" : "joining anew");
    hf_node_leave_epoch(node);
    hf_node_stay_out(node, view);
}

/* Whether all members of the view that we are out of are in it, or dead. Those
 * who agreed on it with us may not know yet that it was agreed. */
static bool is_view_known(const struct hf_node *node)
{
    hf_member_set voters = hf_view_voters(node->view);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_peer_info *info = &node->view->members[i];
        const struct hf_peer *peer =
            hf_node_peer_find(node, info->id, info->incarnation);
        if ((voters & hf_member_set_of(i)) != 0 && peer != NULL &&
            !peer->refused &&
            (!peer->has_beat || peer->beat.cluster != node->view->cluster ||
             peer->beat.epoch < node->view->epoch)) {
            return false;
        }
    }
    return true;
}

/* Kept as absent we hold the last copies of something: then we stay. */
static void leave_for_good(struct hf_node *node)
{
    if (node->state == HF_STATE_OUT && node->leaving != HF_LEAVING_NO &&
        !hf_node_is_kept(node) && is_view_known(node)) {
        node->state = HF_STATE_LEFT;
    }
}

enum hf_leaving hf_node_told_leaving(const struct hf_node *node)
{
    if (node->merge_deferred == 0) {
        return node->leaving;
    }
    /* With what it keeps aside it has to come back first. */
    bool outside =
        node->state == HF_STATE_OUT || (node->state == HF_STATE_STARTING &&
                                        !HF_MUTATED(LEAVER_IS_NOT_TAKEN_IN));
    return outside || node->leaving == HF_LEAVING_NO ? HF_LEAVING_NO
                                                     : HF_LEAVING_DRAIN;
}

static bool votes_in(const struct hf_node *node, const struct hf_view *view)
{
    uint8_t self =
        hf_view_find(view, node->config.self.id, node->config.self.incarnation);
    return self != HF_MEMBER_NONE &&
           (view->absent & hf_member_set_of(self)) == 0;
}

/* Whether we look for a cluster anew, and those of @view do not take us in, for
 * we are to leave, and keep nothing that they wait for. Then we are gone:
 * anyone else would join them, and not come back to what it was in before
 * either. */
static bool is_gone_from(const struct hf_node *node, const struct hf_view *view)
{
    return node->state == HF_STATE_STARTING && node->leaving != HF_LEAVING_NO &&
           node->merge_deferred == 0 &&
           hf_view_find(view, node->config.self.id,
                        node->config.self.incarnation) == HF_MEMBER_NONE &&
           !HF_MUTATED(LEAVER_STAYS);
}

/* What comes after our view, with us or without. */
static void follow(struct hf_node *node, const struct hf_view *view)
{
    bool elsewhere = hf_lineage_of(view) != hf_lineage_of(node->view);
    bool gave_up = hf_visits_given_up(&node->visits, view) &&
                   !HF_MUTATED(VOTE_TAKEN_BACK) &&
                   !(elsewhere && HF_MUTATED(VOTE_TAKEN_BACK_LATER));
    if (votes_in(node, view) && !gave_up) {
        hf_node_install(node, view);
    } else if (node->state == HF_STATE_ACTIVE) {
        go_out(node, view);
    } else {
        hf_node_peers_meet(node, view);
        if (node->state == HF_STATE_OUT) {
            hf_node_merge_adopt(node, view);
            *node->view = *view;
        } else if (is_gone_from(node, view)) {
            node->state = HF_STATE_LEFT;
        }
    }
}

/* Whether nobody of the view that we are out of was heard lately: then any
 * other lineage is as good, unless we hold what only this one has. */
static bool is_abandoned(const struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (node->now - peer->heard <= HF_SUSPECT_MS &&
            hf_view_find(node->view, peer->info.id, peer->info.incarnation) !=
                HF_MEMBER_NONE &&
            hf_lineage_of(node->view) == peer->beat.lineage) {
            return false;
        }
    }
    return !hf_node_is_kept(node);
}

/* Whether @view counts on copies that we do not have any more: it is from
 * before we handed them over to another lineage, or decided by those who had
 * not heard of that. They go on without us, and then take us in anew. */
static bool is_beyond_us(const struct hf_node *node, const struct hf_view *view)
{
    uint8_t self =
        hf_view_find(view, node->config.self.id, node->config.self.incarnation);
    for (uint16_t p = 0; self != HF_MEMBER_NONE && p < HF_PARTITION_COUNT;
         p++) {
        if ((hf_view_copies(view, p) & hf_member_set_of(self)) != 0 &&
            !view->acting[p].empty &&
            node->partitions[p].learnt != HF_SESSIONS_END) {
            return true;
        }
    }
    return false;
}

/* Whether we vote in @view, and may have been there, or further on, and have
 * agreed to what came next, which we do not remember. The same goes for that.
 */
static bool is_behind_us(const struct hf_node *node, const struct hf_view *view)
{
    return view->epoch <= node->promised && votes_in(node, view);
}

/* Whether we agreed to what comes after @view, or were in a later one of its
 * lineage, and are not in that any more: then we do not remember what it was.
 * Were we to enter it we might vote twice, and were we to give way to it those
 * in it would go on as if we had never voted. So we wait for a later one. */
static bool is_past(const struct hf_node *node, const struct hf_view *view)
{
    bool takes_part = node->state == HF_STATE_ACTIVE ||
                      (node->state == HF_STATE_MERGING && !node->merge_out);
    bool ours = takes_part && hf_lineage_of(view) == hf_lineage_of(node->view);
    return !ours && hf_visits_passed(&node->visits, view) &&
           !HF_MUTATED(BACK_TO_THE_PAST);
}

/* Notes that of @lineage all before @before is past. False: that was known.
 * Those of several lineages may be heard who do not hear each other: were only
 * the last one told, the rest would give way to the others again and again. */
static bool note_refusal(struct hf_node *node, uint64_t lineage,
                         hf_epoch before)
{
    uint8_t max = HF_MUTATED(REFUSES_ONE_LINEAGE) ? 1 : HF_REFUSALS_MAX;
    uint8_t place = 0;
    while (place < node->refused_count &&
           node->refused[place].lineage != lineage) {
        place++;
    }
    if (place < node->refused_count && node->refused[place].before == before) {
        return false;
    }
    if (place == max) {
        memmove(node->refused, node->refused + 1,
                (max - 1u) * sizeof(node->refused[0]));
        place--;
    } else if (place == node->refused_count) {
        node->refused_count++;
    }
    node->refused[place] = (struct hf_refusal){lineage, before};
    return true;
}

/* @view is past, and goes on instead of ours. The rest of our lineage, who gave
 * way to it, would wait for us to do so, too (merge.c): we say that we do not.
 * And up to where not: others may be where it has not come to yet, and who
 * hears them all would be told of one now, and of another then. */
static void refuse(struct hf_node *node, const struct hf_view *view)
{
    uint64_t lineage = hf_lineage_of(view);
    hf_epoch before = HF_MUTATED(REFUSES_ONE_VIEW)
                          ? view->base + 1
                          : hf_visits_past(&node->visits, view);
    if (node->state != HF_STATE_ACTIVE || HF_MUTATED(REFUSAL_UNTOLD) ||
        !note_refusal(node, lineage, before)) {
        return;
    }
    node->beat_at = node->now;
    hf_log(&node->config.log, HF_LOG_WARNING,
           "met view %u of lineage %08x, which goes on instead of ours (%08x), "
           "but this node has agreed there to what came after it: staying "
           "apart until a later view of it is heard, or a takeover there",
           (unsigned)(view->epoch >> 32), (unsigned)(hf_lineage_of(view) >> 32),
           (unsigned)(hf_lineage_of(node->view) >> 32));
}

/* Whether somebody to whom we handed over has yet to come to that lineage, and
 * brings what it expects of us. */
static bool others_bring_it(const struct hf_node *node,
                            const struct hf_view *view)
{
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_peer_info *info = &node->view->members[i];
        const struct hf_peer *peer = hf_node_peer_by_id(node, info->id);
        if (info->id == node->config.self.id ||
            (peer != NULL &&
             (peer->info.incarnation != info->incarnation || peer->refused))) {
            continue;
        }
        if (peer == NULL || node->now - peer->heard > HF_SUSPECT_MS ||
            peer->beat.lineage != hf_lineage_of(view)) {
            return true;
        }
    }
    return false;
}

/* Out of our view, we are out of @view from now on, though it counts on us. */
static void wait_for_it(struct hf_node *node, const struct hf_view *view)
{
    hf_visits_give_up(&node->visits, view, &node->config.self);
    hf_node_peers_meet(node, view);
    hf_node_merge_adopt(node, view);
    *node->view = *view;
}

/* @view counts on what we handed over to the lineage that we are out of. It is
 * not past, so we agreed to nothing that follows. Those in it go on without us,
 * or wait for us as absent: then we come back with nothing, after those who
 * bring it. */
static void come_with_nothing(struct hf_node *node, const struct hf_view *view)
{
    if (votes_in(node, view)) {
        wait_for_it(node, view);
    } else if (!others_bring_it(node, view)) {
        follow(node, view);
    }
}

/* Nobody is left of the lineage that we are out of, and @view is of another. */
static void come_back(struct hf_node *node, const struct hf_view *view)
{
    if (!is_beyond_us(node, view)) {
        if (!is_behind_us(node, view)) {
            follow(node, view);
        }
    } else if (!HF_MUTATED(STAYS_AWAY)) {
        come_with_nothing(node, view);
    }
}

static void lose_to(struct hf_node *node, const struct hf_view *view,
                    hf_epoch forked)
{
    if (hf_node_merge_is_vain(node, view)) {
        return;
    }
    if (node->state == HF_STATE_ACTIVE ||
        (node->state == HF_STATE_OUT && hf_node_is_kept(node))) {
        hf_node_merge_begin(node, view, forked);
    } else if (node->state == HF_STATE_OUT && is_beyond_us(node, view)) {
        come_with_nothing(node, view);
    } else if (node->state == HF_STATE_OUT && is_behind_us(node, view)) {
        wait_for_it(node, view); /* For one that takes us in. */
    } else {
        follow(node, view);
    }
}

/* Whether somebody was heard lately who takes part in @lineage. */
static bool is_alive(const struct hf_node *node, uint64_t lineage)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->has_beat && node->now - peer->heard <= HF_SUSPECT_MS &&
            peer->beat.lineage == lineage &&
            (peer->beat.state == HF_STATE_ACTIVE ||
             peer->beat.state == HF_STATE_MERGING)) {
            return true;
        }
    }
    return false;
}

void hf_node_follow_tick(struct hf_node *node)
{
    if (node->deserted_since != 0 &&
        is_alive(node, hf_lineage_of(node->view))) {
        node->deserted_since = 0;
    }
    leave_for_good(node);
}

/* @view gives way to the lineage that we are out of. When nobody is heard who
 * takes part in that, while others do in @view, perhaps all have left it for
 * others: who waits with what only it counts on hands that over then. */
static void wait_or_lose_to(struct hf_node *node, const struct hf_view *view,
                            hf_epoch forked)
{
    if (is_alive(node, hf_lineage_of(node->view)) ||
        !is_alive(node, hf_lineage_of(view))) {
        node->deserted_since = 0;
    } else if (node->deserted_since == 0) {
        node->deserted_since = node->now;
    } else if (node->now - node->deserted_since >= HF_DESERTED_MS) {
        hf_node_merge_begin(node, view, forked);
    }
}

/* A fork that counted us as dead, as a takeover does: what only we have began
 * empty there, so joining anew would lose it. */
static bool is_forked_without_us(const struct hf_node *node,
                                 const struct hf_view *view)
{
    return hf_lineage_of(view) != hf_lineage_of(node->view) &&
           hf_view_find(view, node->config.self.id,
                        node->config.self.incarnation) == HF_MEMBER_NONE;
}

void hf_node_view_heard(struct hf_node *node, const struct hf_view *view)
{
    hf_epoch forked;
    if (view->epoch > node->highest_ballot) {
        node->highest_ballot = view->epoch;
    }
    if (node->state == HF_STATE_LEFT) {
        return; /* It does not come back, also not to a lineage from before. */
    }
    if (node->state == HF_STATE_MERGING) {
        if (!is_past(node, view)) {
            hf_node_merge_view_heard(node, view);
        }
        return;
    }
    if (node->view->epoch == 0) {
        follow(node, view);
        return;
    }
    const struct hf_view *decided = node->view;
    if (node->state == HF_STATE_ACTIVE &&
        node->accepted_ballot > decided->epoch && !hf_node_is_cut_off(node)) {
        /* For all we know it was: we wait a while for who decided it. */
        decided = node->accepted;
    }
    enum hf_relation relation =
        hf_lineage_compare(node->view, decided, view, &forked);
    bool further =
        relation == HF_RELATION_SAME || relation == HF_RELATION_AHEAD;
    if (!further && is_past(node, view)) {
        if (relation != HF_RELATION_WINS) {
            refuse(node, view);
        }
        return;
    }
    switch (relation) {
    case HF_RELATION_BEHIND:
        if (is_forked_without_us(node, view)) {
            lose_to(node, view, forked);
        } else {
            follow(node, view);
        }
        return;
    case HF_RELATION_LOSES:
        lose_to(node, view, forked);
        return;
    case HF_RELATION_WINS:
        if (node->state == HF_STATE_OUT && is_abandoned(node)) {
            come_back(node, view);
        } else if (node->state == HF_STATE_OUT && hf_node_is_kept(node)) {
            wait_or_lose_to(node, view, forked);
        }
        return;
    case HF_RELATION_SAME:
    case HF_RELATION_AHEAD:
        if (node->state == HF_STATE_ACTIVE && view->epoch > node->view->epoch) {
            hf_node_renumber_view(node); /* Else those there never follow. */
        }
        if (HF_MUTATED(OLDER_VIEW)) {
            follow(node, view);
        }
        return;
    }
}

void hf_node_offer_view(struct hf_node *node, struct hf_peer *peer)
{
    if (node->now - peer->view_sent_at < HF_VIEW_RESEND_MS) {
        return;
    }
    struct hf_message message = {
        .type = HF_MESSAGE_VIEW,
        .view = node->state == HF_STATE_MERGING ? node->target : node->view};
    if (hf_node_send(node, peer, &message)) {
        peer->view_sent_at = node->now;
    }
}
