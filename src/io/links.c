#include "io/links.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "holdfast/error.h"
#include "io/clock.h"
#include "io/links_private.h"

/* A tick that comes later than this was late: this process or machine stood
 * still, so silence says nothing about others. */
#define TICK_LATE_MS 500
/* While stopping, look more often whether NNG is done. */
#define STOP_TICK_MS 5

static void on_tick(uv_timer_t *timer);

static struct hf_link *link_of(struct hf_list *item)
{
    return HF_CONTAINER_OF(item, struct hf_link, link);
}

static void links_scratch_close(struct hf_links *links)
{
    for (size_t i = 0; i < LINK_BATCH_MAX; i++) {
        hf_peer_scratch_close(&links->scratch[i]);
    }
}

int hf_links_create(struct hf_links **links, uv_loop_t *loop,
                    struct hf_mem *mem, const struct hf_links_config *config,
                    const struct hf_links_handler *handler)
{
    struct hf_links *made = hf_mem_alloc_zero(mem, sizeof(*made));
    if (made == NULL) {
        return HF_ENOMEM;
    }
    made->loop = loop;
    made->mem = mem;
    made->log = config->log;
    made->handler = *handler;
    made->ours.version = HF_PROTOCOL_VERSION;
    HF_ASSERT(strlen(config->cluster_name) <= HF_CLUSTER_NAME_BYTES_MAX);
    memcpy(made->ours.cluster_name, config->cluster_name,
           strlen(config->cluster_name));
    hf_rng_init(&made->rng, config->random_seed);
    made->by_threads = config->by_threads;
    hf_list_init(&made->sessions);
    hf_list_init(&made->closing);
    hf_list_init(&made->left);
    hf_list_init(&made->targets);
    hf_list_init(&made->attempts);
    hf_list_init(&made->probes);
    for (size_t i = 0; i < LINK_BATCH_MAX; i++) {
        hf_peer_scratch_init(&made->scratch[i], mem);
    }

    int rv = hf_links_listen(made, config->bind, config->port);
    if (rv != 0) {
        goto free_links;
    }
    rv = hf_inbox_init(&made->inbox, loop);
    if (rv != 0) {
        goto free_listener;
    }
    HF_ASSERT(uv_timer_init(loop, &made->timer) == 0);
    made->timer.data = made;
    *links = made;
    return 0;

free_listener:
    nng_stream_listener_close(made->listener);
    nng_stream_listener_free(made->listener);
free_links:
    links_scratch_close(made);
    hf_mem_free(mem, made, sizeof(*made));
    return rv;
}

uint16_t hf_links_port(const struct hf_links *links)
{
    return links->port;
}

void hf_links_start(struct hf_links *links, const struct hf_peer_info *self)
{
    links->ours.info = *self;
    links->ticked_at = hf_clock_now();
    hf_links_accept(links);
    uv_timer_start(&links->timer, on_tick, LINK_TICK_MS, LINK_TICK_MS);
}

static struct hf_link *links_find_out(const struct hf_links *links,
                                      enum hf_channel channel, hf_node_id id)
{
    for (size_t i = 0; i < links->out_count[channel]; i++) {
        struct hf_link *link = links->out[channel][i];
        if (link->peer.id == id) {
            return link;
        }
    }
    return NULL;
}

/* Adds @message to the frame under construction; false, and the frame is as it
 * was, when it is too large for that or the session is doomed. */
static bool link_append(struct hf_link *link, const struct hf_message *message)
{
    struct hf_buffer *bytes = &link->frame->bytes;
    size_t size_before = bytes->size;
    hf_peer_encode(bytes, message);
    if (bytes->failed) {
        hf_link_doom(link, "out of memory");
    } else if (bytes->size - HF_FRAME_HEADER_BYTES <= HF_FRAME_PAYLOAD_MAX) {
        return true;
    }
    bytes->size = size_before; /* Never send half a message. */
    bytes->failed = false;
    return false;
}

/* What comes after it must not arrive without it. */
static void link_refuse_to_send(struct hf_link *link,
                                const struct hf_message *message)
{
    struct hf_links *links = link->links;
    static const char reason[] = "a message is larger than any frame";
    if (!link->doomed && hf_links_may_log(links, link->remote, reason, 1000)) {
        hf_log(&links->log, HF_LOG_ERROR,
               "a %s for '%s' is larger than any frame: closing the session",
               hf_message_name(message->type), link->peer.name);
    }
    hf_link_doom(link, reason);
}

void hf_links_send(struct hf_links *links, hf_node_id to,
                   hf_incarnation incarnation, const struct hf_message *message)
{
    enum hf_channel channel = hf_message_channel(message->type);
    struct hf_link *link = links_find_out(links, channel, to);
    if (link == NULL || link->peer.incarnation != incarnation || link->doomed ||
        !hf_link_frame_ready(link)) {
        return;
    }
    bool begun = link->frame->bytes.size > HF_FRAME_HEADER_BYTES;
    bool fits = link_append(link, message);
    if (!fits && begun) { /* Alone in a frame it may. */
        hf_link_seal(link);
        if (link->doomed || !hf_link_frame_ready(link)) {
            return;
        }
        fits = link_append(link, message);
    }
    if (!fits) {
        link_refuse_to_send(link, message);
        return;
    }
    if (link->frame->bytes.size >= HF_LINK_FRAME_BYTES) {
        hf_link_seal(link);
        hf_pipe_flush(&link->pipe);
    }
}

size_t hf_links_queued(const struct hf_links *links, hf_node_id to)
{
    const struct hf_link *link = links_find_out(links, HF_CHANNEL_DATA, to);
    if (link == NULL) {
        return 0;
    }
    size_t begun = link->frame == NULL ? 0 : link->frame->bytes.size;
    return link->pipe.frames_bytes - link->pipe.frame_offset + begun;
}

void hf_links_flush(struct hf_links *links)
{
    for (size_t channel = 0; channel < HF_CHANNEL_COUNT; channel++) {
        for (size_t i = 0; i < links->out_count[channel]; i++) {
            struct hf_link *link = links->out[channel][i];
            if (!link->doomed) {
                hf_link_seal(link);
                hf_pipe_flush(&link->pipe);
            }
        }
    }
}

size_t hf_links_count(const struct hf_links *links)
{
    return links->out_count[HF_CHANNEL_CONTROL];
}

/* Handlers may doom more sessions, so start over after each. */
static void links_end_doomed(struct hf_links *links)
{
    struct hf_list *at = links->sessions.next;
    while (at != &links->sessions) {
        struct hf_link *link = link_of(at);
        at = at->next;
        if (link->doomed) {
            hf_link_end(link, LINK_END_LOCAL, link->because);
            at = links->sessions.next;
        }
    }
}

void hf_links_poll(struct hf_links *links)
{
    if (links->inbox_closing) {
        return;
    }
    hf_inbox_drain(&links->inbox);
    while (links->noted) {
        links->noted = false;
        links_end_doomed(links);
        hf_links_remove_forgotten(links);
        hf_links_dial_due(links, hf_clock_now());
    }
    hf_links_release_closed(links);
}

/* A session that does not get done comes last, and its time is over then. */
bool hf_links_run(struct hf_links *links)
{
    while (
        !hf_list_is_empty(&links->left) &&
        (links->turn_end_ns == 0 || hf_clock_now_ns() < links->turn_end_ns)) {
        struct hf_list *first = links->left.next;
        hf_list_remove(first);
        hf_link_take_in(HF_CONTAINER_OF(first, struct hf_link, left));
    }
    links->turn_end_ns = 0;
    return !hf_list_is_empty(&links->left);
}

static bool links_may_log_more(struct hf_links *links, hf_time now)
{
    if (now - links->quiet_since >= 1000) {
        links->quiet_since = now;
        links->quiet_lines = 0;
    }
    if (links->quiet_lines == LINK_QUIET_LINES_MAX) {
        return false;
    }
    links->quiet_lines++;
    return true;
}

bool hf_links_may_log(struct hf_links *links, const char *source,
                      const char *reason, hf_time interval_ms)
{
    uint64_t key =
        hf_hash_seeded(hf_slice_text(source), hf_hash(hf_slice_text(reason)));
    hf_time now = hf_clock_now();
    struct hf_quiet_source *oldest = &links->quiet[0];
    for (size_t i = 0; i < LINK_QUIET_SOURCES; i++) {
        struct hf_quiet_source *at = &links->quiet[i];
        if (at->key == key) {
            if (now - at->last < interval_ms) {
                return false;
            }
            oldest = at;
            break;
        }
        if (at->last < oldest->last) {
            oldest = at;
        }
    }
    if (!links_may_log_more(links, now)) {
        return false;
    }
    *oldest = (struct hf_quiet_source){.key = key, .last = now};
    return true;
}

static struct hf_probe *probe_of(struct hf_list *item)
{
    return HF_CONTAINER_OF(item, struct hf_probe, link);
}

static void on_probed(struct hf_probe *probe, enum hf_probe_result result)
{
    struct hf_links *links = probe->user;
    links->handler.probed(links->handler.user, probe->token, result);
}

static void on_probe_released(struct hf_probe *probe)
{
    struct hf_links *links = probe->user;
    hf_list_remove(&probe->link);
    links->probe_count--;
    hf_mem_free(links->mem, probe, sizeof(*probe));
}

/* A name may lead elsewhere by now; what matters is the process that we were
 * connected to. */
static struct hf_address address_to_probe(struct hf_links *links,
                                          const struct hf_address *address)
{
    struct hf_address to = *address;
    struct hf_target *target = hf_links_find_target(links, address);
    if (target != NULL && target->reached) {
        char host[INET6_ADDRSTRLEN];
        uv_ip_name((const struct sockaddr *)&target->last_address, host,
                   sizeof(host));
        memcpy(to.host, host, strlen(host) + 1);
    }
    return to;
}

void hf_links_probe(struct hf_links *links, const struct hf_address *address,
                    uint64_t token)
{
    struct hf_probe *probe = NULL;
    if (!links->stopping && links->probe_count < HF_LINK_PROBES_MAX) {
        probe = hf_mem_alloc_zero(links->mem, sizeof(*probe));
    }
    if (probe == NULL) {
        return; /* No answer proves nothing, and the node asks again. */
    }
    struct hf_address to = address_to_probe(links, address);
    probe->token = token;
    probe->user = links;
    hf_list_init(&probe->link);
    hf_list_push_back(&links->probes, &probe->link);
    links->probe_count++;
    hf_probe_start(probe, links->loop, links->mem, &to, on_probed,
                   on_probe_released);
}

/* After a standstill, what peers sent meanwhile is still to be read. */
static void links_forgive_silence(struct hf_links *links, hf_time gap_ms)
{
    for (struct hf_list *at = links->sessions.next; at != &links->sessions;
         at = at->next) {
        struct hf_link *link = link_of(at);
        link->heard_at += gap_ms;
        link->deadline += gap_ms;
        link->pipe.sending_since += gap_ms;
    }
}

static void on_stopped(void *user)
{
    struct hf_links *links = user;
    links->all_closed = true;
    links->stopped(links->stopped_user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct hf_links *links = handle->data;
    hf_inbox_close(&links->inbox, on_stopped, links);
}

static void links_stop_if_idle(struct hf_links *links)
{
    if (links->inbox.in_flight > 0 || !hf_list_is_empty(&links->closing) ||
        !hf_list_is_empty(&links->attempts) || links->probe_count > 0) {
        return;
    }
    hf_links_stop_dialling(links);
    hf_completion_close(&links->accepting);
    links->inbox_closing = true;
    uv_close((uv_handle_t *)&links->timer, on_timer_closed);
}

static void on_tick(uv_timer_t *timer)
{
    struct hf_links *links = timer->data;
    hf_links_poll(links);
    if (links->stopping) {
        links_stop_if_idle(links);
        return;
    }
    hf_time now = hf_clock_now();
    hf_time gap_ms = now - links->ticked_at;
    links->ticked_at = now;
    if (gap_ms > TICK_LATE_MS) {
        links_forgive_silence(links, gap_ms);
    }
    for (struct hf_list *at = links->sessions.next; at != &links->sessions;
         at = at->next) {
        hf_link_tick(link_of(at), now); /* Only dooms. */
    }
    if (links->accept_at != 0 && now >= links->accept_at) {
        hf_links_accept(links);
    }
    links->noted = true;
    hf_links_poll(links);
}

void hf_links_stop(struct hf_links *links, void (*stopped)(void *user),
                   void *user)
{
    HF_ASSERT(!links->stopping);
    links->stopping = true;
    links->stopped = stopped;
    links->stopped_user = user;
    nng_stream_listener_close(links->listener);
    nng_stream_listener_free(links->listener);
    links->listener = NULL;
    while (!hf_list_is_empty(&links->sessions)) {
        hf_link_close_quietly(link_of(links->sessions.next));
    }
    hf_links_stop_dialling(links);
    for (struct hf_list *at = links->probes.next; at != &links->probes;
         at = at->next) {
        hf_probe_cancel(probe_of(at));
    }
    uv_timer_start(&links->timer, on_tick, 0, STOP_TICK_MS);
}

void hf_links_destroy(struct hf_links *links)
{
    HF_ASSERT(links->all_closed);
    links_scratch_close(links);
    hf_mem_free(links->mem, links, sizeof(*links));
}

const char *hf_links_refuse(const struct hf_links *links,
                            const struct hf_peer_info *peer)
{
    return links->handler.refuses == NULL
               ? NULL
               : links->handler.refuses(links->handler.user, peer);
}
