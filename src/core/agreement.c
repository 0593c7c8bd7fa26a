/* agreement.c - Agreeing on the next view.
 *
 * Every view is the subject of one decision: which view comes after it. It is
 * decided by ballots as in single-decree Paxos (Lamport, "Paxos made simple",
 * 2001), among the members of the view that are not suspected:
 *
 *   proposer                          voters (all that are not excluded)
 *     PREPARE ballot, who is out  -->   promise: no lower ballot, no grants,
 *                                       no acknowledgements any more
 *     <-- PROMISE, what was accepted, fresh deaths
 *     all promised, and safe: choose what was accepted, or propose
 *     ACCEPT view                 -->   accept, unless promised higher
 *     <-- ACCEPTED
 *     all accepted: VIEW to everybody, install
 *
 * A voter promises only when every excluded member is certified dead or has
 * been without a grant from it for the guard time: then no lease of the old
 * view is left outside of the new one. The lowest-ranked live member proposes;
 * others step in later, by rank. A lost VIEW is made good by heartbeats.
 *
 * Who did not hear that a view was decided, and accepted it, proposes it again:
 * so one and the same view may be entered under several epochs, with one base,
 * and its members may be in different ones. All of these are the subject of one
 * decision, so what was accepted under one epoch holds under the others. Who is
 * further on already, under an earlier epoch, is not led back: it gives its own
 * view a later one, for the others to follow. */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"

static hf_epoch ballot_above(const struct hf_node *node)
{
    hf_epoch highest = node->highest_ballot;
    if (node->promised > highest) {
        highest = node->promised;
    }
    if (node->view->epoch > highest) {
        highest = node->view->epoch;
    }
    uint64_t counter = (highest >> 32) + 1;
    return counter << 32 | (node->config.self.incarnation & UINT32_MAX);
}

static void saw_ballot(struct hf_node *node, hf_epoch ballot)
{
    if (ballot > node->highest_ballot) {
        node->highest_ballot = ballot;
    }
}

/* Whether the view that we are out of counts on our copy: what it has is then
 * as good as ever. */
static bool is_kept_for(const struct hf_node *node, uint16_t p)
{
    uint8_t self = hf_view_find(node->view, node->config.self.id,
                                node->config.self.incarnation);
    return self != HF_MEMBER_NONE &&
           (hf_view_copies(node->view, p) & hf_member_set_of(self)) != 0 &&
           node->partitions[p].learnt == HF_SESSIONS_END;
}

void hf_node_form_cluster(struct hf_node *node)
{
    struct hf_view *view = node->proposal;
    memset(view, 0, sizeof(*view));
    view->epoch = ballot_above(node);
    view->cluster = hf_rng_next(&node->rng) | 1;
    view->founded_ms = (uint64_t)node->wall_ms;
    view->backups = (uint8_t)node->config.backups;
    view->policy = (uint8_t)node->config.policy;
    hf_lineage_fork(view, view->cluster, 0, 0);
    view->member_count = 1;
    view->members[0] = node->config.self;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        view->acting[p].count = 1;
        view->acting[p].empty = !is_kept_for(node, p);
    }
    hf_log(&node->config.log, HF_LOG_INFO,
           "nobody else is there: starting a cluster");
    hf_node_install(node, view);
}

static bool guard_is_over(const struct hf_node *node, hf_member_set excluded)
{
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        hf_member_set bit = hf_member_set_of(i);
        if ((excluded & bit) != 0 && (node->dead & bit) == 0 &&
            hf_node_given(node, i) + (HF_MUTATED(GUARD_TOO_SHORT)
                                          ? HF_LEASE_MS - 10
                                          : HF_GUARD_MS) >
                node->now &&
            !HF_MUTATED(NO_GUARD)) {
            return false;
        }
    }
    return true;
}

/* Whether no lease of somebody in @excluded rests on what a dead one granted,
 * who may have heard both when we did not. His vote counts as gone, so nobody
 * of @rest would know; only where these are more than half, some of them did
 * not grant either. A death that we were only told of counts from then on. Who
 * gave way to this view granted nothing in it. */
static bool leases_of_dead_are_over(struct hf_node *node,
                                    hf_member_set excluded, hf_member_set dead,
                                    hf_member_set rest)
{
    hf_member_set all = hf_view_voters(node->view);
    if ((excluded & all & ~node->dead) == 0 || hf_view_is_safe(all, 0, rest) ||
        HF_MUTATED(NO_GUARD) || HF_MUTATED(DEAD_GRANTED_NOTHING)) {
        return true;
    }
    bool over = true;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        struct hf_member *member = &node->members[i];
        if ((dead & hf_member_set_of(i)) != 0 && !member->gone_over) {
            member->died_at =
                member->died_at != 0 ? member->died_at : node->now;
            over = over && member->died_at + HF_GUARD_MS <= node->now;
        }
    }
    return over;
}

/* Who has answered is asked again as well: when nobody asks it any more, it
 * bids itself. */
static void ballot_send(struct hf_node *node)
{
    struct hf_ballot *ballot = &node->ballot;
    hf_member_set asked = HF_MUTATED(ANSWERED_IS_DONE)
                              ? ballot->voters & ~ballot->answered
                              : ballot->voters;
    ballot->sent_at = node->now;
    struct hf_message message;
    if (ballot->accepting) {
        message = (struct hf_message){
            .type = HF_MESSAGE_ACCEPT,
            .accept = {ballot->number, node->view->epoch, node->proposal}};
    } else {
        message = (struct hf_message){
            .type = HF_MESSAGE_PREPARE,
            .prepare = {ballot->number, node->view->epoch, ballot->excluded,
                        ballot->dead, (uint8_t)ballot->fork}};
    }
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        if ((asked & hf_member_set_of(i)) != 0) {
            hf_node_send_member(node, i, &message);
        }
    }
}

static void ballot_commit(struct hf_node *node)
{
    node->ballot.active = false;
    struct hf_message message = {.type = HF_MESSAGE_VIEW,
                                 .view = node->proposal};
    for (size_t i = 0; i < node->peer_count; i++) {
        struct hf_peer *peer = &node->peers[i];
        if (peer->member != HF_MEMBER_NONE ||
            hf_view_find(node->proposal, peer->info.id,
                         peer->info.incarnation) != HF_MEMBER_NONE) {
            hf_node_send(node, peer, &message);
            peer->view_sent_at = node->now;
        }
    }
    hf_node_view_heard(node, node->proposal); /* It may be without us. */
}

/* Whether one of our @voters has a vote in @view. */
static bool has_voter_of(const struct hf_node *node, const struct hf_view *view,
                         hf_member_set voters)
{
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_peer_info *info = &node->view->members[i];
        uint8_t member = hf_view_find(view, info->id, info->incarnation);
        if ((voters & hf_member_set_of(i)) != 0 && member != HF_MEMBER_NONE &&
            (view->absent & hf_member_set_of(member)) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether what the voters have accepted may be decided. Not when that is what
 * we chose ourselves in an earlier ballot, and no later one took it up: only we
 * could have decided it, and gave that ballot up; and when we chose, the voters
 * had accepted nothing that binds, so nothing before it is decided either. By
 * now it may count on somebody who died since. */
static bool is_binding(const struct hf_node *node, hf_epoch accepted)
{
    bool own = accepted == node->chosen_ballot ||
               (node->chosen_ballot != 0 && HF_MUTATED(ANY_CHOICE_IS_FREE));
    return accepted != 0 && (!own || HF_MUTATED(OWN_CHOICE_BINDS)) &&
           !HF_MUTATED(ACCEPTED_FORGOTTEN);
}

/* What was accepted before may be what others decided. A fork begins there:
 * whoever is in that view and went no further is only behind it. But not where
 * that leaves out all of us: nobody would be in such a fork. */
static void ballot_propose(struct hf_node *node, bool follows)
{
    struct hf_ballot *ballot = &node->ballot;
    hf_epoch forked = node->view->epoch;
    hf_epoch base = node->view->base;
    if (is_binding(node, ballot->accepted_ballot) &&
        (follows || has_voter_of(node, node->best, ballot->voters))) {
        *node->proposal = *node->best;
        forked = ballot->accepted_ballot;
        base = node->best->base;
    } else {
        hf_proposal_make(node, ballot->voters, node->proposal);
        node->chosen_ballot = follows ? ballot->number : node->chosen_ballot;
    }
    node->proposal->epoch = ballot->number;
    if (!follows) {
        hf_lineage_fork(node->proposal, hf_rng_next(&node->rng) | 1, forked,
                        base);
    }
}

/* Of what is accepted only that counts which goes on with our lineage: a fork
 * that came to nothing is no decision of it, and must not hide one. */
static bool is_decision(const struct hf_node *node, const struct hf_view *view)
{
    return hf_lineage_of(view) == hf_lineage_of(node->view);
}

static void note_accepted(struct hf_node *node, hf_epoch ballot,
                          const struct hf_view *view)
{
    if (is_decision(node, view)) {
        node->accepted_ballot = ballot;
        node->accepted_after = node->view->base;
        *node->accepted = *view;
        if (!HF_MUTATED(VOTE_FORGOTTEN)) {
            hf_visits_vote(&node->visits, node->view);
        }
    }
}

hf_epoch hf_node_accepted_after(const struct hf_node *node,
                                const struct hf_view *view)
{
    bool same = node->accepted_after == view->base &&
                hf_lineage_of(node->accepted) == hf_lineage_of(view);
    return same && !HF_MUTATED(ACCEPTED_LEFT_BEHIND) ? node->accepted_ballot
                                                     : 0;
}

/* It is decided, so nobody has to be asked: whoever follows may be under either
 * epoch, and the later one brings them together. */
void hf_node_renumber_view(struct hf_node *node)
{
    *node->proposal = *node->view;
    node->proposal->epoch = ballot_above(node);
    hf_node_install(node, node->proposal);
}

void hf_node_grant_no_more(struct hf_node *node)
{
    hf_epoch above = ((node->highest_ballot >> 32) + 1) << 32;
    if (above > node->promised) {
        node->promised = above;
        node->promised_at = node->now;
        node->promised_without = 0;
    }
    hf_node_lease_changed(node);
}

static void ballot_choose(struct hf_node *node)
{
    struct hf_ballot *ballot = &node->ballot;
    if ((ballot->voters & node->dead) != 0 && !HF_MUTATED(COUNTS_ON_THE_DEAD)) {
        ballot->active = false; /* It counts on them, and they cannot accept. */
        return;
    }
    bool safe = hf_view_is_safe(hf_view_voters(node->view), ballot->fresh,
                                ballot->voters) ||
                HF_MUTATED(ANY_SET_DECIDES);
    if (!safe &&
        !hf_node_may_fork(node, ballot->fork, ballot->fresh, ballot->voters)) {
        ballot->active = false;
        return;
    }
    if (!leases_of_dead_are_over(node, ballot->excluded, ballot->fresh,
                                 ballot->voters)) {
        ballot->active = false;
        return;
    }
    bool given_up = ballot->fork == HF_FORK_TAKEOVER &&
                    (node->view->absent != 0 || node->view_awaited > 0);
    if (safe && !given_up) {
        ballot->fork = HF_FORK_NO;
    }
    ballot_propose(node, ballot->fork == HF_FORK_NO);
    note_accepted(node, ballot->number, node->proposal);
    ballot->accepting = true;
    if (!HF_MUTATED(BALLOT_IN_A_HURRY)) {
        ballot->started_at = node->now; /* Either half may take a lease. */
    }
    ballot->answered = hf_member_set_of(node->self);
    ballot_send(node);
    if (ballot->answered == ballot->voters) {
        ballot_commit(node);
    }
}

/* Who has kept aside what the dead had says so before it promises: the view
 * that comes of it would begin that empty. */
static void claim_inheritance(struct hf_node *node)
{
    if (node->merge_deferred > 0 && !HF_MUTATED(HEIR_UNTOLD)) {
        hf_node_nominate(node);
    }
}

static void promise_self(struct hf_node *node)
{
    struct hf_ballot *ballot = &node->ballot;
    node->promised = ballot->number;
    node->promised_at = node->now;
    node->promised_without = ballot->excluded;
    hf_node_lease_changed(node);
    ballot->fresh = hf_node_voteless(node);
    ballot->answered = hf_member_set_of(node->self);
    if (node->accepted_ballot != 0) {
        ballot->accepted_ballot = node->accepted_ballot;
        *node->best = *node->accepted;
    }
}

static void ballot_start(struct hf_node *node, hf_member_set excluded,
                         enum hf_fork fork)
{
    struct hf_ballot *ballot = &node->ballot;
    *ballot = (struct hf_ballot){
        .active = true,
        .number = ballot_above(node),
        .fork = fork,
        .excluded = excluded,
        .dead = node->dead,
        .voters = hf_view_voters(node->view) & ~excluded,
        .started_at = node->now,
    };
    saw_ballot(node, ballot->number);
    claim_inheritance(node);
    promise_self(node);
    ballot_send(node);
    if (ballot->answered == ballot->voters) {
        ballot_choose(node);
    }
}

/* Whether the rest may decide: by the deaths we saw ourselves, or, when that
 * lasts, by what others may have seen. Alone there are none, and every ballot
 * would be in vain: nobody hears its number, so what others propose to us when
 * they are back is less than what we promised to ourselves. */
static bool may_decide(const struct hf_node *node, hf_member_set rest)
{
    hf_member_set all = hf_view_voters(node->view);
    hf_member_set voteless = hf_node_voteless(node);
    if (hf_view_is_safe(all, voteless, rest) || HF_MUTATED(ANY_SET_DECIDES)) {
        return true;
    }
    bool alone = rest == hf_member_set_of(node->self);
    return node->now - node->need_since > HF_LEASE_MS &&
           (!alone || HF_MUTATED(BALLOTS_IN_VAIN)) &&
           hf_view_is_safe(all, node->dead | voteless, rest);
}

hf_member_set hf_node_ungranted(const struct hf_node *node)
{
    hf_member_set suspects = hf_node_suspects(node);
    hf_member_set live = hf_view_voters(node->view) & ~suspects;
    bool goes_on =
        hf_node_fork_due(node, live) != HF_FORK_NO || may_decide(node, live);
    return goes_on ? suspects : suspects & ~hf_node_only_late(node);
}

static bool change_is_needed(struct hf_node *node, hf_member_set suspects,
                             bool *urgent)
{
    bool stuck = node->promised > node->view->epoch && !node->ballot.active &&
                 node->now - node->promised_at > HF_STUCK_MS;
    bool died = (hf_proposal_gone(node) & node->view->absent) != 0;
    *urgent = suspects != 0 || stuck || died || hf_node_takeover_due(node) ||
              hf_proposal_ends_await(node);
    if (*urgent || hf_proposal_joins(node) || hf_proposal_leaves(node) ||
        hf_proposal_slow(node) || hf_node_merge_wants_view(node)) {
        return true;
    }
    hf_time age = node->now - node->installed_at;
    return age >= HF_MOVE_GATHER_MS && hf_proposal_moves(node) &&
           (age >= HF_MOVE_WAIT_MS || !hf_proposal_fills(node));
}

/* Members that the proposer cannot go on with get no grants for a while, even
 * though we hear them, so that the guard can run out. */
static void withhold(struct hf_node *node, hf_member_set members)
{
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        struct hf_peer *peer = node->members[i].peer;
        if ((members & hf_member_set_of(i)) != 0 && peer != NULL) {
            peer->withheld_until =
                node->now + (HF_MUTATED(NOT_WITHHELD) ? 0 : HF_WITHHOLD_MS);
        }
    }
}

/* Deaths that another member certified are dead for us as well; whether
 * freshly, our own lease decides. */
static void believe_deaths(struct hf_node *node, hf_member_set dead)
{
    dead &= hf_view_all(node->view) & ~hf_member_set_of(node->self);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        hf_member_set bit = hf_member_set_of(i);
        if ((dead & ~node->dead & bit) == 0) {
            continue;
        }
        node->dead |= bit;
        node->members[i].died_at = node->now;
        if ((hf_node_is_bound(node, i) || HF_MUTATED(STALE_CERTIFICATE)) &&
            !HF_MUTATED(NO_CERTIFICATE)) {
            node->fresh |= bit;
        }
    }
    hf_node_lease_changed(node);
}

void hf_node_consider_change(struct hf_node *node)
{
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    bool urgent = false;
    hf_member_set suspects = hf_node_suspects(node);
    if (HF_MUTATED(SILENCE_IS_DEATH)) {
        believe_deaths(node, suspects);
    }
    hf_member_set live = hf_view_voters(node->view) & ~suspects;
    hf_node_watch_safety(node, live);
    if (!change_is_needed(node, suspects, &urgent)) {
        node->need_since = 0;
        return;
    }
    if (node->need_since == 0) {
        node->need_since = node->now;
    }
    if (node->ballot.active && (suspects & ~node->ballot.excluded) == 0) {
        return;
    }
    if (hf_node_awaits_view(node, suspects)) {
        node->need_since = node->now;
        return;
    }
    hf_member_set before_us = hf_member_set_of(node->self) - 1;
    if ((hf_node_disputed(node, suspects) & before_us) != 0) {
        return; /* Only we are cut off from them: it is we who will go. */
    }
    hf_member_set lower = live & before_us;
    hf_time wait = (hf_time)hf_member_set_count(lower) * HF_TAKEOVER_STEP_MS;
    if (!urgent) {
        wait += HF_JOIN_GATHER_MS;
    }
    /* Who promised to somebody else lets that one finish, unless it leaves
     * out too few: or two proposers go on outbidding each other. */
    bool promised = node->promised > node->view->epoch &&
                    !node->ballot.active &&
                    (suspects & ~node->promised_without) == 0;
    enum hf_fork fork = hf_node_fork_due(node, live);
    /* An order does not wait for those who keep trying what is not safe. */
    promised = promised && fork != HF_FORK_TAKEOVER;
    if ((promised && node->now - node->promised_at < HF_STUCK_MS + wait) ||
        node->now - node->need_since < wait ||
        (fork == HF_FORK_NO && !may_decide(node, live)) ||
        !guard_is_over(node, suspects) ||
        !leases_of_dead_are_over(node, suspects, node->dead, live)) {
        return;
    }
    ballot_start(node, suspects, fork);
}

static bool has_copies(const struct hf_node *node, const struct hf_view *view)
{
    uint8_t self =
        hf_view_find(view, node->config.self.id, node->config.self.incarnation);
    for (uint16_t p = 0; self != HF_MEMBER_NONE && p < HF_PARTITION_COUNT;
         p++) {
        if ((hf_view_copies(view, p) & hf_member_set_of(self)) != 0) {
            return true;
        }
    }
    return false;
}

/* A member that joined just before all others died: their deaths are not
 * fresh, so it may not decide, and it has nothing to decide about. Not so when
 * they may have decided that it has: an operator can still order it to. */
static bool is_left_with_nothing(const struct hf_node *node)
{
    hf_member_set self = hf_member_set_of(node->self);
    return (hf_view_all(node->view) & ~node->dead) == self &&
           !hf_view_is_safe(hf_view_voters(node->view), node->fresh, self) &&
           node->now - node->installed_at >= HF_GUARD_MS &&
           !has_copies(node, node->view) &&
           (node->accepted_ballot == 0 || !has_copies(node, node->accepted) ||
            HF_MUTATED(ACCEPTED_IS_NOTHING));
}

/* Who is back since may go on with us, and others, who heard it all the time,
 * do not promise before it can hold no lease. */
static bool leaves_out_too_many(const struct hf_node *node)
{
    const struct hf_ballot *ballot = &node->ballot;
    return !ballot->accepting && !HF_MUTATED(BACK_IN_VAIN) &&
           (ballot->excluded & ~hf_node_suspects(node)) != 0;
}

void hf_node_agreement_tick(struct hf_node *node)
{
    struct hf_ballot *ballot = &node->ballot;
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    if (ballot->active &&
        (node->now - ballot->started_at > HF_BALLOT_GIVE_UP_MS ||
         leaves_out_too_many(node))) {
        ballot->active = false;
    }
    if (ballot->active && node->now - ballot->sent_at > HF_BALLOT_RETRY_MS) {
        ballot_send(node);
    }
    if (is_left_with_nothing(node)) {
        hf_node_start_over(node);
        return;
    }
    hf_node_consider_change(node);
}

/* A ballot for another view than ours: whoever is behind gets the newer one.
 * True when it is for ours. */
static bool is_our_decision(struct hf_node *node, struct hf_peer *from,
                            hf_epoch base)
{
    if (node->state != HF_STATE_ACTIVE || from->member == HF_MEMBER_NONE) {
        return false;
    }
    if (base < node->view->epoch) {
        hf_node_offer_view(node, from);
    }
    return base == node->view->epoch;
}

static void send_promise(struct hf_node *node, struct hf_peer *to)
{
    struct hf_message message = {
        .type = HF_MESSAGE_PROMISE,
        .promise = {.ballot = node->promised,
                    .base = node->view->epoch,
                    .fresh = hf_node_voteless(node),
                    .accepted_ballot = node->accepted_ballot}};
    if (node->accepted_ballot != 0) {
        message.promise.accepted = node->accepted;
    }
    hf_node_send(node, to, &message);
}

/* A side of a cut forks only as one: nobody in it hears the other. */
static bool agrees_to_fork(const struct hf_node *node,
                           const struct hf_prepare *prepare)
{
    return (prepare->excluded & ~hf_node_suspects_itself(node)) == 0 &&
           (prepare->fork == HF_FORK_TAKEOVER ||
            node->view->policy != HF_POLICY_MAJORITY);
}

void hf_node_prepared(struct hf_node *node, struct hf_peer *from,
                      const struct hf_prepare *prepare)
{
    saw_ballot(node, prepare->ballot);
    if (!is_our_decision(node, from, prepare->base) ||
        (prepare->excluded & hf_member_set_of(node->self)) != 0) {
        return;
    }
    believe_deaths(node, prepare->dead);
    if (prepare->fork != HF_FORK_NO && !agrees_to_fork(node, prepare)) {
        return;
    }
    /* Of two that cannot reach each other the one that ranks lower stays. */
    hf_member_set after = ~(hf_member_set_of(from->member) |
                            (hf_member_set_of(from->member) - 1));
    withhold(node, prepare->excluded & after & ~node->dead);
    if (prepare->ballot >= node->promised &&
        !guard_is_over(node, prepare->excluded)) {
        return; /* The proposer asks again. */
    }
    if (prepare->ballot > node->promised ||
        (prepare->ballot == node->promised && !HF_MUTATED(ASKING_IS_STUCK))) {
        node->ballot.active = false;
        node->promised = prepare->ballot;
        node->promised_at = node->now;
        node->promised_without = prepare->excluded;
        hf_node_lease_changed(node);
    }
    claim_inheritance(node);
    send_promise(node, from); /* Of a higher one, when it is outbid. */
}

/* Whose ballot it is, by what ballot_above() makes of an incarnation. */
static hf_member_set proposer_of(const struct hf_node *node, hf_epoch ballot)
{
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        uint64_t incarnation = node->view->members[i].incarnation;
        if ((ballot & UINT32_MAX) == (incarnation & UINT32_MAX)) {
            return hf_member_set_of(i);
        }
    }
    return 0;
}

/* Somebody has promised more. That may just be ending, so it counts when we ask
 * once more. A proposer that we do not hear may keep whomever we suspect, and
 * not get through to all. From one that we hear, the PREPARE is on its way: two
 * that bid higher as soon as a third one tells them of each other never end. */
static void note_outbid(struct hf_node *node, hf_epoch ballot)
{
    if (node->now - node->ballot.started_at <= HF_BALLOT_RETRY_MS ||
        HF_MUTATED(OUTBID_WAITS)) {
        return;
    }
    node->ballot.active = false;
    node->promised_without = 0;
    hf_member_set suspects = hf_node_suspects(node);
    if ((proposer_of(node, ballot) & ~suspects) != 0 &&
        !HF_MUTATED(OUTBIDS_AT_ONCE)) {
        node->promised = ballot;
        node->promised_at = node->now + HF_LEASE_MS / 2;
        node->promised_without = suspects;
        hf_node_lease_changed(node);
    }
}

void hf_node_promised(struct hf_node *node, struct hf_peer *from,
                      const struct hf_promise *promise)
{
    struct hf_ballot *ballot = &node->ballot;
    saw_ballot(node, promise->ballot);
    if (!is_our_decision(node, from, promise->base) || !ballot->active ||
        (ballot->voters & hf_member_set_of(from->member)) == 0) {
        return;
    }
    if (promise->ballot > ballot->number) {
        note_outbid(node, promise->ballot);
        return;
    }
    if (ballot->accepting || promise->ballot != ballot->number) {
        return;
    }
    ballot->answered |= hf_member_set_of(from->member);
    ballot->fresh |= promise->fresh & hf_view_voters(node->view);
    if (promise->accepted != NULL &&
        promise->accepted_ballot > ballot->accepted_ballot &&
        is_decision(node, promise->accepted)) {
        ballot->accepted_ballot = promise->accepted_ballot;
        *node->best = *promise->accepted;
    }
    if (ballot->answered == ballot->voters) {
        ballot_choose(node);
    }
}

void hf_node_accept_asked(struct hf_node *node, struct hf_peer *from,
                          const struct hf_accept *accept)
{
    saw_ballot(node, accept->ballot);
    if (!is_our_decision(node, from, accept->base) ||
        (accept->ballot < node->promised && !HF_MUTATED(LOWER_BALLOT))) {
        return;
    }
    if (accept->ballot > node->promised) {
        node->ballot.active = false;
    }
    node->promised = accept->ballot;
    node->promised_at = node->now;
    hf_node_lease_changed(node);
    note_accepted(node, accept->ballot, accept->view);
    struct hf_message message = {.type = HF_MESSAGE_ACCEPTED,
                                 .accepted = {accept->ballot, accept->base}};
    hf_node_send(node, from, &message);
}

void hf_node_accepted(struct hf_node *node, struct hf_peer *from,
                      const struct hf_accepted *accepted)
{
    struct hf_ballot *ballot = &node->ballot;
    if (!is_our_decision(node, from, accepted->base) || !ballot->active ||
        !ballot->accepting || accepted->ballot != ballot->number ||
        (ballot->voters & hf_member_set_of(from->member)) == 0) {
        return;
    }
    ballot->answered |= hf_member_set_of(from->member);
    if (ballot->answered == ballot->voters) {
        ballot_commit(node);
    }
}

static bool is_nominated(const struct hf_node *node,
                         const struct hf_nomination *nomination)
{
    for (size_t i = 0; i < node->nomination_count; i++) {
        if (node->nominations[i].partition == nomination->partition &&
            node->nominations[i].member == nomination->member) {
            return true;
        }
    }
    return false;
}

void hf_node_nominated(struct hf_node *node, const struct hf_nominate *nominate)
{
    if (node->state != HF_STATE_ACTIVE ||
        nominate->epoch != node->view->epoch) {
        return;
    }
    for (size_t i = 0; i < nominate->count; i++) {
        const struct hf_nomination *nomination = &nominate->nominations[i];
        if (node->nomination_count < HF_NOMINATIONS_MAX &&
            nomination->member < node->view->member_count &&
            !is_nominated(node, nomination)) {
            node->nominations[node->nomination_count++] = *nomination;
        }
    }
}
