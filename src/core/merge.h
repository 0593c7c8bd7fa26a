/* merge.h - Handing partitions over from one lineage to another: how far it
 * got, and what merge.c and merge_take.c do for the other files of a node. */
#ifndef HF_CORE_MERGE_H
#define HF_CORE_MERGE_H

#include "core/knowledge.h"
#include "core/view.h"

struct hf_merge;
struct hf_merged;
struct hf_node;
struct hf_partition;
struct hf_peer;

#define HF_MERGES_IN_MAX 4

/* A lineage that we waited for in vain, up to a view of it. */
struct hf_merge_vain {
    uint64_t lineage;
    hf_epoch epoch;
};

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

/* The last full copy that we had, and gave up. */
struct hf_merge_given {
    uint64_t lineage;       /* Which has it instead. */
    struct hf_version last; /* Its last record; epoch 0: it never had any. */
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

/* merge.c: our lineage gives way to another. */
void hf_node_merge_begin(struct hf_node *node, const struct hf_view *view,
                         hf_epoch forked);
/* A view, while MERGING. */
void hf_node_merge_view_heard(struct hf_node *node, const struct hf_view *view);
/* Whether we waited in vain for somebody in this view, and still hear nobody.
 * Others may go on telling of it, each because of the others. */
bool hf_node_merge_is_vain(const struct hf_node *node,
                           const struct hf_view *view);
/* An answer to what we handed over. */
void hf_node_merged(struct hf_node *node, const struct hf_merged *merged);
void hf_node_merge_tick(struct hf_node *node);
/* The next view is @view. If it is of another lineage, what we have of
 * partitions is not that one's own since they parted. */
void hf_node_merge_adopt(struct hf_node *node, const struct hf_view *view);
/* A view was entered: what is deferred goes to whom it names. */
void hf_node_merge_entered(struct hf_node *node);
/* What we have of a partition is dropped: notes who has it from now on. */
void hf_node_merge_given(struct hf_node *node, uint16_t partition);
/* Forgets what is to be handed over of a partition. */
void hf_node_merge_drop(struct hf_node *node, uint16_t partition);
/* How many partitions were handed over, of how many. */
uint32_t hf_node_merge_progress(const struct hf_node *node, uint32_t *all);

/* merge_take.c: another lineage gives way to ours. */
void hf_node_merge(struct hf_node *node, const struct hf_peer *from,
                   const struct hf_merge *merge);
/* Records of @partition were committed: answer what waited for that. */
void hf_node_merge_committed(struct hf_node *node, uint16_t partition);
/* We are primary of what we gave up before: it is not served until the lineage
 * that got it brings it, or nobody is left who could. */
void hf_node_merge_awaited(struct hf_node *node, uint16_t partition);
/* Not any more. */
void hf_node_merge_arrived(struct hf_node *node, uint16_t partition);
/* Those that nobody brings are lost. */
void hf_node_merge_await_tick(struct hf_node *node);
/* All of those, with the next tick: an operator said so, outside of a step. */
void hf_node_merge_give_up(struct hf_node *node);
/* The epoch ends: what is not committed may be for nothing. */
void hf_node_merge_forget(struct hf_partition *partition);
/* Whether somebody needs a view that is later than its own to merge into. */
bool hf_node_merge_wants_view(const struct hf_node *node);

#endif
