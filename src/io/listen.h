/* listen.h - A TCP listener of libuv on a host name and port. */
#ifndef HF_IO_LISTEN_H
#define HF_IO_LISTEN_H

#include <uv.h>

#include "base/types.h"

/* Listens by @listener, which is initialised, on @bind, and sets *@port to what
 * was bound when it was 0. Returns 0, HF_EINUSE when the port is taken,
 * HF_ENOMEM, or HF_EIO. @loop runs for as long as the name takes to look up, so
 * nothing else may be on it yet that could be disturbed. */
HF_NODISCARD int hf_listen(uv_loop_t *loop, uv_tcp_t *listener,
                           const char *bind, uint16_t *port, int backlog,
                           uv_connection_cb connected);

#endif
