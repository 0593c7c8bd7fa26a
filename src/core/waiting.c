/* waiting.c - Commands that wait until their partition is served here, or until
 * there is room in the streams to its copies, in the order in which they came.
 */
#include "core/node_state.h"

static const char no_primary_text[] =
    "CLUSTERDOWN too many commands wait for this session's primary";

static void waiting_free(struct hf_node *node, struct hf_waiting *waiting)
{
    hf_list_remove(&waiting->link);
    node->waiting_bytes -= waiting->size;
    hf_mem_free(node->mem, waiting, waiting->size);
}

static void wait_for(struct hf_node *node, uint16_t p,
                     struct hf_operation_id operation,
                     const struct hf_command *command)
{
    struct hf_partition *partition = &node->partitions[p];
    size_t size = sizeof(struct hf_waiting) + hf_command_copy_size(command);
    if (node->waiting_bytes + size > node->config.held_bytes_max &&
        !HF_MUTATED(HELD_UNBOUNDED)) {
        node->counters.refused++;
        hf_node_answer_error(node, operation, no_primary_text);
        return;
    }
    struct hf_waiting *waiting = hf_mem_alloc(node->mem, size);
    if (waiting == NULL) {
        hf_node_answer_error(node, operation, hf_no_memory_text);
        return;
    }
    *waiting = (struct hf_waiting){
        .operation = operation, .since = node->now, .size = size};
    waiting->command = hf_command_copy(command, waiting + 1);
    if (hf_list_is_empty(&partition->waiting)) {
        hf_list_push_back(&node->waiting_partitions, &partition->waiting_link);
    }
    hf_list_push_back(&partition->waiting, &waiting->link);
    node->waiting_bytes += size;
    node->counters.held++;
}

void hf_node_drop_waiting(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    while (!hf_list_is_empty(&partition->waiting)) {
        waiting_free(node, HF_CONTAINER_OF(partition->waiting.next,
                                           struct hf_waiting, link));
    }
    hf_list_remove(&partition->waiting_link);
}

void hf_node_execute(struct hf_node *node, uint16_t p,
                     struct hf_operation_id operation,
                     const struct hf_command *command)
{
    bool queue = !hf_list_is_empty(&node->partitions[p].waiting);
    if (queue || !hf_node_try_execute(node, p, operation, command)) {
        wait_for(node, p, operation, command);
    }
}

void hf_node_run_waiting(struct hf_node *node, uint16_t p)
{
    struct hf_partition *partition = &node->partitions[p];
    while (!hf_list_is_empty(&partition->waiting)) {
        struct hf_waiting *first =
            HF_CONTAINER_OF(partition->waiting.next, struct hf_waiting, link);
        if (!hf_node_try_execute(node, p, first->operation, &first->command)) {
            return;
        }
        waiting_free(node, first);
    }
    hf_list_remove(&partition->waiting_link);
}

void hf_node_run_all_waiting(struct hf_node *node)
{
    if (node->commit_blocked) {
        node->commit_blocked = false;
        for (uint16_t p = 0; p < HF_PARTITION_COUNT; p++) {
            hf_node_try_commit(node, p);
        }
    }
    struct hf_list *link = node->waiting_partitions.next;
    while (link != &node->waiting_partitions) {
        struct hf_partition *partition =
            HF_CONTAINER_OF(link, struct hf_partition, waiting_link);
        link = link->next;
        hf_node_run_waiting(node, partition->sessions.partition);
    }
    hf_node_run_ranges(node);
}

/* Who waited as long as a client is held has given up by now. */
void hf_node_waiting_tick(struct hf_node *node)
{
    struct hf_list *link = node->waiting_partitions.next;
    while (link != &node->waiting_partitions) {
        struct hf_partition *partition =
            HF_CONTAINER_OF(link, struct hf_partition, waiting_link);
        link = link->next;
        while (!hf_list_is_empty(&partition->waiting)) {
            struct hf_waiting *first = HF_CONTAINER_OF(partition->waiting.next,
                                                       struct hf_waiting, link);
            if (node->now - first->since < (hf_time)node->config.hold_ms) {
                break;
            }
            waiting_free(node, first);
        }
        hf_node_run_waiting(node, partition->sessions.partition);
    }
}
