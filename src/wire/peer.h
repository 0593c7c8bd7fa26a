/* peer.h - Peer messages as bytes.
 *
 * A message is its type (u8) and its fields in the order of core/message.h,
 * little-endian, slices with a u32 length. Everything read is checked: counts
 * against bounds, partitions, indexes and enums against their ranges, before
 * anything is allocated or used. */
#ifndef HF_WIRE_PEER_H
#define HF_WIRE_PEER_H

#include "base/bytes.h"
#include "core/message.h"

/* More than these never make sense in one message. */
#define HF_PEER_POSITION_COUNT_MAX HF_PARTITION_COUNT
#define HF_PEER_NOMINATION_COUNT_MAX (HF_PARTITION_COUNT * HF_COPIES_MAX)
#define HF_PEER_ENTRY_COUNT_MAX ((size_t)1 << 20)

/* Room for what a decoded message points to. One message at a time. */
struct hf_peer_scratch {
    struct hf_mem *mem;
    struct hf_view *view;
    struct hf_slice *argv;
    size_t argv_capacity;
    struct hf_position *positions;
    size_t position_capacity;
    struct hf_nomination *nominations;
    size_t nomination_capacity;
    struct hf_merge_entry *entries;
    size_t entry_capacity;
};

void hf_peer_scratch_init(struct hf_peer_scratch *scratch, struct hf_mem *mem);
void hf_peer_scratch_close(struct hf_peer_scratch *scratch);

/* Appends @message to @out. Check out->failed. */
void hf_peer_encode(struct hf_buffer *out, const struct hf_message *message);

/* Reads the next message, which borrows from what @reader reads and from
 * @scratch until the next call. Returns 1, 0 at the end, HF_EPROTO when
 * malformed, HF_ENOMEM. */
HF_NODISCARD int hf_peer_decode(struct hf_reader *reader,
                                struct hf_peer_scratch *scratch,
                                struct hf_message *message);

#endif
