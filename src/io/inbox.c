#include "io/inbox.h"

#include "base/assert.h"
#include "holdfast/error.h"

/* With the mutex held. Waking under the mutex means that whoever drained the
 * completion knows its callback to be finished with the inbox. */
static void inbox_signal(struct hf_inbox *inbox)
{
    if (!inbox->signalled) {
        inbox->signalled = true;
        uv_async_send(&inbox->wakeup);
    }
}

/* Runs on a thread of NNG: touches only the inbox and the completion, and
 * nothing after the mutex is released. */
static void on_completed(void *arg)
{
    struct hf_completion *completion = arg;
    struct hf_inbox *inbox = completion->inbox;

    uv_mutex_lock(&inbox->mutex);
    completion->next = NULL;
    if (inbox->last == NULL) {
        inbox->first = completion;
    } else {
        inbox->last->next = completion;
    }
    inbox->last = completion;
    inbox_signal(inbox);
    uv_mutex_unlock(&inbox->mutex);
}

static void on_wakeup(uv_async_t *wakeup)
{
    hf_inbox_drain(wakeup->data);
}

int hf_inbox_init(struct hf_inbox *inbox, uv_loop_t *loop)
{
    *inbox = (struct hf_inbox){.in_flight = 0};
    if (uv_mutex_init(&inbox->mutex) != 0) {
        return HF_ENOMEM;
    }
    if (uv_async_init(loop, &inbox->wakeup, on_wakeup) != 0) {
        uv_mutex_destroy(&inbox->mutex);
        return HF_ENOMEM;
    }
    inbox->wakeup.data = inbox;
    return 0;
}

void hf_inbox_drain(struct hf_inbox *inbox)
{
    uv_mutex_lock(&inbox->mutex);
    struct hf_completion *next = inbox->first;
    inbox->first = NULL;
    inbox->last = NULL;
    inbox->signalled = false;
    uv_mutex_unlock(&inbox->mutex);

    while (next != NULL) {
        struct hf_completion *completion = next;
        next = completion->next; /* `done` may begin or free it. */
        HF_ASSERT(completion->in_flight);
        completion->in_flight = false;
        inbox->in_flight--;
        completion->done(completion);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct hf_inbox *inbox = handle->data;
    uv_mutex_destroy(&inbox->mutex);
    inbox->closed(inbox->user);
}

void hf_inbox_close(struct hf_inbox *inbox, void (*closed)(void *user),
                    void *user)
{
    HF_ASSERT(inbox->in_flight == 0);
    inbox->closed = closed;
    inbox->user = user;
    uv_close((uv_handle_t *)&inbox->wakeup, on_closed);
}

int hf_completion_init(struct hf_completion *completion, struct hf_inbox *inbox,
                       void (*done)(struct hf_completion *), void *user)
{
    *completion = (struct hf_completion){
        .inbox = inbox,
        .done = done,
        .user = user,
    };
    if (nng_aio_alloc(&completion->aio, on_completed, completion) != 0) {
        return HF_ENOMEM;
    }
    return 0;
}

void hf_completion_begin(struct hf_completion *completion)
{
    HF_ASSERT(!completion->in_flight);
    completion->in_flight = true;
    completion->inbox->in_flight++;
}

void hf_completion_close(struct hf_completion *completion)
{
    HF_ASSERT(!completion->in_flight);
    if (completion->aio != NULL) {
        nng_aio_reap(completion->aio);
        completion->aio = NULL;
    }
}
