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

/* connection_client.c */
struct hf_reply hf_connection_client(struct hf_connection *connection,
                                     const struct hf_command *command);
#define HF_CONNECTION_ERROR_NAME                                               \
    "ERR Client names cannot contain spaces, newlines or special characters."
/* Names stand in CLIENT LIST, whose fields end at spaces. */
bool hf_connection_name_is_clean(struct hf_slice name);
/* Longer names are cut: they are for people, and a client that is refused its
 * name gives up on the connection. */
void hf_connection_name_store(char *to, size_t capacity, struct hf_slice name);

/* connection_tracking.c: CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO. */
hf_run_function hf_connection_tracking;
hf_run_function hf_connection_caching;
hf_run_function hf_connection_getredir;
hf_run_function hf_connection_tracking_info;
/* @command was run, or @refused, for a client that keeps answers: whether *push
 * is to tell it that it must not keep this one. Borrows connection->tokens. */
bool hf_connection_forgets(struct hf_connection *connection,
                           const struct hf_command *command, bool refused,
                           struct hf_reply *push);

/* connection_script.c */
struct hf_reply hf_connection_script(struct hf_connection *connection,
                                     const struct hf_command *command);
/* Whether the host carries @command out, a SCRIPT. */
bool hf_connection_script_is_managed(const struct hf_command *command);

#endif
