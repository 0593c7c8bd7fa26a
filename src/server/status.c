#include "server/status.h"

#include <stdio.h>

#include "core/limits.h"
#include "core/reply.h"
#include "io/resolve.h"
#include "server/info.h"

static void put_text(struct hf_buffer *out, const char *key, const char *value)
{
    hf_reply_put_bulk(out, hf_slice_text(key));
    hf_reply_put_bulk(out, hf_slice_text(value));
}

static void put_number(struct hf_buffer *out, const char *key, uint64_t value)
{
    hf_reply_put_bulk(out, hf_slice_text(key));
    hf_reply_put_integer(out, (int64_t)value);
}

static const char *member_state(const struct hf_member_status *member)
{
    if (!member->alive) {
        return "silent";
    }
    if (member->leaving) {
        return "leaving";
    }
    return member->slow ? "slow" : "alive";
}

static void put_member(struct hf_buffer *out,
                       const struct hf_member_status *member, bool self)
{
    char address[HF_HOST_BYTES_MAX + 16];
    char peer_address[HF_HOST_BYTES_MAX + 16];
    hf_host_port_text(member->info->host, member->info->client_port, address,
                      sizeof(address));
    hf_host_port_text(member->info->host, member->info->peer_port, peer_address,
                      sizeof(peer_address));
    hf_reply_put_map(out, 11);
    put_text(out, "name", member->info->name);
    put_text(out, "address", address);
    put_text(out, "peer_address", peer_address);
    put_text(out, "label", member->info->label);
    put_text(out, "state", member_state(member));
    put_number(out, "sessions", member->sessions);
    put_number(out, "bytes", member->bytes);
    put_number(out, "primaries", member->primaries);
    put_number(out, "backups", member->backups);
    put_number(out, "filling", member->filling);
    put_number(out, "self", self ? 1 : 0);
}

/* Members with a vote, and those of them that are heard. */
static void count_voters(const struct hf_node_status *status, unsigned *voters,
                         unsigned *heard)
{
    *voters = 0;
    *heard = 0;
    for (uint8_t i = 0; i < status->member_count; i++) {
        *voters += status->members[i].absent ? 0 : 1;
        *heard += status->members[i].alive ? 1 : 0;
    }
}

static void write_too_few(const struct hf_node_status *status, char *text,
                          size_t size)
{
    unsigned voters, heard;
    char when[64] = "do not go on by themselves";
    count_voters(status, &voters, &heard);
    if (status->fork_allowed) {
        (void)snprintf(when, sizeof(when), "go on by themselves in %lld ms",
                       (long long)status->fork_in_ms);
    }
    (void)snprintf(text, size,
                   "%u of %u members %s heard, itself included, which is too "
                   "few: with partition-policy %s they %s",
                   heard, voters, heard == 1 ? "is" : "are",
                   hf_info_policy_name(status->policy), when);
}

/* Why the node serves nothing, as the end of a sentence; "" when it serves. */
static void say_reason(const struct hf_node_status *status, char *text,
                       size_t size)
{
    const char *why = "";
    switch (status->state) {
    case HF_STATE_STARTING:
        why = "it has not found its cluster yet";
        break;
    case HF_STATE_OUT:
        why = "the cluster went on without this node, which is joining again";
        break;
    case HF_STATE_LEFT:
        why = "it has left its cluster";
        break;
    case HF_STATE_MERGING:
        (void)snprintf(text, size,
                       "it hands over to the part of the cluster that goes on: "
                       "%u of %u partitions",
                       (unsigned)status->merge_done,
                       (unsigned)status->merge_all);
        return;
    case HF_STATE_ACTIVE:
        if (!status->serving && status->unsafe_ms > 0) {
            write_too_few(status, text, size);
            return;
        }
        if (!status->serving) {
            why = status->deciding
                      ? "the members agree on a new view"
                      : "it waits for the permission of other members";
        }
        break;
    }
    (void)snprintf(text, size, "%s", why);
}

void hf_status_write(struct hf_buffer *out, const struct hf_node_status *status,
                     const struct hf_peer_info *self, uint32_t drain_timeout_s)
{
    char lineage[16];
    char reason[256];
    say_reason(status, reason, sizeof(reason));
    hf_reply_put_map(out, 29);
    put_number(out, "view", status->epoch >> 32);
    put_text(out, "state", hf_info_state_name(status->state));
    put_text(out, "name", self->name);
    put_text(out, "waits_for",
             status->waits_for == NULL ? "" : status->waits_for);
    (void)snprintf(lineage, sizeof(lineage), "%08x",
                   (unsigned)(status->lineage >> 32));
    put_text(out, "partition_policy", hf_info_policy_name(status->policy));
    put_text(out, "lineage", lineage);
    put_number(out, "lineage_forks", status->forks);
    put_number(out, "merging_done", status->merge_done);
    put_number(out, "merging_all", status->merge_all);
    put_number(out, "serving", status->serving ? 1 : 0);
    put_text(out, "reason", reason);
    put_number(out, "unsafe_ms", (uint64_t)status->unsafe_ms);
    put_number(out, "partitions_unavailable", status->partitions_unavailable);
    put_text(out, "no_takeover",
             status->no_takeover == NULL ? "" : status->no_takeover);
    put_number(out, "settled", status->settled ? 1 : 0);
    put_number(out, "sessions", status->sessions);
    put_number(out, "under_replicated", status->under_replicated);
    put_number(out, "fences", status->fences);
    put_number(out, "fences_lifted_early", status->fences_lifted_early);
    put_number(out, "backups", status->backups);
    put_number(out, "writes_degraded", status->writes_degraded);
    put_number(out, "partitions_lost", status->partitions_lost);
    put_number(out, "sessions_lost", status->sessions_lost);
    put_number(out, "refill_partitions", status->refill_partitions);
    put_number(out, "refill_sessions", status->refill_sessions);
    put_number(out, "refill_bytes", status->refill_bytes);
    put_number(out, "partitions", HF_PARTITION_COUNT);
    put_number(out, "drain_timeout", drain_timeout_s);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("members"));
    hf_reply_put_array(out, status->member_count);
    for (size_t i = 0; i < status->member_count; i++) {
        const struct hf_member_status *member = &status->members[i];
        put_member(out, member, member->info->id == self->id);
    }
}
