#include "core/ranking.h"

#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"

#define NODE_ITEMS 32
#define LEAF_ITEMS_MIN 4 /* Of a leaf that is alone. */
#define HEIGHT_MAX 16    /* Neighbours share 16, so 2^32 items need less. */

struct entry {
    double score;
    struct hf_item *item; /* Above leaves: the first below. */
};

struct hf_ranking_node {
    uint16_t count;
    uint16_t capacity;
    bool leaf;
    struct hf_ranking_node *next; /* Of a leaf. */
    struct hf_ranking_node *previous;
    struct entry entries[]; /* Then, above leaves, a struct below each. */
};

struct below {
    struct hf_ranking_node *node;
    size_t count; /* Of items. */
};

/* The way to a leaf: entry at[i] of nodes[i]. */
struct path {
    struct hf_ranking_node *nodes[HEIGHT_MAX];
    uint32_t at[HEIGHT_MAX];
    unsigned depth; /* Of the leaf. */
};

/* ---- Nodes -------------------------------------------------------------- */

static struct below *below_of(const struct hf_ranking_node *node)
{
    HF_ASSERT(!node->leaf);
    return (struct below *)(uintptr_t)(node->entries + node->capacity);
}

static size_t node_size(bool leaf, size_t capacity)
{
    return sizeof(struct hf_ranking_node) +
           capacity *
               (sizeof(struct entry) + (leaf ? 0 : sizeof(struct below)));
}

static struct hf_ranking_node *node_create(struct hf_ranking *ranking,
                                           bool leaf, uint16_t capacity)
{
    size_t size = node_size(leaf, capacity);
    struct hf_ranking_node *node = hf_mem_alloc(ranking->mem, size);
    if (node != NULL) {
        *node = (struct hf_ranking_node){.capacity = capacity, .leaf = leaf};
        ranking->held += size;
    }
    return node;
}

static void node_free(struct hf_ranking *ranking, struct hf_ranking_node *node)
{
    size_t size = node_size(node->leaf, node->capacity);
    ranking->held -= size;
    hf_mem_free(ranking->mem, node, size);
}

/* Makes room for one entry at @at, or closes it. */
static void node_shift(struct hf_ranking_node *node, uint32_t at, bool open)
{
    size_t from = open ? at : at + 1;
    size_t to = open ? at + 1 : at;
    size_t moved = node->count - from;
    memmove(node->entries + to, node->entries + from,
            moved * sizeof(*node->entries));
    if (!node->leaf) {
        struct below *below = below_of(node);
        memmove(below + to, below + from, moved * sizeof(*below));
    }
    node->count = (uint16_t)(open ? node->count + 1 : node->count - 1);
}

/* Appends @count entries of @from, from @first on, to @to. */
static void node_append(struct hf_ranking_node *to,
                        const struct hf_ranking_node *from, uint32_t first,
                        uint32_t count)
{
    memcpy(to->entries + to->count, from->entries + first,
           count * sizeof(*to->entries));
    if (!to->leaf) {
        memcpy(below_of(to) + to->count, below_of(from) + first,
               count * sizeof(struct below));
    }
    to->count = (uint16_t)(to->count + count);
}

static size_t items_below(const struct hf_ranking_node *node)
{
    size_t count = node->leaf ? node->count : 0;
    for (uint32_t i = 0; !node->leaf && i < node->count; i++) {
        count += below_of(node)[i].count;
    }
    return count;
}

void hf_ranking_init(struct hf_ranking *ranking, struct hf_mem *mem)
{
    *ranking = (struct hf_ranking){.mem = mem};
}

/* Nodes of one level one after the other: no deeper than the tree is high. */
static void node_free_all(struct hf_ranking *ranking,
                          struct hf_ranking_node *node)
{
    struct hf_ranking_node *nodes[HEIGHT_MAX] = {node};
    unsigned depth = 0;
    for (;;) {
        struct hf_ranking_node *at = nodes[depth];
        if (!at->leaf && at->count > 0) {
            at->count--;
            nodes[++depth] = below_of(at)[at->count].node;
            continue;
        }
        node_free(ranking, at);
        if (depth == 0) {
            return;
        }
        depth--;
    }
}

void hf_ranking_close(struct hf_ranking *ranking)
{
    if (ranking->root != NULL) {
        node_free_all(ranking, ranking->root);
    }
    HF_ASSERT(ranking->held == 0);
    ranking->root = NULL;
    ranking->count = 0;
}

/* ---- Order -------------------------------------------------------------- */

struct hf_slice hf_ranking_member(const struct hf_item *item)
{
    return (struct hf_slice){item->bytes + HF_SCORE_BYTES,
                             item->size - HF_SCORE_BYTES};
}

static int compare_bytes(struct hf_slice a, struct hf_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) {
        return order;
    }
    return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

static int compare(const struct entry *entry, const struct hf_bound *bound)
{
    if (!bound->by_member && entry->score != bound->score) {
        return entry->score < bound->score ? -1 : 1;
    }
    return bound->by_score
               ? 0
               : compare_bytes(hf_ranking_member(entry->item), bound->member);
}

/* How many entries of @node are before @bound. */
static uint32_t entries_before(const struct hf_ranking_node *node,
                               const struct hf_bound *bound)
{
    uint32_t low = 0;
    uint32_t high = node->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = compare(&node->entries[middle], bound);
        if (order < 0 || (order == 0 && bound->after)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Which child of @node has the place of an item that equals @bound. */
static uint32_t child_for(const struct hf_ranking_node *node,
                          const struct hf_bound *bound)
{
    uint32_t before = entries_before(node, bound);
    if (before < node->count && compare(&node->entries[before], bound) == 0) {
        return before;
    }
    return before == 0 ? 0 : before - 1;
}

static struct hf_bound bound_of(double score, const struct hf_item *item)
{
    return (struct hf_bound){.score = score, .member = hf_ranking_member(item)};
}

/* ---- Adding ------------------------------------------------------------- */

/* The root gets a level above it, or, if it is a small leaf, more room. */
static int root_grow(struct hf_ranking *ranking)
{
    struct hf_ranking_node *old = ranking->root;
    bool small = old == NULL || old->capacity < NODE_ITEMS;
    size_t capacity = NODE_ITEMS;
    if (small) {
        capacity = old == NULL ? LEAF_ITEMS_MIN : 2 * (size_t)old->capacity;
    }
    struct hf_ranking_node *root =
        node_create(ranking, small, (uint16_t)capacity);
    if (root == NULL) {
        return HF_ENOMEM;
    }
    ranking->root = root;
    if (small && old != NULL) {
        node_append(root, old, 0, old->count);
        node_free(ranking, old);
    } else if (!small) {
        root->entries[0] = old->entries[0];
        below_of(root)[0] = (struct below){old, items_below(old)};
        root->count = 1;
    }
    return 0;
}

/* Halves the full child @at of @parent, which has room. */
static int child_split(struct hf_ranking *ranking,
                       struct hf_ranking_node *parent, uint32_t at)
{
    struct hf_ranking_node *left = below_of(parent)[at].node;
    struct hf_ranking_node *right =
        node_create(ranking, left->leaf, NODE_ITEMS);
    if (right == NULL) {
        return HF_ENOMEM;
    }
    uint32_t half = left->count / 2;
    node_append(right, left, half, left->count - half);
    left->count = (uint16_t)half;
    if (left->leaf) {
        right->next = left->next;
        right->previous = left;
        left->next = right;
        if (right->next != NULL) {
            right->next->previous = right;
        }
    }
    size_t moved = items_below(right);
    node_shift(parent, at + 1, true);
    parent->entries[at + 1] = right->entries[0];
    below_of(parent)[at + 1] = (struct below){right, moved};
    below_of(parent)[at].count -= moved;
    return 0;
}

/* Goes down to where an item that equals @bound belongs. With @split, all nodes
 * there have room for one more in the end. */
static int descend(struct hf_ranking *ranking, const struct hf_bound *bound,
                   bool split, struct path *path)
{
    struct hf_ranking_node *node = ranking->root;
    for (path->depth = 0;; path->depth++) {
        HF_ASSERT(path->depth < HEIGHT_MAX);
        path->nodes[path->depth] = node;
        if (node->leaf) {
            path->at[path->depth] = entries_before(node, bound);
            return 0;
        }
        uint32_t at = child_for(node, bound);
        if (split && below_of(node)[at].node->count == NODE_ITEMS) {
            if (child_split(ranking, node, at) != 0) {
                return HF_ENOMEM;
            }
            at = child_for(node, bound);
        }
        path->at[path->depth] = at;
        node = below_of(node)[at].node;
    }
}

/* What is above the leaf gets to know its first item, and @more of them. */
static void path_update(struct path *path, int more)
{
    for (unsigned i = path->depth; i-- > 0;) {
        struct hf_ranking_node *node = path->nodes[i];
        uint32_t at = path->at[i];
        struct below *below = &below_of(node)[at];
        below->count =
            more < 0 ? below->count - 1 : below->count + (size_t)more;
        if (below->node->count > 0) {
            node->entries[at] = below->node->entries[0];
        }
    }
}

int hf_ranking_add(struct hf_ranking *ranking, double score,
                   struct hf_item *item, struct hf_item **twin)
{
    *twin = NULL;
    struct hf_ranking_node *root = ranking->root;
    if ((root == NULL || root->count == root->capacity) &&
        root_grow(ranking) != 0) {
        return HF_ENOMEM;
    }
    struct hf_bound bound = bound_of(score, item);
    struct path path;
    if (descend(ranking, &bound, true, &path) != 0) {
        return HF_ENOMEM;
    }
    struct hf_ranking_node *leaf = path.nodes[path.depth];
    uint32_t at = path.at[path.depth];
    bool equal = at < leaf->count && compare(&leaf->entries[at], &bound) == 0;
    if (equal) {
        *twin = leaf->entries[at].item;
    } else {
        node_shift(leaf, at, true);
        ranking->count++;
    }
    leaf->entries[at] = (struct entry){score, item};
    path_update(&path, equal ? 0 : 1);
    return 0;
}

/* ---- Taking out --------------------------------------------------------- */

static void leaf_unlink(struct hf_ranking_node *leaf)
{
    if (leaf->previous != NULL) {
        leaf->previous->next = leaf->next;
    }
    if (leaf->next != NULL) {
        leaf->next->previous = leaf->previous;
    }
}

static void child_drop(struct hf_ranking *ranking,
                       struct hf_ranking_node *parent, uint32_t at)
{
    struct hf_ranking_node *child = below_of(parent)[at].node;
    if (child->leaf) {
        leaf_unlink(child);
    }
    node_free(ranking, child);
    node_shift(parent, at, false);
}

/* Joins child @at of @parent with the next one, if they fit well. */
static void children_join(struct hf_ranking *ranking,
                          struct hf_ranking_node *parent, uint32_t at)
{
    if (at + 1 >= parent->count) {
        return;
    }
    struct below *below = below_of(parent);
    struct hf_ranking_node *left = below[at].node;
    const struct hf_ranking_node *right = below[at + 1].node;
    if (left->count + right->count > NODE_ITEMS / 2) {
        return;
    }
    node_append(left, right, 0, right->count);
    below[at].count += below[at + 1].count;
    child_drop(ranking, parent, at + 1);
}

static void root_shrink(struct hf_ranking *ranking)
{
    struct hf_ranking_node *root = ranking->root;
    while (!root->leaf && root->count == 1) {
        ranking->root = below_of(root)[0].node;
        node_free(ranking, root);
        root = ranking->root;
    }
    if (ranking->count == 0) {
        node_free(ranking, root);
        ranking->root = NULL;
    }
}

/* Where @item is with @score; false when it is not. */
static bool item_find(struct hf_ranking *ranking, double score,
                      const struct hf_item *item, struct path *path)
{
    if (ranking->root == NULL) {
        return false;
    }
    struct hf_bound bound = bound_of(score, item);
    (void)descend(ranking, &bound, false, path);
    const struct hf_ranking_node *leaf = path->nodes[path->depth];
    uint32_t at = path->at[path->depth];
    return at < leaf->count && leaf->entries[at].item == item &&
           leaf->entries[at].score == score;
}

void hf_ranking_remove(struct hf_ranking *ranking, double score,
                       const struct hf_item *item)
{
    struct path path;
    if (!item_find(ranking, score, item, &path)) {
        return;
    }
    node_shift(path.nodes[path.depth], path.at[path.depth], false);
    ranking->count--;
    path_update(&path, -1);
    for (unsigned i = path.depth; i-- > 0;) {
        struct hf_ranking_node *parent = path.nodes[i];
        uint32_t at = path.at[i];
        if (below_of(parent)[at].node->count == 0) {
            child_drop(ranking, parent, at);
        } else {
            children_join(ranking, parent, at);
        }
        if (at > 0) {
            children_join(ranking, parent, at - 1);
        }
        if (i > 0 && parent->count > 0) {
            struct hf_ranking_node *above = path.nodes[i - 1];
            above->entries[path.at[i - 1]] = parent->entries[0];
        }
    }
    root_shrink(ranking);
}

void hf_ranking_replace(struct hf_ranking *ranking, double score,
                        const struct hf_item *old, struct hf_item *item)
{
    struct path path;
    if (item_find(ranking, score, old, &path)) {
        path.nodes[path.depth]->entries[path.at[path.depth]].item = item;
        path_update(&path, 0);
    }
}

/* ---- Looking up --------------------------------------------------------- */

uint32_t hf_ranking_rank(const struct hf_ranking *ranking,
                         const struct hf_bound *bound)
{
    const struct hf_ranking_node *node = ranking->root;
    size_t rank = 0;
    while (node != NULL && !node->leaf) {
        uint32_t before = entries_before(node, bound);
        if (before == 0) {
            return (uint32_t)rank; /* Not even the first one is. */
        }
        for (uint32_t i = 0; i + 1 < before; i++) {
            rank += below_of(node)[i].count;
        }
        node = below_of(node)[before - 1].node;
    }
    rank += node == NULL ? 0 : entries_before(node, bound);
    return (uint32_t)rank;
}

struct hf_ranking_place hf_ranking_at(const struct hf_ranking *ranking,
                                      uint32_t rank)
{
    if (rank >= ranking->count) {
        return (struct hf_ranking_place){NULL, 0};
    }
    const struct hf_ranking_node *node = ranking->root;
    size_t left = rank;
    while (!node->leaf) {
        const struct below *below = below_of(node);
        while (left >= below->count) {
            left -= below->count;
            below++;
        }
        node = below->node;
    }
    return (struct hf_ranking_place){node, (uint32_t)left};
}

struct hf_item *hf_ranking_item(struct hf_ranking_place place, double *score)
{
    if (place.leaf == NULL) {
        return NULL;
    }
    const struct entry *entry = &place.leaf->entries[place.at];
    *score = entry->score;
    return entry->item;
}

void hf_ranking_next(struct hf_ranking_place *place)
{
    if (++place->at == place->leaf->count) {
        *place = (struct hf_ranking_place){place->leaf->next, 0};
    }
}

void hf_ranking_previous(struct hf_ranking_place *place)
{
    if (place->at > 0) {
        place->at--;
        return;
    }
    const struct hf_ranking_node *leaf = place->leaf->previous;
    *place =
        (struct hf_ranking_place){leaf, leaf == NULL ? 0 : leaf->count - 1U};
}
