/* discard.h - Freeing what this node need not keep, a little at a time.
 *
 * A view may take hundreds of partitions from a node at once, and FLUSHALL
 * empties all of them. To free a session takes a fraction of a microsecond, but
 * a million of them would hold up all clients for as long as it takes to
 * suspect the node. So a partition is empty at once, what was in it is put
 * aside, and ticks free that. */
#ifndef HF_CORE_DISCARD_H
#define HF_CORE_DISCARD_H

#include "base/list.h"
#include "core/sessions.h"

struct hf_node;

/* What a partition held. */
struct hf_discarded {
    struct hf_list link; /* In node->discarding. */
    struct hf_sessions sessions;
    uint32_t slot; /* Where to go on. */
};

/* Takes all sessions out of @partition, and all fences. */
void hf_node_discard(struct hf_node *node, uint16_t partition);

/* Takes the sessions of @database out of it, or of clients for HF_DATABASE_ALL.
 * False without memory; then nothing changed. */
HF_NODISCARD bool hf_node_discard_sessions(struct hf_node *node,
                                           uint16_t partition,
                                           uint8_t database);

/* Frees some of what was taken out, by looking at about @slots places. */
void hf_node_discard_step(struct hf_node *node, uint32_t slots);

/* Frees all of it. */
void hf_node_discard_close(struct hf_node *node);

#endif
