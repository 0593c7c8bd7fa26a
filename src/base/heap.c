#include "base/heap.h"

#include "base/assert.h"
#include "holdfast/error.h"

#define HEAP_CAPACITY_MIN ((size_t)16)

void hf_heap_init(struct hf_heap *heap, struct hf_mem *mem)
{
    *heap = (struct hf_heap){.mem = mem};
}

void hf_heap_close(struct hf_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        heap->items[i]->place = 0;
    }
    hf_mem_free(heap->mem, heap->items,
                heap->capacity * sizeof(struct hf_heap_item *));
    hf_heap_init(heap, heap->mem);
}

static bool item_is_before(const struct hf_heap_item *a,
                           const struct hf_heap_item *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void heap_put(struct hf_heap *heap, size_t index,
                     struct hf_heap_item *item)
{
    heap->items[index] = item;
    item->place = index + 1;
}

static void heap_rise(struct hf_heap *heap, size_t index)
{
    struct hf_heap_item *item = heap->items[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!item_is_before(item, heap->items[parent])) {
            break;
        }
        heap_put(heap, index, heap->items[parent]);
        index = parent;
    }
    heap_put(heap, index, item);
}

static void heap_sink(struct hf_heap *heap, size_t index)
{
    struct hf_heap_item *item = heap->items[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count &&
            item_is_before(heap->items[child + 1], heap->items[child])) {
            child++;
        }
        if (!item_is_before(heap->items[child], item)) {
            break;
        }
        heap_put(heap, index, heap->items[child]);
        index = child;
    }
    heap_put(heap, index, item);
}

static int heap_grow(struct hf_heap *heap)
{
    size_t capacity =
        heap->capacity == 0 ? HEAP_CAPACITY_MIN : 2 * heap->capacity;
    void *items = hf_mem_resize(heap->mem, heap->items,
                                heap->capacity * sizeof(struct hf_heap_item *),
                                capacity * sizeof(struct hf_heap_item *));
    if (items == NULL) {
        return HF_ENOMEM;
    }
    heap->items = items;
    heap->capacity = capacity;
    return 0;
}

int hf_heap_reserve(struct hf_heap *heap, size_t count)
{
    while (heap->capacity - heap->count < count) {
        if (heap_grow(heap) != 0) {
            return HF_ENOMEM;
        }
    }
    return 0;
}

int hf_heap_push(struct hf_heap *heap, struct hf_heap_item *item, int64_t key)
{
    HF_ASSERT(item->place == 0);
    if (heap->count == heap->capacity && heap_grow(heap) != 0) {
        return HF_ENOMEM;
    }
    item->key = key;
    item->order = heap->order_next++;
    heap_put(heap, heap->count++, item);
    heap_rise(heap, item->place - 1);
    return 0;
}

struct hf_heap_item *hf_heap_peek(const struct hf_heap *heap)
{
    return heap->count == 0 ? NULL : heap->items[0];
}

struct hf_heap_item *hf_heap_pop(struct hf_heap *heap)
{
    struct hf_heap_item *first = hf_heap_peek(heap);
    if (first != NULL) {
        hf_heap_remove(heap, first);
    }
    return first;
}

void hf_heap_remove(struct hf_heap *heap, struct hf_heap_item *item)
{
    if (item->place == 0) {
        return;
    }
    size_t index = item->place - 1;
    HF_ASSERT(index < heap->count);
    HF_ASSERT(heap->items[index] == item);
    item->place = 0;
    struct hf_heap_item *last = heap->items[--heap->count];
    if (last == item) {
        return;
    }
    heap_put(heap, index, last);
    heap_sink(heap, index);
    heap_rise(heap, last->place - 1);
}
