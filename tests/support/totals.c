#include "support/totals.h"

#include <inttypes.h>

#include "core/node_state.h"
#include "support/cluster.h"

/* Clients' sessions in each database. They are added up after every turn of a
 * node, so in loops without conditions, which compilers make vectors of. */
struct databases {
    uint64_t counts[HF_DATABASE_COUNT];
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
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        to->counts[i] += counts[i];
    }
}

static uint64_t databases_sum(const struct databases *databases)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        sum += databases->counts[i];
    }
    return sum;
}

static void count_to_fill(const struct hf_partition *partition,
                          struct totals *is)
{
    const struct hf_sessions *sessions = &partition->sessions;
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        const struct hf_copy *copy = &partition->copies[i];
        if (!copy->kept_aside &&
            (copy->state == HF_COPY_WANTED || copy->state == HF_COPY_LEARNING ||
             copy->state == HF_COPY_STREAMED ||
             copy->state == HF_COPY_LEARNT)) {
            is->refill_partitions++;
            is->refill_sessions += sessions->count;
            is->refill_bytes += sessions->bytes;
        }
    }
}

static void count_partitions(const struct hf_node *node, struct totals *is)
{
    unsigned wanted = 1u + node->view->backups;
    if (wanted > node->view->member_count) {
        wanted = node->view->member_count;
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_partition *partition = &node->partitions[p];
        const struct hf_sessions *sessions = &partition->sessions;
        is->bytes += sessions->bytes;
        is->fence_bytes += sessions->fence_bytes;
        if (!partition->primary) {
            continue;
        }
        bool safe = node->view->acting[p].count >= wanted && partition->synced;
        databases_add(safe ? &is->safe : &is->alone, sessions->counts);
        is->fences += sessions->fences.count;
        count_to_fill(partition, is);
    }
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
