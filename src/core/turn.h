/* turn.h - How much is done in one go.
 *
 * Clients and peers wait until a turn of the loop is over, so what may be much
 * is done a part at a time: the next tick, which then comes at once, goes on.
 * Each of these takes about a millisecond. */
#ifndef HF_CORE_TURN_H
#define HF_CORE_TURN_H

/* Sessions that expire, by a write each: to free one, which is in no cache,
 * takes longest. */
#define HF_EXPIRY_VISITS_MAX 250
#define HF_DISCARD_SLOTS_MAX 2000 /* Places where a session may be to free. */
#define HF_FORGET_VISITS 4096     /* Operations that are over. */
#define HF_FILL_ENTRIES_MAX 512   /* Sessions sent to a learner, */
#define HF_FILL_NEXT_MAX 16       /* of partitions found by one look at all. */

/* Records sent to copies, or by one that is further on when it is asked: then
 * it is asked again. Clients write less in a turn, or it would never end. */
#define HF_SEND_BYTES_MAX ((size_t)4 << 20)
#define HF_PULL_BYTES_MAX ((size_t)1 << 20)
#define HF_SEND_RECORD_BYTES 2048 /* Each counts as so much more. */

#endif
