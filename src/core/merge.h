/* merge.h - How far partitions are handed over from one lineage to another. */
#ifndef HF_CORE_MERGE_H
#define HF_CORE_MERGE_H

#include "core/knowledge.h"

#define HF_MERGES_IN_MAX 4

/* How far another lineage has handed a partition over to us. Its nodes may
 * have held it in different views; each view has one of these. */
struct hf_merge_in {
    uint64_t lineage; /* 0: none. */
    hf_epoch epoch;   /* Of the view in which its nodes held it. */
    uint64_t position;
    hf_time heard;       /* When a piece of it came last. */
    bool pending;        /* Carried out, not committed: */
    uint64_t sequence;   /* its last record, */
    uint64_t to;         /* where it gets to, */
    hf_incarnation peer; /* and who waits to hear of it. */
};

/* How far we have handed a partition over, when MERGING or after. */
struct hf_merge_out {
    bool wanted;      /* We held a full copy: */
    uint64_t lineage; /* in this lineage, */
    hf_epoch held;    /* in this view. */
    hf_epoch forked;  /* Up to there both sides know the same. */
    bool deferred;    /* We have joined, and hand it over when we can. */
    bool asked;       /* How far others got with it is known, and this: */
    struct hf_knowledge *theirs; /* what they know; NULL: no memory. */
    uint64_t position;           /* HF_SESSIONS_END: all is there. */
    hf_time sent_at;             /* 0: nothing is on its way. */
    uint8_t target;              /* Member of the target it went to. */
};

#endif
