/* status.h - The reply of HOLDFAST STATUS: what `holdfast status` prints.
 *
 * A map: view, state ("starting", "active", "out", "left"), name, settled (0 or
 * 1), sessions, under_replicated, fences, fences_lifted_early, backups,
 * writes_degraded, partitions_lost, sessions_lost (an estimate), partitions,
 * drain_timeout (s, of the node that answers), members. Each member is a map:
 * name, address and peer_address ("host:port"), label, state ("alive",
 * "leaving" or "silent"), sessions, bytes, primaries, backups, self (0 or 1).
 */
#ifndef HF_SERVER_STATUS_H
#define HF_SERVER_STATUS_H

#include "base/bytes.h"
#include "core/node.h"

/* Appends the reply as tokens. @self is the node that answers. */
void hf_status_write(struct hf_buffer *out, const struct hf_node_status *status,
                     const struct hf_peer_info *self, uint32_t drain_timeout_s);

#endif
