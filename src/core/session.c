#include "core/session.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/knowledge.h"

#define ALLOC_STEP 16
#define ALLOC_OFFSET 8
#define COUNT_SIZE sizeof(uint32_t)
#define INDEX_FIELDS_MIN 32 /* Fewer are found faster one after the other. */

/* ---- The header --------------------------------------------------------- */

/* The epoch comes first, then `width` bits each, in this order, those with the
 * least weight first. They are read and written with the eight bytes from
 * `word` on. What a write changes, the deadline and the sequence, have no byte
 * in common: a processor would wait for the one before it reads the other. */
struct bits {
    size_t word;
    unsigned shift;
    unsigned width;
};

#define BITS_SLACK ((struct bits){8, 0, 12})
#define BITS_DEADLINE ((struct bits){8, 12, 46})
#define BITS_ENDS ((struct bits){8, 0, 58}) /* These two. */
#define BITS_TYPE ((struct bits){8, 58, 4})
#define BITS_KEY_SIZE ((struct bits){15, 6, 14})
#define BITS_VALUE_SIZE ((struct bits){17, 4, 30})
#define BITS_SEQUENCE ((struct bits){19, 18, 46})

#define SLACK_BITS 12
#define TAKEN (HF_SEQUENCE_MAX + 1) /* Here for HF_SEQUENCE_TAKEN. */
#define DEADLINE_NEVER ((uint64_t)HF_DEADLINE_MAX + 1)

_Static_assert(HF_KEY_BYTES_MAX < 1 << 14, "the size of a key takes 14 bits");

static inline uint64_t little_endian(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

static inline uint64_t load_word(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof(word));
    return little_endian(word);
}

static inline void store_word(uint8_t *to, uint64_t word)
{
    word = little_endian(word);
    memcpy(to, &word, sizeof(word));
}

static inline uint64_t get(const struct hf_session *session, struct bits bits)
{
    uint64_t word = load_word(session->header + bits.word);
    return word >> bits.shift & ((UINT64_C(1) << bits.width) - 1);
}

static inline void set(struct hf_session *session, struct bits bits,
                       uint64_t value)
{
    uint64_t mask = (UINT64_C(1) << bits.width) - 1;
    HF_ASSERT(value <= mask);
    uint8_t *at = session->header + bits.word;
    uint64_t others = load_word(at) & ~(mask << bits.shift);
    store_word(at, others | value << bits.shift);
}

static size_t key_size(const struct hf_session *session)
{
    return (size_t)get(session, BITS_KEY_SIZE);
}

static size_t value_size(const struct hf_session *session)
{
    return (size_t)get(session, BITS_VALUE_SIZE);
}

enum hf_session_type hf_session_type(const struct hf_session *session)
{
    return (enum hf_session_type)get(session, BITS_TYPE);
}

struct hf_version hf_session_version(const struct hf_session *session)
{
    uint64_t sequence = get(session, BITS_SEQUENCE);
    struct hf_version version = {load_word(session->header), sequence & ~TAKEN};
    return (sequence & TAKEN) != 0 ? hf_version_taken(version) : version;
}

hf_time hf_session_deadline(const struct hf_session *session)
{
    uint64_t deadline = get(session, BITS_DEADLINE);
    return deadline == DEADLINE_NEVER ? HF_NEVER : (hf_time)deadline;
}

hf_time hf_session_deadline_told(const struct hf_session *session)
{
    hf_time deadline = hf_session_deadline(session);
    return deadline == HF_NEVER ? HF_NEVER
                                : deadline + (hf_time)get(session, BITS_SLACK) *
                                                 HF_SESSION_SLACK_STEP;
}

void hf_session_set_type(struct hf_session *session, enum hf_session_type type)
{
    set(session, BITS_TYPE, type);
}

void hf_session_set_version(struct hf_session *session,
                            struct hf_version version)
{
    store_word(session->header, version.epoch);
    uint64_t sequence = version.sequence & ~HF_SEQUENCE_TAKEN;
    HF_ASSERT(sequence <= HF_SEQUENCE_MAX);
    set(session, BITS_SEQUENCE,
        sequence | (hf_version_is_taken(version) ? TAKEN : 0));
}

void hf_session_set_deadline(struct hf_session *session, hf_time deadline,
                             uint16_t slack_ms)
{
    uint64_t slack = slack_ms / HF_SESSION_SLACK_STEP;
    HF_ASSERT(deadline == HF_NEVER ||
              (deadline >= 0 && deadline <= HF_DEADLINE_MAX));
    uint64_t end = deadline == HF_NEVER ? DEADLINE_NEVER : (uint64_t)deadline;
    set(session, BITS_ENDS, slack | end << SLACK_BITS);
}

void hf_session_set_value_size(struct hf_session *session, size_t size)
{
    if (value_size(session) != size) { /* As a rule it has it. */
        set(session, BITS_VALUE_SIZE, size);
    }
}

/* ---- In memory ---------------------------------------------------------- */

size_t hf_session_alloc_size(size_t key_size, size_t value_size)
{
    size_t size = offsetof(struct hf_session, bytes) + key_size + value_size;
    size_t steps = (size + ALLOC_STEP - 1 - ALLOC_OFFSET) / ALLOC_STEP;
    return steps * ALLOC_STEP + ALLOC_OFFSET;
}

size_t hf_session_size(const struct hf_session *session)
{
    bool fence = hf_session_type(session) == HF_SESSION_FENCE;
    size_t more = fence ? sizeof(struct hf_heap_item) : 0;
    return hf_session_alloc_size(key_size(session), value_size(session) + more);
}

uint8_t *hf_session_value_data(struct hf_session *session)
{
    return session->bytes + key_size(session);
}

static void session_init(struct hf_session *session, struct hf_slice key,
                         size_t size)
{
    memset(session->header, 0, sizeof(session->header));
    set(session, BITS_KEY_SIZE, key.size);
    set(session, BITS_VALUE_SIZE, size);
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
    hf_session_set_type(fence, HF_SESSION_FENCE);
    return fence;
}

struct hf_heap_item *hf_session_fence_item(struct hf_session *fence)
{
    HF_ASSERT(hf_session_type(fence) == HF_SESSION_FENCE);
    return (struct hf_heap_item *)(void *)fence - 1;
}

struct hf_session *hf_session_of_fence_item(struct hf_heap_item *item)
{
    return (struct hf_session *)(void *)(item + 1);
}

static const uint8_t *value_data(const struct hf_session *session)
{
    return session->bytes + key_size(session);
}

struct hf_structure hf_session_structure(const struct hf_session *session)
{
    struct hf_structure structure = {.type = hf_session_type(session)};
    HF_ASSERT(hf_structure_has(structure.type));
    memcpy(&structure.any, value_data(session), sizeof(structure.any));
    return structure;
}

size_t hf_session_held(const struct hf_session *session)
{
    size_t held = hf_session_size(session);
    if (hf_structure_has(hf_session_type(session))) {
        struct hf_structure structure = hf_session_structure(session);
        held += hf_structure_held(&structure);
    }
    return held;
}

void hf_session_destroy(struct hf_mem *mem, struct hf_session *session)
{
    void *piece = session;
    if (hf_structure_has(hf_session_type(session))) {
        struct hf_structure structure = hf_session_structure(session);
        hf_structure_destroy(&structure);
    }
    if (hf_session_type(session) == HF_SESSION_FENCE) {
        piece = hf_session_fence_item(session);
    }
    hf_mem_free(mem, piece, hf_session_size(session));
}

struct hf_slice hf_session_key(const struct hf_session *session)
{
    return (struct hf_slice){session->bytes, key_size(session)};
}

uint32_t hf_session_hash(const struct hf_session *session)
{
    return hf_sessions_hash(hf_session_key(session));
}

struct hf_slice hf_session_value(const struct hf_session *session)
{
    HF_ASSERT(hf_session_type(session) == HF_SESSION_STRING);
    return (struct hf_slice){value_data(session), value_size(session)};
}

const struct hf_members *hf_session_members(const struct hf_session *session)
{
    HF_ASSERT(hf_session_type(session) != HF_SESSION_LIST);
    return hf_session_structure(session).members;
}

const struct hf_deque *hf_session_list(const struct hf_session *session)
{
    HF_ASSERT(hf_session_type(session) == HF_SESSION_LIST);
    return hf_session_structure(session).list;
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
    HF_ASSERT(hf_session_type(session) == HF_SESSION_HASH);
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
    if (at >= value_size(session)) {
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
    enum hf_session_type type = hf_session_type(session);
    if (hf_structure_has(type)) {
        struct hf_structure structure = hf_session_structure(session);
        return hf_structure_value_bytes(&structure);
    }
    if (type == HF_SESSION_STRING) {
        return value_size(session);
    }
    return value_size(session) - fields_offset(hf_session_field_count(session));
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
    HF_ASSERT((size_t)(to - value) == value_size(session));
}
