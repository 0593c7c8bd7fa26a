/* info.h - The text of INFO: what tools and drivers of Redis look for, and a
 * section of our own. */
#ifndef HF_SERVER_INFO_H
#define HF_SERVER_INFO_H

#include "base/bytes.h"
#include "core/node.h"
#include "io/clients.h"
#include "server/turns.h"

/* The Redis we are like. */
#define HF_INFO_REDIS_VERSION "7.2.4"
#define HF_INFO_RUN_ID_BYTES 40

/* All that INFO tells; borrowed for the call. */
struct hf_info {
    const char *version;
    const char *run_id; /* HF_INFO_RUN_ID_BYTES hex digits. */
    bool cluster;       /* Whom it tells speaks the cluster protocol, and */
    uint16_t port;      /* this is the port for that. */
    uint16_t peer_port;
    int64_t process_id;
    uint64_t uptime_seconds;
    uint32_t clients_max;
    size_t memory_bytes;     /* Asked for and not freed. */
    size_t memory_rss_bytes; /* Of the process. */
    uint64_t cpu_system_us;
    uint64_t cpu_user_us;
    const char *name;
    hf_incarnation incarnation;
    const struct hf_clients_stats *clients;
    uint32_t channels; /* With subscribers here, */
    uint32_t patterns;
    uint32_t shard_channels;
    const struct hf_node_status *node;
    const struct hf_node_counters *counters;
    const struct hf_turns *turns;
};

/* "starting", "active", "out", "left" or "merging". */
const char *hf_info_state_name(enum hf_member_state state);
/* "half", "majority" or "available". */
const char *hf_info_policy_name(enum hf_partition_policy policy);

/* Appends @section (any case of letters), or all of them when it is empty,
 * "all", "default" or "everything"; nothing when there is none such. */
void hf_info_write(struct hf_buffer *out, struct hf_slice section,
                   const struct hf_info *info);

#endif
