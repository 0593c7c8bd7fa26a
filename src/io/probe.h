/* probe.h - Is there a process behind that address? One fresh TCP connect.
 *
 * The answer `refused` is evidence that a node is dead, so it is given only
 * when a kernel said ECONNREFUSED for every address the name leads to. A
 * timeout, no route or an unknown name proves nothing. Uses libuv: NNG reports
 * connects that never happened. */
#ifndef HF_IO_PROBE_H
#define HF_IO_PROBE_H

#include "base/list.h"
#include "core/node.h"
#include "io/resolve.h"

#define HF_PROBE_TIMEOUT_MS 300

struct hf_probe {
    struct hf_list link; /* For the owner. */
    uv_timer_t timer;
    uv_tcp_t tcp[HF_ADDRESSES_MAX];
    uv_connect_t connects[HF_ADDRESSES_MAX];
    struct hf_resolve *resolve; /* NULL: not under way. */
    size_t tried;               /* Addresses connected to. */
    size_t refused;             /* Of those, that refused. */
    size_t failed;              /* Of those, that failed otherwise. */
    unsigned open_handles;
    bool finished; /* `done` was called or will not be. */
    struct hf_mem *mem;
    uint64_t token;
    void (*done)(struct hf_probe *probe, enum hf_probe_result result);
    void (*released)(struct hf_probe *probe);
    void *user;
};

/* Starts one. @done is called once, never before this returns; @released when
 * its memory can be freed, which is up to the caller. Set token and user
 * before. Cannot fail. */
void hf_probe_start(struct hf_probe *probe, uv_loop_t *loop, struct hf_mem *mem,
                    const struct hf_address *address,
                    void (*done)(struct hf_probe *probe, enum hf_probe_result),
                    void (*released)(struct hf_probe *probe));

/* Ends it without calling `done`; `released` is called from the loop. Harmless
 * when it has ended. */
void hf_probe_cancel(struct hf_probe *probe);

#endif
