/* connection_cluster.h - Clients that speak the cluster protocol of Redis.
 *
 * Part of wire/connection.c and its commands; nobody else includes this. What
 * these clients are told is in core/topology.h. */
#ifndef HF_WIRE_CONNECTION_CLUSTER_H
#define HF_WIRE_CONNECTION_CLUSTER_H

#include "wire/connection.h"

/* CLUSTER; on a connection of the plain port it says what Redis says without
 * cluster mode. */
struct hf_reply hf_connection_cluster(struct hf_connection *connection,
                                      const struct hf_command *command);

/* Whether @command, with a fitting number of arguments, is not to be carried
 * out for a client of the cluster protocol: its keys are of several slots, or
 * the client is sent to another node. @reply, which says so, may borrow from
 * connection->text. */
bool hf_connection_cluster_refuses(struct hf_connection *connection,
                                   const struct hf_command *command,
                                   struct hf_reply *reply);

#endif
