/* messages.h - One peer message of every type, and its extremes.
 *
 * Every field of a sample has a value of its own, so that a codec that mixes
 * two fields up, or drops one, gives something else back. */
#ifndef HF_TESTS_MESSAGES_H
#define HF_TESTS_MESSAGES_H

#include "base/rng.h"
#include "core/message.h"

#define MESSAGES_MAX 80
#define MESSAGES_ARGUMENTS 2000
#define MESSAGES_BIG_BYTES ((size_t)1 << 20)

#define MESSAGES_ENTRIES 3

struct messages {
    struct hf_message items[MESSAGES_MAX];
    size_t count;
    uint64_t numbers; /* Drawn so far. */
    /* What the items point to. */
    struct hf_mem mem;
    struct hf_buffer big;    /* MESSAGES_BIG_BYTES of random bytes. */
    struct hf_buffer nested; /* Tokens of every kind. */
    struct hf_view small;    /* One member, no backups. */
    struct hf_view middle;   /* Three members. */
    struct hf_view full;     /* All members, all copies, longest texts. */
    struct hf_nomination nominations[HF_PARTITION_COUNT];
    struct hf_position positions[HF_PARTITION_COUNT];
    struct hf_merge_entry entries[MESSAGES_ENTRIES];
    struct hf_slice arguments[16][4];
    struct hf_slice told[4][4];
    struct hf_slice many_arguments[MESSAGES_ARGUMENTS];
};

/* A view of @member_count members with @copies copies of each partition.
 * @pad: names, labels and hosts as long as they may be. */
void messages_fill_view(struct hf_view *view, uint8_t member_count,
                        uint8_t copies, bool pad);

/* Null when there is no memory. */
struct messages *messages_create(void);
void messages_destroy(struct messages *messages);

#endif
