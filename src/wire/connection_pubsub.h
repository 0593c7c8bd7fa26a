/* connection_pubsub.h - A connection as subscriber.
 *
 * SUBSCRIBE and its like run when every command before them is answered, and
 * no other runs meanwhile: so what they answer, a line for each name, is
 * written at once, in its place, and before any message. Messages are written
 * between answers, as soon as they come. */
#ifndef HF_WIRE_CONNECTION_PUBSUB_H
#define HF_WIRE_CONNECTION_PUBSUB_H

#include "wire/connection.h"

/* Whether @command, of those that run alone, may have to wait for other nodes
 * to know that this one has subscribers. The host then calls
 * hf_connection_listened. */
bool hf_connection_waits_for_others(struct hf_connection *connection,
                                    const struct hf_command *command);

/* Runs @command, of those that run alone, and writes what it answers. */
void hf_connection_subscribe(struct hf_connection *connection,
                             const struct hf_command *command);

/* Whether @command may not run now, because a client that speaks RESP2 and has
 * subscriptions could not tell its answer from a message. */
bool hf_connection_is_subscribed_away(const struct hf_connection *connection,
                                      const struct hf_command *command);
/* What it is answered. */
struct hf_reply
hf_connection_refuse_subscribed(struct hf_connection *connection,
                                const struct hf_command *command);

/* PUBSUB as far as the connection answers it: HELP, and what is wrong with it.
 * False: the node is to be asked. */
HF_NODISCARD bool hf_connection_answers_pubsub(struct hf_connection *connection,
                                               const struct hf_command *command,
                                               struct hf_reply *reply);

/* Ends all subscriptions without telling the client. */
void hf_connection_unsubscribe_all(struct hf_connection *connection);

#endif
