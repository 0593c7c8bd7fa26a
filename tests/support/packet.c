#include "support/packet.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define PROBE_TIMEOUT_US INT64_C(300000)
#define CLOSE_RETRY_US INT64_C(100000)
#define REORDER_US_MAX 20000

static void packet_arrive(struct task *task);

/* With room for @size bytes behind it. */
static struct packet *packet_allocate(size_t size)
{
    struct packet *packet = malloc(sizeof(*packet) + size);
    HF_ASSERT(packet != NULL);
    return packet;
}

static void packet_init(struct packet *packet, struct network_link *link,
                        enum packet_type type, bool by_dialler,
                        uint64_t session)
{
    memset(packet, 0, offsetof(struct packet, info));
    packet->task.run = packet_arrive;
    hf_list_init(&packet->place);
    hf_list_push_back(&link->network->packets, &packet->member);
    packet->network = link->network;
    packet->type = type;
    packet->from = by_dialler ? link->src : link->dst;
    packet->to = by_dialler ? link->dst : link->src;
    packet->channel = link->channel;
    packet->by_dialler = by_dialler;
    packet->session = session;
    packet->origin = link->network->nodes[packet->from].info.incarnation;
}

struct packet *packet_create(struct network_link *link, enum packet_type type,
                             bool by_dialler, uint64_t session)
{
    struct packet *packet = packet_allocate(0);
    packet_init(packet, link, type, by_dialler, session);
    return packet;
}

struct packet *packet_create_frame(struct network_link *link,
                                   struct hf_slice bytes)
{
    struct packet *packet = packet_allocate(bytes.size);
    packet_init(packet, link, PACKET_FRAME, true, link->out.session);
    packet->destination = link->out.peer.incarnation;
    packet->size = bytes.size;
    memcpy(packet->bytes, bytes.data, bytes.size);
    return packet;
}

void packet_destroy(struct packet *packet)
{
    schedule_cancel(packet->network->schedule, &packet->task);
    hf_list_remove(&packet->place);
    hf_list_remove(&packet->member);
    free(packet);
}

struct network_link *packet_link(const struct packet *packet)
{
    return packet->by_dialler
               ? &packet->network
                      ->links[packet->from][packet->to][packet->channel]
               : &packet->network
                      ->links[packet->to][packet->from][packet->channel];
}

static struct network_path *packet_path(const struct packet *packet)
{
    return &packet->network->links[packet->from][packet->to][packet->channel]
                .path;
}

static bool path_draws(struct network *network, uint32_t chance)
{
    return chance > 0 && hf_rng_chance(&network->rng, chance, 10000);
}

static int64_t path_delay(struct network *network,
                          const struct network_faults *faults)
{
    int64_t delay_us = faults->delay_us;
    if (faults->jitter_us > 0) {
        delay_us += (int64_t)hf_rng_below(&network->rng,
                                          (uint64_t)faults->jitter_us + 1);
    }
    if (faults->burst_us > 0 && path_draws(network, faults->burst)) {
        delay_us +=
            (int64_t)hf_rng_below(&network->rng, (uint64_t)faults->burst_us);
    }
    return delay_us;
}

/* When the last of @size bytes has entered a path, after those before it. */
static int64_t path_passed(struct network_path *path, size_t size,
                           int64_t now_us)
{
    if (path->faults.bytes_per_ms == 0) {
        return now_us;
    }
    path->free_us = path->free_us > now_us ? path->free_us : now_us;
    path->free_us +=
        (int64_t)size * SCHEDULE_US_PER_MS / (int64_t)path->faults.bytes_per_ms;
    return path->free_us;
}

void packet_send_at(struct packet *packet, int64_t at_us)
{
    schedule_at(packet->network->schedule, &packet->task, at_us);
}

/* Plans the arrival; packets keep their order unless a fault is drawn. */
static void packet_travel(struct packet *packet)
{
    struct network *network = packet->network;
    struct network_path *path = packet_path(packet);
    int64_t at_us = path_passed(path, packet->size, network->schedule->now_us) +
                    path_delay(network, &path->faults);
    if (packet->type == PACKET_FRAME &&
        path_draws(network, path->faults.reorder)) {
        at_us += 1 + (int64_t)hf_rng_below(&network->rng, REORDER_US_MAX);
    } else {
        at_us = at_us > path->arrival_us ? at_us : path->arrival_us + 1;
        path->arrival_us = at_us;
    }
    packet_send_at(packet, at_us);
}

static struct packet *packet_copy(const struct packet *packet)
{
    struct packet *copy = packet_allocate(packet->size);
    memcpy(copy, packet, sizeof(*packet) + packet->size);
    copy->task = (struct task){.run = packet_arrive};
    hf_list_init(&copy->place);
    hf_list_push_back(&packet->network->packets, &copy->member);
    return copy;
}

/* What a process that stood still finds in its socket when it goes on, or what
 * some middlebox kept: a greeting of a process that has died meanwhile. */
static void hello_lingers(const struct packet *packet)
{
    struct network *network = packet->network;
    const struct network_faults *faults = &packet_path(packet)->faults;
    if (path_draws(network, faults->late_hello)) {
        struct packet *copy = packet_copy(packet);
        copy->late = true;
        packet_send_at(
            copy, network->schedule->now_us +
                      (int64_t)hf_rng_below(&network->rng,
                                            (uint64_t)faults->late_us_max));
    }
}

static bool sender_lives(const struct packet *packet)
{
    const struct network_node *node = &packet->network->nodes[packet->from];
    return node->running && node->info.incarnation == packet->origin;
}

/* Whether anything is left of @packet. */
static bool frame_suffers(struct packet *packet)
{
    struct network *network = packet->network;
    const struct network_faults *faults = &packet_path(packet)->faults;
    if (path_draws(network, faults->loss)) {
        trace_add(network->trace, network->schedule->now_us,
                  "net: lost a frame %u > %u", packet->from + 1,
                  packet->to + 1);
        return false;
    }
    if (path_draws(network, faults->duplicate)) {
        packet_travel(packet_copy(packet));
    }
    if (path_draws(network, faults->corrupt)) {
        size_t index = hf_rng_below(&network->rng, packet->size);
        packet->bytes[index] ^= (uint8_t)(1 + hf_rng_below(&network->rng, 255));
    }
    return true;
}

static void probe_gives_up(struct packet *packet)
{
    struct network_link *link = packet_link(packet);
    struct packet *answer = packet_create(link, PACKET_PROBED, false, 0);
    answer->token = packet->token;
    answer->result = HF_PROBE_UNKNOWN;
    answer->destination = packet->origin;
    packet_send_at(answer,
                   packet->network->schedule->now_us + PROBE_TIMEOUT_US);
    packet_destroy(packet);
}

void packet_send(struct packet *packet)
{
    struct network_path *path = packet_path(packet);
    if (packet->type == PACKET_HELLO && !packet->late) {
        hello_lingers(packet);
    }
    if (packet->type == PACKET_PROBE && (path->cut || path->clogged)) {
        probe_gives_up(packet);
        return;
    }
    if (path->cut && packet->type == PACKET_CLOSE) {
        packet_send_at(packet,
                       packet->network->schedule->now_us + CLOSE_RETRY_US);
        return;
    }
    if (path->cut || (packet->type == PACKET_FRAME && !frame_suffers(packet))) {
        packet_destroy(packet);
        return;
    }
    if (path->clogged) {
        hf_list_push_back(&path->held, &packet->place);
        return;
    }
    packet_travel(packet);
}

void packet_send_close(struct network_link *link, bool by_dialler,
                       uint64_t session, hf_incarnation destination)
{
    struct packet *packet =
        packet_create(link, PACKET_CLOSE, by_dialler, session);
    packet->destination = destination;
    packet_send(packet);
}

/* The kernel of a host answers a connect, whatever its process does. */
static void probe_arrives(struct packet *packet)
{
    struct network *network = packet->network;
    struct network_link *link = packet_link(packet);
    const struct network_path *back =
        &network->links[packet->to][packet->from][packet->channel].path;
    if (back->cut || back->clogged) {
        probe_gives_up(packet);
        return;
    }
    struct packet *answer = packet_create(link, PACKET_PROBED, false, 0);
    answer->token = packet->token;
    answer->destination = packet->origin;
    answer->result = network->nodes[packet->to].running ? HF_PROBE_CONNECTED
                                                        : HF_PROBE_REFUSED;
    packet_destroy(packet);
    packet_send_at(answer, network->schedule->now_us +
                               path_delay(network, &back->faults));
}

/* Nobody has this connection here: what a kernel answers with a reset. */
static bool packet_is_stray(const struct packet *packet)
{
    const struct network_node *node = &packet->network->nodes[packet->to];
    return !node->running || (packet->destination != 0 &&
                              packet->destination != node->info.incarnation);
}

static void packet_arrive(struct task *task)
{
    struct packet *packet = HF_CONTAINER_OF(task, struct packet, task);
    struct network *network = packet->network;
    if (packet->late && sender_lives(packet)) {
        packet_destroy(packet);
        return;
    }
    if (packet->type != PACKET_PROBED && packet_path(packet)->cut) {
        packet_send(packet); /* Lost, or tried again. */
        return;
    }
    if (network->nodes[packet->to].lost) {
        if (packet->type == PACKET_PROBE) {
            probe_gives_up(packet);
        } else {
            packet_destroy(packet);
        }
        return;
    }
    if (packet->type == PACKET_PROBE) {
        probe_arrives(packet);
        return;
    }
    if (packet_is_stray(packet)) {
        if (packet->type == PACKET_FRAME || packet->type == PACKET_WELCOME) {
            packet_send_close(packet_link(packet), !packet->by_dialler,
                              packet->session, packet->origin);
        }
        packet_destroy(packet);
        return;
    }
    if (packet->type == PACKET_HELLO && network->nodes[packet->to].paused) {
        packet_destroy(packet); /* Accepted, never answered: times out. */
        return;
    }
    hf_list_push_back(&network->nodes[packet->to].inbox, &packet->place);
    network->host.arrived(network->host.user, packet->to);
}
