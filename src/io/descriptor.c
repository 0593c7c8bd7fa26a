#include "io/descriptor.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Where Linux lists the descriptors of this process. */
#define LIST "/proc/self/fd"

typedef int (*name_of)(int descriptor, struct sockaddr *address,
                       socklen_t *size);

/* Whether one end of the socket @descriptor, as @name tells, is @wanted. */
static bool has_address(int descriptor, name_of name,
                        const nng_sockaddr *wanted)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(storage);
    if (name(descriptor, (struct sockaddr *)&storage, &size) != 0) {
        return false;
    }
    if (storage.ss_family == AF_INET && wanted->s_family == NNG_AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&storage;
        return in->sin_port == wanted->s_in.sa_port &&
               in->sin_addr.s_addr == wanted->s_in.sa_addr;
    }
    if (storage.ss_family == AF_INET6 && wanted->s_family == NNG_AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&storage;
        return in->sin6_port == wanted->s_in6.sa_port &&
               memcmp(&in->sin6_addr, wanted->s_in6.sa_addr,
                      sizeof(in->sin6_addr)) == 0;
    }
    return false;
}

int hf_descriptor_of(nng_stream *stream)
{
    nng_sockaddr local;
    nng_sockaddr remote;
    if (nng_stream_get_addr(stream, NNG_OPT_LOCADDR, &local) != 0 ||
        nng_stream_get_addr(stream, NNG_OPT_REMADDR, &remote) != 0) {
        return -1;
    }
    DIR *list = opendir(LIST);
    if (list == NULL) {
        return -1;
    }
    int found = -1;
    const struct dirent *entry;
    while (found < 0 && (entry = readdir(list)) != NULL) {
        char *end;
        long descriptor = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' &&
            has_address((int)descriptor, getpeername, &remote) &&
            has_address((int)descriptor, getsockname, &local)) {
            found = (int)descriptor;
        }
    }
    closedir(list);
    return found;
}
