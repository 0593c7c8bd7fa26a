/* reads.c - What a copy answers from its own memory.
 *
 * A write is acknowledged when all full copies have it, so a full copy has all
 * that any read has to show; it must only not show more, nor go on when others
 * went on without it. It answers when
 *
 *   - its primary said in this epoch that all copies are level (SYNCED): what
 *     was acknowledged in earlier views is here,
 *   - what the read shows is committed, as far as COMMITTED told: another copy
 *     that lacks it could answer the next read. Of a key that is not there it
 *     shows the last removal in the partition;
 *   - no view is agreed on in which others acknowledge writes without us. One
 *     that leaves us out waits until our lease is over, as for a primary. One
 *     that keeps us as a member and only drops this copy needs our promise
 *     first, like every view (agreement.c), and after a promise we answer
 *     nothing;
 *   - the session's time is not nearly over. Whether it is, the primary
 *     decides, who also tells how much is left (touches.c);
 *   - nothing that was asked of this node before, about the same key, is still
 *     under way: it may be of the same client, who wants to read its write.
 *
 * Else the read goes to the primary, like any command. */
#include "core/node_state.h"

static bool is_asked_before(const struct hf_node *node, uint32_t hash,
                            uint32_t asked)
{
    return (node->asked[hash & (HF_ASKED_PLACES - 1)] > asked ||
            node->asked[HF_ASKED_PLACES] > 0) &&
           !HF_MUTATED(COPY_READ_OVERTAKES);
}

static bool shows_committed(const struct hf_node *node,
                            const struct hf_partition *partition,
                            struct hf_slice key, uint32_t hash)
{
    const struct hf_session *entry =
        hf_sessions_find_entry(&partition->sessions, key, hash);
    /* By which the deadline that we were told may be later. */
    hf_time grace = (hf_time)node->config.touch_delay_ms;
    if (entry != NULL && hf_session_type(entry) != HF_SESSION_FENCE &&
        hf_session_deadline(entry) <= node->now + grace) {
        return HF_MUTATED(COPY_DECIDES_EXPIRY);
    }
    return hf_node_shown(partition, entry) <= partition->committed ||
           HF_MUTATED(COPY_DIRTY_READ);
}

bool hf_node_copy_serves(struct hf_node *node, uint16_t p)
{
    const struct hf_partition *partition = &node->partitions[p];
    return (partition->level || HF_MUTATED(COPY_NOT_LEVEL)) &&
           node->state == HF_STATE_ACTIVE && !partition->primary &&
           (node->promised <= node->view->epoch ||
            HF_MUTATED(COPY_READ_AFTER_PROMISE)) &&
           (hf_node_holds_leases(node, p) || HF_MUTATED(COPY_WITHOUT_LEASE));
}

bool hf_node_copy_answers(struct hf_node *node, uint16_t p,
                          const struct hf_command *command, uint32_t hash,
                          uint32_t asked)
{
    if ((command->row->flags & (HF_COMMAND_WRITE | HF_COMMAND_TIME)) != 0 ||
        !hf_node_copy_serves(node, p) || is_asked_before(node, hash, asked) ||
        !shows_committed(node, &node->partitions[p], command->argv[1], hash)) {
        return false;
    }
    node->counters.copy_reads++;
    return true;
}
