/* connection_sentinel.h - SENTINEL: clients that look for their server by
 * Sentinel find a node that lives.
 *
 * Every node takes every command, so every node passes for a Sentinel of a
 * master that is any of them: the one asked, as long as it serves and is not
 * leaving. Part of wire/connection_commands.c; nobody else includes this. */
#ifndef HF_WIRE_CONNECTION_SENTINEL_H
#define HF_WIRE_CONNECTION_SENTINEL_H

#include "wire/connection.h"

/* What a master is called in the examples of nearly every client. */
#define HF_SENTINEL_NAME_USUAL "mymaster"

struct hf_reply hf_connection_sentinel(struct hf_connection *connection,
                                       const struct hf_command *command);

#endif
