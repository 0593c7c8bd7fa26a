/* pipe.h - One NNG byte stream: what comes in, and frames going out.
 *
 * Only NNG's stream API is used: its sockets (PAIR, PUSH, ...) do not survive
 * peers that are killed and restarted, in the versions distributions ship.
 * One receive and one send operation are under way at most; several would be
 * reordered by NNG. "Sent" means handed to the kernel, not received.
 *
 *   open --> receive, push, flush ... --> close --> is_idle --> release
 *              +--> watch
 *
 * What the kernel takes or has at once is moved on the loop thread, without a
 * thread of NNG: an nng_aio without a callback is done when the call returns,
 * and cancelled if it is not. What has to wait goes through the inbox. For
 * reading, that needs to know when there is something: the loop watches the
 * stream's own descriptor. See docs/decisions/0013-no-thread-per-frame.md.
 *
 * After close nothing is called back any more, but NNG may still hold the
 * buffers: release only when idle. */
#ifndef HF_IO_PIPE_H
#define HF_IO_PIPE_H

#include "base/bytes.h"
#include "base/list.h"
#include "io/inbox.h"

/* Frames that go out in one system call: what an nng_aio takes. */
#define HF_PIPE_BATCH_MAX 8

struct hf_pipe_frame {
    struct hf_list link;
    struct hf_buffer bytes;
};

struct hf_pipe {
    struct hf_mem *mem;
    nng_stream *nng;
    nng_aio *direct; /* Without a callback: done at once or not at all. */
    uv_poll_t poll;
    bool watched; /* By `poll`, which is open; */
    size_t room;  /* ... then so much is read at once, */
    bool held;    /* unless the owner is busy with what it has. */
    struct hf_completion receiving;
    struct hf_completion sending;
    struct hf_buffer input; /* Received and not yet consumed. */
    struct hf_list frames;  /* To be sent; the first @batch are being sent. */
    size_t frames_bytes;
    size_t frame_offset; /* Of the first frame, that much is sent. */
    hf_time sending_since;
    struct hf_pipe_frame *spare; /* One sent frame, to be used again. */
    bool closed;
    /* More bytes are in `input`. */
    void (*received)(struct hf_pipe *pipe);
    /* The stream broke: the remote end closed it (nng_error NNG_ECONNSHUT or
     * NNG_ECONNRESET) or something else. Close it. */
    void (*failed)(struct hf_pipe *pipe, int nng_error);
    void *user;
};

/* Takes over @nng, whatever it returns: 0 or HF_ENOMEM (then there is nothing
 * to close). Set received, failed and user afterwards. */
HF_NODISCARD int hf_pipe_open(struct hf_pipe *pipe, nng_stream *nng,
                              struct hf_inbox *inbox, struct hf_mem *mem);

/* Reads at least one and at most @room bytes into `input`; `received` is
 * called later, when the pipe is watched perhaps again and again. `input` must
 * not be changed meanwhile. Returns 0 or HF_ENOMEM.
 */
HF_NODISCARD int hf_pipe_receive(struct hf_pipe *pipe, size_t room);

/* From now on @loop looks itself whether there is something to receive, which
 * costs no other thread. Not while receiving. False: it cannot be watched, and
 * NNG's threads go on doing it. */
bool hf_pipe_watch(struct hf_pipe *pipe, uv_loop_t *loop);

/* An empty frame to write into, or NULL when out of memory. Give it back by
 * push or drop. */
struct hf_pipe_frame *hf_pipe_frame_new(struct hf_pipe *pipe);
void hf_pipe_push(struct hf_pipe *pipe, struct hf_pipe_frame *frame);
void hf_pipe_drop(struct hf_pipe *pipe, struct hf_pipe_frame *frame);

/* Sends what was pushed as far as the kernel takes it, unless a send is under
 * way; the rest follows by itself. */
void hf_pipe_flush(struct hf_pipe *pipe);

/* Closes the connection at once; what was not sent is lost, what the kernel
 * has is delivered. May be called from received and failed, and twice. */
void hf_pipe_close(struct hf_pipe *pipe);
bool hf_pipe_is_idle(const struct hf_pipe *pipe);
void hf_pipe_release(struct hf_pipe *pipe);

/* The remote "host:port" for logs; "?" when unknown. @size at least 64. */
void hf_pipe_remote(const struct hf_pipe *pipe, char *text, size_t size);

#endif
