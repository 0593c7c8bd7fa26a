/* proposal.c - What the next view should be. No side effects.
 *
 * Members: those of the old view that take part, then whoever asks to join.
 * Copies of a partition, in this order of rules:
 *   1. those that took part stay; nominated learners are added
 *   2. the primary stays if it took part, else its heir is promoted
 *   3. once all wanted owners have copies, the wanted one becomes primary
 *   4. else, or after that, copies that nobody wants are dropped, but never
 *      the primary, and never below the wanted number
 *   5. members that the primary says are slow are dropped, and no nominees;
 *      where others, more than about anybody else, say it of the primary, it
 *      is the primary who is dropped; some full copy always stays
 *   6. where nobody who has a copy takes part, those that may come back stay
 *      in the view as absent and keep the partition; if all of them are gone
 *      it is lost, and starts empty
 * A view either changes the primary of a partition or drops copies of it: the
 * new primary may need what an old copy has (install.c, "pulling"). */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"

#define JOIN_HEARD_MS 500
#define REFUSAL_HOLDS_MS 1000

/* Whether it asks to be taken in and we, for our part, could. */
static bool is_guest(const struct hf_node *node, const struct hf_peer *peer)
{
    bool linked =
        peer->out_up[0] && peer->in_up[0] && peer->out_up[1] && peer->in_up[1];
    bool inside = peer->member != HF_MEMBER_NONE &&
                  (node->view->absent & hf_member_set_of(peer->member)) == 0;
    bool leaving =
        peer->member == HF_MEMBER_NONE && peer->beat.leaving != HF_LEAVING_NO;
    if (!linked || !peer->has_beat || inside || leaving ||
        (peer->beat.state != HF_STATE_STARTING &&
         peer->beat.state != HF_STATE_OUT) ||
        node->now - peer->heard > JOIN_HEARD_MS ||
        node->now - peer->bound > HF_LEASE_MS) {
        return false;
    }
    bool ahead = peer->beat.cluster == node->view->cluster &&
                 peer->beat.epoch > node->view->epoch;
    uint8_t old = hf_view_find_id(node->view, peer->info.id);
    bool replaced = old == HF_MEMBER_NONE || old == peer->member ||
                    (node->dead & hf_member_set_of(old)) != 0;
    /* Whoever was left out must reach everybody before it comes back, or it
     * would be left out again. One that is new has no view to tell by. */
    bool reaches =
        peer->beat.state == HF_STATE_STARTING ||
        (peer->beat.epoch == node->view->epoch &&
         (hf_view_voters(node->view) & ~node->dead & ~peer->beat.reach) == 0);
    return !ahead && replaced && reaches;
}

static bool lists_guest(const struct hf_heartbeat *beat,
                        hf_incarnation incarnation)
{
    for (uint8_t i = 0; i < beat->guest_count; i++) {
        if (beat->guests[i] == incarnation) {
            return true;
        }
    }
    return false;
}

/* A guest that every member says it reaches. */
static bool is_joiner(const struct hf_node *node, const struct hf_peer *peer)
{
    if (!is_guest(node, peer)) {
        return false;
    }
    hf_member_set voters = hf_view_voters(node->view) & ~hf_node_suspects(node);
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *other = &node->peers[i];
        if (other->member != HF_MEMBER_NONE && other->has_beat &&
            (voters & hf_member_set_of(other->member)) != 0 &&
            !lists_guest(&other->beat, peer->info.incarnation)) {
            return false;
        }
    }
    return true;
}

void hf_proposal_guests(const struct hf_node *node, struct hf_heartbeat *beat)
{
    beat->guest_count = 0;
    hf_node_id above = 0;
    while (beat->guest_count < HF_GUESTS_MAX) {
        const struct hf_peer *lowest = NULL;
        for (size_t i = 0; i < node->peer_count; i++) {
            const struct hf_peer *peer = &node->peers[i];
            if (peer->info.id > above && is_guest(node, peer) &&
                (lowest == NULL || peer->info.id < lowest->info.id)) {
                lowest = peer;
            }
        }
        if (lowest == NULL) {
            return;
        }
        above = lowest->info.id;
        beat->guests[beat->guest_count++] = lowest->info.incarnation;
    }
}

bool hf_proposal_joins(const struct hf_node *node)
{
    bool full = node->view->member_count == HF_MEMBERS_MAX;
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        bool has_place = peer->member != HF_MEMBER_NONE || !full;
        if (has_place && is_joiner(node, peer)) {
            return true;
        }
    }
    return false;
}

/* Members that want to leave, as far as we heard. */
static hf_member_set leavers(const struct hf_node *node)
{
    hf_member_set set = node->view->leaving;
    if (node->leaving != HF_LEAVING_NO) {
        set |= hf_member_set_of(node->self);
    }
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->member != HF_MEMBER_NONE && peer->has_beat &&
            peer->beat.leaving != HF_LEAVING_NO) {
            set |= hf_member_set_of(peer->member);
        }
    }
    return set;
}

/* Whether somebody whom we know may live, and take over. Who starts is in no
 * view, and waits for us. */
static bool somebody_may_live(const struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        bool of_use =
            !peer->has_beat || (peer->beat.state != HF_STATE_STARTING &&
                                peer->beat.leaving == HF_LEAVING_NO);
        if (!peer->refused && of_use) {
            return true;
        }
    }
    return false;
}

bool hf_proposal_nobody_stays(const struct hf_node *node)
{
    hf_member_set stay = hf_view_voters(node->view) & ~leavers(node);
    if (stay == 0) {
        return true;
    }
    hf_member_set live = hf_view_voters(node->view) & ~hf_node_suspects(node);
    return (stay & ~node->dead) == 0 && hf_node_is_cut_off(node) &&
           !hf_node_may_fork(node, HF_FORK_POLICY, hf_node_voteless(node),
                             live) &&
           !somebody_may_live(node);
}

static bool is_ready_to_go(const struct hf_node *node, uint8_t member)
{
    if (member == node->self) {
        return hf_node_told_leaving(node) == HF_LEAVING_READY;
    }
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->member == member) {
            return peer->has_beat && peer->beat.leaving == HF_LEAVING_READY;
        }
    }
    return false;
}

/* Those of the leaving that hold nothing any more and may go. */
static hf_member_set leavers_done(const struct hf_node *node)
{
    const struct hf_view *view = node->view;
    hf_member_set set = view->leaving;
    for (uint8_t i = 0; i < view->member_count; i++) {
        if (!is_ready_to_go(node, i)) {
            set &= ~hf_member_set_of(i);
        }
    }
    for (uint16_t p = 0;
         set != 0 && p < HF_PARTITION_COUNT && !HF_MUTATED(LEAVES_WITH_COPIES);
         p++) {
        set &= ~hf_view_copies(view, p);
    }
    return set;
}

bool hf_proposal_leaves(const struct hf_node *node)
{
    hf_member_set set = leavers(node);
    bool others = (hf_view_voters(node->view) & ~set) != 0;
    return others && (set != node->view->leaving || leavers_done(node) != 0);
}

/* Who says of whom that it is slow. */
struct slowness {
    hf_member_set by[HF_MEMBERS_MAX];
    uint8_t count[HF_MEMBERS_MAX]; /* How many say it of this one. */
};

/* Whether anybody is. */
static bool slowness_make(const struct hf_node *node, struct slowness *slowness)
{
    hf_member_set voters = hf_view_voters(node->view);
    memset(slowness, 0, sizeof(*slowness));
    slowness->by[node->self] = hf_node_slow_members(node);
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->member != HF_MEMBER_NONE && peer->has_beat &&
            peer->beat.epoch == node->view->epoch &&
            peer->beat.state == HF_STATE_ACTIVE) {
            slowness->by[peer->member] = peer->beat.slow;
        }
    }
    hf_member_set slow = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        hf_member_set bit = hf_member_set_of(i);
        slowness->by[i] &= (voters & bit) != 0 ? voters & ~bit : 0;
        slow |= slowness->by[i];
        for (hf_member_set rest = slowness->by[i]; rest != 0;
             rest &= rest - 1) {
            slowness->count[hf_member_set_first(rest)]++;
        }
    }
    return slow != 0;
}

/* Of the copies of a partition, in @live, those to go on without. */
static hf_member_set slow_copies(const struct slowness *slowness,
                                 const struct hf_acting *acting,
                                 hf_member_set live)
{
    uint8_t primary = acting->members[0];
    hf_member_set self = hf_member_set_of(primary);
    hf_member_set slow = 0;
    if ((live & self) == 0) {
        return 0;
    }
    for (uint8_t i = 1; i < acting->count; i++) {
        uint8_t member = acting->members[i];
        hf_member_set bit = hf_member_set_of(member) & live;
        if (bit != 0 && slowness->count[primary] > 1 &&
            slowness->count[member] < slowness->count[primary]) {
            return self; /* It is the primary who does not get through. */
        }
        slow |= slowness->by[primary] & bit;
    }
    return slow;
}

bool hf_proposal_slow(const struct hf_node *node)
{
    struct slowness slowness;
    if (!slowness_make(node, &slowness)) {
        return false;
    }
    const struct hf_view *view = node->view;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (slow_copies(&slowness, &view->acting[p], hf_view_voters(view))) {
            return true;
        }
    }
    for (size_t i = 0; i < node->nomination_count; i++) {
        const struct hf_nomination *nomination = &node->nominations[i];
        uint8_t primary = view->acting[nomination->partition].members[0];
        if ((slowness.by[primary] & hf_member_set_of(nomination->member))) {
            return true;
        }
    }
    return false;
}

/* Whether it runs anew, and asks to be taken in. */
static bool is_back_anew(const struct hf_node *node,
                         const struct hf_peer_info *info)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->info.id == info->id &&
            peer->info.incarnation != info->incarnation &&
            is_joiner(node, peer)) {
            return true;
        }
    }
    return false;
}

bool hf_proposal_knows_others(const struct hf_node *node)
{
    hf_member_set with_us =
        hf_view_voters(node->view) & ~hf_node_suspects(node);
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        bool inside = peer->member != HF_MEMBER_NONE &&
                      (with_us & hf_member_set_of(peer->member)) != 0;
        bool starts = peer->has_beat && peer->beat.state == HF_STATE_STARTING &&
                      node->now - peer->beaten <= HF_SUSPECT_MS;
        bool refuses = node->now - peer->refused_at <= REFUSAL_HOLDS_MS;
        if (!inside && !starts && !refuses) {
            return true;
        }
    }
    return false;
}

bool hf_proposal_others_live(const struct hf_node *node)
{
    if (HF_MUTATED(AWAITED_IS_SERVED)) {
        return false;
    }
    hf_member_set with_us =
        hf_view_voters(node->view) & ~hf_node_suspects(node);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_peer *peer = node->members[i].peer;
        if ((with_us & hf_member_set_of(i)) != 0 && peer != NULL &&
            (peer->beat.epoch != node->view->epoch || peer->beat.others ||
             peer->beat.state != HF_STATE_ACTIVE) &&
            !HF_MUTATED(OTHERS_UNTOLD)) {
            return true; /* It told us, or has yet to say. */
        }
    }
    return hf_proposal_knows_others(node);
}

/* Whether somebody who lives is not in our view, or only just: the dead may
 * have passed on what they had to him. */
static bool others_may_have_it(const struct hf_node *node)
{
    /* Or has yet to say so, by a nomination. */
    return node->now - node->installed_at < HF_MOVE_GATHER_MS ||
           hf_proposal_others_live(node);
}

bool hf_proposal_ends_await(const struct hf_node *node)
{
    return node->view_awaited > 0 &&
           node->now - node->installed_at >= HF_MERGE_LOST_MS &&
           !hf_proposal_others_live(node);
}

/* Whether what starts empty, or with an older copy, because all are dead who
 * had it is to wait for somebody to whom they may have passed it on: also in a
 * lineage that never forked, for they may have been in a fork of it. Who joins
 * with this view may know somebody, and says so when it is in. */
static bool is_awaited(const struct hf_node *node)
{
    bool may_live =
        hf_proposal_others_live(node) ||
        (hf_proposal_joins(node) && !HF_MUTATED(JOINERS_KNOW_NOBODY));
    return node->view->policy != HF_POLICY_MAJORITY &&
           node->ballot.fork != HF_FORK_TAKEOVER && may_live &&
           !HF_MUTATED(STALE_IS_LOST);
}

/* Whether what is awaited still is. */
static bool stays_awaited(const struct hf_node *node)
{
    return node->ballot.fork != HF_FORK_TAKEOVER &&
           !hf_proposal_ends_await(node);
}

hf_member_set hf_proposal_gone(const struct hf_node *node)
{
    const struct hf_view *view = node->view;
    /* Of others a voter may be the heir, and have yet to say so. */
    hf_member_set dead = node->dead;
    if (node->ballot.active && !HF_MUTATED(HEIR_UNTOLD)) {
        dead &= node->ballot.dead;
    }
    bool fork = view->lineage_count > 1 ||
                (node->ballot.active && node->ballot.fork == HF_FORK_POLICY);
    if (view->policy == HF_POLICY_MAJORITY || HF_MUTATED(STALE_IS_LOST) ||
        (!fork && !others_may_have_it(node))) {
        return dead;
    }
    hf_member_set set = dead & node->fresh;
    for (uint8_t i = 0; i < view->member_count; i++) {
        hf_member_set bit = hf_member_set_of(i);
        if ((dead & bit) != 0 && is_back_anew(node, &view->members[i])) {
            set |= bit;
        }
    }
    return set;
}

static uint8_t nominees_of(const struct hf_node *node, uint16_t partition,
                           uint8_t nominees[HF_COPIES_MAX])
{
    uint8_t count = 0;
    for (size_t i = 0; i < node->nomination_count; i++) {
        if (node->nominations[i].partition == partition &&
            count < HF_COPIES_MAX) {
            nominees[count++] = node->nominations[i].member;
        }
    }
    return count;
}

/* Those of a partition that may come back, where nobody else has it. */
static hf_member_set absent_of(const struct hf_node *node, uint16_t p,
                               hf_member_set live, hf_member_set gone)
{
    uint8_t nominees[HF_COPIES_MAX];
    hf_member_set copies = hf_view_copies(node->view, p);
    if ((copies & live) != 0 || HF_MUTATED(ABSENT_IS_EMPTY)) {
        return 0;
    }
    uint8_t count = nominees_of(node, p, nominees);
    for (uint8_t i = 0; i < count; i++) {
        if ((live & hf_member_set_of(nominees[i])) != 0) {
            return 0;
        }
    }
    return copies & ~gone;
}

/* Who of the old view goes on, and how. */
struct passage {
    struct slowness slowness;
    hf_member_set live;          /* As members with a vote. */
    hf_member_set absent;        /* As absent ones. */
    hf_member_set away;          /* Were absent before. */
    hf_member_set fresh;         /* Died, and passed on nothing we miss. */
    bool awaited;                /* What the other dead had, */
    bool stays_awaited;          /* or had before. */
    uint8_t map[HF_MEMBERS_MAX]; /* Old index to new one. */
};

/* Whether a view of the ballot under way is not too low for it. */
static bool may_enter(const struct hf_node *node, const struct hf_peer *peer)
{
    bool waits = peer->beat.state == HF_STATE_OUT ||
                 peer->beat.state == HF_STATE_STARTING;
    return !waits || peer->beat.follows <= node->ballot.number;
}

static hf_member_set absent_back(const struct hf_node *node)
{
    hf_member_set set = 0;
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->member != HF_MEMBER_NONE && is_joiner(node, peer) &&
            may_enter(node, peer)) {
            set |= hf_member_set_of(peer->member);
        }
    }
    return set;
}

static void passage_make(const struct hf_node *node, hf_member_set voters,
                         struct hf_view *view, struct passage *passage)
{
    const struct hf_view *old = node->view;
    (void)slowness_make(node, &passage->slowness);
    passage->live = (voters & ~leavers_done(node)) | absent_back(node);
    if (passage->live == 0) {
        passage->live = voters; /* All leave: then nobody does. */
    }
    passage->absent = 0;
    passage->away = old->absent;
    passage->fresh = node->dead & node->fresh;
    passage->awaited = is_awaited(node);
    passage->stays_awaited = stays_awaited(node);
    hf_member_set gone = hf_proposal_gone(node);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        passage->absent |= absent_of(node, p, passage->live, gone);
    }
    if (node->ballot.fork == HF_FORK_TAKEOVER) {
        passage->absent = 0; /* The operator says that they are gone. */
    }
    hf_member_set leaving = leavers(node);
    memset(passage->map, HF_MEMBER_NONE, sizeof(passage->map));
    for (uint8_t i = 0; i < old->member_count; i++) {
        hf_member_set bit = hf_member_set_of(i);
        if (((passage->live | passage->absent) & bit) == 0) {
            continue;
        }
        hf_member_set to = hf_member_set_of(view->member_count);
        view->absent |= (passage->absent & bit) != 0 ? to : 0;
        view->leaving |= (leaving & bit) != 0 ? to : 0;
        passage->map[i] = view->member_count;
        view->members[view->member_count++] = old->members[i];
    }
}

static void add_joiners(const struct hf_node *node, struct hf_view *view)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (view->member_count < HF_MEMBERS_MAX && is_joiner(node, peer) &&
            may_enter(node, peer) &&
            hf_view_find_id(view, peer->info.id) == HF_MEMBER_NONE) {
            view->members[view->member_count++] = peer->info;
        }
    }
}

static bool acting_has(const struct hf_acting *acting, uint8_t member)
{
    for (uint8_t i = 0; i < acting->count; i++) {
        if (acting->members[i] == member) {
            return true;
        }
    }
    return false;
}

static bool owners_have(const struct hf_owners *owners, uint8_t member)
{
    for (uint8_t i = 0; i < owners->count; i++) {
        if (owners->members[i] == member) {
            return true;
        }
    }
    return false;
}

static bool acting_has_all(const struct hf_acting *acting,
                           const struct hf_owners *owners)
{
    for (uint8_t i = 0; i < owners->count; i++) {
        if (!acting_has(acting, owners->members[i])) {
            return false;
        }
    }
    return true;
}

static void acting_put_first(struct hf_acting *acting, uint8_t member)
{
    for (uint8_t i = 0; i < acting->count; i++) {
        if (acting->members[i] == member) {
            acting->members[i] = acting->members[0];
            acting->members[0] = member;
            return;
        }
    }
}

static void acting_trim(struct hf_acting *acting,
                        const struct hf_owners *target)
{
    uint8_t kept = 1;
    uint8_t total = acting->count;
    for (uint8_t i = 1; i < acting->count; i++) {
        uint8_t member = acting->members[i];
        if (total > target->count && !owners_have(target, member)) {
            total--;
            continue;
        }
        acting->members[kept++] = member;
    }
    acting->count = kept;
}

/* Rules 3 and 4. */
static void acting_move(struct hf_acting *acting,
                        const struct hf_owners *target)
{
    if (acting_has_all(acting, target) &&
        acting->members[0] != target->members[0]) {
        acting_put_first(acting, target->members[0]);
        return;
    }
    acting_trim(acting, target);
}

/* Those of the old copies that are in @set. */
static void acting_keep(const struct hf_acting *old,
                        const struct passage *passage, hf_member_set set,
                        struct hf_acting *next)
{
    next->count = 0;
    for (uint8_t i = 0; i < old->count; i++) {
        if ((set & hf_member_set_of(old->members[i])) != 0) {
            next->members[next->count++] = passage->map[old->members[i]];
        }
    }
}

static void acting_add(struct hf_acting *next, const struct passage *passage,
                       hf_member_set fit, const uint8_t *nominees,
                       uint8_t nominee_count)
{
    for (uint8_t i = 0; i < nominee_count; i++) {
        uint8_t member = passage->map[nominees[i]];
        if ((fit & hf_member_set_of(nominees[i])) != 0 &&
            member != HF_MEMBER_NONE && !acting_has(next, member) &&
            next->count < HF_COPIES_MAX) {
            next->members[next->count++] = member;
        }
    }
}

/* Those who were away, or who kept something aside, may have gone on apart, and
 * have not the same: they come back one after the other. */
static void acting_keep_one(struct hf_acting *next, bool away)
{
    if (away && next->count > 1) {
        next->count = 1;
    }
}

static hf_member_set acting_set(const struct hf_acting *acting)
{
    hf_member_set set = 0;
    for (uint8_t i = 0; i < acting->count; i++) {
        set |= hf_member_set_of(acting->members[i]);
    }
    return set;
}

static void acting_next(const struct hf_acting *old,
                        const struct passage *passage,
                        const struct hf_owners *target, const uint8_t *nominees,
                        uint8_t nominee_count, struct hf_acting *next)
{
    uint8_t primary = old->members[0];
    hf_member_set live =
        passage->live & ~slow_copies(&passage->slowness, old, passage->live);
    bool away = (passage->away & hf_member_set_of(primary)) != 0;
    acting_keep(old, passage, live, next);
    acting_keep_one(next, away);
    next->empty = false;
    next->awaited = old->awaited && passage->stays_awaited;
    if (next->count == 0) {
        bool doubted =
            passage->awaited && (acting_set(old) & ~passage->fresh) != 0;
        /* A nominated learner has every acknowledged write as well; where all
         * were away it is somebody with an older copy. */
        acting_add(next, passage, passage->live, nominees, nominee_count);
        acting_keep_one(next, away);
        next->awaited |= doubted && away && next->count > 0;
        if (next->count == 0) {
            acting_keep(old, passage, passage->absent, next);
        }
        if (next->count == 0) { /* Nobody left who has it. */
            next->members[next->count++] = target->members[0];
            next->empty = true;
            next->awaited |= doubted;
        }
        return;
    }
    if ((live & hf_member_set_of(primary)) == 0) {
        acting_put_first(next, target->members[0]);
        return;
    }
    acting_add(next, passage, live & ~passage->slowness.by[primary], nominees,
               away ? 0 : nominee_count);
    acting_move(next, target);
}

void hf_proposal_make(const struct hf_node *node, hf_member_set voters,
                      struct hf_view *view)
{
    struct passage passage;
    struct hf_owners targets[HF_PARTITION_COUNT];
    view->base = node->view->epoch;
    view->cluster = node->view->cluster;
    view->founded_ms = node->view->founded_ms;
    view->backups = node->view->backups;
    view->policy = node->view->policy;
    view->lineage_count = node->view->lineage_count;
    memcpy(view->lineages, node->view->lineages, sizeof(view->lineages));
    view->member_count = 0;
    view->absent = 0;
    view->leaving = 0;
    passage_make(node, voters, view, &passage);
    add_joiners(node, view);
    HF_ASSERT(view->member_count > 0);
    hf_view_targets(view, targets);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        uint8_t nominees[HF_COPIES_MAX];
        uint8_t count =
            node->nomination_count == 0 ? 0 : nominees_of(node, p, nominees);
        acting_next(&node->view->acting[p], &passage, &targets[p], nominees,
                    count, &view->acting[p]);
    }
}

/* A view interrupts whatever is half filled, and it starts anew; what is filled
 * already is safe with a nominated learner. */
bool hf_proposal_fills(const struct hf_node *node)
{
    struct hf_heartbeat own = {0};
    hf_node_count_local(node, &own);
    uint64_t left = own.refill_partitions;
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->member != HF_MEMBER_NONE && peer->has_beat &&
            peer->beat.epoch == node->view->epoch) {
            left += peer->beat.refill_partitions;
        }
    }
    return left > 0;
}

bool hf_proposal_moves(const struct hf_node *node)
{
    if (node->settled_map) {
        return false;
    }
    if (node->nomination_count > 0) {
        return true;
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_acting next = node->view->acting[p];
        if ((hf_view_copies(node->view, p) & ~node->view->absent) == 0) {
            continue; /* Waits for its copies to come back. */
        }
        acting_move(&next, &node->targets[p]);
        if (next.count != node->view->acting[p].count ||
            next.members[0] != node->view->acting[p].members[0]) {
            return true;
        }
    }
    return false;
}
