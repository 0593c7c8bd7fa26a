/* sessions.h - The sessions of one partition, in memory.
 *
 * A session is a string, a hash of fields, a set, a sorted set or a list, with
 * a version and possibly a deadline. Where one was deleted there may be a fence
 * (core/fences.h): an entry with a version and a deadline, but no value, that
 * clients never see. A partition has a table of its own (core/table.h): growing
 * one moves only the slots of that partition, a pause of microseconds.
 *
 * The table is ordered by the 32-bit hash of the key. A position in that order,
 * 0 to HF_SESSIONS_END, is what SCAN cursors and hand-off cursors are: it
 * survives growth, and every key that is there throughout a scan is seen
 * exactly once.
 *
 * State changes only by hf_sessions_apply, on the primary and on backups
 * alike: same effects, same bytes.
 *
 * Deadlines are local, in the clock of this node; what travels is time left.
 * The table never drops an expired session by itself. */
#ifndef HF_CORE_SESSIONS_H
#define HF_CORE_SESSIONS_H

#include "base/bytes.h"
#include "base/heap.h"
#include "base/mem.h"
#include "core/key.h"
#include "core/limits.h"
#include "core/table.h"

struct hf_expiry; /* core/expiry.h: who is due on the whole node. */

enum hf_session_type {
    HF_SESSION_STRING = 1,
    HF_SESSION_HASH = 2,
    HF_SESSION_FENCE = 3, /* None: one was deleted here. */
    HF_SESSION_SET = 4,
    HF_SESSION_SORTED_SET = 5,
    HF_SESSION_LIST = 6,
};

/* Where in the order of its partition a write stands. Compare epochs first. */
struct hf_version {
    hf_epoch epoch;
    uint64_t sequence;
};

/* The last number that a write of a partition may have, far away: who makes a
 * million writes a second in one partition gets there in a year. */
#define HF_SEQUENCE_MAX (((uint64_t)1 << 45) - 1)

/* The last deadline, in 2,200 years; one that is later becomes this. */
#define HF_DEADLINE_MAX (((hf_time)1 << 46) - 2)

/* A session knows how much later its copies were told it ends in these. */
#define HF_SESSION_SLACK_STEP 16

/* What a field of a hash costs besides its name and value, a member besides its
 * bytes and score, an element of a list besides its bytes. */
#define HF_SESSION_FIELD_OVERHEAD 8

/* The end of the hash order: one past the largest 32-bit hash. */
#define HF_SESSIONS_END ((uint64_t)1 << 32)

struct hf_deque;
struct hf_members;
struct hf_session; /* Valid until the next change of its table. */

/* What several tables hold together: kept up to date as they change, since to
 * look at a thousand of them takes memory that is in no cache. */
struct hf_sessions_totals {
    size_t bytes;
    size_t fences;
    size_t fence_bytes;
    size_t counts[HF_DATABASE_OWN + 1]; /* As in struct hf_sessions. */
};

struct hf_sessions {
    struct hf_mem *mem;
    struct hf_expiry *expiry;
    uint16_t partition;
    struct hf_table table;
    struct hf_sessions_totals *totals; /* Counted in there; NULL: nowhere. */
    uint32_t count;                    /* Sessions, without fences. */
    size_t bytes; /* Keys, values and overhead: all that this table holds of
                   * its mem, 0 when it is empty. */
    struct hf_heap fences; /* Those there are, by deadline. */
    size_t fence_bytes;    /* Of `bytes`, that of the fences themselves. */
    /* Of `count`, those of each database; the last is the node's own. */
    uint32_t counts[HF_DATABASE_OWN + 1];
};

/* @expiry may be NULL: nobody asks who is due. */
void hf_sessions_init(struct hf_sessions *sessions, struct hf_mem *mem,
                      struct hf_expiry *expiry, uint16_t partition);
/* Counts what @sessions holds in @totals from now on, which lives until it is
 * counted elsewhere, and not where it was before. NULL: nowhere. */
void hf_sessions_count_in(struct hf_sessions *sessions,
                          struct hf_sessions_totals *totals);
/* Frees everything; the table is then empty and usable. */
void hf_sessions_clear(struct hf_sessions *sessions);
/* The same in steps of about @slots_max slots of the table each, by the last of
 * which @sessions is empty: then true. Between them it is good for nothing
 * else. @slot is where to go on, 0 before the first step. */
bool hf_sessions_clear_step(struct hf_sessions *sessions, uint32_t *slot,
                            uint32_t slots_max);

/* Sessions of clients: all but those of the node's own database. */
static inline uint32_t
hf_sessions_of_clients(const struct hf_sessions *sessions)
{
    return sessions->count - sessions->counts[HF_DATABASE_OWN];
}

/* Moves all sessions of @database, or of clients for HF_DATABASE_ALL, to
 * @taken, which is not in use and is then counted nowhere: to be freed by one
 * of the above. The others stay, and all fences. False without memory; then
 * nothing changed. */
HF_NODISCARD bool hf_sessions_take(struct hf_sessions *sessions,
                                   uint8_t database, struct hf_sessions *taken);

/* The 32-bit hash that orders the table; never 0. */
uint32_t hf_sessions_hash(struct hf_slice key);

/* NULL when there is none. Finds expired sessions too: the caller decides.
 * Never a fence. */
struct hf_session *hf_sessions_find(const struct hf_sessions *sessions,
                                    struct hf_slice key, uint32_t hash);
/* The same, or the fence that is there. */
struct hf_session *hf_sessions_find_entry(const struct hf_sessions *sessions,
                                          struct hf_slice key, uint32_t hash);
/* Has the processor fetch what finding a key of @hash will read first, and, a
 * little later, the session itself. Changes nothing. */
void hf_sessions_expect(const struct hf_sessions *sessions, uint32_t hash);
void hf_sessions_expect_entry(const struct hf_sessions *sessions,
                              uint32_t hash);

/* Whether a fence keeps new sessions away from @key at @now. */
bool hf_sessions_is_fenced(const struct hf_sessions *sessions,
                           struct hf_slice key, uint32_t hash, hf_time now);
/* The fence that ends first, NULL when there is none. */
struct hf_session *hf_sessions_first_fence(const struct hf_sessions *sessions);

struct hf_slice hf_session_key(const struct hf_session *session);
/* Computed from the key. */
uint32_t hf_session_hash(const struct hf_session *session);
enum hf_session_type hf_session_type(const struct hf_session *session);
struct hf_version hf_session_version(const struct hf_session *session);
/* HF_NEVER when it has no time to live. */
hf_time hf_session_deadline(const struct hf_session *session);
/* The same, as the primary told its copies: perhaps a little later, so that it
 * need not tell them of everything (core/touches.c). Never too late. */
hf_time hf_session_deadline_told(const struct hf_session *session);
/* The string value; only for HF_SESSION_STRING. */
struct hf_slice hf_session_value(const struct hf_session *session);

/* What counts against the limit of a value: the length of a string, or all
 * fields and values of a hash, members, scores or elements with
 * HF_SESSION_FIELD_OVERHEAD bytes each. */
size_t hf_session_value_bytes(const struct hf_session *session);

/* Fields of a HF_SESSION_HASH, in the order in which they were first set. */
uint32_t hf_session_field_count(const struct hf_session *session);
bool hf_session_field(const struct hf_session *session, struct hf_slice field,
                      struct hf_slice *value);
/* Start with *cursor = 0; false when there are no more. */
bool hf_session_next_field(const struct hf_session *session, size_t *cursor,
                           struct hf_slice *field, struct hf_slice *value);

/* Of a HF_SESSION_SET or HF_SESSION_SORTED_SET: core/members.h. */
const struct hf_members *hf_session_members(const struct hf_session *session);
/* Of a HF_SESSION_LIST: core/deque.h. */
const struct hf_deque *hf_session_list(const struct hf_session *session);

/* Changes the session @key by @effects (core/effects.h), stamping it with
 * @version. All or nothing. Returns 0, HF_ENOMEM (nothing changed), or
 * HF_EPROTO when the effects are malformed or do not fit the session, or the
 * version is beyond HF_SEQUENCE_MAX (nothing changed; only possible with bytes
 * from a peer). No effects change nothing. */
HF_NODISCARD int hf_sessions_apply(struct hf_sessions *sessions,
                                   struct hf_slice key, uint32_t hash,
                                   struct hf_version version,
                                   struct hf_slice effects, hf_time now);

/* Makes of all keys in @touched what @after has of them, or nothing, stamped
 * with @version, by moving it. All or nothing: 0, or HF_ENOMEM. Afterwards both
 * are empty. */
HF_NODISCARD int hf_sessions_replace(struct hf_sessions *sessions,
                                     struct hf_sessions *touched,
                                     struct hf_sessions *after,
                                     struct hf_version version);

/* Moves the deadline of the session @key, which has one, to @deadline; copies
 * were told one that is @slack_ms later. */
void hf_sessions_touch(struct hf_sessions *sessions, struct hf_slice key,
                       uint32_t hash, hf_time deadline, uint16_t slack_ms);

/* Visits sessions and fences in hash order from @position on, at least until
 * @count were visited or the end is reached; sessions of equal hash are visited
 * together. Returns where to go on, HF_SESSIONS_END when done. @visit must not
 * change the table. */
uint64_t hf_sessions_scan(
    const struct hf_sessions *sessions, uint64_t position, uint32_t count,
    void (*visit)(void *user, const struct hf_session *session), void *user);

#endif
