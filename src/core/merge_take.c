/* merge_take.c - Taking over what another lineage has when it gives way.
 *
 * Each side says which writes it has seen (core/knowledge.h), and every session
 * which one made it. So of each session that one of them has, or both:
 *
 *   ours              theirs            then it is
 *   they saw it       we did not see    theirs
 *   they did not see  we saw it         ours
 *   they did not see  we did not see    a fence, or else the one of the higher
 *                                       version; a conflict
 *   gone              we saw it         gone: it was removed here
 *   gone              we did not see    theirs
 *   they saw it       gone              gone: they removed it
 *   they did not see  gone              ours
 *
 * What is taken over keeps its version, so that whoever else has the same one,
 * or something later, is understood when he hands over, by whatever way it came
 * here. It is written like any write, and answered when it is on every copy;
 * and so is what we know from then on. Therefore a piece that comes a second
 * time, to whichever primary, does nothing, and what our clients change or
 * remove meanwhile stays as they left it. */
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/effects.h"
#include "core/node_state.h"
#include "holdfast/error.h"

#define SCAN_STEP 64
#define REMOVED_BYTES_MAX ((size_t)64 << 10) /* By one piece, about. */
#define REMOVAL_BYTES 128     /* What a record of it takes besides the key. */
#define CONFLICT_LINES_MAX 10 /* In a second. */
#define REFUSED_EVERY_MS 1000

bool hf_node_merge_wants_view(const struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->has_beat && peer->beat.state == HF_STATE_MERGING &&
            peer->beat.follows == node->view->epoch &&
            peer->beat.epoch >= node->view->epoch &&
            node->now - peer->heard <= HF_SUSPECT_MS) {
            return true;
        }
    }
    return false;
}

void hf_node_merge_forget(struct hf_partition *partition)
{
    for (size_t i = 0; i < HF_MERGES_IN_MAX; i++) {
        partition->merges[i].pending = false;
    }
    partition->merges_pending = 0;
}

static struct hf_merge_in *merge_find(struct hf_partition *partition,
                                      uint64_t lineage, hf_epoch held)
{
    for (size_t i = 0; i < HF_MERGES_IN_MAX; i++) {
        struct hf_merge_in *in = &partition->merges[i];
        if (in->lineage == lineage && in->epoch == held) {
            return in;
        }
    }
    return NULL;
}

/* Whether forgetting @in would take nobody back to the start. */
static bool is_idle(const struct hf_node *node, const struct hf_merge_in *in)
{
    return !in->pending &&
           (in->lineage == 0 || in->position == HF_SESSIONS_END ||
            node->now - in->heard > HF_MERGE_LOST_MS);
}

/* In place of the idle one that was heard of first; NULL: of none, so it has
 * to wait. */
static struct hf_merge_in *merge_new(const struct hf_node *node,
                                     struct hf_partition *partition,
                                     uint64_t lineage, hf_epoch held)
{
    struct hf_merge_in *found = NULL;
    for (size_t i = 0; i < HF_MERGES_IN_MAX; i++) {
        struct hf_merge_in *in = &partition->merges[i];
        if (is_idle(node, in) && (found == NULL || in->heard < found->heard)) {
            found = in;
        }
    }
    if (found != NULL) {
        *found = (struct hf_merge_in){.lineage = lineage, .epoch = held};
    }
    return found;
}

/* Whether a later view of @lineage has handed all of it over. */
static bool is_superseded(const struct hf_partition *partition,
                          uint64_t lineage, hf_epoch held)
{
    for (size_t i = 0; i < HF_MERGES_IN_MAX; i++) {
        const struct hf_merge_in *in = &partition->merges[i];
        if (in->lineage == lineage && in->epoch > held &&
            in->position == HF_SESSIONS_END) {
            return true;
        }
    }
    return false;
}

/* Answering. */

static void answer(struct hf_node *node, const struct hf_peer *peer, uint16_t p,
                   const struct hf_merge_in *in)
{
    hf_buffer_clear(&node->tokens);
    hf_knowledge_put(&node->tokens, &node->partitions[p].knowledge);
    if (node->tokens.failed) {
        return; /* It is asked again. */
    }
    struct hf_message message = {
        .type = HF_MESSAGE_MERGED,
        .merged = {.epoch = node->view->epoch,
                   .lineage = in->lineage,
                   .held = in->epoch,
                   .partition = p,
                   .to = in->position,
                   .knowledge = hf_buffer_slice(&node->tokens)}};
    hf_node_send(node, peer, &message);
    if (in->position == HF_SESSIONS_END && peer->member != HF_MEMBER_NONE) {
        hf_node_refill_allowed(node, p, peer->member);
    }
}

/* Awaiting. */

void hf_node_merge_awaited(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    node->merge_awaited += partition->handed ? 0 : 1;
    partition->awaited = true;
    partition->handed = true;
    partition->awaited_until = node->now + HF_MERGE_LOST_MS;
}

void hf_node_merge_arrived(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    node->merge_awaited -= partition->handed ? 1 : 0;
    partition->handed = false;
    partition->awaited = partition->primary && node->view->acting[p].awaited;
}

static void await_ends(struct hf_node *node, uint16_t p)
{
    hf_node_merge_arrived(node, p);
    hf_node_run_waiting(node, p);
    hf_node_nominate_learnt(node, p);
}

static void give_up_until(struct hf_node *node, hf_time until)
{
    struct hf_node_losses losses = {{false}};
    for (uint16_t p = 0; node->merge_awaited > 0 && p < HF_PARTITION_COUNT;
         p++) {
        const struct hf_partition *partition = &node->partitions[p];
        if (partition->handed && partition->awaited_until <= until) {
            losses.lost[p] = true;
            await_ends(node, p);
        }
    }
    hf_node_count_lost(node, &losses, node->view, node->members);
}

void hf_node_merge_give_up(struct hf_node *node)
{
    node->merge_given_up = true;
}

/* Whether somebody is about to hand it over. */
static bool is_on_its_way(const struct hf_node *node,
                          const struct hf_partition *partition)
{
    for (size_t i = 0; i < HF_MERGES_IN_MAX; i++) {
        if (!is_idle(node, &partition->merges[i])) {
            return true;
        }
    }
    return false;
}

void hf_node_merge_await_tick(struct hf_node *node)
{
    bool given_up = node->merge_given_up;
    node->merge_given_up = false;
    if (node->merge_awaited == 0 || node->state != HF_STATE_ACTIVE) {
        return;
    }
    if (given_up) {
        give_up_until(node, HF_NEVER);
        return;
    }
    bool others =
        hf_proposal_knows_others(node) && !HF_MUTATED(AWAITED_IS_SERVED);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        struct hf_partition *partition = &node->partitions[p];
        if (partition->handed && (others || is_on_its_way(node, partition))) {
            partition->awaited_until = node->now + HF_MERGE_LOST_MS;
        }
    }
    give_up_until(node, node->now);
}

/* Whether with @in all is back that we gave up, or something later. Who
 * left that lineage before we did so brings less, under whatever epoch; what
 * was seen tells. */
static bool brings_given(const struct hf_partition *partition,
                         const struct hf_merge_in *in)
{
    const struct hf_merge_given *given = &partition->given;
    return in->position == HF_SESSIONS_END && in->lineage == given->lineage &&
           (given->last.epoch == 0 ||
            hf_knowledge_has(&partition->knowledge, given->last, UINT32_MAX,
                             0));
}

void hf_node_merge_committed(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    bool arrived = false;
    for (size_t i = 0; i < HF_MERGES_IN_MAX; i++) {
        struct hf_merge_in *in = &partition->merges[i];
        if (!in->pending || in->sequence > partition->committed) {
            continue;
        }
        in->pending = false;
        in->position = in->to;
        partition->merges_pending--;
        arrived = arrived || brings_given(partition, in);
        for (size_t j = 0; j < node->peer_count; j++) {
            if (node->peers[j].info.incarnation == in->peer) {
                answer(node, &node->peers[j], p, in);
            }
        }
    }
    if (arrived && partition->handed) {
        await_ends(node, p);
    }
}

/* Deciding. */

static bool effects_next(struct hf_reader *reader, struct hf_effect *effect)
{
    while (hf_effects_next(reader, effect)) {
        if (effect->kind != HF_EFFECT_EXPIRE) {
            return true;
        }
    }
    return false;
}

/* Whether both make the same session, but for the time it has left. */
static bool effects_agree(struct hf_slice a, struct hf_slice b)
{
    struct hf_reader left = hf_reader_of(a);
    struct hf_reader right = hf_reader_of(b);
    struct hf_effect x, y;
    bool more;
    while ((more = effects_next(&left, &x)) == effects_next(&right, &y) &&
           more) {
        if (x.kind != y.kind || x.score != y.score ||
            !hf_slice_equal(x.field, y.field) ||
            !hf_slice_equal(x.value, y.value)) {
            return false;
        }
    }
    return !more && !left.failed && !right.failed &&
           hf_reader_left(&left) == 0 && hf_reader_left(&right) == 0;
}

static void note_conflict(struct hf_node *node, struct hf_slice key,
                          bool theirs)
{
    if (HF_MUTATED(CONFLICT_UNCOUNTED)) {
        return;
    }
    node->counters.merge_conflicts++;
    if (node->now - node->conflicts_since > 1000) {
        node->conflicts_since = node->now;
        node->conflicts_logged = 0;
    }
    if (node->conflicts_logged++ < CONFLICT_LINES_MAX) {
        hf_log(&node->config.log, HF_LOG_WARNING,
               "session %016llx was changed on both sides: %s is kept",
               (unsigned long long)hf_hash(key),
               theirs ? "what the other had" : "what is here");
    }
}

/* Whether what makes a session makes a fence instead. */
static bool makes_fence(struct hf_slice effects)
{
    struct hf_reader reader = hf_reader_of(effects);
    struct hf_effect effect;
    bool fence = false;
    while (hf_effects_next(&reader, &effect)) {
        fence = effect.kind == HF_EFFECT_FENCE;
    }
    return fence;
}

static bool is_fence(const struct hf_session *entry)
{
    return hf_session_type(entry) == HF_SESSION_FENCE;
}

/* A piece, and what its sender has seen. */
struct taking {
    struct hf_node *node;
    const struct hf_merge *merge;
    struct hf_partition *partition;
    struct hf_knowledge theirs;
};

static bool we_saw(const struct taking *taking,
                   const struct hf_merge_entry *entry)
{
    return hf_knowledge_has(&taking->partition->knowledge, entry->version,
                            hf_sessions_hash(entry->key),
                            taking->merge->forked);
}

static bool they_saw(const struct taking *taking,
                     const struct hf_session *session)
{
    return hf_knowledge_has(&taking->theirs, hf_session_version(session),
                            hf_session_hash(session), taking->merge->forked);
}

/* Whether they made the same of it as we, but for the time it has left. */
static bool is_same(const struct taking *taking,
                    const struct hf_merge_entry *entry,
                    const struct hf_session *session)
{
    struct hf_node *node = taking->node;
    hf_buffer_clear(&node->scratch);
    hf_effects_of_session(&node->scratch, session, node->now);
    return effects_agree(entry->effects, hf_buffer_slice(&node->scratch));
}

/* Both were changed: whether theirs is taken instead of @session. */
static bool theirs_wins(const struct taking *taking,
                        const struct hf_merge_entry *entry,
                        const struct hf_session *session)
{
    bool theirs =
        hf_version_is_higher(entry->version, hf_session_version(session));
    if (is_fence(session) != makes_fence(entry->effects) &&
        !HF_MUTATED(MERGE_LOSES_FENCE)) {
        theirs = !is_fence(session);
    }
    if (!is_same(taking, entry, session)) {
        note_conflict(taking->node, entry->key, theirs);
    }
    return theirs;
}

static bool is_taken(const struct taking *taking,
                     const struct hf_merge_entry *entry)
{
    const struct hf_session *session = hf_sessions_find_entry(
        &taking->partition->sessions, entry->key, hf_sessions_hash(entry->key));
    bool known = we_saw(taking, entry);
    if (session == NULL) {
        return !known;
    }
    if (hf_version_equal(entry->version, hf_session_version(session))) {
        return false;
    }
    bool superseded = they_saw(taking, session);
    if (HF_MUTATED(MERGE_TAKES_ALL)) {
        return true;
    }
    if (HF_MUTATED(MERGE_FORGETS_TOUCHES) && is_same(taking, entry, session)) {
        return false;
    }
    return known == superseded ? theirs_wins(taking, entry, session)
                               : superseded;
}

static int take_entry(struct taking *taking, const struct hf_merge_entry *entry)
{
    struct hf_node *node = taking->node;
    if (entry->effects.size == 0 || !is_taken(taking, entry)) {
        return 0; /* Listed only: we have seen it. */
    }
    hf_buffer_clear(&node->effects);
    hf_effects_taken(&node->effects, hf_version_taken(entry->version));
    hf_buffer_append(&node->effects, entry->effects.data, entry->effects.size);
    if (node->effects.failed) {
        return HF_ENOMEM;
    }
    int error =
        hf_node_write_session(node, taking->merge->partition, entry->key);
    if (error == 0) {
        node->counters.sessions_merged++;
    }
    return error;
}

/* What they removed. */

struct removal {
    const struct taking *taking;
    size_t at;    /* Entries before have lower hashes. */
    size_t bytes; /* Of records. */
    bool counts;  /* Does nothing else. */
};

static bool is_listed(struct removal *removal, struct hf_slice key,
                      uint32_t hash)
{
    const struct hf_merge *merge = removal->taking->merge;
    while (removal->at < merge->count &&
           hf_sessions_hash(merge->entries[removal->at].key) < hash) {
        removal->at++;
    }
    for (size_t i = removal->at; i < merge->count; i++) {
        if (hf_slice_equal(merge->entries[i].key, key)) {
            return true;
        }
        if (hf_sessions_hash(merge->entries[i].key) > hash) {
            break;
        }
    }
    return false;
}

static void on_session(void *user, const struct hf_session *session)
{
    struct removal *removal = user;
    uint32_t hash = hf_session_hash(session);
    struct hf_slice key = hf_session_key(session);
    if (hash < removal->taking->merge->to && !is_fence(session) &&
        they_saw(removal->taking, session) && !is_listed(removal, key, hash)) {
        removal->bytes += REMOVAL_BYTES + key.size;
        if (!removal->counts) {
            hf_buffer_put_slice(&removal->taking->node->scratch, key);
        }
    }
}

/* How much of the piece is taken at a time: few records list what was removed,
 * but each removal is one, and streams have not room for any number. */
static uint64_t take_until(const struct taking *taking)
{
    struct removal removal = {.taking = taking, .counts = true};
    uint64_t at = taking->merge->from;
    while (at < taking->merge->to && removal.bytes < REMOVED_BYTES_MAX) {
        at = hf_sessions_scan(&taking->partition->sessions, at, SCAN_STEP,
                              on_session, &removal);
    }
    return at < taking->merge->to ? at : taking->merge->to;
}

static int remove_unlisted(struct taking *taking)
{
    struct hf_node *node = taking->node;
    const struct hf_merge *merge = taking->merge;
    const struct hf_sessions *sessions = &taking->partition->sessions;
    struct removal removal = {.taking = taking};
    hf_buffer_clear(&node->scratch);
    for (uint64_t at = merge->from; at < merge->to;) {
        at = hf_sessions_scan(sessions, at, SCAN_STEP, on_session, &removal);
    }
    if (node->scratch.failed) {
        return HF_ENOMEM;
    }
    struct hf_reader keys = hf_reader_of(hf_buffer_slice(&node->scratch));
    while (hf_reader_left(&keys) > 0) {
        struct hf_slice key = hf_reader_slice(&keys);
        hf_buffer_clear(&node->effects);
        hf_effects_delete(&node->effects);
        if (node->effects.failed ||
            hf_node_write_session(node, merge->partition, key) != 0) {
            return HF_ENOMEM;
        }
    }
    return 0;
}

/* A piece. */

/* Keys of this partition, of these hashes, in order. */
static bool is_sound(const struct hf_merge *merge)
{
    uint64_t least = merge->from;
    for (size_t i = 0; i < merge->count; i++) {
        struct hf_slice key = merge->entries[i].key;
        uint64_t hash = hf_sessions_hash(key);
        if (hash < least || hash >= merge->to ||
            hf_partition_of_key(key) != merge->partition ||
            hf_effects_of_partition(merge->entries[i].effects) ||
            hf_effects_of_unit(merge->entries[i].effects)) {
            return false;
        }
        least = hash;
    }
    return true;
}

/* Whether something is only listed that we have not seen after all. */
static bool lacks_effects(const struct taking *taking)
{
    for (size_t i = 0; i < taking->merge->count; i++) {
        const struct hf_merge_entry *entry = &taking->merge->entries[i];
        if (entry->effects.size == 0 && !we_saw(taking, entry)) {
            return true;
        }
    }
    return false;
}

/* From now on we have seen what they have, of these sessions. */
static int note_seen(struct taking *taking)
{
    struct hf_node *node = taking->node;
    const struct hf_merge *merge = taking->merge;
    struct hf_knowledge joined = taking->partition->knowledge;
    if (!hf_knowledge_join(&joined, &taking->theirs, merge->from, merge->to,
                           merge->forked)) {
        node->counters.merges_forgotten++;
    }
    hf_buffer_clear(&node->effects);
    hf_effects_seen(&node->effects, &joined);
    return node->effects.failed
               ? HF_ENOMEM
               : hf_node_write_session(node, merge->partition,
                                       (struct hf_slice){NULL, 0});
}

/* Of @taking->merge, which ends at what is taken now. */
static int take(struct taking *taking)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < taking->merge->count; i++) {
        error = take_entry(taking, &taking->merge->entries[i]);
    }
    if (error == 0) {
        error = remove_unlisted(taking);
    }
    return error != 0 ? error : note_seen(taking);
}

/* It is sent again and again, and every time counted. */
static void note_refused(struct hf_node *node, const struct hf_peer *from,
                         uint16_t p)
{
    node->counters.records_refused++;
    if (node->now - node->merge_refused_at >= REFUSED_EVERY_MS) {
        node->merge_refused_at = node->now;
        hf_log(&node->config.log, HF_LOG_ERROR,
               "refused what %s hands over of partition %u", from->info.name,
               p);
    }
}

static size_t count_before(const struct hf_merge *merge, uint64_t end)
{
    size_t count = merge->count;
    while (count > 0 &&
           hf_sessions_hash(merge->entries[count - 1].key) >= end) {
        count--;
    }
    return count;
}

static bool is_welcome(struct hf_node *node, const struct hf_merge *merge)
{
    /* In a later view than theirs, so that what we write is newer. */
    return node->state == HF_STATE_ACTIVE &&
           merge->epoch == node->view->epoch &&
           merge->held < node->view->epoch && merge->lineage != 0 &&
           hf_node_may_write(node, merge->partition) &&
           hf_node_streams_have_room(node, merge->partition);
}

void hf_node_merge(struct hf_node *node, const struct hf_peer *from,
                   const struct hf_merge *merge)
{
    struct hf_partition *partition = &node->partitions[merge->partition];
    if (!is_welcome(node, merge)) {
        return; /* It is sent again. */
    }
    struct hf_merge_in *in = merge_find(partition, merge->lineage, merge->held);
    if (in == NULL) {
        in = merge_new(node, partition, merge->lineage, merge->held);
    }
    if (in == NULL || in->pending) {
        return; /* One after the other. */
    }
    in->heard = node->now;
    if (is_superseded(partition, merge->lineage, merge->held)) {
        in->position = HF_SESSIONS_END;
    }
    struct taking taking = {
        .node = node, .merge = merge, .partition = partition};
    struct hf_reader reader = hf_reader_of(merge->knowledge);
    bool sound = hf_knowledge_read(&reader, &taking.theirs) && is_sound(merge);
    if (sound && (merge->from != in->position || merge->from == merge->to ||
                  lacks_effects(&taking))) {
        answer(node, from, merge->partition, in);
        return;
    }
    struct hf_merge part = *merge;
    if (sound) {
        part.to = take_until(&taking);
        part.count = count_before(merge, part.to);
        taking.merge = &part;
    }
    int error = sound ? take(&taking) : HF_EPROTO;
    if (error == 0) {
        in->pending = true;
        in->to = part.to;
        in->sequence = partition->version.sequence;
        in->peer = from->info.incarnation;
        partition->merges_pending++;
    } else if (error == HF_EPROTO) {
        note_refused(node, from, merge->partition);
    }
    hf_node_try_commit(node, merge->partition);
}
