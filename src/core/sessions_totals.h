/* sessions_totals.h - The counts of a table of sessions, and with them those of
 * where it is counted: whatever changes them does it here. */
#ifndef HF_CORE_SESSIONS_TOTALS_H
#define HF_CORE_SESSIONS_TOTALS_H

#include "core/session.h"

/* Changes `bytes` by @more, less @less. */
static inline void hf_sessions_hold(struct hf_sessions *sessions, size_t more,
                                    size_t less)
{
    sessions->bytes += more - less;
    if (sessions->totals != NULL) {
        sessions->totals->bytes += more - less;
    }
}

/* There is one more fence, of @bytes; */
static inline void hf_sessions_hold_fence(struct hf_sessions *sessions,
                                          size_t bytes)
{
    sessions->fence_bytes += bytes;
    if (sessions->totals != NULL) {
        sessions->totals->fences++;
        sessions->totals->fence_bytes += bytes;
    }
}

/* or one fewer. */
static inline void hf_sessions_drop_fence(struct hf_sessions *sessions,
                                          size_t bytes)
{
    sessions->fence_bytes -= bytes;
    if (sessions->totals != NULL) {
        sessions->totals->fences--;
        sessions->totals->fence_bytes -= bytes;
    }
}

/* There is one more session, with @key; */
static inline void hf_sessions_count_one(struct hf_sessions *sessions,
                                         struct hf_slice key)
{
    uint8_t database = hf_key_database(key);
    sessions->count++;
    sessions->counts[database]++;
    if (sessions->totals != NULL) {
        sessions->totals->counts[database]++;
    }
}

/* or one fewer. */
static inline void hf_sessions_uncount_one(struct hf_sessions *sessions,
                                           struct hf_slice key)
{
    uint8_t database = hf_key_database(key);
    sessions->count--;
    sessions->counts[database]--;
    if (sessions->totals != NULL) {
        sessions->totals->counts[database]--;
    }
}

/* What the places for fences take, in the heap of them. */
static inline size_t
hf_sessions_fence_places(const struct hf_sessions *sessions)
{
    return sessions->fences.capacity * sizeof(struct hf_heap_item *);
}

/* How many are of @database, or of clients for HF_DATABASE_ALL. */
static inline uint32_t hf_sessions_count_of(const struct hf_sessions *sessions,
                                            uint8_t database)
{
    return database == HF_DATABASE_ALL ? hf_sessions_of_clients(sessions)
                                       : sessions->counts[database];
}

/* Whether @entry is one of these; a fence never is. */
static inline bool hf_session_is_of(const struct hf_session *entry,
                                    uint8_t database)
{
    uint8_t of = hf_key_database(hf_session_key(entry));
    return hf_session_type(entry) != HF_SESSION_FENCE &&
           (database == HF_DATABASE_ALL ? of < HF_DATABASE_COUNT
                                        : of == database);
}

#endif
