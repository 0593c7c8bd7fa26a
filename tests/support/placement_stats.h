/* placement_stats.h - How even and how steady the placement is.
 *
 * Clusters of random nodes grow one by one, from two to one more than the
 * largest size asked for. At each size the load is counted; each step, read
 * forwards, is a node that joins, and read backwards, one that leaves. */
#ifndef TESTS_SUPPORT_PLACEMENT_STATS_H
#define TESTS_SUPPORT_PLACEMENT_STATS_H

#include "core/placement.h"

/* For one size of cluster. Numbers of partitions, or of copies of them. */
struct placement_stats {
    uint64_t primaries_max;     /* Of the most loaded node of any cluster. */
    uint64_t copies_max;        /* Also with the copies it is primary of. */
    uint64_t join_moved;        /* Copies filled when a node joins. */
    uint64_t join_due;          /* The new nodes' fair shares of them. */
    uint64_t leave_moved;       /* Copies filled when a node of these leaves. */
    uint64_t leave_due;         /* Copies that went with it. */
    uint64_t heirs;             /* Partitions whose primary left. */
    uint64_t heirs_were_backup; /* Of these: first backup became primary. */
};

/* Adds up @rounds growing clusters in @stats, indexed by size: 3 to @size_max,
 * which is at most HF_MEMBERS_MAX - 1. @stats must be zeros at first. */
void placement_stats_collect(struct placement_stats *stats, size_t size_max,
                             unsigned backups, unsigned rounds, uint64_t seed);

/* @load in thousandths of the mean of @size nodes that share @total. */
uint64_t placement_stats_permille(uint64_t load, uint64_t total, size_t size);

#endif
