/* listen.h - Listeners of libuv: on a host name and port, on a path. */
#ifndef HF_IO_LISTEN_H
#define HF_IO_LISTEN_H

#include <uv.h>

#include "base/types.h"

/* Listens by @listener, which is initialised, on @bind, and sets *@port to what
 * was bound when it was 0. Returns 0, HF_EINUSE when the port is taken,
 * HF_ENOMEM, or HF_EIO. Waits for as long as the name takes to look up.
 * @shared: others of this user may listen there as well if they say the same;
 * the kernel gives each connection to one of them. */
HF_NODISCARD int hf_listen(uv_loop_t *loop, uv_tcp_t *listener,
                           const char *bind, uint16_t *port, bool shared,
                           int backlog, uv_connection_cb connected);

/* Finds out whether nobody listens on *@port of @bind, chooses one when it is
 * 0, and keeps it for listeners that share it until *@guard is closed, also
 * while there are none. Nobody is listened to yet. Results as of hf_listen;
 * starts no thread. */
HF_NODISCARD int hf_listen_keep_port(const char *bind, uint16_t *port,
                                     int *guard);

/* Bytes of the path of a Unix socket, without the zero byte. */
#define HF_LISTEN_PATH_MAX 107

/* Listens by @listener, which is initialised, on the Unix socket @path, which
 * only the user of this process may connect to; it is removed when @listener is
 * closed. A socket that a dead process left there is replaced. Of several
 * processes that do this at once one succeeds: it holds the lock of a file
 * beside the socket, *@lock, which is for hf_listen_unlock after @listener was
 * closed; -1 when it failed. Returns 0, HF_EINUSE when a process listens there
 * or is about to, HF_EINVAL when something else is there, HF_ENOMEM, or HF_EIO.
 */
HF_NODISCARD int hf_listen_unix(uv_pipe_t *listener, const char *path,
                                int backlog, uv_connection_cb connected,
                                int *lock);
/* Removes the file, and gives up the lock. Nothing happens when it is -1. */
void hf_listen_unlock(const char *path, int lock);

#endif
