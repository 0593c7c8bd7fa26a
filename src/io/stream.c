#include "io/stream.h"

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

int hf_stream_open(struct hf_stream *stream, nng_stream *nng,
                   struct hf_inbox *inbox, struct hf_mem *mem)
{
    *stream = (struct hf_stream){.mem = mem, .nng = nng};
    hf_buffer_init(&stream->input, mem);
    hf_list_init(&stream->frames);
    if (hf_completion_init(&stream->receiving, inbox, on_received, stream) !=
        0) {
        goto free_nng;
    }
    if (hf_completion_init(&stream->sending, inbox, on_sent, stream) != 0) {
        goto close_receiving;
    }
    return 0;

close_receiving:
    hf_completion_close(&stream->receiving);
free_nng:
    nng_stream_close(nng);
    nng_stream_free(nng);
    return HF_ENOMEM;
}

int hf_stream_receive(struct hf_stream *stream, size_t room)
{
    HF_ASSERT(!stream->closed);
    HF_ASSERT(room > 0);
    uint8_t *to = hf_buffer_reserve(&stream->input, room);
    if (to == NULL) {
        return HF_ENOMEM;
    }
    nng_iov iov = {.iov_buf = to, .iov_len = room};
    HF_ASSERT(nng_aio_set_iov(stream->receiving.aio, 1, &iov) == 0);
    hf_completion_begin(&stream->receiving, 0);
    nng_stream_recv(stream->nng, stream->receiving.aio);
    return 0;
}

static void on_received(struct hf_completion *completion)
{
    struct hf_stream *stream = completion->user;
    if (stream->closed) {
        return;
    }
    int error = nng_aio_result(completion->aio);
    if (error != 0) {
        stream->failed(stream, error);
        return;
    }
    hf_buffer_commit(&stream->input, nng_aio_count(completion->aio));
    stream->received(stream);
}

struct hf_stream_frame *hf_stream_frame_new(struct hf_stream *stream)
{
    struct hf_stream_frame *frame = stream->spare;
    if (frame != NULL) {
        stream->spare = NULL;
        return frame;
    }
    frame = hf_mem_alloc(stream->mem, sizeof(*frame));
    if (frame != NULL) {
        hf_list_init(&frame->link);
        hf_buffer_init(&frame->bytes, stream->mem);
    }
    return frame;
}

void hf_stream_push(struct hf_stream *stream, struct hf_stream_frame *frame)
{
    HF_ASSERT(!stream->closed);
    HF_ASSERT(frame->bytes.size > 0);
    hf_list_push_back(&stream->frames, &frame->link);
    stream->frames_bytes += frame->bytes.size;
}

static void frame_free(struct hf_stream *stream, struct hf_stream_frame *frame)
{
    hf_buffer_close(&frame->bytes);
    hf_mem_free(stream->mem, frame, sizeof(*frame));
}

void hf_stream_drop(struct hf_stream *stream, struct hf_stream_frame *frame)
{
    hf_buffer_clear(&frame->bytes);
    if (stream->spare == NULL && frame->bytes.capacity <= SPARE_BYTES_MAX) {
        stream->spare = frame;
    } else {
        frame_free(stream, frame);
    }
}

static struct hf_stream_frame *frame_of(struct hf_list *link)
{
    return HF_CONTAINER_OF(link, struct hf_stream_frame, link);
}

static void send_next(struct hf_stream *stream)
{
    nng_iov iov[HF_STREAM_BATCH_MAX];
    unsigned count = 0;
    size_t offset = stream->frame_offset;
    size_t size = 0;
    for (struct hf_list *at = stream->frames.next;
         at != &stream->frames && count < HF_STREAM_BATCH_MAX; at = at->next) {
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
    HF_ASSERT(nng_aio_set_iov(stream->sending.aio, count, iov) == 0);
    stream->sending_since = hf_clock_now();
    /* With nothing left behind, nobody waits to hear that it was sent. */
    hf_completion_begin(&stream->sending,
                        count < HF_STREAM_BATCH_MAX ? size : 0);
    nng_stream_send(stream->nng, stream->sending.aio);
}

/* NNG reports how much of a send the kernel took, which may be a part. */
static void frames_consume(struct hf_stream *stream, size_t size)
{
    size += stream->frame_offset;
    while (!hf_list_is_empty(&stream->frames)) {
        struct hf_stream_frame *frame = frame_of(stream->frames.next);
        size_t frame_size = frame->bytes.size;
        if (size < frame_size) {
            break;
        }
        size -= frame_size;
        stream->frames_bytes -= frame_size;
        hf_list_remove(&frame->link);
        hf_stream_drop(stream, frame);
    }
    stream->frame_offset = size;
    HF_ASSERT(size == 0 || !hf_list_is_empty(&stream->frames));
}

static void on_sent(struct hf_completion *completion)
{
    struct hf_stream *stream = completion->user;
    if (stream->closed) {
        return;
    }
    int error = nng_aio_result(completion->aio);
    if (error != 0) {
        stream->failed(stream, error);
        return;
    }
    frames_consume(stream, nng_aio_count(completion->aio));
    send_next(stream);
}

void hf_stream_flush(struct hf_stream *stream)
{
    if (stream->closed || hf_list_is_empty(&stream->frames)) {
        return;
    }
    if (stream->sending.in_flight) {
        hf_completion_hurry(&stream->sending);
    } else {
        send_next(stream);
    }
}

void hf_stream_close(struct hf_stream *stream)
{
    if (!stream->closed) {
        stream->closed = true;
        nng_stream_close(stream->nng);
        hf_completion_hurry(&stream->sending);
    }
}

bool hf_stream_is_idle(const struct hf_stream *stream)
{
    return !stream->receiving.in_flight && !stream->sending.in_flight;
}

void hf_stream_release(struct hf_stream *stream)
{
    HF_ASSERT(stream->closed);
    HF_ASSERT(hf_stream_is_idle(stream));
    hf_completion_close(&stream->receiving);
    hf_completion_close(&stream->sending);
    nng_stream_free(stream->nng);
    stream->nng = NULL;
    hf_buffer_close(&stream->input);
    while (!hf_list_is_empty(&stream->frames)) {
        struct hf_stream_frame *frame = frame_of(stream->frames.next);
        hf_list_remove(&frame->link);
        frame_free(stream, frame);
    }
    if (stream->spare != NULL) {
        frame_free(stream, stream->spare);
        stream->spare = NULL;
    }
}

void hf_stream_remote(const struct hf_stream *stream, char *text, size_t size)
{
    nng_sockaddr address;
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;

    snprintf(text, size, "?");
    if (nng_stream_get_addr(stream->nng, NNG_OPT_REMADDR, &address) != 0) {
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
