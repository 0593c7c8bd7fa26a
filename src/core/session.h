/* session.h - How a session lies in memory.
 *
 * One piece of memory per session: a header of 27 bytes, the key, the value.
 *
 *   | epoch | sizes type slack deadline sequence, bit by bit | key | value |
 *
 * What can be had otherwise is not in it: the hash is in the slot of its table
 * (core/table.h), the partition is that of the table, and expiry goes by groups
 * of slots, without a link. The bits are read and written by the functions
 * below only.
 *
 * The value of a string is its bytes. The value of a hash is its fields, in
 * the order in which they were first set, with an index in front when there
 * are many:
 *
 *   | count u32 | index: u32 places, or none | size size field value | ...
 *
 * The value of a set, a sorted set or a list is a pointer to a structure of its
 * own, which is the session's (core/structure.h).
 *
 * A fence has no value, but in front of its header is the item by which its
 * table finds the one that ends first.
 *
 * Private to the files that make sessions; everybody else asks through
 * core/sessions.h. */
#ifndef HF_CORE_SESSION_H
#define HF_CORE_SESSION_H

#include "core/sessions.h"
#include "core/structure.h"

/* More than a client may store, and far from overflowing a u32. A peer that
 * wants more is refused. */
#define HF_SESSION_VALUE_SIZE_MAX (((size_t)1 << 30) - 1)

struct hf_session {
    uint8_t header[27];
    uint8_t bytes[];
};

_Static_assert(sizeof(struct hf_session) == 27,
               "a session has a header of 27 bytes");

struct hf_session_entry {
    struct hf_slice field;
    struct hf_slice value;
    bool dropped; /* Stays in an array, but is not written. */
};

/* Bytes to allocate for a session. Rounded up to what malloc would hand out
 * anyway, so that a value may change its size a little and stay in place. */
size_t hf_session_alloc_size(size_t key_size, size_t value_size);

/* The piece of memory that @session is, */
size_t hf_session_size(const struct hf_session *session);
/* and what it holds of its allocator: with its structure, if it has one. */
size_t hf_session_held(const struct hf_session *session);
/* The structure of a session that has one. */
struct hf_structure hf_session_structure(const struct hf_session *session);

void hf_session_set_type(struct hf_session *session, enum hf_session_type type);
/* Its sequence is at most HF_SEQUENCE_MAX. */
void hf_session_set_version(struct hf_session *session,
                            struct hf_version version);
/* From 0 to HF_DEADLINE_MAX, or HF_NEVER. Copies were told one that is
 * @slack_ms later, or up to HF_SESSION_SLACK_STEP - 1 more: that is not kept.
 */
void hf_session_set_deadline(struct hf_session *session, hf_time deadline,
                             uint16_t slack_ms);
/* The value becomes that long, in the same piece of memory. */
void hf_session_set_value_size(struct hf_session *session, size_t size);

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
/* With its structure. */
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
