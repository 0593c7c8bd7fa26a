/* status.c - What a node tells of itself: to peers, in its heartbeats, and to
 * people and programs, with what it heard of others. */
#include <string.h>

#include "core/node_state.h"

static void count_to_fill(const struct hf_partition *partition,
                          struct hf_heartbeat *beat)
{
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        if (partition->copies[i].kept_aside) {
            continue;
        }
        switch (partition->copies[i].state) {
        case HF_COPY_WANTED:
        case HF_COPY_LEARNING:
        case HF_COPY_STREAMED:
        case HF_COPY_LEARNT:
            beat->refill_partitions++;
            beat->refill_sessions += partition->sessions.count;
            beat->refill_bytes += partition->sessions.bytes;
            break;
        default:
            break;
        }
    }
}

/* Copies of a partition that there could be, its primary included. */
static unsigned copies_wanted(const struct hf_view *view)
{
    unsigned wanted = 1u + view->backups;
    return wanted < view->member_count ? wanted : view->member_count;
}

void hf_node_count_share(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    enum hf_share share = HF_SHARE_OTHER;
    if (partition->primary) {
        bool safe = partition->synced &&
                    node->view->acting[p].count >= copies_wanted(node->view);
        share = safe ? HF_SHARE_SAFE : HF_SHARE_ALONE;
    }
    hf_sessions_count_in(&partition->sessions, &node->shares[share]);
}

/* Heartbeats are many, and 1,024 partitions are in no cache: only while some
 * are being filled each is looked at. */
void hf_node_count_local(const struct hf_node *node, struct hf_heartbeat *beat)
{
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    beat->fences_lifted = node->counters.fences_lifted_early;
    beat->writes_degraded = node->counters.writes_degraded;
    beat->partitions_lost = node->counters.partitions_lost;
    beat->sessions_lost = node->counters.sessions_lost;
    beat->slow = hf_node_slow_members(node);
    beat->put_off = hf_node_put_off_members(node);
    const struct hf_sessions_totals *alone = &node->shares[HF_SHARE_ALONE];
    const struct hf_sessions_totals *safe = &node->shares[HF_SHARE_SAFE];
    beat->bytes +=
        node->shares[HF_SHARE_OTHER].bytes + alone->bytes + safe->bytes;
    beat->fences += alone->fences + safe->fences;
    uint64_t sessions_alone = 0;
    uint64_t sessions_safe = 0;
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        beat->databases[i] += alone->counts[i] + safe->counts[i];
        sessions_alone += alone->counts[i];
        sessions_safe += safe->counts[i];
    }
    beat->under_replicated += sessions_alone;
    beat->sessions += sessions_alone + sessions_safe;
    bool filling = node->unsynced > 0 || node->taught > 0;
    for (uint16_t p = 0; filling && p < HF_PARTITION_COUNT; p++) {
        if (node->partitions[p].primary) {
            count_to_fill(&node->partitions[p], beat);
        }
    }
}

static void count_partitions(const struct hf_node *node,
                             struct hf_node_status *status)
{
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_acting *acting = &node->view->acting[p];
        for (uint8_t i = 0; i < acting->count; i++) {
            struct hf_member_status *member =
                &status->members[acting->members[i]];
            if (i == 0) {
                member->primaries++;
            } else {
                member->backups++;
            }
        }
    }
}

static uint64_t fence_bytes(const struct hf_node *node)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < HF_SHARE_COUNT; i++) {
        bytes += node->shares[i].fence_bytes;
    }
    return bytes;
}

static bool owns(const struct hf_owners *owners, uint8_t member)
{
    for (uint8_t i = 0; i < owners->count; i++) {
        if (owners->members[i] == member) {
            return true;
        }
    }
    return false;
}

static void count_filling(const struct hf_node *node,
                          struct hf_node_status *status)
{
    for (uint16_t p = 0; !node->settled_map && p < HF_PARTITION_COUNT; p++) {
        hf_member_set copies = hf_view_copies(node->view, p);
        for (uint8_t i = 0; i < node->view->member_count; i++) {
            if ((copies & hf_member_set_of(i)) == 0 &&
                owns(&node->targets[p], i)) {
                status->members[i].filling++;
            }
        }
    }
}

static bool is_settled(const struct hf_node *node,
                       const struct hf_node_status *status)
{
    return node->state == HF_STATE_ACTIVE && node->settled_map &&
           node->unsynced == 0 && node->merge_deferred == 0 &&
           node->view_awaited == 0 && node->merge_awaited == 0 &&
           status->serving && hf_node_suspects(node) == 0 &&
           status->under_replicated == 0;
}

/* What one member has, added to what the others have: once it is not heard, its
 * sessions are with others, or with nobody who serves them. */
static void add_live_beat(struct hf_node_status *status,
                          const struct hf_heartbeat *beat)
{
    status->sessions += beat->sessions;
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        status->databases[i] += beat->databases[i];
    }
    status->under_replicated += beat->under_replicated;
    status->fences += beat->fences;
    status->refill_sessions += beat->refill_sessions;
    status->refill_bytes += beat->refill_bytes;
}

/* What one member counted since it started. */
static void add_beat(struct hf_node_status *status,
                     const struct hf_heartbeat *beat)
{
    status->fences_lifted_early += beat->fences_lifted;
    status->writes_degraded += beat->writes_degraded;
    status->partitions_lost += beat->partitions_lost;
    status->sessions_lost += beat->sessions_lost;
}

/* Of the members of our view, ourselves and what the others said last. */
static void tell_members(const struct hf_node *node,
                         const struct hf_heartbeat *own,
                         struct hf_node_status *status)
{
    hf_member_set away = hf_node_suspects(node) | node->view->absent;
    hf_member_set slow = 0;
    for (uint8_t i = 0; i < status->member_count; i++) {
        struct hf_member_status *member = &status->members[i];
        const struct hf_peer *peer = node->members[i].peer;
        const struct hf_heartbeat *beat = i == node->self ? own
                                          : peer != NULL && peer->has_beat
                                              ? &peer->beat
                                              : NULL;
        hf_member_set bit = hf_member_set_of(i);
        member->info = &node->view->members[i];
        member->alive = (away & bit) == 0;
        member->absent = (node->view->absent & bit) != 0;
        member->leaving = (node->view->leaving & bit) != 0;
        status->refill_partitions += member->filling;
        if (beat == NULL) {
            continue;
        }
        member->sessions = beat->sessions;
        member->bytes = beat->bytes;
        add_beat(status, beat);
        if (member->alive) {
            add_live_beat(status, beat);
            slow |= beat->slow | beat->put_off;
        }
    }
    for (uint8_t i = 0; i < status->member_count; i++) {
        status->members[i].slow = (slow & hf_member_set_of(i)) != 0;
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if ((hf_view_copies(node->view, p) & ~away) == 0 ||
            node->view->acting[p].awaited || node->partitions[p].awaited) {
            status->partitions_unavailable++;
        }
    }
}

bool hf_node_has_lease(const struct hf_node *node)
{
    return node->lease_safe && node->now < node->lease_until &&
           node->promised <= node->view->epoch;
}

void hf_node_get_status(const struct hf_node *node,
                        struct hf_node_status *status)
{
    memset(status, 0, sizeof(*status));
    status->state = node->state;
    status->epoch = node->view->epoch;
    status->lineage = hf_lineage_of(node->view);
    status->forks =
        node->view->lineage_count > 0 ? node->view->lineage_count - 1u : 0;
    status->policy = node->view->epoch != 0
                         ? (enum hf_partition_policy)node->view->policy
                         : node->config.policy;
    status->merge_done = hf_node_merge_progress(node, &status->merge_all);
    status->waits_for = hf_node_waits_for(node);
    status->kept = node->state == HF_STATE_MERGING ||
                   (node->state == HF_STATE_OUT && hf_node_is_kept(node));
    status->no_takeover = hf_node_takeover_refusal(node);
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    struct hf_heartbeat own = {0};
    hf_node_count_local(node, &own);
    hf_node_tell_safety(node, status);
    status->member_count = node->view->member_count;
    status->backups = node->view->backups;
    count_partitions(node, status);
    count_filling(node, status);
    tell_members(node, &own, status);
    status->local_sessions = own.sessions;
    status->local_alone = own.under_replicated;
    status->local_bytes = own.bytes;
    status->local_fences = own.fences;
    status->local_fence_bytes = fence_bytes(node);
    status->partitions_primary = status->members[node->self].primaries;
    status->partitions_backup = status->members[node->self].backups;
    status->serving = hf_node_has_lease(node);
    status->settled = is_settled(node, status);
    status->abandoned =
        node->leaving != HF_LEAVING_NO && hf_proposal_nobody_stays(node);
    bool empty =
        status->partitions_primary == 0 && status->partitions_backup == 0;
    empty = empty && node->merge_deferred == 0;
    status->drained = status->members[node->self].leaving &&
                      (empty || HF_MUTATED(LEAVES_WITH_COPIES));
}
