/* server.h - A ready-made node: clients by RESP, peers by NNG.
 *
 *   hf_config_init(&config);
 *   hf_server_create(&server, &config, error, sizeof(error));
 *   hf_server_run(server);        until hf_server_stop(server)
 *   hf_server_destroy(server);
 *
 * NNG starts threads of its own when the first server is created: fork before
 * that, never after. */
#ifndef HOLDFAST_SERVER_H
#define HOLDFAST_SERVER_H

#include <stdbool.h>

#include "holdfast/config.h"
#include "holdfast/error.h"

struct hf_server;

/* Checks @config (copied) and listens on both ports. Returns 0 and the server
 * in *@server, or HF_EINVAL (a setting), HF_EINUSE (a port is taken), HF_EIO,
 * HF_ENOMEM with one line for people in @error and nothing to destroy. */
int hf_server_create(struct hf_server **server, const struct hf_config *config,
                     char *error, size_t error_size);

/* The ports listened on, chosen by the kernel where the config says 0. */
uint16_t hf_server_port(const struct hf_server *server);
uint16_t hf_server_peer_port(const struct hf_server *server);

/* Runs the node on this thread until it is stopped. Returns 0; HF_EINUSE when
 * it stopped because another node is alive under its name; or HF_EIO when
 * something would not close in time: then leave the process by _exit, since
 * threads may still be at work. Sessions are kept until hf_server_destroy; who
 * leaves the process need not call that. Call once. */
int hf_server_run(struct hf_server *server);

/* Whether the node has been in a cluster since it was created, of its own or of
 * others. Not from another thread while it runs. */
bool hf_server_served(const struct hf_server *server);

/* Makes hf_server_run return once other nodes have taken over all that this
 * one holds and its clients have their answers, or after drain-timeout, or at
 * once when there is no other node. May be called as hf_server_stop may. */
void hf_server_drain(struct hf_server *server);

/* Makes hf_server_run return soon. May be called from any thread and from a
 * signal handler, once or often, until hf_server_destroy. */
void hf_server_stop(struct hf_server *server);

/* Frees the server. Not while it runs. What would not close in time stays
 * allocated. */
void hf_server_destroy(struct hf_server *server);

#endif
