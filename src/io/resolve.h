/* resolve.h - Names to addresses, without stopping the loop.
 *
 * Literals are read at once. Names are looked up by libuv's thread pool, so
 * that a name server that hangs delays names only, never literals. */
#ifndef HF_IO_RESOLVE_H
#define HF_IO_RESOLVE_H

#include <netinet/in.h>
#include <uv.h>

#include "base/mem.h"
#include "base/types.h"

#define HF_ADDRESSES_MAX 8

/* Where a name leads; more addresses than fit are left out. */
struct hf_addresses {
    int error; /* Of uv_strerror, when there are none; 0: just none. */
    size_t count;
    struct sockaddr_storage at[HF_ADDRESSES_MAX];
};

struct hf_resolve; /* A lookup under way. */

/* Reads an IPv4 or IPv6 literal (without brackets); false when it is a name. */
bool hf_resolve_literal(const char *host, uint16_t port,
                        struct hf_addresses *addresses);

/* Looks @host up. @done is called once, later, with what was found (count 0:
 * nothing). NULL when out of memory. */
struct hf_resolve *hf_resolve_start(
    uv_loop_t *loop, struct hf_mem *mem, const char *host, uint16_t port,
    void (*done)(void *user, const struct hf_addresses *addresses), void *user);

/* @done will not be called. @mem must last until the loop is closed. */
void hf_resolve_cancel(struct hf_resolve *resolve);

/* Looks @host up and waits for it, for start-up only. False: nothing found. */
bool hf_resolve_now(uv_loop_t *loop, const char *host, uint16_t port,
                    struct hf_addresses *addresses);

/* "1.2.3.4:5" or "[::1]:5". @size at least 64. */
void hf_address_text(const struct sockaddr_storage *address, char *text,
                     size_t size);

/* "HOST:PORT", with brackets around IPv6 literals; cut to @size. */
void hf_host_port_text(const char *host, uint16_t port, char *text,
                       size_t size);

#endif
