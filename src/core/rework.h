/* rework.h - Effects on the members or elements of one session.
 *
 * Sets, sorted sets and lists are changed where they are, by one effect after
 * the other, or made anew when something before left nothing of them. */
#ifndef HF_CORE_REWORK_H
#define HF_CORE_REWORK_H

#include "core/journal.h"
#include "core/session.h"
#include "core/structure.h"

/* Effects on members or elements, with those that may come along. */
struct hf_rework {
    enum hf_session_type type; /* 0: there are none. */
    struct hf_slice effects;   /* From the last that leaves nothing on. */
    bool anew;                 /* There is one that does. */
    bool fits;                 /* They can be of one session. */
    size_t count;              /* Of these effects. */
};

/* Looks through @effects, which it borrows. */
struct hf_rework hf_rework_read(struct hf_slice effects);

/* Carries them out on @structure one after the other; *@deadline becomes what
 * they say. Notes what it did in @journal, unless that is NULL. 0, HF_ENOMEM,
 * or HF_EPROTO when they do not fit what is there: some may be done then. */
HF_NODISCARD int hf_rework_apply(const struct hf_rework *rework,
                                 const struct hf_structure *structure,
                                 struct hf_journal *journal, hf_time now,
                                 hf_time *deadline);

#endif
