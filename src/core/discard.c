#include "core/discard.h"

#include "base/assert.h"
#include "core/node_state.h"

/* Takes over @sessions, which are in use by nobody else. */
static void put_aside(struct hf_node *node, struct hf_sessions *sessions)
{
    struct hf_discarded *discarded =
        hf_mem_alloc(node->mem, sizeof(*discarded));
    if (discarded == NULL) {
        hf_sessions_clear(sessions); /* So there is memory for the next. */
        return;
    }
    *discarded = (struct hf_discarded){.sessions = *sessions};
    hf_list_push_back(&node->discarding, &discarded->link);
}

void hf_node_discard(struct hf_node *node, uint16_t p)
{
    struct hf_sessions *sessions = &node->partitions[p].sessions;
    if (sessions->table.count == 0) {
        hf_sessions_clear(sessions);
        return;
    }
    struct hf_sessions_totals *totals = sessions->totals;
    hf_sessions_count_in(sessions, NULL);
    put_aside(node, sessions);
    hf_sessions_init(sessions, node->mem, &node->expiry, p);
    hf_sessions_count_in(sessions, totals);
}

bool hf_node_discard_sessions(struct hf_node *node, uint16_t p,
                              uint8_t database)
{
    struct hf_sessions taken;
    if (!hf_sessions_take(&node->partitions[p].sessions, database, &taken)) {
        return false;
    }
    put_aside(node, &taken);
    return true;
}

static void discarded_free(struct hf_node *node, struct hf_discarded *discarded)
{
    HF_ASSERT(discarded->sessions.bytes == 0);
    hf_list_remove(&discarded->link);
    hf_mem_free(node->mem, discarded, sizeof(*discarded));
}

void hf_node_discard_step(struct hf_node *node, uint32_t slots)
{
    while (slots > 0 && !hf_list_is_empty(&node->discarding)) {
        struct hf_discarded *discarded =
            HF_CONTAINER_OF(node->discarding.next, struct hf_discarded, link);
        uint32_t before = discarded->slot;
        if (!hf_sessions_clear_step(&discarded->sessions, &discarded->slot,
                                    slots)) {
            return;
        }
        uint32_t took = discarded->slot - before + 1;
        slots -= took < slots ? took : slots;
        discarded_free(node, discarded);
    }
}

void hf_node_discard_close(struct hf_node *node)
{
    while (!hf_list_is_empty(&node->discarding)) {
        hf_node_discard_step(node, UINT32_MAX);
    }
}

/* Forgetting what cannot be repeated any more. */

/* Whether we ever heard of it by itself. One that was silent since we started
 * may come and ask again; it is not gone before we had time to meet it. */
static bool is_met(const struct hf_node *node, hf_incarnation origin)
{
    if (origin == node->config.self.incarnation ||
        node->now - node->started_at > HF_ORIGIN_GONE_MS) {
        return true;
    }
    for (size_t i = 0; i < node->peer_count; i++) {
        if (node->peers[i].info.incarnation == origin) {
            return node->peers[i].has_beat;
        }
    }
    return false;
}

static bool is_over(void *user, struct hf_operation_id id)
{
    const struct hf_node *node = user;
    return is_met(node, id.origin) && hf_node_is_over(node, id) &&
           !HF_MUTATED(OPERATIONS_KEPT);
}

void hf_node_forget_operations(struct hf_node *node)
{
    hf_operations_forget(&node->operations, HF_FORGET_VISITS, is_over, node);
}
