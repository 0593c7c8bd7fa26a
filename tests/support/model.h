/* model.h - The dumb oracle: could one honest server have answered all that?
 *
 * Takes the operations of all clients on registers and counters, each with the
 * time it began and the time its answer came, and decides for every key
 * whether they are linearizable: whether each operation can be given one
 * moment between its begin and its end so that, done one by one in that order
 * on a single copy, all give the answers that were seen. A lost write, a stale
 * read, a dirty read that vanished, a deleted session that came back, an
 * increment done twice: none can.
 *
 * The algorithm is the just-in-time search (Lowe, "Testing for
 * linearizability", 2017): go through begins and ends in order of time, keeping
 * every possible pair of (which open operations took effect already, value).
 * When an operation ends, it must have taken effect: pairs where it has not are
 * extended by all orders of open operations that end with it. No pair left
 * means no order exists. The search is exact: it finds a fault if and only if
 * there is one.
 *
 * Operations whose outcome nobody knows (the connection was lost, the cluster
 * said it was down) may take effect at any time after their begin, or never:
 *   - A write whose value nobody read is left out. An order with it stays an
 *     order without it, because only reads look at what was written.
 *   - A write whose value was read took effect before the first such read
 *     ended; that is its end. Written values are unique, so it is the one.
 *   - Deletions and increments are all alike, so they are a number of moves
 *     that may be made at most once each.
 *   - A read without an answer says nothing and is left out.
 *
 * A key may be fenced: once it is deleted while it has a value, writes to it
 * are refused for ever, and must be. There a write of unknown outcome that
 * nobody read still matters, because of what a deletion after it leaves: from
 * its begin on, the key may have a value that nobody reads.
 *
 * FLUSHALL is a deletion of every key that leaves fences as they are and makes
 * none. When its outcome is unknown, it is a move like others, counted apart.
 *
 * A value that expires is a write and, at its time, an operation of its own,
 * which begins when it may expire first and ends when it must be gone.
 *
 * A key is used for writes and deletions, or for counting, never for both.
 * Times that are equal count as overlapping, which can only hide a fault. */
#ifndef HF_TESTS_MODEL_H
#define HF_TESTS_MODEL_H

#include "base/types.h"

#define MODEL_NIL INT64_MIN     /* No such session. */
#define MODEL_UNKNOWN INT64_MAX /* As an end: nobody knows. */
#define MODEL_OVERLAP_MAX 64    /* Operations on one key at one time. */

enum model_kind {
    MODEL_READ,    /* value: what was read, or MODEL_NIL. */
    MODEL_WRITE,   /* value: what was written; unique for its key. */
    MODEL_DELETE,  /* value unused. What DEL answers is not looked at. */
    MODEL_ADD,     /* One more; value: the result. Nil counts as 0. */
    MODEL_REFUSED, /* A write that was told that the key is fenced. */
    MODEL_EXPIRE,  /* Deletes value, a written one, if it is still there. */
    MODEL_TAKE,    /* Deletes value, a written one, which must be there. */
};

struct model_operation {
    uint32_t key;
    enum model_kind kind;
    int64_t value;
    int64_t started;
    int64_t ended; /* MODEL_UNKNOWN; not of EXPIRE or TAKE. */
    bool fenced;   /* Its key is. */
    bool flush;    /* A deletion that leaves fences and makes none. */
    unsigned node; /* Who was asked; only for the report. */
};

struct model {
    struct model_operation *operations;
    size_t count;
    size_t capacity;
};

struct model_verdict {
    bool linearizable;
    uint32_t key;    /* If not: where, */
    char text[1200]; /* and the operations around the first impossible one. */
};

void model_init(struct model *model);
void model_close(struct model *model);

/* Adds an operation. In any order. */
void model_add(struct model *model, const struct model_operation *operation);

/* Judges all keys; stops at the first that fails. */
void model_check(const struct model *model, struct model_verdict *verdict);

#endif
