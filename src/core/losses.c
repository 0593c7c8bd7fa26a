/* losses.c - Keeping count of what was promised with too few copies, and of
 * what was lost. Nothing of this changes what a node does. */
#include <string.h>

#include "core/effects.h"
#include "core/node_state.h"

#define LOG_EVERY_MS 60000
#define SHARE 1024 /* Sessions are split over partitions in these. */

/* How many members had the record of @sequence when it was committed. Who is
 * still learning has it if it came after the learner began to count. */
static unsigned copies_of(const struct hf_node *node, uint16_t p,
                          uint64_t sequence)
{
    const struct hf_partition *partition = &node->partitions[p];
    unsigned copies = node->view->acting[p].count;
    for (uint8_t i = 0; i < partition->copy_count; i++) {
        const struct hf_copy *copy = &partition->copies[i];
        if (!copy->acting &&
            (copy->state == HF_COPY_LEARNT ||
             copy->state == HF_COPY_NOMINATED) &&
            sequence > copy->learnt_at) {
            copies++;
        }
    }
    return copies;
}

void hf_node_count_commit(struct hf_node *node, uint16_t p, uint64_t sequence,
                          struct hf_slice effects)
{
    unsigned wanted = 1u + node->view->backups;
    struct hf_reader seen;
    unsigned copies = wanted;
    if (node->view->acting[p].count < wanted) { /* Seldom. */
        copies = copies_of(node, p, sequence);
    }
    if (copies >= wanted || hf_effects_read_seen(effects, &seen) ||
        HF_MUTATED(DEGRADED_UNCOUNTED)) {
        return; /* What a merge notes for itself is no write of anybody. */
    }
    struct hf_node_counters *counters = &node->counters;
    counters->writes_degraded++;
    if (copies == 1) {
        counters->writes_alone++;
    }
    if (counters->writes_degraded == 1 ||
        node->now - node->degraded_said_at >= LOG_EVERY_MS) {
        node->degraded_said_at = node->now;
        hf_log(&node->config.log, HF_LOG_WARNING,
               "acknowledged a write with %u of %u copies; %llu such writes, "
               "%llu of them with a single copy, since this node started",
               copies, wanted, (unsigned long long)counters->writes_degraded,
               (unsigned long long)counters->writes_alone);
    }
}

/* What member @index of @view, whom @members describes, last said that it was
 * primary of, in SHAREs of a session for each of its partitions. */
static uint64_t share_of(const struct hf_view *view,
                         const struct hf_member *members, uint8_t index)
{
    const struct hf_peer *peer = members[index].peer;
    uint64_t primaries = 0;
    if (peer == NULL || !peer->has_beat ||
        peer->info.incarnation != view->members[index].incarnation) {
        return 0; /* Not known: it may be running anew already. */
    }
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        primaries += view->acting[p].members[0] == index;
    }
    if (primaries == 0 || peer->beat.sessions > UINT64_MAX / SHARE) {
        return 0;
    }
    return peer->beat.sessions * SHARE / primaries;
}

/* Partitions in which @view, that we come from, had a primary whose share is
 * in @shares. */
static uint64_t sessions_in(const struct hf_node_losses *losses,
                            const struct hf_view *view,
                            const struct hf_member *members)
{
    uint64_t shares[HF_MEMBERS_MAX] = {0};
    uint64_t sum = 0;
    for (uint8_t i = 0; i < view->member_count; i++) {
        shares[i] = share_of(view, members, i);
    }
    for (uint16_t p = 0; view->epoch != 0 && p < HF_PARTITION_COUNT; p++) {
        if (losses->lost[p]) {
            sum += shares[view->acting[p].members[0]];
        }
    }
    return (sum + SHARE / 2) / SHARE;
}

static void count(struct hf_node *node, uint64_t partitions, uint64_t sessions)
{
    node->counters.partitions_lost += partitions;
    node->counters.sessions_lost += sessions;
    hf_log(&node->config.log, HF_LOG_ERROR,
           "%llu partition%s lost the last copy and start%s empty: about %llu "
           "session%s lost, by what the dead said last",
           (unsigned long long)partitions, HF_PLURAL(partitions),
           partitions == 1 ? "s" : "", (unsigned long long)sessions,
           sessions == 1 ? " is" : "s are");
}

void hf_node_count_lost(struct hf_node *node,
                        const struct hf_node_losses *losses,
                        const struct hf_view *before,
                        const struct hf_member *members)
{
    uint64_t partitions = 0;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        partitions += losses->lost[p];
    }
    if (partitions > 0 && !HF_MUTATED(LOSS_UNCOUNTED)) {
        count(node, partitions, sessions_in(losses, before, members));
    }
}

void hf_node_doubt(struct hf_node *node)
{
    struct hf_node_losses all;
    memset(all.lost, true, sizeof(all.lost));
    node->doubted_cluster = node->view->cluster;
    node->doubted_sessions = sessions_in(&all, node->view, node->members);
}

void hf_node_doubt_ends(struct hf_node *node)
{
    if (node->doubted_cluster != 0 &&
        node->doubted_cluster != node->view->cluster) {
        count(node, HF_PARTITION_COUNT, node->doubted_sessions);
    }
    node->doubted_cluster = 0;
}
