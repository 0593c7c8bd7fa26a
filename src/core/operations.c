#include "core/operations.h"

#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"

#define BUCKETS_MIN 64

void hf_operations_init(struct hf_operations *operations, struct hf_mem *mem)
{
    *operations = (struct hf_operations){.mem = mem};
    hf_list_init(&operations->by_age);
}

static uint32_t bucket_of(const struct hf_operations *operations,
                          struct hf_operation_id id)
{
    uint64_t mixed =
        (id.origin ^ id.number * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(mixed >> 32) & (operations->capacity - 1);
}

static void operation_remove(struct hf_operations *operations,
                             struct hf_operation *operation)
{
    struct hf_operation **at =
        &operations->buckets[bucket_of(operations, operation->id)];
    while (*at != operation) {
        at = &(*at)->next;
    }
    *at = operation->next;
    hf_list_remove(&operation->age);
    operations->count--;
    hf_mem_free(operations->mem, operation, operation->size);
}

static struct hf_operation *oldest(const struct hf_operations *operations)
{
    return HF_CONTAINER_OF(operations->by_age.next, struct hf_operation, age);
}

void hf_operations_close(struct hf_operations *operations)
{
    while (!hf_list_is_empty(&operations->by_age)) {
        operation_remove(operations, oldest(operations));
    }
    hf_mem_free(operations->mem, operations->buckets,
                operations->capacity * sizeof(*operations->buckets));
    hf_operations_init(operations, operations->mem);
}

static struct hf_operation *
operation_find(const struct hf_operations *operations,
               struct hf_operation_id id)
{
    if (operations->capacity == 0) {
        return NULL;
    }
    struct hf_operation *at = operations->buckets[bucket_of(operations, id)];
    while (at != NULL &&
           (at->id.origin != id.origin || at->id.number != id.number)) {
        at = at->next;
    }
    return at;
}

const struct hf_operation *
hf_operations_find(const struct hf_operations *operations,
                   struct hf_operation_id id)
{
    return operation_find(operations, id);
}

void hf_operations_remove(struct hf_operations *operations,
                          struct hf_operation_id id)
{
    struct hf_operation *operation = operation_find(operations, id);
    if (operation != NULL) {
        operation_remove(operations, operation);
    }
}

static int operations_grow(struct hf_operations *operations)
{
    uint32_t old = operations->capacity;
    uint32_t capacity = old == 0 ? BUCKETS_MIN : old * 2;
    struct hf_operation **buckets =
        hf_mem_alloc_zero(operations->mem, capacity * sizeof(*buckets));
    if (buckets == NULL) {
        return old == 0 ? HF_ENOMEM : 0; /* Full buckets only are slower. */
    }
    hf_mem_free(operations->mem, operations->buckets, old * sizeof(*buckets));
    operations->buckets = buckets;
    operations->capacity = capacity;
    for (struct hf_list *link = operations->by_age.next;
         link != &operations->by_age; link = link->next) {
        struct hf_operation *operation =
            HF_CONTAINER_OF(link, struct hf_operation, age);
        uint32_t bucket = bucket_of(operations, operation->id);
        operation->next = buckets[bucket];
        buckets[bucket] = operation;
    }
    return 0;
}

int hf_operations_add(struct hf_operations *operations,
                      struct hf_operation_id id, uint16_t partition,
                      uint64_t sequence, struct hf_slice reply)
{
    if (hf_operations_find(operations, id) != NULL) {
        return 0;
    }
    if (operations->count >= operations->capacity &&
        operations_grow(operations) != 0) {
        return HF_ENOMEM;
    }
    size_t size = sizeof(struct hf_operation) + reply.size;
    struct hf_operation *operation = hf_mem_alloc(operations->mem, size);
    if (operation == NULL) {
        return HF_ENOMEM;
    }
    *operation = (struct hf_operation){
        .id = id, .partition = partition, .sequence = sequence, .size = size};
    uint8_t *bytes = (uint8_t *)(operation + 1);
    if (reply.size > 0) {
        memcpy(bytes, reply.data, reply.size);
    }
    operation->reply = (struct hf_slice){bytes, reply.size};
    uint32_t bucket = bucket_of(operations, id);
    operation->next = operations->buckets[bucket];
    operations->buckets[bucket] = operation;
    hf_list_push_back(&operations->by_age, &operation->age);
    operations->count++;
    return 0;
}

void hf_operations_forget(struct hf_operations *operations, uint32_t visits,
                          bool (*is_over)(void *user,
                                          struct hf_operation_id id),
                          void *user)
{
    while (visits > 0 && !hf_list_is_empty(&operations->by_age) &&
           is_over(user, oldest(operations)->id)) {
        operation_remove(operations, oldest(operations));
        visits--;
    }
}

void hf_operations_forget_partition(struct hf_operations *operations,
                                    uint16_t partition)
{
    struct hf_list *link = operations->by_age.next;
    while (link != &operations->by_age) {
        struct hf_operation *operation =
            HF_CONTAINER_OF(link, struct hf_operation, age);
        link = link->next;
        if (operation->partition == partition) {
            operation_remove(operations, operation);
        }
    }
}
