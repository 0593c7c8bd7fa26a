/* sessions_take.c - Taking all sessions of a database out of a table at once,
 * so that they can be freed a little at a time (core/discard.h).
 *
 * What is to stay goes into a table of its own. When that is only fences, these
 * are known; else each session is looked at, which takes a third of the time
 * that it takes to free one. */
#include "core/session.h"
#include "core/sessions_totals.h"

#define AHEAD 8 /* Sessions that are fetched before they are read. */

static bool table_add(struct hf_table *table, struct hf_mem *mem,
                      struct hf_session *entry, uint32_t hash)
{
    bool room = hf_table_make_room(table, mem, hash);
    if (room) {
        (void)hf_table_insert(table, entry, hash);
    }
    return room;
}

/* To @kept, what is not of @database. Nearly all sessions are read for that, so
 * those that come next are fetched meanwhile. */
static bool table_of_others(const struct hf_sessions *sessions,
                            uint8_t database, struct hf_table *kept)
{
    const struct hf_table *all = &sessions->table;
    uint32_t count = all->count - hf_sessions_count_of(sessions, database);
    bool room = hf_table_reserve(kept, sessions->mem, count);
    for (uint32_t i = 0; room && i < all->capacity; i++) {
        if (i + AHEAD < all->capacity) {
            hf_mem_prefetch(all->entries[i + AHEAD]);
        }
        struct hf_session *entry = all->entries[i];
        if (entry != NULL && !hf_session_is_of(entry, database)) {
            room = table_add(kept, sessions->mem, entry, all->hashes[i]);
        }
    }
    return room;
}

/* The same when there are only fences. */
static bool table_of_fences(const struct hf_sessions *sessions,
                            struct hf_table *kept)
{
    bool room = true;
    for (size_t i = 0; room && i < sessions->fences.count; i++) {
        struct hf_session *fence =
            hf_session_of_fence_item(sessions->fences.items[i]);
        room = table_add(kept, sessions->mem, fence, hf_session_hash(fence));
    }
    return room;
}

/* Leaves out of @table what is not of @database: it is looked through again,
 * now that what it takes is near. The bytes of all that. It is not in order
 * any more, and only good for being freed. */
static size_t leave_others(struct hf_table *table, uint8_t database)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < table->capacity; i++) {
        const struct hf_session *entry = table->entries[i];
        if (entry != NULL && !hf_session_is_of(entry, database)) {
            bytes += hf_session_held(entry);
            table->entries[i] = NULL;
            table->count--;
        }
    }
    return bytes;
}

/* The same when there are only fences, those in @kept. */
static size_t leave_fences(struct hf_table *table, const struct hf_table *kept)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < kept->capacity; i++) {
        const struct hf_session *fence = kept->entries[i];
        if (fence != NULL) {
            bytes += hf_session_held(fence);
            hf_table_remove(table, hf_table_find(table, hf_session_key(fence),
                                                 kept->hashes[i]));
        }
    }
    return bytes;
}

/* The sessions of @database, or all of clients, are not in @sessions any more
 * but in @taken. */
static void counts_part(struct hf_sessions *sessions, struct hf_sessions *taken,
                        uint8_t database)
{
    for (unsigned i = 0; i < HF_DATABASE_COUNT; i++) {
        if (database == HF_DATABASE_ALL || database == i) {
            taken->counts[i] = sessions->counts[i];
            taken->count += sessions->counts[i];
            sessions->counts[i] = 0;
        }
    }
    sessions->count -= taken->count;
}

bool hf_sessions_take(struct hf_sessions *sessions, uint8_t database,
                      struct hf_sessions *taken)
{
    uint32_t meant = hf_sessions_count_of(sessions, database);
    struct hf_table kept = {.moves = sessions->table.moves + 1};
    bool others = meant < sessions->count;
    bool room = others ? table_of_others(sessions, database, &kept)
                       : table_of_fences(sessions, &kept);
    if (!room) {
        hf_mem_free(sessions->mem, kept.entries, hf_table_bytes(&kept));
        return false;
    }
    struct hf_sessions_totals *totals = sessions->totals;
    hf_sessions_count_in(sessions, NULL);
    hf_sessions_init(taken, sessions->mem, sessions->expiry,
                     sessions->partition);
    taken->table = sessions->table;
    size_t bytes = hf_sessions_fence_places(sessions) +
                   (others ? leave_others(&taken->table, database)
                           : leave_fences(&taken->table, &kept));
    taken->bytes = sessions->bytes - bytes;
    counts_part(sessions, taken, database);
    sessions->table = kept;
    sessions->bytes = bytes + hf_table_bytes(&kept);
    hf_sessions_count_in(sessions, totals);
    return true;
}
