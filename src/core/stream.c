#include "core/stream.h"

#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"

#define STREAM_CAPACITY_MIN 64

void hf_stream_init(struct hf_stream *stream)
{
    *stream = (struct hf_stream){.head = 1};
}

void hf_stream_reset(struct hf_stream *stream, struct hf_mem *mem)
{
    for (uint32_t i = 0; i < stream->count; i++) {
        hf_record_release(mem, hf_stream_at(stream, stream->head + i)->record);
    }
    struct hf_stream_entry *entries = stream->entries;
    uint32_t capacity = stream->capacity;
    hf_stream_init(stream);
    stream->entries = entries;
    stream->capacity = capacity;
}

void hf_stream_close(struct hf_stream *stream, struct hf_mem *mem)
{
    hf_stream_reset(stream, mem);
    hf_mem_free(mem, stream->entries,
                stream->capacity * sizeof(*stream->entries));
    hf_stream_init(stream);
}

int hf_stream_reserve(struct hf_stream *stream, struct hf_mem *mem,
                      uint32_t count)
{
    if (stream->capacity - stream->count >= count) {
        return 0;
    }
    uint32_t capacity =
        stream->capacity == 0 ? STREAM_CAPACITY_MIN : stream->capacity;
    while (capacity - stream->count < count) {
        capacity *= 2;
    }
    struct hf_stream_entry *entries =
        hf_mem_alloc(mem, capacity * sizeof(*entries));
    if (entries == NULL) {
        return HF_ENOMEM;
    }
    for (uint32_t i = 0; i < stream->count; i++) {
        uint64_t number = stream->head + i;
        entries[number & (capacity - 1)] = *hf_stream_at(stream, number);
    }
    hf_mem_free(mem, stream->entries,
                stream->capacity * sizeof(*stream->entries));
    stream->entries = entries;
    stream->capacity = capacity;
    return 0;
}

static bool is_learning(const struct hf_record *record)
{
    return record->view.kind != HF_RECORD_WRITE;
}

void hf_stream_push(struct hf_stream *stream, struct hf_record *record,
                    uint64_t below, bool counted, hf_time now)
{
    HF_ASSERT(stream->count < stream->capacity);
    if (hf_stream_next(stream) == stream->acked + 1) {
        stream->moved_at = now;
        stream->progress_at = now;
    }
    uint64_t number = hf_stream_next(stream);
    stream->entries[number & (stream->capacity - 1)] = (struct hf_stream_entry){
        hf_record_share(record), .below = below, .counted = counted};
    stream->count++;
    stream->bytes += record->size;
    if (is_learning(record)) {
        stream->learn_bytes += record->size;
    }
}

uint64_t hf_stream_next(const struct hf_stream *stream)
{
    return stream->head + stream->count;
}

struct hf_stream_entry *hf_stream_at(const struct hf_stream *stream,
                                     uint64_t number)
{
    HF_ASSERT(number >= stream->head && number < hf_stream_next(stream));
    return &stream->entries[number & (stream->capacity - 1)];
}

struct hf_stream_entry *hf_stream_ack_one(struct hf_stream *stream)
{
    struct hf_stream_entry *entry = hf_stream_at(stream, stream->acked + 1);
    stream->acked++;
    stream->bytes -= entry->record->size;
    if (is_learning(entry->record)) {
        stream->learn_bytes -= entry->record->size;
    }
    return entry;
}

bool hf_stream_drop_one(struct hf_stream *stream,
                        struct hf_stream_entry *dropped)
{
    if (stream->count == 0 || stream->head > stream->acked) {
        return false;
    }
    struct hf_stream_entry *entry = hf_stream_at(stream, stream->head);
    if (entry->record->view.kind == HF_RECORD_WRITE &&
        !entry->record->committed) {
        return false;
    }
    *dropped = *entry;
    stream->head++;
    stream->count--;
    return true;
}
