/* status.h - The reply of HOLDFAST STATUS: what `holdfast status` prints.
 *
 * A map: view, state ("starting", "active", "out", "left", "merging"), name,
 * partition_policy, lineage, lineage_forks, merging_done, merging_all, serving
 * (0 or 1), reason (why not, or empty), unsafe_ms (for how long those heard
 * have been too few; 0: they are not), partitions_unavailable (whose only
 * copies are not heard), no_takeover (why one is refused, or empty), settled (0
 * or 1), sessions (of those heard), under_replicated, fences,
 * fences_lifted_early, backups, writes_degraded, partitions_lost, sessions_lost
 * (an estimate), partitions, drain_timeout (s, of the node that answers),
 * members. Each member is a map: name, address and peer_address ("host:port"),
 * label, state ("alive", "leaving" or "silent"), sessions, bytes, primaries,
 * backups, self (0 or 1).
 */
#ifndef HF_SERVER_STATUS_H
#define HF_SERVER_STATUS_H

#include "base/bytes.h"
#include "core/node.h"

/* Appends the reply as tokens. @self is the node that answers. */
void hf_status_write(struct hf_buffer *out, const struct hf_node_status *status,
                     const struct hf_peer_info *self, uint32_t drain_timeout_s);

#endif
