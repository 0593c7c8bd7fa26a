/* merge.c - Handing over what a fork has when it gives way.
 *
 *   ACTIVE --- hears a view of a lineage that goes on instead ---> MERGING
 *   MERGING -- all is handed over ---> OUT, and joins that lineage as if new
 *   MERGING -- nobody of it is heard for long, or others of our own lineage
 *              do not give way to it ---> ACTIVE, as before
 *
 * A MERGING node serves nothing, tells the members of its own lineage of the
 * view that goes on, and waits until those it hears have stopped serving, too.
 * Then it sends, of every partition it had a full copy of, what it has to that
 * partition's primary there, in the order of hashes, one piece at a time:
 *
 *   MERGE from, to, sessions  -->   takes over what is newer (merge_take.c)
 *   <-- MERGED to                   all of it is on every copy
 *
 * First it asks, with an empty piece, how far others got and what is known over
 * there; what both knew when they parted, and is unchanged, is then only
 * listed. Every full copy does that, in case the others die; how far one of
 * them got is remembered over there. A partition that the other lineage keeps
 * for us, because we had the only copies, stays here.
 *
 * It may also keep one for somebody who is away, and who perhaps waits for us
 * to come back with another. So that not everybody waits for everybody, we join
 * without having handed over such a partition, keep what we have of it aside,
 * and hand it over as soon as somebody serves it (`deferred`). */
#include <string.h>

#include "base/assert.h"
#include "core/effects.h"
#include "core/node_state.h"
#include "core/session.h"
#include "holdfast/error.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define PIECE_STEP 16   /* Sessions between two looks at that. */
#define ENTRY_BYTES 32  /* What a listed one counts besides its key. */
#define IN_FLIGHT_MAX 8 /* Pieces on their way to one node. */

static void forget_theirs(struct hf_node *node, struct hf_merge_out *merge)
{
    hf_mem_free(node->mem, merge->theirs, sizeof(*merge->theirs));
    merge->theirs = NULL;
}

/* What was on its way is void, and what was known there may be. */
static void merge_again(struct hf_merge_out *merge)
{
    merge->sent_at = 0;
    merge->asked = false;
}

/* @again: we were handing over already. Then our view may be a later one by
 * now, without us, and who has a copy there may have left it to us, who were to
 * bring ours (is_kept_by_another). So what we had before is handed over, too.
 */
static void reset(struct hf_node *node, bool again)
{
    uint8_t self = hf_view_find(node->view, node->config.self.id,
                                node->config.self.incarnation);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_partition *partition = &node->partitions[p];
        bool full =
            self != HF_MEMBER_NONE && partition->learnt == HF_SESSIONS_END &&
            (hf_view_copies(node->view, p) & hf_member_set_of(self)) != 0;
        /* With nothing in common what we do not have says nothing. */
        bool silent = node->forked == 0 && partition->sessions.count == 0 &&
                      partition->sessions.fences.count == 0;
        struct hf_merge_out *merge = &partition->merge;
        bool left_to_us = again && merge->wanted && !full &&
                          partition->learnt == HF_SESSIONS_END &&
                          !HF_MUTATED(LEFT_TO_NOBODY);
        /* From the time before; parted then, or now. */
        if (merge->deferred || left_to_us) {
            hf_epoch forked =
                merge->forked < node->forked ? merge->forked : node->forked;
            merge_again(merge);
            merge->position = 0;
            merge->forked = forked;
            continue;
        }
        forget_theirs(node, merge);
        *merge = (struct hf_merge_out){.wanted = full && !silent,
                                       .lineage = hf_lineage_of(node->view),
                                       .held = node->view->epoch,
                                       .forked = node->forked};
    }
}

/* Tells those that are in our lineage. The others say themselves what they
 * have not heard, by their heartbeats. */
static void spread(struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        struct hf_peer *peer = &node->peers[i];
        if (hf_view_find(node->view, peer->info.id, peer->info.incarnation) !=
            HF_MEMBER_NONE) {
            peer->view_sent_at = HF_TIME_PAST;
            hf_node_offer_view(node, peer);
        }
    }
}

static void aim_at(struct hf_node *node, const struct hf_view *view,
                   hf_epoch forked)
{
    hf_visits_give_up(&node->visits, view, &node->config.self);
    *node->target = *view;
    node->forked = forked;
    node->merge_heard = node->now;
    node->merge_moved = node->now;
    hf_node_peers_meet(node, view);
    spread(node);
    node->beat_at = node->now; /* Says whom we follow. */
}

void hf_node_merge_begin(struct hf_node *node, const struct hf_view *view,
                         hf_epoch forked)
{
    hf_log(&node->config.log, HF_LOG_WARNING,
           "met view %u of lineage %08x, which goes on instead of ours (%08x): "
           "handing over what was changed here, then joining it",
           (unsigned)(view->epoch >> 32), (unsigned)(hf_lineage_of(view) >> 32),
           (unsigned)(hf_lineage_of(node->view) >> 32));
    node->counters.merges++;
    hf_epoch accepted = node->accepted_ballot;
    hf_node_leave_epoch(node);
    node->accepted_ballot = accepted; /* We may come back to this view. */
    node->merge_out = node->state == HF_STATE_OUT;
    node->state = HF_STATE_MERGING;
    node->self = HF_MEMBER_NONE;
    node->dead = 0;
    node->fresh = 0;
    node->takeover_until = 0;
    hf_node_lease_changed(node);
    hf_node_peers_attach(node);
    aim_at(node, view, forked);
    reset(node, false);
    hf_node_route_held(node);
}

/* A newer view of where we hand over to: what was on its way is void, and
 * what was lost there since is to be handed over again. */
static void aim_again(struct hf_node *node, const struct hf_view *view,
                      hf_epoch forked)
{
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_merge_out *merge = &node->partitions[p].merge;
        merge_again(merge);
        if (view->acting[p].empty) {
            merge->position = 0;
        }
    }
    aim_at(node, view, forked);
}

static bool refuses(const struct hf_heartbeat *beat, const struct hf_view *view)
{
    for (uint8_t i = 0; i < beat->refusal_count; i++) {
        if (beat->refusals[i].lineage == hf_lineage_of(view) &&
            view->base < beat->refusals[i].before) {
            return true;
        }
    }
    return false;
}

/* Whether somebody of our lineage says that it does not give way to @view: it
 * has voted past it (follow.c). As long as it takes part we would wait. */
static bool is_refused(const struct hf_node *node, const struct hf_view *view)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->has_beat && peer->beat.state == HF_STATE_ACTIVE &&
            refuses(&peer->beat, view) &&
            peer->beat.lineage == hf_lineage_of(node->view) &&
            node->now - peer->heard <= HF_SUSPECT_MS) {
            return true;
        }
    }
    return false;
}

static const struct hf_merge_vain *vain_of(const struct hf_node *node,
                                           uint64_t lineage)
{
    for (uint8_t i = 0; i < node->vain_count; i++) {
        if (node->vain[i].lineage == lineage) {
            return &node->vain[i];
        }
    }
    return NULL;
}

/* The last one that was given up is the last in the list. */
static void note_vain(struct hf_node *node, const struct hf_view *view)
{
    uint8_t max = HF_MUTATED(GIVES_UP_ONE_LINEAGE) ? 1 : HF_REFUSALS_MAX;
    const struct hf_merge_vain *known = vain_of(node, hf_lineage_of(view));
    if (known != NULL || node->vain_count == max) {
        size_t place = known != NULL ? (size_t)(known - node->vain) : 0;
        node->vain_count--;
        memmove(node->vain + place, node->vain + place + 1,
                (node->vain_count - place) * sizeof(node->vain[0]));
    }
    node->vain[node->vain_count++] =
        (struct hf_merge_vain){hf_lineage_of(view), view->epoch};
}

bool hf_node_merge_is_vain(const struct hf_node *node,
                           const struct hf_view *view)
{
    const struct hf_merge_vain *vain = vain_of(node, hf_lineage_of(view));
    if (vain == NULL || view->epoch > vain->epoch) {
        return false;
    }
    if (is_refused(node, view)) {
        return true;
    }
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->has_beat && peer->beat.state == HF_STATE_ACTIVE &&
            peer->beat.lineage == vain->lineage &&
            node->now - peer->heard <= HF_SUSPECT_MS) {
            return false;
        }
    }
    return true;
}

/* It goes on instead of our lineage; and instead of our target? */
static void target_heard(struct hf_node *node, const struct hf_view *view,
                         hf_epoch forked)
{
    hf_epoch between;
    if (hf_node_merge_is_vain(node, view)) {
        return;
    }
    switch (hf_lineage_compare(node->target, node->target, view, &between)) {
    case HF_RELATION_BEHIND:
        aim_again(node, view, forked);
        return;
    case HF_RELATION_LOSES:
        aim_at(node, view, forked);
        reset(node, true);
        return;
    default:
        return;
    }
}

/* We take up our own lineage, in a later view: what is changed from now on is
 * newer than what was handed over, of which those who have it remember in which
 * view it was held. So the promise of a later one comes first; entering the old
 * one carries out what waits. Who was out of it stays so, also where the view
 * counts on him, but for one that takes him in. */
static void resume(struct hf_node *node)
{
    uint8_t self = hf_view_find(node->view, node->config.self.id,
                                node->config.self.incarnation);
    bool was_out = node->merge_out && !HF_MUTATED(OUT_COMES_BACK);
    if (self == HF_MEMBER_NONE || was_out ||
        (node->view->absent & hf_member_set_of(self)) != 0) {
        *node->proposal = *node->view;
        hf_node_stay_out(node, node->proposal);
        return;
    }
    *node->proposal = *node->view;
    if (!HF_MUTATED(RESUMES_WHERE_IT_WAS)) {
        hf_node_grant_no_more(node);
    }
    hf_node_install(node, node->proposal);
}

/* Whether @view is in the lineage that we hand over to, or came from it, and
 * not from ours without it. */
static bool is_of_target(const struct hf_node *node, const struct hf_view *view)
{
    uint64_t target = hf_lineage_of(node->target);
    return !hf_lineage_includes(node->view, target, 0) &&
           hf_lineage_includes(view, target, 0);
}

/* Our lineage went on without us: others hold what is newest. If we only
 * followed a fork it is now the fork that gives way. */
static void lineage_went_on(struct hf_node *node, const struct hf_view *view)
{
    *node->view = *view;
    enum hf_relation relation =
        hf_lineage_compare(node->view, view, node->target, &node->forked);
    if (relation != HF_RELATION_LOSES && relation != HF_RELATION_BEHIND) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "view %u goes on instead of lineage %08x after all",
               (unsigned)(view->epoch >> 32),
               (unsigned)(hf_lineage_of(node->target) >> 32));
        resume(node);
        return;
    }
    reset(node, true);
    spread(node);
}

void hf_node_merge_view_heard(struct hf_node *node, const struct hf_view *view)
{
    hf_epoch forked;
    switch (hf_lineage_compare(node->view, node->view, view, &forked)) {
    case HF_RELATION_BEHIND:
        if (is_of_target(node, view)) {
            target_heard(node, view, forked);
        } else {
            lineage_went_on(node, view);
        }
        return;
    case HF_RELATION_LOSES:
        target_heard(node, view, forked);
        return;
    case HF_RELATION_WINS: /* We left a lineage in which nobody is. */
        if (hf_lineage_of(view) == hf_lineage_of(node->target)) {
            target_heard(node, view, forked);
        }
        return;
    default:
        return;
    }
}

/* Whom to hand a partition over to. */

/* The view that names them. */
static const struct hf_view *goal(const struct hf_node *node)
{
    return node->state == HF_STATE_MERGING ? node->target : node->view;
}

static struct hf_peer *target_peer(const struct hf_node *node, uint8_t member)
{
    const struct hf_peer_info *info = &goal(node)->members[member];
    return hf_node_peer_find(node, info->id, info->incarnation);
}

static bool is_away(const struct hf_node *node, uint8_t member)
{
    return (goal(node)->absent & hf_member_set_of(member)) != 0;
}

/* Whether the other lineage waits for us, among others, to come back with the
 * only copies of the partition that it knows of. */
static bool is_waited_for(const struct hf_node *node, uint16_t p)
{
    uint8_t self = hf_view_find(node->target, node->config.self.id,
                                node->config.self.incarnation);
    return self != HF_MEMBER_NONE &&
           is_away(node, node->target->acting[p].members[0]) &&
           (hf_view_copies(node->target, p) & hf_member_set_of(self)) != 0;
}

/* Whether it is heard, and hands over to our target or waits to be taken in
 * there. Who is out of another lineage may have nothing any more. */
static bool is_coming(const struct hf_node *node, const struct hf_peer *peer)
{
    return peer != NULL && node->now - peer->heard <= HF_SUSPECT_MS &&
           (peer->beat.state != HF_STATE_OUT ||
            peer->beat.lineage == hf_lineage_of(node->target));
}

/* The same, and of those that are coming we are the first: ours is kept. The
 * others wait until we are back, and hand theirs over to us. */
static bool is_kept_for_us(const struct hf_node *node, uint16_t p)
{
    const struct hf_acting *acting = &node->target->acting[p];
    uint8_t self = hf_view_find(node->target, node->config.self.id,
                                node->config.self.incarnation);
    if (!is_waited_for(node, p)) {
        return false;
    }
    for (uint8_t i = 0; i < acting->count; i++) {
        if (acting->members[i] < self &&
            is_coming(node, target_peer(node, acting->members[i]))) {
            return false;
        }
    }
    return true;
}

/* Whether it waits for somebody who was with us until the end, with a copy as
 * good as ours: not if we kept ours aside in an earlier view. */
static bool is_kept_by_another(const struct hf_node *node, uint16_t p)
{
    const struct hf_acting *acting = &node->target->acting[p];
    if (node->partitions[p].merge.deferred) {
        return false;
    }
    for (uint8_t i = 0; i < acting->count; i++) {
        const struct hf_peer *peer = target_peer(node, acting->members[i]);
        if (!is_away(node, acting->members[i]) || peer == NULL ||
            node->now - peer->heard > HF_SUSPECT_MS) {
            continue;
        }
        uint8_t with_us =
            hf_view_find(node->view, peer->info.id, peer->info.incarnation);
        bool until_now = peer->has_beat &&
                         peer->beat.state == HF_STATE_MERGING &&
                         peer->beat.epoch == node->view->epoch;
        if (with_us != HF_MEMBER_NONE && until_now &&
            (hf_view_copies(node->view, p) & hf_member_set_of(with_us)) != 0) {
            return true;
        }
    }
    return false;
}

/* Whether somebody of our lineage that we hear may still serve. */
static bool others_serve(const struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->has_beat && peer->beat.state == HF_STATE_ACTIVE &&
            peer->beat.cluster == node->view->cluster &&
            peer->beat.lineage == hf_lineage_of(node->view) &&
            node->now - peer->heard <= HF_GUARD_MS) {
            return true;
        }
    }
    return false;
}

/* One piece. */

struct piece {
    struct hf_node *node;
    struct hf_merge_entry *entries; /* Effects only by size, at first. */
    size_t count;
    size_t capacity;
    size_t bytes;
    const struct hf_knowledge *theirs; /* NULL: not known. */
    hf_epoch forked;
    bool failed;
};

static struct hf_merge_entry *piece_place(struct piece *piece)
{
    if (piece->count == piece->capacity) {
        size_t capacity = piece->capacity * 2 + 64;
        struct hf_merge_entry *grown = hf_mem_resize(
            piece->node->mem, piece->entries, piece->capacity * sizeof(*grown),
            capacity * sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        piece->entries = grown;
        piece->capacity = capacity;
    }
    return &piece->entries[piece->count++];
}

static void on_session(void *user, const struct hf_session *session)
{
    struct piece *piece = user;
    struct hf_node *node = piece->node;
    if (piece->failed || hf_session_deadline(session) <= node->now) {
        return;
    }
    struct hf_merge_entry *entry = piece_place(piece);
    if (entry == NULL) {
        piece->failed = true;
        return;
    }
    *entry = (struct hf_merge_entry){.key = hf_session_key(session),
                                     .version = hf_session_version(session)};
    size_t before = node->scratch.size;
    if (piece->theirs == NULL ||
        !hf_knowledge_has(piece->theirs, entry->version,
                          hf_session_hash(session), piece->forked)) {
        hf_effects_of_session(&node->scratch, session, node->now);
        piece->failed = node->scratch.failed;
    }
    entry->effects.size = node->scratch.size - before;
    piece->bytes += ENTRY_BYTES + entry->key.size + entry->effects.size;
}

/* Where the effects lie is known once the buffer has stopped to grow. */
static void piece_place_effects(struct piece *piece)
{
    const uint8_t *at = piece->node->scratch.data;
    for (size_t i = 0; i < piece->count; i++) {
        struct hf_slice *effects = &piece->entries[i].effects;
        if (effects->size > 0) { /* Else there may be no buffer at all. */
            effects->data = at;
            at += effects->size;
        }
    }
}

static void send_piece(struct hf_node *node, uint16_t p,
                       const struct hf_peer *peer)
{
    struct hf_partition *partition = &node->partitions[p];
    struct hf_merge_out *out = &partition->merge;
    struct piece piece = {
        .node = node, .theirs = out->theirs, .forked = out->forked};
    uint64_t to = out->position;
    hf_buffer_clear(&node->scratch);
    while (out->asked && to != HF_SESSIONS_END && !piece.failed &&
           piece.bytes < PIECE_BYTES) {
        to = hf_sessions_scan(
            &partition->sessions, to,
            partition->sessions.bytes / PIECE_BYTES > PIECE_STEP ? 1
                                                                 : PIECE_STEP,
            on_session, &piece);
    }
    hf_buffer_clear(&node->tokens);
    hf_knowledge_put(&node->tokens, &partition->knowledge);
    if (!piece.failed && !node->tokens.failed) {
        piece_place_effects(&piece);
        struct hf_message message = {
            .type = HF_MESSAGE_MERGE,
            .merge = {.epoch = goal(node)->epoch,
                      .lineage = out->lineage,
                      .held = out->held,
                      .forked = out->forked,
                      .partition = p,
                      .from = out->position,
                      .to = to,
                      .knowledge = hf_buffer_slice(&node->tokens),
                      .count = piece.count,
                      .entries = piece.entries}};
        hf_node_send(node, peer, &message);
    }
    hf_mem_free(node->mem, piece.entries,
                piece.capacity * sizeof(*piece.entries));
}

/* All of them. */

static bool is_done(const struct hf_node *node, uint16_t p)
{
    const struct hf_merge_out *merge = &node->partitions[p].merge;
    if (node->state != HF_STATE_MERGING) {
        return !merge->deferred;
    }
    if (is_waited_for(node, p)) {
        return is_kept_for_us(node, p);
    }
    return !merge->wanted || merge->position == HF_SESSIONS_END ||
           is_kept_by_another(node, p);
}

uint32_t hf_node_merge_progress(const struct hf_node *node, uint32_t *all)
{
    uint32_t done = 0;
    *all = 0;
    for (uint16_t p = 0;
         node->state == HF_STATE_MERGING && p < HF_PARTITION_COUNT; p++) {
        const struct hf_merge_out *merge = &node->partitions[p].merge;
        *all += merge->wanted ? 1 : 0;
        done += merge->wanted && is_done(node, p) ? 1 : 0;
    }
    return done;
}

/* Whether who is to take it over is away, so that we may join before. */
static bool is_deferrable(const struct hf_node *node, uint16_t p)
{
    return node->now - node->merge_moved > HF_MERGE_DEFER_MS &&
           !is_waited_for(node, p) &&
           is_away(node, goal(node)->acting[p].members[0]);
}

void hf_node_merge_given(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    if (partition->learnt == HF_SESSIONS_END) {
        partition->given = (struct hf_merge_given){
            .lineage = hf_lineage_of(goal(node)), .last = partition->version};
    }
}

void hf_node_merge_drop(struct hf_node *node, uint16_t p)
{
    struct hf_merge_out *merge = &node->partitions[p].merge;
    node->merge_deferred -= merge->deferred ? 1 : 0;
    forget_theirs(node, merge);
    *merge = (struct hf_merge_out){0};
}

void hf_node_merge_adopt(struct hf_node *node, const struct hf_view *view)
{
    hf_epoch forked;
    enum hf_relation relation =
        hf_lineage_compare(node->view, node->view, view, &forked);
    if (node->view->epoch == 0 ||
        (relation != HF_RELATION_WINS && relation != HF_RELATION_LOSES)) {
        return;
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (!hf_knowledge_adopt(&node->partitions[p].knowledge, forked)) {
            node->counters.merges_forgotten++;
        }
    }
}

void hf_node_merge_entered(struct hf_node *node)
{
    for (uint16_t p = 0; node->merge_deferred > 0 && p < HF_PARTITION_COUNT;
         p++) {
        merge_again(&node->partitions[p].merge);
    }
}

static void finish(struct hf_node *node)
{
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_merge_out *merge = &node->partitions[p].merge;
        /* What they keep for us is as it was when they parted from us, or
         * later, whoever has it in our own lineage. Unless somebody else with
         * a copy comes back before us: then ours is handed over. */
        bool kept = node->partitions[p].learnt == HF_SESSIONS_END &&
                    is_kept_for_us(node, p);
        if (!is_done(node, p) || (kept && merge->wanted)) {
            node->merge_deferred += merge->deferred ? 0 : 1;
            merge->deferred = true;
            merge_again(merge);
            continue;
        }
        if (!kept) {
            hf_node_partition_clear(node, p);
        }
        hf_node_merge_drop(node, p);
    }
    hf_log(&node->config.log, HF_LOG_INFO,
           "all is handed over but %u partition%s that nobody serves: joining "
           "lineage %08x",
           (unsigned)node->merge_deferred, HF_PLURAL(node->merge_deferred),
           (unsigned)(hf_lineage_of(node->target) >> 32));
    hf_node_stay_out(node, node->target);
}

/* One look at all partitions: sends what can be sent. True when nothing is
 * left to do. */
static bool hand_over(struct hf_node *node)
{
    uint32_t in_flight[HF_MEMBERS_MAX] = {0};
    bool done = true;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_merge_out *merge = &node->partitions[p].merge;
        if (merge->sent_at != 0 &&
            node->now - merge->sent_at > HF_MERGE_RESEND_MS) {
            merge->sent_at = 0;
        }
        in_flight[merge->target] += merge->sent_at != 0 ? 1 : 0;
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_merge_out *merge = &node->partitions[p].merge;
        uint8_t to = goal(node)->acting[p].members[0];
        if (is_done(node, p)) {
            continue;
        }
        done = done && is_deferrable(node, p);
        const struct hf_peer *peer = target_peer(node, to);
        if (merge->sent_at == 0 && !is_away(node, to) && peer != NULL &&
            in_flight[to] < IN_FLIGHT_MAX) {
            in_flight[to]++;
            merge->sent_at = node->now;
            merge->target = to;
            send_piece(node, p, peer);
        }
    }
    return done;
}

static void go_on(struct hf_node *node)
{
    /* They make a later view than ours, also for one that has nothing. */
    if (!others_serve(node) && hand_over(node) &&
        node->target->epoch > node->view->epoch) {
        finish(node);
    }
}

/* Without memory all is sent. False: malformed. */
static bool note_theirs(struct hf_node *node, struct hf_merge_out *merge,
                        struct hf_slice knowledge)
{
    struct hf_reader reader = hf_reader_of(knowledge);
    struct hf_knowledge theirs;
    if (!hf_knowledge_read(&reader, &theirs)) {
        return false;
    }
    if (merge->theirs == NULL) {
        merge->theirs = hf_mem_alloc(node->mem, sizeof(theirs));
    }
    if (merge->theirs != NULL) {
        *merge->theirs = theirs;
    }
    return true;
}

void hf_node_merged(struct hf_node *node, const struct hf_merged *merged)
{
    struct hf_merge_out *merge = &node->partitions[merged->partition].merge;
    bool expected = node->state == HF_STATE_MERGING || merge->deferred;
    if (!expected || !merge->wanted || merged->epoch != goal(node)->epoch ||
        merged->lineage != merge->lineage || merged->held != merge->held) {
        return;
    }
    if (!note_theirs(node, merge, merged->knowledge)) {
        return; /* Asked again. */
    }
    node->merge_moved = node->now;
    merge->asked = true;
    merge->position = merged->to;
    merge->sent_at = 0;
    if (node->state == HF_STATE_MERGING) {
        go_on(node);
    } else if (merge->position == HF_SESSIONS_END) {
        hf_node_partition_clear(node, merged->partition);
    }
}

static void give_up(struct hf_node *node)
{
    note_vain(node, node->target);
    resume(node);
}

void hf_node_merge_tick(struct hf_node *node)
{
    if (node->state != HF_STATE_MERGING) {
        if (node->merge_deferred > 0 && node->view->epoch > 0) {
            (void)hand_over(node);
        }
        return;
    }
    if (node->now - node->merge_heard > HF_MERGE_LOST_MS) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "nobody of lineage %08x is heard any more, perhaps cut off "
               "again: going on with ours",
               (unsigned)(hf_lineage_of(node->target) >> 32));
        give_up(node);
        return;
    }
    /* Those there had time to make a later view, to which all give way. */
    if (node->now - node->merge_moved > HF_MERGE_ALONE_MS &&
        is_refused(node, node->target)) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "others of our lineage do not give way to lineage %08x: going "
               "on with them",
               (unsigned)(hf_lineage_of(node->target) >> 32));
        give_up(node);
        return;
    }
    go_on(node);
}
