#include "core/lineage.h"

#include <string.h>

#include "base/assert.h"
#include "base/mutation.h"

/* Two clusters: the one that was founded first goes on, for it is where the
 * sessions are. */
static bool was_founded_later(const struct hf_view *ours,
                              const struct hf_view *theirs)
{
    if (ours->founded_ms != theirs->founded_ms) {
        return ours->founded_ms > theirs->founded_ms;
    }
    return ours->cluster > theirs->cluster;
}

static int find(const struct hf_view *view, uint64_t id)
{
    for (int i = (int)view->lineage_count - 1; i >= 0; i--) {
        if (view->lineages[i].id == id) {
            return i;
        }
    }
    return -1;
}

/* What came after the last lineage that both have in common; NULL: nothing. */
static void part(const struct hf_view *ours, const struct hf_view *theirs,
                 const struct hf_lineage **our_next,
                 const struct hf_lineage **their_next)
{
    int mine = (int)ours->lineage_count - 1;
    int other = -1;
    while (mine >= 0 && (other = find(theirs, ours->lineages[mine].id)) < 0) {
        mine--;
    }
    *our_next =
        mine + 1 < (int)ours->lineage_count ? &ours->lineages[mine + 1] : NULL;
    *their_next = other + 1 < (int)theirs->lineage_count
                      ? &theirs->lineages[other + 1]
                      : NULL;
}

/* A view that was decided earlier has an earlier base, under whatever epoch it
 * was agreed on again. */
static enum hf_relation compare_epochs(const struct hf_view *ours,
                                       const struct hf_view *theirs)
{
    if (ours->epoch == theirs->epoch) {
        return HF_RELATION_SAME;
    }
    bool earlier = theirs->base < ours->base && !HF_MUTATED(LED_BACK);
    return ours->epoch < theirs->epoch && !earlier ? HF_RELATION_BEHIND
                                                   : HF_RELATION_AHEAD;
}

/* Whether @view came after what the lineage @next was forked from: it has a
 * later base then, though its epoch may be earlier. */
static bool is_later(const struct hf_view *view, const struct hf_lineage *next)
{
    return view->base > next->base && !HF_MUTATED(DRAWN_INTO_FORK);
}

/* Whether @view is what the lineage @next of @theirs was forked from, or came
 * before, though perhaps agreed on again since: then it has an earlier base,
 * but a later epoch. Nobody goes back in epochs. */
static bool leads_to(const struct hf_view *view, const struct hf_view *theirs,
                     const struct hf_lineage *next)
{
    bool earlier = view->base < next->base && view->epoch < theirs->epoch;
    return earlier || (view->epoch <= next->forked && !is_later(view, next));
}

/* Whether the lineage @next of ours came after @view, whatever the epochs. When
 * @view was agreed on again under one above ours, those in it cannot follow us
 * before ours is later. We do not give way: some of us agreed to what came
 * after @view, so they never could (visits.h), and when those in it are too few
 * to go on both would wait for ever. */
static bool came_after(const struct hf_view *view,
                       const struct hf_lineage *next)
{
    return view->base < next->base && !HF_MUTATED(GIVES_WAY_TO_EARLIER);
}

/* Up to where two know the same who were in one lineage, one at @a with that
 * base, the other at @b. */
static hf_epoch common_of(hf_epoch a, hf_epoch a_base, hf_epoch b,
                          hf_epoch b_base)
{
    hf_epoch earlier = a < b ? a : b;
    hf_epoch base = a < b ? a_base : b_base;
    hf_epoch other = a < b ? b_base : a_base;
    return base > other ? other : earlier;
}

enum hf_relation hf_lineage_compare(const struct hf_view *ours,
                                    const struct hf_view *decided,
                                    const struct hf_view *theirs,
                                    hf_epoch *forked)
{
    const struct hf_lineage *our_next;
    const struct hf_lineage *their_next;
    *forked = 0;
    if (ours->cluster != theirs->cluster) {
        return was_founded_later(ours, theirs) ? HF_RELATION_LOSES
                                               : HF_RELATION_WINS;
    }
    part(ours, theirs, &our_next, &their_next);
    if (our_next == NULL && their_next == NULL) {
        return compare_epochs(ours, theirs);
    }
    if (our_next == NULL) {
        *forked = common_of(decided->epoch, decided->base, their_next->forked,
                            their_next->base);
        /* What we accepted may be what it was forked from once more. */
        return leads_to(ours, theirs, their_next) &&
                       !is_later(decided, their_next)
                   ? HF_RELATION_BEHIND
                   : HF_RELATION_WINS;
    }
    if (their_next == NULL) {
        *forked = common_of(theirs->epoch, theirs->base, our_next->forked,
                            our_next->base);
        return came_after(theirs, our_next) || leads_to(theirs, ours, our_next)
                   ? HF_RELATION_AHEAD
                   : HF_RELATION_LOSES;
    }
    *forked = common_of(our_next->forked, our_next->base, their_next->forked,
                        their_next->base);
    return our_next->id > their_next->id ? HF_RELATION_LOSES : HF_RELATION_WINS;
}

uint64_t hf_lineage_of(const struct hf_view *view)
{
    return view->lineage_count == 0
               ? 0
               : view->lineages[view->lineage_count - 1].id;
}

bool hf_lineage_includes(const struct hf_view *view, uint64_t id,
                         hf_epoch epoch)
{
    int place = find(view, id);
    if (place < 0) {
        return id == hf_lineage_of(view) && epoch <= view->epoch;
    }
    hf_epoch last = place + 1 < (int)view->lineage_count
                        ? view->lineages[place + 1].forked
                        : view->epoch;
    return epoch <= last;
}

void hf_lineage_fork(struct hf_view *view, uint64_t id, hf_epoch forked,
                     hf_epoch base)
{
    if (view->lineage_count == HF_LINEAGES_MAX) {
        memmove(view->lineages, view->lineages + 1,
                (HF_LINEAGES_MAX - 1) * sizeof(view->lineages[0]));
        view->lineage_count--;
    }
    HF_ASSERT(view->lineage_count < HF_LINEAGES_MAX);
    view->lineages[view->lineage_count++] =
        (struct hf_lineage){.id = id, .forked = forked, .base = base};
}
