/* slow.c - Copies that do not keep up.
 *
 * Slow is not dead: a member whose heartbeats come, but whose copies
 * acknowledge nothing, may have a stuck link for data or no memory. It is not
 * waited for, and nothing but the copies it holds up is taken from it:
 *
 *   learner  counted, and no progress for HF_LEARNER_SLOW_MS: forgotten, and
 *            what waited for it is committed
 *   copy     no progress for HF_SLOW_MS: our heartbeats say so, and the next
 *            view drops it from our partitions (proposal.c); HF_SLOW_BALLOT_MS
 *            when it grants nothing, for then it waits for a ballot, which we
 *            may not have heard of
 *
 * Either way it is filled again after a pause, which doubles each time. Any
 * acknowledgement is progress, so whoever is late but goes on is waited for;
 * the bound of its stream slows its clients down. */
#include "base/assert.h"
#include "core/node_state.h"

bool hf_node_is_put_off(const struct hf_node *node, uint8_t member)
{
    const struct hf_peer *peer = node->members[member].peer;
    return peer != NULL && node->now < peer->slow_until;
}

hf_member_set hf_node_put_off_members(const struct hf_node *node)
{
    hf_member_set set = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        set |= hf_node_is_put_off(node, i) ? hf_member_set_of(i) : 0;
    }
    return set;
}

hf_member_set hf_node_slow_members(const struct hf_node *node)
{
    hf_member_set set = 0;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        set |= node->members[i].slow ? hf_member_set_of(i) : 0;
    }
    return set;
}

static void pause_longer(struct hf_node *node, uint8_t member)
{
    struct hf_peer *peer = node->members[member].peer;
    if (peer == NULL || node->now < peer->slow_until) {
        return; /* Gone, or put off already. */
    }
    bool long_ago = peer->slow_pause == 0 ||
                    node->now > peer->slow_until + HF_SLOW_PAUSE_MAX_MS;
    hf_time pause = long_ago ? HF_SLOW_PAUSE_MS : 2 * peer->slow_pause;
    peer->slow_pause =
        pause < HF_SLOW_PAUSE_MAX_MS ? pause : HF_SLOW_PAUSE_MAX_MS;
    peer->slow_until = node->now + peer->slow_pause;
}

/* Records on the stream to @member that waited for learners which were put
 * off just now do not any more. */
static void release_records(struct hf_node *node, uint8_t member)
{
    struct hf_stream *stream = &node->members[member].stream;
    for (uint64_t n = stream->acked + 1; n < hf_stream_next(stream); n++) {
        struct hf_stream_entry *entry = hf_stream_at(stream, n);
        uint16_t p = entry->record->view.partition;
        const struct hf_copy *copy =
            hf_partition_copy(&node->partitions[p], member);
        if (entry->counted && copy != NULL && copy->state == HF_COPY_WANTED) {
            HF_ASSERT(entry->record->pending > 0);
            entry->record->pending--;
            entry->counted = false;
        }
    }
}

void hf_node_put_off(struct hf_node *node, uint8_t member)
{
    bool any = false;
    bool counted = false;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_copy *copy = hf_partition_copy(&node->partitions[p], member);
        if (copy == NULL || copy->acting ||
            (copy->state != HF_COPY_LEARNING &&
             copy->state != HF_COPY_STREAMED &&
             copy->state != HF_COPY_LEARNT)) {
            continue;
        }
        any = true;
        counted = counted || copy->state == HF_COPY_LEARNT;
        copy->state = HF_COPY_WANTED;
        copy->learnt = 0; /* What it reported is not so any more. */
        if (node->members[member].learning == (int32_t)p) {
            node->members[member].learning = -1;
        }
    }
    if (!any) {
        return;
    }
    node->counters.learners_put_off++;
    node->members[member].refill_wanted = true;
    pause_longer(node, member);
    hf_log(&node->config.log, HF_LOG_INFO,
           "%s does not keep up while it is filled: put off",
           node->view->members[member].name);
    release_records(node, member);
    /* Not here: we may be in the middle of a write. */
    node->commit_blocked = node->commit_blocked || counted;
}

/* Members whose word some partition of ours needs before it can be served. */
static hf_member_set awaited(struct hf_node *node)
{
    hf_member_set set = 0;
    for (uint16_t p = 0; node->unsynced > 0 && p < HF_PARTITION_COUNT; p++) {
        struct hf_partition *partition = &node->partitions[p];
        if (!partition->primary || partition->synced) {
            continue;
        }
        for (uint8_t i = 0; i < partition->copy_count; i++) {
            const struct hf_copy *copy = &partition->copies[i];
            set |= copy->state == HF_COPY_UNKNOWN
                       ? hf_member_set_of(copy->member)
                       : 0;
        }
        const struct hf_copy *ahead =
            partition->pulling ? hf_partition_ahead(partition) : NULL;
        set |= ahead != NULL ? hf_member_set_of(ahead->member) : 0;
    }
    return set;
}

/* What of ours stands still when @member does. */
static void held_up(struct hf_node *node, uint8_t member, bool *learners,
                    bool *copies)
{
    *learners = false;
    *copies = false;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_copy *copy =
            hf_partition_copy(&node->partitions[p], member);
        if (copy == NULL) {
            continue;
        }
        /* A view may make a nominated one a copy at any moment. */
        if (copy->acting || copy->state == HF_COPY_NOMINATED) {
            *copies = true;
        } else {
            *learners = *learners || copy->state == HF_COPY_LEARNT;
        }
    }
}

/* Who has promised a later epoch acknowledges nothing, and says nothing else of
 * it than that it grants nothing. The next view ends that, and should not drop
 * a copy that is level; but where some hear others and some do not there may be
 * none for as long as that lasts. */
static bool is_voting(const struct hf_node *node, uint8_t member)
{
    const struct hf_peer *peer = node->members[member].peer;
    return peer != NULL && peer->has_beat && peer->beat.echo == 0 &&
           peer->beat.epoch == node->view->epoch;
}

static void stands_still(struct hf_node *node, uint8_t i, hf_time since)
{
    struct hf_member *member = &node->members[i];
    hf_time most = is_voting(node, i) ? HF_SLOW_BALLOT_MS : HF_SLOW_MS;
    bool learners;
    bool copies;
    held_up(node, i, &learners, &copies);
    if (learners || since > most) {
        hf_node_put_off(node, i);
    }
    if (since > most && copies && !member->slow &&
        !HF_MUTATED(SLOW_IS_AWAITED)) {
        member->slow = true;
        node->counters.slow_reported++;
        node->beat_at = node->now; /* Everybody should know at once. */
        pause_longer(node, i);
        hf_log(&node->config.log, HF_LOG_WARNING,
               "%s is alive but has acknowledged nothing for %lld ms: asking "
               "for a view without its copies of our partitions",
               node->view->members[i].name, (long long)since);
    }
}

static bool is_silent(const struct hf_node *node, uint8_t member)
{
    hf_member_set silent = hf_node_suspects(node) | node->view->absent;
    return (silent & hf_member_set_of(member)) != 0;
}

void hf_node_slow_tick(struct hf_node *node)
{
    if (node->state != HF_STATE_ACTIVE || node->promised > node->view->epoch) {
        return; /* After a promise nobody acknowledges anything. */
    }
    hf_member_set waited = awaited(node);
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        struct hf_member *member = &node->members[i];
        const struct hf_stream *stream = &member->stream;
        bool owes = stream->acked + 1 < hf_stream_next(stream) ||
                    (waited & hf_member_set_of(i)) != 0;
        hf_time from = stream->progress_at > node->installed_at
                           ? stream->progress_at
                           : node->installed_at;
        if (!owes || !member->ready || node->now - from <= HF_LEARNER_SLOW_MS ||
            is_silent(node, i)) {
            member->slow = false;
        } else {
            stands_still(node, i, node->now - from);
        }
    }
    if (node->commit_blocked) {
        hf_node_run_all_waiting(node); /* What learners held up. */
    }
}
