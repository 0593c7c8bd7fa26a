#include "server/info.h"

#include <stdio.h>

#define LINE(out, ...) hf_buffer_append_format((out), __VA_ARGS__)

typedef unsigned long long wide; /* What %llu wants. */

const char *hf_info_state_name(enum hf_member_state state)
{
    switch (state) {
    case HF_STATE_STARTING:
        return "starting";
    case HF_STATE_ACTIVE:
        return "active";
    case HF_STATE_OUT:
        return "out";
    case HF_STATE_LEFT:
        return "left";
    case HF_STATE_MERGING:
        return "merging";
    }
    return "unknown";
}

const char *hf_info_policy_name(enum hf_partition_policy policy)
{
    switch (policy) {
    case HF_POLICY_HALF:
        return "half";
    case HF_POLICY_MAJORITY:
        return "majority";
    case HF_POLICY_AVAILABLE:
        return "available";
    }
    return "unknown";
}

static void write_server(struct hf_buffer *out, const struct hf_info *info)
{
    LINE(out, "redis_version:%s\r\n", HF_INFO_REDIS_VERSION);
    LINE(out, "redis_mode:%s\r\n", info->cluster ? "cluster" : "standalone");
    LINE(out, "os:Linux\r\n");
    LINE(out, "arch_bits:%u\r\n", (unsigned)(sizeof(void *) * 8));
    LINE(out, "process_id:%lld\r\n", (long long)info->process_id);
    LINE(out, "run_id:%s\r\n", info->run_id);
    LINE(out, "tcp_port:%u\r\n", (unsigned)info->port);
    LINE(out, "uptime_in_seconds:%llu\r\n", (wide)info->uptime_seconds);
    LINE(out, "uptime_in_days:%llu\r\n", (wide)(info->uptime_seconds / 86400));
}

static void write_clients(struct hf_buffer *out, const struct hf_info *info)
{
    LINE(out, "connected_clients:%u\r\n", (unsigned)info->clients->connected);
    LINE(out, "maxclients:%u\r\n", (unsigned)info->clients_max);
    LINE(out, "blocked_clients:0\r\n");
}

static void write_memory(struct hf_buffer *out, const struct hf_info *info)
{
    LINE(out, "used_memory:%zu\r\n", info->memory_bytes);
    LINE(out, "used_memory_rss:%zu\r\n", info->memory_rss_bytes);
    LINE(out, "maxmemory:0\r\n");
    LINE(out, "maxmemory_policy:noeviction\r\n");
}

static void write_persistence(struct hf_buffer *out, const struct hf_info *info)
{
    bool loading = info->node->state != HF_STATE_ACTIVE;
    LINE(out, "loading:%d\r\n", loading ? 1 : 0);
    if (loading) { /* Drivers wait that long and ask again. */
        LINE(out, "loading_eta_seconds:1\r\n");
    }
    LINE(out, "rdb_bgsave_in_progress:0\r\n");
    LINE(out, "aof_enabled:0\r\n");
}

static void write_stats(struct hf_buffer *out, const struct hf_info *info)
{
    LINE(out, "total_connections_received:%llu\r\n",
         (wide)info->clients->accepted);
    LINE(out, "total_commands_processed:%llu\r\n",
         (wide)info->counters->operations);
    LINE(out, "total_net_input_bytes:%llu\r\n", (wide)info->clients->bytes_in);
    LINE(out, "total_net_output_bytes:%llu\r\n",
         (wide)info->clients->bytes_out);
    LINE(out, "rejected_connections:%llu\r\n", (wide)info->clients->rejected);
    LINE(out, "pubsub_channels:%u\r\n", (unsigned)info->channels);
    LINE(out, "pubsub_patterns:%u\r\n", (unsigned)info->patterns);
    LINE(out, "pubsubshard_channels:%u\r\n", (unsigned)info->shard_channels);
    LINE(out, "client_output_buffer_limit_disconnections:%llu\r\n",
         (wide)info->clients->slow_dropped);
    LINE(out, "expired_keys:%llu\r\n", (wide)info->counters->expired);
    LINE(out, "evicted_keys:0\r\n");
}

/* Every node takes every command, so to a driver it is a primary alone. */
static void write_replication(struct hf_buffer *out, const struct hf_info *info)
{
    LINE(out, "role:master\r\n");
    LINE(out, "connected_slaves:0\r\n");
    LINE(out, "master_replid:%s\r\n", info->run_id);
    LINE(out, "master_repl_offset:%llu\r\n", (wide)info->counters->writes);
}

static void write_cpu(struct hf_buffer *out, const struct hf_info *info)
{
    LINE(out, "used_cpu_sys:%llu.%06llu\r\n",
         (wide)(info->cpu_system_us / 1000000),
         (wide)(info->cpu_system_us % 1000000));
    LINE(out, "used_cpu_user:%llu.%06llu\r\n",
         (wide)(info->cpu_user_us / 1000000),
         (wide)(info->cpu_user_us % 1000000));
}

static void write_cluster(struct hf_buffer *out, const struct hf_info *info)
{
    LINE(out, "cluster_enabled:%d\r\n", info->cluster ? 1 : 0);
}

static void write_keyspace(struct hf_buffer *out, const struct hf_info *info)
{
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        if (info->node->databases[i] > 0) { /* As Redis: no empty ones. */
            LINE(out, "db%u:keys=%llu,expires=0,avg_ttl=0\r\n", i,
                 (wide)info->node->databases[i]);
        }
    }
}

/* Who is heard, who keeps up, and what is still to be filled. */
static void write_health(struct hf_buffer *out,
                         const struct hf_node_status *node,
                         const struct hf_node_counters *counters)
{
    unsigned slow = 0;
    for (size_t i = 0; i < node->member_count; i++) {
        slow += node->members[i].slow ? 1 : 0;
    }
    LINE(out, "heartbeats:%llu\r\n", (wide)counters->heartbeats);
    LINE(out, "suspicions:%llu\r\n", (wide)counters->suspicions);
    LINE(out, "members_slow:%u\r\n", slow);
    LINE(out, "slow_reported:%llu\r\n", (wide)counters->slow_reported);
    LINE(out, "copies_demoted:%llu\r\n", (wide)counters->copies_demoted);
    LINE(out, "learners_put_off:%llu\r\n", (wide)counters->learners_put_off);
    LINE(out, "refill_partitions:%llu\r\n", (wide)node->refill_partitions);
    LINE(out, "refill_sessions:%llu\r\n", (wide)node->refill_sessions);
    LINE(out, "refill_bytes:%llu\r\n", (wide)node->refill_bytes);
    LINE(out, "fills:%llu\r\n", (wide)counters->fills);
    LINE(out, "fills_resumed:%llu\r\n", (wide)counters->fills_resumed);
    LINE(out, "fill_bytes:%llu\r\n", (wide)counters->fill_bytes);
}

static void write_turn_times(struct hf_buffer *out, const char *what,
                             const struct hf_turn_times *times)
{
    LINE(out, "loop_%s_max_us:%llu\r\n", what,
         (wide)(times->longest_ns / 1000));
    for (size_t i = 0; i < HF_TURNS_BOUND_COUNT; i++) {
        LINE(out, "loop_%s_over_%ums:%llu\r\n", what, hf_turns_bounds_ms[i],
             (wide)times->over[i]);
    }
}

static void write_turns(struct hf_buffer *out, const struct hf_turns *turns)
{
    LINE(out, "loop_turns:%llu\r\n", (wide)turns->count);
    write_turn_times(out, "lag", &turns->lag);
    write_turn_times(out, "cpu", &turns->cpu);
}

static void write_holdfast(struct hf_buffer *out, const struct hf_info *info)
{
    const struct hf_node_status *node = info->node;
    const struct hf_node_counters *counters = info->counters;
    LINE(out, "holdfast_version:%s\r\n", info->version);
    LINE(out, "name:%s\r\n", info->name);
    LINE(out, "incarnation:%016llx\r\n", (wide)info->incarnation);
    LINE(out, "peer_port:%u\r\n", (unsigned)info->peer_port);
    LINE(out, "view:%llu\r\n", (wide)(node->epoch >> 32));
    LINE(out, "state:%s\r\n", hf_info_state_name(node->state));
    LINE(out, "waits_for:%s\r\n",
         node->waits_for == NULL ? "" : node->waits_for);
    LINE(out, "partition_policy:%s\r\n", hf_info_policy_name(node->policy));
    LINE(out, "lineage:%08x\r\n", (unsigned)(node->lineage >> 32));
    LINE(out, "lineage_forks:%u\r\n", (unsigned)node->forks);
    LINE(out, "merging_done:%u\r\n", (unsigned)node->merge_done);
    LINE(out, "merging_all:%u\r\n", (unsigned)node->merge_all);
    LINE(out, "serving:%d\r\n", node->serving ? 1 : 0);
    LINE(out, "partitions_unavailable:%u\r\n",
         (unsigned)node->partitions_unavailable);
    LINE(out, "settled:%d\r\n", node->settled ? 1 : 0);
    LINE(out, "members:%u\r\n", (unsigned)node->member_count);
    LINE(out, "partitions_primary:%u\r\n", (unsigned)node->partitions_primary);
    LINE(out, "partitions_backup:%u\r\n", (unsigned)node->partitions_backup);
    LINE(out, "sessions:%llu\r\n", (wide)node->sessions);
    LINE(out, "local_sessions:%llu\r\n", (wide)node->local_sessions);
    LINE(out, "local_bytes:%llu\r\n", (wide)node->local_bytes);
    LINE(out, "fences:%llu\r\n", (wide)node->fences);
    LINE(out, "local_fences:%llu\r\n", (wide)node->local_fences);
    LINE(out, "local_fence_bytes:%llu\r\n", (wide)node->local_fence_bytes);
    LINE(out, "under_replicated:%llu\r\n", (wide)node->under_replicated);
    LINE(out, "operations:%llu\r\n", (wide)counters->operations);
    LINE(out, "operations_forwarded:%llu\r\n", (wide)counters->forwarded);
    LINE(out, "operations_read_as_copy:%llu\r\n", (wide)counters->copy_reads);
    LINE(out, "messages_published:%llu\r\n",
         (wide)counters->messages_published);
    LINE(out, "messages_dropped:%llu\r\n", (wide)counters->messages_dropped);
    LINE(out, "events_published:%llu\r\n", (wide)counters->events_published);
    LINE(out, "operations_held:%llu\r\n", (wide)counters->held);
    LINE(out, "operations_refused:%llu\r\n", (wide)counters->refused);
    LINE(out, "operations_repeated:%llu\r\n",
         (wide)counters->operations_repeated);
    LINE(out, "writes:%llu\r\n", (wide)counters->writes);
    LINE(out, "touches:%llu\r\n", (wide)counters->touches);
    LINE(out, "writes_degraded:%llu\r\n", (wide)counters->writes_degraded);
    LINE(out, "writes_alone:%llu\r\n", (wide)counters->writes_alone);
    LINE(out, "sessions_expired:%llu\r\n", (wide)counters->expired);
    LINE(out, "fences_lifted_early:%llu\r\n",
         (wide)counters->fences_lifted_early);
    LINE(out, "views_entered:%llu\r\n", (wide)counters->views);
    LINE(out, "partitions_lost:%llu\r\n", (wide)counters->partitions_lost);
    LINE(out, "sessions_lost:%llu\r\n", (wide)counters->sessions_lost);
    LINE(out, "forks:%llu\r\n", (wide)counters->forks);
    LINE(out, "merges:%llu\r\n", (wide)counters->merges);
    LINE(out, "sessions_merged:%llu\r\n", (wide)counters->sessions_merged);
    LINE(out, "merges_forgotten:%llu\r\n", (wide)counters->merges_forgotten);
    LINE(out, "merge_conflicts:%llu\r\n", (wide)counters->merge_conflicts);
    LINE(out, "records_refused:%llu\r\n", (wide)counters->records_refused);
    write_health(out, node, counters);
    write_turns(out, info->turns);
}

void hf_info_write(struct hf_buffer *out, struct hf_slice section,
                   const struct hf_info *info)
{
    static const struct {
        const char *name;
        void (*write)(struct hf_buffer *out, const struct hf_info *info);
    } sections[] = {
        {"Server", write_server},     {"Clients", write_clients},
        {"Memory", write_memory},     {"Persistence", write_persistence},
        {"Stats", write_stats},       {"Replication", write_replication},
        {"CPU", write_cpu},           {"Cluster", write_cluster},
        {"Keyspace", write_keyspace}, {"Holdfast", write_holdfast},
    };
    bool all = section.size == 0 || hf_slice_equal_nocase(section, "all") ||
               hf_slice_equal_nocase(section, "default") ||
               hf_slice_equal_nocase(section, "everything");
    bool first = true;
    for (size_t i = 0; i < HF_ARRAY_COUNT(sections); i++) {
        if (all || hf_slice_equal_nocase(section, sections[i].name)) {
            LINE(out, "%s# %s\r\n", first ? "" : "\r\n", sections[i].name);
            sections[i].write(out, info);
            first = false;
        }
    }
}
