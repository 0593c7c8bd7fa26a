/* draft.h - What a session will be, before anything is changed.
 *
 * hf_sessions_apply is all or nothing, so it first works out the outcome of a
 * sequence of effects here, borrowing from the session as it is and from the
 * effects, and only then makes the new session in one piece. Fields are found
 * by a hash index, so that a command with many fields stays linear. */
#ifndef HF_CORE_DRAFT_H
#define HF_CORE_DRAFT_H

#include "core/session.h"

struct hf_draft {
    struct hf_mem *mem;
    bool exists; /* False: there will be no session, and no fence. */
    enum hf_session_type type;
    hf_time deadline;
    bool value_changed;    /* False: at most the deadline is new. */
    struct hf_slice value; /* STRING: borrowed. */
    /* HASH, when effects touch fields: every field that was ever there. */
    struct hf_session_entry *entries;
    uint32_t *index; /* Number of the entry + 1, 0 is free. */
    uint32_t entry_count;
    uint32_t entry_first; /* Those before it were dropped all at once. */
    uint32_t entries_live;
    uint32_t entry_capacity;
    uint32_t index_capacity;
    size_t piece_size; /* Of the memory behind entries and index. */
};

/* Works out what @session (NULL: there is none) becomes by @effects. Borrows
 * from both until hf_draft_close. Returns 0, HF_ENOMEM, or HF_EPROTO when the
 * effects are malformed or do not fit; then there is nothing to close. CLEAR is
 * HF_EPROTO here: it is no change of one session. */
HF_NODISCARD int hf_draft_init(struct hf_draft *draft, struct hf_mem *mem,
                               const struct hf_session *session,
                               struct hf_slice effects, hf_time now);
void hf_draft_close(struct hf_draft *draft);

/* @now plus @ttl_ms without overflow; HF_NEVER for HF_TTL_NONE only. */
hf_time hf_draft_deadline(int64_t ttl_ms, hf_time now);

#endif
