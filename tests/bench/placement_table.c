/* placement_table.c - Prints the table of docs/PLACEMENT.md. */
#include <stdio.h>
#include <time.h>

#include "support/placement_stats.h"

#define ROUNDS 100
#define SEED 1

static void print_permille(uint64_t permille)
{
    printf(" %5llu.%03llu", (unsigned long long)(permille / 1000),
           (unsigned long long)(permille % 1000));
}

static void print_row(const struct placement_stats *stats, size_t size)
{
    printf("%5zu", size);
    print_permille(placement_stats_permille(stats->primaries_max,
                                            HF_PARTITION_COUNT, size));
    print_permille(placement_stats_permille(stats->copies_max,
                                            2 * HF_PARTITION_COUNT, size));
    print_permille(stats->join_moved * 1000 / stats->join_due);
    print_permille(stats->leave_moved * 1000 / stats->leave_due);
    uint64_t heirs = stats->heirs_were_backup * 1000 / stats->heirs;
    printf(" %5llu.%llu %%\n", (unsigned long long)(heirs / 10),
           (unsigned long long)(heirs % 10));
}

/* Microseconds to compute one table for as many members as there may be. */
static long long time_largest(void)
{
    static struct hf_owners owners[HF_PARTITION_COUNT];
    struct hf_placement_member members[HF_MEMBERS_MAX];
    for (size_t m = 0; m < HF_MEMBERS_MAX; m++) {
        members[m] = (struct hf_placement_member){m, m};
    }
    struct timespec from;
    struct timespec to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < ROUNDS; i++) {
        members[0].id++;
        hf_placement_compute(members, HF_MEMBERS_MAX, 1, owners);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    long long ns = (long long)(to.tv_sec - from.tv_sec) * 1000000000 +
                   (to.tv_nsec - from.tv_nsec);
    return ns / ROUNDS / 1000;
}

int main(void)
{
    static const size_t sizes[] = {3, 5, 10, 16, 32};
    static struct placement_stats stats[HF_MEMBERS_MAX];
    placement_stats_collect(stats, 32, 1, ROUNDS, SEED);
    printf("%d random clusters of each size, 1 backup, %d partitions\n\n"
           "       primaries    copies      join     leave     heir\n"
           "nodes   max/mean  max/mean    /ideal    /ideal is backup\n",
           ROUNDS, HF_PARTITION_COUNT);
    for (size_t i = 0; i < HF_ARRAY_COUNT(sizes); i++) {
        print_row(&stats[sizes[i]], sizes[i]);
    }
    printf("\n%d nodes: %lld us to compute\n", HF_MEMBERS_MAX, time_largest());
    return 0;
}
