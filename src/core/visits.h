/* visits.h - Up to where a node has taken part in each lineage.
 *
 * Whoever agreed to what comes after a view forgets that when it goes on in
 * another lineage. So it does not come back to that view, nor to one before: it
 * would pass for somebody who has no vote there, or have a second one. Whoever
 * gave way to a view has no vote there any more, and does not enter it. What
 * counts are bases, for the epochs of a view may be several (lineage.h). */
#ifndef HF_CORE_VISITS_H
#define HF_CORE_VISITS_H

#include "core/lineage.h"

#define HF_VISITS_MAX 256

struct hf_visits {
    struct hf_visit {
        uint64_t lineage;
        hf_epoch from;     /* Views of it with an earlier base are past. */
        hf_epoch given_up; /* We enter none with an earlier one than that. */
    } of[HF_VISITS_MAX];
    uint16_t count;
    hf_epoch forgotten; /* The same for lineages that are not listed. */
};

/* Notes that we are in @view: those before it are past. Of more lineages than
 * there is room for, the one that was left earliest is forgotten. */
void hf_visits_enter(struct hf_visits *visits, const struct hf_view *view);

/* Notes that we agreed to what comes after @view: it is past, too. */
void hf_visits_vote(struct hf_visits *visits, const struct hf_view *view);

/* Notes that whoever is in @view may go on as if we, @self, had no vote there,
 * if we have one: we give way to it. We do not enter it, then. */
void hf_visits_give_up(struct hf_visits *visits, const struct hf_view *view,
                       const struct hf_peer_info *self);

/* Whether we have given up our vote in @view, or in a later one of its lineage.
 * In a lineage that may have been forgotten that is taken for granted, too. */
bool hf_visits_given_up(const struct hf_visits *visits,
                        const struct hf_view *view);

/* Views of the lineage of @view with an earlier base than this are past. In one
 * that may have been forgotten those that are as early as what was forgotten
 * are taken for past. */
hf_epoch hf_visits_past(const struct hf_visits *visits,
                        const struct hf_view *view);

/* Whether @view is past. */
bool hf_visits_passed(const struct hf_visits *visits,
                      const struct hf_view *view);

#endif
