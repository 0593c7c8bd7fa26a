/* knowledge.h - Which writes a copy of a partition has seen.
 *
 * Every session has the version of the write that made it what it is, and
 * keeps that when another lineage takes it over. An epoch belongs to one
 * lineage, and in it a partition has one primary, which numbers its writes: so
 * of each epoch one number tells which writes were seen. Was a version seen
 * that is not there, then it was removed or replaced by something later. That
 * is how dotted version vectors tell what is new (Preguica et al., 2010;
 * Bieniusa et al., "An Optimized Conflict-free Replicated Set", 2012).
 *
 * Of its own epochs, those of its log, a copy remembers where they ended. Once
 * some are forgotten, what is of an epoch before two lineages parted counts as
 * common to both, up to where the last of them ended here. What it took over
 * from others is remembered by epoch, too, and by hash: a partition is handed
 * over in the order of hashes. Of a copy that a lineage took up as a whole the
 * epochs after they had parted become such ones.
 *
 * Both are bounded. When there are too many epochs, the one with the fewest
 * writes is joined to the next. What is forgotten counts as not seen, so that
 * a session may come back, but none is lost. */
#ifndef HF_CORE_KNOWLEDGE_H
#define HF_CORE_KNOWLEDGE_H

#include "core/sessions.h"

#define HF_OWN_EPOCHS_MAX 64
#define HF_SEEN_MAX 24

/* In the sequence of a session's version: the write was taken over from another
 * lineage, and is no record of the log of this one. */
#define HF_SEQUENCE_TAKEN (UINT64_C(1) << 63)

/* Of @epoch, in another lineage, all writes up to @sequence to sessions whose
 * hash is lower than @to. */
struct hf_seen {
    hf_epoch epoch;
    uint64_t sequence;
    uint64_t to;
};

struct hf_knowledge {
    uint8_t own_count;
    uint8_t seen_count;
    struct hf_version own[HF_OWN_EPOCHS_MAX]; /* Last records of epochs. */
    struct hf_seen seen[HF_SEEN_MAX];
};

/* Whether both are the same write. */
bool hf_version_equal(struct hf_version a, struct hf_version b);
/* Whether @a has the higher number; only to decide what nothing else does. */
bool hf_version_is_higher(struct hf_version a, struct hf_version b);
struct hf_version hf_version_taken(struct hf_version version);
bool hf_version_is_taken(struct hf_version version);

/* The last record is now the one of @version. */
void hf_knowledge_advance(struct hf_knowledge *knowledge,
                          struct hf_version version);

/* Whether the write of @version, to a session with @hash, was seen. The
 * lineage that asks parted from this one at epoch @forked. */
bool hf_knowledge_has(const struct hf_knowledge *knowledge,
                      struct hf_version version, uint32_t hash,
                      hf_epoch forked);

/* All sessions with hashes from @from to before @to were taken over from a copy
 * that knew @other; its lineage parted from this one at @forked. False when
 * something had to be forgotten for want of room. */
bool hf_knowledge_join(struct hf_knowledge *knowledge,
                       const struct hf_knowledge *other, uint64_t from,
                       uint64_t to, hf_epoch forked);

/* The copy is taken up by a lineage that parted at @forked from the one that it
 * is of: epochs after that are none of its own any more. False like above. */
bool hf_knowledge_adopt(struct hf_knowledge *knowledge, hf_epoch forked);

/* As bytes. Reading returns false, and leaves @knowledge in any state, when
 * they are malformed. */
void hf_knowledge_put(struct hf_buffer *out,
                      const struct hf_knowledge *knowledge);
HF_NODISCARD bool hf_knowledge_read(struct hf_reader *reader,
                                    struct hf_knowledge *knowledge);
/* Only what was taken over. When it is malformed nothing changes. */
void hf_knowledge_put_seen(struct hf_buffer *out,
                           const struct hf_knowledge *knowledge);
HF_NODISCARD bool hf_knowledge_read_seen(struct hf_reader *reader,
                                         struct hf_knowledge *knowledge);

#endif
