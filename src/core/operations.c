#include "core/operations.h"

#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"

#define BUCKETS_MIN 64

/* One node that asked, and what it asked, oldest first. */
struct hf_operation_origin {
    struct hf_list link;
    hf_incarnation incarnation;
    struct hf_list operations;
};

void hf_operations_init(struct hf_operations *operations, struct hf_mem *mem)
{
    *operations = (struct hf_operations){.mem = mem};
    hf_list_init(&operations->origins);
    for (size_t i = 0; i < HF_PARTITION_COUNT; i++) {
        hf_list_init(&operations->partitions[i]);
    }
}

/* An origin's numbers follow each other, and so do their buckets: hardly any
 * has two, and whoever looks for one that is new finds nothing to look at. */
static uint32_t bucket_of(const struct hf_operations *operations,
                          struct hf_operation_id id)
{
    return (uint32_t)(id.origin + id.number) & (operations->capacity - 1);
}

static struct hf_operation_origin *origin_at(struct hf_list *link)
{
    return HF_CONTAINER_OF(link, struct hf_operation_origin, link);
}

static struct hf_operation_origin *origin_find(struct hf_operations *operations,
                                               hf_incarnation incarnation)
{
    for (struct hf_list *link = operations->origins.next;
         link != &operations->origins; link = link->next) {
        if (origin_at(link)->incarnation == incarnation) {
            return origin_at(link);
        }
    }
    return NULL;
}

static struct hf_operation_origin *origin_make(struct hf_operations *operations,
                                               hf_incarnation incarnation)
{
    struct hf_operation_origin *origin = origin_find(operations, incarnation);
    if (origin != NULL) {
        return origin;
    }
    origin = hf_mem_alloc(operations->mem, sizeof(*origin));
    if (origin != NULL) {
        origin->incarnation = incarnation;
        hf_list_init(&origin->operations);
        hf_list_push_back(&operations->origins, &origin->link);
    }
    return origin;
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
    hf_list_remove(&operation->place);
    operations->count--;
    hf_mem_free(operations->mem, operation, operation->size);
}

static void origin_free(struct hf_operations *operations,
                        struct hf_operation_origin *origin)
{
    hf_list_remove(&origin->link);
    hf_mem_free(operations->mem, origin, sizeof(*origin));
}

static struct hf_operation *oldest_of(struct hf_operation_origin *origin)
{
    return HF_CONTAINER_OF(origin->operations.next, struct hf_operation, age);
}

/* It is the next to be looked at; or the end of a list, which does no harm. */
static void operation_expect(const struct hf_list *age)
{
    hf_mem_prefetch(age);
    hf_mem_prefetch((const uint8_t *)age + sizeof(struct hf_operation) / 2);
}

void hf_operations_close(struct hf_operations *operations)
{
    while (!hf_list_is_empty(&operations->origins)) {
        struct hf_operation_origin *origin =
            origin_at(operations->origins.next);
        while (!hf_list_is_empty(&origin->operations)) {
            operation_remove(operations, oldest_of(origin));
        }
        origin_free(operations, origin);
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

void hf_operations_expect(const struct hf_operations *operations,
                          struct hf_operation_id id)
{
    if (operations->capacity > 0) {
        hf_mem_prefetch(&operations->buckets[bucket_of(operations, id)]);
    }
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
    struct hf_operation **before = operations->buckets;
    struct hf_operation **buckets =
        hf_mem_alloc_zero(operations->mem, capacity * sizeof(*buckets));
    if (buckets == NULL) {
        return old == 0 ? HF_ENOMEM : 0; /* Full buckets only are slower. */
    }
    operations->buckets = buckets;
    operations->capacity = capacity;
    for (uint32_t i = 0; i < old; i++) {
        while (before[i] != NULL) {
            struct hf_operation *operation = before[i];
            before[i] = operation->next;
            uint32_t bucket = bucket_of(operations, operation->id);
            operation->next = buckets[bucket];
            buckets[bucket] = operation;
        }
    }
    hf_mem_free(operations->mem, before, old * sizeof(*buckets));
    return 0;
}

static int operations_add(struct hf_operations *operations,
                          const struct hf_operation *like)
{
    struct hf_operation_origin *origin =
        origin_make(operations, like->id.origin);
    if (origin == NULL || (operations->count >= operations->capacity &&
                           operations_grow(operations) != 0)) {
        return HF_ENOMEM;
    }
    size_t size = sizeof(struct hf_operation) + like->reply.size;
    struct hf_operation *operation = hf_mem_alloc(operations->mem, size);
    if (operation == NULL) {
        return HF_ENOMEM;
    }
    *operation = *like;
    operation->size = size;
    uint8_t *bytes = (uint8_t *)(operation + 1);
    if (like->reply.size > 0) {
        memcpy(bytes, like->reply.data, like->reply.size);
    }
    operation->reply = (struct hf_slice){bytes, like->reply.size};
    uint32_t bucket = bucket_of(operations, like->id);
    operation->next = operations->buckets[bucket];
    operations->buckets[bucket] = operation;
    hf_list_push_back(&origin->operations, &operation->age);
    hf_list_push_back(&operations->partitions[like->partition],
                      &operation->place);
    operations->count++;
    return 0;
}

int hf_operations_add(struct hf_operations *operations,
                      struct hf_operation_id id, uint16_t partition,
                      uint64_t sequence, struct hf_slice reply)
{
    HF_ASSERT(partition < HF_PARTITION_COUNT);
    struct hf_operation *known = operation_find(operations, id);
    if (known != NULL && !known->local) {
        return 0;
    }
    struct hf_operation like = {
        .id = id, .partition = partition, .sequence = sequence, .reply = reply};
    int error = operations_add(operations, &like);
    if (error == 0 && known != NULL) {
        operation_remove(operations, known);
    }
    return error;
}

int hf_operations_add_local(struct hf_operations *operations,
                            struct hf_operation_id id, uint16_t partition,
                            uint64_t shows, struct hf_slice reply)
{
    HF_ASSERT(partition < HF_PARTITION_COUNT);
    if (operation_find(operations, id) != NULL) {
        return 0;
    }
    struct hf_operation like = {.id = id,
                                .partition = partition,
                                .sequence = shows,
                                .local = true,
                                .reply = reply};
    return operations_add(operations, &like);
}

void hf_operations_forget(struct hf_operations *operations, uint32_t visits,
                          bool (*is_over)(void *user,
                                          struct hf_operation_id id),
                          void *user)
{
    struct hf_list *link = operations->origins.next;
    while (link != &operations->origins) {
        struct hf_operation_origin *origin = origin_at(link);
        link = link->next;
        while (visits > 0 && !hf_list_is_empty(&origin->operations) &&
               is_over(user, oldest_of(origin)->id)) {
            operation_expect(oldest_of(origin)->age.next);
            operation_remove(operations, oldest_of(origin));
            visits--;
        }
        if (hf_list_is_empty(&origin->operations)) {
            origin_free(operations, origin);
        }
    }
}

void hf_operations_forget_partition(struct hf_operations *operations,
                                    uint16_t partition)
{
    struct hf_list *list = &operations->partitions[partition];
    while (!hf_list_is_empty(list)) {
        operation_remove(
            operations,
            HF_CONTAINER_OF(list->next, struct hf_operation, place));
    }
}

void hf_operations_forget_local(struct hf_operations *operations)
{
    for (struct hf_list *link = operations->origins.next;
         link != &operations->origins; link = link->next) {
        struct hf_list *list = &origin_at(link)->operations;
        struct hf_list *at = list->next;
        while (at != list) {
            struct hf_operation *operation =
                HF_CONTAINER_OF(at, struct hf_operation, age);
            at = at->next;
            if (operation->local) {
                operation_remove(operations, operation);
            }
        }
    }
}
