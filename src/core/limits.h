/* limits.h - The fixed bounds of the protocol. What a user may change is in
 * holdfast/config.h; these are part of what nodes agree on. */
#ifndef HF_CORE_LIMITS_H
#define HF_CORE_LIMITS_H

#define HF_SLOT_COUNT 16384 /* As in Redis Cluster. */
/* 16 neighbouring slots each. A power of two. Only the simulator and fuzzing
 * of nodes are also built with fewer: what costs a step per partition is
 * cheaper then. */
#ifndef HF_PARTITION_COUNT
#define HF_PARTITION_COUNT 1024
#endif
#define HF_SLOTS_PER_PARTITION (HF_SLOT_COUNT / HF_PARTITION_COUNT)

/* Members of a view. Only the simulator, which runs few nodes, is also built
 * with fewer. */
#ifndef HF_MEMBERS_MAX
#define HF_MEMBERS_MAX 64
#endif
#define HF_BACKUPS_MAX 3 /* Backups of a partition. */
#define HF_COPIES_MAX 8  /* Copies during a hand-off: old and new owners. */
#define HF_SEEDS_MAX 64  /* Addresses in --seeds. */
#define HF_NAME_BYTES_MAX 64
#define HF_HOST_BYTES_MAX 255

#define HF_KEY_TEXT_BYTES_MAX 8192                   /* As clients write it. */
#define HF_KEY_BYTES_MAX (HF_KEY_TEXT_BYTES_MAX + 1) /* See core/key.h. */
#define HF_ARGUMENT_COUNT_MAX 65536

#endif
