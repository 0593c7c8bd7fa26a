/* operations.h - Operations that were carried out for other nodes, so that a
 * repeated request has no second effect.
 *
 * A node that forwarded an operation and hears nothing (a link broke, the
 * primary died) sends it again. Whoever is primary then finds it here, on every
 * copy of the partition, together with the answer. An entry is forgotten once
 * its origin says that all its operations up to that number have ended, in the
 * manner of RIFL (Lee et al., "Implementing linearizability at large scale and
 * low latency", SOSP 2015). */
#ifndef HF_CORE_OPERATIONS_H
#define HF_CORE_OPERATIONS_H

#include "base/list.h"
#include "base/mem.h"
#include "core/message.h"

struct hf_operation {
    struct hf_operation *next; /* In its bucket. */
    struct hf_list age;        /* Oldest first, among those of its origin. */
    struct hf_list place;      /* Among those of its partition. */
    struct hf_operation_id id;
    uint16_t partition;
    uint64_t sequence; /* Of the record; local: of what its answer shows. */
    bool local;        /* It had no effect: only the primary remembers it. */
    size_t size;       /* Of this allocation. */
    struct hf_slice reply; /* Tokens; inside this allocation. */
};

struct hf_operations {
    struct hf_mem *mem;
    struct hf_operation **buckets;
    uint32_t capacity; /* 0 or a power of two. */
    uint32_t count;
    struct hf_list origins;
    struct hf_list partitions[HF_PARTITION_COUNT];
};

void hf_operations_init(struct hf_operations *operations, struct hf_mem *mem);
void hf_operations_close(struct hf_operations *operations);

/* NULL when it is not known. */
const struct hf_operation *
hf_operations_find(const struct hf_operations *operations,
                   struct hf_operation_id id);

/* Remembers an operation; does nothing when it is known, unless as one without
 * effects. HF_ENOMEM: it is
 * not remembered. */
HF_NODISCARD int hf_operations_add(struct hf_operations *operations,
                                   struct hf_operation_id id,
                                   uint16_t partition, uint64_t sequence,
                                   struct hf_slice reply);

/* The same for an operation without effects. */
HF_NODISCARD int hf_operations_add_local(struct hf_operations *operations,
                                         struct hf_operation_id id,
                                         uint16_t partition, uint64_t shows,
                                         struct hf_slice reply);

/* Has the processor fetch what finding or adding @id will read. */
void hf_operations_expect(const struct hf_operations *operations,
                          struct hf_operation_id id);

/* Forgets all without effects. */
void hf_operations_forget_local(struct hf_operations *operations);

/* Forgets one; does nothing when it is not known. */
void hf_operations_remove(struct hf_operations *operations,
                          struct hf_operation_id id);

/* Forgets up to @visits for which @is_over says so: of each origin the oldest,
 * up to the first that is not. */
void hf_operations_forget(struct hf_operations *operations, uint32_t visits,
                          bool (*is_over)(void *user,
                                          struct hf_operation_id id),
                          void *user);

/* Forgets all of @partition. */
void hf_operations_forget_partition(struct hf_operations *operations,
                                    uint16_t partition);

#endif
