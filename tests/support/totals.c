#include "support/totals.h"

#include <inttypes.h>
#include <string.h>

#include "core/node_state.h"
#include "support/cluster.h"

/* Those of clients that the primary of @p, @node, has. */
static void count_partition(const struct hf_node *node, uint16_t p,
                            struct hf_heartbeat *is)
{
    const struct hf_partition *partition = &node->partitions[p];
    const struct hf_sessions *sessions = &partition->sessions;
    unsigned wanted = 1u + node->view->backups;
    is->bytes += sessions->bytes;
    if (!partition->primary) {
        return;
    }
    if (wanted > node->view->member_count) {
        wanted = node->view->member_count;
    }
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        is->databases[i] += sessions->counts[i];
        is->sessions += sessions->counts[i];
        is->under_replicated +=
            node->view->acting[p].count < wanted || !partition->synced
                ? sessions->counts[i]
                : 0;
    }
    is->fences += sessions->fences.count;
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

void totals_check(struct cluster *c, const struct process *process)
{
    const struct hf_node *node = process->node;
    struct hf_heartbeat told = {0};
    struct hf_heartbeat is = {0};
    uint64_t fence_bytes[2] = {0};
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    hf_node_count_local(node, &told);
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        count_partition(node, p, &is);
        fence_bytes[0] += node->partitions[p].sessions.fence_bytes;
    }
    for (unsigned i = 0; i < HF_SHARE_COUNT; i++) {
        fence_bytes[1] += node->shares[i].fence_bytes;
    }
    if (told.sessions != is.sessions || told.bytes != is.bytes ||
        told.under_replicated != is.under_replicated ||
        told.fences != is.fences || fence_bytes[1] != fence_bytes[0] ||
        told.refill_partitions != is.refill_partitions ||
        told.refill_sessions != is.refill_sessions ||
        told.refill_bytes != is.refill_bytes ||
        memcmp(told.databases, is.databases, sizeof(is.databases)) != 0) {
        cluster_fail(c,
                     "n%u tells of %" PRIu64 " sessions, %" PRIu64
                     " bytes, %" PRIu64 " alone, %" PRIu64
                     " fences, and has %" PRIu64 ", %" PRIu64 ", %" PRIu64
                     ", %" PRIu64 "; or of what it is to fill",
                     process->number + 1, told.sessions, told.bytes,
                     told.under_replicated, told.fences, is.sessions, is.bytes,
                     is.under_replicated, is.fences);
    }
}
