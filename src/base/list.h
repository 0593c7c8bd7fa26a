/* list.h - An intrusive doubly linked list: the node lives inside the item.
 *
 *   struct hf_list all;  hf_list_init(&all);
 *   hf_list_push_back(&all, &item->link);
 *   struct item *first = HF_CONTAINER_OF(all.next, struct item, link); */
#ifndef HF_BASE_LIST_H
#define HF_BASE_LIST_H

#include "base/types.h"

/* Both the head of a list and the link inside an item. */
struct hf_list {
    struct hf_list *next;
    struct hf_list *previous;
};

static inline void hf_list_init(struct hf_list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool hf_list_is_empty(const struct hf_list *list)
{
    return list->next == list;
}

static inline void hf_list_push_back(struct hf_list *list, struct hf_list *link)
{
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

/* Leaves @link as an empty list of its own, so removing twice is harmless. */
static inline void hf_list_remove(struct hf_list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    hf_list_init(link);
}

#endif
