/* members.h - A set of byte strings, or a sorted set: each with a score.
 *
 * Members are numbered from 0 without gaps, in the order in which they were
 * added; when one is taken out the last gets its number. So the same changes
 * give the same order everywhere, members added in that order to an empty set
 * give it again, and a random one is found by its number.
 *
 *   numbers: 0 1 2 3 ..  --> items (core/items.h) <-- ranking, if sorted
 *   index: hash --> number, when there are many
 *
 * Finding, adding and taking out costs the same however many there are, but
 * for the ranking (core/ranking.h), which costs O(log n), and for the arrays,
 * which double. */
#ifndef HF_CORE_MEMBERS_H
#define HF_CORE_MEMBERS_H

#include "core/journal.h"
#include "core/ranking.h"

struct hf_members_slot {
    uint32_t hash;
    uint32_t number; /* + 1; 0 is free. */
};

struct hf_members {
    struct hf_mem *mem;
    bool scored;
    uint32_t count;
    uint32_t capacity;
    uint32_t index_capacity; /* 0: they are looked through. */
    size_t content;          /* Bytes of all members. */
    struct hf_item **numbers;
    struct hf_members_slot *index;
    struct hf_items items;
    struct hf_ranking ranking; /* Empty unless `scored`. */
};

/* No members yet. NULL without memory. */
HF_NODISCARD struct hf_members *hf_members_create(struct hf_mem *mem,
                                                  bool scored);
void hf_members_destroy(struct hf_members *members);

/* All that it holds of its mem. */
size_t hf_members_held(const struct hf_members *members);

/* Its number, or false. */
bool hf_members_find(const struct hf_members *members, struct hf_slice member,
                     uint32_t *number);
struct hf_slice hf_members_at(const struct hf_members *members,
                              uint32_t number);
/* Of a sorted set. */
double hf_members_score(const struct hf_members *members, uint32_t number);
/* How many are before it. */
uint32_t hf_members_rank(const struct hf_members *members, uint32_t number);

/* Adds @member, or, in a sorted set, gives it @score. 0, or HF_ENOMEM: nothing
 * changed. With a @journal it can be undone, else it is done. */
HF_NODISCARD int hf_members_add(struct hf_members *members,
                                struct hf_slice member, double score,
                                struct hf_journal *journal);
/* 0, HF_ENOMEM, or HF_EPROTO when there is none such: nothing changed. */
HF_NODISCARD int hf_members_remove(struct hf_members *members,
                                   struct hf_slice member,
                                   struct hf_journal *journal);

/* Either ends what was noted in @journal; between the first note and that
 * nothing but the two above may change @members. */
void hf_members_commit(struct hf_members *members,
                       const struct hf_journal *journal);
void hf_members_undo(struct hf_members *members,
                     const struct hf_journal *journal);

#endif
