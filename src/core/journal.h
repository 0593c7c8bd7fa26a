/* journal.h - What was done to a structure so far, to take it back.
 *
 * A sequence of effects is applied all or nothing. Where one of several fails,
 * for want of memory or because it does not fit, those before it are undone in
 * reverse. So that undoing needs no memory, nothing is freed before all are
 * done: an item that was taken out stays where it is until then.
 *
 * Of a single effect there is nothing to take back, so it needs no journal. */
#ifndef HF_CORE_JOURNAL_H
#define HF_CORE_JOURNAL_H

#include "core/items.h"

#define HF_JOURNAL_OWN 8 /* Steps that need no allocation. */

enum hf_step_kind {
    HF_STEP_ADDED,   /* item: at the end. */
    HF_STEP_REMOVED, /* item: was number `at`, in a sorted set with `score`. */
    HF_STEP_SCORED,  /* item: had `score`; at: whether the new one was noted. */
    HF_STEP_REPLACED, /* item: was number `at`, where another is now. */
    HF_STEP_PUSHED,   /* item: at the left if `at` is 0, else at the right. */
};

struct hf_step {
    enum hf_step_kind kind;
    uint32_t at;
    double score;
    struct hf_item *item;
    struct hf_item *twin; /* ADDED: dropped before, and still in its place. */
};

struct hf_journal {
    struct hf_mem *mem;
    struct hf_step *steps;
    size_t count;
    size_t capacity;
    struct hf_step own[HF_JOURNAL_OWN];
};

void hf_journal_init(struct hf_journal *journal, struct hf_mem *mem);
void hf_journal_close(struct hf_journal *journal);

/* Makes room for @count more steps. False without memory. */
HF_NODISCARD bool hf_journal_reserve(struct hf_journal *journal, size_t count);
/* There must be room. */
void hf_journal_note(struct hf_journal *journal, const struct hf_step *step);

#endif
