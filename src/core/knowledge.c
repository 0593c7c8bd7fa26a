#include "core/knowledge.h"

#include <string.h>

static uint64_t number_of(struct hf_version version)
{
    return version.sequence & ~HF_SEQUENCE_TAKEN;
}

bool hf_version_equal(struct hf_version a, struct hf_version b)
{
    return a.epoch == b.epoch && number_of(a) == number_of(b);
}

bool hf_version_is_higher(struct hf_version a, struct hf_version b)
{
    return a.epoch != b.epoch ? a.epoch > b.epoch : number_of(a) > number_of(b);
}

struct hf_version hf_version_taken(struct hf_version version)
{
    version.sequence |= HF_SEQUENCE_TAKEN;
    return version;
}

bool hf_version_is_taken(struct hf_version version)
{
    return (version.sequence & HF_SEQUENCE_TAKEN) != 0;
}

/* The one with the fewest writes: so many may be doubtful without it. */
static uint8_t own_shortest(const struct hf_knowledge *knowledge)
{
    const struct hf_version *own = knowledge->own;
    uint8_t shortest = 0;
    uint64_t least = own[0].sequence;
    for (uint8_t i = 1; i < knowledge->own_count; i++) {
        if (own[i].sequence - own[i - 1].sequence < least) {
            least = own[i].sequence - own[i - 1].sequence;
            shortest = i;
        }
    }
    return shortest;
}

void hf_knowledge_advance(struct hf_knowledge *knowledge,
                          struct hf_version version)
{
    struct hf_version *own = knowledge->own;
    uint8_t count = knowledge->own_count;
    if (count > 0 && own[count - 1].epoch == version.epoch) {
        own[count - 1] = version;
        return;
    }
    if (count == HF_OWN_EPOCHS_MAX) {
        uint8_t least = own_shortest(knowledge);
        count--;
        memmove(own + least, own + least + 1,
                (size_t)(count - least) * sizeof(own[0]));
    }
    own[count] = version;
    knowledge->own_count = (uint8_t)(count + 1);
}

/* NULL: not of its own, or forgotten. */
static const struct hf_version *own_of(const struct hf_knowledge *knowledge,
                                       hf_epoch epoch)
{
    for (uint8_t i = 0; i < knowledge->own_count; i++) {
        if (knowledge->own[i].epoch == epoch) {
            return &knowledge->own[i];
        }
    }
    return NULL;
}

/* Whether both had it when they parted, of an epoch that is not remembered. As
 * long as there was room for all, one that is not there was never here: its
 * number says nothing. */
static bool is_common(const struct hf_knowledge *knowledge,
                      struct hf_version version, hf_epoch forked)
{
    struct hf_version parted = {0, 0};
    if (knowledge->own_count < HF_OWN_EPOCHS_MAX) {
        return false;
    }
    for (uint8_t i = 0;
         i < knowledge->own_count && knowledge->own[i].epoch <= forked; i++) {
        parted = knowledge->own[i];
    }
    return version.epoch <= parted.epoch && version.sequence <= parted.sequence;
}

bool hf_knowledge_has(const struct hf_knowledge *knowledge,
                      struct hf_version version, uint32_t hash, hf_epoch forked)
{
    const struct hf_version *own = own_of(knowledge, version.epoch);
    if (own != NULL && number_of(version) <= own->sequence) {
        return true;
    }
    for (uint8_t i = 0; i < knowledge->seen_count; i++) {
        const struct hf_seen *seen = &knowledge->seen[i];
        if (seen->epoch == version.epoch &&
            number_of(version) <= seen->sequence && hash < seen->to) {
            return true;
        }
    }
    return own == NULL && !hf_version_is_taken(version) &&
           is_common(knowledge, version, forked);
}

/* Joining. */

static bool covers(const struct hf_seen *a, const struct hf_seen *b)
{
    return a->epoch == b->epoch && a->sequence >= b->sequence && a->to >= b->to;
}

static void seen_remove(struct hf_knowledge *knowledge, uint8_t index)
{
    knowledge->seen_count--;
    knowledge->seen[index] = knowledge->seen[knowledge->seen_count];
}

/* The one that is least likely to be asked for. */
static uint8_t seen_oldest(const struct hf_knowledge *knowledge)
{
    uint8_t oldest = 0;
    for (uint8_t i = 1; i < knowledge->seen_count; i++) {
        if (knowledge->seen[i].epoch < knowledge->seen[oldest].epoch) {
            oldest = i;
        }
    }
    return oldest;
}

static bool seen_add(struct hf_knowledge *knowledge, const struct hf_seen *seen)
{
    for (uint8_t i = 0; i < knowledge->seen_count; i++) {
        if (covers(&knowledge->seen[i], seen)) {
            return true;
        }
    }
    for (uint8_t i = knowledge->seen_count; i > 0; i--) {
        if (covers(seen, &knowledge->seen[i - 1])) {
            seen_remove(knowledge, (uint8_t)(i - 1));
        }
    }
    bool room = knowledge->seen_count < HF_SEEN_MAX;
    if (!room) {
        seen_remove(knowledge, seen_oldest(knowledge));
    }
    knowledge->seen[knowledge->seen_count++] = *seen;
    return room;
}

/* @seen holds for hashes from @from on; before, what we knew. */
static bool seen_join(struct hf_knowledge *knowledge, struct hf_seen seen,
                      uint64_t from)
{
    const struct hf_version *own = own_of(knowledge, seen.epoch);
    if ((own != NULL && own->sequence >= seen.sequence) || seen.to <= from) {
        return true;
    }
    if (from == 0) {
        return seen_add(knowledge, &seen);
    }
    /* Adding may move them: first look, then add. */
    struct hf_seen known[HF_SEEN_MAX];
    uint8_t count = knowledge->seen_count;
    memcpy(known, knowledge->seen, sizeof(known));
    bool room = true;
    for (uint8_t i = 0; i < count; i++) {
        if (known[i].epoch == seen.epoch && known[i].to >= from) {
            struct hf_seen longer = seen;
            if (known[i].sequence < longer.sequence) {
                longer.sequence = known[i].sequence;
            }
            room = seen_add(knowledge, &longer) && room;
        }
    }
    return room;
}

bool hf_knowledge_join(struct hf_knowledge *knowledge,
                       const struct hf_knowledge *other, uint64_t from,
                       uint64_t to, hf_epoch forked)
{
    bool room = true;
    for (uint8_t i = 0; i < other->own_count; i++) {
        struct hf_seen seen = {other->own[i].epoch, other->own[i].sequence, to};
        if (own_of(knowledge, seen.epoch) != NULL ||
            !is_common(knowledge, other->own[i], forked)) {
            room = seen_join(knowledge, seen, from) && room;
        }
    }
    for (uint8_t i = 0; i < other->seen_count; i++) {
        struct hf_seen seen = other->seen[i];
        seen.to = seen.to < to ? seen.to : to;
        room = seen_join(knowledge, seen, from) && room;
    }
    return room;
}

bool hf_knowledge_adopt(struct hf_knowledge *knowledge, hf_epoch forked)
{
    uint8_t common = 0;
    while (common < knowledge->own_count &&
           knowledge->own[common].epoch <= forked) {
        common++;
    }
    bool room = true;
    for (uint8_t i = common; i < knowledge->own_count; i++) {
        const struct hf_version *last = &knowledge->own[i];
        struct hf_seen seen = {last->epoch, last->sequence, HF_SESSIONS_END};
        room = seen_add(knowledge, &seen) && room;
    }
    knowledge->own_count = common;
    return room;
}

/* As bytes. */

void hf_knowledge_put_seen(struct hf_buffer *out,
                           const struct hf_knowledge *knowledge)
{
    hf_buffer_put_u8(out, knowledge->seen_count);
    for (uint8_t i = 0; i < knowledge->seen_count; i++) {
        hf_buffer_put_u64(out, knowledge->seen[i].epoch);
        hf_buffer_put_u64(out, knowledge->seen[i].sequence);
        hf_buffer_put_u64(out, knowledge->seen[i].to);
    }
}

bool hf_knowledge_read_seen(struct hf_reader *reader,
                            struct hf_knowledge *knowledge)
{
    struct hf_seen seen[HF_SEEN_MAX];
    uint8_t count = hf_reader_u8(reader);
    if (count > HF_SEEN_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < count; i++) {
        seen[i].epoch = hf_reader_u64(reader);
        seen[i].sequence = hf_reader_u64(reader);
        seen[i].to = hf_reader_u64(reader);
    }
    if (reader->failed) {
        return false;
    }
    memcpy(knowledge->seen, seen, count * sizeof(seen[0]));
    knowledge->seen_count = count;
    return true;
}

void hf_knowledge_put(struct hf_buffer *out,
                      const struct hf_knowledge *knowledge)
{
    hf_buffer_put_u8(out, knowledge->own_count);
    for (uint8_t i = 0; i < knowledge->own_count; i++) {
        hf_buffer_put_u64(out, knowledge->own[i].epoch);
        hf_buffer_put_u64(out, knowledge->own[i].sequence);
    }
    hf_knowledge_put_seen(out, knowledge);
}

bool hf_knowledge_read(struct hf_reader *reader, struct hf_knowledge *knowledge)
{
    *knowledge = (struct hf_knowledge){0};
    knowledge->own_count = hf_reader_u8(reader);
    if (knowledge->own_count > HF_OWN_EPOCHS_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < knowledge->own_count; i++) {
        knowledge->own[i].epoch = hf_reader_u64(reader);
        knowledge->own[i].sequence = hf_reader_u64(reader);
    }
    return hf_knowledge_read_seen(reader, knowledge) && !reader->failed;
}
