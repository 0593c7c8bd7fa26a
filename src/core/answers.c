/* answers.c - What it takes to answer, and the way to who asked.
 *
 * Whoever serves holds leases, and looks at them when the answer leaves: to a
 * client of this node, or to the node that the client asked. */
#include "core/node_state.h"

/* Large answers are refused once that much waits for the link to a node. */
#define RESULT_QUEUE_BYTES ((size_t)64 << 20)
#define SMALL_REPLY_BYTES 65536

static const char busy_link_text[] =
    "CLUSTERDOWN the link between two nodes is busy with large answers";

bool hf_node_holds_leases(struct hf_node *node, uint16_t p)
{
    hf_member_set lease = hf_node_lease(node);
    hf_member_set others =
        hf_view_copies(node->view, p) & ~hf_member_set_of(node->self);
    return (node->lease_safe || HF_MUTATED(NO_SAFE_SET)) &&
           ((others & ~lease) == 0 || HF_MUTATED(NO_LEASE_OF_COPIES));
}

bool hf_node_may_write(struct hf_node *node, uint16_t p)
{
    const struct hf_partition *partition = &node->partitions[p];
    return node->state == HF_STATE_ACTIVE && partition->primary &&
           partition->synced &&
           (node->promised <= node->view->epoch ||
            HF_MUTATED(SERVES_AFTER_PROMISE)) &&
           hf_node_holds_leases(node, p);
}

bool hf_node_may_serve(struct hf_node *node, uint16_t p)
{
    return !node->partitions[p].awaited && hf_node_may_write(node, p);
}

void hf_node_answer(struct hf_node *node, struct hf_operation_id operation,
                    const struct hf_reply *reply, uint64_t scan_next)
{
    if (operation.number == 0) {
        return;
    }
    if (operation.origin == node->config.self.incarnation) {
        hf_node_request_done(node, operation.number, reply, scan_next);
        return;
    }
    struct hf_message message = {
        .type = HF_MESSAGE_RESULT,
        .result = {operation.number, scan_next, *reply}};
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (peer->info.incarnation != operation.origin) {
            continue;
        }
        if (reply->bytes.size > SMALL_REPLY_BYTES &&
            node->out->queued != NULL &&
            node->out->queued(node->out->user, peer->info.id) >
                RESULT_QUEUE_BYTES) {
            message.result.reply = hf_reply_error(busy_link_text);
        }
        hf_node_send(node, peer, &message);
    }
}

void hf_node_answer_tokens(struct hf_node *node,
                           struct hf_operation_id operation,
                           struct hf_slice tokens)
{
    struct hf_reply reply;
    if (operation.number == 0) {
        return;
    }
    if (!hf_reply_decode(tokens, &reply)) {
        reply = hf_reply_error("ERR the stored answer is damaged");
    }
    hf_node_answer(node, operation, &reply, 0);
}
