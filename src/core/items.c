#include "core/items.h"

#include <string.h>

#include "base/assert.h"

#define PAGE_BYTES_MIN 120
#define PAGE_BYTES_MAX 4088 /* With what malloc(3) adds: 4 KiB. */
#define ITEM_HEAD offsetof(struct hf_item, bytes)

struct hf_page {
    struct hf_page *next;
    struct hf_page *previous;
    uint32_t size;  /* All of it. */
    uint32_t end;   /* Of the last item. */
    uint32_t used;  /* By items that are not dropped. */
    uint32_t count; /* Of those. */
};

void hf_items_init(struct hf_items *items, struct hf_mem *mem)
{
    *items = (struct hf_items){.mem = mem};
}

static void page_free(struct hf_items *items, struct hf_page *page)
{
    if (page->previous != NULL) {
        page->previous->next = page->next;
    } else {
        items->pages = page->next;
    }
    if (page->next != NULL) {
        page->next->previous = page->previous;
    }
    items->held -= page->size;
    hf_mem_free(items->mem, page, page->size);
}

void hf_items_close(struct hf_items *items)
{
    while (items->pages != NULL) {
        page_free(items, items->pages);
    }
    HF_ASSERT(items->held == 0);
    items->used = 0;
}

/* Items begin where their numbers are aligned. */
static size_t room_for(size_t size)
{
    size_t step = _Alignof(struct hf_item);
    return (ITEM_HEAD + size + step - 1) / step * step;
}

/* A page as large as all others together, so that few are needed. */
static struct hf_page *page_add(struct hf_items *items, size_t room)
{
    size_t size = PAGE_BYTES_MIN;
    while (size < PAGE_BYTES_MAX && size < items->held) {
        size = 2 * size + 8;
    }
    bool own = sizeof(struct hf_page) + room > PAGE_BYTES_MAX;
    while (!own && size < sizeof(struct hf_page) + room) {
        size = 2 * size + 8;
    }
    size = own ? sizeof(struct hf_page) + room : size;
    HF_ASSERT(size <= UINT32_MAX);
    struct hf_page *page = hf_mem_alloc(items->mem, size);
    if (page == NULL) {
        return NULL;
    }
    /* One of its own goes behind the one that still has room. */
    struct hf_page *before = own ? items->pages : NULL;
    *page =
        (struct hf_page){.next = before == NULL ? items->pages : before->next,
                         .previous = before,
                         .size = (uint32_t)size,
                         .end = sizeof(struct hf_page)};
    if (page->next != NULL) {
        page->next->previous = page;
    }
    if (before == NULL) {
        items->pages = page;
    } else {
        before->next = page;
    }
    items->held += size;
    return page;
}

struct hf_item *hf_items_add(struct hf_items *items, size_t size)
{
    size_t room = room_for(size);
    struct hf_page *page = items->pages;
    if (page == NULL || page->size - page->end < room) {
        page = page_add(items, room);
    }
    if (page == NULL) {
        return NULL;
    }
    uint8_t *at = (uint8_t *)page + page->end;
    struct hf_item *item = (struct hf_item *)(void *)at;
    item->size = (uint32_t)size;
    item->offset = (uint16_t)page->end;
    item->dropped = false;
    page->end += (uint32_t)room;
    page->used += (uint32_t)room;
    page->count++;
    items->used += room;
    return item;
}

struct hf_page *hf_items_page(const struct hf_item *item)
{
    uint8_t *at = (uint8_t *)(uintptr_t)item - item->offset;
    return (struct hf_page *)(void *)at;
}

void hf_items_drop(struct hf_items *items, struct hf_item *item)
{
    HF_ASSERT(!item->dropped);
    struct hf_page *page = hf_items_page(item);
    size_t room = room_for(item->size);
    item->dropped = true;
    items->used -= room;
    page->used -= (uint32_t)room;
    page->count--;
    if (page->count == 0) {
        page_free(items, page);
    }
}

bool hf_items_is_sparse(const struct hf_items *items,
                        const struct hf_page *page)
{
    return page != items->pages && page->used < page->size / 2;
}

uint32_t hf_items_count(const struct hf_page *page)
{
    return page->count;
}

struct hf_item *hf_items_next(struct hf_page *page, uint32_t *offset)
{
    uint32_t at = *offset == 0 ? (uint32_t)sizeof(struct hf_page) : *offset;
    while (at < page->end) {
        uint8_t *place = (uint8_t *)page + at;
        struct hf_item *item = (struct hf_item *)(void *)place;
        at += (uint32_t)room_for(item->size);
        if (!item->dropped) {
            *offset = at;
            return item;
        }
    }
    return NULL;
}

struct hf_slice hf_item_bytes(const struct hf_item *item)
{
    return (struct hf_slice){item->bytes, item->size};
}
