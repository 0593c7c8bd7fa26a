/* table.h - Pointers to sessions, in the order of their hash.
 *
 * Open addressing with ordered linear probing (Amble and Knuth, "Ordered hash
 * tables", The Computer Journal 17, 1974), where the home of an entry is in
 * proportion to its hash. So all hashes ascend from the first slot to the last,
 * with free slots between them:
 *
 *   hashes   | 0 | 7 | 9 | 9 | 0 | 0 | 21 | 28 | 0 | ...   u32, 0: free
 *   entries  | . | s | s | s | . | . | s  | s  | . | ...   pointers
 *   due      | group of 16 slots                   | ...   a time for each
 *
 * A slot takes 12 bytes, and half of one for `due`. Searching reads hashes
 * only, a cache line of them as a rule, and stops at the first that is larger;
 * the session is read when its hash is the right one. Nobody wraps round:
 * behind the homes there is a tail for those who find theirs taken, of which
 * the last slot always stays free.
 *
 * At most nine of ten homes are taken. Growing a large table takes a sixth more
 * of them, so that three of four are in use at least, and moves the slots in
 * one pass without reading a session: microseconds for thousands of them.
 *
 * `due` is a lower bound: nobody in the group has an earlier deadline. To touch
 * a session costs nothing unless its deadline gets earlier (core/expiry.h). */
#ifndef HF_CORE_TABLE_H
#define HF_CORE_TABLE_H

#include "base/bytes.h"
#include "base/mem.h"

#define HF_TABLE_GROUP 16 /* Slots with one `due`. */
#define HF_TABLE_NONE UINT32_MAX

struct hf_session;

struct hf_table {
    struct hf_session **entries; /* One piece of memory, this first, */
    hf_time *due;                /* one for each group, */
    uint32_t *hashes;            /* and 0 where a slot is free. */
    uint32_t homes;              /* Slots where an entry may be at home. */
    uint32_t capacity;           /* All slots. */
    uint32_t count;              /* Those taken. */
    uint32_t moves; /* How often all moved: slots known before are void. */
};

/* What the table itself holds of its allocator. */
size_t hf_table_bytes(const struct hf_table *table);

/* The slot of @key, HF_TABLE_NONE when it is not there. */
uint32_t hf_table_find(const struct hf_table *table, struct hf_slice key,
                       uint32_t hash);

/* Has the processor fetch what finding a key of @hash will read first, and, a
 * little later, the session itself. Changes nothing. */
void hf_table_expect(const struct hf_table *table, uint32_t hash);
void hf_table_expect_entry(const struct hf_table *table, uint32_t hash);

/* The first slot taken by a hash of @hash or more, or capacity. */
uint32_t hf_table_first_from(const struct hf_table *table, uint32_t hash);

/* Makes sure that an entry with @hash can be inserted. False without memory. */
HF_NODISCARD bool hf_table_make_room(struct hf_table *table, struct hf_mem *mem,
                                     uint32_t hash);

/* Gives @table, which is empty, room for about @count entries, so that it need
 * not grow for each few of them. False without memory. */
HF_NODISCARD bool hf_table_reserve(struct hf_table *table, struct hf_mem *mem,
                                   uint32_t count);

/* Adds @session, whose deadline is set, after hf_table_make_room for its
 * @hash; it must not be there yet. Returns its slot. */
uint32_t hf_table_insert(struct hf_table *table, struct hf_session *session,
                         uint32_t hash);

/* Takes out who is in @slot. Those behind move up. */
void hf_table_remove(struct hf_table *table, uint32_t slot);

/* Gives memory back when few slots are taken, all of it when none is. */
void hf_table_give_back(struct hf_table *table, struct hf_mem *mem);

/* The deadline of who is in @slot is now @deadline. */
static inline void hf_table_due_at(struct hf_table *table, uint32_t slot,
                                   hf_time deadline)
{
    hf_time *due = &table->due[slot / HF_TABLE_GROUP];
    if (deadline < *due) {
        *due = deadline;
    }
}

/* Groups of slots, all but the last HF_TABLE_GROUP each. */
static inline uint32_t hf_table_group_count(const struct hf_table *table)
{
    return (table->capacity + HF_TABLE_GROUP - 1) / HF_TABLE_GROUP;
}

/* The earliest `due`, HF_NEVER when there is none. */
hf_time hf_table_first_due(const struct hf_table *table);

#endif
