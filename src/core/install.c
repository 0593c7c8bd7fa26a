/* install.c - Entering a view, and bringing all copies level.
 *
 * A partition is served in a new view only after its primary knows that every
 * full copy is in the same state:
 *
 *   copies            primary
 *     POSITIONS   -->   all copies reported?
 *     <-- PULL          somebody is further than I am: take its suffix first
 *     SUFFIX ...  -->
 *     <-- RECORDs, LEVEL  whoever is behind gets what it lacks
 *     ACK         -->   all level: serve; SYNCED lets copies drop their logs
 *
 * Every full copy has all acknowledged writes, so it does not matter which of
 * them becomes primary; writes that not all had are thereby kept for good, and
 * acknowledged to whoever still waits. It is what a view change does in
 * Viewstamped Replication (Liskov and Cowling, 2012), per partition. A copy
 * whose position the log does not reach is filled anew (refill.c). */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"
#include "holdfast/error.h"

/* What an epoch leaves behind: streams, waiting commands, roles. */
void hf_node_leave_epoch(struct hf_node *node)
{
    hf_node_requests_reset(node);
    node->ballot.active = false;
    node->nomination_count = 0;
    node->need_since = 0;
    node->unsafe_since = 0;
    node->accepted_ballot = 0;
    node->chosen_ballot = 0;
    for (uint8_t i = 0; i < HF_MEMBERS_MAX; i++) {
        hf_stream_reset(&node->members[i].stream, node->mem);
        hf_record_queue_close(&node->members[i].in_log, node->mem);
    }
    hf_node_drop_ranges(node);
    /* What their answers showed may not have lasted. */
    hf_operations_forget_local(&node->operations);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_partition *partition = &node->partitions[p];
        hf_node_drop_waiting(node, p);
        for (uint32_t i = 0; i < partition->log.count; i++) {
            struct hf_record *record = hf_record_queue_at(&partition->log, i);
            node->answer_bytes -= hf_record_drop_waiters(node->mem, record);
            record->pending = 0;
            record->streamed = false;
        }
        partition->primary = false;
        partition->awaited = partition->handed;
        partition->synced = false;
        partition->level = false;
        partition->pulling = false;
        partition->copy_count = 0;
        hf_node_count_share(node, p);
        hf_node_merge_forget(partition);
    }
    node->unsynced = 0;
    node->taught = 0;
    node->sends_wait = false;
    node->commit_blocked = false;
    node->nominate_due = false;
}

/* Timers of members that stay go on; what belongs to an epoch starts anew. */
static void member_carry(struct hf_node *node, const struct hf_view *old_view,
                         bool was_active, uint8_t index, hf_member_set old_dead,
                         hf_member_set old_fresh)
{
    const struct hf_peer_info *info = &node->view->members[index];
    struct hf_member *member = &node->members[index];
    member->heard = node->now;
    uint8_t old = hf_view_find(old_view, info->id, info->incarnation);
    if (!was_active || old == HF_MEMBER_NONE) {
        return;
    }
    const struct hf_member *before = &node->previous[old];
    member->heard = before->heard;
    member->given = before->given;
    member->bound = before->bound;
    if ((old_dead & hf_member_set_of(old)) != 0) {
        node->dead |= hf_member_set_of(index);
        member->died_at = before->died_at;
    }
    if ((old_fresh & hf_member_set_of(old)) != 0) {
        node->fresh |= hf_member_set_of(index);
    }
}

static void install_members(struct hf_node *node, const struct hf_view *view)
{
    bool was_active = node->state == HF_STATE_ACTIVE;
    hf_member_set old_dead = node->dead;
    hf_member_set old_fresh = node->fresh;
    struct hf_member *members = node->members;
    node->members = node->previous;
    node->previous = members;
    *node->best = *node->view; /* The old view, while we carry over. */
    *node->view = *view;
    node->state = HF_STATE_ACTIVE;
    node->self =
        hf_view_find(view, node->config.self.id, node->config.self.incarnation);
    HF_ASSERT(node->self != HF_MEMBER_NONE);
    node->dead = 0;
    node->fresh = 0;
    node->suspected = 0;
    for (uint8_t i = 0; i < HF_MEMBERS_MAX; i++) {
        struct hf_member *member = &node->members[i];
        struct hf_stream stream = member->stream;
        struct hf_record_queue in_log = member->in_log;
        *member = (struct hf_member){.stream = stream, .in_log = in_log};
        member->grant = HF_TIME_PAST;
        member->given = HF_TIME_PAST;
        member->bound = HF_TIME_PAST;
        member->pulled_at = HF_TIME_PAST;
        member->learning = -1;
        member->learn_window = node->config.learn_bytes_max / 16;
        member->refill_wanted = true;
        member->ack_due = i < view->member_count && i != node->self;
        if (i < view->member_count) {
            member_carry(node, node->best, was_active, i, old_dead, old_fresh);
        }
    }
    hf_node_peers_attach(node);
}

static void add_copy(struct hf_partition *partition, uint8_t member,
                     bool acting)
{
    if (hf_partition_copy(partition, member) != NULL) {
        return;
    }
    HF_ASSERT(partition->copy_count < HF_ARRAY_COUNT(partition->copies));
    partition->copies[partition->copy_count++] =
        (struct hf_copy){.member = member,
                         .state = acting ? HF_COPY_UNKNOWN : HF_COPY_WANTED,
                         .acting = acting};
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

/* Copies that we asked to be rid of, now that a view did so. The old view is
 * in node->best while a new one is entered. */
static void count_demoted(struct hf_node *node, uint16_t p)
{
    const struct hf_acting *old = &node->best->acting[p];
    if (node->best->cluster != node->view->cluster) {
        return;
    }
    for (uint8_t i = 1; i < old->count; i++) {
        const struct hf_peer_info *info = &node->best->members[old->members[i]];
        uint8_t member = hf_view_find(node->view, info->id, info->incarnation);
        if (node->previous[old->members[i]].slow && member != HF_MEMBER_NONE &&
            (hf_view_copies(node->view, p) & hf_member_set_of(member)) == 0) {
            node->counters.copies_demoted++;
        }
    }
}

/* In place of an owner that was slow lately, somebody else is filled, so that
 * there are copies enough while it is put off. */
static void add_substitute(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    hf_member_set taken = hf_view_copies(node->view, p) | node->view->leaving;
    const struct hf_owners *target = &node->targets[p];
    bool needed = false;
    for (uint8_t i = 0; i < target->count; i++) {
        hf_member_set bit = hf_member_set_of(target->members[i]);
        needed = needed || ((taken & bit) == 0 &&
                            hf_node_is_put_off(node, target->members[i]));
        taken |= bit;
    }
    if (!needed || node->view->acting[p].count >= target->count) {
        return;
    }
    hf_member_set free = hf_view_voters(node->view) & ~taken;
    uint8_t count = node->view->member_count;
    for (uint8_t i = 0; i < count; i++) {
        uint8_t member = (uint8_t)((p + i) % count);
        if ((free & hf_member_set_of(member)) != 0 &&
            !hf_node_is_put_off(node, member)) {
            add_copy(partition, member, false);
            return;
        }
    }
}

static void become_primary(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    const struct hf_acting *acting = &node->view->acting[p];
    const struct hf_owners *target = &node->targets[p];
    partition->primary = true;
    partition->committed = partition->base.sequence;
    node->unsynced++;
    for (uint8_t i = 1; i < acting->count; i++) {
        add_copy(partition, acting->members[i], true);
    }
    for (uint8_t i = 0; i < target->count; i++) {
        if (target->members[i] != node->self) {
            add_copy(partition, target->members[i], false);
        }
    }
    add_substitute(node, p);
    node->taught += partition->copy_count >= acting->count ? 1 : 0;
    hf_node_count_share(node, p);
}

/* @again: the same decision under a higher number, entered before. */
static void install_partition(struct hf_node *node, uint16_t p, bool again,
                              struct hf_node_losses *losses)
{
    struct hf_partition *partition = &node->partitions[p];
    const struct hf_acting *acting = &node->view->acting[p];
    bool copy =
        (hf_view_copies(node->view, p) & hf_member_set_of(node->self)) != 0;
    bool primary = acting->members[0] == node->self;
    bool deferred = partition->merge.deferred;
    if (!copy && !owners_have(&node->targets[p], node->self) && !deferred) {
        hf_node_partition_clear(node, p);
        return;
    }
    if (!copy) {
        return; /* A learner: what it has may do. */
    }
    hf_node_merge_drop(node, p);
    /* What another lineage had is better than nothing. */
    bool empty = acting->empty && !again && !deferred;
    if (primary && (empty || partition->learnt != HF_SESSIONS_END)) {
        /* Every copy there was is gone. What we may still have is older. */
        hf_node_partition_clear(node, p);
        partition->learnt = HF_SESSIONS_END;
        losses->lost[p] = empty && node->view->base != 0;
        if (!empty) { /* We handed it over, and others bring it. */
            hf_node_merge_awaited(node, p);
        }
    }
    if (primary) {
        partition->awaited |= acting->awaited;
        become_primary(node, p);
        count_demoted(node, p);
    }
}

/* Those that entered before us said so, and granted us leases, already. */
static void greet_members(struct hf_node *node)
{
    hf_node_send_heartbeats(node);
    node->beat_at = node->now + HF_HEARTBEAT_MS;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        struct hf_peer *peer = node->members[i].peer;
        if (peer != NULL && peer->has_beat &&
            peer->beat.epoch == node->view->epoch &&
            peer->beat.state == HF_STATE_ACTIVE) {
            hf_node_take_beat(node, peer);
        }
    }
}

/* The view is of another lineage than the one before, or the first. */
static void note_lineage(struct hf_node *node, uint64_t before)
{
    const struct hf_view *view = node->view;
    uint64_t lineage = hf_lineage_of(view);
    if (lineage == before) {
        return;
    }
    if (view->policy != (uint8_t)node->config.policy) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "the cluster has another partition-policy than this node; the "
               "cluster's holds");
    }
    uint8_t count = view->lineage_count;
    if (count < 2 || view->lineages[count - 2].id != before) {
        return;
    }
    node->counters.forks++;
    hf_log(&node->config.log, HF_LOG_WARNING,
           "going on as a fork (lineage %08x): members that are not heard may "
           "go on, too; when they are heard again both sides are merged, and "
           "of a session that both changed one version is lost",
           (unsigned)(lineage >> 32));
}

void hf_node_install(struct hf_node *node, const struct hf_view *view)
{
    struct hf_node_losses losses = {{false}};
    bool again =
        (node->state == HF_STATE_ACTIVE || node->state == HF_STATE_MERGING) &&
        node->view->cluster == view->cluster && node->view->base == view->base;
    uint64_t lineage = hf_lineage_of(node->view);
    hf_epoch accepted = hf_node_accepted_after(node, view);
    hf_node_leave_epoch(node);
    hf_node_merge_adopt(node, view);
    install_members(node, view);
    hf_visits_enter(&node->visits, view);
    if (view->epoch > node->promised) {
        node->promised = view->epoch;
    }
    note_lineage(node, lineage);
    if (view->epoch > node->highest_ballot) {
        node->highest_ballot = view->epoch;
    }
    node->accepted_ballot = accepted;
    if (accepted != 0 && node->promised == view->epoch) {
        hf_node_grant_no_more(node); /* Others may have gone on. */
    }
    node->installed_at = node->now;
    node->counters.views++;
    hf_view_targets(node->view, node->targets);
    node->settled_map = hf_view_is_settled(node->view, node->targets);
    hf_node_lease_changed(node);
    node->view_awaited = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        node->view_awaited += node->view->acting[p].awaited ? 1 : 0;
        install_partition(node, p, again, &losses);
    }
    hf_node_merge_entered(node);
    hf_log(&node->config.log, HF_LOG_INFO,
           "view %u: %u member%s, this is number %u, primary of %u partition%s",
           (unsigned)(view->epoch >> 32), node->view->member_count,
           HF_PLURAL(node->view->member_count), node->self + 1u, node->unsynced,
           HF_PLURAL(node->unsynced));
    /* install_members keeps the view before in `best`. */
    hf_node_count_lost(node, &losses, node->best, node->previous);
    hf_node_doubt_ends(node);
    greet_members(node);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        hf_node_sync_partition(node, p);
    }
    hf_node_requests_entered(node);
}

/* Positions. */

void hf_node_member_ready(struct hf_node *node, uint8_t member)
{
    node->members[member].ack_due = true;
    hf_node_send_positions(node, member);
    hf_node_stream_send(node, member);
    hf_node_route_held(node);
}

#define POSITIONS_PER_MESSAGE 128

void hf_node_send_positions(struct hf_node *node, uint8_t member)
{
    struct hf_position positions[POSITIONS_PER_MESSAGE];
    struct hf_message message = {.type = HF_MESSAGE_POSITIONS};
    struct hf_positions *out = &message.positions;
    *out = (struct hf_positions){.epoch = node->view->epoch,
                                 .positions = positions};
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_partition *partition = &node->partitions[p];
        bool aside = partition->merge.deferred;
        if (node->view->acting[p].members[0] == member &&
            (partition->learnt == HF_SESSIONS_END || aside)) {
            positions[out->count++] = (struct hf_position){
                p, partition->version, aside ? 0 : HF_SESSIONS_END};
        }
        if (out->count == POSITIONS_PER_MESSAGE) {
            hf_node_send_member(node, member, &message);
            out->count = 0;
        }
    }
    out->last = true;
    hf_node_send_member(node, member, &message);
}

static void position_noted(struct hf_node *node, uint8_t member,
                           const struct hf_position *position)
{
    struct hf_partition *partition = &node->partitions[position->partition];
    struct hf_copy *copy = hf_partition_copy(partition, member);
    if (!partition->primary || copy == NULL) {
        return;
    }
    if (position->learnt != HF_SESSIONS_END) {
        /* It may have sent them before it knew that we took all of it. */
        copy->kept_aside =
            !copy->acting && (!copy->handed_over || HF_MUTATED(KEPT_FOR_GOOD));
        return;
    }
    if (copy->state == HF_COPY_UNKNOWN || copy->state == HF_COPY_WANTED) {
        copy->version = position->version;
        copy->learnt = position->learnt;
        if (copy->state == HF_COPY_UNKNOWN) {
            copy->state = HF_COPY_REPORTED;
        }
    }
}

void hf_node_positions(struct hf_node *node, uint8_t member,
                       const struct hf_positions *positions)
{
    struct hf_member *from = &node->members[member];
    if (positions->epoch != node->view->epoch || from->positions_known) {
        return;
    }
    from->stream.progress_at = node->now;
    for (size_t i = 0; i < positions->count; i++) {
        position_noted(node, member, &positions->positions[i]);
    }
    if (!positions->last) {
        return;
    }
    from->positions_known = true;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_partition *partition = &node->partitions[p];
        struct hf_copy *copy =
            partition->primary ? hf_partition_copy(partition, member) : NULL;
        if (copy != NULL && copy->state == HF_COPY_UNKNOWN) {
            copy->state = HF_COPY_WANTED; /* It has nothing. */
        }
        if (copy != NULL) {
            hf_node_sync_partition(node, p);
        }
    }
    from->refill_wanted = true;
    hf_node_refill(node, member);
}

/* Levelling. */

struct hf_copy *hf_partition_ahead(struct hf_partition *partition)
{
    struct hf_copy *ahead = NULL;
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        struct hf_copy *copy = &partition->copies[i];
        if (copy->acting && copy->state == HF_COPY_REPORTED &&
            copy->version.sequence > partition->version.sequence &&
            (ahead == NULL ||
             copy->version.sequence > ahead->version.sequence)) {
            ahead = copy;
        }
    }
    return ahead;
}

static bool pull_if_behind(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    const struct hf_copy *ahead =
        HF_MUTATED(NO_PULL) ? NULL : hf_partition_ahead(partition);
    if (ahead != NULL && !partition->pulling) {
        node->members[ahead->member].stream.progress_at = node->now;
    }
    partition->pulling = ahead != NULL;
    partition->pulled_bytes = 0;
    if (ahead != NULL) {
        struct hf_message message = {
            .type = HF_MESSAGE_PULL,
            .pull = {node->view->epoch, p, partition->version.sequence}};
        if (hf_node_send_member(node, ahead->member, &message)) {
            node->members[ahead->member].pulled_at = node->now;
        }
    }
    return ahead != NULL;
}

/* A record that carries only our version of a partition. NULL: no memory. */
static struct hf_record *mark_new(struct hf_node *node,
                                  enum hf_record_kind kind, uint16_t p)
{
    struct hf_record_view view = {
        .kind = kind, .partition = p, .version = node->partitions[p].version};
    return hf_record_new(node->mem, &view);
}

static void push_synced(struct hf_node *node, uint16_t p, uint8_t member)
{
    struct hf_stream *stream = &node->members[member].stream;
    struct hf_record *record = mark_new(node, HF_RECORD_SYNCED, p);
    if (record == NULL) {
        return; /* The copy keeps its log a while longer. */
    }
    if (hf_stream_reserve(stream, node->mem, 1) == 0) {
        hf_stream_push(stream, record, HF_SESSIONS_END, false, node->now);
        hf_node_stream_send(node, member);
    }
    hf_record_release(node->mem, record);
}

static void level_copy(struct hf_node *node, uint16_t p, struct hf_copy *copy)
{
    struct hf_partition *partition = &node->partitions[p];
    if (!hf_partition_reaches(partition, copy->version)) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "copy of partition %u does not fit ours: filling it anew", p);
        copy->learnt = 0;
        copy->state = HF_COPY_WANTED;
        return;
    }
    if (copy->version.sequence == partition->version.sequence ||
        HF_MUTATED(NO_LEVELLING)) {
        copy->state = HF_COPY_FULL;
        return;
    }
    struct hf_stream *stream = &node->members[copy->member].stream;
    uint64_t skip = copy->version.sequence - partition->base.sequence;
    uint32_t count = partition->log.count - (uint32_t)skip;
    struct hf_record *mark = mark_new(node, HF_RECORD_LEVEL, p);
    if (mark == NULL) {
        return; /* hf_node_sync_tick tries again. */
    }
    if (hf_stream_reserve(stream, node->mem, count + 1) != 0) {
        hf_record_release(node->mem, mark);
        return;
    }
    for (uint32_t i = (uint32_t)skip; i < partition->log.count; i++) {
        hf_stream_push(stream, hf_record_queue_at(&partition->log, i),
                       HF_SESSIONS_END, false, node->now);
    }
    hf_stream_push(stream, mark, HF_SESSIONS_END, false, node->now);
    hf_record_release(node->mem, mark);
    copy->state = HF_COPY_SYNCING;
    hf_node_stream_send(node, copy->member);
}

static void partition_synced(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    partition->synced = true;
    node->unsynced--;
    hf_node_count_share(node, p);
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        if (partition->copies[i].acting) {
            push_synced(node, p, partition->copies[i].member);
        }
    }
    hf_node_try_commit(node, p);
    hf_node_run_waiting(node, p);
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        uint8_t member = partition->copies[i].member;
        if (partition->copies[i].state == HF_COPY_WANTED) {
            node->members[member].refill_wanted = true;
            hf_node_refill(node, member);
        }
    }
}

void hf_node_sync_partition(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    if (!partition->primary || partition->synced) {
        return;
    }
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        if (partition->copies[i].state == HF_COPY_UNKNOWN) {
            return;
        }
    }
    if (pull_if_behind(node, p)) {
        return;
    }
    bool level = true;
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        struct hf_copy *copy = &partition->copies[i];
        if (copy->state == HF_COPY_REPORTED) {
            level_copy(node, p, copy);
        }
        level = level && (!copy->acting || copy->state == HF_COPY_FULL);
    }
    if (level) {
        partition_synced(node, p);
    }
}

void hf_node_copy_synced(struct hf_node *node, uint16_t p, uint8_t member)
{
    struct hf_copy *copy = hf_partition_copy(&node->partitions[p], member);
    HF_ASSERT(copy != NULL && copy->acting);
    copy->state = HF_COPY_FULL;
    hf_node_sync_partition(node, p);
}

/* How much of what may be sent in one go a record takes, to both sides. */
static size_t suffix_bytes(const struct hf_record_view *record)
{
    return HF_SEND_RECORD_BYTES + record->key.size + record->effects.size;
}

void hf_node_pulled(struct hf_node *node, uint8_t member,
                    const struct hf_pull *pull)
{
    if (pull->epoch != node->view->epoch ||
        node->promised > node->view->epoch ||
        node->view->acting[pull->partition].members[0] != member) {
        return;
    }
    const struct hf_partition *partition = &node->partitions[pull->partition];
    size_t bytes = 0;
    for (uint32_t i = 0; i < partition->log.count; i++) {
        const struct hf_record *record = hf_record_queue_at(&partition->log, i);
        if (record->view.version.sequence <= pull->sequence) {
            continue;
        }
        struct hf_message message = {
            .type = HF_MESSAGE_SUFFIX,
            .suffix = {node->view->epoch, record->view}};
        hf_node_send_member(node, member, &message);
        bytes += suffix_bytes(&record->view);
        if (bytes >= HF_PULL_BYTES_MAX) {
            return; /* It asks for more when it has this. */
        }
    }
}

void hf_node_suffix(struct hf_node *node, uint8_t member,
                    const struct hf_record_view *record)
{
    struct hf_partition *partition = &node->partitions[record->partition];
    struct hf_copy *copy = hf_partition_copy(partition, member);
    bool writes =
        record->kind == HF_RECORD_WRITE || record->kind == HF_RECORD_PAIRED;
    if (!partition->primary || !partition->pulling || copy == NULL || !writes ||
        !hf_partition_accepts(partition, record)) {
        return;
    }
    if (hf_node_apply_write(node, record) != 0) {
        return; /* Pulled again by hf_node_sync_tick. */
    }
    node->members[member].stream.progress_at = node->now;
    node->members[member].pulled_at = node->now;
    partition->pulled_bytes += suffix_bytes(record);
    if (partition->version.sequence >= copy->version.sequence ||
        partition->pulled_bytes >= HF_PULL_BYTES_MAX) {
        hf_node_sync_partition(node, record->partition);
    }
}

/* Members that we asked for what they have, and who may be sending it: asked
 * again at once they would send it twice. */
static hf_member_set pulled_from(const struct hf_node *node)
{
    hf_member_set set = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        if (node->now - node->members[i].pulled_at <= HF_RESEND_MS) {
            set |= hf_member_set_of(i);
        }
    }
    return set;
}

/* What waited for memory, or for a message that was lost. */
void hf_node_sync_tick(struct hf_node *node)
{
    if (node->state != HF_STATE_ACTIVE || node->unsynced == 0) {
        return;
    }
    hf_member_set busy = pulled_from(node);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_partition *partition = &node->partitions[p];
        const struct hf_copy *ahead =
            partition->pulling ? hf_partition_ahead(partition) : NULL;
        if (ahead == NULL || (hf_member_set_of(ahead->member) & busy) == 0) {
            hf_node_sync_partition(node, p);
        }
    }
}
