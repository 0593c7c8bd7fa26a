#include "io/resolve.h"

#include <stdio.h>
#include <string.h>

struct hf_resolve {
    uv_getaddrinfo_t request;
    struct hf_mem *mem;
    void (*done)(void *user, const struct hf_addresses *addresses);
    void *user;
};

bool hf_resolve_literal(const char *host, uint16_t port,
                        struct hf_addresses *addresses)
{
    memset(addresses, 0, sizeof(*addresses));
    struct sockaddr_storage *at = &addresses->at[0];
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)at) == 0 ||
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)at) == 0) {
        addresses->count = 1;
        return true;
    }
    return false;
}

static void addresses_read(struct hf_addresses *addresses,
                           const struct addrinfo *found)
{
    memset(addresses, 0, sizeof(*addresses));
    for (; found != NULL && addresses->count < HF_ADDRESSES_MAX;
         found = found->ai_next) {
        if (found->ai_family == AF_INET || found->ai_family == AF_INET6) {
            memcpy(&addresses->at[addresses->count], found->ai_addr,
                   found->ai_addrlen);
            addresses->count++;
        }
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status,
                        struct addrinfo *found)
{
    struct hf_resolve *resolve = request->data;
    struct hf_addresses addresses;
    addresses_read(&addresses, status == 0 ? found : NULL);
    addresses.error = status;
    uv_freeaddrinfo(found);
    if (resolve->done != NULL) {
        resolve->done(resolve->user, &addresses);
    }
    hf_mem_free(resolve->mem, resolve, sizeof(*resolve));
}

static int lookup(uv_loop_t *loop, uv_getaddrinfo_t *request,
                  uv_getaddrinfo_cb done, const char *host, uint16_t port)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV,
    };
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    return uv_getaddrinfo(loop, request, done, host, service, &hints);
}

struct hf_resolve *hf_resolve_start(
    uv_loop_t *loop, struct hf_mem *mem, const char *host, uint16_t port,
    void (*done)(void *user, const struct hf_addresses *addresses), void *user)
{
    struct hf_resolve *resolve = hf_mem_alloc_zero(mem, sizeof(*resolve));
    if (resolve == NULL) {
        return NULL;
    }
    resolve->mem = mem;
    resolve->done = done;
    resolve->user = user;
    resolve->request.data = resolve;
    if (lookup(loop, &resolve->request, on_resolved, host, port) != 0) {
        hf_mem_free(mem, resolve, sizeof(*resolve));
        return NULL;
    }
    return resolve;
}

void hf_resolve_cancel(struct hf_resolve *resolve)
{
    resolve->done = NULL;
    uv_cancel((uv_req_t *)&resolve->request);
}

bool hf_resolve_now(uv_loop_t *loop, const char *host, uint16_t port,
                    struct hf_addresses *addresses)
{
    if (hf_resolve_literal(host, port, addresses)) {
        return true;
    }
    uv_getaddrinfo_t request;
    if (lookup(loop, &request, NULL, host, port) != 0) {
        return false;
    }
    addresses_read(addresses, request.addrinfo);
    uv_freeaddrinfo(request.addrinfo);
    return addresses->count > 0;
}

void hf_address_text(const struct sockaddr_storage *address, char *text,
                     size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    uint16_t port = 0;
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        uv_ip6_name(in6, host, sizeof(host));
        port = ntohs(in6->sin6_port);
    } else if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        uv_ip4_name(in, host, sizeof(host));
        port = ntohs(in->sin_port);
    }
    hf_host_port_text(host, port, text, size);
}

void hf_host_port_text(const char *host, uint16_t port, char *text, size_t size)
{
    const char *format = strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u";
    snprintf(text, size, format, host, (unsigned)port);
}
