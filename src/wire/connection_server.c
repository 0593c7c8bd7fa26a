/* Commands about the server as a whole, as far as clients need an answer. */
#include <string.h>

#include "wire/connection_topics.h"

#define ERROR_DEBUG                                                            \
    "ERR DEBUG command not allowed. If the enable-debug-command option is "    \
    "set to \"local\", you can run it from a local connection, otherwise "     \
    "you need to set this option in the configuration file, and then "         \
    "restart the server."

struct hf_reply hf_connection_agree(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_ok();
}

struct hf_reply hf_connection_debug(struct hf_connection *connection,
                                    const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_error(ERROR_DEBUG);
}

/* ---- FUNCTION ----------------------------------------------------------- */

static struct hf_reply function_flush_run(struct hf_connection *connection,
                                          const struct hf_command *command)
{
    (void)connection;
    bool known = command->argc == 2 ||
                 (command->argc == 3 &&
                  (hf_slice_equal_nocase(command->argv[2], "ASYNC") ||
                   hf_slice_equal_nocase(command->argv[2], "SYNC")));
    return known ? hf_reply_ok()
                 : hf_reply_error("ERR FUNCTION FLUSH only supports SYNC|ASYNC "
                                  "option");
}

static struct hf_reply function_list_run(struct hf_connection *connection,
                                         const struct hf_command *command)
{
    (void)command;
    hf_reply_put_array(&connection->tokens, 0);
    return hf_reply_nested(&connection->tokens);
}

struct hf_reply hf_connection_function(struct hf_connection *connection,
                                       const struct hf_command *command)
{
    static const struct hf_subcommand rows[] = {
        {"FLUSH", " [ASYNC|SYNC]", -2, function_flush_run},
        {"LIST", "", -2, function_list_run},
    };
    static const struct hf_subcommand_table table = {"FUNCTION", rows,
                                                     HF_ARRAY_COUNT(rows)};
    return hf_subcommand_run(connection, command, &table);
}

/* ---- OBJECT and MEMORY -------------------------------------------------- */

const struct hf_subcommand_table *
hf_connection_key_subcommands(const struct hf_command_row *row)
{
    static const struct hf_subcommand object_rows[] = {
        {"ENCODING", " <key>", 3, NULL},
        {"FREQ", " <key>", 3, NULL},
        {"IDLETIME", " <key>", 3, NULL},
        {"REFCOUNT", " <key>", 3, NULL},
    };
    static const struct hf_subcommand memory_rows[] = {
        {"USAGE", " <key> [SAMPLES <count>]", -3, NULL},
    };
    static const struct hf_subcommand_table tables[] = {
        {"OBJECT", object_rows, HF_ARRAY_COUNT(object_rows)},
        {"MEMORY", memory_rows, HF_ARRAY_COUNT(memory_rows)},
    };
    for (size_t i = 0; row->key_first == 2 && i < HF_ARRAY_COUNT(tables); i++) {
        if (strcmp(row->name, tables[i].name) == 0) {
            return &tables[i];
        }
    }
    return NULL;
}
