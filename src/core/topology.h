/* topology.h - The cluster as clients of the cluster protocol see it.
 *
 * They are told one node for each slot and send commands there. That is the
 * primary, or if it has no port for them or is away, one that stands in for it
 * and forwards: its front. Fronts follow from the view alone, so that all nodes
 * of a view say the same, and every slot has one.
 *
 * A client that asks another node is served there all the same. It is sent to
 * the right one, so that it learns, only when that one lives and says the same,
 * and when it has asked about nodes (wire/connection_cluster.c).
 */
#ifndef HF_CORE_TOPOLOGY_H
#define HF_CORE_TOPOLOGY_H

#include "core/node.h"

#define HF_TOPOLOGY_ID_DIGITS 40

struct hf_topology {
    const struct hf_view *view; /* NULL: this node is in none. */
    uint8_t self;
    hf_member_set alive; /* Heard of lately, this node included. */
    hf_member_set level; /* Of those, who has entered this view. */
    bool serving;        /* This node has a lease. */
};

/* The front of @member, an index: itself when it can be. HF_MEMBER_NONE when
 * no member that is present has a port for clients of the cluster protocol. */
uint8_t hf_view_front(const struct hf_view *view, uint8_t member);

/* The front of the primary of @partition. */
uint8_t hf_view_front_of(const struct hf_view *view, uint16_t partition);

/* What @node knows. It is valid until the next step. */
void hf_node_get_topology(const struct hf_node *node,
                          struct hf_topology *topology);

/* Whom to send a client to that asks this node for a key of @partition; NULL:
 * this node is to serve it. */
const struct hf_peer_info *
hf_topology_redirect(const struct hf_topology *topology, uint16_t partition);

/* The number of a node, in hex digits with a zero byte at the end: always the
 * same for a name. */
void hf_topology_id(const struct hf_peer_info *info,
                    char id[HF_TOPOLOGY_ID_DIGITS + 1]);

/* Appends up to @limit keys of @slot and of database 0 to @tokens, which may be
 * NULL, and returns how many they are. Only those that @node is the primary of;
 * it does not wait for writes that are under way. */
uint32_t hf_node_keys_in_slot(const struct hf_node *node, uint16_t slot,
                              uint32_t limit, struct hf_buffer *tokens);

#endif
