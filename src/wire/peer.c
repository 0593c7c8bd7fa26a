#include "wire/peer.h"

#include <string.h>

#include "base/assert.h"
#include "core/command.h"
#include "core/reply.h"
#include "core/tally.h"
#include "holdfast/error.h"
#include "wire/fields.h"

#define COMMAND_NAME_BYTES_MAX 64

/* What one item takes at least, to bound a count by the bytes left. */
#define ARGUMENT_BYTES_MIN 4
#define POSITION_BYTES (2 + 8 + 8 + 8)
#define NOMINATION_BYTES (2 + 1)
#define ENTRY_BYTES (4 + 8 + 8 + 4)

void hf_peer_scratch_init(struct hf_peer_scratch *scratch, struct hf_mem *mem)
{
    *scratch = (struct hf_peer_scratch){.mem = mem};
}

void hf_peer_scratch_close(struct hf_peer_scratch *scratch)
{
    struct hf_mem *mem = scratch->mem;
    hf_mem_free(mem, scratch->view, sizeof(*scratch->view));
    hf_mem_free(mem, scratch->argv,
                scratch->argv_capacity * sizeof(*scratch->argv));
    hf_mem_free(mem, scratch->positions,
                scratch->position_capacity * sizeof(*scratch->positions));
    hf_mem_free(mem, scratch->nominations,
                scratch->nomination_capacity * sizeof(*scratch->nominations));
    hf_mem_free(mem, scratch->entries,
                scratch->entry_capacity * sizeof(*scratch->entries));
    hf_peer_scratch_init(scratch, mem);
}

/* Reading. Each function returns 0, HF_EPROTO or HF_ENOMEM. Reading past the
 * end gives zeros; hf_peer_decode checks for it last, and what allocates or
 * loops checks for it before. */

static uint16_t read_partition(struct hf_reader *reader)
{
    uint16_t partition = hf_reader_u16(reader);
    if (partition >= HF_PARTITION_COUNT) {
        reader->failed = true;
    }
    return partition;
}

/* The number of items that follow, each of @item_bytes at least. */
static size_t read_count(struct hf_reader *reader, size_t count_max,
                         size_t item_bytes)
{
    size_t count = hf_reader_u32(reader);
    if (count > count_max || count > hf_reader_left(reader) / item_bytes) {
        reader->failed = true;
        return 0;
    }
    return count;
}

/* Makes room for @count items of @item_bytes in @items, whose room is
 * @capacity. Contents are not kept, so that growing copies nothing. */
static void *grow(struct hf_mem *mem, void *items, size_t *capacity,
                  size_t count, size_t item_bytes)
{
    if (items != NULL && count <= *capacity) {
        return items;
    }
    size_t wanted = 16;
    while (wanted < count) {
        wanted *= 2;
    }
    void *grown =
        hf_mem_resize(mem, items, *capacity * item_bytes, wanted * item_bytes);
    if (grown != NULL) {
        *capacity = wanted;
    }
    return grown;
}

static int read_view(struct hf_reader *reader, struct hf_peer_scratch *scratch,
                     const struct hf_view **read)
{
    if (scratch->view == NULL) {
        scratch->view = hf_mem_alloc(scratch->mem, sizeof(*scratch->view));
        if (scratch->view == NULL) {
            return HF_ENOMEM;
        }
    }
    *read = scratch->view;
    return hf_field_read_view(reader, scratch->view) ? 0 : HF_EPROTO;
}

static int read_prepare(struct hf_reader *reader, struct hf_prepare *prepare)
{
    prepare->ballot = hf_reader_u64(reader);
    prepare->base = hf_reader_u64(reader);
    prepare->excluded = hf_reader_u64(reader);
    prepare->dead = hf_reader_u64(reader);
    prepare->fork = hf_reader_u8(reader);
    return prepare->fork <= HF_FORK_TAKEOVER ? 0 : HF_EPROTO;
}

static int read_promise(struct hf_reader *reader,
                        struct hf_peer_scratch *scratch,
                        struct hf_promise *promise)
{
    promise->ballot = hf_reader_u64(reader);
    promise->base = hf_reader_u64(reader);
    promise->fresh = hf_reader_u64(reader);
    promise->accepted_ballot = hf_reader_u64(reader);
    promise->accepted = NULL;
    if (promise->accepted_ballot == 0) {
        return 0;
    }
    return read_view(reader, scratch, &promise->accepted);
}

static int read_accept(struct hf_reader *reader,
                       struct hf_peer_scratch *scratch,
                       struct hf_accept *accept)
{
    accept->ballot = hf_reader_u64(reader);
    accept->base = hf_reader_u64(reader);
    return read_view(reader, scratch, &accept->view);
}

static int read_nominate(struct hf_reader *reader,
                         struct hf_peer_scratch *scratch,
                         struct hf_nominate *nominate)
{
    nominate->epoch = hf_reader_u64(reader);
    nominate->count =
        read_count(reader, HF_PEER_NOMINATION_COUNT_MAX, NOMINATION_BYTES);
    struct hf_nomination *items =
        grow(scratch->mem, scratch->nominations, &scratch->nomination_capacity,
             nominate->count, sizeof(*items));
    if (items == NULL) {
        return HF_ENOMEM;
    }
    scratch->nominations = items;
    nominate->nominations = items;
    for (size_t i = 0; i < nominate->count; i++) {
        items[i].partition = read_partition(reader);
        items[i].member = hf_reader_u8(reader);
        if (items[i].member >= HF_MEMBERS_MAX) {
            return HF_EPROTO;
        }
    }
    return 0;
}

static int read_positions(struct hf_reader *reader,
                          struct hf_peer_scratch *scratch,
                          struct hf_positions *positions)
{
    positions->epoch = hf_reader_u64(reader);
    uint8_t last = hf_reader_u8(reader);
    if (last > 1) {
        return HF_EPROTO;
    }
    positions->last = last == 1;
    positions->count =
        read_count(reader, HF_PEER_POSITION_COUNT_MAX, POSITION_BYTES);
    struct hf_position *items =
        grow(scratch->mem, scratch->positions, &scratch->position_capacity,
             positions->count, sizeof(*items));
    if (items == NULL) {
        return HF_ENOMEM;
    }
    scratch->positions = items;
    positions->positions = items;
    for (size_t i = 0; i < positions->count; i++) {
        items[i].partition = read_partition(reader);
        items[i].version.epoch = hf_reader_u64(reader);
        items[i].version.sequence = hf_reader_u64(reader);
        items[i].learnt = hf_reader_u64(reader);
        if (items[i].learnt > HF_SESSIONS_END) {
            return HF_EPROTO;
        }
    }
    return 0;
}

/* Whether the command is one that nodes forward, with keys that fit. Of one
 * that we do not have, nothing more is known. */
static bool command_is_sound(const struct hf_command *command)
{
    const struct hf_command_row *row = command->row;
    if (row == NULL) {
        return command->argc >= 1;
    }
    if (row->route == HF_ROUTE_CONNECTION || row->route == HF_ROUTE_NODE ||
        row->route == HF_ROUTE_WALK || row->route == HF_ROUTE_SUBSCRIBERS ||
        !hf_command_arity_fits(row, command->argc)) {
        return false;
    }
    if (row->route == HF_ROUTE_KEY) { /* Wherever clients write it. */
        return command->argc >= 2 && command->argv[1].size <= HF_KEY_BYTES_MAX;
    }
    struct hf_key_places keys = hf_command_key_places(command);
    for (uint32_t i = keys.first; i < keys.end; i += keys.step) {
        if (command->argv[i].size > HF_KEY_BYTES_MAX) {
            return false;
        }
    }
    if (row->route == HF_ROUTE_UNIT || row->route == HF_ROUTE_SCRIPT) {
        return command->argc >= 3;
    }
    return true;
}

static int read_command(struct hf_reader *reader,
                        struct hf_peer_scratch *scratch,
                        struct hf_command *command, struct hf_slice name)
{
    *command = (struct hf_command){.row = hf_command_find(name)};
    /* In the one spelling of the table: a message has one encoding. */
    if (command->row == NULL
            ? name.size == 0 || name.size > COMMAND_NAME_BYTES_MAX
            : !hf_slice_equal(name, hf_slice_text(command->row->name))) {
        return HF_EPROTO;
    }
    command->database = hf_reader_u8(reader);
    if (command->database >= HF_DATABASE_COUNT) {
        return HF_EPROTO;
    }
    command->argc =
        (uint32_t)read_count(reader, HF_ARGUMENT_COUNT_MAX, ARGUMENT_BYTES_MIN);
    if (reader->failed) {
        return HF_EPROTO;
    }
    struct hf_slice *argv =
        grow(scratch->mem, scratch->argv, &scratch->argv_capacity,
             command->argc, sizeof(*argv));
    if (argv == NULL) {
        return HF_ENOMEM;
    }
    scratch->argv = argv;
    command->argv = argv;
    for (uint32_t i = 0; i < command->argc; i++) {
        argv[i] = hf_reader_slice(reader);
    }
    return reader->failed ? HF_EPROTO : 0;
}

static int read_forward(struct hf_reader *reader,
                        struct hf_peer_scratch *scratch,
                        struct hf_forward *forward)
{
    forward->epoch = hf_reader_u64(reader);
    forward->number = hf_reader_u64(reader);
    forward->ops_finished = hf_reader_u64(reader);
    forward->partition = read_partition(reader);
    forward->partition_end = hf_reader_u16(reader);
    forward->scan_position = hf_reader_u32(reader);
    forward->scan_count = hf_reader_u32(reader);
    if (forward->partition_end > HF_PARTITION_COUNT ||
        forward->partition_end <= forward->partition) {
        return HF_EPROTO;
    }
    struct hf_slice name = hf_reader_slice(reader);
    int error = read_command(reader, scratch, &forward->command, name);
    if (error != 0) {
        return error;
    }
    if (!command_is_sound(&forward->command)) {
        return HF_EPROTO;
    }
    if (forward->command.row == NULL) {
        forward->unknown = name;
        return 0;
    }
    forward->unknown = (struct hf_slice){NULL, 0};
    enum hf_route route = forward->command.row->route;
    bool ranged = route == HF_ROUTE_EVERYWHERE || route == HF_ROUTE_SCAN;
    if (!ranged && forward->partition_end != forward->partition + 1) {
        return HF_EPROTO; /* A key is in one partition. */
    }
    return 0;
}

static int read_tell(struct hf_reader *reader, struct hf_peer_scratch *scratch,
                     struct hf_tell *tell)
{
    tell->number = hf_reader_u64(reader);
    struct hf_slice name = hf_reader_slice(reader);
    int error = read_command(reader, scratch, &tell->command, name);
    if (error != 0) {
        return error;
    }
    const struct hf_command *command = &tell->command;
    enum hf_tally_kind kind;
    return command->row != NULL &&
                   command->row->route == HF_ROUTE_SUBSCRIBERS &&
                   hf_command_arity_fits(command->row, command->argc) &&
                   hf_tally_kind_of(command, &kind)
               ? 0
               : HF_EPROTO;
}

static int read_reply(struct hf_reader *reader, struct hf_reply *reply)
{
    struct hf_slice tokens = hf_reader_slice(reader);
    return !reader->failed && hf_reply_decode(tokens, reply) ? 0 : HF_EPROTO;
}

static int read_result(struct hf_reader *reader, struct hf_result *result)
{
    result->number = hf_reader_u64(reader);
    result->scan_next = hf_reader_u64(reader);
    return read_reply(reader, &result->reply);
}

static int read_record(struct hf_reader *reader, struct hf_record_view *record)
{
    uint8_t kind = hf_reader_u8(reader);
    if (kind < HF_RECORD_WRITE || kind > HF_RECORD_PAIRED) {
        return HF_EPROTO;
    }
    record->kind = (enum hf_record_kind)kind;
    record->partition = read_partition(reader);
    record->version.epoch = hf_reader_u64(reader);
    record->version.sequence = hf_reader_u64(reader);
    record->operation.origin = hf_reader_u64(reader);
    record->operation.number = hf_reader_u64(reader);
    record->key = hf_reader_slice(reader);
    record->effects = hf_reader_slice(reader);
    record->reply = hf_reader_slice(reader);
    record->hash = 0; /* Not from others. */
    if (reader->failed || record->key.size > HF_KEY_BYTES_MAX) {
        return HF_EPROTO;
    }
    struct hf_reply reply;
    if (record->reply.size > 0 && !hf_reply_decode(record->reply, &reply)) {
        return HF_EPROTO;
    }
    return 0;
}

static int read_merge(struct hf_reader *reader, struct hf_peer_scratch *scratch,
                      struct hf_merge *merge)
{
    merge->epoch = hf_reader_u64(reader);
    merge->lineage = hf_reader_u64(reader);
    merge->held = hf_reader_u64(reader);
    merge->forked = hf_reader_u64(reader);
    merge->partition = read_partition(reader);
    merge->from = hf_reader_u64(reader);
    merge->to = hf_reader_u64(reader);
    merge->knowledge = hf_reader_slice(reader);
    if (merge->from > merge->to || merge->to > HF_SESSIONS_END) {
        return HF_EPROTO;
    }
    merge->count = read_count(reader, HF_PEER_ENTRY_COUNT_MAX, ENTRY_BYTES);
    struct hf_merge_entry *items =
        grow(scratch->mem, scratch->entries, &scratch->entry_capacity,
             merge->count, sizeof(*items));
    if (items == NULL) {
        return HF_ENOMEM;
    }
    scratch->entries = items;
    merge->entries = items;
    for (size_t i = 0; i < merge->count; i++) {
        items[i].key = hf_reader_slice(reader);
        items[i].version.epoch = hf_reader_u64(reader);
        items[i].version.sequence = hf_reader_u64(reader);
        items[i].effects = hf_reader_slice(reader);
        if (reader->failed || items[i].key.size > HF_KEY_BYTES_MAX) {
            return HF_EPROTO;
        }
    }
    return 0;
}

static int read_merged(struct hf_reader *reader, struct hf_merged *merged)
{
    merged->epoch = hf_reader_u64(reader);
    merged->lineage = hf_reader_u64(reader);
    merged->held = hf_reader_u64(reader);
    merged->partition = read_partition(reader);
    merged->to = hf_reader_u64(reader);
    merged->knowledge = hf_reader_slice(reader);
    return merged->to <= HF_SESSIONS_END ? 0 : HF_EPROTO;
}

static int read_control(struct hf_reader *reader,
                        struct hf_peer_scratch *scratch,
                        struct hf_message *message)
{
    switch (message->type) {
    case HF_MESSAGE_HEARTBEAT:
        return hf_field_read_heartbeat(reader, &message->heartbeat) ? 0
                                                                    : HF_EPROTO;
    case HF_MESSAGE_PREPARE:
        return read_prepare(reader, &message->prepare);
    case HF_MESSAGE_PROMISE:
        return read_promise(reader, scratch, &message->promise);
    case HF_MESSAGE_ACCEPT:
        return read_accept(reader, scratch, &message->accept);
    case HF_MESSAGE_ACCEPTED:
        message->accepted.ballot = hf_reader_u64(reader);
        message->accepted.base = hf_reader_u64(reader);
        return 0;
    case HF_MESSAGE_VIEW:
        return read_view(reader, scratch, &message->view);
    case HF_MESSAGE_NOMINATE:
        return read_nominate(reader, scratch, &message->nominate);
    default:
        return HF_EPROTO;
    }
}

static int read_data(struct hf_reader *reader, struct hf_peer_scratch *scratch,
                     struct hf_message *message)
{
    switch (message->type) {
    case HF_MESSAGE_FORWARD:
        return read_forward(reader, scratch, &message->forward);
    case HF_MESSAGE_RESULT:
        return read_result(reader, &message->result);
    case HF_MESSAGE_BOUNCE:
        message->bounce.epoch = hf_reader_u64(reader);
        message->bounce.number = hf_reader_u64(reader);
        return 0;
    case HF_MESSAGE_RECORD:
        message->record.epoch = hf_reader_u64(reader);
        message->record.number = hf_reader_u64(reader);
        return read_record(reader, &message->record.record);
    case HF_MESSAGE_ACK:
        message->ack.epoch = hf_reader_u64(reader);
        message->ack.number = hf_reader_u64(reader);
        return 0;
    case HF_MESSAGE_COMMITTED:
        message->committed.epoch = hf_reader_u64(reader);
        message->committed.number = hf_reader_u64(reader);
        return 0;
    case HF_MESSAGE_POSITIONS:
        return read_positions(reader, scratch, &message->positions);
    case HF_MESSAGE_PULL:
        message->pull.epoch = hf_reader_u64(reader);
        message->pull.partition = read_partition(reader);
        message->pull.sequence = hf_reader_u64(reader);
        return 0;
    case HF_MESSAGE_SUFFIX:
        message->suffix.epoch = hf_reader_u64(reader);
        return read_record(reader, &message->suffix.record);
    case HF_MESSAGE_MERGE:
        return read_merge(reader, scratch, &message->merge);
    case HF_MESSAGE_MERGED:
        return read_merged(reader, &message->merged);
    case HF_MESSAGE_TELL:
        return read_tell(reader, scratch, &message->tell);
    case HF_MESSAGE_TOLD:
        message->told.number = hf_reader_u64(reader);
        return read_reply(reader, &message->told.reply);
    default:
        return HF_EPROTO;
    }
}

int hf_peer_decode(struct hf_reader *reader, struct hf_peer_scratch *scratch,
                   struct hf_message *message)
{
    if (reader->failed) {
        return HF_EPROTO;
    }
    if (hf_reader_left(reader) == 0) {
        return 0;
    }
    uint8_t type = hf_reader_u8(reader);
    message->type = (enum hf_message_type)type;
    int error = hf_message_channel(message->type) == HF_CHANNEL_CONTROL
                    ? read_control(reader, scratch, message)
                    : read_data(reader, scratch, message);
    if (error == HF_ENOMEM) {
        return error;
    }
    if (error != 0 || reader->failed) {
        reader->failed = true; /* Where the next one starts is unknown. */
        return HF_EPROTO;
    }
    return 1;
}
