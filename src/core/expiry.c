#include "core/expiry.h"

#include "core/session.h"
#include "holdfast/error.h"

/* 4,096 places of 128 ms: once round in 8.7 minutes. Whoever lives longer is
 * looked at once per round. */
#define SLOT_COUNT 4096
#define SLOT_MS 128
#define RETRY_MS 1000 /* When whoever was due could not be deleted yet. */

int hf_expiry_init(struct hf_expiry *expiry, struct hf_mem *mem, hf_time now)
{
    struct hf_list *slots = hf_mem_alloc(mem, SLOT_COUNT * sizeof(*slots));
    if (slots == NULL) {
        return HF_ENOMEM;
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        hf_list_init(&slots[i]);
    }
    *expiry = (struct hf_expiry){
        .mem = mem, .slots = slots, .cursor = now / SLOT_MS * SLOT_MS};
    return 0;
}

void hf_expiry_close(struct hf_expiry *expiry)
{
    hf_mem_free(expiry->mem, expiry->slots,
                SLOT_COUNT * sizeof(*expiry->slots));
    expiry->slots = NULL;
}

static struct hf_list *slot_of(struct hf_expiry *expiry, hf_time at)
{
    return &expiry->slots[(uint64_t)(at / SLOT_MS) % SLOT_COUNT];
}

static void file_at(struct hf_expiry *expiry, struct hf_session *session,
                    hf_time at)
{
    hf_time last = expiry->cursor + (hf_time)(SLOT_COUNT - 1) * SLOT_MS;
    if (at < expiry->cursor) {
        at = expiry->cursor;
    }
    if (at > last) {
        at = last;
    }
    hf_list_remove(&session->link);
    hf_list_push_back(slot_of(expiry, at), &session->link);
}

void hf_expiry_file(struct hf_expiry *expiry, struct hf_session *session)
{
    if (session->deadline == HF_NEVER) {
        hf_list_remove(&session->link);
        return;
    }
    file_at(expiry, session, session->deadline);
}

static void visit(struct hf_expiry *expiry, struct hf_session *session,
                  hf_time now,
                  void (*due)(void *user, struct hf_session *session),
                  void *user)
{
    if (session->deadline > now) {
        hf_expiry_file(expiry, session);
        return;
    }
    /* Before the call: the session may be gone after it. */
    file_at(expiry, session, now + RETRY_MS);
    due(user, session);
}

bool hf_expiry_run(struct hf_expiry *expiry, hf_time now, uint32_t visits_max,
                   void (*due)(void *user, struct hf_session *session),
                   void *user)
{
    /* After a long pause every place is looked at, but only once. */
    hf_time round = (hf_time)SLOT_COUNT * SLOT_MS;
    if (now - expiry->cursor > round) {
        expiry->cursor = (now - round) / SLOT_MS * SLOT_MS;
    }
    uint32_t visits = 0;
    while (expiry->cursor + SLOT_MS <= now) {
        struct hf_list *slot = slot_of(expiry, expiry->cursor);
        while (!hf_list_is_empty(slot)) {
            if (visits == visits_max) {
                return true;
            }
            visits++;
            visit(expiry, HF_CONTAINER_OF(slot->next, struct hf_session, link),
                  now, due, user);
        }
        expiry->cursor += SLOT_MS;
    }
    return false;
}
