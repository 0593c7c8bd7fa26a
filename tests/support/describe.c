#include "support/describe.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t view_number(hf_epoch epoch)
{
    return epoch >> 32;
}

static void describe_record(const struct hf_record_view *record, char *text,
                            size_t size)
{
    static const char *const names[] = {
        "?",      "write",  "skip",      "learn", "entry",
        "learnt", "synced", "operation", "level", "paired"};
    size_t kind = (size_t)record->kind;
    (void)snprintf(text, size, "%s p%u v%" PRIu64 ".%" PRIu64 " %.*s",
                   names[kind < HF_ARRAY_COUNT(names) ? kind : 0],
                   record->partition, view_number(record->version.epoch),
                   record->version.sequence,
                   (int)(record->key.size < 40 ? record->key.size : 40),
                   record->key.size > 0 ? (const char *)record->key.data : "");
}

static void describe_heartbeat(const struct hf_heartbeat *heartbeat, char *text,
                               size_t size)
{
    (void)snprintf(text, size,
                   "e%" PRIu64 " state %u sent %" PRId64 " echo %" PRId64
                   " reach %" PRIx64,
                   view_number(heartbeat->epoch), heartbeat->state,
                   heartbeat->sent_at, heartbeat->echo, heartbeat->reach);
}

static void describe_ballot(hf_epoch ballot, hf_epoch base, char *text,
                            size_t size)
{
    (void)snprintf(text, size, "ballot %" PRIu64 ".%04x base e%" PRIu64,
                   view_number(ballot), (unsigned)(ballot & 0xffff),
                   view_number(base));
}

static void describe_view(const struct hf_view *view, char *text, size_t size)
{
    int used =
        snprintf(text, size, "e%" PRIu64 " of", view_number(view->epoch));
    for (uint8_t i = 0; i < view->member_count; i++) {
        if (used < 0 || (size_t)used >= size) {
            return;
        }
        used += snprintf(text + used, size - (size_t)used, " %s",
                         view->members[i].name);
    }
}

static void describe_data(const struct hf_message *message, char *text,
                          size_t size)
{
    switch (message->type) {
    case HF_MESSAGE_FORWARD:
        (void)snprintf(text, size, "e%" PRIu64 " #%" PRIu64 " p%u-%u %s",
                       view_number(message->forward.epoch),
                       message->forward.number, message->forward.partition,
                       message->forward.partition_end,
                       message->forward.command.row == NULL
                           ? "(unknown)"
                           : message->forward.command.row->name);
        break;
    case HF_MESSAGE_RESULT:
        (void)snprintf(text, size, "#%" PRIu64 " kind %d",
                       message->result.number, (int)message->result.reply.kind);
        break;
    case HF_MESSAGE_BOUNCE:
        (void)snprintf(text, size, "e%" PRIu64 " #%" PRIu64,
                       view_number(message->bounce.epoch),
                       message->bounce.number);
        break;
    case HF_MESSAGE_ACK:
        (void)snprintf(text, size, "e%" PRIu64 " up to %" PRIu64,
                       view_number(message->ack.epoch), message->ack.number);
        break;
    case HF_MESSAGE_COMMITTED:
        (void)snprintf(text, size, "e%" PRIu64 " up to %" PRIu64,
                       view_number(message->committed.epoch),
                       message->committed.number);
        break;
    case HF_MESSAGE_POSITIONS:
        (void)snprintf(text, size, "e%" PRIu64 " of %zu",
                       view_number(message->positions.epoch),
                       message->positions.count);
        break;
    case HF_MESSAGE_PULL:
        (void)snprintf(text, size, "e%" PRIu64 " p%u after %" PRIu64,
                       view_number(message->pull.epoch),
                       message->pull.partition, message->pull.sequence);
        break;
    default:
        break;
    }
}

static void describe_body(const struct hf_message *message, char *text,
                          size_t size)
{
    text[0] = '\0';
    switch (message->type) {
    case HF_MESSAGE_HEARTBEAT:
        describe_heartbeat(&message->heartbeat, text, size);
        break;
    case HF_MESSAGE_PREPARE:
        describe_ballot(message->prepare.ballot, message->prepare.base, text,
                        size);
        break;
    case HF_MESSAGE_PROMISE:
        describe_ballot(message->promise.ballot, message->promise.base, text,
                        size);
        break;
    case HF_MESSAGE_ACCEPT:
        describe_ballot(message->accept.ballot, message->accept.base, text,
                        size);
        break;
    case HF_MESSAGE_ACCEPTED:
        describe_ballot(message->accepted.ballot, message->accepted.base, text,
                        size);
        break;
    case HF_MESSAGE_VIEW:
        describe_view(message->view, text, size);
        break;
    case HF_MESSAGE_RECORD:
        describe_record(&message->record.record, text, size);
        break;
    case HF_MESSAGE_SUFFIX:
        describe_record(&message->suffix.record, text, size);
        break;
    case HF_MESSAGE_MERGE:
        (void)snprintf(text, size, "p%u %" PRIx64 "-%" PRIx64 " %zu",
                       message->merge.partition, message->merge.from,
                       message->merge.to, message->merge.count);
        break;
    case HF_MESSAGE_MERGED:
        (void)snprintf(text, size, "p%u -%" PRIx64, message->merged.partition,
                       message->merged.to);
        break;
    case HF_MESSAGE_TELL:
        (void)snprintf(text, size, "%" PRIu64 " %s", message->tell.number,
                       message->tell.command.row->name);
        break;
    case HF_MESSAGE_TOLD:
        (void)snprintf(text, size, "%" PRIu64, message->told.number);
        break;
    case HF_MESSAGE_NOMINATE:
        (void)snprintf(text, size, "e%" PRIu64 " %zu",
                       view_number(message->nominate.epoch),
                       message->nominate.count);
        break;
    default:
        describe_data(message, text, size);
        break;
    }
}

void describe_message(const struct hf_message *message, char *text, size_t size)
{
    char body[160];
    describe_body(message, body, sizeof(body));
    if (message->type == HF_MESSAGE_RECORD) {
        (void)snprintf(text, size, "%s e%" PRIu64 " #%" PRIu64 " %s",
                       hf_message_name(message->type),
                       view_number(message->record.epoch),
                       message->record.number, body);
        return;
    }
    (void)snprintf(text, size, "%s %s", hf_message_name(message->type), body);
}

static void describe_value(struct hf_reader *reader, struct hf_buffer *out,
                           int depth)
{
    struct hf_token token;
    if (depth > HF_REPLY_DEPTH_MAX || !hf_token_next(reader, &token)) {
        hf_buffer_append_text(out, "(malformed)");
        return;
    }
    uint32_t count = token.count;
    switch (token.kind) {
    case HF_TOKEN_NIL:
    case HF_TOKEN_NIL_ARRAY:
        hf_buffer_append_text(out, "(nil)");
        return;
    case HF_TOKEN_ERROR:
        hf_buffer_append_text(out, "(error) ");
        hf_buffer_append_slice(out, token.bytes);
        return;
    case HF_TOKEN_STATUS:
    case HF_TOKEN_BULK:
    case HF_TOKEN_VERBATIM:
    case HF_TOKEN_DOUBLE:
        hf_buffer_append_slice(out, token.bytes);
        return;
    case HF_TOKEN_INTEGER:
        hf_buffer_append_int64(out, token.integer);
        return;
    case HF_TOKEN_MAP:
        count *= 2;
        break;
    case HF_TOKEN_ARRAY:
    case HF_TOKEN_SET:
    case HF_TOKEN_PAIRS:
    case HF_TOKEN_PAIR:
    case HF_TOKEN_PUSH:
        break;
    }
    hf_buffer_append_text(out, "[");
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        hf_buffer_append_text(out, i == 0 ? "" : " ");
        describe_value(reader, out, depth + 1);
    }
    hf_buffer_append_text(out, "]");
}

void describe_reply(const struct hf_reply *reply, struct hf_buffer *out)
{
    switch (reply->kind) {
    case HF_REPLY_NIL:
        hf_buffer_append_text(out, "(nil)");
        break;
    case HF_REPLY_ERROR:
        hf_buffer_append_text(out, "(error) ");
        hf_buffer_append_slice(out, reply->bytes);
        break;
    case HF_REPLY_STATUS:
    case HF_REPLY_BULK:
        hf_buffer_append_slice(out, reply->bytes);
        break;
    case HF_REPLY_INTEGER:
        hf_buffer_append_int64(out, reply->integer);
        break;
    case HF_REPLY_NESTED: {
        struct hf_reader reader = hf_reader_of(reply->bytes);
        describe_value(&reader, out, 0);
        break;
    }
    }
}
