#define _DEFAULT_SOURCE /* SO_REUSEPORT. */
#include "io/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "holdfast/error.h"
#include "io/resolve.h"

/* Of the file beside a Unix socket whose lock is held by who listens there. */
#define LOCK_FORMAT "%s.lock"
#define LOCK_PATH_BYTES (HF_LISTEN_PATH_MAX + 8)
#define LOCK_TRIES 100 /* Each after another process gave it up. */

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

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6
               ? ntohs(((const struct sockaddr_in6 *)address)->sin6_port)
               : ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* Gives @listener a socket that may share its port: libuv has no word for
 * that. 0, or an error of libuv. */
static int open_shared(uv_tcp_t *listener, int family)
{
    const int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return uv_translate_sys_error(errno);
    }
    int rv = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0
                 ? uv_tcp_open(listener, fd)
                 : uv_translate_sys_error(errno);
    if (rv != 0) {
        close(fd);
    }
    return rv;
}

int hf_listen(uv_loop_t *loop, uv_tcp_t *listener, const char *bind,
              uint16_t *port, bool shared, int backlog,
              uv_connection_cb connected)
{
    struct hf_addresses addresses;
    if (!hf_resolve_now(loop, bind, *port, &addresses)) {
        return HF_EIO;
    }
    const struct sockaddr_storage *at = &addresses.at[0];
    int rv = shared ? open_shared(listener, at->ss_family) : 0;
    if (rv == 0) {
        rv = uv_tcp_bind(listener, (const struct sockaddr *)at, 0);
    }
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
    *port = port_of(&bound);
    return 0;
}

/* Bound as one that does not share, so that it fails where anybody listens, be
 * it to share; from then on it does. What is left of old connections is no
 * reason to fail, but nobody else may say so of this one: it would be
 * overlooked while no node listens. */
static int guard_bind(int guard, const struct sockaddr_storage *address,
                      uint16_t *port)
{
    const int on = 1;
    const int off = 0;
    struct sockaddr_storage bound;
    socklen_t size = address->ss_family == AF_INET6
                         ? sizeof(struct sockaddr_in6)
                         : sizeof(struct sockaddr_in);
    if (setsockopt(guard, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(guard, (const struct sockaddr *)address, size) != 0) {
        return errno == EADDRINUSE ? HF_EINUSE : HF_EIO;
    }
    size = sizeof(bound);
    memset(&bound, 0, sizeof(bound));
    if (setsockopt(guard, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off)) != 0 ||
        setsockopt(guard, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        getsockname(guard, (struct sockaddr *)&bound, &size) != 0) {
        return HF_EIO;
    }
    *port = port_of(&bound);
    return 0;
}

int hf_listen_keep_port(const char *bind, uint16_t *port, int *guard)
{
    struct hf_addresses addresses;
    uv_loop_t loop; /* For the look-up, which does not run it. */
    if (uv_loop_init(&loop) != 0) {
        return HF_EIO;
    }
    bool found = hf_resolve_now(&loop, bind, *port, &addresses);
    HF_ASSERT(uv_loop_close(&loop) == 0);
    if (!found) {
        return HF_EIO;
    }
    *guard = socket(addresses.at[0].ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*guard < 0) {
        return HF_EIO;
    }
    int rv = guard_bind(*guard, &addresses.at[0], port);
    if (rv != 0) {
        close(*guard);
    }
    return rv;
}

/* Whether a process takes connections at @address: 0 if nobody does, else as
 * hf_listen_unix. */
static int find_nobody(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM, 0);
    if (probe < 0) {
        return HF_EIO;
    }
    int rv = fcntl(probe, F_SETFL, O_NONBLOCK); /* Its queue may be full. */
    if (rv == 0) {
        rv = connect(probe, (const struct sockaddr *)address, sizeof(*address));
    }
    int why = errno;
    close(probe);
    if (rv == 0 || why == EAGAIN || why == EINPROGRESS || why == EPROTOTYPE) {
        return HF_EINUSE;
    }
    return why == ECONNREFUSED || why == ENOENT ? 0 : HF_EIO;
}

/* Makes room for a socket at @path. */
static int remove_left_over(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat there;
    if (lstat(path, &there) != 0) {
        return errno == ENOENT ? 0 : HF_EIO;
    }
    if (!S_ISSOCK(there.st_mode)) {
        return HF_EINVAL;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int rv = find_nobody(&address);
    if (rv == 0 && unlink(path) != 0 && errno != ENOENT) {
        return HF_EIO;
    }
    return rv;
}

/* Whoever has the lock of @path may replace what is there: 0, and its
 * descriptor in *@lock; or as hf_listen_unix. */
static int take_lock(const char *path, int *lock)
{
    char name[LOCK_PATH_BYTES];
    snprintf(name, sizeof(name), LOCK_FORMAT, path);
    for (int i = 0; i < LOCK_TRIES; i++) {
        struct stat mine;
        struct stat there;
        int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW,
                      S_IRUSR | S_IWUSR);
        if (fd < 0) {
            return HF_EIO;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int why = errno;
            close(fd);
            return why == EWOULDBLOCK ? HF_EINUSE : HF_EIO;
        }
        if (fstat(fd, &mine) == 0 && stat(name, &there) == 0 &&
            mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) {
            *lock = fd;
            return 0;
        }
        close(fd); /* Who had it before has removed it meanwhile. */
    }
    return HF_EINUSE;
}

void hf_listen_unlock(const char *path, int lock)
{
    char name[LOCK_PATH_BYTES];
    if (lock < 0) {
        return;
    }
    snprintf(name, sizeof(name), LOCK_FORMAT, path);
    (void)unlink(name); /* While it is ours. */
    close(lock);
}

static int listen_locked(uv_pipe_t *listener, const char *path, int backlog,
                         uv_connection_cb connected)
{
    int rv = remove_left_over(path);
    if (rv != 0) {
        return rv;
    }
    mode_t mask = umask(S_IXUSR | S_IRWXG | S_IRWXO);
    rv = uv_pipe_bind(listener, path);
    umask(mask);
    if (rv == 0) {
        rv = uv_listen((uv_stream_t *)listener, backlog, connected);
    }
    return rv == 0 ? 0 : listen_error(rv);
}

int hf_listen_unix(uv_pipe_t *listener, const char *path, int backlog,
                   uv_connection_cb connected, int *lock)
{
    _Static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) ==
                       HF_LISTEN_PATH_MAX + 1,
                   "paths fit an address");
    HF_ASSERT(strlen(path) <= HF_LISTEN_PATH_MAX);
    *lock = -1;
    int rv = take_lock(path, lock);
    if (rv == 0) {
        rv = listen_locked(listener, path, backlog, connected);
    }
    if (rv != 0) {
        hf_listen_unlock(path, *lock);
        *lock = -1;
    }
    return rv;
}
