#include "support/totals.h"

#include <inttypes.h>

#include "core/node_state.h"
#include "support/cluster.h"

/* Sessions in each database, the last of which is the node's own. They are
 * added up after every turn of a node, so in loops without conditions, which
 * compilers make vectors of; no node here has so many that 32 bits do not do.
 */
struct databases {
    uint32_t counts[HF_DATABASE_OWN + 1];
};

/* What a node has. */
struct totals {
    struct databases safe; /* Of which it is the primary. */
    struct databases alone;
    uint64_t bytes;
    uint64_t fences;
    uint64_t fence_bytes;
    uint64_t refill_partitions;
    uint64_t refill_sessions;
    uint64_t refill_bytes;
};

static void databases_add(struct databases *restrict to,
                          const uint32_t *restrict counts)
{
    for (unsigned i = 0; i <= HF_DATABASE_OWN; i++) {
        to->counts[i] += counts[i];
    }
}

/* Those of clients. */
static uint64_t databases_sum(const struct databases *databases)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        sum += databases->counts[i];
    }
    return sum;
}

static bool is_to_fill(const struct hf_copy *copy)
{
    switch (copy->state) {
    case HF_COPY_WANTED:
    case HF_COPY_LEARNING:
    case HF_COPY_STREAMED:
    case HF_COPY_LEARNT:
        return !copy->kept_aside;
    default:
        return false;
    }
}

static void count_to_fill(const struct hf_partition *partition,
                          struct totals *is)
{
    const struct hf_sessions *sessions = &partition->sessions;
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        if (is_to_fill(&partition->copies[i])) {
            is->refill_partitions++;
            is->refill_sessions += sessions->count;
            is->refill_bytes += sessions->bytes;
        }
    }
}

static void count_primary(const struct hf_partition *partition, bool safe,
                          struct totals *is)
{
    const struct hf_sessions *sessions = &partition->sessions;
    databases_add(safe ? &is->safe : &is->alone, sessions->counts);
    is->fences += sessions->fences.count;
    count_to_fill(partition, is);
}

static void count_partitions(const struct hf_node *node, struct totals *is)
{
    unsigned wanted = 1u + node->view->backups;
    if (wanted > node->view->member_count) {
        wanted = node->view->member_count;
    }
    uint64_t bytes = 0;
    uint64_t fence_bytes = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_partition *partition = &node->partitions[p];
        bytes += partition->sessions.bytes;
        fence_bytes += partition->sessions.fence_bytes;
        if (partition->primary) {
            bool safe =
                node->view->acting[p].count >= wanted && partition->synced;
            count_primary(partition, safe, is);
        }
    }
    is->bytes = bytes;
    is->fence_bytes = fence_bytes;
}

static uint64_t fence_bytes_told(const struct hf_node *node)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < HF_SHARE_COUNT; i++) {
        bytes += node->shares[i].fence_bytes;
    }
    return bytes;
}

void totals_check(struct cluster *c, const struct process *process)
{
    const struct hf_node *node = process->node;
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    struct hf_heartbeat told = {0};
    hf_node_count_local(node, &told);
    struct totals is = {0};
    count_partitions(node, &is);
    uint64_t alone = databases_sum(&is.alone);
    uint64_t sessions = databases_sum(&is.safe) + alone;
    bool differs = false;
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        differs |= told.databases[i] != is.safe.counts[i] + is.alone.counts[i];
    }
    if (differs || told.sessions != sessions || told.bytes != is.bytes ||
        told.under_replicated != alone || told.fences != is.fences ||
        fence_bytes_told(node) != is.fence_bytes ||
        told.refill_partitions != is.refill_partitions ||
        told.refill_sessions != is.refill_sessions ||
        told.refill_bytes != is.refill_bytes) {
        cluster_fail(c,
                     "n%u tells of %" PRIu64 " sessions, %" PRIu64
                     " bytes, %" PRIu64 " alone, %" PRIu64
                     " fences, and has %" PRIu64 ", %" PRIu64 ", %" PRIu64
                     ", %" PRIu64 "; or of what it is to fill",
                     process->number + 1, told.sessions, told.bytes,
                     told.under_replicated, told.fences, sessions, is.bytes,
                     alone, is.fences);
    }
}
