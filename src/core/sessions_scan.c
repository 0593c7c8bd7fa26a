/* sessions_scan.c - Visiting the sessions of a partition in order. */
#include "core/session.h"
#include "core/sessions.h"

uint64_t hf_sessions_scan(
    const struct hf_sessions *sessions, uint64_t position, uint32_t count,
    void (*visit)(void *user, const struct hf_session *session), void *user)
{
    if (position >= HF_SESSIONS_END) {
        return HF_SESSIONS_END;
    }
    const struct hf_table *table = &sessions->table;
    uint32_t last = 0; /* The hash of who was visited last. */
    uint32_t slot = hf_table_first_from(table, (uint32_t)position);
    for (; slot < table->capacity; slot++) {
        uint32_t hash = table->hashes[slot];
        if (hash == 0) {
            continue;
        }
        if (count == 0 && hash != last) {
            return hash;
        }
        count -= count > 0 ? 1 : 0;
        last = hash;
        visit(user, table->entries[slot]);
    }
    return HF_SESSIONS_END;
}
