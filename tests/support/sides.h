/* sides.h - The oracle where several sides of a cut go on (core/lineage.h).
 *
 * Then no single honest server could have given all answers. What still holds
 * is judged key by key, from when and in which lineage each operation began and
 * ended. An operation covers an earlier one if it must have seen what that did:
 * it began after the other was answered, and
 *   - in a view that follows from the one where that was answered, or
 *   - the whole cluster was settled, as one, in between.
 * A read may show what was written by anybody, of whatever outcome, unless a
 * change that was acknowledged covers the writer, and is itself covered by the
 * read. Nil counts as written by each deletion, and by nobody at first. The
 * reads at the end cover all that was acknowledged. So what only one side
 * changed must be there, what was deleted must be gone, and where both changed
 * something one of them must have won.
 *
 * A deletion that found a value in a fenced key is final, on whatever side. A
 * FLUSHALL is a deletion of every key that says of none whether it was there.
 *
 * Expiry may be early here, and increments may be done twice, by those who
 * never had an answer or where the view changed meanwhile: model.h judges both,
 * where there is one side. When a session that is kept alive may end,
 * tests/sim/keepers.h knows here as well.
 */
#ifndef HF_TESTS_SIDES_H
#define HF_TESTS_SIDES_H

#include "core/lineage.h"
#include "support/model.h"

struct cluster;

/* Where an operation began or ended. */
struct sides_place {
    bool known; /* The node was in a view and took part in it. */
    hf_epoch epoch;
    hf_epoch base;
    uint8_t count;
    struct hf_lineage lineages[HF_LINEAGES_MAX];
    int64_t settled_us; /* When all was one for the last time before; or -1. */
};

struct sides_operation {
    struct model_operation operation;
    struct sides_place begin;
    struct sides_place end;
    bool found; /* A deletion that was told that there was something. */
    bool fades; /* What it writes may expire. */
    bool last;  /* A read after everything. */
};

struct sides {
    struct sides_operation *operations;
    size_t count;
    size_t capacity;
    int64_t settled_us;
};

void sides_init(struct sides *sides);
void sides_close(struct sides *sides);

/* Notes that the cluster is settled now, if it is and no node is paused. */
void sides_watch(struct sides *sides, struct cluster *c);

/* Where @node is now. @ends: as the end of an operation, for which the newest
 * view of its lineage counts, whoever is in it. */
void sides_place(const struct sides *sides, const struct cluster *c,
                 unsigned node, bool ends, struct sides_place *place);

void sides_add(struct sides *sides, const struct sides_operation *operation);

/* Whether @later must have seen what @o did: see above. */
bool sides_covers(const struct sides_operation *later,
                  const struct sides_operation *o);
/* Whether it happened in one chain of views, between where it began and where
 * it ended. */
bool sides_is_placed(const struct sides_operation *o);

/* Judges all keys; stops at the first that fails. */
void sides_check(const struct sides *sides, struct model_verdict *verdict);

#endif
