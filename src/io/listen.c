#include "io/listen.h"

#include <string.h>

#include "holdfast/error.h"
#include "io/resolve.h"

static int listen_error(int uv_error)
{
    switch (uv_error) {
    case UV_EADDRINUSE:
        return HF_EINUSE;
    case UV_ENOMEM:
        return HF_ENOMEM;
    default:
        return HF_EIO;
    }
}

int hf_listen(uv_loop_t *loop, uv_tcp_t *listener, const char *bind,
              uint16_t *port, int backlog, uv_connection_cb connected)
{
    struct hf_addresses addresses;
    if (!hf_resolve_now(loop, bind, *port, &addresses)) {
        return HF_EIO;
    }
    int rv =
        uv_tcp_bind(listener, (const struct sockaddr *)&addresses.at[0], 0);
    if (rv == 0) {
        rv = uv_listen((uv_stream_t *)listener, backlog, connected);
    }
    if (rv != 0) {
        return listen_error(rv);
    }
    struct sockaddr_storage bound;
    int bound_size = sizeof(bound);
    memset(&bound, 0, sizeof(bound));
    uv_tcp_getsockname(listener, (struct sockaddr *)&bound, &bound_size);
    *port = bound.ss_family == AF_INET6
                ? ntohs(((struct sockaddr_in6 *)&bound)->sin6_port)
                : ntohs(((struct sockaddr_in *)&bound)->sin_port);
    return 0;
}
