/* stream.h - The records one node sends to one copy, in one epoch.
 *
 * Records are numbered from 1 in each epoch. They are sent in order, each
 * once, unless the link breaks: then all that is not acknowledged is sent
 * again (go-back-N), and the receiver drops what it has. Acknowledgements are
 * cumulative. A record is kept until it was acknowledged and committed, which
 * the receiver is told, so that it can forget it as well.
 *
 *        head        acked          sent        next
 *   ------+------------+--------------+-----------+
 *         | waits for  | on its way,  | link down |
 *         | other copies              |           |
 */
#ifndef HF_CORE_STREAM_H
#define HF_CORE_STREAM_H

#include "core/record.h"

struct hf_stream_entry {
    struct hf_record *record;
    uint64_t below; /* To a learner: what is of hashes below this. The rest
                     * comes with its entries. HF_SESSIONS_END: all. */
    bool counted;   /* Its acknowledgement is one the record waits for. */
};

struct hf_stream {
    struct hf_stream_entry *entries; /* Ring. */
    uint32_t capacity;               /* 0 or a power of two. */
    uint32_t count;
    uint64_t head;       /* Number of the oldest entry kept. */
    uint64_t acked;      /* Highest acknowledged. */
    uint64_t sent;       /* Highest sent over the link there is now. */
    uint64_t told;       /* Highest told to be committed. */
    size_t bytes;        /* Of records not acknowledged. */
    size_t learn_bytes;  /* Of those, for refilling. */
    hf_time moved_at;    /* When `acked` last moved, work began or it was sent
                          * again. */
    hf_time progress_at; /* When `acked` last moved or work began. */
};

void hf_stream_init(struct hf_stream *stream);
/* Releases all records; the next number is 1 again. */
void hf_stream_reset(struct hf_stream *stream, struct hf_mem *mem);
void hf_stream_close(struct hf_stream *stream, struct hf_mem *mem);

/* Makes sure that the next @count pushes cannot fail. */
HF_NODISCARD int hf_stream_reserve(struct hf_stream *stream, struct hf_mem *mem,
                                   uint32_t count);

/* Appends a record, taking a reference of its own. Reserve first. */
void hf_stream_push(struct hf_stream *stream, struct hf_record *record,
                    uint64_t below, bool counted, hf_time now);

/* The number the next push will get. */
uint64_t hf_stream_next(const struct hf_stream *stream);

/* An entry by number, from head to next - 1. */
struct hf_stream_entry *hf_stream_at(const struct hf_stream *stream,
                                     uint64_t number);

/* Counts entry acked + 1 as acknowledged. */
struct hf_stream_entry *hf_stream_ack_one(struct hf_stream *stream);

/* Drops acknowledged entries from the head on while @committed says so; the
 * caller gets each record's reference back through the entry. False when
 * there is nothing to drop. */
bool hf_stream_drop_one(struct hf_stream *stream,
                        struct hf_stream_entry *dropped);

#endif
