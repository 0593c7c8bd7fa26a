/* writes.c - The primary of a partition at work.
 *
 *   command -> may we serve? -> apply -> effects -> record -> log, streams
 *                  | no                                |
 *                  v                             all copies acknowledged?
 *               waiting                                |  and lease valid?
 *                                                      v
 *                                                 commit, answer
 *
 * A read of a session with a write in flight waits for that write: no answer
 * shows what could still be lost. The lease is looked at when the answer
 * leaves, not only when the command came. */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"
#include "core/units.h"
#include "holdfast/error.h"

#define FENCES_WARN_MS 60000

const char hf_many_answers_text[] =
    "CLUSTERDOWN too many answers wait for other nodes";
const char hf_no_memory_text[] =
    "OOM command not allowed: this node is out of memory";

/* What a unit changes and answers goes to copies in one frame of 64 MiB. */
#define UNIT_RECORD_BYTES_MAX ((size_t)60 << 20)

enum outcome {
    OUTCOME_DONE, /* Answered, or will be when its record commits. */
    OUTCOME_WAIT, /* Nothing happened; try again later. */
};

void hf_node_answer_error(struct hf_node *node,
                          struct hf_operation_id operation, const char *text)
{
    struct hf_reply reply = hf_reply_error(text);
    hf_node_answer(node, operation, &reply, 0);
}

/* Records. */

static bool copy_counts(enum hf_copy_state state)
{
    return state == HF_COPY_FULL ||
           (state == HF_COPY_LEARNT && !HF_MUTATED(LEARNER_NOT_AWAITED)) ||
           state == HF_COPY_NOMINATED;
}

static bool copy_streams(const struct hf_node *node, const struct hf_copy *copy,
                         uint16_t p)
{
    return copy_counts(copy->state) || copy->state == HF_COPY_STREAMED ||
           (copy->state == HF_COPY_LEARNING &&
            node->members[copy->member].learning == (int32_t)p);
}

static bool stream_is_full(const struct hf_node *node, uint8_t member)
{
    return node->members[member].stream.bytes > node->config.stream_bytes_max;
}

/* Whether every stream this partition's writes wait for has room. */
bool hf_node_streams_have_room(const struct hf_node *node, uint16_t p)
{
    const struct hf_partition *partition = &node->partitions[p];
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        const struct hf_copy *copy = &partition->copies[i];
        if (copy_counts(copy->state) && stream_is_full(node, copy->member)) {
            return false;
        }
    }
    return true;
}

static int reserve_streams(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    int error = hf_record_queue_reserve(&partition->log, node->mem);
    for (uint8_t i = 0; error == 0 && i < partition->copy_count; i++) {
        if (copy_streams(node, &partition->copies[i], p)) {
            error = hf_stream_reserve(
                &node->members[partition->copies[i].member].stream, node->mem,
                1);
        }
    }
    return error;
}

/* Whether one copy in sync is all that a record has to wait for. */
static bool is_paired(const struct hf_partition *partition)
{
    unsigned counted = 0;
    unsigned full = 0;
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        const struct hf_copy *copy = &partition->copies[i];
        counted += copy_counts(copy->state) ? 1 : 0;
        full += copy->acting && copy->state == HF_COPY_FULL ? 1 : 0;
    }
    return (counted == 1 || HF_MUTATED(PAIRED_IN_A_CROWD)) && full == 1;
}

static void push_to_copies(struct hf_node *node, uint16_t p,
                           struct hf_record *record)
{
    struct hf_partition *partition = &node->partitions[p];
    record->streamed = true;
    record->paired = is_paired(partition);
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        const struct hf_copy *copy = &partition->copies[i];
        if (!copy_streams(node, copy, p)) {
            continue;
        }
        struct hf_member *member = &node->members[copy->member];
        bool counts = copy_counts(copy->state);
        if (!counts && !copy->acting && stream_is_full(node, copy->member)) {
            hf_node_put_off(node, copy->member);
            continue;
        }
        uint64_t below = HF_SESSIONS_END;
        if (copy->state == HF_COPY_LEARNING) {
            below = HF_MUTATED(LEARNER_MISSES_WRITES) ? 0 : member->learn_from;
        }
        if (counts) {
            record->pending++;
        }
        hf_stream_push(&member->stream, record, below, counts, node->now);
        hf_node_stream_send(node, copy->member);
    }
}

/* Whether something that @record is about is not there any more. */
static bool has_removed(const struct hf_partition *partition,
                        const struct hf_record_view *record, uint32_t hash)
{
    const struct hf_sessions *sessions = &partition->sessions;
    if (hf_effects_of_partition(record->effects)) {
        return true;
    }
    if (!hf_effects_of_unit(record->effects)) {
        return hf_sessions_find(sessions, record->key, hash) == NULL &&
               !HF_MUTATED(EARLY_NIL);
    }
    struct hf_reader reader = hf_reader_of(record->effects);
    struct hf_slice key;
    struct hf_slice effects;
    while (hf_effects_next_key(&reader, &key, &effects)) {
        if (hf_sessions_find(sessions, key, hf_sessions_hash(key)) == NULL) {
            return true;
        }
    }
    return false;
}

/* A reader who finds nothing waits for the last write that removed. */
void hf_partition_note_delete(struct hf_partition *partition,
                              const struct hf_record_view *record,
                              uint32_t hash)
{
    if (has_removed(partition, record, hash)) {
        partition->last_delete = record->version.sequence;
    }
}

/* Never the wall clock, which people set. */
static hf_time deadlines_from(const struct hf_node *node)
{
    if (HF_MUTATED(WALL_CLOCK)) {
        return node->started_at + node->wall_ms -
               (int64_t)node->config.self.started_ms;
    }
    return node->now;
}

struct write {
    struct hf_slice key;
    uint32_t hash;
    struct hf_slice effects;
    struct hf_slice reply;
    struct hf_overlay *overlay; /* Where they were applied; or NULL. */
};

static int apply_write(struct hf_node *node, const struct write *write,
                       const struct hf_record_view *view)
{
    if (write->overlay != NULL) {
        return hf_overlay_commit(write->overlay, view->version);
    }
    return hf_partition_apply(node, view, write->hash, deadlines_from(node));
}

/* Makes a record, applies it and sends it on its way. Returns 0 or HF_ENOMEM,
 * or HF_EPROTO for effects that a peer gave us and that do not fit (nothing
 * happened). */
static int write_record(struct hf_node *node, uint16_t p,
                        struct hf_operation_id operation,
                        const struct write *write)
{
    struct hf_partition *partition = &node->partitions[p];
    struct hf_record_view view = {
        .kind = HF_RECORD_WRITE,
        .partition = p,
        .version = {node->view->epoch, partition->version.sequence + 1},
        .operation = operation,
        .key = write->key,
        .effects = write->effects,
        .reply = write->reply};
    struct hf_buffer *notices = &node->publishing.notices;
    struct hf_record *record =
        hf_record_new_noted(node->mem, &view, hf_buffer_slice(notices));
    hf_buffer_clear(notices);
    if (record == NULL) {
        return HF_ENOMEM;
    }
    int error = reserve_streams(node, p);
    if (error == 0 && operation.number != 0) {
        error = hf_operations_add(&node->operations, operation, p,
                                  view.version.sequence, write->reply);
    }
    if (error == 0) {
        error = apply_write(node, write, &view);
        if (error != 0 && operation.number != 0) {
            hf_operations_remove(&node->operations, operation);
        }
    }
    if (error != 0) {
        hf_record_release(node->mem, record);
        return error;
    }
    hf_partition_advance(partition, view.version);
    if (operation.number != 0) {
        partition->touched_at = node->now;
    }
    /* Not by the caller's key: it may have been the session's own. */
    hf_partition_note_delete(partition, &record->view, write->hash);
    error = hf_record_queue_push(&partition->log, node->mem, record);
    HF_ASSERT(error == 0); /* Reserved. */
    node->counters.writes++;
    push_to_copies(node, p, record);
    if (HF_MUTATED(EVENT_AT_ONCE)) {
        hf_node_publish_notices(node, record->notices);
    }
    return 0;
}

/* The same of node->effects, on one key. */
static int write_key(struct hf_node *node, uint16_t p,
                     struct hf_operation_id operation, struct hf_slice key,
                     uint32_t hash, struct hf_slice reply)
{
    struct write write = {.key = key,
                          .hash = hash,
                          .effects = hf_buffer_slice(&node->effects),
                          .reply = reply};
    return write_record(node, p, operation, &write);
}

/* Whether a copy asked for it, and answers from the record itself when it is
 * told of the commit (copies.c). */
static bool copy_answers(const struct hf_node *node,
                         const struct hf_record *record)
{
    const struct hf_partition *partition =
        &node->partitions[record->view.partition];
    for (uint8_t i = 0; record->streamed && i < partition->copy_count; i++) {
        const struct hf_copy *copy = &partition->copies[i];
        if (copy->acting && copy->state == HF_COPY_FULL &&
            node->view->members[copy->member].incarnation ==
                record->view.operation.origin) {
            return true;
        }
    }
    return false;
}

static void record_commit(struct hf_node *node, struct hf_record *record)
{
    record->committed = true;
    if (!copy_answers(node, record)) {
        hf_node_answer_tokens(node, record->view.operation, record->view.reply);
    }
    for (struct hf_waiter *waiter = record->waiters; waiter != NULL;
         waiter = waiter->next) {
        if (waiter->range != NULL) {
            hf_node_range_committed(node, waiter->range);
        } else {
            hf_node_answer_tokens(node, waiter->operation, waiter->reply);
        }
    }
    node->answer_bytes -= hf_record_drop_waiters(node->mem, record);
    if (record->notices.size > 0) {
        hf_node_publish_notices(node, record->notices);
    }
}

static void commit_ready(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    while (partition->log.count > 0) {
        struct hf_record *record = hf_record_queue_at(&partition->log, 0);
        if (record->pending > 0 && !HF_MUTATED(EARLY_OK)) {
            return;
        }
        if (!hf_node_may_write(node, p) && !HF_MUTATED(LATE_ANSWER)) {
            node->commit_blocked = true;
            return;
        }
        (void)hf_record_queue_pop(&partition->log);
        partition->base = record->view.version;
        partition->committed = record->view.version.sequence;
        hf_node_count_commit(node, p, partition->committed,
                             record->view.effects);
        record_commit(node, record);
        hf_record_release(node->mem, record);
    }
    hf_node_nominate_learnt(node, p);
}

void hf_node_try_commit(struct hf_node *node, uint16_t p)
{
    const struct hf_partition *partition = &node->partitions[p];
    if (!partition->primary || !partition->synced) {
        return;
    }
    commit_ready(node, p);
    if (partition->merges_pending > 0) {
        hf_node_merge_committed(node, p);
    }
}

struct hf_apply hf_node_apply_context(struct hf_node *node, uint16_t p)
{
    hf_buffer_clear(&node->effects);
    hf_buffer_clear(&node->scratch);
    return (struct hf_apply){.sessions = &node->partitions[p].sessions,
                             .now = node->now,
                             .wall_ms = node->wall_ms,
                             .value_bytes_max = node->config.value_bytes_max,
                             .fences = &node->config.fences,
                             .epoch = node->view->epoch,
                             .last_delete = node->partitions[p].last_delete,
                             .effects = &node->effects,
                             .scratch = &node->scratch,
                             .rng = &node->rng,
                             .reply = hf_reply_nil()};
}

/* Carrying out. */

static struct hf_record *record_at(const struct hf_partition *partition,
                                   uint64_t sequence)
{
    HF_ASSERT(sequence > partition->base.sequence);
    uint64_t index = sequence - partition->base.sequence - 1;
    return hf_record_queue_at(&partition->log, (uint32_t)index);
}

static struct hf_slice reply_tokens(struct hf_node *node,
                                    const struct hf_reply *reply)
{
    hf_buffer_clear(&node->tokens);
    hf_reply_encode(reply, &node->tokens);
    return hf_buffer_slice(&node->tokens);
}

/* An answer that changed nothing: at once, or after the write it shows. */
static void answer_read(struct hf_node *node, uint16_t p,
                        struct hf_operation_id operation, uint64_t shows,
                        const struct hf_reply *reply)
{
    struct hf_partition *partition = &node->partitions[p];
    if (shows <= partition->committed || HF_MUTATED(DIRTY_READ)) {
        hf_node_answer(node, operation, reply, 0);
        return;
    }
    if (node->answer_bytes > node->config.held_bytes_max) {
        hf_node_answer_error(node, operation, hf_many_answers_text);
        return;
    }
    struct hf_slice tokens = reply_tokens(node, reply);
    if (node->tokens.failed ||
        hf_record_wait(node->mem, record_at(partition, shows), operation,
                       tokens) != 0) {
        hf_node_answer_error(node, operation, hf_no_memory_text);
        return;
    }
    node->answer_bytes += tokens.size;
}

/* Whether its origin gave the operation up, or was answered. It may have been
 * forgotten then, so carrying it out now could be a second time. */
bool hf_node_is_over(const struct hf_node *node, struct hf_operation_id id)
{
    if (id.origin == node->config.self.incarnation) {
        return id.number < hf_node_requests_finished(node);
    }
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->info.incarnation == id.origin) {
            /* Out of the view it may come back and ask again. */
            return peer->refused || id.number < peer->beat.ops_finished ||
                   node->now - peer->heard > HF_ORIGIN_GONE_MS;
        }
    }
    return true; /* Its origin is gone. */
}

static bool is_repeated(struct hf_node *node, uint64_t committed,
                        struct hf_operation_id operation)
{
    const struct hf_operation *known =
        hf_operations_find(&node->operations, operation);
    if (known == NULL || HF_MUTATED(NO_DEDUP)) {
        return false;
    }
    node->counters.operations_repeated++;
    if (known->sequence <= committed) {
        hf_node_answer_tokens(node, operation, known->reply);
    } /* Else the record it made, or shows, answers when it commits. */
    return true;
}

/* Drops a session or lifts a fence by a write of our own. 0 or HF_ENOMEM. */
static int drop_entry(struct hf_node *node, uint16_t p,
                      const struct hf_session *entry)
{
    struct hf_slice key = hf_session_key(entry);
    uint32_t hash = hf_session_hash(entry);
    hf_buffer_clear(&node->effects);
    hf_effects_delete(&node->effects);
    if (node->effects.failed) {
        hf_buffer_clear(&node->publishing.notices);
        return HF_ENOMEM;
    }
    return write_key(node, p, (struct hf_operation_id){0, 0}, key, hash,
                     (struct hf_slice){NULL, 0});
}

int hf_node_expire_entry(struct hf_node *node, uint16_t p,
                         const struct hf_session *entry)
{
    bool session = hf_session_type(entry) != HF_SESSION_FENCE;
    if (session && hf_publishing_is_on(&node->publishing)) {
        hf_node_note_event(node, HF_NOTICE_EXPIRED, hf_session_key(entry));
    }
    int error = drop_entry(node, p, entry);
    if (error == 0 && session) {
        node->counters.expired++;
    }
    return error;
}

/* A fence was added: lift those that end first if that was too much. */
static void bound_fences(struct hf_node *node, uint16_t p)
{
    struct hf_sessions *sessions = &node->partitions[p].sessions;
    while (sessions->fence_bytes > HF_FENCE_BYTES_MAX &&
           !HF_MUTATED(FENCES_UNBOUNDED)) {
        if (drop_entry(node, p, hf_sessions_first_fence(sessions)) != 0) {
            return; /* No memory: with the next fence. */
        }
        node->counters.fences_lifted_early++;
        if (node->now - node->fences_warned_at >= FENCES_WARN_MS) {
            node->fences_warned_at = node->now;
            hf_log(&node->config.log, HF_LOG_WARNING,
                   "too many logouts for the memory of fences: %llu lifted "
                   "before their time so far",
                   (unsigned long long)node->counters.fences_lifted_early);
        }
    }
}

int hf_node_expire_key(struct hf_node *node, uint16_t p, struct hf_slice key)
{
    const struct hf_session *session = hf_sessions_find(
        &node->partitions[p].sessions, key, hf_sessions_hash(key));
    int error = session == NULL ? 0 : hf_node_expire_entry(node, p, session);
    hf_node_try_commit(node, p);
    return error;
}

int hf_node_write_session(struct hf_node *node, uint16_t p, struct hf_slice key)
{
    int error = write_key(node, p, (struct hf_operation_id){0, 0}, key,
                          hf_sessions_hash(key), (struct hf_slice){NULL, 0});
    if (error == 0) {
        bound_fences(node, p);
    }
    return error;
}

static enum outcome run_effects(struct hf_node *node, uint16_t p,
                                struct hf_operation_id operation,
                                struct hf_slice key, uint32_t hash,
                                const struct hf_reply *reply)
{
    struct hf_slice tokens = reply_tokens(node, reply);
    hf_time grace = hf_node_touch_begin(node);
    if (node->tokens.failed || node->effects.failed) {
        hf_buffer_clear(&node->publishing.notices);
        hf_node_answer_error(node, operation, hf_no_memory_text);
        return OUTCOME_DONE;
    }
    if (write_key(node, p, operation, key, hash, tokens) != 0) {
        hf_node_answer_error(node, operation, hf_no_memory_text);
        return OUTCOME_DONE;
    }
    hf_node_touch_end(node, p, key, hash, grace);
    bound_fences(node, p);
    hf_node_try_commit(node, p);
    return OUTCOME_DONE;
}

/* A command that changed nothing, and @shows up to where others did. */
static void answer_unchanged(struct hf_node *node, uint16_t p,
                             struct hf_operation_id operation, bool writes,
                             uint64_t shows, const struct hf_reply *reply)
{
    if (writes && operation.number != 0) {
        /* Not on the copies: a repetition after a failover is carried out
         * anew, which is as good, since nobody saw an answer. */
        struct hf_slice tokens = reply_tokens(node, reply);
        int error = node->tokens.failed
                        ? HF_ENOMEM
                        : hf_operations_add_local(&node->operations, operation,
                                                  p, shows, tokens);
        if (error != 0) {
            hf_node_answer_error(node, operation, hf_no_memory_text);
            return;
        }
    }
    answer_read(node, p, operation, shows, reply);
}

uint64_t hf_node_shown(const struct hf_partition *partition,
                       const struct hf_session *entry)
{
    if (entry == NULL) {
        return partition->last_delete;
    }
    struct hf_version version = hf_session_version(entry);
    return hf_version_is_taken(version) ? partition->last_taken
                                        : version.sequence;
}

bool hf_node_writes_alone(const struct hf_node *node, uint16_t p)
{
    const struct hf_partition *partition = &node->partitions[p];
    return (partition->copy_count == 0 || HF_MUTATED(ALONE_THOUGH_COPIED)) &&
           partition->log.count == 0 && partition->merges_pending == 0;
}

/* Without a record, since there is nobody to send it to, and without an
 * operation: who is answered at once repeats nothing. */
void hf_node_write_alone(struct hf_node *node, uint16_t p,
                         struct hf_apply *apply,
                         const struct hf_command *command)
{
    struct hf_partition *partition = &node->partitions[p];
    const struct hf_version version = {node->view->epoch,
                                       partition->version.sequence + 1};
    uint32_t count = partition->sessions.count;
    hf_command_apply(apply, command);
    if (node->scratch.failed || node->effects.failed) {
        apply->reply = hf_reply_error(hf_no_memory_text);
        return;
    }
    if (node->effects.size == 0) {
        if (hf_publishing_is_on(&node->publishing)) {
            hf_node_note_unchanged(node, apply, command);
            hf_node_publish_noted(node);
        }
        return;
    }
    if (hf_publishing_is_on(&node->publishing)) {
        hf_node_note(node, apply, command->argv[1]);
    }
    if (hf_sessions_apply(&partition->sessions, command->argv[1], apply->hash,
                          version, hf_buffer_slice(&node->effects),
                          deadlines_from(node)) != 0) {
        hf_buffer_clear(&node->publishing.notices);
        apply->reply = hf_reply_error(hf_no_memory_text);
        return;
    }
    hf_partition_advance(partition, version);
    if (partition->sessions.count < count) {
        partition->last_delete = version.sequence;
    }
    partition->touched_at = node->now;
    partition->base = version;
    partition->committed = version.sequence;
    node->counters.writes++;
    hf_node_count_commit(node, p, version.sequence,
                         hf_buffer_slice(&node->effects));
    hf_node_publish_noted(node);
    bound_fences(node, p);
    hf_node_try_commit(node, p); /* Fences it lifted. */
}

static enum outcome run_command(struct hf_node *node, uint16_t p,
                                struct hf_operation_id operation,
                                const struct hf_command *command)
{
    struct hf_partition *partition = &node->partitions[p];
    struct hf_slice key = command->argv[1];
    struct hf_apply apply = hf_node_apply_context(node, p);
    hf_apply_find(&apply, command);
    const uint32_t hash = apply.hash;
    const struct hf_session *entry = apply.entry;
    bool writes = (command->row->flags & HF_COMMAND_WRITE) != 0;
    /* A fence hides nothing from who only reads, over or not. */
    bool expired = entry != NULL && hf_session_deadline(entry) <= node->now &&
                   (writes || hf_session_type(entry) != HF_SESSION_FENCE) &&
                   !HF_MUTATED(EXPIRED_IS_SERVED);
    if ((writes || expired) && !hf_node_streams_have_room(node, p)) {
        return OUTCOME_WAIT;
    }
    if (expired) {
        if (hf_node_expire_entry(node, p, entry) != 0) {
            hf_node_answer_error(node, operation, hf_no_memory_text);
            return OUTCOME_DONE;
        }
        hf_node_try_commit(node, p); /* Whatever becomes of the command. */
        entry = NULL;
        apply = hf_node_apply_context(node, p);
        apply.hash = hash;
    }
    hf_command_apply(&apply, command);
    if (node->scratch.failed) {
        hf_node_answer_error(node, operation, hf_no_memory_text);
        return OUTCOME_DONE;
    }
    if (node->effects.size > 0 || node->effects.failed) {
        if (hf_publishing_is_on(&node->publishing)) {
            hf_node_note(node, &apply, key);
        }
        if (!hf_node_touch(node, p, key, hash)) {
            return run_effects(node, p, operation, key, hash, &apply.reply);
        }
        hf_node_publish_noted(node);
    } else if (hf_publishing_is_on(&node->publishing)) {
        hf_node_note_unchanged(node, &apply, command);
        hf_node_publish_noted(node);
    }
    answer_unchanged(node, p, operation, writes,
                     hf_node_shown(partition, entry), &apply.reply);
    return OUTCOME_DONE;
}

/* FLUSHALL, as far as it is about this partition. */
static enum outcome run_flush(struct hf_node *node, uint16_t p,
                              struct hf_operation_id operation,
                              const struct hf_command *command)
{
    if (!hf_node_streams_have_room(node, p)) {
        return OUTCOME_WAIT;
    }
    struct hf_slice none = {NULL, 0};
    struct hf_apply apply = hf_node_apply_context(node, p);
    command->row->apply(&apply, command);
    if (node->effects.size > 0 || node->effects.failed) {
        return run_effects(node, p, operation, none, 0, &apply.reply);
    }
    answer_unchanged(node, p, operation, true, node->partitions[p].last_delete,
                     &apply.reply);
    return OUTCOME_DONE;
}

static enum outcome run_unit(struct hf_node *node, uint16_t p,
                             struct hf_operation_id operation,
                             const struct hf_command *command)
{
    if (!hf_node_streams_have_room(node, p)) {
        return OUTCOME_WAIT; /* Something may have expired, at least. */
    }
    struct hf_unit unit;
    struct hf_reply reply;
    hf_unit_open(&unit, node, p);
    hf_unit_run(&unit, command, &reply);
    if (unit.failed != NULL || !hf_unit_has_effects(&unit)) {
        if (unit.failed != NULL) {
            hf_buffer_clear(&node->publishing.notices);
        }
        hf_node_publish_noted(node);
        answer_unchanged(node, p, operation, unit.failed == NULL, unit.shows,
                         &reply);
    } else {
        struct write write = {.reply = reply_tokens(node, &reply),
                              .overlay = &unit.overlay};
        write.effects = hf_unit_effects(&unit, &write.key);
        write.hash = hf_sessions_hash(write.key);
        if (write.effects.size + write.reply.size > UNIT_RECORD_BYTES_MAX) {
            hf_buffer_clear(&node->publishing.notices);
            hf_node_answer_error(node, operation, HF_REPLY_TOO_LARGE);
        } else if (node->tokens.failed ||
                   write_record(node, p, operation, &write) != 0) {
            hf_buffer_clear(&node->publishing.notices);
            hf_node_answer_error(node, operation, hf_no_memory_text);
        }
        bound_fences(node, p);
    }
    hf_node_try_commit(node, p); /* Also of what had expired. */
    hf_unit_close(&unit);
    return OUTCOME_DONE;
}

bool hf_node_try_execute(struct hf_node *node, uint16_t p,
                         struct hf_operation_id operation,
                         const struct hf_command *command)
{
    if (!hf_node_may_serve(node, p)) {
        return false;
    }
    if (node->commit_blocked) {
        hf_node_try_commit(node, p); /* The lease may have just come back. */
    }
    bool writes = (command->row->flags & HF_COMMAND_WRITE) != 0;
    if ((hf_node_is_over(node, operation) &&
         !HF_MUTATED(REPEATED_AFTER_THE_END)) ||
        (writes &&
         is_repeated(node, node->partitions[p].committed, operation))) {
        return true;
    }
    switch (command->row->route) {
    case HF_ROUTE_PARTITIONS:
        return run_flush(node, p, operation, command) == OUTCOME_DONE;
    case HF_ROUTE_UNIT:
    case HF_ROUTE_SCRIPT:
        return run_unit(node, p, operation, command) == OUTCOME_DONE;
    default:
        return run_command(node, p, operation, command) == OUTCOME_DONE;
    }
}

/* Expiry: only a primary expires, by a write like any other. */

static void on_session_due(void *user, struct hf_sessions *sessions,
                           struct hf_session *session)
{
    struct hf_node *node = user;
    uint16_t p = sessions->partition;
    if ((!hf_node_may_serve(node, p) && !HF_MUTATED(COPY_EXPIRES)) ||
        !hf_node_streams_have_room(node, p)) {
        return;
    }
    if (hf_node_expire_entry(node, p, session) == 0) {
        hf_node_try_commit(node, p);
    }
}

void hf_node_expire_due(struct hf_node *node)
{
    node->expiry_waits = hf_expiry_run(
        &node->expiry, node->now, HF_EXPIRY_VISITS_MAX, on_session_due, node);
}
