/* connection_topics.h - The commands of a connection by topic, and what they
 * share. Private to the connection_*.c files.
 *
 * hf_connection_run in connection_commands.c lists them all. */
#ifndef HF_WIRE_CONNECTION_TOPICS_H
#define HF_WIRE_CONNECTION_TOPICS_H

#include "wire/connection.h"

typedef struct hf_reply hf_run_function(struct hf_connection *connection,
                                        const struct hf_command *command);

/* A row of a command like CLIENT, whose second word says what to do. */
struct hf_subcommand {
    const char *name;     /* Upper case. */
    const char *usage;    /* What follows the name, for HELP. */
    int arity;            /* With both words, as in struct hf_command_row. */
    hf_run_function *run; /* NULL: somebody else does it. */
};

struct hf_subcommand_table {
    const char *name; /* Of the command, upper case. */
    const struct hf_subcommand *rows;
    size_t count;
};

/* Runs the one of @table that the second word names, or says HELP. */
struct hf_reply hf_subcommand_run(struct hf_connection *connection,
                                  const struct hf_command *command,
                                  const struct hf_subcommand_table *table);

/* Whether @table has the subcommand, with enough arguments, and somebody else
 * does it. */
bool hf_subcommand_is_elsewhere(const struct hf_command *command,
                                const struct hf_subcommand_table *table);

/* An error of three parts; the middle one is what the client sent, cut. */
struct hf_reply hf_connection_error_about(struct hf_connection *connection,
                                          const char *before,
                                          struct hf_slice sent,
                                          const char *after);

/* What is in connection->text, as text that RESP3 marks as such. */
struct hf_reply hf_connection_text_reply(struct hf_connection *connection);

/* The subcommands of @row that the node carries out on a key, for OBJECT and
 * MEMORY; NULL for other commands. */
const struct hf_subcommand_table *
hf_connection_key_subcommands(const struct hf_command_row *row);

/* connection_server.c */
struct hf_reply hf_connection_debug(struct hf_connection *connection,
                                    const struct hf_command *command);
struct hf_reply hf_connection_function(struct hf_connection *connection,
                                       const struct hf_command *command);
/* Answers OK and changes nothing: READONLY and its like. */
struct hf_reply hf_connection_agree(struct hf_connection *connection,
                                    const struct hf_command *command);
/* CLIENT TRACKING, CLIENT CACHING. */
struct hf_reply hf_connection_tracking(struct hf_connection *connection,
                                       const struct hf_command *command);

/* connection_script.c */
struct hf_reply hf_connection_script(struct hf_connection *connection,
                                     const struct hf_command *command);
/* Whether the host carries @command out, a SCRIPT. */
bool hf_connection_script_is_managed(const struct hf_command *command);

#endif
