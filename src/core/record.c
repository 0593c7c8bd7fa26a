#include "core/record.h"

#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"

#define QUEUE_CAPACITY_MIN 8

static struct hf_slice copy_slice(uint8_t **at, struct hf_slice from)
{
    struct hf_slice copy = {*at, from.size};
    if (from.size > 0) {
        memcpy(*at, from.data, from.size);
    }
    *at += from.size;
    return copy;
}

struct hf_record *hf_record_new(struct hf_mem *mem,
                                const struct hf_record_view *view)
{
    return hf_record_new_noted(mem, view, (struct hf_slice){NULL, 0});
}

struct hf_record *hf_record_new_noted(struct hf_mem *mem,
                                      const struct hf_record_view *view,
                                      struct hf_slice notices)
{
    size_t size = sizeof(struct hf_record) + view->key.size +
                  view->effects.size + view->reply.size + notices.size;
    struct hf_record *record = hf_mem_alloc(mem, size);
    if (record == NULL) {
        return NULL;
    }
    *record = (struct hf_record){.view = *view, .size = size, .references = 1};
    record->waiters_end = &record->waiters;
    uint8_t *at = (uint8_t *)(record + 1);
    record->view.key = copy_slice(&at, view->key);
    record->view.effects = copy_slice(&at, view->effects);
    record->view.reply = copy_slice(&at, view->reply);
    record->notices = copy_slice(&at, notices);
    return record;
}

struct hf_record *hf_record_share(struct hf_record *record)
{
    HF_ASSERT(record->references > 0);
    record->references++;
    return record;
}

void hf_record_release(struct hf_mem *mem, struct hf_record *record)
{
    HF_ASSERT(record->references > 0);
    record->references--;
    if (record->references == 0) {
        hf_record_drop_waiters(mem, record);
        hf_mem_free(mem, record, record->size);
    }
}

static struct hf_waiter *
waiter_add(struct hf_mem *mem, struct hf_record *record, struct hf_slice reply)
{
    size_t size = sizeof(struct hf_waiter) + reply.size;
    struct hf_waiter *waiter = hf_mem_alloc(mem, size);
    if (waiter == NULL) {
        return NULL;
    }
    uint8_t *at = (uint8_t *)(waiter + 1);
    *waiter = (struct hf_waiter){.size = size};
    waiter->reply = copy_slice(&at, reply);
    *record->waiters_end = waiter;
    record->waiters_end = &waiter->next;
    return waiter;
}

int hf_record_wait(struct hf_mem *mem, struct hf_record *record,
                   struct hf_operation_id operation, struct hf_slice reply)
{
    struct hf_waiter *waiter = waiter_add(mem, record, reply);
    if (waiter == NULL) {
        return HF_ENOMEM;
    }
    waiter->operation = operation;
    return 0;
}

int hf_record_wait_range(struct hf_mem *mem, struct hf_record *record,
                         struct hf_range *range)
{
    struct hf_waiter *waiter =
        waiter_add(mem, record, (struct hf_slice){NULL, 0});
    if (waiter == NULL) {
        return HF_ENOMEM;
    }
    waiter->range = range;
    return 0;
}

size_t hf_record_drop_waiters(struct hf_mem *mem, struct hf_record *record)
{
    size_t bytes = 0;
    while (record->waiters != NULL) {
        struct hf_waiter *waiter = record->waiters;
        record->waiters = waiter->next;
        bytes += waiter->reply.size;
        hf_mem_free(mem, waiter, waiter->size);
    }
    record->waiters_end = &record->waiters;
    return bytes;
}

int hf_record_queue_reserve(struct hf_record_queue *queue, struct hf_mem *mem)
{
    if (queue->count < queue->capacity) {
        return 0;
    }
    uint32_t capacity =
        queue->capacity == 0 ? QUEUE_CAPACITY_MIN : queue->capacity * 2;
    struct hf_record **items =
        hf_mem_alloc(mem, capacity * sizeof(struct hf_record *));
    if (items == NULL) {
        return HF_ENOMEM;
    }
    for (uint32_t i = 0; i < queue->count; i++) {
        items[i] = hf_record_queue_at(queue, i);
    }
    hf_mem_free(mem, queue->items, queue->capacity * sizeof(*items));
    queue->items = items;
    queue->capacity = capacity;
    queue->first = 0;
    return 0;
}

int hf_record_queue_push(struct hf_record_queue *queue, struct hf_mem *mem,
                         struct hf_record *record)
{
    int error = hf_record_queue_reserve(queue, mem);
    if (error != 0) {
        return error;
    }
    queue->items[(queue->first + queue->count) & (queue->capacity - 1)] =
        record;
    queue->count++;
    return 0;
}

struct hf_record *hf_record_queue_at(const struct hf_record_queue *queue,
                                     uint32_t index)
{
    HF_ASSERT(index < queue->count);
    return queue->items[(queue->first + index) & (queue->capacity - 1)];
}

void hf_record_queue_expect(const struct hf_record_queue *queue, uint32_t index)
{
    if (queue->capacity > 0) {
        hf_mem_prefetch(
            &queue->items[(queue->first + index) & (queue->capacity - 1)]);
    }
}

struct hf_record *hf_record_queue_pop(struct hf_record_queue *queue)
{
    struct hf_record *record = hf_record_queue_at(queue, 0);
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->count--;
    return record;
}

void hf_record_queue_close(struct hf_record_queue *queue, struct hf_mem *mem)
{
    while (queue->count > 0) {
        hf_record_release(mem, hf_record_queue_pop(queue));
    }
    hf_mem_free(mem, queue->items, queue->capacity * sizeof(*queue->items));
    *queue = (struct hf_record_queue){0};
}
