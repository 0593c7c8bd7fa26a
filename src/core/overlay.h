/* overlay.h - What sessions of a partition will be, beside what they are.
 *
 * A unit changes several sessions or none. So each that it changes is made anew
 * in a table of the unit's own, in any number of steps, and in the end all of
 * them move to the table of the partition at once, which only makes room there
 * and so fails before anything has changed:
 *
 *   under     a  b  c  d        what everybody else sees
 *   touched      *     *        whom the unit changed
 *   after        b'             what these are then: d is gone */
#ifndef HF_CORE_OVERLAY_H
#define HF_CORE_OVERLAY_H

#include "core/sessions.h"

struct hf_overlay {
    struct hf_sessions *under;
    struct hf_sessions touched; /* An empty string for each. */
    struct hf_sessions after;
};

/* Allocates nothing yet. @under must outlive it, and not change. */
void hf_overlay_init(struct hf_overlay *overlay, struct hf_sessions *under);
/* Forgets all that was not committed. */
void hf_overlay_close(struct hf_overlay *overlay);

/* What there is under @key by now: a session, a fence, or NULL. */
const struct hf_session *hf_overlay_find(const struct hf_overlay *overlay,
                                         struct hf_slice key, uint32_t hash);
bool hf_overlay_has_touched(const struct hf_overlay *overlay,
                            struct hf_slice key, uint32_t hash);

/* As hf_sessions_apply, for effects on one key of which there are some. */
HF_NODISCARD int hf_overlay_apply(struct hf_overlay *overlay,
                                  struct hf_slice key, uint32_t hash,
                                  struct hf_version version,
                                  struct hf_slice effects, hf_time now);

/* The same for the effects of a unit, on keys of the partition only. HF_ENOMEM
 * and HF_EPROTO leave it good for nothing but hf_overlay_close. */
HF_NODISCARD int hf_overlay_apply_unit(struct hf_overlay *overlay,
                                       struct hf_version version,
                                       struct hf_slice effects, hf_time now);

/* Makes what is under it what it is now, stamping with @version what changed.
 * 0, or HF_ENOMEM: nothing changed. Afterwards it has touched nothing. */
HF_NODISCARD int hf_overlay_commit(struct hf_overlay *overlay,
                                   struct hf_version version);

#endif
