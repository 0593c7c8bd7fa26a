/* types.h - The scalar types every layer shares, with their units. */
#ifndef HF_BASE_TYPES_H
#define HF_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds of a monotonic clock. Only differences mean anything. */
typedef int64_t hf_time;

/* A node's identity: the hash of its name. Stays the same over restarts. */
typedef uint64_t hf_node_id;

/* 64 random bits drawn when a process starts. Nothing is inherited by a new
 * incarnation of the same node. 0 means "none". */
typedef uint64_t hf_incarnation;

/* The number of an agreed view: counter in the high 32 bits, 32 bits of its
 * proposer's incarnation in the low ones, so that two proposers never choose
 * the same number. 0 means "none yet". */
typedef uint64_t hf_epoch;

#define HF_NEVER INT64_MAX

#define HF_NODISCARD __attribute__((warn_unused_result))
#define HF_PRINTF(format_index, first_index)                                   \
    __attribute__((format(printf, format_index, first_index)))

/* What hardly ever runs, and so should not burden who calls it. */
#define HF_RARE __attribute__((cold, noinline))

#define HF_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a noun ends with after the number @n, in a text for people. */
#define HF_PLURAL(n) ((n) == 1 ? "" : "s")

#define HF_CONTAINER_OF(pointer, type, member)                                 \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
