/* deque.h - A list: byte strings in a row, longer or shorter at both ends.
 *
 * Pointers to the elements lie in a ring that doubles when it is full, so that
 * an element is found by its place at once; the elements lie in pages
 * (core/items.h). Where holes take more than what is left, all elements are
 * written anew. */
#ifndef HF_CORE_DEQUE_H
#define HF_CORE_DEQUE_H

#include "core/journal.h"

struct hf_deque {
    struct hf_mem *mem;
    struct hf_item **ring;
    uint32_t capacity; /* A power of two, or 0. */
    uint32_t first;
    uint32_t count;
    size_t content; /* Bytes of all elements. */
    struct hf_items items;
};

/* No elements yet. NULL without memory. */
HF_NODISCARD struct hf_deque *hf_deque_create(struct hf_mem *mem);
void hf_deque_destroy(struct hf_deque *deque);

/* All that it holds of its mem. */
size_t hf_deque_held(const struct hf_deque *deque);

/* Element @at from the left. */
struct hf_slice hf_deque_at(const struct hf_deque *deque, uint32_t at);

/* Changes. Each returns 0, HF_ENOMEM, or HF_EPROTO when it does not fit;
 * then nothing changed. With a @journal it can be undone, else it is done. */

/* One more, at the @left or at the right. */
HF_NODISCARD int hf_deque_push(struct hf_deque *deque, bool left,
                               struct hf_slice element,
                               struct hf_journal *journal);
/* @count less; there must be so many. */
HF_NODISCARD int hf_deque_pop(struct hf_deque *deque, bool left, uint32_t count,
                              struct hf_journal *journal);
/* Another element in place of the one @at. */
HF_NODISCARD int hf_deque_replace(struct hf_deque *deque, uint32_t at,
                                  struct hf_slice element,
                                  struct hf_journal *journal);
/* Takes out the first @count that are equal to @element, from the @left or from
 * the right. There must be so many. */
HF_NODISCARD int hf_deque_remove(struct hf_deque *deque, bool left,
                                 uint32_t count, struct hf_slice element,
                                 struct hf_journal *journal);

/* Either ends what was noted in @journal. */
void hf_deque_commit(struct hf_deque *deque, const struct hf_journal *journal);
void hf_deque_undo(struct hf_deque *deque, const struct hf_journal *journal);

#endif
