/* itself.c - Commands that the node answers for itself: TIME, ROLE, WAIT. */
#include <string.h>

#include "base/assert.h"
#include "core/commands.h"
#include "core/node_state.h"

static struct hf_reply answer_time(struct hf_node *node)
{
    struct hf_buffer *out = &node->scratch;
    struct hf_buffer *digits = &node->tokens;
    hf_reply_put_array(out, 2);
    hf_buffer_append_int64(digits, node->wall_ms / 1000);
    hf_reply_put_bulk(out, hf_buffer_slice(digits));
    hf_buffer_clear(digits);
    hf_buffer_append_int64(digits, node->wall_ms % 1000 * 1000);
    hf_reply_put_bulk(out, hf_buffer_slice(digits));
    return hf_reply_nested(out);
}

/* Every node takes every command, so to a client it is a primary alone. */
static struct hf_reply answer_role(struct hf_node *node)
{
    struct hf_buffer *out = &node->scratch;
    hf_reply_put_array(out, 3);
    hf_reply_put_bulk(out, HF_SLICE_LITERAL("master"));
    hf_reply_put_integer(out, (int64_t)node->counters.writes);
    hf_reply_put_array(out, 0);
    return hf_reply_nested(out);
}

/* A write is answered when every copy of its partition has it: so many backups
 * have any write that was answered in this view. */
static int64_t backups_of_any(const struct hf_node *node)
{
    if (node->state != HF_STATE_ACTIVE) {
        return 0;
    }
    int64_t least = HF_COPIES_MAX;
    for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
        int64_t backups = node->view->acting[p].count - 1;
        least = backups < least ? backups : least;
    }
    return least < 0 ? 0 : least;
}

static struct hf_reply answer_wait(struct hf_node *node,
                                   const struct hf_command *command)
{
    int64_t wanted;
    int64_t timeout;
    if (!hf_slice_to_int64(command->argv[1], &wanted)) {
        return hf_reply_error(HF_TEXT_NOT_INTEGER);
    }
    if (!hf_slice_to_int64(command->argv[2], &timeout)) {
        return hf_reply_error("ERR timeout is not an integer or out of range");
    }
    if (timeout < 0) {
        return hf_reply_error("ERR timeout is negative");
    }
    return hf_reply_integer(backups_of_any(node));
}

void hf_node_answer_itself(struct hf_node *node, uint64_t client, uint64_t tag,
                           const struct hf_command *command)
{
    const char *name = command->row->name;
    struct hf_reply reply;
    hf_buffer_clear(&node->scratch);
    hf_buffer_clear(&node->tokens);
    if (strcmp(name, "TIME") == 0) {
        reply = answer_time(node);
    } else if (strcmp(name, "ROLE") == 0) {
        reply = answer_role(node);
    } else {
        HF_ASSERT(strcmp(name, "WAIT") == 0);
        reply = answer_wait(node, command);
    }
    if (node->scratch.failed || node->tokens.failed) {
        reply = hf_reply_error(hf_no_memory_text);
    }
    hf_node_answer_client(node, client, tag, &reply);
}
