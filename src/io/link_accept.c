#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "io/clock.h"
#include "io/links_private.h"

/* NNG cannot accept just now (out of file descriptors): try again then. */
#define ACCEPT_AGAIN_MS 100

static void on_accepted(struct hf_completion *completion);

static int listen_error(int nng_error)
{
    switch (nng_error) {
    case NNG_EADDRINUSE:
        return HF_EINUSE;
    case NNG_ENOMEM:
        return HF_ENOMEM;
    default:
        return HF_EIO;
    }
}

int hf_links_listen(struct hf_links *links, const char *bind, uint16_t port)
{
    char text[320];
    char url[340];
    int bound_port = 0;
    hf_host_port_text(bind, port, text, sizeof(text));
    snprintf(url, sizeof(url), "tcp://%s", text);

    int error = nng_stream_listener_alloc(&links->listener, url);
    if (error != 0) {
        return listen_error(error);
    }
    nng_stream_listener_set_bool(links->listener, NNG_OPT_TCP_NODELAY, true);
    error = nng_stream_listener_listen(links->listener);
    if (error == 0) {
        error = nng_stream_listener_get_int(
            links->listener, NNG_OPT_TCP_BOUND_PORT, &bound_port);
    }
    if (error != 0) {
        nng_stream_listener_free(links->listener);
        links->listener = NULL;
        return listen_error(error);
    }
    links->port = (uint16_t)bound_port;
    return 0;
}

void hf_links_accept(struct hf_links *links)
{
    links->accept_at = 0;
    if (links->accepting.aio == NULL &&
        hf_completion_init(&links->accepting, &links->inbox, on_accepted,
                           links) != 0) {
        links->accept_at = hf_clock_now() + ACCEPT_AGAIN_MS;
        return;
    }
    hf_completion_begin(&links->accepting);
    nng_stream_listener_accept(links->listener, links->accepting.aio);
}

/* The strangers that said nothing for longest make room: who floods us cannot
 * keep peers out. */
static void links_make_room(struct hf_links *links)
{
    struct hf_list *at = links->sessions.next;
    while (links->strangers >= HF_LINK_STRANGERS_MAX) {
        HF_ASSERT(at != &links->sessions);
        struct hf_link *link = HF_CONTAINER_OF(at, struct hf_link, link);
        at = at->next;
        if (link->state == LINK_STRANGER || link->state == LINK_REFUSED) {
            hf_link_end(link, LINK_END_LOCAL, "too many strangers");
        }
    }
}

static void links_take(struct hf_links *links, nng_stream *stream)
{
    links_make_room(links);
    struct hf_link *link = hf_link_create(links, stream, LINK_STRANGER);
    if (link == NULL) {
        return;
    }
    link->deadline = link->heard_at + HF_LINK_HELLO_MS;
    hf_pipe_remote(&link->pipe, link->remote, sizeof(link->remote));
    hf_link_listen(link);
}

static void on_accepted(struct hf_completion *completion)
{
    struct hf_links *links = completion->user;
    int error = nng_aio_result(completion->aio);
    if (error == 0) {
        nng_stream *stream = nng_aio_get_output(completion->aio, 0);
        if (links->stopping) {
            nng_stream_close(stream);
            nng_stream_free(stream);
            return;
        }
        links_take(links, stream);
        hf_links_accept(links);
        return;
    }
    if (links->stopping) {
        return;
    }
    if (hf_links_may_log(links, "accept", nng_strerror(error), 1000)) {
        hf_log(&links->log, HF_LOG_WARNING, "cannot accept a peer: %s",
               nng_strerror(error));
    }
    links->accept_at = hf_clock_now() + ACCEPT_AGAIN_MS;
}

/* The address without its port, which differs with each attempt. */
static void source_of(const struct hf_link *link, char *text, size_t size)
{
    snprintf(text, size, "%s", link->remote);
    char *colon = strrchr(text, ':');
    if (colon != NULL) {
        *colon = '\0';
    }
}

void hf_link_garbage(struct hf_link *link, const char *reason)
{
    char source[320];
    source_of(link, source, sizeof(source));
    if (hf_links_may_log(link->links, source, "garbage", 1000)) {
        hf_log(&link->links->log, HF_LOG_WARNING,
               "closed a connection to the peer port from %s: %s", link->remote,
               reason);
    }
    hf_link_end(link, LINK_END_LOCAL, reason);
}

/* Answers; false: out of memory, the session is doomed. */
static bool link_answer(struct hf_link *link, const struct hf_hello *welcome,
                        hf_incarnation destination, const char *refusal)
{
    struct hf_pipe_frame *frame = hf_link_frame(link);
    if (frame == NULL) {
        return false;
    }
    if (refusal != NULL) {
        hf_frame_write_refusal(&frame->bytes, refusal);
    } else {
        hf_frame_write_hello(&frame->bytes, HF_FRAME_WELCOME, welcome,
                             destination);
    }
    if (frame->bytes.failed) {
        hf_pipe_drop(&link->pipe, frame);
        hf_link_doom(link, "out of memory");
        return false;
    }
    hf_pipe_push(&link->pipe, frame);
    hf_pipe_flush(&link->pipe);
    return true;
}

/* The dialler hangs up when it has read why; a close by us might overtake it.
 */
static void link_refuse(struct hf_link *link, const char *reason)
{
    struct hf_links *links = link->links;
    char source[320];
    source_of(link, source, sizeof(source));
    bool may_log = hf_links_may_log(links, source, reason, 10000);
    hf_log(&links->log, may_log ? HF_LOG_WARNING : HF_LOG_DEBUG,
           "refused a session from %s: %s", link->remote, reason);
    if (link_answer(link, NULL, 0, reason)) {
        link->state = LINK_REFUSED;
        link->deadline = hf_clock_now() + LINK_HANGUP_MS;
    }
}

void hf_link_hello(struct hf_link *link, const struct hf_frame_header *header,
                   struct hf_slice payload)
{
    struct hf_links *links = link->links;
    struct hf_hello theirs;
    char reason[512];
    if (!hf_frame_read_hello(payload, &theirs)) {
        hf_link_garbage(link, "sent a malformed HELLO");
        return;
    }
    if (theirs.version == HF_PROTOCOL_VERSION &&
        theirs.info.incarnation == links->ours.info.incarnation) {
        hf_links_met_ourselves(links, theirs.session);
        hf_link_end(link, LINK_END_LOCAL, "it is this node itself");
        return;
    }
    if (hf_hello_judge(&links->ours, &theirs, header->destination, reason,
                       sizeof(reason)) != NULL) {
        link_refuse(link, reason);
        return;
    }
    const char *why = hf_links_refuse(links, &theirs.info);
    if (why != NULL) {
        link_refuse(link, why);
        return;
    }
    struct hf_hello welcome = links->ours;
    welcome.channel = theirs.channel;
    welcome.session = theirs.session;
    if (!link_answer(link, &welcome, theirs.info.incarnation, NULL)) {
        return;
    }
    link->channel = theirs.channel;
    link->session = theirs.session;
    link->peer = theirs.info;
    link->receiver = (struct hf_link_receiver){
        .session = theirs.session,
        .self = links->ours.info.incarnation,
    };
    hf_link_went_up(link);
}
