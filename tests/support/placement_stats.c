#include "support/placement_stats.h"

#include "base/rng.h"

/* Members of a smaller table have the same indexes in the larger one. */
struct table {
    struct hf_owners owners[HF_PARTITION_COUNT];
};

static bool owns(const struct hf_owners *owners, size_t member)
{
    for (size_t i = 0; i < owners->count; i++) {
        if (owners->members[i] == member) {
            return true;
        }
    }
    return false;
}

/* Copies of @after that their owners did not have @before. */
static uint64_t count_moved(const struct table *before,
                            const struct table *after)
{
    uint64_t moved = 0;
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_owners *owners = &after->owners[p];
        for (size_t i = 0; i < owners->count; i++) {
            moved += !owns(&before->owners[p], owners->members[i]);
        }
    }
    return moved;
}

static void count_load(struct placement_stats *stats, const struct table *table,
                       size_t size)
{
    uint64_t primaries[HF_MEMBERS_MAX] = {0};
    uint64_t copies[HF_MEMBERS_MAX] = {0};
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        primaries[table->owners[p].members[0]]++;
        for (size_t i = 0; i < table->owners[p].count; i++) {
            copies[table->owners[p].members[i]]++;
        }
    }
    for (size_t m = 0; m < size; m++) {
        if (primaries[m] > stats->primaries_max) {
            stats->primaries_max = primaries[m];
        }
        if (copies[m] > stats->copies_max) {
            stats->copies_max = copies[m];
        }
    }
}

/* The last of @large is the one that leaves. */
static void count_leave(struct placement_stats *stats,
                        const struct table *large, const struct table *small,
                        size_t leaver)
{
    stats->leave_moved += count_moved(large, small);
    for (size_t p = 0; p < HF_PARTITION_COUNT; p++) {
        const struct hf_owners *before = &large->owners[p];
        stats->leave_due += owns(before, leaver);
        if (before->members[0] == leaver) {
            stats->heirs++;
            stats->heirs_were_backup +=
                before->count > 1 &&
                small->owners[p].members[0] == before->members[1];
        }
    }
}

void placement_stats_collect(struct placement_stats *stats, size_t size_max,
                             unsigned backups, unsigned rounds, uint64_t seed)
{
    struct hf_rng rng;
    struct hf_placement_member members[HF_MEMBERS_MAX];
    struct table tables[2];
    hf_rng_init(&rng, seed);
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t m = 0; m <= size_max; m++) {
            members[m] =
                (struct hf_placement_member){hf_rng_next(&rng), (uint64_t)m};
        }
        for (size_t size = 2; size <= size_max + 1; size++) {
            struct table *now = &tables[size % 2];
            const struct table *before = &tables[(size + 1) % 2];
            hf_placement_compute(members, size, backups, now->owners);
            if (size > 3) {
                stats[size - 1].join_moved += count_moved(before, now);
                stats[size - 1].join_due +=
                    HF_PARTITION_COUNT * (uint64_t)now->owners[0].count / size;
            }
            if (size > 2 && size <= size_max) {
                count_leave(&stats[size], now, before, size - 1);
                count_load(&stats[size], now, size);
            }
        }
    }
}

uint64_t placement_stats_permille(uint64_t load, uint64_t total, size_t size)
{
    return load * size * 1000 / total;
}
