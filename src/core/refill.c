/* refill.c - Filling a copy that has nothing, while writes go on.
 *
 *   WANTED -> LEARNING -> STREAMED -> LEARNT -> NOMINATED -> a full copy in the
 *                                                            next view
 *
 * The sessions of a partition are streamed in hash order. Writes that happen
 * meanwhile go down the same stream: in full when their key has been passed,
 * as a bare position when it is still to come. Once the learner confirmed the
 * last session (STREAMED), it is told once more that it has everything
 * (LEARNT) and counts: nothing is acknowledged to a client without it. When it
 * confirmed that, it has every acknowledged write and is nominated; the next
 * view makes it a full copy. So clients wait for a learner only when little is
 * on its way to it; and when it stops then, it is put off (slow.c).
 *
 * No more than learn_bytes_max are under way to one node at a time, and less
 * when it takes long until that is acknowledged, because records of clients go
 * down the same stream; no more than learn_bytes_per_second in all; and no more
 * than HF_FILL_ENTRIES_MAX sessions at a time, for small ones take time rather
 * than bytes: acknowledgements and ticks go on. One partition after the other,
 * those with the fewest copies first, of these the one that clients wrote to
 * last. Inside of a partition the order does not matter, for it counts as a
 * whole. */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"
#include "holdfast/error.h"

#define ENTRIES_PER_STEP 16
#define STEP_BYTES 4096

struct hf_copy *hf_partition_copy(struct hf_partition *partition,
                                  uint8_t member)
{
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        if (partition->copies[i].member == member) {
            return &partition->copies[i];
        }
    }
    return NULL;
}

/* Whether its state can be streamed: level with all copies, or with all but
 * those that need to be filled before it can be. */
static bool may_stream(const struct hf_partition *partition)
{
    if (partition->synced || !partition->primary || partition->pulling) {
        return partition->synced && partition->primary;
    }
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        enum hf_copy_state state = partition->copies[i].state;
        if (state == HF_COPY_UNKNOWN || state == HF_COPY_REPORTED) {
            return false;
        }
    }
    return true;
}

/* Which of two partitions to fill first: of which there are fewer copies, then
 * the one with the session that was touched last. */
static bool is_sooner(const struct hf_node *node, uint16_t p, uint16_t than)
{
    uint8_t count = node->view->acting[p].count;
    uint8_t than_count = node->view->acting[than].count;
    return count < than_count ||
           (count == than_count && !HF_MUTATED(FILLED_IN_ORDER) &&
            node->partitions[p].touched_at > node->partitions[than].touched_at);
}

/* Whether it only lacks what our log still has. */
static bool can_resume(const struct hf_partition *partition,
                       const struct hf_copy *copy)
{
    return copy->learnt == HF_SESSIONS_END && !HF_MUTATED(FILLED_ANEW) &&
           hf_partition_reaches(partition, copy->version);
}

/* The copy of @p that @member should have and lacks, if filling it may begin;
 * else NULL. */
static const struct hf_copy *copy_to_fill(const struct hf_node *node,
                                          uint8_t member, uint16_t p,
                                          bool put_off)
{
    struct hf_partition *partition = &node->partitions[p];
    if (!may_stream(partition)) {
        return NULL;
    }
    const struct hf_copy *copy = hf_partition_copy(partition, member);
    bool fill = copy != NULL && copy->state == HF_COPY_WANTED &&
                !copy->kept_aside &&
                (copy->acting || (partition->synced && !put_off));
    return fill ? copy : NULL;
}

/* Puts @p where it belongs among those that come next. */
static void note_next(const struct hf_node *node, struct hf_member *to,
                      uint16_t p)
{
    uint8_t at = to->fill_next_count;
    while (at > 0 && is_sooner(node, p, to->fill_next[at - 1])) {
        at--;
    }
    if (at == HF_FILL_NEXT_MAX) {
        return;
    }
    if (to->fill_next_count < HF_FILL_NEXT_MAX) {
        to->fill_next_count++;
    }
    memmove(&to->fill_next[at + 1], &to->fill_next[at],
            sizeof(to->fill_next[0]) * (to->fill_next_count - at - 1u));
    to->fill_next[at] = p;
}

/* Those that our log suffices for are next to no work: while there are any,
 * only they are noted. */
static void look_at_all(struct hf_node *node, uint8_t member, bool put_off)
{
    struct hf_member *to = &node->members[member];
    bool resumes = false;
    to->fill_next_count = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_copy *copy = copy_to_fill(node, member, p, put_off);
        if (copy == NULL) {
            continue;
        }
        if (!can_resume(&node->partitions[p], copy)) {
            if (!resumes) {
                note_next(node, to, p);
            }
            continue;
        }
        to->fill_next_count = resumes ? to->fill_next_count : 0;
        resumes = true;
        if (to->fill_next_count < HF_FILL_NEXT_MAX) {
            to->fill_next[to->fill_next_count++] = p;
        }
    }
}

/* What comes next, or -1. Of what was noted, that may be a while ago. */
static int32_t next_partition(struct hf_node *node, uint8_t member)
{
    struct hf_member *to = &node->members[member];
    bool put_off = hf_node_is_put_off(node, member);
    bool looked = false;
    for (;;) {
        if (to->fill_next_count == 0 && !looked) {
            look_at_all(node, member, put_off);
            looked = true;
        }
        if (to->fill_next_count == 0) {
            return -1;
        }
        uint16_t p = to->fill_next[0];
        to->fill_next_count--;
        memmove(&to->fill_next[0], &to->fill_next[1],
                sizeof(to->fill_next[0]) * to->fill_next_count);
        if (copy_to_fill(node, member, p, put_off) != NULL) {
            return p;
        }
    }
}

/* How much filling may send: so much each second, with a small burst. */
static void fill_earn(struct hf_node *node)
{
    int64_t rate = (int64_t)node->config.learn_bytes_per_second;
    int64_t burst = rate * HF_FILL_BURST_MS / 1000;
    hf_time elapsed = node->now - node->fill_at;
    node->fill_at = node->now;
    node->fill_bytes =
        elapsed >= 1000 ? burst : node->fill_bytes + rate * elapsed / 1000;
    if (node->fill_bytes > burst) {
        node->fill_bytes = burst;
    }
}

static bool may_fill(struct hf_node *node)
{
    fill_earn(node);
    return node->fill_bytes > 0 || HF_MUTATED(FILLED_UNPACED);
}

/* Some is sent without asking: that a copy has everything. What was earned is
 * bounded before it is paid, or after a pause it would cost nothing. */
static void fill_sent(struct hf_node *node, size_t bytes)
{
    fill_earn(node);
    node->fill_bytes -= (int64_t)bytes;
    node->counters.fill_bytes += bytes;
}

static int push(struct hf_node *node, uint8_t member,
                const struct hf_record_view *view)
{
    struct hf_stream *stream = &node->members[member].stream;
    struct hf_record *record = hf_record_new(node->mem, view);
    if (record == NULL) {
        return HF_ENOMEM;
    }
    int error = hf_stream_reserve(stream, node->mem, 1);
    if (error == 0) {
        hf_stream_push(stream, record, HF_SESSIONS_END, false, node->now);
        fill_sent(node, record->size);
        if (node->members[member].learn_probe == 0) {
            node->members[member].learn_probe = hf_stream_next(stream) - 1;
            node->members[member].learn_probe_at = node->now;
        }
    }
    hf_record_release(node->mem, record);
    return error;
}

/* All is on its way. */
static void copy_is_streamed(struct hf_node *node, struct hf_copy *copy)
{
    copy->state = HF_COPY_STREAMED;
    if (HF_MUTATED(EARLY_NOMINATION)) {
        copy->state = HF_COPY_LEARNT;
        copy->confirmed = true;
    }
    copy->learnt_number =
        hf_stream_next(&node->members[copy->member].stream) - 1;
}

static int push_learnt(struct hf_node *node, uint16_t p, uint8_t member)
{
    struct hf_record_view view = {.kind = HF_RECORD_LEARNT,
                                  .partition = p,
                                  .version = node->partitions[p].version};
    return push(node, member, &view);
}

static int push_operations(struct hf_node *node, uint16_t p, uint8_t member)
{
    int error = 0;
    struct hf_list *list = &node->operations.partitions[p];
    for (struct hf_list *link = list->next; error == 0 && link != list;
         link = link->next) {
        const struct hf_operation *operation =
            HF_CONTAINER_OF(link, struct hf_operation, place);
        if (operation->local || HF_MUTATED(OPERATIONS_NOT_REFILLED)) {
            continue;
        }
        struct hf_record_view view = {.kind = HF_RECORD_OPERATION,
                                      .partition = p,
                                      .version = {0, operation->sequence},
                                      .operation = operation->id,
                                      .reply = operation->reply};
        error = push(node, member, &view);
    }
    return error;
}

/* A copy from an earlier view that only lacks what our log still has. */
static int resume(struct hf_node *node, uint16_t p, struct hf_copy *copy)
{
    struct hf_partition *partition = &node->partitions[p];
    struct hf_stream *stream = &node->members[copy->member].stream;
    uint32_t skip =
        (uint32_t)(copy->version.sequence - partition->base.sequence);
    uint32_t count = partition->log.count - skip;
    struct hf_record_view view = {.kind = HF_RECORD_LEARNT,
                                  .partition = p,
                                  .version = partition->version};
    struct hf_record *learnt = hf_record_new(node->mem, &view);
    if (learnt == NULL) {
        return HF_ENOMEM;
    }
    int error = hf_stream_reserve(stream, node->mem, count + 1);
    for (uint32_t i = skip; error == 0 && i < partition->log.count; i++) {
        struct hf_record *record = hf_record_queue_at(&partition->log, i);
        hf_stream_push(stream, record, HF_SESSIONS_END, false, node->now);
        fill_sent(node, record->size);
    }
    if (error == 0) {
        hf_stream_push(stream, learnt, HF_SESSIONS_END, false, node->now);
        copy_is_streamed(node, copy);
        node->counters.fills++;
        node->counters.fills_resumed++;
    }
    hf_record_release(node->mem, learnt);
    return error;
}

/* 0, or HF_ENOMEM: nothing was pushed. */
static int begin(struct hf_node *node, uint8_t member, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    struct hf_copy *copy = hf_partition_copy(partition, member);
    struct hf_member *to = &node->members[member];
    if (can_resume(partition, copy)) {
        return resume(node, p, copy);
    }
    struct hf_record_view view = {
        .kind = HF_RECORD_LEARN, .partition = p, .version = partition->version};
    hf_buffer_clear(&node->scratch);
    hf_knowledge_put(&node->scratch, &partition->knowledge);
    view.effects = hf_buffer_slice(&node->scratch);
    int error = node->scratch.failed ? HF_ENOMEM : push(node, member, &view);
    if (error == 0) {
        to->learning = p;
        to->learn_from = 0;
        copy->learnt = 0; /* What it reported is not so any more. */
        copy->state = HF_COPY_LEARNING;
        node->counters.fills++;
    }
    return error;
}

struct visit {
    struct hf_node *node;
    uint16_t partition;
    uint8_t member;
    int error;
    bool any;      /* Some session was pushed, */
    uint32_t last; /* the last one with this hash. */
    uint32_t at;   /* The hash of the one that was not. */
};

static void on_session(void *user, const struct hf_session *session)
{
    struct visit *visit = user;
    struct hf_node *node = visit->node;
    if (visit->error != 0 || (HF_MUTATED(FENCE_NOT_REFILLED) &&
                              hf_session_type(session) == HF_SESSION_FENCE)) {
        return;
    }
    /* Expired ones too: other copies have them until they are deleted by a
     * write, and if this learner is to write it, it must know of them. */
    visit->at = hf_session_hash(session);
    hf_buffer_clear(&node->scratch);
    hf_effects_of_session(&node->scratch, session, node->now);
    if (node->scratch.failed) {
        visit->error = HF_ENOMEM;
        return;
    }
    struct hf_record_view view = {.kind = HF_RECORD_ENTRY,
                                  .partition = visit->partition,
                                  .version = hf_session_version(session),
                                  .key = hf_session_key(session),
                                  .effects = hf_buffer_slice(&node->scratch)};
    visit->error = push(node, visit->member, &view);
    if (visit->error == 0) {
        visit->any = true;
        visit->last = visit->at;
    }
}

/* How many sessions to push before the bound is looked at again: few when
 * they are large. */
static uint32_t step_count(const struct hf_partition *partition)
{
    const struct hf_sessions *sessions = &partition->sessions;
    bool large =
        sessions->bytes / STEP_BYTES > sessions->count + sessions->fences.count;
    return large ? 1 : ENTRIES_PER_STEP;
}

/* It is filled anew, from the start. */
static void copy_is_wanted(struct hf_node *node, struct hf_copy *copy)
{
    copy->state = HF_COPY_WANTED;
    copy->learnt = 0; /* What it reported is not so any more. */
    node->members[copy->member].refill_wanted = true;
}

/* Writes tell by learn_from whether the learner has a session: it must be right
 * even when a step ended halfway. Where sessions of one hash were torn apart,
 * no position is. */
static void step_failed(struct hf_node *node, const struct visit *visit)
{
    struct hf_member *to = &node->members[visit->member];
    struct hf_partition *partition = &node->partitions[to->learning];
    to->learn_from = visit->at;
    if (visit->any && visit->last == visit->at) {
        to->learning = -1;
        copy_is_wanted(node, hf_partition_copy(partition, visit->member));
    }
}

/* Pushes @count sessions, or all that are left. False when there is no memory
 * to go on: tried again by a tick. */
static bool advance(struct hf_node *node, uint8_t member, uint32_t count)
{
    struct hf_member *to = &node->members[member];
    uint16_t p = (uint16_t)to->learning;
    struct hf_partition *partition = &node->partitions[p];
    struct visit visit = {.node = node,
                          .partition = partition->sessions.partition,
                          .member = member};
    uint64_t next = hf_sessions_scan(&partition->sessions, to->learn_from,
                                     count, on_session, &visit);
    if (visit.error != 0) {
        step_failed(node, &visit);
        return false;
    }
    to->learn_from = next;
    if (next != HF_SESSIONS_END) {
        return true;
    }
    if (push_operations(node, p, member) != 0 ||
        push_learnt(node, p, member) != 0) {
        return false;
    }
    copy_is_streamed(node, hf_partition_copy(partition, member));
    to->learning = -1;
    return true;
}

void hf_node_refill_acked(struct hf_node *node, uint8_t member)
{
    struct hf_member *to = &node->members[member];
    if (to->learn_probe == 0 || to->stream.acked < to->learn_probe) {
        return;
    }
    to->learn_probe = 0;
    hf_time took = node->now - to->learn_probe_at;
    if (took > HF_FILL_LATE_MS) {
        to->learn_window /= 2;
    } else if (took < HF_FILL_SOON_MS) {
        to->learn_window *= 2;
    }
    size_t most = node->config.learn_bytes_max;
    if (to->learn_window > most) {
        to->learn_window = most;
    } else if (to->learn_window < most / 256) {
        to->learn_window = most / 256;
    }
}

static bool has_room(const struct hf_member *to)
{
    return to->stream.learn_bytes < to->learn_window ||
           HF_MUTATED(FILLED_UNBOUNDED);
}

void hf_node_refill(struct hf_node *node, uint8_t member)
{
    struct hf_member *to = &node->members[member];
    if (node->state != HF_STATE_ACTIVE || !to->positions_known ||
        !to->refill_wanted) {
        return;
    }
    uint32_t left = HF_FILL_ENTRIES_MAX;
    while (left > 0 && has_room(to) && may_fill(node)) {
        if (to->learning < 0) {
            left -= left < ENTRIES_PER_STEP ? left : ENTRIES_PER_STEP;
            int32_t p = next_partition(node, member);
            if (p < 0) {
                to->refill_wanted = false; /* Not to look at each ACK. */
                to->refill_later = hf_node_is_put_off(node, member);
                break;
            }
            if (begin(node, member, (uint16_t)p) != 0) {
                break; /* No memory: a tick tries again. */
            }
            if (to->learning < 0) {
                continue; /* Its log sufficed. */
            }
        }
        uint32_t count = step_count(&node->partitions[to->learning]);
        left -= count < left ? count : left;
        if (!advance(node, member, count)) {
            break;
        }
    }
    hf_node_stream_send(node, member);
}

void hf_node_refill_allowed(struct hf_node *node, uint16_t p, uint8_t member)
{
    struct hf_copy *copy = hf_partition_copy(&node->partitions[p], member);
    if (copy != NULL) {
        copy->kept_aside = false;
        copy->handed_over = true;
        node->members[member].refill_wanted = true; /* By the next tick. */
    }
}

/* It has caught up with what was there when the last session was sent. What
 * came since is little: from now on nothing is acknowledged without it. */
static void copy_is_learnt(struct hf_node *node, uint16_t p,
                           struct hf_copy *copy)
{
    if (push_learnt(node, p, copy->member) != 0) {
        copy_is_wanted(node, copy); /* No memory: once more. */
        return;
    }
    copy->learnt_number =
        hf_stream_next(&node->members[copy->member].stream) - 1;
    copy->state = HF_COPY_LEARNT;
    copy->learnt_at = node->partitions[p].version.sequence;
    copy->confirmed = false;
    hf_node_stream_send(node, copy->member);
}

void hf_node_learnt_confirmed(struct hf_node *node, uint16_t p, uint8_t member,
                              uint64_t number)
{
    struct hf_copy *copy = hf_partition_copy(&node->partitions[p], member);
    if (copy == NULL || copy->learnt_number != number) {
        return; /* It was put off since. */
    }
    if (copy->state == HF_COPY_STREAMED) {
        copy_is_learnt(node, p, copy);
    } else if (copy->state == HF_COPY_LEARNT) {
        copy->confirmed = true;
        hf_node_nominate_learnt(node, p);
    }
}

/* It dropped its log when it had learnt, so it can be a copy among others only
 * once they all are that far. */
void hf_node_nominate_learnt(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        struct hf_copy *copy = &partition->copies[i];
        if (copy->state != HF_COPY_LEARNT || !copy->confirmed) {
            continue;
        }
        if (copy->acting) {
            copy->state = HF_COPY_FULL;
            hf_node_sync_partition(node, p);
        } else if (partition->committed >= copy->learnt_at &&
                   !partition->awaited) {
            copy->state = HF_COPY_NOMINATED;
            node->nominate_due = true;
        }
    }
}

#define NOMINATIONS_PER_MESSAGE 256

static void nominate(struct hf_node *node,
                     const struct hf_nominate *nominate_now)
{
    struct hf_message message = {.type = HF_MESSAGE_NOMINATE,
                                 .nominate = *nominate_now};
    hf_node_nominated(node, nominate_now);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        hf_node_send_member(node, i, &message);
    }
}

/* There may be something to stream that was not there before. */
static void look_again(struct hf_node *node, uint8_t member)
{
    struct hf_member *to = &node->members[member];
    bool back = to->refill_later && !hf_node_is_put_off(node, member);
    if (back || node->unsynced > 0) {
        to->refill_later = false;
        to->refill_wanted = true;
    }
}

/* Whether we kept aside what those whom the view waits for have died with. */
static bool is_heir(const struct hf_node *node, uint16_t p)
{
    return node->partitions[p].merge.deferred &&
           (hf_view_copies(node->view, p) & ~node->dead) == 0;
}

/* At most HF_COPIES_MAX of them. */
static size_t nominees_of(const struct hf_node *node, uint16_t p,
                          struct hf_nomination *nominations)
{
    const struct hf_partition *partition = &node->partitions[p];
    size_t count = 0;
    if (is_heir(node, p)) {
        nominations[count++] = (struct hf_nomination){p, node->self};
    }
    for (uint8_t i = 0; i < partition->copy_count && count < HF_COPIES_MAX;
         i++) {
        if (partition->copies[i].state == HF_COPY_NOMINATED) {
            nominations[count++] =
                (struct hf_nomination){p, partition->copies[i].member};
        }
    }
    return count;
}

void hf_node_nominate(struct hf_node *node)
{
    node->nominated_at = node->now;
    struct hf_nomination nominations[NOMINATIONS_PER_MESSAGE];
    struct hf_nominate out = {.epoch = node->view->epoch,
                              .nominations = nominations};
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        if (out.count + HF_COPIES_MAX > NOMINATIONS_PER_MESSAGE) {
            nominate(node, &out);
            out.count = 0;
        }
        out.count += nominees_of(node, p, nominations + out.count);
    }
    if (out.count > 0) {
        nominate(node, &out);
    }
}

void hf_node_refill_tick(struct hf_node *node)
{
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    /* The rate is shared: not always the same one first. */
    uint8_t count = node->view->member_count;
    node->fill_turn = (uint8_t)((node->fill_turn + 1) % count);
    for (uint8_t i = 0; i < count; i++) {
        uint8_t member = (uint8_t)((node->fill_turn + i) % count);
        look_again(node, member);
        hf_node_refill(node, member);
    }
    if ((node->nominate_due || node->merge_deferred > 0) &&
        node->now - node->nominated_at >= HF_HEARTBEAT_MS) {
        hf_node_nominate(node);
    }
}
