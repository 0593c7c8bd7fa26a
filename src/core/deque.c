#include "core/deque.h"

#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"

#define RING_MIN 4
#define HOLES_KEEP ((size_t)8 << 10)

static struct hf_item **place(const struct hf_deque *deque, uint32_t at)
{
    return &deque->ring[(deque->first + at) & (deque->capacity - 1)];
}

struct hf_slice hf_deque_at(const struct hf_deque *deque, uint32_t at)
{
    HF_ASSERT(at < deque->count);
    return hf_item_bytes(*place(deque, at));
}

/* ---- Memory ------------------------------------------------------------- */

struct hf_deque *hf_deque_create(struct hf_mem *mem)
{
    struct hf_deque *deque = hf_mem_alloc(mem, sizeof(*deque));
    if (deque != NULL) {
        *deque = (struct hf_deque){.mem = mem};
        hf_items_init(&deque->items, mem);
    }
    return deque;
}

static size_t ring_size(const struct hf_deque *deque)
{
    return deque->capacity * sizeof(*deque->ring);
}

void hf_deque_destroy(struct hf_deque *deque)
{
    hf_items_close(&deque->items);
    hf_mem_free(deque->mem, deque->ring, ring_size(deque));
    hf_mem_free(deque->mem, deque, sizeof(*deque));
}

size_t hf_deque_held(const struct hf_deque *deque)
{
    return sizeof(*deque) + ring_size(deque) + deque->items.held;
}

static bool ring_resize(struct hf_deque *deque, uint32_t capacity)
{
    struct hf_item **ring = hf_mem_alloc(deque->mem, capacity * sizeof(*ring));
    if (ring == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < deque->count; i++) {
        ring[i] = *place(deque, i);
    }
    hf_mem_free(deque->mem, deque->ring, ring_size(deque));
    deque->ring = ring;
    deque->capacity = capacity;
    deque->first = 0;
    return true;
}

static struct hf_item *item_add(struct hf_items *items, struct hf_slice bytes)
{
    struct hf_item *item = hf_items_add(items, bytes.size);
    if (item != NULL && bytes.size > 0) {
        memcpy(item->bytes, bytes.data, bytes.size);
    }
    return item;
}

/* Writes all elements anew, without holes; if not now, then another time. */
static void close_holes(struct hf_deque *deque)
{
    struct hf_items items;
    hf_items_init(&items, deque->mem);
    struct hf_item **copies =
        hf_mem_alloc(deque->mem, deque->count * sizeof(*copies));
    bool done = copies != NULL;
    for (uint32_t i = 0; done && i < deque->count; i++) {
        copies[i] = item_add(&items, hf_deque_at(deque, i));
        done = copies[i] != NULL;
    }
    for (uint32_t i = 0; done && i < deque->count; i++) {
        *place(deque, i) = copies[i];
    }
    hf_mem_free(deque->mem, copies, deque->count * sizeof(*copies));
    hf_items_close(done ? &deque->items : &items);
    deque->items = done ? items : deque->items;
}

static void give_back(struct hf_deque *deque)
{
    uint32_t capacity = deque->capacity;
    while (capacity > RING_MIN && deque->count <= capacity / 4) {
        capacity /= 2;
    }
    if (capacity < deque->capacity) {
        (void)ring_resize(deque, capacity);
    }
    if (deque->count > 0 &&
        deque->items.held > 2 * deque->items.used + HOLES_KEEP) {
        close_holes(deque);
    }
}

/* ---- In the ring -------------------------------------------------------- */

/* There must be room. */
static void ring_insert(struct hf_deque *deque, uint32_t at,
                        struct hf_item *item)
{
    HF_ASSERT(deque->count < deque->capacity && at <= deque->count);
    if (at == 0) {
        deque->first = (deque->first - 1) & (deque->capacity - 1);
    }
    deque->count++;
    for (uint32_t i = deque->count - 1; at > 0 && i > at; i--) {
        *place(deque, i) = *place(deque, i - 1);
    }
    *place(deque, at) = item;
    deque->content += item->size;
}

static struct hf_item *ring_pop(struct hf_deque *deque, bool left)
{
    HF_ASSERT(deque->count > 0);
    struct hf_item *item = *place(deque, left ? 0 : deque->count - 1);
    deque->first =
        left ? (deque->first + 1) & (deque->capacity - 1) : deque->first;
    deque->count--;
    deque->content -= item->size;
    return item;
}

/* Done for good, or noted. */
static void finish(struct hf_deque *deque, const struct hf_step *step,
                   struct hf_journal *journal)
{
    if (journal != NULL) {
        hf_journal_note(journal, step);
    } else if (step->kind != HF_STEP_PUSHED) {
        hf_items_drop(&deque->items, step->item);
    }
}

static bool has_room(struct hf_journal *journal, size_t count)
{
    return journal == NULL || hf_journal_reserve(journal, count);
}

int hf_deque_push(struct hf_deque *deque, bool left, struct hf_slice element,
                  struct hf_journal *journal)
{
    uint32_t capacity = deque->capacity == 0 ? RING_MIN : 2 * deque->capacity;
    if ((deque->count == deque->capacity && !ring_resize(deque, capacity)) ||
        !has_room(journal, 1)) {
        return HF_ENOMEM;
    }
    struct hf_item *item = item_add(&deque->items, element);
    if (item == NULL) {
        return HF_ENOMEM;
    }
    ring_insert(deque, left ? 0 : deque->count, item);
    struct hf_step step = {
        .kind = HF_STEP_PUSHED, .at = left ? 0 : 1, .item = item};
    finish(deque, &step, journal);
    return 0;
}

int hf_deque_pop(struct hf_deque *deque, bool left, uint32_t count,
                 struct hf_journal *journal)
{
    if (count > deque->count) {
        return HF_EPROTO;
    }
    if (!has_room(journal, count)) {
        return HF_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct hf_item *item = ring_pop(deque, left);
        struct hf_step step = {.kind = HF_STEP_REMOVED,
                               .item = item,
                               .at = left ? 0 : deque->count};
        finish(deque, &step, journal);
    }
    if (journal == NULL) {
        give_back(deque);
    }
    return 0;
}

int hf_deque_replace(struct hf_deque *deque, uint32_t at,
                     struct hf_slice element, struct hf_journal *journal)
{
    if (at >= deque->count) {
        return HF_EPROTO;
    }
    struct hf_item *item =
        has_room(journal, 1) ? item_add(&deque->items, element) : NULL;
    if (item == NULL) {
        return HF_ENOMEM;
    }
    struct hf_item **old = place(deque, at);
    struct hf_step step = {.kind = HF_STEP_REPLACED, .item = *old, .at = at};
    deque->content = deque->content - (*old)->size + element.size;
    *old = item;
    finish(deque, &step, journal);
    if (journal == NULL) {
        give_back(deque);
    }
    return 0;
}

static uint32_t count_equal(const struct hf_deque *deque,
                            struct hf_slice element)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < deque->count; i++) {
        count += hf_slice_equal(hf_deque_at(deque, i), element) ? 1 : 0;
    }
    return count;
}

int hf_deque_remove(struct hf_deque *deque, bool left, uint32_t count,
                    struct hf_slice element, struct hf_journal *journal)
{
    uint32_t equal = count_equal(deque, element);
    if (count > equal) {
        return HF_EPROTO;
    }
    if (!has_room(journal, count)) {
        return HF_ENOMEM;
    }
    uint32_t from = left ? 0 : equal - count; /* Of those equal. */
    uint32_t met = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < deque->count; i++) {
        struct hf_item *item = *place(deque, i);
        bool match = hf_slice_equal(hf_item_bytes(item), element);
        if (match && met >= from && met < from + count) {
            struct hf_step step = {
                .kind = HF_STEP_REMOVED, .item = item, .at = kept};
            deque->content -= item->size;
            finish(deque, &step, journal);
        } else {
            *place(deque, kept++) = item;
        }
        met += match ? 1 : 0;
    }
    deque->count = kept;
    if (journal == NULL) {
        give_back(deque);
    }
    return 0;
}

/* ---- All or nothing ----------------------------------------------------- */

void hf_deque_commit(struct hf_deque *deque, const struct hf_journal *journal)
{
    for (size_t i = 0; i < journal->count; i++) {
        finish(deque, &journal->steps[i], NULL);
    }
    give_back(deque);
}

static void step_undo(struct hf_deque *deque, const struct hf_step *step)
{
    if (step->kind == HF_STEP_PUSHED) {
        hf_items_drop(&deque->items, ring_pop(deque, step->at == 0));
    } else if (step->kind == HF_STEP_REPLACED) {
        struct hf_item **now = place(deque, step->at);
        deque->content = deque->content - (*now)->size + step->item->size;
        hf_items_drop(&deque->items, *now);
        *now = step->item;
    } else {
        HF_ASSERT(step->kind == HF_STEP_REMOVED);
        ring_insert(deque, step->at, step->item);
    }
}

void hf_deque_undo(struct hf_deque *deque, const struct hf_journal *journal)
{
    for (size_t i = journal->count; i-- > 0;) {
        step_undo(deque, &journal->steps[i]);
    }
    give_back(deque);
}
