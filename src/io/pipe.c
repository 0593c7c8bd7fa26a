#include "io/pipe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "io/clock.h"

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
    return 0;

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
    nng_iov iov = {.iov_buf = to, .iov_len = room};
    HF_ASSERT(nng_aio_set_iov(pipe->receiving.aio, 1, &iov) == 0);
    hf_completion_begin(&pipe->receiving, 0);
    nng_stream_recv(pipe->nng, pipe->receiving.aio);
    return 0;
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

static void send_next(struct hf_pipe *pipe)
{
    nng_iov iov[HF_PIPE_BATCH_MAX];
    unsigned count = 0;
    size_t offset = pipe->frame_offset;
    size_t size = 0;
    for (struct hf_list *at = pipe->frames.next;
         at != &pipe->frames && count < HF_PIPE_BATCH_MAX; at = at->next) {
        struct hf_buffer *bytes = &frame_of(at)->bytes;
        iov[count].iov_buf = bytes->data + offset;
        iov[count].iov_len = bytes->size - offset;
        size += iov[count].iov_len;
        offset = 0;
        count++;
    }
    if (count == 0) {
        return;
    }
    HF_ASSERT(nng_aio_set_iov(pipe->sending.aio, count, iov) == 0);
    pipe->sending_since = hf_clock_now();
    /* With nothing left behind, nobody waits to hear that it was sent. */
    hf_completion_begin(&pipe->sending, count < HF_PIPE_BATCH_MAX ? size : 0);
    nng_stream_send(pipe->nng, pipe->sending.aio);
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
    send_next(pipe);
}

void hf_pipe_flush(struct hf_pipe *pipe)
{
    if (pipe->closed || hf_list_is_empty(&pipe->frames)) {
        return;
    }
    if (pipe->sending.in_flight) {
        hf_completion_hurry(&pipe->sending);
    } else {
        send_next(pipe);
    }
}

void hf_pipe_close(struct hf_pipe *pipe)
{
    if (!pipe->closed) {
        pipe->closed = true;
        nng_stream_close(pipe->nng);
        hf_completion_hurry(&pipe->sending);
    }
}

bool hf_pipe_is_idle(const struct hf_pipe *pipe)
{
    return !pipe->receiving.in_flight && !pipe->sending.in_flight;
}

void hf_pipe_release(struct hf_pipe *pipe)
{
    HF_ASSERT(pipe->closed);
    HF_ASSERT(hf_pipe_is_idle(pipe));
    hf_completion_close(&pipe->receiving);
    hf_completion_close(&pipe->sending);
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
