#include "server/nodes.h"

#include <stdio.h>
#include <string.h>

#include "holdfast/error.h"
#include "server/config.h"

/* The last of as many ports as there are nodes, from @first. */
static unsigned last_port(const struct hf_config *config, uint16_t first)
{
    return first + config->nodes - 1;
}

static bool is_among(const struct hf_config *config, uint16_t first,
                     uint16_t port)
{
    return port >= first && port <= last_port(config, first);
}

static int fail_ports(const struct hf_config *config, const char *setting,
                      uint16_t first, const char *allowed, char *error,
                      size_t error_size)
{
    snprintf(error, error_size,
             "setting %s: '%u' is not allowed with nodes %u: %s", setting,
             (unsigned)first, config->nodes, allowed);
    return HF_EINVAL;
}

static int check_ports(const struct hf_config *config, char *error,
                       size_t error_size)
{
    uint16_t peer = config->peer_port;
    uint16_t cluster = config->cluster_port;
    if (peer == 0) { /* Its default is that of the port, which is any. */
        return fail_ports(config, "port", config->port,
                          "a number from 1 to 65535, unless peer-port is given",
                          error, error_size);
    }
    if (last_port(config, peer) > UINT16_MAX) {
        return fail_ports(config, "peer-port", peer,
                          "each node counts up, to at most 65535", error,
                          error_size);
    }
    if (is_among(config, peer, config->port)) {
        return fail_ports(config, "peer-port", peer,
                          "each node counts up, and comes to that of port",
                          error, error_size);
    }
    if (cluster == 0) {
        return 0;
    }
    if (last_port(config, cluster) > UINT16_MAX) {
        return fail_ports(config, "cluster-port", cluster,
                          "each node counts up, to at most 65535", error,
                          error_size);
    }
    if (is_among(config, cluster, config->port) ||
        is_among(config, cluster, peer) || is_among(config, peer, cluster)) {
        return fail_ports(config, "cluster-port", cluster,
                          "each node counts up, and comes to those of port or "
                          "peer-port",
                          error, error_size);
    }
    return 0;
}

/* Appends "-1" and so on to @text, unless it is empty. */
static int count_text(char *text, size_t size, const char *setting,
                      unsigned index, char *error, size_t error_size)
{
    char suffix[16];
    size_t used = strlen(text);
    if (used == 0) {
        return 0;
    }
    snprintf(suffix, sizeof(suffix), "-%u", index + 1);
    if (used + strlen(suffix) >= size) {
        snprintf(error, error_size,
                 "setting %s: '%s%s' is not allowed: at most %zu bytes, with "
                 "the number of the node",
                 setting, text, suffix, size - 1);
        return HF_EINVAL;
    }
    hf_config_copy_text(text + used, size - used, suffix);
    return 0;
}

static bool host_is_ours(const struct hf_config *config,
                         const struct hf_config_seed *seed)
{
    return strcmp(seed->host, config->advertise) == 0 ||
           (hf_config_is_loopback(seed->host) &&
            hf_config_is_loopback(config->advertise));
}

static bool has_seed(const struct hf_config *config, uint16_t port)
{
    for (size_t i = 0; i < config->seed_count; i++) {
        if (config->seeds[i].port == port &&
            host_is_ours(config, &config->seeds[i])) {
            return true;
        }
    }
    return false;
}

/* Where one of the nodes here is a seed, or none is given, all here are. Not
 * where only others are: a cluster is started by its seeds, not by two nodes
 * of one host that find nobody but each other. What is beyond the most seeds
 * there can be is found by way of the others. */
static void add_seeds(struct hf_config *node, const struct hf_config *config)
{
    bool seeds = config->seed_count == 0;
    for (unsigned i = 0; i < config->nodes; i++) {
        seeds = seeds || has_seed(config, (uint16_t)(config->peer_port + i));
    }
    for (unsigned i = 0; seeds && i < config->nodes; i++) {
        uint16_t port = (uint16_t)(config->peer_port + i);
        if (!has_seed(node, port) && node->seed_count < HF_CONFIG_SEEDS_MAX) {
            struct hf_config_seed *seed = &node->seeds[node->seed_count++];
            hf_config_copy_text(seed->host, sizeof(seed->host),
                                config->advertise);
            seed->port = port;
        }
    }
}

int hf_nodes_config(const struct hf_config *config, unsigned index,
                    struct hf_config *node, char *error, size_t error_size)
{
    *node = *config;
    if (config->nodes == 1) {
        return 0;
    }
    struct hf_config whole = *config;
    int rv = hf_config_check(&whole, error, error_size);
    if (rv == 0) {
        rv = check_ports(&whole, error, error_size);
    }
    if (rv != 0) {
        return rv;
    }
    *node = whole;
    node->peer_port = (uint16_t)(whole.peer_port + index);
    if (whole.cluster_port != 0) {
        node->cluster_port = (uint16_t)(whole.cluster_port + index);
    }
    add_seeds(node, &whole);
    rv = count_text(node->name, sizeof(node->name), "name", index, error,
                    error_size);
    if (rv == 0) {
        rv = count_text(node->unix_socket, sizeof(node->unix_socket),
                        "unix-socket", index, error, error_size);
    }
    return rv == 0 ? hf_config_complete(node, error, error_size) : rv;
}
