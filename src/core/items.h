/* items.h - Many small pieces of bytes: the members of a set, the elements of a
 * list.
 *
 * An item is its bytes behind a header of 7. Items lie one after the other in
 * pages, which begin small and end at 4 KiB, so that three items take little,
 * and 100,000 are freed by a thousand calls. An item that is too large for a
 * page has one of its own.
 *
 *   page --> | page header | item | item | (dropped) | item | free |
 *
 * A dropped item leaves a hole. A page without items is freed; where holes
 * take half of one, whoever owns the items may move those that are left
 * (hf_items_is_sparse), since only he knows who points to them. */
#ifndef HF_CORE_ITEMS_H
#define HF_CORE_ITEMS_H

#include "base/bytes.h"

struct hf_item {
    uint32_t size;   /* Of the bytes. */
    uint16_t offset; /* From the start of its page. */
    bool dropped;
    uint8_t bytes[];
};

struct hf_page;

struct hf_items {
    struct hf_mem *mem;
    struct hf_page *pages; /* The newest first: only it has room. */
    size_t held;           /* Bytes of all pages. */
    size_t used;           /* Of those, what items take. */
};

void hf_items_init(struct hf_items *items, struct hf_mem *mem);
/* Frees all items. */
void hf_items_close(struct hf_items *items);

/* A new item of @size bytes, not yet written. NULL without memory. */
HF_NODISCARD struct hf_item *hf_items_add(struct hf_items *items, size_t size);
/* The page may be gone after it, and with it what @item says. */
void hf_items_drop(struct hf_items *items, struct hf_item *item);

/* Whether holes take half of @page, and no new items go there. */
bool hf_items_is_sparse(const struct hf_items *items,
                        const struct hf_page *page);
/* The page of @item; gone when the last item in it is dropped. */
struct hf_page *hf_items_page(const struct hf_item *item);
/* How many items are in it. */
uint32_t hf_items_count(const struct hf_page *page);
/* The next item of @page from *@offset on, 0 for the first; NULL at the end. */
struct hf_item *hf_items_next(struct hf_page *page, uint32_t *offset);

struct hf_slice hf_item_bytes(const struct hf_item *item);

#endif
