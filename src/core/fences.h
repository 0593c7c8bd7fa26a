/* fences.h - What a deleted session leaves behind.
 *
 * A request that began before the logout may save its session after it, and
 * bring the dead back. So a deleted session leaves a fence: an entry of the
 * table (core/sessions.h) with a version and a lifetime of its own. While it
 * stands, nothing that a client says makes a session under that key. Only its
 * lifetime lifts it. It replicates and travels as a session does: the effect
 * FENCE makes it, DELETE lifts it, and only the primary decides when.
 *
 * Keys that an application uses again after deleting them must not be fenced,
 * so only those with certain prefixes are. Only the primary that deletes looks
 * at the prefixes: a fence that exists holds wherever it goes.
 *
 * Memory is bounded in each partition. When a new fence would exceed the
 * bound, those that end first are lifted early, and counted. */
#ifndef HF_CORE_FENCES_H
#define HF_CORE_FENCES_H

#include "base/bytes.h"

#define HF_FENCE_PREFIXES_MAX 16
#define HF_FENCE_PREFIX_BYTES_MAX 64

/* Of the fences of one partition. With ids of 32 bytes that is a thousand, a
 * million in the cluster: 1,700 logouts per second for ten minutes. A node that
 * holds every partition has at most 128 MiB of them. */
#define HF_FENCE_BYTES_MAX ((size_t)128 << 10)

struct hf_fence_prefix {
    uint8_t size; /* More than 0. */
    uint8_t bytes[HF_FENCE_PREFIX_BYTES_MAX];
};

/* What is fenced, and for how long. */
struct hf_fence_rules {
    struct hf_fence_prefix prefixes[HF_FENCE_PREFIXES_MAX];
    size_t prefix_count;
    int64_t lifetime_ms; /* More than 0. */
};

/* No prefixes, 10 minutes. */
void hf_fence_rules_init(struct hf_fence_rules *rules);

/* One more prefix; false when there are too many, or it is too long or empty.
 * Then nothing changed. */
HF_NODISCARD bool hf_fence_rules_add(struct hf_fence_rules *rules,
                                     struct hf_slice prefix);

/* Whether a session under @key, of any database, leaves a fence. */
bool hf_fence_rules_match(const struct hf_fence_rules *rules,
                          struct hf_slice key);

#endif
