/* merge_take.c - Taking over what another lineage has when it gives way.
 *
 * When the lineages parted, each knew the records of a partition up to some
 * sequence (hf_partition_known): all that is of later epochs it wrote itself,
 * and what is of earlier ones but past that sequence it never saw. A session
 * is old to a side that knew it when they parted, else news:
 *
 *   ours          theirs         then it is
 *   old to them   news to us     theirs
 *   news to them  news to us     the one of the higher version; a conflict
 *   a logout, or theirs is one   logged out
 *   gone          old to us      gone: we removed it
 *   gone          news to us     theirs
 *   old to them   gone           gone: they removed it
 *   news to them  gone           ours
 *
 * What is taken over is written like any write, under our current epoch, and
 * answered when it is on every copy. So a piece that comes a second time finds
 * newer versions, and does nothing; and how far each lineage got is
 * remembered, so that what our clients remove meanwhile does not come back
 * with a repetition. */
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/effects.h"
#include "core/node_state.h"
#include "holdfast/error.h"

#define SCAN_STEP 64
#define CONFLICT_LINES_MAX 10 /* In a second. */

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
                                      uint64_t lineage)
{
    struct hf_merge_in *found = NULL;
    for (size_t i = 0; i < HF_MERGES_IN_MAX; i++) {
        if (partition->merges[i].lineage == lineage) {
            return &partition->merges[i];
        }
    }
    for (size_t i = 0; found == NULL && i < HF_MERGES_IN_MAX; i++) {
        struct hf_merge_in *next = &partition->merges[partition->merge_next];
        partition->merge_next =
            (uint8_t)((partition->merge_next + 1) % HF_MERGES_IN_MAX);
        found = next->pending ? NULL : next;
    }
    if (found != NULL) {
        *found = (struct hf_merge_in){.lineage = lineage};
    }
    return found;
}

/* Answering. */

static void answer(struct hf_node *node, const struct hf_peer *peer, uint16_t p,
                   const struct hf_merge_in *in)
{
    const struct hf_partition *partition = &node->partitions[p];
    struct hf_message message = {
        .type = HF_MESSAGE_MERGED,
        .merged = {.epoch = node->view->epoch,
                   .lineage = in->lineage,
                   .held = in->epoch,
                   .partition = p,
                   .to = in->position,
                   .base = hf_partition_known(partition, in->forked)}};
    hf_node_send(node, peer, &message);
}

void hf_node_merge_committed(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    for (size_t i = 0; i < HF_MERGES_IN_MAX; i++) {
        struct hf_merge_in *in = &partition->merges[i];
        if (!in->pending || in->sequence > partition->committed) {
            continue;
        }
        in->pending = false;
        in->position = in->to;
        partition->merges_pending--;
        for (size_t j = 0; j < node->peer_count; j++) {
            if (node->peers[j].info.incarnation == in->peer) {
                answer(node, &node->peers[j], p, in);
            }
        }
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
        if (x.kind != y.kind || !hf_slice_equal(x.field, y.field) ||
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

static bool is_higher(struct hf_version a, struct hf_version b)
{
    return a.epoch != b.epoch ? a.epoch > b.epoch : a.sequence > b.sequence;
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

/* Whether a side that knew all up to sequence @known of epochs up to @forked
 * did not know @version when they parted. */
static bool is_news(struct hf_version version, hf_epoch forked, uint64_t known)
{
    return version.epoch > forked || version.sequence > known;
}

/* Whether theirs is taken instead of @session, which we have. */
static bool theirs_goes_on(struct hf_node *node, const struct hf_merge *merge,
                           const struct hf_merge_entry *entry,
                           const struct hf_session *session, bool news)
{
    struct hf_version ours = hf_session_version(session);
    bool theirs = is_higher(entry->version, ours);
    if (is_fence(session) || makes_fence(entry->effects)) {
        theirs = !is_fence(session);
    }
    if (news && is_news(ours, merge->forked, merge->base)) {
        hf_buffer_clear(&node->scratch);
        hf_effects_of_session(&node->scratch, session, node->now);
        if (!effects_agree(entry->effects, hf_buffer_slice(&node->scratch))) {
            note_conflict(node, entry->key, theirs);
        }
    }
    return theirs;
}

static int take_entry(struct hf_node *node, const struct hf_merge *merge,
                      const struct hf_merge_entry *entry)
{
    const struct hf_partition *partition = &node->partitions[merge->partition];
    const struct hf_session *session = hf_sessions_find_entry(
        &partition->sessions, entry->key, hf_sessions_hash(entry->key));
    if (entry->effects.size == 0) {
        return 0; /* Old; what we have is as good, and if nothing, removed. */
    }
    bool news = is_news(entry->version, merge->forked,
                        hf_partition_known(partition, merge->forked));
    bool take = session == NULL
                    ? news
                    : theirs_goes_on(node, merge, entry, session, news);
    if (!take) {
        return 0;
    }
    hf_buffer_clear(&node->effects);
    hf_buffer_append(&node->effects, entry->effects.data, entry->effects.size);
    if (node->effects.failed) {
        return HF_ENOMEM;
    }
    int error = hf_node_write_session(node, merge->partition, entry->key);
    if (error == 0) {
        node->counters.sessions_merged++;
    }
    return error;
}

/* What they removed. */

struct removal {
    struct hf_node *node;
    const struct hf_merge *merge;
    size_t at; /* Entries before have lower hashes. */
};

static bool is_listed(struct removal *removal, struct hf_slice key,
                      uint32_t hash)
{
    const struct hf_merge *merge = removal->merge;
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
    if (hash < removal->merge->to && !is_fence(session) &&
        !is_news(hf_session_version(session), removal->merge->forked,
                 removal->merge->base) &&
        !is_listed(removal, key, hash)) {
        hf_buffer_put_slice(&removal->node->scratch, key);
    }
}

static int remove_unlisted(struct hf_node *node, const struct hf_merge *merge)
{
    struct removal removal = {.node = node, .merge = merge};
    const struct hf_sessions *sessions =
        &node->partitions[merge->partition].sessions;
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
            hf_effects_clear_all(merge->entries[i].effects)) {
            return false;
        }
        least = hash;
    }
    return true;
}

static int take(struct hf_node *node, const struct hf_merge *merge)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < merge->count; i++) {
        error = take_entry(node, merge, &merge->entries[i]);
    }
    return error != 0 ? error : remove_unlisted(node, merge);
}

static bool is_welcome(struct hf_node *node, const struct hf_merge *merge)
{
    /* In a later view than theirs, so that what we write is newer. */
    return node->state == HF_STATE_ACTIVE &&
           merge->epoch == node->view->epoch &&
           merge->held < node->view->epoch && merge->lineage != 0 &&
           merge->lineage != hf_lineage_of(node->view) &&
           hf_node_may_serve(node, merge->partition) &&
           hf_node_streams_have_room(node, merge->partition);
}

void hf_node_merge(struct hf_node *node, const struct hf_peer *from,
                   const struct hf_merge *merge)
{
    struct hf_partition *partition = &node->partitions[merge->partition];
    if (!is_welcome(node, merge)) {
        return; /* It is sent again. */
    }
    struct hf_merge_in *in = merge_find(partition, merge->lineage);
    if (in == NULL || in->pending ||
        (merge->held < in->epoch && in->position != HF_SESSIONS_END)) {
        return; /* One after the other. */
    }
    if (merge->held > in->epoch) { /* It went on since; so that is newer. */
        in->epoch = merge->held;
        in->position = 0;
    }
    in->forked = merge->forked;
    if (merge->from != in->position || merge->from == merge->to) {
        struct hf_merge_in told = *in;
        told.epoch = merge->held;
        answer(node, from, merge->partition, &told);
        return;
    }
    int error = is_sound(merge) ? take(node, merge) : HF_EPROTO;
    if (error == 0) {
        in->pending = true;
        in->to = merge->to;
        in->sequence = partition->version.sequence;
        in->peer = from->info.incarnation;
        partition->merges_pending++;
    } else if (error == HF_EPROTO) {
        node->counters.records_refused++;
        hf_log(&node->config.log, HF_LOG_ERROR,
               "refused what %s hands over of partition %u", from->info.name,
               merge->partition);
    }
    hf_node_try_commit(node, merge->partition);
}
