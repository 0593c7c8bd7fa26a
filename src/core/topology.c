#include "core/topology.h"

#include "base/hash.h"
#include "core/key.h"
#include "core/node_state.h"

static bool can_front(const struct hf_view *view, uint8_t member)
{
    return view->members[member].cluster_port != 0 &&
           (view->absent & hf_member_set_of(member)) == 0;
}

uint8_t hf_view_front(const struct hf_view *view, uint8_t member)
{
    if (can_front(view, member)) {
        return member;
    }
    uint8_t last = HF_MEMBER_NONE;
    for (uint8_t i = 0; i < view->member_count; i++) {
        if (can_front(view, i)) {
            last = i;
            if ((view->leaving & hf_member_set_of(i)) == 0) {
                return i; /* One that stays. */
            }
        }
    }
    return last;
}

uint8_t hf_view_front_of(const struct hf_view *view, uint16_t partition)
{
    return hf_view_front(view, view->acting[partition].members[0]);
}

void hf_node_get_topology(const struct hf_node *node,
                          struct hf_topology *topology)
{
    *topology = (struct hf_topology){.self = HF_MEMBER_NONE};
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    const struct hf_view *view = node->view;
    topology->view = view;
    topology->self = node->self;
    topology->serving = hf_node_has_lease(node);
    topology->alive =
        hf_view_voters(view) & ~hf_node_suspects(node) & ~node->dead;
    topology->alive |= hf_member_set_of(node->self);
    for (uint8_t i = 0; i < view->member_count; i++) {
        if (node->members[i].ready || i == node->self) {
            topology->level |= topology->alive & hf_member_set_of(i);
        }
    }
}

const struct hf_peer_info *
hf_topology_redirect(const struct hf_topology *topology, uint16_t partition)
{
    if (topology->view == NULL) {
        return NULL;
    }
    uint8_t front = hf_view_front_of(topology->view, partition);
    if (front == HF_MEMBER_NONE || front == topology->self ||
        (topology->level & hf_member_set_of(front)) == 0) {
        return NULL;
    }
    return &topology->view->members[front];
}

void hf_topology_id(const struct hf_peer_info *info,
                    char id[HF_TOPOLOGY_ID_DIGITS + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t bits = info->id;
    for (unsigned i = 0; i < HF_TOPOLOGY_ID_DIGITS; i++) {
        if (i % 16 == 0 && i > 0) { /* The others follow from the first. */
            struct hf_slice before = {(const uint8_t *)id, i};
            bits = hf_hash(before);
        }
        id[i] = digits[bits >> 60];
        bits <<= 4;
    }
    id[HF_TOPOLOGY_ID_DIGITS] = '\0';
}

struct in_slot {
    hf_time now;
    uint16_t slot;
    uint32_t limit;
    uint32_t count;
    struct hf_buffer *tokens;
};

static void on_session(void *user, const struct hf_session *session)
{
    struct in_slot *in_slot = user;
    struct hf_slice key = hf_session_key(session);
    if (in_slot->count < in_slot->limit && hf_key_database(key) == 0 &&
        hf_slot_of_key(hf_key_text(key)) == in_slot->slot &&
        hf_session_deadline(session) > in_slot->now) {
        if (in_slot->tokens != NULL) {
            hf_reply_put_bulk(in_slot->tokens, hf_key_text(key));
        }
        in_slot->count++;
    }
}

uint32_t hf_node_keys_in_slot(const struct hf_node *node, uint16_t slot,
                              uint32_t limit, struct hf_buffer *tokens)
{
    const struct hf_partition *partition =
        &node->partitions[slot / HF_SLOTS_PER_PARTITION];
    struct in_slot in_slot = {
        .now = node->now, .slot = slot, .limit = limit, .tokens = tokens};
    if (partition->primary) {
        (void)hf_sessions_scan(&partition->sessions, 0, UINT32_MAX, on_session,
                               &in_slot);
    }
    return in_slot.count;
}
