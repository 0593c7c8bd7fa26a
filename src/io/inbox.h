/* inbox.h - The border between NNG's threads and the loop.
 *
 * What had to wait, NNG calls back on threads of its own. Such a callback does
 * one thing: it
 * puts its completion into the inbox and wakes the loop. Everything else
 * happens on the loop thread, in the order in which NNG was done.
 *
 *   loop thread      begin --> NNG works ... callback          NNG's thread
 *                                               |
 *                                       [ queue, mutex ] --> wake-up
 *                                               |
 *   loop thread      done(completion) <--- drain
 *
 * A completion is part of what it completes, so nothing is allocated on the
 * way. It must stay where it is until its `done` was called. */
#ifndef HF_IO_INBOX_H
#define HF_IO_INBOX_H

#include <nng/nng.h>
#include <uv.h>

#include "base/types.h"

struct hf_completion;

struct hf_inbox {
    uv_async_t wakeup;
    uv_mutex_t mutex;
    size_t in_flight; /* Loop thread only, as all but the next three. */
    struct hf_completion *first; /* Guarded by mutex. */
    struct hf_completion *last;
    bool signalled;
    void (*closed)(void *user);
    void *user;
};

/* One NNG operation that may be under way: an nng_aio of our own. */
struct hf_completion {
    struct hf_inbox *inbox;
    nng_aio *aio;
    void (*done)(struct hf_completion *completion); /* On the loop thread. */
    void *user;
    bool in_flight;             /* Loop thread only. */
    struct hf_completion *next; /* Guarded by the inbox's mutex. */
};

/* Returns 0 or HF_ENOMEM; then there is nothing to close. */
HF_NODISCARD int hf_inbox_init(struct hf_inbox *inbox, uv_loop_t *loop);

/* Calls `done` for everything that is complete. The wake-up does it too; call
 * it to save a turn of the loop. */
void hf_inbox_drain(struct hf_inbox *inbox);

/* Nothing may be in flight. @closed is called from the loop when @inbox is
 * closed and its memory may be reused. */
void hf_inbox_close(struct hf_inbox *inbox, void (*closed)(void *user),
                    void *user);

/* Returns 0 or HF_ENOMEM; then there is nothing to close. */
HF_NODISCARD int hf_completion_init(struct hf_completion *completion,
                                    struct hf_inbox *inbox,
                                    void (*done)(struct hf_completion *),
                                    void *user);

/* Call right before the aio is given to NNG. */
void hf_completion_begin(struct hf_completion *completion);

/* Frees the aio, in the background. Not while in flight; harmless when it was
 * closed before. */
void hf_completion_close(struct hf_completion *completion);

#endif
