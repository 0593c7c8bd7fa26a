/* expiry.h - Which sessions are due, in O(1) per touch.
 *
 * A hashed timing wheel (Varghese and Lauck, "Hashed and hierarchical timing
 * wheels", SOSP 1987), one for the whole node. A session that is touched keeps
 * its place; when its place comes up too early it is filed again, so that
 * extending a deadline costs nothing. Readers never rely on the wheel: they
 * compare the deadline. */
#ifndef HF_CORE_EXPIRY_H
#define HF_CORE_EXPIRY_H

#include "base/list.h"
#include "base/mem.h"
#include "base/types.h"

struct hf_session;

struct hf_expiry {
    struct hf_mem *mem;
    struct hf_list *slots;
    hf_time cursor; /* All slots before this time have been looked at. */
};

/* Returns 0 or HF_ENOMEM (nothing to close then). */
HF_NODISCARD int hf_expiry_init(struct hf_expiry *expiry, struct hf_mem *mem,
                                hf_time now);
void hf_expiry_close(struct hf_expiry *expiry);

/* Files @session by its deadline, taking it from where it was; HF_NEVER only
 * takes it out. Needed when a deadline is new or earlier than before: one that
 * is later may be left alone. */
void hf_expiry_file(struct hf_expiry *expiry, struct hf_session *session);

/* Looks at up to @visits_max sessions whose place has come, calling @due for
 * those with deadline <= now. @due may delete the session it is given, and no
 * other; when it does not, the session is filed again for a second later.
 * Returns true when more are waiting right now. */
bool hf_expiry_run(struct hf_expiry *expiry, hf_time now, uint32_t visits_max,
                   void (*due)(void *user, struct hf_session *session),
                   void *user);

#endif
