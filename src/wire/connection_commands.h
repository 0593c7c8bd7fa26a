/* connection_commands.h - The commands a connection answers by itself: PING,
 * HELLO, CLIENT, INFO, COMMAND and their like, and what it says to commands
 * that nobody can run.
 *
 * Part of wire/connection.c; nobody else includes this. Replies may borrow
 * from the arguments and from connection->tokens and ->text, which must be
 * empty before the call. When one of those two has failed, the reply is
 * worthless. */
#ifndef HF_WIRE_CONNECTION_COMMANDS_H
#define HF_WIRE_CONNECTION_COMMANDS_H

#include "wire/connection.h"

/* Runs @command, of route CONNECTION, with a fitting number of arguments, and
 * not managed by the host.
 * May change the connection's version and names, and set `closing`. */
struct hf_reply hf_connection_run(struct hf_connection *connection,
                                  const struct hf_command *command);

/* Whether @command, of route CONNECTION, is one that the host carries out: see
 * `manage` of struct hf_connection_host. */
bool hf_connection_is_managed(const struct hf_command *command);

/* Whether the connection can tell what a command like OBJECT, which the node
 * carries out for a key, is answered: HELP, and what is wrong with its second
 * word. */
bool hf_connection_answers_itself(struct hf_connection *connection,
                                  const struct hf_command *command,
                                  struct hf_reply *reply);

/* "ERR unknown command 'foo', with args beginning with: 'a' 'b' ". */
struct hf_reply hf_connection_unknown(struct hf_connection *connection,
                                      uint32_t argc,
                                      const struct hf_slice *argv);

/* "ERR wrong number of arguments for 'get' command". */
struct hf_reply hf_connection_wrong_arity(struct hf_connection *connection,
                                          const struct hf_command_row *row);

#endif
