/* session.h - How a session lies in memory.
 *
 * One piece of memory per session: a header of 34 bytes, the key, the value.
 *
 *   | version deadline sizes partition type slack | key | value |
 *
 * What can be had otherwise is not in it: the hash is in the slot of its table
 * (core/table.h), and expiry goes by groups of slots, without a link.
 *
 * The value of a string is its bytes. The value of a hash is its fields, in
 * the order in which they were first set, with an index in front when there
 * are many:
 *
 *   | count u32 | index: u32 places, or none | size size field value | ...
 *
 * A fence has no value, but in front of its header is the item by which its
 * table finds the one that ends first.
 *
 * Private to the files that make sessions; everybody else asks through
 * core/sessions.h. */
#ifndef HF_CORE_SESSION_H
#define HF_CORE_SESSION_H

#include "core/sessions.h"

/* More than a client may store, and far from overflowing a u32. A peer that
 * wants more is refused. */
#define HF_SESSION_VALUE_SIZE_MAX ((size_t)1 << 30)

struct hf_session {
    struct hf_version version;
    hf_time deadline;
    uint32_t value_size;
    uint16_t key_size;
    unsigned partition : 14;
    unsigned type : 2; /* enum hf_session_type. */
    uint16_t slack_ms; /* Copies were told a deadline that much later. */
    uint8_t bytes[];
};

_Static_assert(offsetof(struct hf_session, bytes) == 34,
               "a session has a header of 34 bytes");
_Static_assert(HF_PARTITION_COUNT <= 1 << 14, "a partition takes 14 bits");

struct hf_session_entry {
    struct hf_slice field;
    struct hf_slice value;
    bool dropped; /* Stays in an array, but is not written. */
};

/* Bytes to allocate for a session. Rounded up to what malloc would hand out
 * anyway, so that a value may change its size a little and stay in place. */
size_t hf_session_alloc_size(size_t key_size, size_t value_size);

/* What @session holds of its allocator. */
size_t hf_session_size(const struct hf_session *session);

/* The bytes of the value, to be written. */
uint8_t *hf_session_value_data(struct hf_session *session);

/* A place for @key and a value of @value_size bytes, not yet written; the rest
 * of the header is zero. NULL when there is no memory. */
HF_NODISCARD struct hf_session *
hf_session_create(struct hf_mem *mem, struct hf_slice key, size_t value_size);
/* The same for a fence, whose item is zero. */
HF_NODISCARD struct hf_session *hf_session_create_fence(struct hf_mem *mem,
                                                        struct hf_slice key);
/* The item of a HF_SESSION_FENCE, and back. */
struct hf_heap_item *hf_session_fence_item(struct hf_session *fence);
struct hf_session *hf_session_of_fence_item(struct hf_heap_item *item);
void hf_session_destroy(struct hf_mem *mem, struct hf_session *session);

/* How many bytes the fields of @entries that are not dropped take as the value
 * of a hash. May exceed HF_SESSION_VALUE_SIZE_MAX: check before creating. */
size_t hf_session_fields_size(const struct hf_session_entry *entries,
                              uint32_t count);

/* Writes them into @session, which was created with that size. */
void hf_session_fields_write(struct hf_session *session,
                             const struct hf_session_entry *entries,
                             uint32_t count);

#endif
