#include "io/probe.h"

#include "base/assert.h"

static void on_closed(uv_handle_t *handle)
{
    struct hf_probe *probe = handle->data;
    probe->open_handles--;
    if (probe->open_handles == 0) {
        probe->released(probe);
    }
}

/* Everything but `done`. */
static void probe_end(struct hf_probe *probe)
{
    probe->finished = true;
    if (probe->resolve != NULL) {
        hf_resolve_cancel(probe->resolve);
        probe->resolve = NULL;
    }
    for (size_t i = 0; i < probe->tried; i++) {
        uv_close((uv_handle_t *)&probe->tcp[i], on_closed);
    }
    uv_close((uv_handle_t *)&probe->timer, on_closed);
}

static void probe_finish(struct hf_probe *probe, enum hf_probe_result result)
{
    if (!probe->finished) {
        probe_end(probe);
        probe->done(probe, result);
    }
}

static void on_timeout(uv_timer_t *timer)
{
    probe_finish(timer->data, HF_PROBE_UNKNOWN);
}

static void probe_judge(struct hf_probe *probe)
{
    if (probe->refused + probe->failed < probe->tried) {
        return; /* Somebody may still answer. */
    }
    bool refused = probe->tried > 0 && probe->failed == 0;
    probe_finish(probe, refused ? HF_PROBE_REFUSED : HF_PROBE_UNKNOWN);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct hf_probe *probe = connect->data;
    if (probe->finished) {
        return;
    }
    if (status == 0) {
        probe_finish(probe, HF_PROBE_CONNECTED);
        return;
    }
    if (status == UV_ECONNREFUSED) {
        probe->refused++;
    } else {
        probe->failed++;
    }
    probe_judge(probe);
}

/* True when the connect is under way or has failed for good. */
static bool probe_connect(struct hf_probe *probe,
                          const struct sockaddr_storage *address)
{
    size_t i = probe->tried;
    if (uv_tcp_init(probe->timer.loop, &probe->tcp[i]) != 0) {
        return false;
    }
    probe->tcp[i].data = probe;
    probe->connects[i].data = probe;
    probe->tried++;
    probe->open_handles++;
    return uv_tcp_connect(&probe->connects[i], &probe->tcp[i],
                          (const struct sockaddr *)address, on_connected) == 0;
}

static void probe_connect_all(struct hf_probe *probe,
                              const struct hf_addresses *addresses)
{
    bool all = addresses->count > 0;
    for (size_t i = 0; i < addresses->count; i++) {
        all = probe_connect(probe, &addresses->at[i]) && all;
    }
    if (!all) { /* Whatever the others say, it proves nothing. */
        uv_timer_start(&probe->timer, on_timeout, 0, 0);
    }
}

static void on_resolved(void *user, const struct hf_addresses *addresses)
{
    struct hf_probe *probe = user;
    probe->resolve = NULL;
    probe_connect_all(probe, addresses);
}

void hf_probe_start(struct hf_probe *probe, uv_loop_t *loop, struct hf_mem *mem,
                    const struct hf_address *address,
                    void (*done)(struct hf_probe *probe, enum hf_probe_result),
                    void (*released)(struct hf_probe *probe))
{
    struct hf_addresses addresses;

    probe->mem = mem;
    probe->done = done;
    probe->released = released;
    probe->resolve = NULL;
    probe->tried = 0;
    probe->refused = 0;
    probe->failed = 0;
    probe->finished = false;
    probe->open_handles = 1;
    HF_ASSERT(uv_timer_init(loop, &probe->timer) == 0);
    probe->timer.data = probe;
    /* The timer counts from the loop's clock, which may be late. */
    uv_update_time(loop);
    uv_timer_start(&probe->timer, on_timeout, HF_PROBE_TIMEOUT_MS, 0);
    if (hf_resolve_literal(address->host, address->port, &addresses)) {
        probe_connect_all(probe, &addresses);
        return;
    }
    probe->resolve = hf_resolve_start(loop, mem, address->host, address->port,
                                      on_resolved, probe);
    if (probe->resolve == NULL) {
        uv_timer_start(&probe->timer, on_timeout, 0, 0);
    }
}

void hf_probe_cancel(struct hf_probe *probe)
{
    if (!probe->finished) {
        probe_end(probe);
    }
}
