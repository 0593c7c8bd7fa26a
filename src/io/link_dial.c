#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "io/clock.h"
#include "io/links_private.h"

#define UNRESOLVED_SAID_MS 60000
#define REDIAL_FIRST_MS 50 /* After a session was lost. */
#define REDIAL_SECOND_MS 100
#define REDIAL_MS 300
#define REDIAL_JITTER_MS 200
#define REFUSED_MS 1000 /* After a REFUSAL. */
#define PARKED_MS 1000  /* For the other address to come back first. */

/* One connect. NNG 1.5 must not be asked twice with the same dialler: it may
 * give the result of an earlier dial, and abort. */
struct hf_attempt {
    struct hf_list link; /* In links->attempts. */
    struct hf_links *links;
    nng_stream_dialer *dialer;
    struct hf_completion dialling;
    struct hf_dial *dial; /* NULL: given up, free what comes of it. */
    struct sockaddr_storage address;
};

static struct hf_target *target_of(struct hf_list *item)
{
    return HF_CONTAINER_OF(item, struct hf_target, link);
}

struct hf_target *hf_links_find_target(struct hf_links *links,
                                       const struct hf_address *address)
{
    for (struct hf_list *at = links->targets.next; at != &links->targets;
         at = at->next) {
        struct hf_target *target = target_of(at);
        if (!target->forgotten && target->address.port == address->port &&
            strcmp(target->address.host, address->host) == 0) {
            return target;
        }
    }
    return NULL;
}

void hf_links_connect(struct hf_links *links, const struct hf_address *address)
{
    if (links->stopping || hf_links_find_target(links, address) != NULL) {
        return;
    }
    struct hf_target *target = NULL;
    if (links->target_count < HF_LINK_TARGETS_MAX) {
        target = hf_mem_alloc_zero(links->mem, sizeof(*target));
    }
    if (target == NULL) {
        hf_log(&links->log, HF_LOG_ERROR, "cannot dial %s: too many addresses",
               address->host);
        return;
    }
    target->links = links;
    target->address = *address;
    hf_host_port_text(address->host, address->port, target->text,
                      sizeof(target->text));
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        target->dials[i].target = target;
        target->dials[i].channel = (enum hf_channel)i;
    }
    hf_list_init(&target->link);
    hf_list_push_back(&links->targets, &target->link);
    links->target_count++;
    links->noted = true;
}

void hf_links_forget(struct hf_links *links, const struct hf_address *address)
{
    struct hf_target *target = hf_links_find_target(links, address);
    if (target != NULL) {
        target->forgotten = true;
        links->noted = true;
    }
}

static void dial_wait(struct hf_dial *dial, hf_time delay_ms)
{
    dial->state = DIAL_WAITING;
    dial->next_at = hf_clock_now() + delay_ms;
    dial->target->links->noted = true;
}

static void dial_failed(struct hf_dial *dial)
{
    struct hf_rng *rng = &dial->target->links->rng;
    hf_time delay_ms =
        REDIAL_MS + (hf_time)hf_rng_below(rng, REDIAL_JITTER_MS + 1);
    dial->failures++;
    if (dial->was_up && dial->failures == 1) {
        delay_ms = REDIAL_FIRST_MS;
    } else if (dial->was_up && dial->failures == 2) {
        delay_ms = REDIAL_SECOND_MS;
    }
    dial_wait(dial, delay_ms);
}

void hf_dial_ended(struct hf_dial *dial, bool failed)
{
    if (failed) {
        dial_failed(dial);
        return;
    }
    dial->was_up = true;
    dial->failures = 0;
    dial_wait(dial, 0);
}

static void link_say_hello(struct hf_link *link)
{
    struct hf_links *links = link->links;
    struct hf_pipe_frame *frame = hf_link_frame(link);
    if (frame == NULL) {
        return;
    }
    struct hf_hello hello = links->ours;
    hello.channel = link->channel;
    hello.session = link->session;
    hf_frame_write_hello(&frame->bytes, HF_FRAME_HELLO, &hello, 0);
    if (frame->bytes.failed) {
        hf_pipe_drop(&link->pipe, frame);
        hf_link_doom(link, "out of memory");
        return;
    }
    hf_pipe_push(&link->pipe, frame);
    hf_pipe_flush(&link->pipe);
}

static void dial_connected(struct hf_dial *dial, nng_stream *stream,
                           const struct sockaddr_storage *address)
{
    struct hf_links *links = dial->target->links;
    struct hf_link *link = hf_link_create(links, stream, LINK_HELLO_SENT);
    if (link == NULL) {
        dial_failed(dial);
        return;
    }
    dial->state = DIAL_HELD;
    dial->link = link;
    link->dial = dial;
    link->address = *address;
    link->channel = dial->channel;
    link->session = (uint64_t)++links->dialled << 32 |
                    (hf_rng_next(&links->rng) & UINT32_MAX);
    link->deadline = link->heard_at + HF_LINK_WELCOME_MS;
    memcpy(link->remote, dial->target->text, sizeof(link->remote));
    hf_link_listen(link);
    link_say_hello(link);
}

static void attempt_free(struct hf_attempt *attempt)
{
    hf_list_remove(&attempt->link);
    hf_completion_close(&attempt->dialling);
    nng_stream_dialer_close(attempt->dialer);
    nng_stream_dialer_free(attempt->dialer);
    hf_mem_free(attempt->links->mem, attempt, sizeof(*attempt));
}

static void on_dialled(struct hf_completion *completion)
{
    struct hf_attempt *attempt = completion->user;
    struct hf_dial *dial = attempt->dial;
    struct sockaddr_storage address = attempt->address;
    int error = nng_aio_result(completion->aio);
    nng_stream *stream =
        error == 0 ? nng_aio_get_output(completion->aio, 0) : NULL;
    attempt_free(attempt);

    if (dial == NULL) {
        if (stream != NULL) {
            nng_stream_close(stream);
            nng_stream_free(stream);
        }
        return;
    }
    dial->attempt = NULL;
    if (stream != NULL) {
        dial_connected(dial, stream, &address);
    } else {
        hf_log(&dial->target->links->log, HF_LOG_DEBUG, "cannot reach %s: %s",
               dial->target->text, nng_strerror(error));
        dial_failed(dial);
    }
}

static struct hf_attempt *attempt_new(struct hf_links *links, const char *url)
{
    struct hf_attempt *attempt =
        hf_mem_alloc_zero(links->mem, sizeof(*attempt));
    if (attempt == NULL) {
        return NULL;
    }
    if (nng_stream_dialer_alloc(&attempt->dialer, url) != 0) {
        goto free_attempt;
    }
    if (hf_completion_init(&attempt->dialling, &links->inbox, on_dialled,
                           attempt) != 0) {
        goto free_dialer;
    }
    attempt->links = links;
    hf_list_init(&attempt->link);
    hf_list_push_back(&links->attempts, &attempt->link);
    return attempt;

free_dialer:
    nng_stream_dialer_free(attempt->dialer);
free_attempt:
    hf_mem_free(links->mem, attempt, sizeof(*attempt));
    return NULL;
}

/* A name that is wrong stays so: no more than a line a minute. */
static void dial_say_unresolved(const struct hf_dial *dial, int error)
{
    struct hf_links *links = dial->target->links;
    const char *why = error != 0 ? uv_strerror(error) : "no address";
    if (hf_links_may_log(links, dial->target->text, why, UNRESOLVED_SAID_MS)) {
        hf_log(&links->log, HF_LOG_WARNING,
               "the name of %s cannot be resolved: %s", dial->target->text,
               why);
    }
}

static void dial_start(struct hf_dial *dial,
                       const struct hf_addresses *addresses)
{
    struct hf_links *links = dial->target->links;
    if (addresses->count == 0) {
        dial_say_unresolved(dial, addresses->error);
        dial_failed(dial);
        return;
    }
    dial->address_count = addresses->count;
    const struct sockaddr_storage *address =
        &addresses->at[dial->next++ % addresses->count];
    char text[64];
    char url[80];
    hf_address_text(address, text, sizeof(text));
    snprintf(url, sizeof(url), "tcp://%s", text);
    struct hf_attempt *attempt = attempt_new(links, url);
    if (attempt == NULL) {
        dial_failed(dial);
        return;
    }
    attempt->dial = dial;
    attempt->address = *address;
    dial->attempt = attempt;
    dial->state = DIAL_DIALLING;
    nng_stream_dialer_set_bool(attempt->dialer, NNG_OPT_TCP_NODELAY, true);
    nng_aio_set_timeout(attempt->dialling.aio, HF_LINK_DIAL_MS);
    hf_completion_begin(&attempt->dialling);
    nng_stream_dialer_dial(attempt->dialer, attempt->dialling.aio);
}

static void on_resolved(void *user, const struct hf_addresses *addresses)
{
    struct hf_dial *dial = user;
    dial->resolve = NULL;
    dial_start(dial, addresses);
}

static void dial_try(struct hf_dial *dial)
{
    struct hf_links *links = dial->target->links;
    const struct hf_address *address = &dial->target->address;
    struct hf_addresses addresses;
    if (hf_resolve_literal(address->host, address->port, &addresses)) {
        dial_start(dial, &addresses);
        return;
    }
    dial->resolve = hf_resolve_start(links->loop, links->mem, address->host,
                                     address->port, on_resolved, dial);
    if (dial->resolve == NULL) {
        dial_failed(dial);
    } else {
        dial->state = DIAL_RESOLVING;
    }
}

static bool links_has_out(const struct hf_links *links, enum hf_channel channel,
                          hf_node_id id)
{
    for (size_t i = 0; i < links->out_count[channel]; i++) {
        if (links->out[channel][i]->peer.id == id) {
            return true;
        }
    }
    return false;
}

void hf_links_dial_due(struct hf_links *links, hf_time now)
{
    for (struct hf_list *at = links->targets.next; at != &links->targets;
         at = at->next) {
        struct hf_target *target = target_of(at);
        for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
            struct hf_dial *dial = &target->dials[i];
            if (dial->state == DIAL_PARKED &&
                links_has_out(links, dial->channel, dial->alias_of)) {
                dial->next_at = now + PARKED_MS;
            }
            if ((dial->state == DIAL_WAITING || dial->state == DIAL_PARKED) &&
                now >= dial->next_at) {
                dial_try(dial);
            }
        }
    }
}

void hf_links_hurry(struct hf_links *links, const struct hf_peer_info *peer)
{
    struct hf_address address = {.port = peer->peer_port};
    memcpy(address.host, peer->host, sizeof(address.host));
    struct hf_target *target = hf_links_find_target(links, &address);
    if (target == NULL) {
        return;
    }
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        if (target->dials[i].state == DIAL_WAITING) {
            dial_wait(&target->dials[i], 0);
        }
    }
}

void hf_link_welcomed(struct hf_link *link,
                      const struct hf_frame_header *header,
                      struct hf_slice payload)
{
    struct hf_links *links = link->links;
    struct hf_hello welcome;
    char reason[512];
    if (!hf_frame_read_hello(payload, &welcome)) {
        hf_link_end(link, LINK_END_LOCAL, "malformed WELCOME");
        return;
    }
    if (hf_hello_judge(&links->ours, &welcome, header->destination, reason,
                       sizeof(reason)) != NULL) {
        if (hf_links_may_log(links, link->remote, reason, 10000)) {
            hf_log(&links->log, HF_LOG_WARNING, "%s is none of ours: %s",
                   link->remote, reason);
        }
        hf_link_end(link, LINK_END_LOCAL, "wrong WELCOME");
        return;
    }
    if (welcome.session != link->session || welcome.channel != link->channel) {
        hf_link_end(link, LINK_END_LOCAL, "WELCOME to another session");
        return;
    }
    const char *why = hf_links_refuse(links, &welcome.info);
    if (why != NULL) {
        hf_link_end(link, LINK_END_LOCAL, why);
        return;
    }
    link->peer = welcome.info;
    link->dial->target->reached = true;
    link->dial->target->last_address = link->address;
    hf_link_went_up(link);
}

void hf_link_refused(struct hf_link *link, struct hf_slice payload)
{
    struct hf_links *links = link->links;
    struct hf_dial *dial = link->dial;
    char reason[512];
    hf_frame_read_refusal(payload, reason, sizeof(reason));
    bool may_log = hf_links_may_log(links, link->remote, reason, 10000);
    hf_log(&links->log, may_log ? HF_LOG_WARNING : HF_LOG_DEBUG,
           "%s refused a session: %s", link->remote, reason);
    hf_link_close_quietly(link);
    dial_wait(dial, REFUSED_MS);
    if (links->handler.refused != NULL) {
        links->handler.refused(links->handler.user, reason);
    }
}

bool hf_links_met_ourselves(struct hf_links *links, uint64_t session)
{
    for (struct hf_list *at = links->sessions.next; at != &links->sessions;
         at = at->next) {
        struct hf_link *link = HF_CONTAINER_OF(at, struct hf_link, link);
        if (link->state != LINK_HELLO_SENT || link->session != session) {
            continue;
        }
        struct hf_dial *dial = link->dial;
        hf_log(&links->log, HF_LOG_DEBUG, "%s is this node itself",
               link->remote);
        hf_link_close_quietly(link);
        if (dial->address_count > 1) {
            dial_failed(dial); /* The name leads to others, too. */
        } else {
            dial->state = DIAL_STOPPED;
            if (links->handler.self != NULL) {
                links->handler.self(links->handler.user,
                                    &dial->target->address);
            }
        }
        return true;
    }
    return false;
}

static void dial_stop(struct hf_dial *dial)
{
    if (dial->resolve != NULL) {
        hf_resolve_cancel(dial->resolve);
        dial->resolve = NULL;
    }
    if (dial->attempt != NULL) {
        dial->attempt->dial = NULL;
        nng_stream_dialer_close(dial->attempt->dialer);
        dial->attempt = NULL;
    }
    dial->state = DIAL_STOPPED;
}

static void target_free(struct hf_target *target)
{
    struct hf_links *links = target->links;
    hf_list_remove(&target->link);
    links->target_count--;
    hf_mem_free(links->mem, target, sizeof(*target));
}

static void target_remove(struct hf_target *target)
{
    for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
        struct hf_dial *dial = &target->dials[i];
        if (dial->link != NULL) {
            hf_link_end(dial->link, LINK_END_LOCAL, "no longer wanted");
        }
        dial_stop(dial);
    }
    target_free(target);
}

/* Ending a session tells the node, which may forget more: start over. */
void hf_links_remove_forgotten(struct hf_links *links)
{
    struct hf_list *at = links->targets.next;
    while (at != &links->targets) {
        struct hf_target *target = target_of(at);
        at = at->next;
        if (target->forgotten) {
            target_remove(target);
            at = links->targets.next;
        }
    }
}

void hf_links_stop_dialling(struct hf_links *links)
{
    while (!hf_list_is_empty(&links->targets)) {
        struct hf_target *target = target_of(links->targets.next);
        for (unsigned i = 0; i < HF_CHANNEL_COUNT; i++) {
            HF_ASSERT(target->dials[i].link == NULL);
            dial_stop(&target->dials[i]);
        }
        target_free(target);
    }
}
