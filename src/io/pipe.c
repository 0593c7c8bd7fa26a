#include "io/pipe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "io/clock.h"
#include "io/descriptor.h"

/* A sent frame larger than this is not kept for the next one. */
#define SPARE_BYTES_MAX ((size_t)512 << 10)

static void on_received(struct hf_completion *completion);
static void on_sent(struct hf_completion *completion);

int hf_pipe_open(struct hf_pipe *pipe, nng_stream *nng, struct hf_inbox *inbox,
                 struct hf_mem *mem)
{
    *pipe = (struct hf_pipe){.mem = mem, .nng = nng};
    hf_buffer_init(&pipe->input, mem);
    hf_list_init(&pipe->frames);
    if (hf_completion_init(&pipe->receiving, inbox, on_received, pipe) != 0) {
        goto free_nng;
    }
    if (hf_completion_init(&pipe->sending, inbox, on_sent, pipe) != 0) {
        goto close_receiving;
    }
    if (nng_aio_alloc(&pipe->direct, NULL, NULL) != 0) {
        goto close_sending;
    }
    return 0;

close_sending:
    hf_completion_close(&pipe->sending);
close_receiving:
    hf_completion_close(&pipe->receiving);
free_nng:
    nng_stream_close(nng);
    nng_stream_free(nng);
    return HF_ENOMEM;
}

int hf_pipe_receive(struct hf_pipe *pipe, size_t room)
{
    HF_ASSERT(!pipe->closed);
    HF_ASSERT(room > 0);
    uint8_t *to = hf_buffer_reserve(&pipe->input, room);
    if (to == NULL) {
        return HF_ENOMEM;
    }
    pipe->room = room;
    pipe->held = false;
    if (pipe->watched && uv_is_active((const uv_handle_t *)&pipe->poll)) {
        return 0;
    }
    nng_iov iov = {.iov_buf = to, .iov_len = room};
    HF_ASSERT(nng_aio_set_iov(pipe->receiving.aio, 1, &iov) == 0);
    hf_completion_begin(&pipe->receiving);
    nng_stream_recv(pipe->nng, pipe->receiving.aio);
    return 0;
}

/* What NNG did not do at once it shall not do at all. Returns the result;
 * NNG_ECANCELED: the kernel would have had to wait. */
static int direct_finish(struct hf_pipe *pipe)
{
    nng_aio_cancel(pipe->direct);
    nng_aio_wait(pipe->direct);
    return nng_aio_result(pipe->direct);
}

static void on_received(struct hf_completion *completion)
{
    struct hf_pipe *pipe = completion->user;
    if (pipe->closed) {
        return;
    }
    int error = nng_aio_result(completion->aio);
    if (error != 0) {
        pipe->failed(pipe, error);
        return;
    }
    hf_buffer_commit(&pipe->input, nng_aio_count(completion->aio));
    pipe->received(pipe);
}

/* Also when the remote end closed the stream or it broke. Then NNG's threads
 * are asked for the rest, which is the error: so it does not overtake what came
 * in by them before, such as the WELCOME of the session that replaces this one.
 */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct hf_pipe *pipe = poll->data;
    (void)events;
    if (pipe->held) {
        return; /* The loop does not wait then, so this costs little. */
    }
    uint8_t *to = hf_buffer_reserve(&pipe->input, pipe->room);
    if (to == NULL) {
        return; /* The owner knows: hf_pipe_receive told. */
    }
    nng_iov iov = {.iov_buf = to, .iov_len = pipe->room};
    HF_ASSERT(nng_aio_set_iov(pipe->direct, 1, &iov) == 0);
    nng_stream_recv(pipe->nng, pipe->direct);
    int error = direct_finish(pipe);
    if (error == 0) {
        hf_buffer_commit(&pipe->input, nng_aio_count(pipe->direct));
        pipe->received(pipe);
    } else if (error != NNG_ECANCELED || status < 0) {
        uv_poll_stop(poll);
        hf_completion_begin(&pipe->receiving);
        HF_ASSERT(nng_aio_set_iov(pipe->receiving.aio, 1, &iov) == 0);
        nng_stream_recv(pipe->nng, pipe->receiving.aio);
    }
}

bool hf_pipe_watch(struct hf_pipe *pipe, uv_loop_t *loop)
{
    HF_ASSERT(!pipe->closed);
    HF_ASSERT(!pipe->watched);
    HF_ASSERT(!pipe->receiving.in_flight);
    int descriptor = hf_descriptor_of(pipe->nng, NULL);
    if (descriptor < 0 || uv_poll_init(loop, &pipe->poll, descriptor) != 0) {
        return false;
    }
    pipe->poll.data = pipe;
    pipe->watched = true;
    HF_ASSERT(uv_poll_start(&pipe->poll, UV_READABLE, on_readable) == 0);
    return true;
}

struct hf_pipe_frame *hf_pipe_frame_new(struct hf_pipe *pipe)
{
    struct hf_pipe_frame *frame = pipe->spare;
    if (frame != NULL) {
        pipe->spare = NULL;
        return frame;
    }
    frame = hf_mem_alloc(pipe->mem, sizeof(*frame));
    if (frame != NULL) {
        hf_list_init(&frame->link);
        hf_buffer_init(&frame->bytes, pipe->mem);
    }
    return frame;
}

void hf_pipe_push(struct hf_pipe *pipe, struct hf_pipe_frame *frame)
{
    HF_ASSERT(!pipe->closed);
    HF_ASSERT(frame->bytes.size > 0);
    hf_list_push_back(&pipe->frames, &frame->link);
    pipe->frames_bytes += frame->bytes.size;
}

static void frame_free(struct hf_pipe *pipe, struct hf_pipe_frame *frame)
{
    hf_buffer_close(&frame->bytes);
    hf_mem_free(pipe->mem, frame, sizeof(*frame));
}

void hf_pipe_drop(struct hf_pipe *pipe, struct hf_pipe_frame *frame)
{
    hf_buffer_clear(&frame->bytes);
    if (pipe->spare == NULL && frame->bytes.capacity <= SPARE_BYTES_MAX) {
        pipe->spare = frame;
    } else {
        frame_free(pipe, frame);
    }
}

static struct hf_pipe_frame *frame_of(struct hf_list *link)
{
    return HF_CONTAINER_OF(link, struct hf_pipe_frame, link);
}

/* Points @aio to the first frames. */
static void frames_give(struct hf_pipe *pipe, nng_aio *aio)
{
    nng_iov iov[HF_PIPE_BATCH_MAX];
    unsigned count = 0;
    size_t offset = pipe->frame_offset;
    for (struct hf_list *at = pipe->frames.next;
         at != &pipe->frames && count < HF_PIPE_BATCH_MAX; at = at->next) {
        struct hf_buffer *bytes = &frame_of(at)->bytes;
        iov[count].iov_buf = bytes->data + offset;
        iov[count].iov_len = bytes->size - offset;
        offset = 0;
        count++;
    }
    HF_ASSERT(count > 0);
    HF_ASSERT(nng_aio_set_iov(aio, count, iov) == 0);
}

/* NNG reports how much of a send the kernel took, which may be a part. */
static void frames_consume(struct hf_pipe *pipe, size_t size)
{
    size += pipe->frame_offset;
    while (!hf_list_is_empty(&pipe->frames)) {
        struct hf_pipe_frame *frame = frame_of(pipe->frames.next);
        size_t frame_size = frame->bytes.size;
        if (size < frame_size) {
            break;
        }
        size -= frame_size;
        pipe->frames_bytes -= frame_size;
        hf_list_remove(&frame->link);
        hf_pipe_drop(pipe, frame);
    }
    pipe->frame_offset = size;
    HF_ASSERT(size == 0 || !hf_list_is_empty(&pipe->frames));
}

static void on_sent(struct hf_completion *completion)
{
    struct hf_pipe *pipe = completion->user;
    if (pipe->closed) {
        return;
    }
    int error = nng_aio_result(completion->aio);
    if (error != 0) {
        pipe->failed(pipe, error);
        return;
    }
    frames_consume(pipe, nng_aio_count(completion->aio));
    hf_pipe_flush(pipe);
}

void hf_pipe_flush(struct hf_pipe *pipe)
{
    if (pipe->closed || pipe->sending.in_flight ||
        hf_list_is_empty(&pipe->frames)) {
        return;
    }
    do {
        frames_give(pipe, pipe->direct);
        nng_stream_send(pipe->nng, pipe->direct);
        if (direct_finish(pipe) != 0) {
            break;
        }
        frames_consume(pipe, nng_aio_count(pipe->direct));
    } while (!hf_list_is_empty(&pipe->frames));
    if (hf_list_is_empty(&pipe->frames)) {
        return;
    }
    /* The kernel has no room, or an error to tell: not from in here. */
    frames_give(pipe, pipe->sending.aio);
    pipe->sending_since = hf_clock_now();
    hf_completion_begin(&pipe->sending);
    nng_stream_send(pipe->nng, pipe->sending.aio);
}

static void on_poll_closed(uv_handle_t *poll)
{
    struct hf_pipe *pipe = poll->data;
    pipe->watched = false;
}

void hf_pipe_close(struct hf_pipe *pipe)
{
    if (pipe->closed) {
        return;
    }
    pipe->closed = true;
    if (pipe->watched) { /* Before NNG closes the descriptor. */
        uv_close((uv_handle_t *)&pipe->poll, on_poll_closed);
    }
    nng_stream_close(pipe->nng);
}

bool hf_pipe_is_idle(const struct hf_pipe *pipe)
{
    return !pipe->receiving.in_flight && !pipe->sending.in_flight &&
           !pipe->watched;
}

void hf_pipe_release(struct hf_pipe *pipe)
{
    HF_ASSERT(pipe->closed);
    HF_ASSERT(hf_pipe_is_idle(pipe));
    hf_completion_close(&pipe->receiving);
    hf_completion_close(&pipe->sending);
    nng_aio_free(pipe->direct);
    nng_stream_free(pipe->nng);
    pipe->nng = NULL;
    hf_buffer_close(&pipe->input);
    while (!hf_list_is_empty(&pipe->frames)) {
        struct hf_pipe_frame *frame = frame_of(pipe->frames.next);
        hf_list_remove(&frame->link);
        frame_free(pipe, frame);
    }
    if (pipe->spare != NULL) {
        frame_free(pipe, pipe->spare);
        pipe->spare = NULL;
    }
}

void hf_pipe_remote(const struct hf_pipe *pipe, char *text, size_t size)
{
    nng_sockaddr address;
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;

    snprintf(text, size, "?");
    if (nng_stream_get_addr(pipe->nng, NNG_OPT_REMADDR, &address) != 0) {
        return;
    }
    if (address.s_family == NNG_AF_INET) {
        inet_ntop(AF_INET, &address.s_in.sa_addr, host, sizeof(host));
        port = ntohs(address.s_in.sa_port);
        snprintf(text, size, "%s:%u", host, port);
    } else if (address.s_family == NNG_AF_INET6) {
        inet_ntop(AF_INET6, address.s_in6.sa_addr, host, sizeof(host));
        port = ntohs(address.s_in6.sa_port);
        snprintf(text, size, "[%s]:%u", host, port);
    }
}
