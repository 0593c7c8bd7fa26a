/* record.h - One write on its way to all copies.
 *
 * A record is made once and shared: by the partition's log, by the streams to
 * each copy, and by whoever waits for it. It is one allocation with its bytes
 * inside, counted by references. */
#ifndef HF_CORE_RECORD_H
#define HF_CORE_RECORD_H

#include "base/mem.h"
#include "core/message.h"

/* Somebody whose answer waits until a record is on every copy. */
struct hf_waiter {
    struct hf_waiter *next;
    struct hf_operation_id operation;
    size_t size;            /* Of this allocation. */
    struct hf_range *range; /* Waits for more than this; or NULL. */
    struct hf_slice reply;  /* Tokens; inside this allocation. */
};

struct hf_record {
    struct hf_record_view view; /* Slices point into this allocation. */
    struct hf_slice notices;    /* On the primary: what it publishes. */
    size_t size;                /* Of this allocation. */
    uint32_t references;
    uint8_t pending;           /* Copies that did not acknowledge yet. */
    bool committed;            /* On every copy, and its waiters answered. */
    bool streamed;             /* In this epoch, to every copy. */
    bool paired;               /* It waits for one copy, a full one. */
    struct hf_waiter *waiters; /* In the order they came. */
    struct hf_waiter **waiters_end;
    uint64_t number; /* On a copy: its number in the stream it came by. */
};

/* Copies all that @view borrows. One reference, for the caller. NULL: no
 * memory. */
HF_NODISCARD struct hf_record *hf_record_new(struct hf_mem *mem,
                                             const struct hf_record_view *view);
/* The same, with events to be published when it commits. */
HF_NODISCARD struct hf_record *
hf_record_new_noted(struct hf_mem *mem, const struct hf_record_view *view,
                    struct hf_slice notices);
struct hf_record *hf_record_share(struct hf_record *record);
/* Frees it, and its waiters unanswered, with the last reference. */
void hf_record_release(struct hf_mem *mem, struct hf_record *record);

/* Adds a waiter with a copy of @reply. Returns 0 or HF_ENOMEM. */
HF_NODISCARD int hf_record_wait(struct hf_mem *mem, struct hf_record *record,
                                struct hf_operation_id operation,
                                struct hf_slice reply);
/* Adds @range as a waiter, which has an answer of its own. The same. */
HF_NODISCARD int hf_record_wait_range(struct hf_mem *mem,
                                      struct hf_record *record,
                                      struct hf_range *range);
/* Forgets all waiters. Returns how many bytes their replies took. */
size_t hf_record_drop_waiters(struct hf_mem *mem, struct hf_record *record);

/* A first-in first-out queue of shared records, in a growing ring. */
struct hf_record_queue {
    struct hf_record **items;
    uint32_t capacity; /* 0 or a power of two. */
    uint32_t first;
    uint32_t count;
};

/* Takes over the caller's reference. Returns 0 or HF_ENOMEM. */
HF_NODISCARD int hf_record_queue_push(struct hf_record_queue *queue,
                                      struct hf_mem *mem,
                                      struct hf_record *record);
/* Makes sure that the next push cannot fail. */
HF_NODISCARD int hf_record_queue_reserve(struct hf_record_queue *queue,
                                         struct hf_mem *mem);
struct hf_record *hf_record_queue_at(const struct hf_record_queue *queue,
                                     uint32_t index);
/* Has the processor fetch where the one at @index is, or would be. */
void hf_record_queue_expect(const struct hf_record_queue *queue,
                            uint32_t index);
/* Hands the reference of the oldest to the caller. */
struct hf_record *hf_record_queue_pop(struct hf_record_queue *queue);
/* Releases all and frees the ring. */
void hf_record_queue_close(struct hf_record_queue *queue, struct hf_mem *mem);

#endif
