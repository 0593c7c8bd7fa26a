/* placement.h - Which members should own which partition.
 *
 * key -> slot       CRC16 of the key or of its {tag}, as Redis Cluster does
 *     -> partition  16 neighbouring slots
 *     -> owners     consistent hashing in its rendezvous form: every member
 *                   ranks the partitions by XXH3(partition, node id); that rank
 *                   is its bid for a partition, and the highest bids own it
 *                   (Thaler and Ravishankar, "Using name-based mappings to
 *                   increase hit rates", 1998), with a cap on the load of each
 *                   member (Mirrokni, Thorup and Zadimoghaddam, "Consistent
 *                   hashing with bounded loads", 2016). Copies go to different
 *                   labels first of all
 *
 * The first owner is the primary. The first backup is, nearly always, who
 * becomes the primary when the primary is gone: promotion moves no data. Every
 * node computes the same owners from the same members. */
#ifndef HF_CORE_PLACEMENT_H
#define HF_CORE_PLACEMENT_H

#include "base/bytes.h"
#include "core/limits.h"

uint16_t hf_slot_of_key(struct hf_slice key);
uint16_t hf_partition_of_key(struct hf_slice key);

struct hf_placement_member {
    hf_node_id id;
    uint64_t label; /* Hash of the host label: its failure domain. */
};

/* Indexes into the members, the primary first. */
struct hf_owners {
    uint8_t count;
    uint8_t members[1 + HF_BACKUPS_MAX];
};

/* Fills @owners with the owners of every partition: 1 + @backups of them, or
 * all members when there are fewer. @count is 1 to HF_MEMBERS_MAX; the order
 * of @members does not matter (but for the indexes in the result); their ids
 * must differ. Takes a millisecond at 64 members, and 140 KiB of stack. */
void hf_placement_compute(const struct hf_placement_member *members,
                          size_t count, unsigned backups,
                          struct hf_owners owners[HF_PARTITION_COUNT]);

#endif
