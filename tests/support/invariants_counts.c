/* What nodes count of themselves, counted once more from outside, and the pace
 * at which they fill copies. */
#include <inttypes.h>

#include "core/node_state.h"
#include "support/cluster.h"
#include "support/invariants.h"

#define FORGIVEN_MS 1000 /* A debt of filling, when nothing is sent. */

/* Records that only say how far a copy is are sent at once, whatever else is
 * under way. */
#define MARKS_BYTES (HF_PARTITION_COUNT * sizeof(struct hf_record))

/* Members of the view that are no copy of @p by it, but may have had its record
 * of @sequence: they have it, or cannot be asked any more. */
static unsigned others_with(const struct cluster *c, const struct hf_node *node,
                            uint16_t p, uint64_t sequence)
{
    const struct hf_view *view = node->view;
    hf_member_set copies = hf_view_copies(view, p);
    unsigned count = 0;
    for (uint8_t i = 0; i < view->member_count; i++) {
        unsigned other = cluster_node_of(c, view, i);
        if ((copies & hf_member_set_of(i)) != 0) {
            continue;
        }
        if (other == CLUSTER_NODES_MAX) {
            count++;
            continue;
        }
        const struct hf_version version =
            c->processes[other].node->partitions[p].version;
        count += version.epoch == view->epoch && version.sequence >= sequence;
    }
    return count;
}

void invariants_count_commits(const struct cluster *c,
                              const struct process *process, uint16_t p,
                              uint64_t since,
                              struct invariants_commits *commits)
{
    const struct hf_node *node = process->node;
    unsigned wanted = 1u + node->view->backups;
    unsigned copies = node->view->acting[p].count;
    uint64_t done = node->partitions[p].committed;
    if (copies >= wanted) {
        return;
    }
    commits->few_max += done - since;
    commits->alone_max += copies == 1 ? done - since : 0;
    if (c->invariants.two_sides || node->view->lineage_count > 1) {
        return; /* Some may be notes of a merge, which nobody asked for. */
    }
    copies += others_with(c, node, p, since + 1);
    commits->few_min += copies < wanted ? done - since : 0;
    commits->alone_min += copies == 1 ? done - since : 0;
}

static bool is_between(uint64_t count, uint64_t min, uint64_t max, bool all)
{
    return count >= min && (count <= max || !all);
}

void invariants_check_commits(struct cluster *c, const struct process *process,
                              const struct invariants_commits *commits)
{
    struct invariants_counts *last = &c->invariants.counts[process->number];
    const struct hf_node_counters *now = &process->node->counters;
    uint64_t few = now->writes_degraded - last->writes_degraded;
    uint64_t alone = now->writes_alone - last->writes_alone;
    bool all = c->invariants.watched_count == HF_PARTITION_COUNT;
    last->writes_degraded = now->writes_degraded;
    last->writes_alone = now->writes_alone;
    if (commits == NULL) {
        return;
    }
    if (!is_between(few, commits->few_min, commits->few_max, all) ||
        !is_between(alone, commits->alone_min, commits->alone_max, all)) {
        cluster_fail(c,
                     "n%u counts %" PRIu64
                     " writes with too few copies, %" PRIu64
                     " of them with one; it was %" PRIu64 " and %" PRIu64
                     " at least, %" PRIu64 " and %" PRIu64 " at most",
                     process->number + 1, few, alone, commits->few_min,
                     commits->alone_min, commits->few_max, commits->alone_max);
    }
}

/* Nothing is added to what is on its way to fill a copy where that has reached
 * its bound. */
static void check_under_way(struct cluster *c, const struct process *process)
{
    const struct hf_node *node = process->node;
    struct invariants_counts *counts = &c->invariants.counts[process->number];
    bool same = counts->fill_epoch == node->view->epoch;
    for (uint8_t i = 0; i < node->view->member_count && i < NETWORK_NODES_MAX;
         i++) {
        const struct hf_stream *stream = &node->members[i].stream;
        struct invariants_fill *fill = &counts->fills[i];
        if (same && fill->acked == stream->acked &&
            fill->bytes >= node->config.learn_bytes_max &&
            stream->learn_bytes > fill->bytes + MARKS_BYTES) {
            cluster_fail(c, "n%u sends more to fill %s: %zu bytes",
                         process->number + 1, node->view->members[i].name,
                         stream->learn_bytes);
        }
        *fill = (struct invariants_fill){stream->acked, stream->learn_bytes};
    }
    counts->fill_epoch = node->view->epoch;
}

void invariants_check_fill(struct cluster *c, const struct process *process)
{
    struct invariants_counts *counts = &c->invariants.counts[process->number];
    const struct hf_node *node = process->node;
    uint64_t sent = node->counters.fill_bytes - counts->fill_bytes;
    if (sent == 0) {
        return;
    }
    hf_time now = process_now(process);
    int64_t rate = (int64_t)node->config.learn_bytes_per_second;
    int64_t burst = rate * HF_FILL_BURST_MS / 1000;
    hf_time elapsed = now - counts->fill_at;
    int64_t left = counts->fill_left + rate * elapsed / 1000;
    if (now - counts->paced_at >= FORGIVEN_MS || rate != counts->fill_rate ||
        left > burst) {
        left = burst;
    }
    if (left <= 0 && sent > MARKS_BYTES) {
        cluster_fail(c,
                     "n%u sends %" PRIu64 " bytes to fill copies, but has been "
                     "too fast by %" PRId64 " already",
                     process->number + 1, sent, -left);
    }
    counts->fill_bytes = node->counters.fill_bytes;
    counts->fill_left = left - (int64_t)sent;
    counts->fill_rate = rate;
    counts->fill_at = now;
    counts->paced_at = sent > MARKS_BYTES ? now : counts->paced_at;
    check_under_way(c, process);
}

void invariants_forget_counts(struct invariants *invariants, unsigned node)
{
    invariants->counts[node] = (struct invariants_counts){0};
}
