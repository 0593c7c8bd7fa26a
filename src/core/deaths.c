/* deaths.c - Who is alive, and who is proven dead.
 *
 * Three grades of bad news about a member:
 *   silent     nothing heard for HF_SUSPECT_MS. It may be paused or cut off
 *              and may come back: never proof of death.
 *   lost       its end of a link closed or was reset. We probe.
 *   certified  lost, and a fresh connect is refused by a live kernel; or
 *              another process of its name gives back what we sent when the
 *              member existed already. It is dead.
 * A certificate is fresh when we saw it while a lease from the dead one was
 * still running: then it died before it could agree to any view without us
 * (reliability: "safe set"). */
#include <string.h>

#include "core/node_state.h"

static void certify(struct hf_node *node, uint8_t member)
{
    hf_member_set bit = hf_member_set_of(member);
    if (member == node->self || (node->dead & bit) != 0) {
        return;
    }
    node->dead |= bit;
    node->members[member].died_at = node->now;
    bool fresh =
        (hf_node_is_bound(node, member) || HF_MUTATED(STALE_CERTIFICATE)) &&
        !HF_MUTATED(NO_CERTIFICATE);
    if (fresh) {
        node->fresh |= bit;
    }
    hf_log(&node->config.log, HF_LOG_WARNING, "%s died (certified%s)",
           node->view->members[member].name, fresh ? "" : ", not fresh");
    hf_node_lease_changed(node);
}

void hf_node_certify_replaced(struct hf_node *node, const struct hf_peer *peer)
{
    uint8_t member = hf_view_find_id(node->view, peer->info.id);
    if (peer->member == HF_MEMBER_NONE && member != HF_MEMBER_NONE &&
        (node->dead & hf_member_set_of(member)) == 0 &&
        (peer->echoed >= node->installed_at || HF_MUTATED(GREETING_IS_DEATH)) &&
        !HF_MUTATED(ANY_INCARNATION)) {
        certify(node, member);
        hf_node_consider_change(node);
    }
}

bool hf_node_is_replaced(const struct hf_node *node, const struct hf_peer *peer)
{
    return node->state == HF_STATE_OUT && peer->echoed >= node->started_at;
}

uint64_t hf_node_probe_start(struct hf_node *node, enum hf_probe_kind kind,
                             const struct hf_address *address)
{
    uint64_t token = ++node->probe_token;
    struct hf_probe *probe = &node->probes[token % HF_PROBES_MAX];
    *probe =
        (struct hf_probe){.token = token, .kind = kind, .sent_at = node->now};
    node->out->probe(node->out->user, address, token);
    return token;
}

void hf_node_address_of(const struct hf_peer_info *info,
                        struct hf_address *address)
{
    memcpy(address->host, info->host, sizeof(address->host));
    address->port = info->peer_port;
}

void hf_node_probe_peer(struct hf_node *node, struct hf_peer *peer)
{
    struct hf_address address;
    hf_node_address_of(&peer->info, &address);
    peer->probed_at = node->now;
    uint64_t token = hf_node_probe_start(node, HF_PROBE_PEER, &address);
    node->probes[token % HF_PROBES_MAX].incarnation = peer->info.incarnation;
}

uint8_t hf_node_named(const struct hf_node *node, const struct hf_peer *peer)
{
    if (node->state != HF_STATE_ACTIVE || peer->member != HF_MEMBER_NONE) {
        return peer->member;
    }
    uint8_t member = hf_view_find_id(node->view, peer->info.id);
    if (member == HF_MEMBER_NONE || member == node->self) {
        return HF_MEMBER_NONE;
    }
    const struct hf_peer_info *info = &node->view->members[member];
    bool same = hf_node_address_equal(info->host, info->peer_port,
                                      peer->info.host, peer->info.peer_port);
    return same ? member : HF_MEMBER_NONE;
}

static void peer_refused(struct hf_node *node, const struct hf_probe *probe)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        struct hf_peer *peer = &node->peers[i];
        if (peer->info.incarnation != probe->incarnation ||
            (!peer->lost && hf_peer_has_links(peer))) {
            continue;
        }
        peer->refused_at = node->now;
        if (!peer->lost) {
            continue; /* Perhaps only we have a wrong address. */
        }
        peer->refused = true;
        uint8_t member = hf_node_named(node, peer);
        if (member != HF_MEMBER_NONE &&
            (member == peer->member ||
             (probe->sent_at >= node->installed_at && /* It was there before. */
              hf_node_host_is_numeric(&peer->info)))) {
            certify(node, member);
            hf_node_consider_change(node);
        }
    }
}

void hf_node_probed(struct hf_node *node, uint64_t token,
                    enum hf_probe_result result)
{
    const struct hf_probe *probe = &node->probes[token % HF_PROBES_MAX];
    if (probe->token != token) {
        return; /* Older than the last HF_PROBES_MAX. */
    }
    if (probe->kind == HF_PROBE_SEED) {
        node->seeds[probe->seed].refused = result == HF_PROBE_REFUSED;
        node->seeds[probe->seed].accepted = result == HF_PROBE_CONNECTED;
    } else if (result == HF_PROBE_REFUSED || HF_MUTATED(ANY_PROBE_IS_DEATH)) {
        peer_refused(node, probe);
    }
}
