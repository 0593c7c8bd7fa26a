/* listeners.c - The other ways in for clients, and what they are told there. */
#include <stdio.h>

#include "holdfast/error.h"
#include "io/resolve.h"
#include "server/server_private.h"

static int fail_unix(const char *path, int rv, char *error, size_t error_size)
{
    const char *why = rv == HF_EINUSE ? "a live process listens there"
                      : rv == HF_EINVAL
                          ? "there is something that is not a socket"
                          : "no such directory, or no permission for "
                            "it or for the file with .lock";
    snprintf(error, error_size, "cannot listen on %s: %s (setting unix-socket)",
             path, why);
    return rv;
}

int hf_server_listen_more(struct hf_server *server, char *error,
                          size_t error_size)
{
    const struct hf_config *config = &server->config;
    if (config->cluster_port != 0) {
        int rv = hf_clients_listen_cluster(server->clients, config->bind,
                                           config->cluster_port);
        if (rv != 0) {
            return hf_config_fail_listen(config, rv, "cluster-port",
                                         config->cluster_port, error,
                                         error_size);
        }
    }
    if (config->unix_socket[0] != '\0') {
        int rv = hf_clients_listen_unix(server->clients, config->unix_socket);
        if (rv != 0) {
            return fail_unix(config->unix_socket, rv, error, error_size);
        }
    }
    return 0;
}

void hf_server_topology(void *user, struct hf_topology *topology)
{
    const struct hf_server *server = user;
    hf_node_get_topology(server->node, topology);
}

uint32_t hf_server_keys_in_slot(void *user, uint16_t slot, uint32_t limit,
                                struct hf_buffer *tokens)
{
    const struct hf_server *server = user;
    return hf_node_keys_in_slot(server->node, slot, limit, tokens);
}
