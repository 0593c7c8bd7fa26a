/* peer_encode.c - The half of wire/peer.h that writes. */
#include <string.h>

#include "base/assert.h"
#include "core/command.h"
#include "core/reply.h"
#include "core/tally.h"
#include "wire/fields.h"
#include "wire/peer.h"

/* A record without the bytes of its slices. */
#define RECORD_FIXED_BYTES (1 + 2 + 8 + 8 + 8 + 8 + 3 * 4)

/* Writing. The messages of the hot path reserve their size once and move a
 * pointer; the others use the put functions of the buffer. */

static inline uint8_t *write_integer(uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
    return to + size;
}

static uint8_t *write_slice(uint8_t *to, struct hf_slice slice)
{
    HF_ASSERT(slice.size <= UINT32_MAX);
    to = write_integer(to, slice.size, 4);
    if (slice.size > 0) {
        memcpy(to, slice.data, slice.size);
    }
    return to + slice.size;
}

static void put_pair(struct hf_buffer *out, enum hf_message_type type,
                     uint64_t first, uint64_t second)
{
    size_t size = 1 + 8 + 8;
    uint8_t *to = hf_buffer_reserve(out, size);
    if (to == NULL) {
        return;
    }
    to = write_integer(to, type, 1);
    to = write_integer(to, first, 8);
    write_integer(to, second, 8);
    hf_buffer_commit(out, size);
}

static uint8_t *write_record(uint8_t *to, const struct hf_record_view *record)
{
    to = write_integer(to, record->kind, 1);
    to = write_integer(to, record->partition, 2);
    to = write_integer(to, record->version.epoch, 8);
    to = write_integer(to, record->version.sequence, 8);
    to = write_integer(to, record->operation.origin, 8);
    to = write_integer(to, record->operation.number, 8);
    to = write_slice(to, record->key);
    to = write_slice(to, record->effects);
    return write_slice(to, record->reply);
}

static size_t record_size(const struct hf_record_view *record)
{
    return RECORD_FIXED_BYTES + record->key.size + record->effects.size +
           record->reply.size;
}

static void put_record(struct hf_buffer *out,
                       const struct hf_record_message *message)
{
    size_t size = 1 + 8 + 8 + record_size(&message->record);
    uint8_t *to = hf_buffer_reserve(out, size);
    if (to == NULL) {
        return;
    }
    to = write_integer(to, HF_MESSAGE_RECORD, 1);
    to = write_integer(to, message->epoch, 8);
    to = write_integer(to, message->number, 8);
    write_record(to, &message->record);
    hf_buffer_commit(out, size);
}

static void put_suffix(struct hf_buffer *out, const struct hf_suffix *suffix)
{
    size_t size = 1 + 8 + record_size(&suffix->record);
    uint8_t *to = hf_buffer_reserve(out, size);
    if (to == NULL) {
        return;
    }
    to = write_integer(to, HF_MESSAGE_SUFFIX, 1);
    to = write_integer(to, suffix->epoch, 8);
    write_record(to, &suffix->record);
    hf_buffer_commit(out, size);
}

static size_t command_size(const struct hf_command *command,
                           struct hf_slice name)
{
    size_t size = 4 + name.size + 1 + 4;
    for (uint32_t i = 0; i < command->argc; i++) {
        size += 4 + command->argv[i].size;
    }
    return size;
}

static void write_command(uint8_t *to, const struct hf_command *command,
                          struct hf_slice name)
{
    to = write_slice(to, name);
    to = write_integer(to, command->database, 1);
    to = write_integer(to, command->argc, 4);
    for (uint32_t i = 0; i < command->argc; i++) {
        to = write_slice(to, command->argv[i]);
    }
}

static void put_forward(struct hf_buffer *out, const struct hf_forward *forward)
{
    const struct hf_command *command = &forward->command;
    struct hf_slice name = command->row == NULL
                               ? forward->unknown
                               : hf_slice_text(command->row->name);
    size_t size = 1 + 8 + 8 + 8 + 2 + 2 + 4 + 4 + command_size(command, name);
    uint8_t *to = hf_buffer_reserve(out, size);
    if (to == NULL) {
        return;
    }
    to = write_integer(to, HF_MESSAGE_FORWARD, 1);
    to = write_integer(to, forward->epoch, 8);
    to = write_integer(to, forward->number, 8);
    to = write_integer(to, forward->ops_finished, 8);
    to = write_integer(to, forward->partition, 2);
    to = write_integer(to, forward->partition_end, 2);
    to = write_integer(to, forward->scan_position, 4);
    to = write_integer(to, forward->scan_count, 4);
    write_command(to, command, name);
    hf_buffer_commit(out, size);
}

static void put_tell(struct hf_buffer *out, const struct hf_tell *tell)
{
    struct hf_slice name = hf_slice_text(tell->command.row->name);
    size_t size = 1 + 8 + command_size(&tell->command, name);
    uint8_t *to = hf_buffer_reserve(out, size);
    if (to == NULL) {
        return;
    }
    to = write_integer(to, HF_MESSAGE_TELL, 1);
    to = write_integer(to, tell->number, 8);
    write_command(to, &tell->command, name);
    hf_buffer_commit(out, size);
}

/* Its tokens, as a slice. */
static void put_reply(struct hf_buffer *out, const struct hf_reply *reply)
{
    hf_buffer_put_u32(out, 0);
    size_t start = out->size;
    hf_reply_encode(reply, out);
    if (!out->failed) {
        HF_ASSERT(out->size - start <= UINT32_MAX);
        write_integer(out->data + start - 4, out->size - start, 4);
    }
}

static void put_result(struct hf_buffer *out, const struct hf_result *result)
{
    put_pair(out, HF_MESSAGE_RESULT, result->number, result->scan_next);
    put_reply(out, &result->reply);
}

static void put_promise(struct hf_buffer *out, const struct hf_promise *promise)
{
    HF_ASSERT((promise->accepted_ballot != 0) == (promise->accepted != NULL));
    hf_buffer_put_u64(out, promise->ballot);
    hf_buffer_put_u64(out, promise->base);
    hf_buffer_put_u64(out, promise->fresh);
    hf_buffer_put_u64(out, promise->accepted_ballot);
    if (promise->accepted != NULL) {
        hf_field_put_view(out, promise->accepted);
    }
}

static void put_nominate(struct hf_buffer *out,
                         const struct hf_nominate *nominate)
{
    HF_ASSERT(nominate->count <= HF_PEER_NOMINATION_COUNT_MAX);
    hf_buffer_put_u64(out, nominate->epoch);
    hf_buffer_put_u32(out, (uint32_t)nominate->count);
    for (size_t i = 0; i < nominate->count; i++) {
        hf_buffer_put_u16(out, nominate->nominations[i].partition);
        hf_buffer_put_u8(out, nominate->nominations[i].member);
    }
}

static void put_positions(struct hf_buffer *out,
                          const struct hf_positions *positions)
{
    HF_ASSERT(positions->count <= HF_PEER_POSITION_COUNT_MAX);
    hf_buffer_put_u64(out, positions->epoch);
    hf_buffer_put_u8(out, positions->last ? 1 : 0);
    hf_buffer_put_u32(out, (uint32_t)positions->count);
    for (size_t i = 0; i < positions->count; i++) {
        const struct hf_position *position = &positions->positions[i];
        hf_buffer_put_u16(out, position->partition);
        hf_buffer_put_u64(out, position->version.epoch);
        hf_buffer_put_u64(out, position->version.sequence);
        hf_buffer_put_u64(out, position->learnt);
    }
}

static void put_merge(struct hf_buffer *out, const struct hf_merge *merge)
{
    HF_ASSERT(merge->count <= HF_PEER_ENTRY_COUNT_MAX);
    hf_buffer_put_u64(out, merge->epoch);
    hf_buffer_put_u64(out, merge->lineage);
    hf_buffer_put_u64(out, merge->held);
    hf_buffer_put_u64(out, merge->forked);
    hf_buffer_put_u16(out, merge->partition);
    hf_buffer_put_u64(out, merge->from);
    hf_buffer_put_u64(out, merge->to);
    hf_buffer_put_slice(out, merge->knowledge);
    hf_buffer_put_u32(out, (uint32_t)merge->count);
    for (size_t i = 0; i < merge->count; i++) {
        const struct hf_merge_entry *entry = &merge->entries[i];
        hf_buffer_put_slice(out, entry->key);
        hf_buffer_put_u64(out, entry->version.epoch);
        hf_buffer_put_u64(out, entry->version.sequence);
        hf_buffer_put_slice(out, entry->effects);
    }
}

static void put_merged(struct hf_buffer *out, const struct hf_merged *merged)
{
    hf_buffer_put_u64(out, merged->epoch);
    hf_buffer_put_u64(out, merged->lineage);
    hf_buffer_put_u64(out, merged->held);
    hf_buffer_put_u16(out, merged->partition);
    hf_buffer_put_u64(out, merged->to);
    hf_buffer_put_slice(out, merged->knowledge);
}

static void put_control(struct hf_buffer *out, const struct hf_message *message)
{
    hf_buffer_put_u8(out, (uint8_t)message->type);
    switch (message->type) {
    case HF_MESSAGE_HEARTBEAT:
        hf_field_put_heartbeat(out, &message->heartbeat);
        return;
    case HF_MESSAGE_PREPARE:
        hf_buffer_put_u64(out, message->prepare.ballot);
        hf_buffer_put_u64(out, message->prepare.base);
        hf_buffer_put_u64(out, message->prepare.excluded);
        hf_buffer_put_u64(out, message->prepare.dead);
        hf_buffer_put_u8(out, message->prepare.fork);
        return;
    case HF_MESSAGE_PROMISE:
        put_promise(out, &message->promise);
        return;
    case HF_MESSAGE_ACCEPT:
        hf_buffer_put_u64(out, message->accept.ballot);
        hf_buffer_put_u64(out, message->accept.base);
        hf_field_put_view(out, message->accept.view);
        return;
    case HF_MESSAGE_VIEW:
        hf_field_put_view(out, message->view);
        return;
    case HF_MESSAGE_NOMINATE:
        put_nominate(out, &message->nominate);
        return;
    case HF_MESSAGE_POSITIONS:
        put_positions(out, &message->positions);
        return;
    case HF_MESSAGE_PULL:
        hf_buffer_put_u64(out, message->pull.epoch);
        hf_buffer_put_u16(out, message->pull.partition);
        hf_buffer_put_u64(out, message->pull.sequence);
        return;
    case HF_MESSAGE_MERGE:
        put_merge(out, &message->merge);
        return;
    case HF_MESSAGE_MERGED:
        put_merged(out, &message->merged);
        return;
    case HF_MESSAGE_TOLD:
        hf_buffer_put_u64(out, message->told.number);
        put_reply(out, &message->told.reply);
        return;
    default:
        HF_ASSERT(message->type == HF_MESSAGE_PULL); /* No such type. */
    }
}

static void put_message(struct hf_buffer *out, const struct hf_message *message)
{
    switch (message->type) {
    case HF_MESSAGE_RECORD:
        put_record(out, &message->record);
        return;
    case HF_MESSAGE_FORWARD:
        put_forward(out, &message->forward);
        return;
    case HF_MESSAGE_RESULT:
        put_result(out, &message->result);
        return;
    case HF_MESSAGE_SUFFIX:
        put_suffix(out, &message->suffix);
        return;
    case HF_MESSAGE_TELL:
        put_tell(out, &message->tell);
        return;
    case HF_MESSAGE_ACK:
        put_pair(out, message->type, message->ack.epoch, message->ack.number);
        return;
    case HF_MESSAGE_COMMITTED:
        put_pair(out, message->type, message->committed.epoch,
                 message->committed.number);
        return;
    case HF_MESSAGE_BOUNCE:
        put_pair(out, message->type, message->bounce.epoch,
                 message->bounce.number);
        return;
    case HF_MESSAGE_ACCEPTED:
        put_pair(out, message->type, message->accepted.ballot,
                 message->accepted.base);
        return;
    default:
        put_control(out, message);
    }
}

void hf_peer_encode(struct hf_buffer *out, const struct hf_message *message)
{
    size_t start = out->size;
    put_message(out, message);
    if (out->failed) {
        out->size = start; /* No half messages. */
    }
}
