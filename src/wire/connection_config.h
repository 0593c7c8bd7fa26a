/* connection_config.h - CONFIG: settings as Redis names them.
 *
 * Only notify-keyspace-events can be set, for the whole cluster; of some others
 * clients want to know what they are. */
#ifndef HF_WIRE_CONNECTION_CONFIG_H
#define HF_WIRE_CONNECTION_CONFIG_H

#include "wire/connection.h"

/* Runs CONFIG, with a word behind it. */
struct hf_reply hf_connection_config(struct hf_connection *connection,
                                     const struct hf_command *command);

/* Whether @command is a CONFIG SET that can be carried out, by the host: see
 * `manage` of struct hf_connection_host. */
bool hf_connection_config_is_set(const struct hf_command *command);

#endif
