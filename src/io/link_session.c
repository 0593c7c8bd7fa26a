#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "io/clock.h"
#include "io/links_private.h"

/* A stranger gets room for a HELLO and no more. */
#define STRANGER_ROOM_BYTES (HF_FRAME_HEADER_BYTES + HF_HELLO_PAYLOAD_MAX)
#define ROOM_BYTES ((size_t)64 << 10)
#define ROOM_BYTES_MAX ((size_t)256 << 10)
/* A larger input buffer is given back once it is empty. */
#define INPUT_KEEP_BYTES ((size_t)1 << 20)

static void on_received(struct hf_pipe *pipe);
static void on_failed(struct hf_pipe *pipe, int nng_error);

static const char *channel_name(enum hf_channel channel)
{
    return channel == HF_CHANNEL_CONTROL ? "control" : "data";
}

struct hf_link *hf_link_create(struct hf_links *links, nng_stream *stream,
                               enum hf_link_state state)
{
    struct hf_link *link = hf_mem_alloc_zero(links->mem, sizeof(*link));
    if (link == NULL) {
        nng_stream_close(stream);
        nng_stream_free(stream);
        return NULL;
    }
    if (hf_pipe_open(&link->pipe, stream, &links->inbox, links->mem) != 0) {
        hf_mem_free(links->mem, link, sizeof(*link));
        return NULL;
    }
    link->pipe.received = on_received;
    link->pipe.failed = on_failed;
    link->pipe.user = link;
    link->links = links;
    link->state = state;
    link->out = state == LINK_HELLO_SENT;
    link->heard_at = hf_clock_now();
    hf_list_init(&link->link);
    hf_list_init(&link->left);
    hf_list_push_back(&links->sessions, &link->link);
    if (state == LINK_STRANGER) {
        links->strangers++;
    }
    return link;
}

/* A session that is up is worth the search for its descriptor; strangers are
 * not. */
static void link_watch(struct hf_link *link)
{
    link->watch_tried = true;
    if (link->links->by_threads ||
        !hf_pipe_watch(&link->pipe, link->links->loop)) {
        hf_log(&link->links->log, HF_LOG_DEBUG,
               "session with '%s' at %s: received by threads", link->peer.name,
               link->remote);
    }
}

void hf_link_listen(struct hf_link *link)
{
    if (link->state == LINK_UP && !link->watch_tried) {
        link_watch(link);
    }
    /* Only who sends much gets a large buffer. */
    size_t held = link->pipe.input.size;
    size_t capacity = link->pipe.input.capacity;
    size_t room = held > ROOM_BYTES / 2 ? ROOM_BYTES_MAX : ROOM_BYTES;
    if (link->state == LINK_STRANGER || link->out) {
        room = held < STRANGER_ROOM_BYTES ? STRANGER_ROOM_BYTES - held : 1;
    } else if (capacity - held > room) {
        room = capacity - held;
    }
    if (hf_pipe_receive(&link->pipe, room) != 0) {
        hf_link_doom(link, "out of memory");
    }
}

struct hf_pipe_frame *hf_link_frame(struct hf_link *link)
{
    struct hf_pipe_frame *frame = hf_pipe_frame_new(&link->pipe);
    if (frame == NULL) {
        hf_link_doom(link, "out of memory");
    }
    return frame;
}

void hf_link_doom(struct hf_link *link, const char *because)
{
    if (!link->doomed) {
        link->doomed = true;
        link->because = because;
        link->links->noted = true;
    }
}

bool hf_link_frame_ready(struct hf_link *link)
{
    if (link->frame != NULL) {
        return true;
    }
    struct hf_pipe_frame *frame = hf_link_frame(link);
    if (frame == NULL) {
        return false;
    }
    hf_frame_begin(&frame->bytes);
    if (frame->bytes.failed) {
        hf_pipe_drop(&link->pipe, frame);
        hf_link_doom(link, "out of memory");
        return false;
    }
    link->frame = frame;
    return true;
}

static void link_overflowed(struct hf_link *link)
{
    struct hf_links *links = link->links;
    static const char reason[] = "too much is waiting to be sent";
    if (!link->doomed && hf_links_may_log(links, link->remote, reason, 1000)) {
        hf_log(&links->log, HF_LOG_WARNING,
               "closing the %s session to '%s' at %s: %zu bytes are waiting "
               "to be sent",
               channel_name(link->channel), link->peer.name, link->remote,
               link->pipe.frames_bytes);
    }
    hf_link_doom(link, reason);
}

void hf_link_seal(struct hf_link *link)
{
    struct hf_pipe_frame *frame = link->frame;
    if (frame == NULL) {
        return;
    }
    link->frame = NULL;
    link->sequence++;
    link->spoke_at = hf_clock_now();
    hf_frame_seal(&frame->bytes, link->session, link->sequence,
                  link->peer.incarnation);
    HF_ASSERT(!frame->bytes.failed); /* hf_links_send kept the bound. */
    hf_pipe_push(&link->pipe, frame);
    if (link->pipe.frames_bytes > HF_LINK_QUEUE_BYTES_MAX) {
        link_overflowed(link);
    }
}

/* Takes @link out of where it is found as an open session. */
static void link_detach(struct hf_link *link)
{
    struct hf_links *links = link->links;
    if (link->state == LINK_STRANGER || link->state == LINK_REFUSED) {
        links->strangers--;
    }
    if (link->out && link->state == LINK_UP) {
        struct hf_link **out = links->out[link->channel];
        size_t *count = &links->out_count[link->channel];
        size_t i = 0;
        while (out[i] != link) {
            i++;
            HF_ASSERT(i < *count);
        }
        *count -= 1;
        out[i] = out[*count];
    }
    if (link->frame != NULL) {
        hf_pipe_drop(&link->pipe, link->frame);
        link->frame = NULL;
    }
    link->state = LINK_CLOSED;
    hf_pipe_close(&link->pipe);
    hf_list_remove(&link->left);
    hf_list_remove(&link->link);
    hf_list_push_back(&links->closing, &link->link);
}

void hf_link_close_quietly(struct hf_link *link)
{
    HF_ASSERT(link->state != LINK_CLOSED);
    link_detach(link);
    if (link->dial != NULL) {
        link->dial->link = NULL;
        link->dial = NULL;
    }
}

static void link_tell(struct hf_link *link, bool up, bool abrupt)
{
    struct hf_link_event event = {
        .peer = &link->peer,
        .channel = link->channel,
        .out = link->out,
        .up = up,
        .abrupt = abrupt,
    };
    link->links->handler.link(link->links->handler.user, &event);
}

/* Those whose place @link took have no reason to stay. */
static void spares_end(const struct hf_link *link)
{
    struct hf_list *all = &link->links->sessions;
    for (struct hf_list *at = all->next; at != all; at = at->next) {
        struct hf_link *other = HF_CONTAINER_OF(at, struct hf_link, link);
        if (other->state == LINK_SPARE && other->channel == link->channel &&
            other->peer.id == link->peer.id) {
            other->deadline = 0; /* With the next tick. */
        }
    }
}

void hf_link_end(struct hf_link *link, enum hf_link_end end,
                 const char *because)
{
    bool was_up = link->state == LINK_UP;
    struct hf_dial *dial = link->dial;
    struct hf_links *links = link->links;

    if (was_up) {
        bool worth_a_line = link->out && link->channel == HF_CHANNEL_CONTROL;
        hf_log(&links->log, worth_a_line ? HF_LOG_INFO : HF_LOG_DEBUG,
               "%s session %s '%s' at %s ended: %s",
               channel_name(link->channel), link->out ? "to" : "from",
               link->peer.name, link->remote, because);
    } else {
        hf_log(&links->log, HF_LOG_DEBUG, "session %s %s ended early: %s",
               link->out ? "to" : "from", link->remote, because);
    }
    if (was_up && !link->out) {
        spares_end(link);
    }
    hf_link_close_quietly(link);
    if (dial != NULL) {
        hf_dial_ended(dial, !was_up);
    }
    if (was_up) {
        link_tell(link, false, end == LINK_END_REMOTE);
    }
}

static struct hf_link *link_find_same(struct hf_link *link)
{
    struct hf_list *all = &link->links->sessions;
    for (struct hf_list *at = all->next; at != all; at = at->next) {
        struct hf_link *other = HF_CONTAINER_OF(at, struct hf_link, link);
        if (other != link && other->state == LINK_UP &&
            other->out == link->out && other->channel == link->channel &&
            other->peer.id == link->peer.id) {
            return other;
        }
    }
    return NULL;
}

/* A later session to the same peer takes the place of @link, and its address is
 * left alone. */
static void link_step_back(struct hf_link *link)
{
    struct hf_dial *dial = link->dial;
    if (link->out) {
        hf_link_close_quietly(link);
        dial->state = DIAL_PARKED;
        dial->alias_of = link->peer.id;
        return;
    }
    if (link->state == LINK_STRANGER) {
        link->links->strangers--;
    }
    link->state = LINK_SPARE;
    link->deadline = hf_clock_now() + LINK_HANGUP_MS;
}

/* The core knows one incarnation of a name. What it was told about sessions
 * with another one is void, so they must not go on as if it knew them. */
static void links_of_others_end(const struct hf_link *link)
{
    struct hf_list *all = &link->links->sessions;
    for (struct hf_list *at = all->next; at != all; at = at->next) {
        struct hf_link *other = HF_CONTAINER_OF(at, struct hf_link, link);
        if (other->state == LINK_UP && other->peer.id == link->peer.id &&
            other->peer.incarnation != link->peer.incarnation) {
            hf_link_doom(other, "the peer was restarted");
        }
    }
}

void hf_link_went_up(struct hf_link *link)
{
    struct hf_links *links = link->links;
    struct hf_link *old = link_find_same(link);
    if (old != NULL && old->peer.incarnation != link->peer.incarnation) {
        hf_link_end(old, LINK_END_LOCAL, "the peer was restarted");
    } else if (old != NULL && !old->doomed && old->session > link->session) {
        link_step_back(link);
        return;
    } else if (old != NULL) {
        link_step_back(old);
    }
    links_of_others_end(link);
    if (link->state == LINK_STRANGER) {
        links->strangers--;
    }
    link->state = LINK_UP;
    link->heard_at = hf_clock_now();
    link->spoke_at = link->heard_at;
    if (link->out) {
        size_t *count = &links->out_count[link->channel];
        if (*count == HF_LINK_TARGETS_MAX) {
            hf_link_doom(link, "too many sessions");
        } else {
            links->out[link->channel][*count] = link;
            *count += 1;
        }
    } else {
        hf_links_hurry(links, &link->peer);
    }
    bool worth_a_line = link->out && link->channel == HF_CHANNEL_CONTROL;
    hf_log(&links->log, worth_a_line ? HF_LOG_INFO : HF_LOG_DEBUG,
           "%s session %s '%s' at %s is up", channel_name(link->channel),
           link->out ? "to" : "from", link->peer.name, link->remote);
    link_tell(link, true, false);
}

static void link_protocol_error(struct hf_link *link, const char *reason)
{
    if (link->state == LINK_STRANGER) {
        hf_link_garbage(link, reason);
        return;
    }
    if (hf_links_may_log(link->links, link->remote, reason, 1000)) {
        hf_log(&link->links->log, HF_LOG_WARNING, "peer at %s: %s",
               link->remote, reason);
    }
    hf_link_end(link, LINK_END_LOCAL, reason);
}

/* The next few messages, so that the memory for one is fetched while those
 * before it are carried out. What is said on the control channel is little, and
 * large. Returns 1 when there may be more, else as hf_peer_decode. */
static int link_deliver_some(struct hf_link *link, struct hf_reader *reader)
{
    struct hf_links *links = link->links;
    const struct hf_links_handler *handler = &links->handler;
    size_t max = link->channel == HF_CHANNEL_DATA ? LINK_BATCH_MAX : 1;
    size_t count = 0;
    int rv = 1;
    while (rv == 1 && count < max) {
        rv = hf_peer_decode(reader, &links->scratch[count],
                            &links->batch[count]);
        count += rv == 1 ? 1 : 0;
    }
    if (count > 1 && handler->expect != NULL) {
        handler->expect(handler->user, links->batch, count);
    }
    for (size_t i = 0; i < count; i++) {
        handler->message(handler->user, link->peer.id, link->peer.incarnation,
                         &links->batch[i]);
    }
    return rv;
}

/* Whether there is still time in this turn. Not for what is said on the control
 * channel: it is little, and what others wait for. */
static bool link_may_go_on(const struct hf_link *link)
{
    struct hf_links *links = link->links;
    if (link->state != LINK_UP || link->channel != HF_CHANNEL_DATA) {
        return true;
    }
    uint64_t now_ns = hf_clock_now_ns();
    if (links->turn_end_ns == 0) {
        links->turn_end_ns = now_ns + (uint64_t)HF_LINKS_TURN_US * 1000;
    }
    return now_ns < links->turn_end_ns;
}

/* Goes on where it stopped the last time. */
static void link_deliver(struct hf_link *link, struct hf_slice payload)
{
    struct hf_reader reader = hf_reader_of(payload);
    (void)hf_reader_bytes(&reader, link->delivered);
    int rv;
    do {
        rv = link_deliver_some(link, &reader);
    } while (rv == 1 && link_may_go_on(link));
    link->begun = rv == 1;
    link->delivered = rv == 1 ? payload.size - hf_reader_left(&reader) : 0;
    if (rv == HF_ENOMEM) {
        hf_link_doom(link, "out of memory");
    } else if (rv != 0 && rv != 1) {
        link_protocol_error(link, "sent a malformed message");
    }
}

/* Whether this type of frame may come now. */
static bool link_expects(const struct hf_link *link, enum hf_frame_type type)
{
    switch (link->state) {
    case LINK_STRANGER:
        return type == HF_FRAME_HELLO;
    case LINK_HELLO_SENT:
        return type == HF_FRAME_WELCOME || type == HF_FRAME_REFUSAL;
    case LINK_UP:
        return type == HF_FRAME_MESSAGES && !link->out;
    case LINK_REFUSED:
    case LINK_SPARE:
    case LINK_CLOSED:
        break;
    }
    return false;
}

static void link_take_frame(struct hf_link *link,
                            const struct hf_frame_header *header,
                            struct hf_slice payload)
{
    if (header->type == HF_FRAME_HELLO) {
        hf_link_hello(link, header, payload);
    } else if (header->type == HF_FRAME_WELCOME) {
        hf_link_welcomed(link, header, payload);
    } else if (header->type == HF_FRAME_REFUSAL) {
        hf_link_refused(link, payload);
    } else {
        enum hf_link_verdict verdict = hf_link_judge(&link->receiver, header);
        if (verdict == HF_LINK_DELIVER) {
            link_deliver(link, payload);
        } else if (verdict == HF_LINK_BROKEN) {
            link_protocol_error(link, "sent a frame out of sequence");
        }
    }
}

/* Takes the first frame in @bytes. Returns its size; 0 and *@wanted bytes in
 * all when it is not complete; 0 and a closed link when it is wrong. */
static size_t link_take_first(struct hf_link *link, struct hf_slice bytes,
                              size_t *wanted)
{
    struct hf_frame_header header;
    const char *reason = NULL;
    *wanted = HF_FRAME_HEADER_BYTES;
    if (bytes.size < HF_FRAME_HEADER_BYTES) {
        return 0;
    }
    if (hf_frame_read_header(bytes.data, &header, &reason) != 0) {
        link_protocol_error(link, reason);
        return 0;
    }
    if (!link_expects(link, header.type)) {
        link_protocol_error(link, "sent a frame that does not belong here");
        return 0;
    }
    *wanted += header.payload_size;
    if (bytes.size < *wanted) {
        return 0;
    }
    struct hf_slice payload = {bytes.data + HF_FRAME_HEADER_BYTES,
                               header.payload_size};
    if (link->begun) {
        link_deliver(link, payload);
    } else if (!hf_frame_is_intact(bytes.data, payload)) {
        link_protocol_error(link, "sent a frame with a wrong checksum");
        return 0;
    } else {
        link_take_frame(link, &header, payload);
    }
    return link->begun ? 0 : *wanted;
}

/* Takes frames from the start of the input. False: there was not time for all,
 * or the session is closed. */
static bool link_take_frames(struct hf_link *link, size_t *wanted)
{
    struct hf_buffer *input = &link->pipe.input;
    size_t offset = 0;
    bool timely = true;
    while (offset < input->size) {
        timely = link_may_go_on(link);
        if (!timely) {
            break;
        }
        if (link->state == LINK_REFUSED || link->state == LINK_SPARE) {
            offset = input->size; /* Whatever it says, it is to go. */
            break;
        }
        struct hf_slice rest = {input->data + offset, input->size - offset};
        size_t taken = link_take_first(link, rest, wanted);
        if (link->state == LINK_CLOSED) {
            return false;
        }
        if (taken == 0) {
            break;
        }
        offset += taken;
    }
    hf_buffer_consume(input, offset);
    return timely && !link->begun;
}

static void link_leave(struct hf_link *link)
{
    link->pipe.held = true;
    hf_list_push_back(&link->links->left, &link->left);
}

void hf_link_take_in(struct hf_link *link)
{
    struct hf_buffer *input = &link->pipe.input;
    size_t wanted = 0;
    link->heard_at = hf_clock_now();
    if (!link_take_frames(link, &wanted)) {
        if (link->state != LINK_CLOSED) {
            link_leave(link);
        }
        return;
    }
    hf_buffer_trim(input, INPUT_KEEP_BYTES);
    if (wanted > input->size && input->size > 0 &&
        hf_buffer_reserve(input, wanted - input->size) == NULL) {
        hf_link_doom(link, "out of memory");
        return;
    }
    hf_link_listen(link);
}

/* Those that wait for their time come first. */
static void on_received(struct hf_pipe *pipe)
{
    struct hf_link *link = pipe->user;
    bool queue = !hf_list_is_empty(&link->links->left) &&
                 link->state == LINK_UP && link->channel == HF_CHANNEL_DATA;
    if (queue) {
        link_leave(link);
    } else {
        hf_link_take_in(link);
    }
}

static void on_failed(struct hf_pipe *pipe, int nng_error)
{
    hf_link_end(pipe->user, LINK_END_REMOTE, nng_strerror(nng_error));
}

/* A peer that cannot be heard may not hear us either; when it comes back, TCP
 * would take its time. */
static void link_silent(struct hf_link *link)
{
    struct hf_list *all = &link->links->sessions;
    for (struct hf_list *at = all->next; at != all; at = at->next) {
        struct hf_link *other = HF_CONTAINER_OF(at, struct hf_link, link);
        if (other->state == LINK_UP && other->out &&
            other->peer.id == link->peer.id) {
            hf_link_doom(other, "the peer is silent");
        }
    }
    hf_link_doom(link, "the peer is silent");
}

static void link_tick_up(struct hf_link *link, hf_time now)
{
    if (!link->out) {
        if (now - link->heard_at > HF_LINK_SILENCE_MS) {
            link_silent(link);
        }
        return;
    }
    if (link->pipe.sending.in_flight &&
        now - link->pipe.sending_since > HF_LINK_SILENCE_MS) {
        hf_link_doom(link, "the peer takes nothing");
    } else if (now - link->spoke_at >= HF_LINK_IDLE_MS &&
               hf_link_frame_ready(link)) {
        hf_link_seal(link); /* An empty frame: a lost tail would be noticed. */
        hf_pipe_flush(&link->pipe);
    }
}

void hf_link_tick(struct hf_link *link, hf_time now)
{
    if (link->doomed) {
        return;
    }
    if (link->state == LINK_UP) {
        link_tick_up(link, now);
    } else if (now >= link->deadline) {
        hf_link_doom(link, link->state == LINK_STRANGER ? "no HELLO in time"
                           : link->state == LINK_SPARE  ? "another is used"
                           : link->out                  ? "no WELCOME in time"
                                                        : "refused");
    }
}

void hf_links_release_closed(struct hf_links *links)
{
    struct hf_list *at = links->closing.next;
    while (at != &links->closing) {
        struct hf_link *link = HF_CONTAINER_OF(at, struct hf_link, link);
        at = at->next;
        if (hf_pipe_is_idle(&link->pipe)) {
            hf_list_remove(&link->link);
            hf_pipe_release(&link->pipe);
            hf_mem_free(links->mem, link, sizeof(*link));
        }
    }
}
