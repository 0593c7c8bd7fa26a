/* explain.h - Why a history of one key is impossible, in counts.
 *
 * The model says that no single server could have answered so, and where that
 * shows first. This sorts what was seen into kinds, by simple rules, for a
 * table. It is only asked about keys that the model has condemned.
 *
 * A change is an acknowledged SET, DEL or INCR, a SET of unknown outcome that a
 * read has shown (it counts as acknowledged at the end of that read), or the
 * expiry of a value. A read is unexplained when a change C had ended before it
 * began, and what it shows is from before C: C was covered by no other write,
 * deletion or expiry, known or of unknown outcome, that overlaps or follows C
 * and began before the read ended.
 *
 * lost         Changes that are missing in an unexplained read, and were never
 *              seen again. Of several that followed each other on one key, all
 *              missing, only the last counts for strings. Of a counter, every
 *              increment that is missing counts.
 * resurrected  Those of them that are deletions: the session came back.
 * stale        Unexplained reads before the change was seen after all: the
 *              node that answered was behind, the change was not lost.
 * early        Unexplained reads of nothing, of a value that was to expire,
 *              before its time. Also counted as lost.
 * late         Reads of a value that should have expired long before.
 * other        Keys that fit none of these. The model's report is all there
 *              is. */
#ifndef HF_TESTS_EXPLAIN_H
#define HF_TESTS_EXPLAIN_H

#include "support/model.h"

struct explained {
    unsigned long lost;
    unsigned long resurrected;
    unsigned long stale;
    unsigned long early;
    unsigned long late;
    unsigned long other;
};

/* Adds to @sum what is wrong with @count operations, all on one key and in the
 * order of their begins, that model_check found impossible. */
void explain(const struct model_operation *operations, size_t count,
             struct explained *sum);

#endif
