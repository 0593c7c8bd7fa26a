/* heap.h - A binary min-heap of items that live elsewhere.
 *
 * The item is embedded in what it stands for (see HF_CONTAINER_OF). Items with
 * equal keys come out in the order in which they went in, so whoever runs on
 * timers runs the same way every time. An item knows its place, so removing
 * one from the middle costs as little as taking the first. */
#ifndef HF_BASE_HEAP_H
#define HF_BASE_HEAP_H

#include "base/mem.h"

/* Zero it before its first use. */
struct hf_heap_item {
    int64_t key;
    uint64_t order; /* Of insertion; breaks ties. */
    size_t place;   /* Index in the heap plus one; 0: in no heap. */
};

struct hf_heap {
    struct hf_mem *mem;
    struct hf_heap_item **items;
    size_t count;
    size_t capacity;
    uint64_t order_next;
};

/* @mem must outlive the heap. Allocates nothing yet. */
void hf_heap_init(struct hf_heap *heap, struct hf_mem *mem);
/* Forgets all items, which belong to the caller. */
void hf_heap_close(struct hf_heap *heap);

/* Adds @item, which must be in no heap and stay where it is in memory until it
 * is out again. Returns 0, or HF_ENOMEM (then the heap is as it was). */
HF_NODISCARD int hf_heap_push(struct hf_heap *heap, struct hf_heap_item *item,
                              int64_t key);

/* Makes sure that the next @count pushes cannot fail. 0 or HF_ENOMEM. */
HF_NODISCARD int hf_heap_reserve(struct hf_heap *heap, size_t count);

/* The item with the smallest key, NULL when there is none. */
struct hf_heap_item *hf_heap_peek(const struct hf_heap *heap);
/* The same, and takes it out. */
struct hf_heap_item *hf_heap_pop(struct hf_heap *heap);

/* Takes @item out; harmless when it is in no heap. */
void hf_heap_remove(struct hf_heap *heap, struct hf_heap_item *item);

static inline bool hf_heap_item_is_in(const struct hf_heap_item *item)
{
    return item->place != 0;
}

#endif
