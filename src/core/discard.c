/* discard.c - Freeing what this node need not keep, a little at a time.
 *
 * A view may take hundreds of partitions from a node at once. To free a session
 * takes a fraction of a microsecond, but a million of them would hold up all
 * clients for as long as it takes to suspect the node. So a partition is empty
 * at once, what was in it is put aside, and ticks free that. */
#include "base/assert.h"
#include "core/node_state.h"

void hf_node_discard(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    struct hf_sessions *sessions = &partition->sessions;
    if (sessions->table.count == 0) {
        hf_sessions_clear(sessions);
        return;
    }
    hf_node_discard_finish(node, p); /* Seldom: it was cleared just before. */
    partition->discarded = *sessions;
    partition->discarded_slot = 0;
    hf_list_push_back(&node->discarding, &partition->discarded_link);
    hf_sessions_init(sessions, node->mem, &node->expiry, p);
}

static void discard_end(struct hf_partition *partition)
{
    HF_ASSERT(partition->discarded.bytes == 0);
    hf_list_remove(&partition->discarded_link);
}

void hf_node_discard_finish(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    if (!hf_list_is_empty(&partition->discarded_link)) {
        (void)hf_sessions_clear_step(&partition->discarded,
                                     &partition->discarded_slot, UINT32_MAX);
        discard_end(partition);
    }
}

void hf_node_discard_tick(struct hf_node *node)
{
    uint32_t slots = HF_DISCARD_SLOTS_MAX;
    while (slots > 0 && !hf_list_is_empty(&node->discarding)) {
        struct hf_partition *partition = HF_CONTAINER_OF(
            node->discarding.next, struct hf_partition, discarded_link);
        uint32_t before = partition->discarded_slot;
        if (!hf_sessions_clear_step(&partition->discarded,
                                    &partition->discarded_slot, slots)) {
            return;
        }
        uint32_t took = partition->discarded_slot - before;
        slots -= took < slots ? took : slots;
        discard_end(partition);
    }
}
