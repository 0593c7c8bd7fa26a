/* copies.c - Records on their way: applying those of a primary, sending and
 * counting our own.
 *
 * A record is applied only in the epoch it was made for, only from the acting
 * primary, only in the order of its stream and of its partition, and never
 * after a promise to a later view. What does not fit is refused and counted;
 * the primary, hearing no acknowledgement, sends it again. */
#include <string.h>

#include "base/assert.h"
#include "core/effects.h"
#include "core/expect.h"
#include "core/node_state.h"
#include "core/overlay.h"
#include "holdfast/error.h"

void hf_node_partition_clear(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    hf_node_merge_given(node, p);
    hf_node_discard(node, p);
    hf_record_queue_close(&partition->log, node->mem);
    if (node->operations.count > 0) {
        hf_operations_forget_partition(&node->operations, p);
    }
    partition->version = (struct hf_version){0, 0};
    partition->knowledge = (struct hf_knowledge){0};
    partition->base = partition->version;
    partition->learnt = 0;
    partition->committed = 0;
    partition->level = false;
    partition->last_delete = 0;
    partition->last_taken = 0;
    memset(partition->merges, 0, sizeof(partition->merges));
    partition->merges_pending = 0;
    hf_node_merge_arrived(node, p);
    hf_node_merge_drop(node, p);
}

void hf_partition_advance(struct hf_partition *partition,
                          struct hf_version version)
{
    partition->version = version;
    hf_knowledge_advance(&partition->knowledge, version);
}

void hf_node_log_trim(struct hf_node *node, struct hf_partition *partition,
                      uint64_t sequence)
{
    while (partition->log.count > 0 &&
           hf_record_queue_at(&partition->log, 0)->view.version.sequence <=
               sequence) {
        struct hf_record *record = hf_record_queue_pop(&partition->log);
        partition->base = record->view.version;
        hf_record_release(node->mem, record);
    }
}

bool hf_partition_reaches(const struct hf_partition *partition,
                          struct hf_version from)
{
    if (from.sequence < partition->base.sequence ||
        from.sequence > partition->version.sequence) {
        return false;
    }
    struct hf_version ours = partition->base;
    if (from.sequence > partition->base.sequence) {
        uint64_t index = from.sequence - partition->base.sequence - 1;
        ours =
            hf_record_queue_at(&partition->log, (uint32_t)index)->view.version;
    }
    return ours.epoch == from.epoch || HF_MUTATED(SEQUENCE_ALONE);
}

static int apply_unit(struct hf_partition *partition,
                      const struct hf_record_view *write, hf_time now)
{
    struct hf_overlay overlay;
    hf_overlay_init(&overlay, &partition->sessions);
    int error =
        hf_overlay_apply_unit(&overlay, write->version, write->effects, now);
    if (error == 0) {
        error = hf_overlay_commit(&overlay, write->version);
    }
    hf_overlay_close(&overlay);
    return error;
}

int hf_partition_apply(struct hf_node *node, const struct hf_record_view *write,
                       uint32_t hash, hf_time now)
{
    struct hf_partition *partition = &node->partitions[write->partition];
    struct hf_reader seen;
    uint8_t database;
    if (write->key.size == 0 &&
        hf_effects_are_clear(write->effects, &database) &&
        hf_node_discard_sessions(node, write->partition, database)) {
        return 0;
    }
    if (hf_effects_read_seen(write->effects, &seen)) {
        return hf_knowledge_read_seen(&seen, &partition->knowledge) ? 0
                                                                    : HF_EPROTO;
    }
    if (hf_effects_of_unit(write->effects)) {
        return apply_unit(partition, write, now);
    }
    struct hf_slice effects = write->effects;
    struct hf_version version = write->version;
    bool taken = hf_effects_take_version(&effects, &version);
    int error = hf_sessions_apply(&partition->sessions, write->key, hash,
                                  version, effects, now);
    if (error == 0 && taken) {
        partition->last_taken = write->version.sequence;
    }
    return error;
}

static uint32_t hash_of(const struct hf_record_view *record)
{
    return record->hash != 0 ? record->hash : hf_sessions_hash(record->key);
}

static int apply_effects(struct hf_node *node,
                         const struct hf_record_view *write, uint32_t hash)
{
    uint8_t database;
    if (HF_MUTATED(FLUSH_MISSES_COPIES) &&
        hf_effects_are_clear(write->effects, &database)) {
        return 0;
    }
    return hf_partition_apply(node, write, hash, node->now);
}

/* Both or neither: a copy that forgot an operation would carry it out again
 * as primary. */
static int apply_and_remember(struct hf_node *node,
                              const struct hf_record_view *write, uint32_t hash)
{
    if (write->operation.number == 0 || HF_MUTATED(OPERATIONS_NOT_COPIED)) {
        return apply_effects(node, write, hash);
    }
    bool known =
        hf_operations_find(&node->operations, write->operation) != NULL;
    int error =
        hf_operations_add(&node->operations, write->operation, write->partition,
                          write->version.sequence, write->reply);
    if (error != 0) {
        return error;
    }
    error = apply_effects(node, write, hash);
    if (error != 0 && !known) {
        hf_operations_remove(&node->operations, write->operation);
    }
    return error;
}

int hf_node_apply_write(struct hf_node *node,
                        const struct hf_record_view *write)
{
    struct hf_partition *partition = &node->partitions[write->partition];
    struct hf_record *record = hf_record_new(node->mem, write);
    if (record == NULL) {
        return HF_ENOMEM;
    }
    uint32_t hash = hash_of(write);
    int error = hf_record_queue_reserve(&partition->log, node->mem);
    if (error == 0) {
        error = apply_and_remember(node, write, hash);
    }
    if (error != 0) {
        hf_record_release(node->mem, record);
        return error;
    }
    error = hf_record_queue_push(&partition->log, node->mem, record);
    HF_ASSERT(error == 0); /* Reserved. */
    hf_partition_advance(partition, write->version);
    if (write->operation.number != 0) {
        partition->touched_at = node->now;
    }
    hf_partition_note_delete(partition, write, hash);
    return 0;
}

/* The newest record of the log was just appended from @from's stream, and
 * there is room. */
static void remember_incoming(struct hf_node *node, struct hf_member *from,
                              uint64_t number, struct hf_partition *partition)
{
    struct hf_record *record =
        hf_record_queue_at(&partition->log, partition->log.count - 1);
    record->number = number;
    int error = hf_record_queue_push(&from->in_log, node->mem, record);
    HF_ASSERT(error == 0); /* Reserved. */
    hf_record_share(record);
}

static bool is_next(const struct hf_partition *partition,
                    struct hf_version version)
{
    return version.sequence == partition->version.sequence + 1 &&
           version.epoch >= partition->version.epoch;
}

bool hf_partition_accepts(const struct hf_partition *partition,
                          const struct hf_record_view *write)
{
    return is_next(partition, write->version) &&
           (hf_effects_of_partition(write->effects) ||
            hf_effects_of_unit(write->effects) ||
            hf_partition_of_key(write->key) == write->partition);
}

static int record_write(struct hf_node *node, uint8_t member, uint64_t number,
                        const struct hf_record_view *write)
{
    struct hf_partition *partition = &node->partitions[write->partition];
    if (!hf_partition_accepts(partition, write)) {
        return HF_EPROTO;
    }
    /* A learner keeps no log. */
    bool keeps = partition->learnt == HF_SESSIONS_END;
    struct hf_member *from = &node->members[member];
    int error = keeps ? hf_record_queue_reserve(&from->in_log, node->mem) : 0;
    if (error == 0) {
        error = hf_node_apply_write(node, write);
    }
    if (error != 0) {
        return error;
    }
    if (keeps) {
        remember_incoming(node, from, number, partition);
    } else {
        hf_node_log_trim(node, partition, partition->version.sequence);
    }
    return 0;
}

/* A write that one of our clients asked for is on all copies. */
static void answer_own(struct hf_node *node, const struct hf_record_view *write)
{
    if (write->operation.origin == node->config.self.incarnation) {
        hf_node_answer_tokens(node, write->operation, write->reply);
    }
}

/* The primary and we are all who have to have it: nobody needs to say so. */
static void paired_applied(struct hf_node *node,
                           const struct hf_record_view *write)
{
    struct hf_partition *partition = &node->partitions[write->partition];
    if (!hf_node_copy_serves(node, write->partition)) {
        return; /* Until COMMITTED comes. */
    }
    if (partition->committed + 1 == write->version.sequence) {
        partition->committed = write->version.sequence;
    }
    answer_own(node, write);
}

static int record_paired(struct hf_node *node, uint8_t member, uint64_t number,
                         const struct hf_record_view *record)
{
    struct hf_record_view write = *record;
    write.kind = HF_RECORD_WRITE;
    int error = record_write(node, member, number, &write);
    if (error == 0) {
        paired_applied(node, &write);
    }
    return error;
}

static int record_skip(struct hf_node *node,
                       const struct hf_record_view *record)
{
    struct hf_partition *partition = &node->partitions[record->partition];
    if (!is_next(partition, record->version) ||
        partition->learnt == HF_SESSIONS_END) {
        return HF_EPROTO;
    }
    hf_partition_advance(partition, record->version);
    partition->base = record->version;
    return 0;
}

static int record_learn(struct hf_node *node,
                        const struct hf_record_view *record)
{
    struct hf_partition *partition = &node->partitions[record->partition];
    struct hf_knowledge knowledge;
    struct hf_reader reader = hf_reader_of(record->effects);
    if (!hf_knowledge_read(&reader, &knowledge)) {
        return HF_EPROTO;
    }
    hf_node_partition_clear(node, record->partition);
    partition->knowledge = knowledge;
    partition->version = record->version;
    partition->base = record->version;
    return 0;
}

static int record_entry(struct hf_node *node,
                        const struct hf_record_view *record)
{
    const struct hf_partition *partition = &node->partitions[record->partition];
    if (partition->learnt == HF_SESSIONS_END ||
        hf_effects_of_partition(record->effects) ||
        hf_effects_of_unit(record->effects) ||
        hf_partition_of_key(record->key) != record->partition ||
        (!hf_version_is_taken(record->version) &&
         record->version.sequence > partition->version.sequence)) {
        return HF_EPROTO;
    }
    return apply_effects(node, record, hash_of(record));
}

static int record_learnt(struct hf_node *node,
                         const struct hf_record_view *record)
{
    struct hf_partition *partition = &node->partitions[record->partition];
    if (record->version.sequence != partition->version.sequence) {
        return HF_EPROTO;
    }
    hf_node_log_trim(node, partition, partition->version.sequence);
    partition->learnt = HF_SESSIONS_END;
    return 0;
}

static int record_level(struct hf_node *node,
                        const struct hf_record_view *record)
{
    const struct hf_partition *partition = &node->partitions[record->partition];
    bool level = record->version.sequence == partition->version.sequence &&
                 record->version.epoch == partition->version.epoch;
    return level ? 0 : HF_EPROTO;
}

static int record_synced(struct hf_node *node,
                         const struct hf_record_view *record)
{
    struct hf_partition *partition = &node->partitions[record->partition];
    if (record->version.sequence <= partition->version.sequence) {
        hf_node_log_trim(node, partition, record->version.sequence);
        partition->level = partition->learnt == HF_SESSIONS_END;
        partition->committed = record->version.sequence;
    }
    return 0;
}

static int record_operation(struct hf_node *node,
                            const struct hf_record_view *record)
{
    return hf_operations_add(&node->operations, record->operation,
                             record->partition, record->version.sequence,
                             record->reply);
}

static int record_apply(struct hf_node *node, uint8_t member, uint64_t number,
                        const struct hf_record_view *record)
{
    switch (record->kind) {
    case HF_RECORD_WRITE:
        return record_write(node, member, number, record);
    case HF_RECORD_PAIRED:
        return record_paired(node, member, number, record);
    case HF_RECORD_SKIP:
        return record_skip(node, record);
    case HF_RECORD_LEARN:
        return record_learn(node, record);
    case HF_RECORD_ENTRY:
        return record_entry(node, record);
    case HF_RECORD_LEARNT:
        return record_learnt(node, record);
    case HF_RECORD_SYNCED:
        return record_synced(node, record);
    case HF_RECORD_OPERATION:
        return record_operation(node, record);
    case HF_RECORD_LEVEL:
        return record_level(node, record);
    }
    return HF_EPROTO;
}

void hf_node_record(struct hf_node *node, uint8_t member,
                    const struct hf_record_message *message)
{
    struct hf_member *from = &node->members[member];
    if ((message->epoch != node->view->epoch && !HF_MUTATED(OLD_RECORDS)) ||
        (node->promised > node->view->epoch &&
         !HF_MUTATED(ACKS_AFTER_PROMISE))) {
        return;
    }
    if (message->number <= from->in_number && !HF_MUTATED(REPEATED_RECORDS)) {
        from->ack_due = true; /* Repeated: our acknowledgement was lost. */
        return;
    }
    const struct hf_acting *acting =
        &node->view->acting[message->record.partition];
    if (message->number > from->in_number + 1 && !HF_MUTATED(RECORD_GAPS)) {
        return;
    }
    if (message->record.kind == HF_RECORD_LEARN &&
        node->partitions[message->record.partition].merge.deferred) {
        return; /* The answer to what we handed over was lost; soon again. */
    }
    int error = HF_EPROTO;
    if (acting->members[0] == member) {
        error = record_apply(node, member, message->number, &message->record);
    }
    if (error != 0) {
        node->counters.records_refused++;
        hf_log(&node->config.log, HF_LOG_ERROR,
               "refused record %d of partition %u from %s: %s",
               (int)message->record.kind, message->record.partition,
               node->view->members[member].name, hf_strerror(error));
        return;
    }
    from->in_number = message->number;
    from->ack_due = true;
    if (HF_MUTATED(ACKED_ONE_BY_ONE)) {
        hf_node_send_acks(node);
    }
}

/* Of what is about to be committed, the next few. Returns how many. */
static uint32_t expect_in_log(const struct hf_node *node,
                              const struct hf_record_queue *in_log)
{
    const struct hf_record *records[HF_EXPECT_MAX];
    uint32_t count = 0;
    for (; count < HF_EXPECT_MAX && count < in_log->count; count++) {
        records[count] = hf_record_queue_at(in_log, count);
    }
    hf_node_expect_done(node, records, count);
    return count;
}

void hf_node_committed(struct hf_node *node, uint8_t member,
                       const struct hf_committed *committed)
{
    struct hf_member *from = &node->members[member];
    uint32_t expected = 0;
    if (committed->epoch != node->view->epoch) {
        return;
    }
    while (from->in_log.count > 0) {
        if (expected == 0) {
            expected = expect_in_log(node, &from->in_log);
        }
        if (hf_record_queue_at(&from->in_log, 0)->number > committed->number) {
            return;
        }
        expected--;
        struct hf_record *record = hf_record_queue_pop(&from->in_log);
        struct hf_partition *partition =
            &node->partitions[record->view.partition];
        hf_node_log_trim(node, partition, record->view.version.sequence);
        if (record->view.version.sequence > partition->committed) {
            partition->committed = record->view.version.sequence;
        }
        answer_own(node, &record->view);
        hf_record_release(node->mem, record);
    }
}

/* Sending. */

/* Of a unit, what is of hashes below @below. False: no memory. */
static bool unit_below(struct hf_node *node, uint64_t below,
                       struct hf_slice *effects)
{
    struct hf_reader reader = hf_reader_of(*effects);
    struct hf_slice key;
    struct hf_slice part;
    hf_buffer_clear(&node->tokens);
    while (hf_effects_next_key(&reader, &key, &part)) {
        if (hf_sessions_hash(key) < below ||
            HF_MUTATED(UNIT_WHOLE_TO_LEARNER)) {
            hf_effects_key(&node->tokens, key);
            hf_buffer_append_slice(&node->tokens, part);
        }
    }
    *effects = hf_buffer_slice(&node->tokens);
    return !node->tokens.failed;
}

/* What a learner gets of a write while it is being filled. False: no memory. */
static bool view_below(struct hf_node *node, uint64_t below,
                       struct hf_record_view *view)
{
    bool skip = false;
    if (below == HF_SESSIONS_END || hf_effects_of_partition(view->effects)) {
        return true;
    }
    if (hf_effects_of_unit(view->effects)) {
        if (!unit_below(node, below, &view->effects)) {
            return false;
        }
        skip = view->effects.size == 0;
    } else {
        skip = hf_sessions_hash(view->key) >= below;
    }
    if (skip) {
        *view = (struct hf_record_view){.kind = HF_RECORD_SKIP,
                                        .partition = view->partition,
                                        .version = view->version};
    }
    return true;
}

/* False: no memory, try again. */
static bool stream_send_one(struct hf_node *node, uint8_t member,
                            uint64_t number)
{
    struct hf_stream *stream = &node->members[member].stream;
    const struct hf_stream_entry *entry = hf_stream_at(stream, number);
    struct hf_message message = {.type = HF_MESSAGE_RECORD,
                                 .record = {.epoch = node->view->epoch,
                                            .number = number,
                                            .record = entry->record->view}};
    struct hf_record_view *view = &message.record.record;
    if (entry->counted && entry->record->paired) {
        view->kind = HF_RECORD_PAIRED;
    }
    if (!view_below(node, entry->below, view)) {
        return false;
    }
    hf_node_send_member(node, member, &message);
    node->sent_bytes += HF_SEND_RECORD_BYTES + entry->record->size;
    return true;
}

void hf_node_stream_send(struct hf_node *node, uint8_t member)
{
    struct hf_member *to = &node->members[member];
    if (!to->ready || to->peer == NULL || !to->peer->out_up[HF_CHANNEL_DATA]) {
        return;
    }
    while (to->stream.sent + 1 < hf_stream_next(&to->stream)) {
        if (node->sent_bytes >= HF_SEND_BYTES_MAX) {
            to->stream.moved_at = node->now; /* It is not done yet. */
            node->sends_wait = true;
            return;
        }
        if (!stream_send_one(node, member, to->stream.sent + 1)) {
            return; /* A tick tries again. */
        }
        to->stream.sent++;
    }
}

void hf_node_stream_restart(struct hf_node *node, uint8_t member)
{
    struct hf_stream *stream = &node->members[member].stream;
    stream->sent = stream->acked;
    stream->told = 0; /* It may not have heard. */
    stream->moved_at = node->now;
    node->members[member].ack_due = true;
    hf_node_stream_send(node, member);
}

static void entry_acked(struct hf_node *node, uint8_t member,
                        struct hf_stream_entry *entry)
{
    struct hf_record *record = entry->record;
    uint16_t partition = record->view.partition;
    switch (record->view.kind) {
    case HF_RECORD_WRITE:
        if (entry->counted) {
            HF_ASSERT(record->pending > 0);
            record->pending--;
            if (record->pending == 0) {
                hf_node_try_commit(node, partition);
            }
        }
        break;
    case HF_RECORD_LEVEL:
        hf_node_copy_synced(node, partition, member);
        break;
    default:
        break;
    }
}

static void stream_drop_done(struct hf_node *node, uint8_t member)
{
    struct hf_stream *stream = &node->members[member].stream;
    struct hf_stream_entry dropped;
    while (hf_stream_drop_one(stream, &dropped)) {
        struct hf_record *record = dropped.record;
        if (record->view.kind == HF_RECORD_LEARNT) {
            hf_node_learnt_confirmed(node, record->view.partition, member,
                                     stream->head - 1);
        }
        hf_record_release(node->mem, record);
    }
}

/* Of what is acknowledged up to @last, the next few. Returns how many. */
static uint32_t expect_acked(const struct hf_node *node,
                             const struct hf_stream *stream, uint64_t last)
{
    const struct hf_record *records[HF_EXPECT_MAX];
    uint32_t count = 0;
    for (; count < HF_EXPECT_MAX && stream->acked + count < last; count++) {
        records[count] =
            hf_stream_at(stream, stream->acked + 1 + count)->record;
    }
    hf_node_expect_done(node, records, count);
    return count;
}

void hf_node_acked(struct hf_node *node, uint8_t member,
                   const struct hf_ack *ack)
{
    struct hf_member *from = &node->members[member];
    if (ack->epoch != node->view->epoch && !HF_MUTATED(OLD_ACKS)) {
        return;
    }
    if (!from->ready) {
        from->ready = true;
        hf_node_member_ready(node, member);
    }
    hf_epoch epoch = node->view->epoch;
    if (ack->number > from->stream.sent) {
        return; /* Of what was sent over the link before; or nonsense. */
    }
    uint32_t expected = 0;
    while (from->stream.acked < ack->number) {
        if (expected == 0) {
            expected = expect_acked(node, &from->stream, ack->number);
        }
        expected--;
        from->stream.moved_at = node->now;
        from->stream.progress_at = node->now;
        entry_acked(node, member, hf_stream_ack_one(&from->stream));
    }
    HF_ASSERT(epoch == node->view->epoch);
    stream_drop_done(node, member);
    hf_node_refill_acked(node, member);
    hf_node_refill(node, member);
    if (!hf_list_is_empty(&node->waiting_partitions)) {
        hf_node_run_all_waiting(node);
    }
}

/* With what else there is to send, or alone once it has waited: nobody but
 * readers of that copy wait for it, and a frame of its own costs as much as a
 * write. */
static void tell_committed(struct hf_node *node, uint8_t i)
{
    struct hf_member *member = &node->members[i];
    if (member->stream.head <= member->stream.acked) {
        stream_drop_done(node, i);
    }
    uint64_t done = member->stream.head - 1;
    if (done <= member->stream.told || member->peer == NULL ||
        !member->peer->out_up[HF_CHANNEL_DATA]) {
        member->untold_since = 0;
        return;
    }
    if (member->untold_since == 0) {
        member->untold_since = node->now;
    }
    bool goes_along = (node->spoken & hf_member_set_of(i)) != 0;
    hf_time tell_at = member->untold_since + HF_TELL_MS;
    if (!goes_along && node->now < tell_at) {
        node->tell_at = tell_at < node->tell_at ? tell_at : node->tell_at;
        return;
    }
    struct hf_message message = {.type = HF_MESSAGE_COMMITTED,
                                 .committed = {node->view->epoch, done}};
    if (hf_node_send_member(node, i, &message)) {
        member->stream.told = done;
        member->untold_since = 0;
    }
}

void hf_node_send_acks(struct hf_node *node)
{
    node->tell_at = HF_NEVER;
    node->sent_bytes = 0;
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        struct hf_member *member = &node->members[i];
        if (member->ack_due && (node->promised <= node->view->epoch ||
                                HF_MUTATED(ACKS_AFTER_PROMISE))) {
            struct hf_message message = {
                .type = HF_MESSAGE_ACK,
                .ack = {node->view->epoch, member->in_number}};
            if (hf_node_send_member(node, i, &message)) {
                member->ack_due = false;
            }
        }
        tell_committed(node, i);
    }
    node->spoken = 0;
}

/* An acknowledgement may have been lost without the link breaking, or a copy
 * had no memory: what is not acknowledged for long is sent again. And there may
 * be more to send than a turn may. */
void hf_node_streams_tick(struct hf_node *node)
{
    bool waited = node->sends_wait;
    node->sends_wait = false;
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    uint8_t count = node->view->member_count;
    for (uint8_t k = 0; k < count; k++) {
        /* Not always the same one first. */
        uint8_t i = (uint8_t)((node->fill_turn + k) % count);
        struct hf_stream *stream = &node->members[i].stream;
        bool late = stream->acked + 1 < hf_stream_next(stream) &&
                    node->now - stream->moved_at > HF_RESEND_MS;
        if (late) {
            stream->moved_at = node->now;
            stream->sent = stream->acked;
        }
        if (late || waited) {
            hf_node_stream_send(node, i);
        }
    }
}
