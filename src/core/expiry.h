/* expiry.h - Which sessions are due, at no cost for a touch.
 *
 * A table knows for each group of 16 slots a time before which nobody in it is
 * due (core/table.h), and this knows the earliest of these times of each
 * table. So there are two steps on the way to whoever is due, and nothing to
 * keep up to date when a deadline gets later: the group is looked at when the
 * old one comes, and finds out. That is the lazy half of a timing wheel
 * (Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP 1987)
 * without its lists: half a byte for each slot instead of two links in each
 * session.
 *
 * Readers never rely on it: they compare the deadline. The order in which
 * sessions come up is that of partitions and slots, so nodes that did the same
 * do the same. */
#ifndef HF_CORE_EXPIRY_H
#define HF_CORE_EXPIRY_H

#include "base/mem.h"
#include "base/types.h"

struct hf_session;
struct hf_sessions;
struct hf_expiry_table;

struct hf_expiry {
    struct hf_mem *mem;
    struct hf_expiry_table *tables; /* For each partition. */
    uint16_t cursor;                /* The partition to look at next. */
};

/* Returns 0 or HF_ENOMEM (nothing to close then). */
HF_NODISCARD int hf_expiry_init(struct hf_expiry *expiry, struct hf_mem *mem);
void hf_expiry_close(struct hf_expiry *expiry);

/* Somebody in @sessions has @deadline; HF_NEVER says nothing. Its table knows
 * already. @sessions stays where it is as long as anybody may be due. */
void hf_expiry_expect(struct hf_expiry *expiry, struct hf_sessions *sessions,
                      hf_time deadline);

/* @session, of @sessions, is due. */
typedef void hf_expiry_due(void *user, struct hf_sessions *sessions,
                           struct hf_session *session);

/* Calls @due for sessions and fences with deadline <= now. @due may delete the
 * one it is given, and change the table as it likes; who was not deleted comes
 * up again after a second, or earlier. Ends after about @visits_max calls and
 * looks into groups of slots, or earlier when who was due had many members.
 * Returns true when more are waiting right now. */
bool hf_expiry_run(struct hf_expiry *expiry, hf_time now, uint32_t visits_max,
                   hf_expiry_due *due, void *user);

#endif
