/* asked.c - What clients ask about the node. */
#include <string.h>

#include "io/clock.h"
#include "server/info.h"
#include "server/server_private.h"
#include "server/status.h"

static uint64_t cpu_us(const uv_timeval_t *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

void hf_server_info(void *user, struct hf_slice section, bool cluster,
                    struct hf_buffer *out)
{
    struct hf_server *server = user;
    uv_rusage_t usage;
    size_t rss = 0;
    memset(&usage, 0, sizeof(usage));
    uv_getrusage(&usage);
    uv_resident_set_memory(&rss);
    hf_node_get_status(server->node, &server->status);
    hf_time age_ms = hf_clock_now() - server->started_at;
    const struct hf_info info = {
        .version = HF_VERSION,
        .run_id = server->run_id,
        .cluster = cluster,
        .port = cluster ? server->config.cluster_port : server->config.port,
        .peer_port = server->config.peer_port,
        .process_id = uv_os_getpid(),
        .uptime_seconds = (uint64_t)age_ms / 1000,
        .clients_max = server->config.clients_max,
        .memory_bytes = server->mem.used_bytes,
        .memory_rss_bytes = rss,
        .cpu_system_us = cpu_us(&usage.ru_stime),
        .cpu_user_us = cpu_us(&usage.ru_utime),
        .name = server->config.name,
        .incarnation = server->self.incarnation,
        .clients = hf_clients_get_stats(server->clients),
        .channels = hf_clients_topics(server->clients, HF_SUBSCRIPTION_CHANNEL),
        .patterns = hf_clients_topics(server->clients, HF_SUBSCRIPTION_PATTERN),
        .shard_channels =
            hf_clients_topics(server->clients, HF_SUBSCRIPTION_SHARD),
        .node = &server->status,
        .counters = hf_node_get_counters(server->node),
        .turns = &server->turns,
    };
    hf_info_write(out, section, &info);
}

void hf_server_status(void *user, struct hf_buffer *out)
{
    struct hf_server *server = user;
    hf_node_get_status(server->node, &server->status);
    hf_status_write(out, &server->status, &server->self,
                    server->config.drain_timeout_s);
}
