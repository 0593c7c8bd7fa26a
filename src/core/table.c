#include "core/table.h"

#include <string.h>

#include "base/assert.h"
#include "core/session.h"

#define HASH_BITS 32
#define HOMES_MIN 56
#define HOMES_SPREAD 10   /* Up to a sixth more, at first. */
#define HOMES_DOUBLED 448 /* Up to here. Then a sixth more at a time. */
#define TAIL_MIN 8        /* And one for 64 homes, up to TAIL_MAX. */
#define TAIL_MAX 24
#define CACHE_LINE 64
/* A session of a kibibyte; of larger ones the processor guesses the rest. To
 * look how large it is would mean to wait for it. */
#define EXPECTED_LINES 17
#define SHRINK_MIN 64 /* Homes. With fewer, there is little to give back. */

/* How many of @homes may be taken before there must be more. */
static uint32_t load_max(uint32_t homes)
{
    return homes - homes / 10;
}

/* Each growth leaves a hole in the heap where the table was. Sessions go into
 * it, but a part of one remains: so small tables do not grow often. A thousand
 * tables fill evenly, and would all grow at about the same time: so some are
 * larger from the beginning, as the @hash of whom they begin with says. */
static uint32_t homes_after(uint32_t homes, uint32_t hash)
{
    if (homes == 0) {
        return HOMES_MIN + hash % HOMES_SPREAD;
    }
    return homes < HOMES_DOUBLED ? 2 * homes : homes + homes / 6;
}

static uint32_t home_of(uint32_t hash, uint32_t homes)
{
    return (uint32_t)(((uint64_t)hash * homes) >> HASH_BITS);
}

static size_t bytes_of(uint32_t capacity)
{
    size_t groups = ((size_t)capacity + HF_TABLE_GROUP - 1) / HF_TABLE_GROUP;
    return (sizeof(struct hf_session *) + sizeof(uint32_t)) * capacity +
           sizeof(hf_time) * groups;
}

size_t hf_table_bytes(const struct hf_table *table)
{
    return bytes_of(table->capacity);
}

uint32_t hf_table_find(const struct hf_table *table, struct hf_slice key,
                       uint32_t hash)
{
    if (table->capacity == 0) {
        return HF_TABLE_NONE;
    }
    /* A free slot, 0, is to this comparison larger than all. */
    uint32_t slot = home_of(hash, table->homes);
    while (table->hashes[slot] - 1 < hash - 1) {
        slot++;
    }
    for (; table->hashes[slot] == hash; slot++) {
        if (hf_slice_equal(hf_session_key(table->entries[slot]), key)) {
            return slot;
        }
    }
    return HF_TABLE_NONE;
}

void hf_table_expect(const struct hf_table *table, uint32_t hash)
{
    if (table->capacity > 0) {
        uint32_t home = home_of(hash, table->homes);
        hf_mem_prefetch(&table->hashes[home]);
        hf_mem_prefetch(&table->entries[home]);
    }
}

void hf_table_expect_entry(const struct hf_table *table, uint32_t hash)
{
    uint32_t slot = hf_table_first_from(table, hash);
    if (slot < table->capacity && table->hashes[slot] == hash) {
        const uint8_t *session = (const uint8_t *)table->entries[slot];
        for (size_t line = 0; line < EXPECTED_LINES; line++) {
            hf_mem_prefetch(session + line * CACHE_LINE);
        }
    }
}

uint32_t hf_table_first_from(const struct hf_table *table, uint32_t hash)
{
    if (table->capacity == 0) {
        return 0;
    }
    uint32_t slot = home_of(hash, table->homes);
    while (slot < table->capacity && table->hashes[slot] < hash) {
        slot++;
    }
    return slot;
}

/* ---- Growing and shrinking ---------------------------------------------- */

/* One past the last slot that would be taken with so many homes. */
static uint32_t end_with(const struct hf_table *table, uint32_t homes)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < table->capacity; i++) {
        if (table->hashes[i] != 0) {
            uint32_t home = home_of(table->hashes[i], homes);
            end = (home > end ? home : end) + 1;
        }
    }
    return end;
}

static void table_lay_out(struct hf_table *table, void *piece)
{
    table->entries = piece;
    table->due = (hf_time *)(void *)(table->entries + table->capacity);
    table->hashes =
        (uint32_t *)(void *)(table->due + hf_table_group_count(table));
    for (uint32_t group = 0; group < hf_table_group_count(table); group++) {
        table->due[group] = HF_NEVER;
    }
    memset(table->hashes, 0, sizeof(*table->hashes) * table->capacity);
    memset(table->entries, 0, sizeof(*table->entries) * table->capacity);
}

static void table_move_all(const struct hf_table *from, struct hf_table *to)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < from->capacity; i++) {
        if (from->hashes[i] == 0) {
            continue;
        }
        uint32_t home = home_of(from->hashes[i], to->homes);
        uint32_t slot = home > end ? home : end;
        to->hashes[slot] = from->hashes[i];
        to->entries[slot] = from->entries[i];
        hf_table_due_at(to, slot, from->due[i / HF_TABLE_GROUP]);
        end = slot + 1;
    }
    HF_ASSERT(end < to->capacity);
}

/* How many slots there should be behind so many homes, when the last entry
 * ends at @end. It gets longer than usual only when many hashes are near the
 * end, and doubles then. */
static uint32_t tail_for(uint32_t homes, uint32_t end)
{
    uint32_t usual = TAIL_MIN + homes / 64;
    usual = usual < TAIL_MAX ? usual : TAIL_MAX;
    return usual + (end > homes ? 2 * (end - homes) : 0);
}

static bool table_rebuild(struct hf_table *table, struct hf_mem *mem,
                          uint32_t homes)
{
    uint32_t tail = tail_for(homes, end_with(table, homes));
    struct hf_table rebuilt = {.homes = homes,
                               .capacity = homes + tail,
                               .count = table->count,
                               .moves = table->moves + 1};
    void *piece = hf_mem_alloc(mem, hf_table_bytes(&rebuilt));
    if (piece == NULL) {
        return false;
    }
    table_lay_out(&rebuilt, piece);
    table_move_all(table, &rebuilt);
    hf_mem_free(mem, table->entries, hf_table_bytes(table));
    *table = rebuilt;
    return true;
}

/* From the home of @hash on; the last slot does not count. */
static bool has_free_slot(const struct hf_table *table, uint32_t hash)
{
    if (table->capacity == 0) {
        return false;
    }
    uint32_t slot = home_of(hash, table->homes);
    while (table->hashes[slot] != 0) {
        slot++;
    }
    return slot + 1 < table->capacity;
}

bool hf_table_make_room(struct hf_table *table, struct hf_mem *mem,
                        uint32_t hash)
{
    uint32_t homes = table->homes;
    if (table->count >= load_max(homes)) {
        homes = homes_after(homes, hash);
        if (!table_rebuild(table, mem, homes)) {
            homes = table->homes;
        }
    }
    /* Without memory it gets fuller, as long as there is any place. */
    return has_free_slot(table, hash) ||
           (homes > 0 && table_rebuild(table, mem, homes) &&
            has_free_slot(table, hash));
}

bool hf_table_reserve(struct hf_table *table, struct hf_mem *mem,
                      uint32_t count)
{
    HF_ASSERT(table->count == 0);
    uint32_t homes = count + count / 8 + 1; /* Not over load_max. */
    return count == 0 ||
           table_rebuild(table, mem, homes < HOMES_MIN ? HOMES_MIN : homes);
}

void hf_table_give_back(struct hf_table *table, struct hf_mem *mem)
{
    if (table->count == 0) {
        hf_mem_free(mem, table->entries, hf_table_bytes(table));
        *table = (struct hf_table){.moves = table->moves + 1};
    } else if (table->homes >= SHRINK_MIN && table->count < table->homes / 2) {
        /* Half of it would do: growing again is not near. */
        (void)table_rebuild(table, mem, table->homes / 4 * 3);
    }
}

/* ---- Changing ----------------------------------------------------------- */

uint32_t hf_table_insert(struct hf_table *table, struct hf_session *session,
                         uint32_t hash)
{
    HF_ASSERT(hash != 0);
    uint32_t slot = home_of(hash, table->homes);
    while (table->hashes[slot] != 0 && table->hashes[slot] <= hash) {
        slot++;
    }
    uint32_t end = slot;
    for (; table->hashes[end] != 0; end++) {
        if ((end + 1) % HF_TABLE_GROUP == 0) {
            hf_table_due_at(table, end + 1,
                            hf_session_deadline(table->entries[end]));
        }
    }
    HF_ASSERT(end + 1 < table->capacity);
    memmove(&table->hashes[slot + 1], &table->hashes[slot],
            sizeof(*table->hashes) * (end - slot));
    memmove(&table->entries[slot + 1], &table->entries[slot],
            sizeof(struct hf_session *) * (end - slot));
    table->hashes[slot] = hash;
    table->entries[slot] = session;
    hf_table_due_at(table, slot, hf_session_deadline(session));
    table->count++;
    return slot;
}

void hf_table_remove(struct hf_table *table, uint32_t slot)
{
    uint32_t end = slot + 1;
    for (; table->hashes[end] != 0; end++) {
        if (home_of(table->hashes[end], table->homes) == end) {
            break;
        }
        if (end % HF_TABLE_GROUP == 0) {
            hf_table_due_at(table, end - 1,
                            hf_session_deadline(table->entries[end]));
        }
    }
    memmove(&table->hashes[slot], &table->hashes[slot + 1],
            sizeof(*table->hashes) * (end - slot - 1));
    memmove(&table->entries[slot], &table->entries[slot + 1],
            sizeof(struct hf_session *) * (end - slot - 1));
    table->hashes[end - 1] = 0;
    table->entries[end - 1] = NULL;
    table->count--;
}

hf_time hf_table_first_due(const struct hf_table *table)
{
    hf_time first = HF_NEVER;
    for (uint32_t group = 0; group < hf_table_group_count(table); group++) {
        first = table->due[group] < first ? table->due[group] : first;
    }
    return first;
}
