#include "core/members.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "holdfast/error.h"

#define NUMBERS_MIN 4
#define INDEX_MEMBERS_MIN 16 /* Fewer are found faster one after the other. */
#define INDEX_SLOTS_MIN 32

/* ---- Members and where they are ----------------------------------------- */

static struct hf_slice item_member(const struct hf_members *members,
                                   const struct hf_item *item)
{
    return members->scored ? hf_ranking_member(item) : hf_item_bytes(item);
}

static double item_score(const struct hf_item *item)
{
    double score;
    memcpy(&score, item->bytes, sizeof(score));
    return score;
}

static void item_set_score(struct hf_item *item, double score)
{
    memcpy(item->bytes, &score, sizeof(score));
}

static uint32_t member_hash(struct hf_slice member)
{
    return (uint32_t)hf_hash(member);
}

static struct hf_members_slot *slot_find(const struct hf_members *members,
                                         uint32_t hash, struct hf_slice member)
{
    uint32_t mask = members->index_capacity - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct hf_members_slot *slot = &members->index[i];
        if (slot->number == 0) {
            return NULL;
        }
        if (slot->hash == hash &&
            hf_slice_equal(hf_members_at(members, slot->number - 1), member)) {
            return slot;
        }
    }
}

static struct hf_members_slot *slot_of_number(const struct hf_members *members,
                                              uint32_t number)
{
    struct hf_slice member = hf_members_at(members, number);
    uint32_t mask = members->index_capacity - 1;
    uint32_t i = member_hash(member) & mask;
    while (members->index[i].number != number + 1) {
        HF_ASSERT(members->index[i].number != 0);
        i = (i + 1) & mask;
    }
    return &members->index[i];
}

bool hf_members_find(const struct hf_members *members, struct hf_slice member,
                     uint32_t *number)
{
    if (members->index_capacity > 0) {
        const struct hf_members_slot *slot =
            slot_find(members, member_hash(member), member);
        *number = slot == NULL ? 0 : slot->number - 1;
        return slot != NULL;
    }
    for (*number = 0; *number < members->count; (*number)++) {
        if (hf_slice_equal(hf_members_at(members, *number), member)) {
            return true;
        }
    }
    return false;
}

struct hf_slice hf_members_at(const struct hf_members *members, uint32_t number)
{
    HF_ASSERT(number < members->count);
    return item_member(members, members->numbers[number]);
}

double hf_members_score(const struct hf_members *members, uint32_t number)
{
    HF_ASSERT(members->scored && number < members->count);
    return item_score(members->numbers[number]);
}

uint32_t hf_members_rank(const struct hf_members *members, uint32_t number)
{
    struct hf_bound bound = {.score = hf_members_score(members, number),
                             .member = hf_members_at(members, number)};
    return hf_ranking_rank(&members->ranking, &bound);
}

static void slot_put(struct hf_members *members, uint32_t hash, uint32_t number)
{
    uint32_t mask = members->index_capacity - 1;
    uint32_t i = hash & mask;
    while (members->index[i].number != 0) {
        i = (i + 1) & mask;
    }
    members->index[i] = (struct hf_members_slot){hash, number + 1};
}

/* Those behind it that were pushed away move up. */
static void slot_clear(struct hf_members *members, struct hf_members_slot *slot)
{
    uint32_t mask = members->index_capacity - 1;
    uint32_t hole = (uint32_t)(slot - members->index);
    for (uint32_t i = (hole + 1) & mask; members->index[i].number != 0;
         i = (i + 1) & mask) {
        uint32_t home = members->index[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            members->index[hole] = members->index[i];
            hole = i;
        }
    }
    members->index[hole] = (struct hf_members_slot){0, 0};
}

/* ---- Memory ------------------------------------------------------------- */

struct hf_members *hf_members_create(struct hf_mem *mem, bool scored)
{
    struct hf_members *members = hf_mem_alloc(mem, sizeof(*members));
    if (members != NULL) {
        *members = (struct hf_members){.mem = mem, .scored = scored};
        hf_items_init(&members->items, mem);
        hf_ranking_init(&members->ranking, mem);
    }
    return members;
}

static size_t index_size(const struct hf_members *members)
{
    return members->index_capacity * sizeof(*members->index);
}

static size_t numbers_size(const struct hf_members *members)
{
    return members->capacity * sizeof(struct hf_item *);
}

void hf_members_destroy(struct hf_members *members)
{
    hf_ranking_close(&members->ranking);
    hf_items_close(&members->items);
    hf_mem_free(members->mem, members->index, index_size(members));
    hf_mem_free(members->mem, members->numbers, numbers_size(members));
    hf_mem_free(members->mem, members, sizeof(*members));
}

size_t hf_members_held(const struct hf_members *members)
{
    return sizeof(*members) + members->items.held + members->ranking.held +
           index_size(members) + numbers_size(members);
}

static bool numbers_resize(struct hf_members *members, uint32_t capacity)
{
    struct hf_item **numbers =
        hf_mem_resize(members->mem, members->numbers, numbers_size(members),
                      capacity * sizeof(struct hf_item *));
    if (numbers == NULL) {
        return false;
    }
    members->numbers = numbers;
    members->capacity = capacity;
    return true;
}

/* An index of @capacity slots; none for 0. */
static bool index_resize(struct hf_members *members, uint32_t capacity)
{
    struct hf_members_slot *index = NULL;
    if (capacity > 0) {
        index = hf_mem_alloc_zero(members->mem, capacity * sizeof(*index));
        if (index == NULL) {
            return false;
        }
    }
    struct hf_members_slot *old = members->index;
    uint32_t old_capacity = members->index_capacity;
    members->index = index;
    members->index_capacity = capacity;
    for (uint32_t i = 0; capacity > 0 && i < old_capacity; i++) {
        if (old[i].number != 0) {
            slot_put(members, old[i].hash, old[i].number - 1);
        }
    }
    for (uint32_t i = 0; capacity > 0 && old == NULL && i < members->count;
         i++) {
        slot_put(members, member_hash(hf_members_at(members, i)), i);
    }
    hf_mem_free(members->mem, old, old_capacity * sizeof(*old));
    return true;
}

/* Room for one more. */
static bool make_room(struct hf_members *members)
{
    uint32_t count = members->count;
    if (count == members->capacity &&
        !numbers_resize(members, count == 0 ? NUMBERS_MIN : 2 * count)) {
        return false;
    }
    uint32_t slots = members->index_capacity;
    if (slots == 0 && count >= INDEX_MEMBERS_MIN) {
        return index_resize(members, INDEX_SLOTS_MIN);
    }
    if (slots > 0 && count >= slots / 4 * 3) {
        return index_resize(members, 2 * slots);
    }
    return true;
}

/* Gives back what stands empty; if not now, then another time. */
static void give_back(struct hf_members *members)
{
    uint32_t count = members->count;
    uint32_t capacity = members->capacity;
    while (capacity > NUMBERS_MIN && count <= capacity / 4) {
        capacity /= 2;
    }
    if (capacity < members->capacity) {
        (void)numbers_resize(members, capacity);
    }
    uint32_t slots = members->index_capacity;
    while (slots > INDEX_SLOTS_MIN && count < slots / 8) {
        slots /= 2;
    }
    slots = count < INDEX_MEMBERS_MIN / 2 ? 0 : slots;
    if (slots < members->index_capacity) {
        (void)index_resize(members, slots);
    }
}

/* Puts a copy of @item in its place, unless it is about to be dropped. */
static bool item_move(struct hf_members *members, struct hf_item *item)
{
    uint32_t number;
    if (!hf_members_find(members, item_member(members, item), &number) ||
        members->numbers[number] != item) {
        return true;
    }
    struct hf_item *copy = hf_items_add(&members->items, item->size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy->bytes, item->bytes, item->size);
    members->numbers[number] = copy;
    if (members->scored) {
        hf_ranking_replace(&members->ranking, item_score(item), item, copy);
    }
    hf_items_drop(&members->items, item);
    return true;
}

/* Drops @item, and the page it was in when little is left there. */
static void item_drop(struct hf_members *members, struct hf_item *item)
{
    struct hf_page *page = hf_items_page(item);
    size_t held = members->items.held;
    hf_items_drop(&members->items, item);
    if (members->items.held < held ||
        !hf_items_is_sparse(&members->items, page)) {
        return;
    }
    uint32_t offset = 0;
    for (uint32_t left = hf_items_count(page); left > 0; left--) {
        if (!item_move(members, hf_items_next(page, &offset))) {
            return;
        }
    }
}

/* ---- Changing ----------------------------------------------------------- */

static void number_append(struct hf_members *members, struct hf_item *item)
{
    struct hf_slice member = item_member(members, item);
    uint32_t number = members->count++;
    members->numbers[number] = item;
    members->content += member.size;
    if (members->index_capacity > 0) {
        slot_put(members, member_hash(member), number);
    }
}

/* The last gets its number. */
static void number_remove(struct hf_members *members, uint32_t number)
{
    uint32_t last = members->count - 1;
    members->content -= hf_members_at(members, number).size;
    if (members->index_capacity > 0) {
        slot_clear(members, slot_of_number(members, number));
        if (number != last) {
            slot_of_number(members, last)->number = number + 1;
        }
    }
    members->numbers[number] = members->numbers[last];
    members->count--;
}

/* Undoes number_remove. */
static void number_restore(struct hf_members *members, struct hf_item *item,
                           uint32_t number)
{
    if (number == members->count) {
        number_append(members, item);
        return;
    }
    struct hf_item *moved = members->numbers[number];
    uint32_t last = members->count;
    if (members->index_capacity > 0) {
        slot_of_number(members, number)->number = last + 1;
        slot_put(members, member_hash(item_member(members, item)), number);
    }
    members->numbers[last] = moved;
    members->numbers[number] = item;
    members->count++;
    members->content += item_member(members, item).size;
}

static int add_new(struct hf_members *members, struct hf_slice member,
                   double score, struct hf_step *step)
{
    size_t head = members->scored ? HF_SCORE_BYTES : 0;
    struct hf_item *item =
        make_room(members) ? hf_items_add(&members->items, head + member.size)
                           : NULL;
    if (item == NULL) {
        return HF_ENOMEM;
    }
    if (member.size > 0) {
        memcpy(item->bytes + head, member.data, member.size);
    }
    *step = (struct hf_step){.kind = HF_STEP_ADDED, .item = item};
    if (members->scored) {
        item_set_score(item, score);
        if (hf_ranking_add(&members->ranking, score, item, &step->twin) != 0) {
            hf_items_drop(&members->items, item);
            return HF_ENOMEM;
        }
    }
    number_append(members, item);
    return 0;
}

/* The place of the old score is left until it is committed. */
static int add_score(struct hf_members *members, uint32_t number, double score,
                     struct hf_step *step)
{
    struct hf_item *item = members->numbers[number];
    struct hf_item *twin;
    *step = (struct hf_step){
        .kind = HF_STEP_SCORED, .item = item, .score = item_score(item)};
    if (hf_ranking_add(&members->ranking, score, item, &twin) != 0) {
        return HF_ENOMEM;
    }
    step->at = twin == NULL ? 1 : 0;
    step->twin = twin == item ? NULL : twin;
    item_set_score(item, score);
    return 0;
}

/* The ranking forgets what is no longer so. */
static void step_settle(struct hf_members *members, const struct hf_step *step)
{
    bool moved =
        step->kind == HF_STEP_SCORED && item_score(step->item) != step->score;
    if (moved || (step->kind == HF_STEP_REMOVED && members->scored)) {
        hf_ranking_remove(&members->ranking, step->score, step->item);
    }
}

static void step_free(struct hf_members *members, const struct hf_step *step)
{
    if (step->kind == HF_STEP_REMOVED) {
        item_drop(members, step->item);
    }
}

static void step_commit(struct hf_members *members, const struct hf_step *step)
{
    step_settle(members, step);
    step_free(members, step);
}

int hf_members_add(struct hf_members *members, struct hf_slice member,
                   double score, struct hf_journal *journal)
{
    uint32_t number;
    bool found = hf_members_find(members, member, &number);
    if (found &&
        (!members->scored || hf_members_score(members, number) == score)) {
        return 0;
    }
    if (journal != NULL && !hf_journal_reserve(journal, 1)) {
        return HF_ENOMEM;
    }
    struct hf_step step;
    int error = found ? add_score(members, number, score, &step)
                      : add_new(members, member, score, &step);
    if (error == 0 && journal != NULL) {
        hf_journal_note(journal, &step);
    } else if (error == 0) {
        step_commit(members, &step);
    }
    return error;
}

int hf_members_remove(struct hf_members *members, struct hf_slice member,
                      struct hf_journal *journal)
{
    uint32_t number;
    if (!hf_members_find(members, member, &number)) {
        return HF_EPROTO;
    }
    if (journal != NULL && !hf_journal_reserve(journal, 1)) {
        return HF_ENOMEM;
    }
    struct hf_item *item = members->numbers[number];
    struct hf_step step = {.kind = HF_STEP_REMOVED,
                           .at = number,
                           .item = item,
                           .score = members->scored ? item_score(item) : 0};
    number_remove(members, number);
    if (journal != NULL) {
        hf_journal_note(journal, &step);
    } else {
        step_commit(members, &step);
        give_back(members);
    }
    return 0;
}

/* ---- All or nothing ----------------------------------------------------- */

void hf_members_commit(struct hf_members *members,
                       const struct hf_journal *journal)
{
    for (size_t i = 0; i < journal->count; i++) {
        step_settle(members, &journal->steps[i]);
    }
    for (size_t i = 0; i < journal->count; i++) {
        step_free(members, &journal->steps[i]);
    }
    give_back(members);
}

/* Undoes hf_ranking_add; nothing was there when @added. */
static void rank_undo(struct hf_members *members, const struct hf_step *step,
                      bool added)
{
    double score = item_score(step->item);
    if (step->twin != NULL) {
        hf_ranking_replace(&members->ranking, score, step->item, step->twin);
    } else if (added) {
        hf_ranking_remove(&members->ranking, score, step->item);
    }
}

static void step_undo(struct hf_members *members, const struct hf_step *step)
{
    struct hf_item *item = step->item;
    if (step->kind == HF_STEP_ADDED) {
        if (members->scored) {
            rank_undo(members, step, true);
        }
        number_remove(members, members->count - 1);
        hf_items_drop(&members->items, item);
    } else if (step->kind == HF_STEP_SCORED) {
        rank_undo(members, step, step->at == 1);
        item_set_score(item, step->score);
    } else {
        HF_ASSERT(step->kind == HF_STEP_REMOVED);
        number_restore(members, item, step->at);
    }
}

void hf_members_undo(struct hf_members *members,
                     const struct hf_journal *journal)
{
    for (size_t i = journal->count; i-- > 0;) {
        step_undo(members, &journal->steps[i]);
    }
    give_back(members);
}
