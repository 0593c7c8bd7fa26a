/* ranking.h - The members of a sorted set in their order: by score, then by
 * their bytes.
 *
 * A B+ tree that counts. All items are in leaves, which are linked; above them
 * each node knows of each child how many items are below it, and which is the
 * first. So an item is found, or a rank, in O(log n), and the next one in O(1).
 *
 * Nodes split when they are full, on the way down. Neighbours are joined when
 * both together fill less than half a node; so taking out never needs memory.
 *
 * An item (core/items.h) is a score and the bytes of a member; it belongs to
 * whoever made it. What counts here is the score it was added with. */
#ifndef HF_CORE_RANKING_H
#define HF_CORE_RANKING_H

#include "core/items.h"

#define HF_SCORE_BYTES sizeof(double)

struct hf_ranking_node;

struct hf_ranking {
    struct hf_mem *mem;
    struct hf_ranking_node *root; /* NULL: no items. */
    size_t held;                  /* Bytes of all nodes. */
    uint32_t count;
};

/* A place between items: those before it are, in this order, lower. */
struct hf_bound {
    bool by_score;  /* Only scores are compared. */
    bool by_member; /* Only members, as if all had the same score. */
    bool after;     /* An equal one is before it, too. */
    double score;
    struct hf_slice member;
};

/* Where one item is. Valid until the next change. */
struct hf_ranking_place {
    const struct hf_ranking_node *leaf; /* NULL: past the end. */
    uint32_t at;
};

/* The bytes of @item behind its score. */
struct hf_slice hf_ranking_member(const struct hf_item *item);

void hf_ranking_init(struct hf_ranking *ranking, struct hf_mem *mem);
/* Frees all nodes, and leaves the items. */
void hf_ranking_close(struct hf_ranking *ranking);

/* Adds @item, which has @score. When there is one of equal score and bytes,
 * @item takes its place, and *@twin is the one that was there; else it is NULL.
 * Returns 0 or HF_ENOMEM; then nothing changed. */
HF_NODISCARD int hf_ranking_add(struct hf_ranking *ranking, double score,
                                struct hf_item *item, struct hf_item **twin);
/* Takes @item out, if it is there with this score. */
void hf_ranking_remove(struct hf_ranking *ranking, double score,
                       const struct hf_item *item);
/* Puts @item in the place of @old, which has the same score and bytes. */
void hf_ranking_replace(struct hf_ranking *ranking, double score,
                        const struct hf_item *old, struct hf_item *item);

/* How many items are before @bound. */
uint32_t hf_ranking_rank(const struct hf_ranking *ranking,
                         const struct hf_bound *bound);

/* The item with @rank others before it. */
struct hf_ranking_place hf_ranking_at(const struct hf_ranking *ranking,
                                      uint32_t rank);
/* NULL past the end. */
struct hf_item *hf_ranking_item(struct hf_ranking_place place, double *score);
void hf_ranking_next(struct hf_ranking_place *place);
void hf_ranking_previous(struct hf_ranking_place *place);

#endif
