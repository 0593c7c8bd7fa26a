/* SCRIPT, as far as the connection knows better than the host. */
#include <string.h>

#include "wire/connection_topics.h"

static struct hf_reply kill_run(struct hf_connection *connection,
                                const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_error("NOTBUSY No scripts in execution right now.");
}

/* With options that are not right: else the host has it. */
static struct hf_reply flush_run(struct hf_connection *connection,
                                 const struct hf_command *command)
{
    (void)connection;
    (void)command;
    return hf_reply_error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
}

static const struct hf_subcommand rows[] = {
    {"EXISTS", " <sha1> [<sha1> ...]", -3, NULL},
    {"FLUSH", " [ASYNC|SYNC]", -2, flush_run},
    {"KILL", "", 2, kill_run},
    {"LOAD", " <script>", 3, NULL},
};

static const struct hf_subcommand_table table = {"SCRIPT", rows,
                                                 HF_ARRAY_COUNT(rows)};

struct hf_reply hf_connection_script(struct hf_connection *connection,
                                     const struct hf_command *command)
{
    return hf_subcommand_run(connection, command, &table);
}

static bool is_flush(const struct hf_command *command)
{
    return hf_slice_equal_nocase(command->argv[1], "FLUSH") &&
           (command->argc == 2 ||
            (command->argc == 3 &&
             (hf_slice_equal_nocase(command->argv[2], "SYNC") ||
              hf_slice_equal_nocase(command->argv[2], "ASYNC"))));
}

bool hf_connection_script_is_managed(const struct hf_command *command)
{
    return strcmp(command->row->name, "SCRIPT") == 0 &&
           (is_flush(command) || hf_subcommand_is_elsewhere(command, &table));
}
