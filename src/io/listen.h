/* listen.h - Listeners of libuv: on a host name and port, on a path. */
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

/* Bytes of the path of a Unix socket, without the zero byte. */
#define HF_LISTEN_PATH_MAX 107

/* Listens by @listener, which is initialised, on the Unix socket @path, which
 * only the user of this process may connect to; it is removed when @listener is
 * closed. A socket that a dead process left there is replaced. Returns 0,
 * HF_EINUSE when a process listens there, HF_EINVAL when something else is
 * there, HF_ENOMEM, or HF_EIO. */
HF_NODISCARD int hf_listen_unix(uv_pipe_t *listener, const char *path,
                                int backlog, uv_connection_cb connected);

#endif
