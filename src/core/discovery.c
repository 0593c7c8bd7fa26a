/* discovery.c - Finding a cluster to join, or starting one.
 *
 * A node asks its seeds. Whoever is in a cluster takes it in. When nobody is,
 * the one that comes first by node id starts a cluster and the others join;
 * only a seed does so alone, and an excluded node only when everybody it knows
 * of is dead or as lost as itself: it knows that there was a cluster, and
 * others may have joined that since. */
#include <string.h>

#include "core/node_state.h"

static void probe_seed(struct hf_node *node, uint32_t seed)
{
    node->seeds[seed].probed_at = node->now;
    uint64_t token =
        hf_node_probe_start(node, HF_PROBE_SEED, &node->config.seeds[seed]);
    node->probes[token % HF_PROBES_MAX].seed = seed;
}

void hf_node_seed_is_self(struct hf_node *node,
                          const struct hf_address *address)
{
    for (uint32_t i = 0; i < node->config.seed_count; i++) {
        const struct hf_address *seed = &node->config.seeds[i];
        if (hf_node_address_equal(seed->host, seed->port, address->host,
                                  address->port)) {
            node->seeds[i].self = true;
        }
    }
}

void hf_node_peers_start(struct hf_node *node)
{
    for (uint32_t i = 0; i < node->config.seed_count; i++) {
        const struct hf_address *seed = &node->config.seeds[i];
        node->seeds[i].self = hf_node_is_own_address(node, seed);
        if (!node->seeds[i].self) {
            node->out->connect(node->out->user, seed);
            probe_seed(node, i);
        }
    }
}

static bool is_linked(const struct hf_peer *peer)
{
    return peer->out_up[HF_CHANNEL_CONTROL] && peer->in_up[HF_CHANNEL_CONTROL];
}

static const struct hf_peer *seed_peer(const struct hf_node *node,
                                       uint32_t seed)
{
    const struct hf_address *address = &node->config.seeds[seed];
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (is_linked(peer) &&
            hf_node_address_equal(peer->info.host, peer->info.peer_port,
                                  address->host, address->port)) {
            return peer;
        }
    }
    return NULL;
}

/* Whether we know of every seed that it is ourselves, that nobody is there, or
 * that it is as new as we are. *@answered: of some other one, at least that
 * somebody is there. It may be in a cluster, and not take us yet: while the
 * process of our name that was there before passes for heard. */
static bool seeds_are_known(struct hf_node *node, bool *answered)
{
    bool known = true;
    *answered = false;
    for (uint32_t i = 0; i < node->config.seed_count; i++) {
        struct hf_seed *seed = &node->seeds[i];
        const struct hf_peer *peer = seed_peer(node, i);
        if (seed->self || (peer != NULL && peer->has_beat)) {
            continue;
        }
        if (!seed->refused) {
            known = false;
            *answered = *answered || seed->accepted;
        }
        if (node->now - seed->probed_at >= HF_PROBE_MS) {
            probe_seed(node, i);
        }
    }
    return known;
}

/* Whether we may start a cluster when nobody else does. Only a seed does so
 * alone: two nodes that wait for the same seed must not become two clusters. */
static bool is_seed(const struct hf_node *node)
{
    for (uint32_t i = 0; i < node->config.seed_count; i++) {
        if (node->seeds[i].self) {
            return true;
        }
    }
    return node->config.seed_count == 0 || HF_MUTATED(ANYBODY_FOUNDS);
}

/* A member of the view that we were left out of, who may live. */
static const char *member_awaited(const struct hf_node *node)
{
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_peer_info *info = &node->view->members[i];
        const struct hf_peer *peer = hf_node_peer_by_id(node, info->id);
        if (info->id == node->config.self.id) {
            continue;
        }
        bool same = peer != NULL && peer->info.incarnation == info->incarnation;
        bool dead = same ? peer->refused
                         : peer != NULL && hf_node_is_replaced(node, peer);
        if (!dead) {
            return info->name;
        }
    }
    return NULL;
}

/* Anybody else whom we have met, who may live and have joined since. */
static const char *stranger_awaited(const struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        /* A link that came up says nothing of what it has become since. */
        bool outside = peer->has_beat &&
                       node->now - peer->beaten <= HF_SUSPECT_MS &&
                       (peer->beat.state == HF_STATE_STARTING ||
                        peer->beat.state == HF_STATE_OUT);
        if (!peer->refused && !outside) {
            return peer->info.name;
        }
    }
    return NULL;
}

/* Or somebody we have not met, where we were told to look. */
static const char *seed_awaited(const struct hf_node *node)
{
    for (uint32_t i = 0; i < node->config.seed_count; i++) {
        const struct hf_seed *seed = &node->seeds[i];
        const struct hf_peer *peer = seed_peer(node, i);
        if (!seed->self && !seed->refused &&
            (peer == NULL || !peer->has_beat)) {
            return node->config.seeds[i].host;
        }
    }
    return NULL;
}

const char *hf_node_waits_for(const struct hf_node *node)
{
    const char *(*const awaited[])(const struct hf_node *) = {
        member_awaited, stranger_awaited, seed_awaited};
    const char *name = NULL;
    for (size_t i = 0; node->state == HF_STATE_OUT && name == NULL &&
                       i < HF_ARRAY_COUNT(awaited);
         i++) {
        name = awaited[i](node);
    }
    return name;
}

bool hf_peer_has_links(const struct hf_peer *peer)
{
    return peer->in_up[0] || peer->out_up[0] || peer->in_up[1] ||
           peer->out_up[1];
}

bool hf_node_peer_matters(const struct hf_node *node,
                          const struct hf_peer *peer)
{
    if (!peer->lost) { /* Known by name only. */
        return !hf_peer_has_links(peer) && node->state == HF_STATE_ACTIVE &&
               (node->view->absent != 0 || node->view_awaited > 0);
    }
    uint8_t member = hf_node_named(node, peer);
    if (member != HF_MEMBER_NONE &&
        (member == peer->member ||
         (node->dead & hf_member_set_of(member)) == 0)) {
        return true;
    }
    return node->state == HF_STATE_ACTIVE
               ? node->view->absent != 0 || node->view_awaited > 0 ||
                     node->merge_awaited > 0
               : !peer->refused;
}

/* Whether somebody who is not proven dead told us that it is in a cluster: it
 * takes us in, now or when we reach it again. Or that it knows of one from
 * which it was left out: then it also knows when that is dead. */
static bool cluster_is_known(const struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        bool inside = peer->beat.state == HF_STATE_ACTIVE ||
                      peer->beat.state == HF_STATE_MERGING;
        bool outside = peer->beat.state == HF_STATE_OUT &&
                       node->state == HF_STATE_STARTING;
        if (peer->has_beat && !peer->refused && (inside || outside)) {
            return true;
        }
    }
    return false;
}

/* Whoever comes first by node id among those that look for a cluster starts
 * it alone; the others join. Two that start one each, because they could not
 * see each other, find out when they meet (hf_node_view_heard). */
void hf_node_discover(struct hf_node *node)
{
    bool answered = false;
    bool known = seeds_are_known(node, &answered);
    bool company = false;
    hf_time waited = node->now - node->started_at;
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        if (!is_linked(peer) || !peer->has_beat ||
            node->now - peer->heard > HF_SUSPECT_MS) {
            continue;
        }
        company = true;
        if (peer->info.id < node->config.self.id &&
            waited < 2 * HF_DISCOVERY_MS) {
            return; /* It starts the cluster. */
        }
    }
    if (hf_node_waits_for(node) != NULL) {
        return;
    }
    hf_time patience = answered ? HF_ANSWERED_MS : HF_DISCOVERY_MS;
    if ((is_seed(node) || company) && waited >= HF_LISTEN_MS &&
        !cluster_is_known(node) && (known || waited >= patience)) {
        hf_node_form_cluster(node);
    }
}

void hf_node_start_over(struct hf_node *node)
{
    hf_log(&node->config.log, HF_LOG_WARNING,
           "all other members are dead and this node has no copy of anything: "
           "looking for a cluster anew");
    hf_node_doubt(node);
    hf_node_leave_epoch(node);
    memset(node->view, 0, sizeof(*node->view));
    node->state = HF_STATE_STARTING;
    node->self = HF_MEMBER_NONE;
    node->dead = 0;
    node->fresh = 0;
    node->started_at = node->now;
    hf_node_lease_changed(node);
    hf_node_peers_attach(node);
}
