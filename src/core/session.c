#include "core/session.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

#define ALLOC_STEP 16
#define ALLOC_OFFSET 8
#define COUNT_SIZE sizeof(uint32_t)
#define INDEX_FIELDS_MIN 32 /* Fewer are found faster one after the other. */

size_t hf_session_alloc_size(size_t key_size, size_t value_size)
{
    size_t size = offsetof(struct hf_session, bytes) + key_size + value_size;
    size_t steps = (size + ALLOC_STEP - 1 - ALLOC_OFFSET) / ALLOC_STEP;
    return steps * ALLOC_STEP + ALLOC_OFFSET;
}

size_t hf_session_size(const struct hf_session *session)
{
    size_t more =
        session->type == HF_SESSION_FENCE ? sizeof(struct hf_heap_item) : 0;
    return hf_session_alloc_size(session->key_size, session->value_size + more);
}

uint8_t *hf_session_value_data(struct hf_session *session)
{
    return session->bytes + session->key_size;
}

static void session_init(struct hf_session *session, struct hf_slice key,
                         size_t value_size)
{
    *session = (struct hf_session){.value_size = (uint32_t)value_size,
                                   .key_size = (uint16_t)key.size};
    if (key.size > 0) {
        memcpy(session->bytes, key.data, key.size);
    }
}

struct hf_session *hf_session_create(struct hf_mem *mem, struct hf_slice key,
                                     size_t value_size)
{
    HF_ASSERT(key.size <= HF_KEY_BYTES_MAX);
    HF_ASSERT(value_size <= HF_SESSION_VALUE_SIZE_MAX);
    size_t size = hf_session_alloc_size(key.size, value_size);
    HF_ASSERT(size >= sizeof(struct hf_session));
    struct hf_session *session = hf_mem_alloc(mem, size);
    if (session != NULL) {
        session_init(session, key, value_size);
    }
    return session;
}

struct hf_session *hf_session_create_fence(struct hf_mem *mem,
                                           struct hf_slice key)
{
    HF_ASSERT(key.size <= HF_KEY_BYTES_MAX);
    struct hf_heap_item *item =
        hf_mem_alloc(mem, hf_session_alloc_size(key.size, sizeof(*item)));
    if (item == NULL) {
        return NULL;
    }
    *item = (struct hf_heap_item){0};
    struct hf_session *fence = hf_session_of_fence_item(item);
    session_init(fence, key, 0);
    fence->type = HF_SESSION_FENCE;
    return fence;
}

struct hf_heap_item *hf_session_fence_item(struct hf_session *fence)
{
    HF_ASSERT(fence->type == HF_SESSION_FENCE);
    return (struct hf_heap_item *)(void *)fence - 1;
}

struct hf_session *hf_session_of_fence_item(struct hf_heap_item *item)
{
    return (struct hf_session *)(void *)(item + 1);
}

void hf_session_destroy(struct hf_mem *mem, struct hf_session *session)
{
    void *piece = session;
    if (session->type == HF_SESSION_FENCE) {
        piece = hf_session_fence_item(session);
    }
    hf_mem_free(mem, piece, hf_session_size(session));
}

struct hf_slice hf_session_key(const struct hf_session *session)
{
    return (struct hf_slice){session->bytes, session->key_size};
}

uint32_t hf_session_hash(const struct hf_session *session)
{
    return hf_sessions_hash(hf_session_key(session));
}

uint16_t hf_session_partition(const struct hf_session *session)
{
    return (uint16_t)session->partition;
}

enum hf_session_type hf_session_type(const struct hf_session *session)
{
    return (enum hf_session_type)session->type;
}

struct hf_version hf_session_version(const struct hf_session *session)
{
    return session->version;
}

hf_time hf_session_deadline(const struct hf_session *session)
{
    return session->deadline;
}

hf_time hf_session_deadline_told(const struct hf_session *session)
{
    return session->deadline == HF_NEVER
               ? HF_NEVER
               : session->deadline + session->slack_ms;
}

static const uint8_t *value_data(const struct hf_session *session)
{
    return session->bytes + session->key_size;
}

struct hf_slice hf_session_value(const struct hf_session *session)
{
    HF_ASSERT(session->type == HF_SESSION_STRING);
    return (struct hf_slice){value_data(session), session->value_size};
}

/* The pieces inside a value have any alignment. */
static uint32_t load_u32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

static void store_u32(uint8_t *to, size_t value)
{
    uint32_t narrow = (uint32_t)value;
    memcpy(to, &narrow, sizeof(narrow));
}

uint32_t hf_session_field_count(const struct hf_session *session)
{
    HF_ASSERT(session->type == HF_SESSION_HASH);
    return load_u32(value_data(session));
}

/* Places in the index of a hash with @count fields: a power of two, at most
 * three quarters in use. */
static uint32_t index_capacity(uint32_t count)
{
    if (count < INDEX_FIELDS_MIN) {
        return 0;
    }
    uint32_t capacity = INDEX_FIELDS_MIN;
    while (capacity / 4 * 3 < count) {
        capacity *= 2;
    }
    return capacity;
}

/* From the start of the value to its first field. */
static size_t fields_offset(uint32_t count)
{
    return COUNT_SIZE + sizeof(uint32_t) * (size_t)index_capacity(count);
}

/* Reads the field at @at (from the start of the value); returns where the next
 * one starts. */
static size_t field_at(const struct hf_session *session, size_t at,
                       struct hf_slice *field, struct hf_slice *value)
{
    const uint8_t *from = value_data(session) + at;
    *field =
        (struct hf_slice){from + HF_SESSION_FIELD_OVERHEAD, load_u32(from)};
    *value = (struct hf_slice){field->data + field->size,
                               load_u32(from + sizeof(uint32_t))};
    return at + HF_SESSION_FIELD_OVERHEAD + field->size + value->size;
}

bool hf_session_next_field(const struct hf_session *session, size_t *cursor,
                           struct hf_slice *field, struct hf_slice *value)
{
    size_t at = *cursor;
    if (at == 0) {
        at = fields_offset(hf_session_field_count(session));
    }
    if (at >= session->value_size) {
        return false;
    }
    *cursor = field_at(session, at, field, value);
    return true;
}

static uint32_t field_hash(struct hf_slice field)
{
    return (uint32_t)hf_hash(field);
}

static bool field_by_index(const struct hf_session *session, uint32_t capacity,
                           struct hf_slice field, struct hf_slice *value)
{
    const uint8_t *index = value_data(session) + COUNT_SIZE;
    uint32_t mask = capacity - 1;
    for (uint32_t i = field_hash(field) & mask;; i = (i + 1) & mask) {
        uint32_t at = load_u32(index + sizeof(uint32_t) * (size_t)i);
        if (at == 0) {
            return false;
        }
        struct hf_slice candidate;
        (void)field_at(session, at, &candidate, value);
        if (hf_slice_equal(candidate, field)) {
            return true;
        }
    }
}

bool hf_session_field(const struct hf_session *session, struct hf_slice field,
                      struct hf_slice *value)
{
    uint32_t capacity = index_capacity(hf_session_field_count(session));
    if (capacity > 0) {
        return field_by_index(session, capacity, field, value);
    }
    size_t cursor = 0;
    struct hf_slice candidate;
    while (hf_session_next_field(session, &cursor, &candidate, value)) {
        if (hf_slice_equal(candidate, field)) {
            return true;
        }
    }
    return false;
}

size_t hf_session_value_bytes(const struct hf_session *session)
{
    if (session->type == HF_SESSION_STRING) {
        return session->value_size;
    }
    return session->value_size - fields_offset(hf_session_field_count(session));
}

static uint32_t entries_kept(const struct hf_session_entry *entries,
                             uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        kept += entries[i].dropped ? 0 : 1;
    }
    return kept;
}

size_t hf_session_fields_size(const struct hf_session_entry *entries,
                              uint32_t count)
{
    size_t size = fields_offset(entries_kept(entries, count));
    for (uint32_t i = 0; i < count; i++) {
        if (!entries[i].dropped) {
            size += HF_SESSION_FIELD_OVERHEAD + entries[i].field.size +
                    entries[i].value.size;
        }
    }
    return size;
}

static void index_add(uint8_t *index, uint32_t capacity, struct hf_slice field,
                      size_t at)
{
    uint32_t mask = capacity - 1;
    uint32_t i = field_hash(field) & mask;
    while (load_u32(index + sizeof(uint32_t) * (size_t)i) != 0) {
        i = (i + 1) & mask;
    }
    store_u32(index + sizeof(uint32_t) * (size_t)i, at);
}

static uint8_t *write_slice(uint8_t *to, struct hf_slice slice)
{
    if (slice.size > 0) {
        memcpy(to, slice.data, slice.size);
    }
    return to + slice.size;
}

void hf_session_fields_write(struct hf_session *session,
                             const struct hf_session_entry *entries,
                             uint32_t count)
{
    uint8_t *value = hf_session_value_data(session);
    uint32_t kept = entries_kept(entries, count);
    uint32_t capacity = index_capacity(kept);
    uint8_t *index = value + COUNT_SIZE;
    store_u32(value, kept);
    memset(index, 0, sizeof(uint32_t) * (size_t)capacity);
    uint8_t *to = value + fields_offset(kept);
    for (uint32_t i = 0; i < count; i++) {
        const struct hf_session_entry *entry = &entries[i];
        if (entry->dropped) {
            continue;
        }
        if (capacity > 0) {
            index_add(index, capacity, entry->field, (size_t)(to - value));
        }
        store_u32(to, entry->field.size);
        store_u32(to + sizeof(uint32_t), entry->value.size);
        to = write_slice(to + HF_SESSION_FIELD_OVERHEAD, entry->field);
        to = write_slice(to, entry->value);
    }
    HF_ASSERT((size_t)(to - value) == session->value_size);
}
