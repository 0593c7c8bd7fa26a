#include "support/network.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "support/describe.h"
#include "support/packet.h"

#define DIAL_TIMEOUT_US INT64_C(300000)
#define REDIAL_US_MIN INT64_C(50000)
#define REDIAL_US_MAX INT64_C(500000)
#define PAUSED_RETRY_US INT64_C(50000)
#define IDLE_US INT64_C(500000)
#define SILENCE_US INT64_C(2000000)

static void link_run(struct task *task);

struct network_link *network_link_of(struct network *network, unsigned src,
                                     unsigned dst, enum hf_channel channel)
{
    HF_ASSERT(src < network->node_count && dst < network->node_count);
    return &network->links[src][dst][channel];
}

void network_init(struct network *network, unsigned node_count,
                  struct schedule *schedule, struct trace *trace,
                  const struct network_host *host, uint64_t seed)
{
    HF_ASSERT(node_count <= NETWORK_NODES_MAX);
    memset(network, 0, sizeof(*network));
    network->schedule = schedule;
    network->trace = trace;
    network->host = *host;
    network->node_count = node_count;
    network->redial_us_max = REDIAL_US_MAX;
    hf_mem_init_system(&network->mem);
    hf_rng_init(&network->rng, seed);
    hf_list_init(&network->packets);
    hf_peer_scratch_init(&network->scratch, &network->mem);
    for (unsigned src = 0; src < NETWORK_NODES_MAX; src++) {
        hf_list_init(&network->nodes[src].inbox);
        for (unsigned i = 0; i < NETWORK_NODES_MAX * HF_CHANNEL_COUNT; i++) {
            struct network_link *link =
                &network
                     ->links[src][i / HF_CHANNEL_COUNT][i % HF_CHANNEL_COUNT];
            link->network = network;
            link->src = src;
            link->dst = i / HF_CHANNEL_COUNT;
            link->channel = (enum hf_channel)(i % HF_CHANNEL_COUNT);
            link->task.run = link_run;
            hf_list_init(&link->path.held);
            hf_buffer_init(&link->out.frame, &network->mem);
        }
    }
}

void network_close(struct network *network)
{
    while (!hf_list_is_empty(&network->packets)) {
        packet_destroy(
            HF_CONTAINER_OF(network->packets.next, struct packet, member));
    }
    for (unsigned src = 0; src < NETWORK_NODES_MAX; src++) {
        for (unsigned i = 0; i < NETWORK_NODES_MAX * HF_CHANNEL_COUNT; i++) {
            struct network_link *link =
                &network
                     ->links[src][i / HF_CHANNEL_COUNT][i % HF_CHANNEL_COUNT];
            hf_buffer_close(&link->out.frame);
            schedule_cancel(network->schedule, &link->task);
        }
    }
    hf_peer_scratch_close(&network->scratch);
    HF_ASSERT(network->mem.used_bytes == 0);
}

/* Sessions. */

static void link_redial_later(struct network_link *link)
{
    struct network *network = link->network;
    uint64_t range = (uint64_t)(network->redial_us_max - REDIAL_US_MIN);
    int64_t wait_us =
        REDIAL_US_MIN + (int64_t)hf_rng_below(&network->rng, range);
    schedule_at(network->schedule, &link->task,
                network->schedule->now_us + wait_us);
}

static void link_send_frame(struct network_link *link)
{
    struct network *network = link->network;
    struct hf_buffer *frame = &link->out.frame;
    HF_ASSERT(!frame->failed);
    hf_frame_seal(frame, link->out.session, ++link->out.sequence,
                  link->out.peer.incarnation);
    struct packet *packet = packet_create_frame(link, hf_buffer_slice(frame));
    link->out.sent_us = network->schedule->now_us;
    hf_buffer_clear(frame);
    packet_send(packet);
}

/* A tail that was lost is only noticed when something follows it. */
static void link_keep_alive(struct network_link *link)
{
    struct network *network = link->network;
    if (!network->nodes[link->src].paused && link->out.frame.size == 0 &&
        network->schedule->now_us - link->out.sent_us >= IDLE_US) {
        hf_frame_begin(&link->out.frame);
        link_send_frame(link);
    }
    schedule_at(network->schedule, &link->task,
                network->schedule->now_us + IDLE_US / 2);
}

static void link_run(struct task *task)
{
    struct network_link *link =
        HF_CONTAINER_OF(task, struct network_link, task);
    struct network *network = link->network;
    struct network_node *src = &network->nodes[link->src];
    if (!src->running || !src->wanted[link->dst]) {
        return;
    }
    if (link->out.up) {
        link_keep_alive(link);
        return;
    }
    if (src->paused) {
        schedule_at(network->schedule, task,
                    network->schedule->now_us + PAUSED_RETRY_US);
        return;
    }
    link->out.attempt = ++network->session_last;
    struct packet *packet =
        packet_create(link, PACKET_HELLO, true, link->out.attempt);
    packet->info = src->info;
    packet_send(packet);
    schedule_at(network->schedule, task,
                network->schedule->now_us + DIAL_TIMEOUT_US);
}

static void link_report(struct network_link *link, bool out, bool up,
                        bool abrupt)
{
    struct network *network = link->network;
    unsigned node = out ? link->src : link->dst;
    struct hf_peer_info peer = out ? link->out.peer : link->in.peer;
    struct hf_link_event event = {
        .peer = &peer,
        .channel = link->channel,
        .out = out,
        .up = up,
        .abrupt = abrupt,
    };
    trace_add(network->trace, network->schedule->now_us,
              "%u . link %s %u %s %s%s", node + 1, out ? "to" : "from",
              (out ? link->dst : link->src) + 1,
              link->channel == HF_CHANNEL_DATA ? "data" : "control",
              up ? "up" : "down", abrupt ? ", abrupt" : "");
    trace_mix_number(network->trace, (uint64_t)network->schedule->now_us * 64 +
                                         node * 4 + (out ? 2 : 0) +
                                         (up ? 1 : 0));
    network->host.link(network->host.user, node, &event);
}

static void out_close(struct network_link *link, bool abrupt)
{
    link->out.up = false;
    hf_buffer_clear(&link->out.frame);
    link_redial_later(link);
    link_report(link, true, false, abrupt);
}

static void in_close(struct network_link *link, bool abrupt)
{
    link->in.up = false;
    link_report(link, false, false, abrupt);
}

static void out_drop(struct network_link *link)
{
    packet_send_close(link, true, link->out.session,
                      link->out.peer.incarnation);
    out_close(link, false);
}

static void in_drop(struct network_link *link)
{
    packet_send_close(link, false, link->in.receiver.session,
                      link->in.peer.incarnation);
    in_close(link, false);
}

/* As src/io does when a session with another incarnation came up. */
static void close_others(struct network *network, unsigned node, unsigned peer,
                         hf_incarnation incarnation)
{
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        struct network_link *to = &network->links[node][peer][i];
        struct network_link *from = &network->links[peer][node][i];
        if (to->out.up && to->out.peer.incarnation != incarnation) {
            out_drop(to);
        }
        if (from->in.up && from->in.peer.incarnation != incarnation) {
            in_drop(from);
        }
    }
}

static void take_hello(struct packet *packet)
{
    struct network_link *link = packet_link(packet);
    struct network *network = link->network;
    if (!network->host.takes(network->host.user, packet->to, &packet->info)) {
        packet_send_close(link, false, packet->session, packet->origin);
        return;
    }
    link->in = (struct network_in){
        .up = true,
        .receiver = {.session = packet->session,
                     .self = link->network->nodes[packet->to].info.incarnation},
        .peer = packet->info,
        .heard_us = network->schedule->now_us,
    };
    close_others(network, packet->to, packet->from, packet->info.incarnation);
    link_report(link, false, true, false);
    struct packet *answer =
        packet_create(link, PACKET_WELCOME, false, packet->session);
    answer->destination = packet->origin;
    answer->info = link->network->nodes[packet->to].info;
    packet_send(answer);
}

static void take_welcome(struct packet *packet)
{
    struct network_link *link = packet_link(packet);
    if (link->out.attempt != packet->session) {
        packet_send_close(link, true, packet->session, packet->origin);
        return;
    }
    link->out.attempt = 0;
    struct network *network = link->network;
    if (!network->host.takes(network->host.user, packet->to, &packet->info)) {
        packet_send_close(link, true, packet->session, packet->origin);
        link_redial_later(link);
        return;
    }
    link->out.up = true;
    link->out.session = packet->session;
    link->out.sequence = 0;
    link->out.peer = packet->info;
    link->out.sent_us = link->network->schedule->now_us;
    hf_buffer_clear(&link->out.frame);
    schedule_at(link->network->schedule, &link->task,
                link->network->schedule->now_us + IDLE_US);
    close_others(network, packet->to, packet->from, packet->info.incarnation);
    link_report(link, true, true, false);
}

static void take_close(struct packet *packet)
{
    struct network_link *link = packet_link(packet);
    if (packet->by_dialler) {
        if (link->in.up && link->in.receiver.session == packet->session) {
            in_close(link, true);
        }
        return;
    }
    if (link->out.up && link->out.session == packet->session) {
        out_close(link, true);
    } else if (link->out.attempt == packet->session) {
        link->out.attempt = 0;
        link_redial_later(link);
    }
}

/* Frames. */

static enum hf_link_verdict frame_judge(const struct packet *packet,
                                        struct network_in *in)
{
    struct hf_frame_header header;
    const char *reason;
    struct hf_slice payload = {packet->bytes + HF_FRAME_HEADER_BYTES,
                               packet->size - HF_FRAME_HEADER_BYTES};
    if (hf_frame_read_header(packet->bytes, &header, &reason) != 0 ||
        header.payload_size != payload.size ||
        !hf_frame_is_intact(packet->bytes, payload)) {
        return HF_LINK_BROKEN;
    }
    if (packet->channel == HF_CHANNEL_CONTROL) {
        return HF_LINK_DELIVER; /* However often, in whatever order. */
    }
    return hf_link_judge(&in->receiver, &header);
}

static void frame_deliver(const struct packet *packet)
{
    struct network *network = packet->network;
    struct network_link *link = packet_link(packet);
    hf_node_id from = link->in.peer.id;
    hf_incarnation incarnation = link->in.peer.incarnation;
    struct hf_reader reader =
        hf_reader_of((struct hf_slice){packet->bytes + HF_FRAME_HEADER_BYTES,
                                       packet->size - HF_FRAME_HEADER_BYTES});
    struct hf_message message;
    int result;
    while ((result = hf_peer_decode(&reader, &network->scratch, &message)) ==
           1) {
        network->delivered++;
        if (network->trace->enabled) {
            char text[TRACE_LINE_BYTES];
            describe_message(&message, text, sizeof(text));
            trace_add(network->trace, network->schedule->now_us,
                      "%u > %s from %u", packet->to + 1, text,
                      packet->from + 1);
        }
        network->host.message(network->host.user, packet->to, from, incarnation,
                              &message);
    }
    if (result != 0) {
        network->violation = "a message that was sent does not decode";
    }
}

static void take_frame(struct packet *packet)
{
    struct network *network = packet->network;
    struct network_link *link = packet_link(packet);
    if (!link->in.up || link->in.receiver.session != packet->session) {
        packet_send_close(link, false, packet->session, packet->origin);
        return; /* Of a session that is over: a kernel resets it. */
    }
    link->in.heard_us = network->schedule->now_us;
    switch (frame_judge(packet, &link->in)) {
    case HF_LINK_DELIVER:
        trace_mix_number(network->trace, (uint64_t)network->schedule->now_us);
        /* Its header has the checksum of all of it. */
        trace_mix(network->trace,
                  (struct hf_slice){packet->bytes, HF_FRAME_HEADER_BYTES});
        frame_deliver(packet);
        break;
    case HF_LINK_REPEATED:
        break;
    case HF_LINK_BROKEN:
        network->broken++;
        packet_send_close(link, false, packet->session, packet->origin);
        in_close(link, false);
        break;
    }
}

static void take_probed(struct packet *packet)
{
    struct network *network = packet->network;
    trace_add(network->trace, network->schedule->now_us, "%u . probe of %u: %s",
              packet->to + 1, packet->from + 1,
              packet->result == HF_PROBE_CONNECTED ? "connected"
              : packet->result == HF_PROBE_REFUSED ? "refused"
                                                   : "unknown");
    trace_mix_number(network->trace, packet->token * 4 + packet->result);
    network->host.probed(network->host.user, packet->to, packet->token,
                         packet->result);
}

bool network_take(struct network *network, unsigned node)
{
    struct hf_list *inbox = &network->nodes[node].inbox;
    if (hf_list_is_empty(inbox)) {
        return false;
    }
    struct packet *packet = HF_CONTAINER_OF(inbox->next, struct packet, place);
    hf_list_remove(&packet->place);
    switch (packet->type) {
    case PACKET_HELLO:
        take_hello(packet);
        break;
    case PACKET_WELCOME:
        take_welcome(packet);
        break;
    case PACKET_FRAME:
        take_frame(packet);
        break;
    case PACKET_CLOSE:
        take_close(packet);
        break;
    case PACKET_PROBED:
        take_probed(packet);
        break;
    case PACKET_PROBE:
        HF_ASSERT(packet->type != PACKET_PROBE); /* The kernel's business. */
        break;
    }
    packet_destroy(packet);
    return true;
}

/* What nodes ask for. */

void network_send(struct network *network, unsigned src, hf_node_id to,
                  hf_incarnation incarnation, const struct hf_message *message)
{
    enum hf_channel channel = hf_message_channel(message->type);
    for (unsigned dst = 0; dst < network->node_count; dst++) {
        struct network_link *link = &network->links[src][dst][channel];
        if (!link->out.up || link->out.peer.id != to ||
            link->out.peer.incarnation != incarnation) {
            continue;
        }
        if (link->out.frame.size == 0) {
            hf_frame_begin(&link->out.frame);
        }
        size_t before = link->out.frame.size;
        hf_peer_encode(&link->out.frame, message);
        link->messages[message->type % NETWORK_MESSAGE_TYPES]++;
        link->bytes[message->type % NETWORK_MESSAGE_TYPES] +=
            link->out.frame.size - before;
    }
}

static void close_own(struct network *network, unsigned node, unsigned peer)
{
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        struct network_link *link = &network->links[node][peer][i];
        if (link->out.up) {
            out_drop(link);
        }
    }
}

/* As src/io does: nothing heard on a session for long, not even a frame
 * without messages. */
static void close_silent(struct network *network, unsigned node)
{
    int64_t now_us = network->schedule->now_us;
    if (now_us < network->nodes[node].silent_us) {
        return;
    }
    int64_t silent_us = now_us + SILENCE_US;
    for (unsigned i = 0; i < network->node_count * HF_CHANNEL_COUNT; i++) {
        struct network_link *link =
            &network->links[i / HF_CHANNEL_COUNT][node][i % HF_CHANNEL_COUNT];
        if (link->in.up && now_us - link->in.heard_us > SILENCE_US) {
            in_drop(link);
            close_own(network, node, i / HF_CHANNEL_COUNT);
        } else if (link->in.up && link->in.heard_us + SILENCE_US < silent_us) {
            silent_us = link->in.heard_us + SILENCE_US;
        }
    }
    network->nodes[node].silent_us = silent_us;
}

void network_flush(struct network *network, unsigned src)
{
    close_silent(network, src);
    for (unsigned dst = 0; dst < network->node_count; dst++) {
        for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
            struct network_link *link = &network->links[src][dst][i];
            if (link->out.frame.size > 0) {
                link->frames++;
                link_send_frame(link);
            }
        }
    }
}

/* NETWORK_NODES_MAX when nobody ever lives there. */
static unsigned network_find(const struct network *network,
                             const struct hf_address *address)
{
    for (unsigned i = 0; i < network->node_count; i++) {
        const struct hf_peer_info *info = &network->nodes[i].info;
        if (address->port == info->peer_port &&
            strcmp(address->host, info->host) == 0) {
            return i;
        }
    }
    return NETWORK_NODES_MAX;
}

void network_connect(struct network *network, unsigned src,
                     const struct hf_address *address)
{
    unsigned dst = network_find(network, address);
    if (dst == NETWORK_NODES_MAX || dst == src) {
        return;
    }
    if (network->nodes[src].wanted[dst]) {
        network->violation = "told twice to connect to one address";
    }
    network->nodes[src].wanted[dst] = true;
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        schedule_at(network->schedule, &network->links[src][dst][i].task, 0);
    }
}

void network_forget(struct network *network, unsigned src,
                    const struct hf_address *address)
{
    unsigned dst = network_find(network, address);
    if (dst == NETWORK_NODES_MAX || dst == src) {
        return;
    }
    network->nodes[src].wanted[dst] = false;
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        struct network_link *link = &network->links[src][dst][i];
        schedule_cancel(network->schedule, &link->task);
        link->out.attempt = 0;
        if (link->out.up) {
            network_break(network, src, dst, link->channel);
        }
    }
}

void network_probe(struct network *network, unsigned src,
                   const struct hf_address *address, uint64_t token)
{
    unsigned dst = network_find(network, address);
    if (dst == NETWORK_NODES_MAX) {
        network->violation = "probed an address that nobody has";
        return;
    }
    struct packet *packet = packet_create(
        &network->links[src][dst][HF_CHANNEL_CONTROL], PACKET_PROBE, true, 0);
    packet->token = token;
    packet_send(packet);
}

/* Processes. */

void network_node_place(struct network *network, unsigned node,
                        const struct hf_peer_info *info)
{
    network->nodes[node].info = *info;
}

void network_node_up(struct network *network, unsigned node,
                     const struct hf_peer_info *info)
{
    struct network_node *self = &network->nodes[node];
    HF_ASSERT(!self->running);
    self->running = true;
    self->paused = false;
    self->lost = false;
    self->info = *info;
}

static void links_reset(struct network *network, unsigned node, unsigned other,
                        unsigned channel)
{
    struct network_link *to = &network->links[node][other][channel];
    struct network_link *from = &network->links[other][node][channel];
    if (to->out.up || to->out.attempt != 0) {
        packet_send_close(to, true,
                          to->out.up ? to->out.session : to->out.attempt,
                          to->out.up ? to->out.peer.incarnation : 0);
    }
    if (from->in.up) {
        packet_send_close(from, false, from->in.receiver.session,
                          from->in.peer.incarnation);
    }
}

static void node_end(struct network *network, unsigned node, bool reset)
{
    struct network_node *self = &network->nodes[node];
    HF_ASSERT(self->running);
    self->running = false;
    memset(self->wanted, 0, sizeof(self->wanted));
    while (!hf_list_is_empty(&self->inbox)) {
        packet_destroy(HF_CONTAINER_OF(self->inbox.next, struct packet, place));
    }
    for (unsigned i = 0; i < network->node_count * HF_CHANNEL_COUNT; i++) {
        unsigned other = i / HF_CHANNEL_COUNT;
        struct network_link *to =
            &network->links[node][other][i % HF_CHANNEL_COUNT];
        struct network_link *from =
            &network->links[other][node][i % HF_CHANNEL_COUNT];
        if (reset) {
            links_reset(network, node, other, i % HF_CHANNEL_COUNT);
        }
        to->out.up = false;
        to->out.attempt = 0;
        hf_buffer_clear(&to->out.frame);
        from->in.up = false;
        schedule_cancel(network->schedule, &to->task);
    }
}

void network_node_down(struct network *network, unsigned node)
{
    node_end(network, node, true);
}

void network_node_lose(struct network *network, unsigned node)
{
    node_end(network, node, false);
    network->nodes[node].lost = true;
}

void network_host_back(struct network *network, unsigned node)
{
    network->nodes[node].lost = false;
}

void network_node_pause(struct network *network, unsigned node, bool paused)
{
    HF_ASSERT(network->nodes[node].running);
    network->nodes[node].paused = paused;
    for (unsigned i = 0; i < network->node_count * HF_CHANNEL_COUNT; i++) {
        /* The silence was its own. */
        network->links[i / HF_CHANNEL_COUNT][node][i % HF_CHANNEL_COUNT]
            .in.heard_us = network->schedule->now_us;
    }
}

/* Faults. */

void network_set_faults(struct network *network, unsigned src, unsigned dst,
                        const struct network_faults *faults)
{
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        network->links[src][dst][i].path.faults = *faults;
    }
}

void network_set_faults_all(struct network *network,
                            const struct network_faults *faults)
{
    for (unsigned src = 0; src < NETWORK_NODES_MAX; src++) {
        for (unsigned dst = 0; dst < NETWORK_NODES_MAX; dst++) {
            network_set_faults(network, src, dst, faults);
        }
    }
}

/* Whether @packet waits in its path for bytes before it. */
static bool is_backlog(const struct packet *packet,
                       const struct network_path *path)
{
    return path->free_us > packet->network->schedule->now_us &&
           schedule_has(&packet->task) && !packet->late &&
           packet->type != PACKET_PROBED;
}

#define PATHS (NETWORK_NODES_MAX * NETWORK_NODES_MAX * HF_CHANNEL_COUNT)

static struct network_path *path_at(struct network *network, unsigned i)
{
    unsigned pair = i / HF_CHANNEL_COUNT;
    return &network
                ->links[pair / NETWORK_NODES_MAX][pair % NETWORK_NODES_MAX]
                       [i % HF_CHANNEL_COUNT]
                .path;
}

void network_drain(struct network *network)
{
    int64_t now_us = network->schedule->now_us;
    for (unsigned i = 0; i < PATHS; i++) {
        if (path_at(network, i)->free_us > now_us) {
            path_at(network, i)->arrival_us = now_us;
        }
    }
    const struct hf_list *all = &network->packets;
    for (struct hf_list *at = all->next; at != all; at = at->next) {
        struct packet *packet = HF_CONTAINER_OF(at, struct packet, member);
        struct network_path *path =
            &network_link_of(network, packet->from, packet->to, packet->channel)
                 ->path;
        if (is_backlog(packet, path)) {
            packet_send_at(packet, ++path->arrival_us);
        }
    }
    for (unsigned i = 0; i < PATHS; i++) {
        if (path_at(network, i)->free_us > now_us) {
            path_at(network, i)->free_us = now_us;
        }
    }
}

void network_cut(struct network *network, unsigned src, unsigned dst, bool cut)
{
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        network_link_of(network, src, dst, (enum hf_channel)i)->path.cut = cut;
    }
}

void network_clog(struct network *network, unsigned src, unsigned dst,
                  enum hf_channel channel, bool clogged)
{
    struct network_path *path =
        &network_link_of(network, src, dst, channel)->path;
    path->clogged = clogged;
    while (!clogged && !hf_list_is_empty(&path->held)) {
        struct packet *packet =
            HF_CONTAINER_OF(path->held.next, struct packet, place);
        hf_list_remove(&packet->place);
        path->arrival_us = path->arrival_us > network->schedule->now_us
                               ? path->arrival_us + 1
                               : network->schedule->now_us + 1;
        packet_send_at(packet, path->arrival_us);
    }
}

void network_break(struct network *network, unsigned src, unsigned dst,
                   enum hf_channel channel)
{
    struct network_link *link = network_link_of(network, src, dst, channel);
    if (!link->out.up) {
        return;
    }
    /* Both ends hear of it, each when its news arrives. */
    packet_send_close(link, true, link->out.session,
                      link->out.peer.incarnation);
    struct packet *packet =
        packet_create(link, PACKET_CLOSE, false, link->out.session);
    packet->destination = network->nodes[src].info.incarnation;
    packet_send_at(packet, network->schedule->now_us + 1);
}
