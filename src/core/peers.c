/* peers.c - Who is out there: links, heartbeats, leases. */
#include <string.h>

#include "base/assert.h"
#include "core/node_state.h"

bool hf_node_address_equal(const char *host_a, uint16_t port_a,
                           const char *host_b, uint16_t port_b)
{
    return port_a == port_b && strcmp(host_a, host_b) == 0;
}

bool hf_node_host_is_numeric(const struct hf_peer_info *info)
{
    return strchr(info->host, ':') != NULL ||
           info->host[strspn(info->host, "0123456789.")] == '\0';
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           strcmp(host, "::1") == 0;
}

bool hf_node_is_own_address(const struct hf_node *node,
                            const struct hf_address *address)
{
    const struct hf_peer_info *self = &node->config.self;
    return address->port == self->peer_port &&
           (strcmp(address->host, self->host) == 0 ||
            (is_loopback(address->host) && is_loopback(self->host)));
}

bool hf_node_send(struct hf_node *node, const struct hf_peer *peer,
                  const struct hf_message *message)
{
    if (!peer->out_up[hf_message_channel(message->type)]) {
        return false;
    }
    if (hf_message_channel(message->type) == HF_CHANNEL_DATA &&
        peer->member != HF_MEMBER_NONE) {
        node->spoken |= hf_member_set_of(peer->member);
    }
    node->out->send(node->out->user, peer->info.id, peer->info.incarnation,
                    message);
    return true;
}

bool hf_node_send_member(struct hf_node *node, uint8_t member,
                         const struct hf_message *message)
{
    const struct hf_peer *peer = node->members[member].peer;
    return peer != NULL && hf_node_send(node, peer, message);
}

struct hf_peer *hf_node_peer_by_id(const struct hf_node *node, hf_node_id id)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        if (node->peers[i].info.id == id) {
            return &node->peers[i];
        }
    }
    return NULL;
}

struct hf_peer *hf_node_peer_find(const struct hf_node *node, hf_node_id id,
                                  hf_incarnation incarnation)
{
    struct hf_peer *peer = hf_node_peer_by_id(node, id);
    return peer != NULL && peer->info.incarnation == incarnation ? peer : NULL;
}

/* Leases. */

hf_member_set hf_node_lease(struct hf_node *node)
{
    if (node->now >= node->lease_until) {
        hf_node_lease_changed(node);
    }
    return node->lease;
}

void hf_node_lease_changed(struct hf_node *node)
{
    node->lease = 0;
    node->lease_until = HF_NEVER;
    node->lease_safe = false;
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        hf_time end = node->members[i].grant + HF_LEASE_MS;
        if (i != node->self && (end > node->now || HF_MUTATED(NO_LEASE))) {
            node->lease |= hf_member_set_of(i);
            node->lease_until =
                end < node->lease_until ? end : node->lease_until;
        }
    }
    hf_member_set voters = node->lease | hf_member_set_of(node->self);
    node->lease_safe = hf_view_is_safe(hf_view_voters(node->view), node->fresh,
                                       voters & ~node->fresh);
}

hf_member_set hf_node_voteless(const struct hf_node *node)
{
    hf_member_set set = node->fresh;
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        if (node->members[i].gone_over && !HF_MUTATED(GONE_STILL_VOTE)) {
            set |= hf_member_set_of(i);
        }
    }
    return set;
}

bool hf_node_is_bound(const struct hf_node *node, uint8_t member)
{
    const struct hf_member *of = &node->members[member];
    hf_time bound = of->peer == NULL ? of->bound : of->peer->bound;
    return bound + HF_LEASE_MS > node->now;
}

hf_time hf_node_given(const struct hf_node *node, uint8_t member)
{
    const struct hf_member *of = &node->members[member];
    return of->peer == NULL ? of->given : of->peer->given;
}

/* Links. */

/* It is heard both ways, as nobody is whose process has ended. */
static bool is_alive(const struct hf_peer *peer, hf_time now)
{
    return peer->in_up[HF_CHANNEL_CONTROL] &&
           peer->out_up[HF_CHANNEL_CONTROL] &&
           now - peer->heard < HF_SUSPECT_MS;
}

/* Clocks do not tell which of two processes of a name is the later one. While
 * one is heard, a greeting of another is late. Else it is taken: if that one is
 * dead, whoever lives dials again, and is taken in turn. */
bool hf_node_takes(const struct hf_node *node, const struct hf_peer_info *info,
                   hf_time now)
{
    const struct hf_peer *peer = hf_node_peer_by_id(node, info->id);
    return peer == NULL || peer->info.incarnation == info->incarnation ||
           !is_alive(peer, now) || HF_MUTATED(LATE_GREETING);
}

bool hf_node_name_is_used(const struct hf_node *node,
                          const struct hf_peer_info *info, hf_time now)
{
    const struct hf_peer_info *self = &node->config.self;
    if (info->id == self->id) {
        return info->incarnation != self->incarnation;
    }
    const struct hf_peer *peer = hf_node_peer_by_id(node, info->id);
    return peer != NULL && peer->info.incarnation != info->incarnation &&
           !hf_node_address_equal(peer->info.host, peer->info.peer_port,
                                  info->host, info->peer_port) &&
           is_alive(peer, now);
}

static bool is_dialled(const struct hf_node *node, const struct hf_peer *except,
                       const struct hf_address *address)
{
    for (size_t i = 0; i < node->config.seed_count; i++) {
        if (hf_node_address_equal(node->config.seeds[i].host,
                                  node->config.seeds[i].port, address->host,
                                  address->port)) {
            return true;
        }
    }
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer_info *info = &node->peers[i].info;
        if (&node->peers[i] != except &&
            hf_node_address_equal(info->host, info->peer_port, address->host,
                                  address->port)) {
            return true;
        }
    }
    return false;
}

static void peer_dial(struct hf_node *node, const struct hf_peer *peer)
{
    struct hf_address address;
    hf_node_address_of(&peer->info, &address);
    if (!is_dialled(node, peer, &address) &&
        !hf_node_is_own_address(node, &address)) {
        node->out->connect(node->out->user, &address);
    }
}

static void peer_undial(struct hf_node *node, const struct hf_peer *peer)
{
    struct hf_address address;
    hf_node_address_of(&peer->info, &address);
    if (!is_dialled(node, peer, &address)) {
        node->out->forget(node->out->user, &address);
    }
}

/* Room for one more: a free place, or that of a stranger without a link. */
static struct hf_peer *peer_place(struct hf_node *node)
{
    if (node->peer_count < HF_PEERS_MAX) {
        return &node->peers[node->peer_count++];
    }
    struct hf_peer *oldest = NULL;
    for (size_t i = 0; i < node->peer_count; i++) {
        struct hf_peer *peer = &node->peers[i];
        if (peer->member == HF_MEMBER_NONE && !hf_peer_has_links(peer) &&
            (oldest == NULL || peer->heard < oldest->heard)) {
            oldest = peer;
        }
    }
    if (oldest != NULL) {
        peer_undial(node, oldest);
    }
    return oldest;
}

static hf_time max_time(hf_time a, hf_time b)
{
    return a > b ? a : b;
}

static void peer_attach(struct hf_node *node, struct hf_peer *peer)
{
    peer->member = HF_MEMBER_NONE;
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    peer->member =
        hf_view_find(node->view, peer->info.id, peer->info.incarnation);
    if (peer->member != HF_MEMBER_NONE) {
        struct hf_member *member = &node->members[peer->member];
        member->peer = peer;
        peer->given = max_time(peer->given, member->given);
        peer->bound = max_time(peer->bound, member->bound);
    }
}

/* Another process of its name introduced itself. It may live all the same. */
static void peer_detach(struct hf_node *node, const struct hf_peer *peer)
{
    if (peer->member != HF_MEMBER_NONE) {
        struct hf_member *member = &node->members[peer->member];
        member->peer = NULL;
        member->given = peer->given;
        member->bound = peer->bound;
    }
}

/* The peer that introduced itself so, made known if it is new. */
static struct hf_peer *peer_meet(struct hf_node *node,
                                 const struct hf_peer_info *info)
{
    struct hf_peer *peer = hf_node_peer_by_id(node, info->id);
    if (peer != NULL && peer->info.incarnation == info->incarnation) {
        return peer;
    }
    bool moved = peer == NULL ||
                 !hf_node_address_equal(peer->info.host, peer->info.peer_port,
                                        info->host, info->peer_port);
    if (peer != NULL) {
        if (moved) {
            peer_undial(node, peer);
        }
        peer_detach(node, peer);
    } else {
        peer = peer_place(node);
        if (peer == NULL) {
            return NULL;
        }
    }
    *peer = (struct hf_peer){.info = *info,
                             /* Nobody is there, once it refuses. */
                             .lost = !moved && peer->lost,
                             .met_at = node->now,
                             .echoed = HF_TIME_PAST,
                             .view_sent_at = HF_TIME_PAST,
                             .probed_at = HF_TIME_PAST,
                             .refused_at = HF_TIME_PAST,
                             .given = HF_TIME_PAST,
                             .bound = HF_TIME_PAST};
    if (moved) {
        peer_dial(node, peer);
    }
    peer_attach(node, peer);
    return peer;
}

void hf_node_peers_attach(struct hf_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        peer_attach(node, &node->peers[i]);
    }
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    for (uint8_t i = 0; i < node->view->member_count; i++) {
        const struct hf_peer_info *info = &node->view->members[i];
        const struct hf_peer *peer = hf_node_peer_by_id(node, info->id);
        if (i == node->self) {
            continue;
        }
        if (peer == NULL) {
            (void)peer_meet(node, info);
        } else if (peer->info.incarnation == info->incarnation) {
            continue;
        } else if (!hf_peer_has_links(peer)) {
            struct hf_peer *met = peer_meet(node, info);
            if (met != NULL && met->given == HF_TIME_PAST) {
                met->given = node->now; /* Who was there hid it. */
            }
        } else if (node->members[i].given == HF_TIME_PAST) {
            node->members[i].given = node->now; /* When, is not known. */
        }
    }
}

void hf_node_peers_meet(struct hf_node *node, const struct hf_view *view)
{
    for (uint8_t i = 0; i < view->member_count; i++) {
        const struct hf_peer_info *info = &view->members[i];
        struct hf_peer *peer = hf_node_peer_by_id(node, info->id);
        if (info->id == node->config.self.id ||
            (peer != NULL && peer->info.incarnation == info->incarnation)) {
            continue;
        }
        if (peer == NULL || !hf_peer_has_links(peer)) {
            (void)peer_meet(node, info);
        } else { /* This one may have started after what that gave back. */
            peer->met_at = node->now;
            peer->echoed = HF_TIME_PAST;
        }
    }
}

static void send_heartbeat(struct hf_node *node, struct hf_peer *peer);

static void link_up(struct hf_node *node, const struct hf_link_event *link)
{
    struct hf_peer *peer = peer_meet(node, link->peer);
    if (peer == NULL) {
        hf_log(&node->config.log, HF_LOG_ERROR,
               "no room to remember %s: at most %d peers", link->peer->name,
               HF_PEERS_MAX);
        return;
    }
    bool *up = link->out ? peer->out_up : peer->in_up;
    up[link->channel] = true;
    peer->lost = false;
    peer->refused = false;
    peer->refused_at = HF_TIME_PAST;
    if (HF_MUTATED(GREETING_IS_DEATH)) {
        hf_node_certify_replaced(node, peer);
    }
    /* That it could dial us says nothing of whether it hears the answer: one
     * that hears nobody would dial on, and pass for heard. */
    if (link->out && link->channel == HF_CHANNEL_CONTROL) {
        hf_node_heard(node, peer);
        send_heartbeat(node, peer);
    }
    if (link->channel == HF_CHANNEL_DATA && peer->member != HF_MEMBER_NONE) {
        node->members[peer->member].pulled_at = HF_TIME_PAST; /* Is lost. */
        if (link->out) {
            hf_node_stream_restart(node, peer->member);
            if (node->members[peer->member].ready) {
                hf_node_send_positions(node, peer->member);
            }
        }
        hf_node_requests_resend(node, peer->member);
        hf_node_route_held(node);
    }
    hf_node_consider_change(node);
}

static void link_down(struct hf_node *node, const struct hf_link_event *link)
{
    struct hf_peer *peer =
        hf_node_peer_find(node, link->peer->id, link->peer->incarnation);
    if (peer == NULL) {
        return;
    }
    bool *up = link->out ? peer->out_up : peer->in_up;
    up[link->channel] = false;
    if (link->abrupt || !hf_peer_has_links(peer)) {
        peer->lost = true;
        hf_node_probe_peer(node, peer);
    }
}

void hf_node_link_changed(struct hf_node *node,
                          const struct hf_link_event *link)
{
    if (link->peer->id == node->config.self.id) {
        return; /* Somebody runs under our name. links.c says so. */
    }
    if (link->up) {
        link_up(node, link);
    } else {
        link_down(node, link);
    }
}

void hf_node_heard(struct hf_node *node, struct hf_peer *peer)
{
    peer->heard = node->now;
    if (peer->member != HF_MEMBER_NONE) {
        node->members[peer->member].heard = node->now;
    }
}

/* Heartbeats. */

/* Members of the view that we hear; also when it goes on without us. */
static hf_member_set reach(const struct hf_node *node)
{
    if (node->state == HF_STATE_ACTIVE) {
        return hf_view_voters(node->view) & ~hf_node_unreached(node);
    }
    hf_member_set set = 0;
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct hf_peer *peer = &node->peers[i];
        uint8_t member =
            hf_view_find(node->view, peer->info.id, peer->info.incarnation);
        if (member != HF_MEMBER_NONE &&
            node->now - peer->heard <= HF_SUSPECT_MS) {
            set |= hf_member_set_of(member);
        }
    }
    return set;
}

/* Which view we hand over to, or enter nothing before. Who starts over has
 * promised something, too. */
static hf_epoch followed(const struct hf_node *node)
{
    switch (node->state) {
    case HF_STATE_MERGING:
        return node->target->epoch;
    case HF_STATE_OUT:
        return node->promised;
    case HF_STATE_STARTING:
        return HF_MUTATED(STARTS_WITHOUT_PROMISE) ? 0 : node->promised;
    default:
        return 0;
    }
}

static void fill_heartbeat(const struct hf_node *node,
                           struct hf_heartbeat *beat)
{
    *beat = (struct hf_heartbeat){
        .epoch = node->view->epoch,
        .sent_at = node->now,
        .state = (uint8_t)node->state,
        .cluster = node->view->cluster,
        .lineage = hf_lineage_of(node->view),
        .follows = followed(node),
        .reach = reach(node),
        .suspects = hf_node_suspects_itself(node),
        .ops_finished = hf_node_requests_finished(node),
        .leaving = (uint8_t)hf_node_told_leaving(node),
    };
    if (node->state == HF_STATE_ACTIVE) {
        hf_proposal_guests(node, beat);
        beat->refusal_count = node->refused_count;
        memcpy(beat->refusals, node->refused, sizeof(beat->refusals));
        beat->others = hf_proposal_knows_others(node);
    }
    hf_node_count_local(node, beat);
    hf_node_tell_news(node, beat);
}

static void heartbeat_to(struct hf_node *node, struct hf_peer *peer,
                         struct hf_message *message)
{
    struct hf_heartbeat *beat = &message->heartbeat;
    beat->echo = 0;
    beat->news_heard = peer->news.number;
    /* A promise holds while we merge, too: we may come back to our view. */
    bool votes =
        node->state == HF_STATE_ACTIVE || node->state == HF_STATE_MERGING;
    bool may_bind = !votes || node->promised <= node->view->epoch ||
                    HF_MUTATED(GRANTS_AFTER_PROMISE);
    /* Whoever we suspect, or others do with more right, gets no grants even if
     * we hear it, so that the guard can run out. */
    bool withheld =
        node->now < peer->withheld_until ||
        (node->state == HF_STATE_ACTIVE && peer->member != HF_MEMBER_NONE &&
         (hf_node_ungranted(node) & hf_member_set_of(peer->member)));
    if (!may_bind || peer->their_sent_at == 0 || withheld) {
        hf_node_send(node, peer, message);
        return;
    }
    beat->echo = peer->their_sent_at;
    if (hf_node_send(node, peer, message)) {
        peer->given = peer->beaten;
        if (peer->member != HF_MEMBER_NONE) {
            node->members[peer->member].echoed = true;
        }
    }
}

static void send_heartbeat(struct hf_node *node, struct hf_peer *peer)
{
    struct hf_message message = {.type = HF_MESSAGE_HEARTBEAT};
    fill_heartbeat(node, &message.heartbeat);
    heartbeat_to(node, peer, &message);
}

void hf_node_send_heartbeats(struct hf_node *node)
{
    struct hf_message message = {.type = HF_MESSAGE_HEARTBEAT};
    fill_heartbeat(node, &message.heartbeat);
    for (size_t i = 0; i < node->peer_count; i++) {
        heartbeat_to(node, &node->peers[i], &message);
    }
}

void hf_node_take_beat(struct hf_node *node, struct hf_peer *peer)
{
    const struct hf_heartbeat *beat = &peer->beat;
    struct hf_member *member = &node->members[peer->member];
    if ((beat->reach & hf_member_set_of(node->self)) != 0) {
        member->unheard_since = 0;
    } else {
        member->unheard_since =
            member->unheard_since == 0 ? node->now : member->unheard_since;
        member->unheard_at = node->now;
    }
    if (beat->echo != 0 && beat->echo <= node->now) {
        hf_node_note_answer(node, member, beat->echo);
        member->grant = beat->echo > member->grant ? beat->echo : member->grant;
        if (HF_MUTATED(LEASE_FROM_ARRIVAL)) {
            member->grant = node->now;
        }
        bool had = node->lease_safe;
        hf_node_lease_changed(node);
        if (node->commit_blocked || (!had && node->lease_safe) ||
            !hf_list_is_empty(&node->waiting_partitions)) {
            hf_node_run_all_waiting(node);
        }
    }
    if (!member->ready) {
        member->ready = true;
        hf_node_member_ready(node, peer->member);
    }
    if (!member->echoed && node->promised <= node->view->epoch) {
        send_heartbeat(node, peer); /* With the first grant of this epoch. */
    }
}

/* In our lineage, and further on than we are. */
static bool is_later(const struct hf_node *node,
                     const struct hf_heartbeat *beat)
{
    return beat->cluster == node->view->cluster &&
           beat->lineage == hf_lineage_of(node->view) &&
           beat->epoch > node->view->epoch;
}

static bool is_handing_over(const struct hf_heartbeat *beat, hf_epoch to)
{
    return beat->state == HF_STATE_MERGING && beat->follows == to;
}

/* MERGING, all that we hear should know who goes on. */
static void merging_answer(struct hf_node *node, struct hf_peer *peer)
{
    const struct hf_heartbeat *beat = &peer->beat;
    uint8_t member =
        hf_view_find(node->target, peer->info.id, peer->info.incarnation);
    bool there = beat->cluster == node->target->cluster &&
                 beat->lineage == hf_lineage_of(node->target);
    if (there && member != HF_MEMBER_NONE && beat->state == HF_STATE_ACTIVE) {
        node->merge_heard = node->now;
    }
    if (!there && beat->cluster != 0 &&
        !is_handing_over(beat, node->target->epoch)) {
        hf_node_offer_view(node, peer);
    }
}

/* Where a member is when not in our view; @apart: in none that we know of. */
static void note_place(const struct hf_node *node, struct hf_member *member,
                       const struct hf_heartbeat *beat, bool apart)
{
    /* It handed over to us as another lineage, and has nothing of ours. */
    bool outside =
        beat->state == HF_STATE_OUT && beat->epoch == node->view->epoch;
    bool ahead = apart && beat->cluster == node->view->cluster &&
                 beat->epoch > node->view->epoch;
    member->astray = apart || outside;
    member->gone_over =
        outside || (apart && is_handing_over(beat, node->view->epoch));
    if (!ahead || member->gone_over) {
        member->ahead_since = 0;
    } else if (member->ahead_since == 0) {
        member->ahead_since = node->now;
    }
}

void hf_node_heartbeat(struct hf_node *node, struct hf_peer *peer,
                       const struct hf_heartbeat *beat)
{
    peer->beat = *beat;
    peer->has_beat = true;
    node->counters.heartbeats += peer->member != HF_MEMBER_NONE ? 1 : 0;
    peer->their_sent_at = beat->sent_at;
    peer->beaten = node->now;
    if (hf_node_take_news(node, peer, beat)) {
        send_heartbeat(node, peer); /* Somebody waits for it. */
    }
    bool ours = beat->cluster == node->view->cluster;
    bool includes =
        ours && hf_lineage_includes(node->view, beat->lineage, beat->epoch);
    /* One that is in a later view may have agreed to it without us. Only of our
     * own it is certain that it is not later: of an earlier number it can be,
     * where ours was agreed on again (lineage.h). */
    bool binds =
        beat->cluster == 0 || (ours && beat->epoch == node->view->epoch);
    if (binds && beat->echo > peer->bound && beat->echo <= node->now) {
        peer->bound = beat->echo;
    }
    if (beat->echo >= peer->met_at && beat->echo <= node->now) {
        peer->echoed = max_time(peer->echoed, beat->echo);
    }
    hf_epoch above = beat->follows > beat->epoch ? beat->follows : beat->epoch;
    if (above > node->highest_ballot) {
        node->highest_ballot = above;
    }
    if (node->state == HF_STATE_OUT && beat->cluster == node->view->cluster &&
        beat->epoch < node->view->epoch &&
        hf_view_find(node->view, peer->info.id, peer->info.incarnation) !=
            HF_MEMBER_NONE) {
        /* It is in a view that we were left out of. Whoever agreed on that may
         * have left, and nobody else tell it. */
        hf_node_offer_view(node, peer);
    }
    if (node->state == HF_STATE_MERGING) {
        merging_answer(node, peer);
    }
    if (node->state != HF_STATE_ACTIVE) {
        return;
    }
    bool apart = beat->cluster != 0 && !includes && !is_later(node, beat);
    if (peer->member != HF_MEMBER_NONE) {
        note_place(node, &node->members[peer->member], beat, apart);
    }
    if (peer->member != HF_MEMBER_NONE && beat->state == HF_STATE_ACTIVE &&
        beat->epoch == node->view->epoch) {
        hf_node_take_beat(node, peer);
    } else if (apart ? !is_handing_over(beat, node->view->epoch)
                     : beat->epoch < node->view->epoch) {
        hf_node_offer_view(node, peer); /* It may only learn whom to dial. */
    }
    hf_node_certify_replaced(node, peer); /* We may enter another view. */
}

/* Who greeted under the name of a member, and is gone, may have run elsewhere,
 * and been there before: then the member is to be dialled and probed again. */
static void meet_hidden(struct hf_node *node)
{
    bool knows = node->state == HF_STATE_ACTIVE || node->state == HF_STATE_OUT;
    for (uint8_t i = 0; knows && i < node->view->member_count; i++) {
        const struct hf_peer_info *info = &node->view->members[i];
        const struct hf_peer *peer = hf_node_peer_by_id(node, info->id);
        if (info->id == node->config.self.id || peer == NULL ||
            peer->info.incarnation == info->incarnation ||
            hf_peer_has_links(peer) || !peer->refused ||
            (node->dead & hf_member_set_of(i)) != 0 ||
            hf_node_is_replaced(node, peer)) {
            continue;
        }
        struct hf_peer *met = peer_meet(node, info);
        if (met != NULL) {
            met->lost = hf_node_host_is_numeric(info);
        }
    }
}

void hf_node_peers_tick(struct hf_node *node)
{
    hf_node_follow_tick(node);
    hf_node_count_suspicions(node);
    if (node->now >= node->beat_at) {
        node->beat_at = node->now + HF_HEARTBEAT_MS;
        hf_node_send_heartbeats(node);
    }
    meet_hidden(node);
    for (size_t i = 0; i < node->peer_count; i++) {
        struct hf_peer *peer = &node->peers[i];
        if (hf_node_peer_matters(node, peer) &&
            node->now - peer->probed_at >= HF_PROBE_MS) {
            hf_node_probe_peer(node, peer);
        }
    }
    if (node->state == HF_STATE_STARTING || node->state == HF_STATE_OUT) {
        hf_node_discover(node);
    }
}
