/* expect.c - Having the memory fetched that commands and records will need.
 *
 * Most of what finding a session takes is waiting for memory: its partition,
 * its slot, and the session itself, each behind a pointer in the one before.
 * So of what comes together, the first step is done for all, then the second,
 * then the third, and meanwhile the processor fetches. */
#include "core/expect.h"

#include "core/node_state.h"

#define CACHE_LINE 64

/* Of a partition, beyond HF_PARTITION_LOOK_BYTES: what a write looks at, up to
 * the first copy. */
#define WRITE_LOOK_BYTES                                                       \
    (offsetof(struct hf_partition, copies) + (size_t)CACHE_LINE)

struct place {
    const struct hf_partition *partition;
    uint32_t hash;
    bool writes;
};

static void fetch(const void *from, size_t size)
{
    for (size_t at = 0; at < size; at += CACHE_LINE) {
        hf_mem_prefetch((const uint8_t *)from + at);
    }
}

static void fetch_partition(const struct hf_partition *partition, bool writes)
{
    fetch(partition, writes ? WRITE_LOOK_BYTES : HF_PARTITION_LOOK_BYTES);
    if (writes) {
        hf_mem_prefetch(&partition->knowledge);
    }
}

static void fetch_sessions(const struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct hf_partition *partition = places[i].partition;
        hf_sessions_expect(&partition->sessions, places[i].hash);
        if (places[i].writes) {
            hf_record_queue_expect(&partition->log, partition->log.count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        hf_sessions_expect_entry(&places[i].partition->sessions,
                                 places[i].hash);
    }
}

/* False when it has no place of its own. */
static bool locate(const struct hf_node *node, struct hf_command *command,
                   struct place *place)
{
    const struct hf_command_row *row = command->row;
    if (row == NULL || row->route != HF_ROUTE_KEY ||
        !hf_command_arity_fits(row, command->argc)) {
        return false;
    }
    hf_command_locate(command);
    const struct hf_partition *partition =
        &node->partitions[command->partition];
    bool writes = (row->flags & HF_COMMAND_WRITE) != 0;
    fetch_partition(partition, writes);
    *place = (struct place){partition, command->hash, writes};
    return true;
}

void hf_node_expect(const struct hf_node *node, struct hf_command *commands,
                    size_t count)
{
    struct place places[HF_EXPECT_MAX];
    size_t found = 0;
    for (size_t i = 0; i < count && i < HF_EXPECT_MAX; i++) {
        found += locate(node, &commands[i], &places[found]) ? 1 : 0;
    }
    fetch_sessions(places, found);
}

static bool locate_record(const struct hf_node *node,
                          struct hf_record_view *record, struct place *place)
{
    if (record->kind != HF_RECORD_WRITE && record->kind != HF_RECORD_PAIRED &&
        record->kind != HF_RECORD_ENTRY) {
        return false;
    }
    const struct hf_partition *partition = &node->partitions[record->partition];
    fetch_partition(partition, true);
    hf_operations_expect(&node->operations, record->operation);
    if (record->operation.origin == node->config.self.incarnation) {
        hf_node_request_expect(node, record->operation.number);
    }
    record->hash = hf_sessions_hash(record->key);
    *place = (struct place){partition, record->hash, true};
    return true;
}

void hf_node_expect_messages(const struct hf_node *node,
                             struct hf_message *messages, size_t count)
{
    struct place places[HF_EXPECT_MAX];
    size_t found = 0;
    for (size_t i = 0; i < count && i < HF_EXPECT_MAX; i++) {
        struct hf_message *message = &messages[i];
        bool has_place = false;
        if (message->type == HF_MESSAGE_FORWARD) {
            has_place = locate(node, &message->forward.command, &places[found]);
        } else if (message->type == HF_MESSAGE_RECORD) {
            has_place =
                locate_record(node, &message->record.record, &places[found]);
        }
        found += has_place ? 1 : 0;
    }
    fetch_sessions(places, found);
}

void hf_node_expect_done(const struct hf_node *node,
                         const struct hf_record *const *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fetch(records[i], sizeof(*records[i]));
    }
    for (size_t i = 0; i < count; i++) {
        const struct hf_record_view *view = &records[i]->view;
        fetch_partition(&node->partitions[view->partition], true);
        hf_mem_prefetch(view->reply.data);
        if (view->operation.origin == node->config.self.incarnation) {
            hf_node_request_expect(node, view->operation.number);
        }
    }
    for (size_t i = 0; i < count; i++) {
        hf_record_queue_expect(
            &node->partitions[records[i]->view.partition].log, 0);
    }
}
