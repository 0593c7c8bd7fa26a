/* lineage.h - Which of two views follows from the other, or how they parted.
 *
 * The views of a cluster form a chain, one decided in the one before. A side
 * of a cut that goes on without being a safe set begins a new lineage: it
 * forks. Every view lists the lineages it came through, each with the epoch of
 * the view it was forked from. Of two views that is all that is needed:
 *
 *   root                          one lineage: the higher epoch is newer, but
 *                                 for a view that was agreed on again (below)
 *   root, x@5  and  root at 4     the second never went on: it follows
 *   root, x@5  and  root at 6     diverged at 5; the root goes on
 *   root, x@5  and  root, y@3     diverged at 3; the smaller number goes on
 *
 * Who goes on is decided by what can never change, so all nodes that compare
 * the same two lineages find the same: a lineage that was forked from gives
 * way to none of its forks, and of two forks the one with the smaller number
 * goes on. Of two clusters of one name it is the one that was founded first.
 *
 * A view may be agreed on again (core/agreement.c), and then have a later epoch
 * than what came after it. Its base tells: that is earlier. Then each of the
 * two is ahead of the other, and nobody goes back, neither in what was decided
 * nor in epochs. So with each lineage goes the base of what it was forked from,
 * as well: a view of a later base followed that one, and is not of the fork,
 * even if its epoch is earlier; one of an earlier base came before, even if its
 * epoch is later. */
#ifndef HF_CORE_LINEAGE_H
#define HF_CORE_LINEAGE_H

#include "core/view.h"

enum hf_relation {
    HF_RELATION_SAME,   /* One and the same view. */
    HF_RELATION_BEHIND, /* Theirs came later than ours: follow it. */
    HF_RELATION_AHEAD,  /* Ours came later than theirs. */
    HF_RELATION_WINS,   /* Diverged, and ours goes on. */
    HF_RELATION_LOSES,  /* Diverged, and theirs goes on. */
};

/* How @ours stands to @theirs. @decided is the last view that we are, or for
 * all we know may be, in: ours, or one that we accepted.
 * When they diverged, *@forked is the epoch up to which both know the same; 0
 * when they have nothing in common. */
enum hf_relation hf_lineage_compare(const struct hf_view *ours,
                                    const struct hf_view *decided,
                                    const struct hf_view *theirs,
                                    hf_epoch *forked);

/* The number of the lineage that @view is in; 0 when it has none. */
uint64_t hf_lineage_of(const struct hf_view *view);

/* Whether somebody who is in lineage @id at @epoch is in @view or in one that
 * it came from, as far as numbers tell: where views were agreed on again he may
 * as well be in one that came later. So he is only told of ours, and if he is
 * further on he says so. */
bool hf_lineage_includes(const struct hf_view *view, uint64_t id,
                         hf_epoch epoch);

/* Makes @view one of the new lineage @id, forked from the view @forked of that
 * @base. When the list is full the oldest is forgotten. */
void hf_lineage_fork(struct hf_view *view, uint64_t id, hf_epoch forked,
                     hf_epoch base);

#endif
